#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processor seconds of `impound diff` on pairs of kinds, for several programs
in one run: a new build beside the one before it.

    diff_seconds.py [--folder /tmp] [--only PAIR] IMPOUND [IMPOUND…]

Needs NumPy and 2.3 GB. User and system time of one thread, the least of three;
programs take turns, so that a busy machine is busy for all of them.
"""
import argparse
import json
import os
import resource
import struct
import subprocess
import tempfile

import numpy as np

RANDOM = np.random.RandomState(7)


def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


STORE = {"F32": lambda x: x.astype(np.float32), "BF16": bf16,
         "F16": lambda x: x.astype(np.float16)}


def write(folder, tensors):
    os.makedirs(folder)
    header, at = {}, 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for _, array in tensors.values():
            out.write(array.tobytes())


def add_rank(w, rank, fall, noise):
    left = RANDOM.randn(w.shape[0], rank).astype(np.float32)
    right = RANDOM.randn(rank, w.shape[1]).astype(np.float32)
    strength = (np.arange(1, rank + 1) ** fall)[:, None].astype(np.float32)
    delta = left @ (strength * right)
    if noise:
        delta += noise * RANDOM.randn(*w.shape).astype(np.float32)
    return w + delta * (0.02 * np.linalg.norm(w) / np.linalg.norm(delta))


def tune(w):
    return add_rank(w, 24, -0.6, 0.5)


def adapter(w):
    return add_rank(w, 8, 0.0, 0)


def one_row(w):
    w = w.copy()
    w[17] *= -1.5
    return w


def int8_rows(w):
    step = np.abs(w).max(1, keepdims=True) / 127
    return np.rint(w / step) * step


LARGE = [(2048, 4096)] * 6
PAIRS = {
    "tune-bf16": ("BF16", "BF16", LARGE, tune),
    "tune-f16": ("F16", "F16", LARGE, tune),
    "tune-f32": ("F32", "F32", LARGE, tune),
    "adapter-bf16": ("BF16", "BF16", LARGE, adapter),
    "row-f32": ("F32", "F32", LARGE, one_row),
    "cast-f32-bf16": ("F32", "BF16", LARGE, lambda w: w),
    "int8-f32": ("F32", "F32", LARGE, int8_rows),
    "small-f32": ("F32", "F32", [(64, 256)] * 600, tune),
    "small-bf16": ("BF16", "BF16", [(256, 256)] * 300, tune),
}


def seconds(program, before, after):
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([program, "diff", before, after, "--json",
                           "--threads", "1"], stdout=subprocess.DEVNULL)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 1:
        raise SystemExit(f"{program}: exit {done.returncode}, not 1")
    return (end.ru_utime + end.ru_stime) - (start.ru_utime + start.ru_stime)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default="/tmp")
    parser.add_argument("--only", default="")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    print("pair".ljust(16) + "".join(f"program {i + 1:<14}"
                                     for i in range(len(options.program))))
    for name, (old, new, shapes, change) in PAIRS.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            before, after = {}, {}
            for i, shape in enumerate(shapes):
                w = (RANDOM.randn(*shape) * 0.02).astype(np.float32)
                tensor = f"model.layers.{i}.mlp.down_proj.weight"
                before[tensor] = (old, STORE[old](w))
                after[tensor] = (new, STORE[new](change(w)))
            sides = [os.path.join(folder, side) for side in ("a", "b")]
            write(sides[0], before)
            write(sides[1], after)
            least = {}
            for _ in range(3):
                for program in options.program:
                    took = seconds(program, *sides)
                    least[program] = min(least.get(program, took), took)
            first = least[options.program[0]]
            print(name.ljust(16) + "".join(
                f"{least[p]:7.3f} s × {least[p] / first:4.2f}  "
                for p in options.program), flush=True)


if __name__ == "__main__":
    main()
