#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Taking and verifying a model with impound, beside what people do by hand.

    run.py <build folder, Release> [--weights MiB] [--log MiB] [--folder /tmp]

Every command is printed. Runs are interleaved; a number is the median of
three. impound syncs to the disk, names and records every file; the others do
not. Everything that is made is removed.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3

DESCRIPTOR = """schema = 1
name = "bench-{name}"
[model]
path = "{path}"
[process]
pid = 1
[containment]
method = "process"
"""


def run(command, cores, environment):
    """Seconds and peak resident MiB of the largest process of a command."""
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    begin = time.monotonic()
    child = subprocess.Popen(["taskset", "-c", cpus, "bash", "-c", "set -e -o pipefail\n" + command],
                             env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"exit {child.returncode}: {command}\n{errors.decode()}")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def measure(title, commands, cores, size, environment, after):
    """commands: name → command. The first is ours; ratios are to it."""
    seconds = {name: [] for name in commands}
    peak = dict.fromkeys(commands, 0.0)
    for _ in range(ROUNDS):
        for name, command in commands.items():
            spent, resident = run(command, cores, environment)
            seconds[name].append(spent)
            peak[name] = max(peak[name], resident)
            after(name)
    ours = statistics.median(next(iter(seconds.values())))
    print(f"\n{title}, {cores} core{'s' if cores > 1 else ''}")
    print(f"{'':34} {'s':>7} {'MB/s':>7} {'ours is':>8} {'MiB':>5}   each run")
    for name in commands:
        middle = statistics.median(seconds[name])
        each = " ".join(f"{one:.2f}" for one in seconds[name])
        print(f"{name:34} {middle:7.2f} {size / middle / 1e6:7.0f} {middle / ours:7.2f}x {peak[name]:5.0f}   {each}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--weights", type=int, default=512)
    parser.add_argument("--log", type=int, default=128)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    work = tempfile.mkdtemp(prefix="impound-bench-", dir=options.folder)
    try:
        bench(build, work, options)
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", work], check=False)
        shutil.rmtree(work, ignore_errors=True)


def bench(build, work, options):
    environment = dict(os.environ, HOME=work + "/home", XDG_CONFIG_HOME=work + "/config",
                       IMPOUND_HOME=work + "/cases", LC_ALL="C.UTF-8")
    os.mkdir(work + "/home")
    impound = build + "/impound"

    def call(*command):
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    call(build + "/make_model", work + "/data", str(options.weights), str(options.log))
    call(impound, "examiner", "init", "--name", "Bench", "--org", "Bench", "--role", "bench")
    call(impound, "case", "new", "BENCH", "--title", "bench")
    evidence = work + "/cases/BENCH/evidence"

    def bundles():
        return sorted(name for name in os.listdir(evidence) if name.endswith(".tar.zst"))

    for name, level, file in (("weights", 1, "model.safetensors"), ("log", 3, "prompts.jsonl")):
        folder = f"{work}/data/{name}"
        source = f"{folder}/{file}"
        size = os.path.getsize(source)
        descriptor = f"{work}/{name}.toml"
        with open(descriptor, "w", encoding="utf-8") as out:
            out.write(DESCRIPTOR.format(name=name, path=folder))
        stock = f"{work}/stock.tar.zst"
        for cores in (2, 1):
            tar = f"tar -C {folder} -cf - {file}"
            takes = {
                "impound collect": f"{impound} collect model-files --deployment {descriptor}",
                f"tar | tee >(sha256sum) | zstd -T{cores}":
                    f"{tar} | tee >(sha256sum >{work}/digest) | zstd -q -f -T{cores} -{level} -o {stock}",
                f"openssl dgst & pzstd -p{cores}":
                    f"openssl dgst -sha256 {source} >{work}/digest & pzstd -q -f -p{cores} -{level} {source} -o {work}/stock.zst; wait $!",
                "openssl dgst": f"openssl dgst -sha256 {source}",
            }
            kept = []

            def after_take(which):
                if which == "impound collect":  # one bundle is enough to keep
                    for old in bundles()[:-1]:
                        os.remove(f"{evidence}/{old}")
                    kept[:] = bundles()

            for command in takes.values():
                print("$", command)
            measure(f"take {size / 1e6:.0f} MB of {name}", takes, cores, size, environment, after_take)
            bundle = f"{evidence}/{kept[-1]}"
            for title, made in (("impound", bundle), ("zstd", stock), ("pzstd", work + "/stock.zst")):
                print(f"{title:10} {os.path.getsize(made) / size:.4f} of the size")
            checks = {
                "impound exhibit verify": f"{impound} exhibit verify {kept[-1].split('.')[0]}",
                "zstd -dc | tar -xO | openssl dgst": f"zstd -dc {stock} | tar -xOf - | openssl dgst -sha256",
                "pzstd -dc | openssl dgst": f"pzstd -q -p{cores} -dc {work}/stock.zst | openssl dgst -sha256",
                "openssl dgst of the source": f"openssl dgst -sha256 {source}",
            }
            for command in checks.values():
                print("$", command)
            measure(f"verify {size / 1e6:.0f} MB of {name}", checks, cores, size, environment, lambda which: None)


if __name__ == "__main__":
    main()
