# SPDX-License-Identifier: Apache-2.0
"""A folder of a model scanned whole: megabytes a second and memory.

usage: python3 tests/bench/scan/folder_scan.py build/impound     (a Release build)
1.2 GB: two safetensors shards, a GGUF, a tokenizer of 150,000 words, a
configuration. Digest and search of every byte are compared with sha256sum and
openssl over the same files, elapsed and processor time, medians of five. The
files are in the page cache. Memory: /usr/bin/time -v build/impound scan FOLDER.
"""

import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROUNDS = 5


def safetensors(path, size):
    tensors, at = {}, 0
    each = 32 << 20
    for i in range(size // each):
        tensors[f"model.layers.{i}.weight"] = {
            "dtype": "BF16", "shape": [4096, each // 8192],
            "data_offsets": [at, at + each]}
        at += each
    header = json.dumps(tensors).encode()
    header += b" " * (-len(header) % 8)
    block = random.Random(1).randbytes(1 << 20)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        for _ in range(at >> 20):
            out.write(block)


def gguf(path, size):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("w") + struct.pack("<IQIQ", 1, size // 2, 1, 0)
    head += bytes(-len(head) % 32)
    with open(path, "wb") as out:
        out.write(head)
        for _ in range(size >> 20):
            out.write(random.Random(2).randbytes(1 << 20))


def run(command):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


with tempfile.TemporaryDirectory() as folder:
    for i in (1, 2):
        safetensors(f"{folder}/model-0000{i}-of-00002.safetensors", 480 << 20)
    gguf(f"{folder}/model.gguf", 200 << 20)
    with open(f"{folder}/config.json", "w") as out:
        json.dump({"architectures": ["LlamaForCausalLM"]}, out)
    words = {f"word{i}": i for i in range(150_000)}
    with open(f"{folder}/tokenizer.json", "w") as out:
        json.dump({"version": "1.0", "added_tokens": [], "normalizer": None,
                   "model": {"type": "BPE", "vocab": words,
                             "merges": [f"a{i} b" for i in range(150_000)]}}, out)
    files = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    size = sum(map(os.path.getsize, files))
    rows = {"impound scan": [sys.argv[1], "scan", folder],
            "impound scan --code-only": [sys.argv[1], "scan", "--code-only", folder],
            "sha256sum": ["sha256sum", *files]}
    if shutil.which("openssl"):
        rows["openssl dgst -sha256"] = ["openssl", "dgst", "-sha256", *files]
    times = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, command in rows.items():
            times[name].append(run(command))
    print(f"{size / 1e6:.0f} MB in {len(files)} files")
    for name in rows:
        wall, cpu = (statistics.median(column) for column in zip(*times[name]))
        print(f"{name}: {size / wall / 1e6:.0f} MB/s elapsed, "
              f"{size / cpu / 1e6:.0f} MB/s of processor time")
