# SPDX-License-Identifier: Apache-2.0
"""Models larger than the memory that impound may use.

    python3 tests/bench/compare/large_model.py build/impound [--gigabytes 6]

writes two sparse models (safetensors and GGUF names for the same F16 numbers),
each as large as asked, with a few different numbers in one tensor
(with --dense: with one whole tensor changed, whose spectrum is computed) and
prints what `impound diff` needs for them: wall time, peak resident memory, and
whether it works under a limit on its address space (--limit MiB). Sparse files
read as zeros: hashing and comparing them costs what any bytes cost, the disk
costs nothing.
"""
import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time

COLUMNS = 4096
CHANGED = 16  # numbers of the last tensor


def layers(size):
    """Tensors of F16, 256 MiB each at most, that fill about `size` bytes."""
    rows = min(32768, size // (2 * COLUMNS))
    count = max(1, size // (rows * COLUMNS * 2))
    return [("model.layers.%d.mlp.down_proj.weight" % i, rows)
            for i in range(count)]


def finish(f, rows, last_byte, is_dense):
    """A few other numbers, or one tensor of others of ordinary size."""
    if is_dense:
        part = bytearray(os.urandom(1 << 24))
        part[1::2] = bytes(0x24 + (b & 3) | (b & 0x80) for b in part[1::2])
        left = rows * COLUMNS * 2
        f.seek(-left, 2)
        while left > 0:
            f.write(part[:left])
            left -= len(part[:left])
    else:
        f.seek(-rows * COLUMNS * 2, 2)
        f.write(bytes([0, last_byte]) * CHANGED)


def safetensors(path, size, last_byte, is_dense=False):
    header, at = {}, 0
    for name, rows in layers(size):
        end = at + rows * COLUMNS * 2
        header[name] = {"dtype": "F16", "shape": [rows, COLUMNS],
                        "data_offsets": [at, end]}
        at = end
    head = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        f.truncate(8 + len(head) + at)
        finish(f, rows, last_byte, is_dense)


def gguf(path, size, last_byte, is_dense=False):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    names = layers(size)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(names), 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    at = 0
    for i, (_, rows) in enumerate(names):
        head += text("blk.%d.ffn_down.weight" % i)
        head += struct.pack("<IQQIQ", 2, COLUMNS, rows, 1, at)
        at += rows * COLUMNS * 2
    head += b"\0" * (-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(len(head) + at)
        finish(f, rows, last_byte, is_dense)


def measure(impound, before, after, limit):
    def limits():
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))

    start = time.monotonic()
    with subprocess.Popen([impound, "diff", before, after, "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          preexec_fn=limits) as child:
        out, err = child.communicate()
        # Of all children so far: each run needs about the same.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    if child.returncode != 1:
        sys.exit("impound diff ended with %d: %s" %
                 (child.returncode, err.decode()[-500:]))
    return json.loads(out), time.monotonic() - start, peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("impound")
    parser.add_argument("--gigabytes", type=float, default=6)
    parser.add_argument("--limit", type=int, default=1024,
                        help="MiB of address space; 0 = none")
    parser.add_argument("--most-resident", type=int, default=1024,
                        help="MiB; more is a failure")
    parser.add_argument("--dense", action="store_true")
    options = parser.parse_args()
    size = int(options.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        one, two = folder + "/a.safetensors", folder + "/b.gguf"
        safetensors(one, size, 0x00)
        gguf(two, size, 0x3c, options.dense)
        for before, after in ((one, one), (one, two)):
            result = None
            if before == after:
                two_copy = folder + "/c.safetensors"
                safetensors(two_copy, size, 0x3c, options.dense)
                after = two_copy
            result, seconds, peak = measure(options.impound, before, after,
                                            options.limit)
            changed = [t for t in result["tensors"] if t["label"] != "identical"]
            assert len(changed) == 1, changed
            if not options.dense:
                assert changed[0]["stats"]["changed"] == CHANGED, changed[0]["stats"]
            print("%.1f GB %s against %s: %.1f s, %.0f MiB resident%s" %
                  (os.path.getsize(before) / 1e9, os.path.basename(before),
                   os.path.basename(after), seconds, peak,
                   ", %d MiB of address space" % options.limit
                   if options.limit else ""))
            assert peak <= options.most_resident, peak


main()
