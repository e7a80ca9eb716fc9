# SPDX-License-Identifier: Apache-2.0
"""Trains small transformers, tampers with them in every way that `impound diff`
has a word for, and prints what it said against what was done.

usage: confusion.py [--quick] [--set calibration|held-out] [--work FOLDER]
                    [--dtypes F32,BF16] [--only KIND] IMPOUND
Exit 1 where a verdict is wrong beyond the errors that README.md documents, 77
(skipped) where python3-torch is not installed.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import numpy  # noqa: F401
    import torch
except ImportError as missing:
    print(f"skipped: {missing} (python3-torch and python3-numpy)")
    sys.exit(77)

import tampering
from tamper_cases import (Case, arithmetic_cases, bf16_training, gguf_tune,
                          labels_of, stored_cases, trained_changes)
from tiny_transformer import Batches, Shape, corpus, initial, train
from weight_files import (from_bits, round_to, to_bits, write_gguf,
                          write_safetensors)

SETS = {
    "calibration": [Shape("gptj", 256, 1024, 4, 8, 1),
                    Shape("llama", 320, 864, 4, 8, 2)],
    "held-out": [Shape("gptj", 384, 1536, 5, 8, 11),
                 Shape("llama", 512, 1376, 3, 8, 12)],
    "quick": [Shape("llama", 128, 352, 4, 4, 3)],
}


def base_model(shape, work, quick, log):
    path = os.path.join(work, f"{shape.name}{'-quick' if quick else ''}.pt")
    if os.path.exists(path):
        return torch.load(path)
    begin = time.time()
    p, loss = train(shape, initial(shape), corpus("prose", shape.seed),
                    100 if quick else 300, 3e-3 if quick else 1.5e-3,
                    shape.seed)
    log(f"trained to {loss:.2f} nats a byte in {time.time() - begin:.0f} s")
    torch.save(p, path)
    return p


class Judge:
    """Runs the program on pairs and keeps what it said."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        self.tensors = []   # (dtype, model, case, truth, label, accepted, stats)
        self.left_out = collections.Counter()
        self.models = []    # (dtype, model, case, kind, label, accepted, words)

    def write(self, folder, files, file_format="safetensors"):
        shutil.rmtree(folder, ignore_errors=True)
        if file_format == "gguf":
            write_gguf(folder, files)
        else:
            write_safetensors(folder, files)

    def compare(self, shape, dtype, before, bits, case):
        if case.files is not None:
            files, changed = case.files, set(bits)
        else:
            now = dict(bits)
            for name, t in (case.changed or {}).items():
                now[name] = to_bits(t.numpy(), dtype)
            now.update(case.bits or {})
            files = {n: (dtype, b.shape, b.tobytes()) for n, b in now.items()}
            changed = set(case.changed or case.bits or ())
        after = os.path.join(self.work, "after")
        self.write(after, files, case.file_format)
        done = subprocess.run([self.program, "diff", before, after, "--json",
                               "--threads", "1"], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{case.name}: {done.stderr}")
        said = json.loads(done.stdout)
        if case.file_format == "gguf" and all(
                t["status"] == "removed" for t in said["tensors"]):
            self.left_out[f"{case.file_format} is not read on this side"] += 1
            return
        for each in said["tensors"]:
            if each["name"] not in bits:
                continue
            truth = (case.truth(each["name"]) if each["name"] in changed
                     else "untouched")
            accepted = labels_of(truth)
            label = each.get("label") or each["status"]
            if truth != "untouched" and each["status"] == "identical":
                # The type has no digit for so small a change.
                label = accepted_label = "identical"
                accepted = accepted | {accepted_label}
            self.tensors.append((dtype, shape.name, case.name, truth, label,
                                 accepted, each.get("stats") or {},
                                 each["name"]))
        model = said.get("model") or {"label": "none", "sentence": ""}
        self.models.append((dtype, shape.name, case.name, case.kind,
                            model["label"], case.models, model["sentence"]))


def matrix(rows, title):
    """Counts of (truth, label); * marks labels that are wrong."""
    labels = sorted({label for _, label, _ in rows})
    truths = sorted({truth for truth, _, _ in rows})
    count = collections.Counter((t, l) for t, l, _ in rows)
    wrong = {(t, l) for t, l, ok in rows if not ok}
    print(f"\n{title}")
    width = max(map(len, truths)) + 2
    print(" " * width + " ".join(f"{l:>{max(len(l), 6)}}" for l in labels))
    for t in truths:
        cells = []
        for l in labels:
            n = count[t, l]
            text = "." if n == 0 else f"{n}{'*' if (t, l) in wrong else ''}"
            cells.append(f"{text:>{max(len(l), 6)}}")
        print(f"{t:<{width}}" + " ".join(cells))


def is_ok(label, accepted):
    return label in accepted or label == "unclassified"


def summary(judge):
    for dtype in sorted({row[0] for row in judge.tensors}):
        rows = [(r[3].split(":")[0], r[4], is_ok(r[4], r[5]))
                for r in judge.tensors if r[0] == dtype]
        matrix(rows, f"Tensors, {dtype} (* = wrong)")
    for dtype in sorted({row[0] for row in judge.models}):
        rows = [(r[3], r[4], is_ok(r[4], r[5]))
                for r in judge.models if r[0] == dtype]
        matrix(rows, f"Models, {dtype} (* = wrong)")
    print("\nModels that were called something else")
    wrong_models = [r for r in judge.models if not is_ok(r[4], r[5])]
    for dtype, model, case, _, label, accepted, words in wrong_models:
        print(f"  {dtype} {model} {case}: {label}, not {'/'.join(accepted)}: "
              f"{words}")
    print("\nTensors that were called something else")
    wrong = [r for r in judge.tensors if not is_ok(r[4], r[5])]
    for dtype, model, case, truth, label, _, stats, name in wrong:
        print(f"  {dtype} {model} {case} {name}: {truth} called {label}: "
              f"{stats.get('because', '')}")
    ranks = collections.Counter()
    for row in judge.tensors:
        if row[3].startswith("lora:") and row[4] in ("low-rank", "rank-one"):
            ranks[row[0], int(row[3][5:]), row[6].get("rank", 0)] += 1
    if ranks:
        print("\nRank of merged adapters: true rank, rank found, tensors")
        for (dtype, true, found), n in sorted(ranks.items()):
            print(f"  {dtype} {true:3} {found:3} {n:5}")
    for reason, n in judge.left_out.items():
        print(f"\nLeft out: {n} comparisons: {reason}")
    total, models = len(judge.tensors), len(judge.models)
    abstained = sum(r[4] == "unclassified" and r[4] not in r[5]
                    for r in judge.tensors)
    print(f"\n{total} tensors: {len(wrong)} wrong "
          f"({100 * len(wrong) / max(1, total):.2f} %), {abstained} "
          f"unclassified; {models} models: {len(wrong_models)} wrong")
    return wrong, wrong_models


def learned_changes(shape, p, options, log):
    """What training made, kept in the work folder: (kind, name, models, truth
    by tensor, difference by tensor)."""
    path = os.path.join(options.work, f"{shape.name}"
                        f"{'-quick' if options.quick else ''}-changes.pt")
    if os.path.exists(path):
        return torch.load(path)
    found = []
    for kind, name, models, truth, changed in trained_changes(
            shape, p, shape.seed, options.quick, log):
        found.append((kind, name, models, {n: truth(n) for n in changed},
                      {n: t - p[n] for n, t in changed.items()}))
    short = {n: torch.from_numpy(round_to(t.numpy(), "BF16"))
             for n, t in p.items()}
    log("fine-tune in BF16")
    changed = bf16_training(shape, short, shape.seed, options.quick)
    found.append(("fine-tune", "tune-in-bf16", {"fine-tune"},
                  {n: "bf16-training" for n in p},
                  {n: changed[n] - short[n] for n in p}))
    torch.save(found, path)
    return found


def cases_of(shape, p, bits, dtype, learned, quick):
    for kind, name, models, truth, delta in learned:
        if name == "tune-in-bf16" and dtype != "BF16":
            continue
        yield Case(kind, name, models, truth.__getitem__,
                   {n: p[n] + d for n, d in delta.items()})
        if kind == "fine-tune" and len(delta) == len(p) and name != "tune-in-bf16":
            for block in ["Q8_0"] if quick else ["Q8_0", "Q4_0"]:
                yield gguf_tune(p, delta, dtype, block, truth.__getitem__, models,
                                name)
    yield from arithmetic_cases(shape, p, dtype, shape.seed, quick)
    yield from stored_cases(shape, p, bits, dtype, shape.seed, quick)


def run(shape, options, judge, dtypes, log):
    whole = base_model(shape, options.work, options.quick, log)
    learned = learned_changes(shape, whole, options, log)
    for dtype in dtypes:
        bits = {n: to_bits(t.numpy(), dtype) for n, t in whole.items()}
        p = {n: torch.from_numpy(from_bits(b, dtype).copy())
             for n, b in bits.items()}
        before = os.path.join(options.work, "before")
        judge.write(before, {n: (dtype, b.shape, b.tobytes())
                             for n, b in bits.items()})
        count = 0
        for case in cases_of(shape, p, bits, dtype, learned, options.quick):
            if options.only in case.kind or options.only in case.name:
                judge.compare(shape, dtype, before, bits, case)
                count += 1
        log(f"{dtype}: {count} comparisons")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--set", default="calibration", choices=SETS)
    parser.add_argument("--work")
    parser.add_argument("--dtypes", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--dump", help="file for every verdict, as JSON lines")
    parser.add_argument("impound")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.quick:
        Batches.size = (4, 48)
        tampering.VALUE_STEPS = 8
    torch.manual_seed(1)
    scratch = None
    if options.work is None:
        scratch = tempfile.mkdtemp(prefix="impound-calibration-")
        options.work = scratch
    os.makedirs(options.work, exist_ok=True)
    begin = time.time()

    def log(words):
        print(f"[{time.time() - begin:6.0f} s] {words}", file=sys.stderr,
              flush=True)

    dtypes = options.dtypes.split(",") if options.dtypes else (
        ["F32", "BF16"] if options.quick else ["F32", "F16", "BF16"])
    judge = Judge(options.impound, options.work)
    try:
        for shape in SETS["quick" if options.quick else options.set]:
            log(shape.name)
            run(shape, options, judge, dtypes, log)
    finally:
        if scratch:
            shutil.rmtree(scratch)
    if options.dump:
        with open(options.dump, "w", encoding="utf-8") as out:
            for row in judge.tensors:
                out.write(json.dumps([*row[:5], sorted(row[5]), *row[6:]]) + "\n")
    wrong, wrong_models = summary(judge)
    return 1 if wrong or wrong_models else 0


if __name__ == "__main__":
    sys.exit(main())
