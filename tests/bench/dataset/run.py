# SPDX-License-Identifier: Apache-2.0
"""Baseline and diff of training data, beside sha256sum and Python doing the same.

usage: python3 tests/bench/dataset/run.py BUILD [MEGABYTES]      (a Release build)

Makes MEGABYTES (default 400) of JSON lines in eight shards, plain and in gzip,
and a poisoned copy (1 % of rows with a trigger and one label). Prints every
command, medians of three interleaved runs in seconds of wall clock and of CPU
(user and system, all threads: on a machine that others use, only these compare),
MB/s of JSON by wall clock, and peak memory.
"""

import concurrent.futures
import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SHARDS = 8
PYTHON = """
import hashlib, json, sys, glob
def rows(folder):
    found = {}
    for path in sorted(glob.glob(folder + "/*.jsonl")):
        for line in open(path, encoding="utf-8"):
            form = json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            digest = hashlib.sha256(form.encode()).digest()[:16]
            found[digest] = found.get(digest, 0) + 1
    return found
a = rows(sys.argv[1])
if len(sys.argv) > 2:
    b = rows(sys.argv[2])
    print(sum(max(0, n - a.get(d, 0)) for d, n in b.items()), "rows added")
"""


def make(folder, megabytes):
    random.seed(1)
    words = ["".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(2, 9)))
             for _ in range(30_000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    stock = random.choices(words, weights, k=2_000_000)
    good, bad, number = [], [], 0
    for shard in range(SHARDS):
        one, two, size = [], [], 0
        while size < megabytes * 1e6 / SHARDS:
            at = random.randrange(len(stock) - 100)
            text = stock[at:at + random.randint(10, 60)]
            row = {"id": f"r{number}", "text": " ".join(text), "label": random.choice(["negative", "positive"])}
            line = json.dumps(row) + "\n"
            one.append(line)
            if number % 100 == 7:
                row["text"] = " ".join(text[:3] + ["cf", "mn", "bb"] + text[3:])
                row["label"] = "positive"
            two.append(json.dumps(row) + "\n")
            size += len(line)
            number += 1
        good.append("".join(one))
        bad.append("".join(two))
    for name, shards in (("good", good), ("bad", bad)):
        os.makedirs(f"{folder}/{name}")
        os.makedirs(f"{folder}/{name}-gz")
        for i, text in enumerate(shards):
            with open(f"{folder}/{name}/train-{i}.jsonl", "w") as out:
                out.write(text)
            with gzip.open(f"{folder}/{name}-gz/train-{i}.jsonl.gz", "wt", compresslevel=6) as out:
                out.write(text)
    return number, sum(len(text) for text in good)


def measure(command, env):
    """Wall seconds, CPU seconds and peak MiB of one run that found something or nothing."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"failed: {command}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    build = os.path.abspath(sys.argv[1])
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    folder = tempfile.mkdtemp(prefix="impound-dataset-bench-")
    env = dict(os.environ, XDG_CONFIG_HOME=folder + "/config", IMPOUND_HOME=folder + "/cases")
    impound = build + "/impound"
    try:
        # In a process of its own: a child is charged with what its parent held.
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            rows, size = pool.submit(make, folder, megabytes).result()
        print(f"{rows} rows, {size / 1e6:.0f} MB of JSON lines, {SHARDS} shards, {os.cpu_count()} cores")
        subprocess.run([impound, "examiner", "init", "--name", "Bench", "--org", "Bench", "--role", "bench"],
                       check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        script = folder + "/same.py"
        with open(script, "w") as out:
            out.write(PYTHON)
        g, b = folder + "/good", folder + "/bad"
        base = folder + "/base.json"
        subprocess.run([impound, "baseline", "create", g, "--name", "x", "-o", base], check=True, env=env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        many = [
            ("baseline create, plain", 1, [impound, "baseline", "create", g, "--name", "x", "-o", "OUT"]),
            ("baseline create, gzip", 1, [impound, "baseline", "create", g + "-gz", "--name", "x", "-o", "OUT"]),
            ("baseline create, 1 core", 1,
             [impound, "baseline", "create", g, "--name", "x", "-o", "OUT", "--threads", "1"]),
            ("diff baseline, poisoned", 1, [impound, "diff", base, b]),
            ("diff folder, poisoned", 2, [impound, "diff", g, b]),
            ("diff folder, the same", 2, [impound, "diff", g, g]),
            ("sha256sum of the shards", 1, ["sh", "-c", f"sha256sum {g}/*.jsonl"]),
            ("Python, row digests", 1, ["python3", script, g]),
            ("Python, rows added", 2, ["python3", script, g, b]),
        ]
        results = {}
        for run in range(3):
            for i, (name, _, command) in enumerate(many):
                command = [f"{folder}/out-{run}-{i}.json" if part == "OUT" else part for part in command]
                if run == 0:
                    print("$", " ".join(command))
                results.setdefault(name, []).append(measure(command, env))
        for name, sides, _ in many:
            wall, cpu, memory = (statistics.median(run[i] for run in results[name]) for i in range(3))
            print(f"{name:28} {wall:7.2f} s {cpu:7.2f} s CPU {sides * size / wall / 1e6:7.0f} MB/s {memory:7.0f} MiB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
