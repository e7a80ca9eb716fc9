# SPDX-License-Identifier: Apache-2.0
"""A PyTorch checkpoint of 1 GB: what it takes to say what would run.

usage: [PICKLESCAN=FOLDER] /usr/bin/python3 tests/bench/scan/torch_zip.py build/impound
(a Release build.) PICKLESCAN is the folder "src" of picklescan's repository;
without it that row is left out. Each row is a whole process, run five times in
turn with the others; medians of elapsed and processor time are printed, and the
bytes that impound reads, counted by strace where it is installed. The file is
in the page cache: a cold disk would favour whoever reads less. The second table
scans a folder with the checkpoint under twenty names: what one more costs when
the process is already there.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import torch

ROUNDS = 5
GENOPS = """
import pickletools, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    for name in file.namelist():
        if name.endswith(".pkl"):
            for opcode, argument, place in pickletools.genops(file.read(name)):
                pass
"""


def checkpoint(path):
    """24 layers of 12 tensors with the state of AdamW, as a trainer saves."""
    torch.manual_seed(1)
    model, state = {}, {}
    for layer in range(24):
        for part in range(6):
            model[f"model.layers.{layer}.part{part}.weight"] = torch.randn(768, 768)
            model[f"model.layers.{layer}.part{part}.bias"] = torch.randn(768)
    for index, weight in enumerate(model.values()):
        state[index] = {"step": torch.tensor(9.0), "exp_avg": weight.clone(),
                        "exp_avg_sq": weight.clone()}
    extra = {"embedding": torch.randn(6400, 768)}
    torch.save({"model": {**model, **extra}, "optimizer": {"state": state},
                "epoch": 3}, path)


def run(command, environment):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def bytes_read(command):
    if shutil.which("strace") is None:
        return ""
    done = subprocess.run(["strace", "-f", "-e", "trace=pread64", *command],
                          capture_output=True, text=True, check=True)
    total = sum(int(n) for n in re.findall(r"pread64.* = (\d+)$", done.stderr, re.M))
    return f", {total / 1e6:.1f} MB read"


def table(title, path, impound):
    rows = {"impound scan --code-only": ([impound, "scan", "--code-only", path], None)}
    if os.path.isfile(path):
        rows["impound scan (digest, every byte searched)"] = (
            [impound, "scan", path], None)
        rows["sha256sum"] = (["sha256sum", path], None)
        rows["python3 zipfile + pickletools.genops"] = (
            [sys.executable, "-c", GENOPS, path], None)
    if os.environ.get("PICKLESCAN"):
        rows["picklescan"] = ([sys.executable, "-m", "picklescan.cli", "-p", path],
                              {**os.environ, "PYTHONPATH": os.environ["PICKLESCAN"]})
    times = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (command, environment) in rows.items():
            times[name].append(run(command, environment))
    print(title)
    first = None
    for name, (command, _) in rows.items():
        wall, cpu = (statistics.median(column) for column in zip(*times[name]))
        first = first or (wall, cpu)
        extra = bytes_read(command) if command[0] == impound else ""
        print(f"  {name}: {wall:.3f} s, {cpu:.3f} s of processor time"
              f" ({wall / first[0]:.1f}x, {cpu / first[1]:.1f}x){extra}")


with tempfile.TemporaryDirectory() as folder:
    one = os.path.join(folder, "checkpoint.pt")
    checkpoint(one)
    table(f"one file of {os.path.getsize(one) / 1e9:.2f} GB, torch {torch.__version__}",
          one, sys.argv[1])
    many = os.path.join(folder, "many")
    os.mkdir(many)
    for i in range(20):
        os.link(one, f"{many}/checkpoint-{i}.pt")
    table("twenty of them in a folder", many, sys.argv[1])
