# SPDX-License-Identifier: Apache-2.0
"""Pickle walk against pickletools.genops and pickle.loads.

usage: /usr/bin/python3 tests/bench/scan/pickle_walk.py build/scan_folder
(a Release build.) Every measurement is a process of its own, made five times;
medians are printed. Ours counts the whole process: its start, reading the file,
the walk, the report. The others count the call alone. Processor time is
compared, so that a busy machine does not decide; elapsed time of ours is printed
beside it. genops walks a thirtieth of the stream and is judged by opcodes a
second. "user" leaves out what the kernel takes to hand out and clear memory,
which on a virtual machine differs fivefold from run to run.
"""

import os
import pickle
import pickletools
import statistics
import string
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def rows(count):
    return [{"a": i, "b": [1, 2, 3, i % 7], "c": (i, None, True)} for i in range(count)]


def texts(count):
    return [{"name": f"layer.{i}", "size": i * 1.5, "of": ["x", i, "y"]} for i in range(count)]


def templates(count):
    """Objects of a guarded class, each with a state of its own."""
    return [string.Template(f"text {i}") for i in range(count)]


def worker(deed, *rest):
    """Runs in a process of its own and prints one number, or two."""
    if deed == "write":
        make, count, protocol, path = rest
        for name, size in ((path, int(count)), (path + ".part", int(count) // 30)):
            with open(name, "wb") as out:
                pickle.dump(globals()[make](size), out, int(protocol))
        with open(path + ".part", "rb") as part:
            print(sum(1 for _ in pickletools.genops(part.read())))
        return
    with open(rest[0], "rb") as file:
        data = file.read()
    start = time.process_time()
    if deed == "genops":
        for _ in pickletools.genops(data):
            pass
    else:
        value = pickle.loads(data)
    print(time.process_time() - start)
    os._exit(sys.stdout.flush() or 0)


def ask(*arguments):
    return subprocess.run([sys.executable, __file__, "--worker", *arguments],
                          check=True, capture_output=True, text=True).stdout


def measure(title, make, count, protocol, folder):
    path = os.path.join(folder, "big.pkl")
    part_opcodes = int(ask("write", make, str(count), str(protocol), path))
    size = os.path.getsize(path)
    opcodes = part_opcodes * size / os.path.getsize(path + ".part")
    cpu, user, wall = [], [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        child = subprocess.Popen([sys.argv[1], path, "code-only"],
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall.append(time.perf_counter() - start)
        assert os.waitstatus_to_exitcode(status) == 0
        cpu.append(usage.ru_utime + usage.ru_stime)
        user.append(usage.ru_utime)
    genops = [float(ask("genops", path + ".part")) * opcodes / part_opcodes
              for _ in range(ROUNDS)]
    loads = [float(ask("loads", path)) for _ in range(ROUNDS)]
    middle = statistics.median
    ours, alone, walk, load = map(middle, (cpu, user, genops, loads))
    print(f"{title}: {size / 1e6:.0f} MB, {opcodes / 1e6:.0f} M opcodes: "
          f"{size / ours / 1e6:.0f} MB/s, {opcodes / ours / 1e6:.0f} M opcodes/s "
          f"({size / alone / 1e6:.0f} MB/s user, "
          f"{size / middle(wall) / 1e6:.0f} MB/s elapsed); "
          f"genops {size / walk / 1e6:.1f} MB/s: {walk / ours:.0f}x, "
          f"user {walk / alone:.0f}x; "
          f"pickle.loads {size / load / 1e6:.0f} MB/s: {load / ours:.1f}x")


if sys.argv[1] == "--worker":
    worker(*sys.argv[2:])
else:
    with tempfile.TemporaryDirectory() as place:
        measure("rows, protocol 2", "rows", 1_250_000, 2, place)
        measure("rows, protocol 4", "rows", 1_250_000, 4, place)
        measure("guarded objects, protocol 2", "templates", 300_000, 2, place)
        measure("guarded objects, protocol 4", "templates", 300_000, 4, place)
        measure("texts, protocol 4", "texts", 1_000_000, 4, place)
