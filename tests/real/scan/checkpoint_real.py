# SPDX-License-Identifier: Apache-2.0
"""Ordinary checkpoints, written by the real libraries: a table of file, format
and verdict, each held against what is expected. A false alarm fails the test.

usage: checkpoint_real.py PATH-OF-scan_folder
Exit 77 (skipped) with a reason where PyTorch is not installed.
"""

import argparse
import collections
import enum
import json
import os
import pickle
import subprocess
import sys
import tempfile
import types
import warnings

warnings.simplefilter("ignore")
PROGRAM = sys.argv[1]
FAILED = []
ROWS = []


def expect(path, *verdicts):
    done = subprocess.run([PROGRAM, path], capture_output=True, text=True)
    report = json.loads(done.stdout)
    file = report["files"][0]
    ok = report["verdict"] in verdicts
    ok = ok and done.returncode == (1 if report["verdict"] == "needs-review" else 0)
    ROWS.append((os.path.basename(path), file["format"], report["verdict"],
                 "" if ok else "WANTED " + " or ".join(verdicts)))
    if not ok:
        FAILED.append(path)
        print(json.dumps(report, indent=1))


def torch_table(folder, torch, numpy):
    nn = torch.nn
    torch.manual_seed(0)

    def save(name, value, *verdicts):
        for kind, new in (("zip", True), ("legacy", False)):
            path = f"{folder}/{name}-{kind}.pt"
            torch.save(value, path, _use_new_zipfile_serialization=new)
            expect(path, *verdicts)

    weights, allowed, review = "weights-only-ok", "allow-listed", "needs-review"
    lstm = nn.LSTM(4, 8, 2)
    save("lstm-state", lstm.state_dict(), weights)
    save("lstm-module", lstm, allowed)
    save("gru-module", nn.GRU(4, 8), allowed)
    save("transformer-state", nn.Transformer(16, 2, 1, 1, 32).state_dict(), weights)
    save("transformer-module", nn.Transformer(16, 2, 1, 1, 32), allowed)
    save("conv-module", nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(8, 2),
        nn.Softmax(-1)), allowed)
    quantised = torch.ao.quantization.quantize_dynamic(
        nn.Sequential(nn.Linear(4, 4)), dtype=torch.qint8)
    save("quantised-state", quantised.state_dict(), weights)
    # Its packed weights are an object of native code: somebody has to look.
    save("quantised-module", quantised, review)
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam"):
        model = nn.Linear(4, 4)
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1)
        model(torch.randn(2, 4)).sum().backward()
        optimizer.step()
        save(f"trainer-{name}", {
            "optimizer": optimizer.state_dict(), "model": model.state_dict(),
            "rng": torch.get_rng_state(), "best": float("inf"), "epoch": 3,
            "args": argparse.Namespace(lr=0.1, layers=[1, 2])}, allowed)
        save(f"optimizer-{name}", optimizer.state_dict(), weights)
    schedulers = {
        "step": torch.optim.lr_scheduler.StepLR(optimizer, 3),
        "cosine": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3),
        "plateau": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
        "one-cycle": torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.1, total_steps=10, cycle_momentum=False),
    }
    for name, scheduler in schedulers.items():
        save(f"schedule-{name}", scheduler.state_dict(), weights, allowed)
    base = torch.randn(8, 8)
    save("tensors", {
        "plain": base, "turned": base.t(), "part": base[2:4],
        "spread": base.expand(2, 8, 8), "sparse": torch.eye(4).to_sparse(),
        "complex": torch.randn(2, dtype=torch.cfloat),
        "quantised": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8),
        "bool": base > 0, "half": base.half(), "bf16": base.bfloat16(),
        "parameter": nn.Parameter(base), "size": base.size(),
        "device": base.device, "type": base.dtype, "numpy": base.numpy(),
        "empty": torch.empty(0), "scalar": torch.tensor(3),
        "ordered": collections.OrderedDict(a=base)}, allowed)
    save("lightning", {
        "epoch": 1, "global_step": 10, "pytorch-lightning_version": "2.0.1",
        "state_dict": model.state_dict(), "loops": {"fit_loop": {}},
        "callbacks": {"ModelCheckpoint": {"best_model_path": "/x"}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1}}, weights)
    save("numpy-in-torch", {
        "seed": numpy.random.get_state(), "mean": numpy.float64(1.5),
        "fields": numpy.zeros(3, dtype=[("a", "f4"), ("b", "i8", 2)])}, allowed)
    save("whole-own-class", OwnModule(nn), review)
    scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    scripted.save(f"{folder}/scripted.pt")
    expect(f"{folder}/scripted.pt", allowed)
    torch.jit.trace(nn.Linear(4, 4), torch.randn(1, 4)).save(f"{folder}/traced.pt")
    expect(f"{folder}/traced.pt", allowed)


def OwnModule(nn):
    made = type("OwnModule", (nn.Linear,), {"__module__": "mylib.models"})
    module = types.ModuleType("mylib.models")
    module.OwnModule = made
    sys.modules["mylib"] = types.ModuleType("mylib")
    sys.modules["mylib.models"] = module
    return made(2, 2)


def training_arguments(folder):
    """training_args.bin, with stand-ins for the classes of Transformers."""
    def stand_in(module, name, bases=(), **members):
        made = bases(name, members["values"]) if callable(bases) else type(
            name, bases, dict(members))
        made.__module__, made.__qualname__ = module, name
        part = ""
        for each in module.split("."):
            part = f"{part}.{each}".strip(".")
            sys.modules.setdefault(part, types.ModuleType(part))
        setattr(sys.modules[module], name, made)
        return made

    def choice(module, name, **values):
        return stand_in(module, name, lambda n, v: enum.Enum(n, v), values=values)

    utils = "transformers.trainer_utils"
    arguments = stand_in("transformers.training_args", "TrainingArguments")()
    arguments.__dict__.update(
        output_dir="out", learning_rate=5e-5, seed=42, logging_nan_inf_filter=True,
        evaluation_strategy=choice(utils, "IntervalStrategy", NO="no").NO,
        lr_scheduler_type=choice(utils, "SchedulerType", LINEAR="linear").LINEAR,
        hub_strategy=choice(utils, "HubStrategy", EVERY="every_save").EVERY,
        optim=choice("transformers.training_args", "OptimizerNames",
                     ADAMW="adamw_torch").ADAMW,
        distributed=choice("accelerate.utils.dataclasses", "DistributedType",
                           NO="NO").NO,
        accelerator=stand_in("transformers.trainer_pt_utils",
                             "AcceleratorConfig")(),
        state=stand_in("accelerate.state", "PartialState")())
    import torch
    arguments.device = torch.device("cpu")
    torch.save(arguments, f"{folder}/training_args.bin")
    expect(f"{folder}/training_args.bin", "allow-listed")


def standard_library(folder):
    value = {"when": __import__("datetime").date(2026, 1, 1),
             "uuid": "x", "names": ("a",), "words": {"a": [1.5] * 100},
             "count": collections.Counter("aab")}
    for protocol in range(6):
        with open(f"{folder}/plain-{protocol}.pkl", "wb") as out:
            pickle.dump(value, out, protocol)
        expect(f"{folder}/plain-{protocol}.pkl", "allow-listed")


with tempfile.TemporaryDirectory() as place:
    try:
        import numpy
        import torch
    except ImportError:
        print("skipped: python3-torch is not installed")
        sys.exit(77)
    torch_table(place, torch, numpy)
    training_arguments(place)
    standard_library(place)
for row in ROWS:
    print("%-28s %-14s %-16s %s" % row)
print(len(ROWS), "files,", len(FAILED), "failed")
sys.exit(1 if FAILED else 0)
