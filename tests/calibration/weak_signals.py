# SPDX-License-Identifier: Apache-2.0
"""Weak signals on trained models: how often they are false alarms, and which
hidden payloads they show, without a baseline.

usage: weak_signals.py [--quick] [--set calibration|held-out] --work FOLDER IMPOUND
Trains what is not in FOLDER yet. Exit 1 where a clean model has a signal of
severity low, or a planted one that README.md promises is not shown.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import zlib

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing} (python3-torch and python3-numpy)")
    sys.exit(77)

import confusion
from tiny_transformer import Batches, corpus
from weight_files import from_bits, to_bits, write_safetensors

ELF = bytes.fromhex("7f454c4602010100") + bytes(8) + b"\x02\x00\x3e\x00" * 1000


def signals_of(program, folder, bits, dtype):
    write_safetensors(folder, {n: (dtype, b.shape, b.tobytes())
                               for n, b in bits.items()})
    done = subprocess.run([program, "scan", folder, "--weak-signals", "--json"],
                          capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)["weak_signals"]


def hide(bits, name, low, payload, share, start=0):
    """Writes a payload into the low bits of a share of a tensor."""
    flat = bits[name].copy().reshape(-1)
    count = int(len(flat) * share)
    need = count * low // 8 + 8
    payload = (payload * (need // len(payload) + 1))[:need]
    stream = np.unpackbits(np.frombuffer(payload, dtype=np.uint8),
                           bitorder="little")[:count * low]
    values = (stream.reshape(count, low).astype(np.uint64)
              << np.arange(low, dtype=np.uint64)).sum(1).astype(flat.dtype)
    mask = flat.dtype.type((1 << low) - 1)
    part = flat[start:start + count]
    flat[start:start + count] = (part & ~mask) | values[:len(part)]
    return {**bits, name: flat.reshape(bits[name].shape)}


def planted(bits, dtype, seed):
    """(what, promised kind or None, changed bits)."""
    name = max((n for n in bits if bits[n].ndim == 2),
               key=lambda n: bits[n].size)
    noise = np.random.RandomState(seed).bytes(1 << 20)
    packed = zlib.compress(corpus("code", seed).numpy().astype(np.uint8)
                           .tobytes(), 9)
    text = corpus("prose", seed).numpy().astype(np.uint8).tobytes()
    elf = ELF + packed
    mantissa = {"F32": 23, "F16": 10, "BF16": 7}[dtype]
    for low in (4, 8, 16, 24) if dtype == "F32" else (2, 4, 8):
        yield (f"ELF in {low} bits", "magic",
               hide(bits, name, low, elf, 0.25))
        wide = "mantissa-bits" if low >= mantissa else None
        yield f"random in {low} bits", wide, hide(bits, name, low, noise, 0.25)
    yield "text in 8 bits", "low-entropy", hide(bits, name, 8, text, 0.25)
    long = bits[name].copy()
    row = from_bits(long[5], dtype) * np.float32(40)
    long[5] = to_bits(row, dtype)
    yield "one row times 40", "row-norm", {**bits, name: long}
    if dtype == "F32":
        for narrow in ("BF16", "F16"):
            upcast = {n: to_bits(from_bits(to_bits(from_bits(b, "F32"), narrow),
                                           narrow), "F32")
                      for n, b in bits.items()}
            yield f"upcast of {narrow}", "none", upcast
            yield (f"random in 8 bits of an upcast of {narrow}",
                   "impossible-bits", hide(upcast, name, 8, noise, 0.1, 1000))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--set", default="calibration", choices=confusion.SETS)
    parser.add_argument("--work", required=True)
    parser.add_argument("impound")
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(options.work, exist_ok=True)
    if options.quick:
        Batches.size = (4, 48)
    folder = os.path.join(options.work, "weak")
    clean = collections.Counter()
    tensors = 0
    found = collections.defaultdict(list)
    wrong = []
    for shape in confusion.SETS["quick" if options.quick else options.set]:
        p = confusion.base_model(shape, options.work, options.quick, print)
        for dtype in ("F32", "F16", "BF16"):
            bits = {n: to_bits(t.numpy(), dtype) for n, t in p.items()}
            tensors += len(bits)
            known = set()
            for signal in signals_of(options.impound, folder, bits, dtype):
                clean[signal["kind"], signal["severity"]] += 1
                known.add((signal["kind"], signal["tensor"]))
                print(f"clean {shape.name} {dtype} {signal['kind']} "
                      f"{signal['tensor']}: {signal['message']}")
                if signal["severity"] != "info":
                    wrong.append(f"clean {shape.name} {dtype}")
            for what, promised, changed in planted(bits, dtype, shape.seed):
                said = {s["kind"] for s in
                        signals_of(options.impound, folder, changed, dtype)
                        if (s["kind"], s["tensor"]) not in known}
                found[dtype, what].append(said)
                if promised == "none" and said - {"row-norm", "spectrum"}:
                    wrong.append(f"{what} {shape.name}: {said}")
                elif promised not in (None, "none") and promised not in said:
                    wrong.append(f"{what} {shape.name} {dtype}: not shown")
    print(f"\nClean models: {tensors} tensors; signals: "
          f"{dict((f'{k} ({s})', n) for (k, s), n in clean.items()) or 'none'}")
    print("\nPlanted, and what showed it (of so many models)")
    for (dtype, what), said in found.items():
        kinds = collections.Counter(k for each in said for k in each)
        print(f"  {dtype:5} {what:42} of {len(said)}: "
              + (", ".join(f"{k} {n}" for k, n in kinds.items()) or "nothing"))
    for each in wrong:
        print("WRONG", each)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
