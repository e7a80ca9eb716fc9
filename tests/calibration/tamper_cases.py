# SPDX-License-Identifier: Apache-2.0
"""Every tampered sibling of a model, with what was really done to it."""

import dataclasses
import random
import typing
import zlib

import numpy as np
import torch

import tampering
from tiny_transformer import FACTS, corpus, initial
from weight_files import (from_bits, int8_rows, q4_0, q8_0, round_to, to_bits)


@dataclasses.dataclass
class Case:
    """`truth` says for each changed tensor what was done ("rome", "lora-8");
    `labels` which labels say so. A label outside is an error, but for
    "unclassified", which is an abstention."""
    kind: str
    name: str
    models: set
    truth: typing.Callable
    changed: dict = None     # name -> float32, before rounding to the type
    bits: dict = None        # name -> bits of the type
    files: dict = None       # name -> (dtype, shape, bytes), whole model
    file_format: str = "safetensors"
    dtypes: tuple = ("F32", "F16", "BF16")


LABELS = {
    "untouched": {"identical"},
    "rome": {"rank-one"},
    "memit": {"low-rank", "rank-one"},
    "lora": {"low-rank", "rank-one"},
    "ablated": {"rank-one"},
    "fine-tune": {"dense"},
    # A vector has no rank, and in 16 bits much of it stays as it was.
    "fine-tune vector": {"dense", "sparse"},
    "fine-tune+edit": {"dense+low-rank"},
    "fine-tune+lora": {"dense+low-rank"},
    "bf16-training": {"dense", "sparse"},
    "pruned": {"sparse"},
    "cast": {"cast"},
    "quantised": {"quantised"},
    "bit-flips": {"bit-flips"},
    "payload": {"lsb-payload"},
    "new-values": {"new-values"},
    "rows": {"sparse"},
    "scaled": {"dense"},
    "noise": {"dense"},
    "replaced": {"dense"},
    "reordered": {"dense"},
}


def labels_of(truth):
    return LABELS[truth.split(":")[0]]


def constant(truth):
    return lambda name: truth


def trained_changes(shape, p, seed, quick, log):
    """Changes that cost training: once for a model, whatever the type. Yields
    (kind, name, models, truth, changed)."""
    code, prose = corpus("code", seed), corpus("prose", seed)
    scale = 0.25 if quick else 1.0

    def steps(n):
        return max(2, int(n * scale))

    def tuned_truth(name):
        return "fine-tune" if p[name].dim() > 1 else "fine-tune vector"

    statistics = tampering.key_statistics(shape, p, prose, seed,
                                          4 if quick else 12)
    middle = shape.layers // 2
    strong, medium = {"ridge": 0.01}, {"ridge": 0.1, "clamp": 2.0}
    weak = {"ridge": 1.0, "clamp": 1.0}
    edits = [(middle, FACTS[0], "Brazzel", strong)]
    if not quick:
        edits += [(0, FACTS[3], "Yon", medium),
                  (shape.layers - 2, FACTS[6], "Mira", weak)]
    for i, (layer, fact, target, how) in enumerate(edits):
        log(f"ROME {i}")
        yield ("rome", f"rome-{i}", {"rome-like"}, constant("rome"),
               tampering.rome(shape, p, layer, fact, target, seed, statistics,
                              **how))
    log("MEMIT")
    # What the last layer says of the subject, no later byte reads.
    last = shape.layers - 2
    yield ("memit", "memit", {"memit-like"}, constant("memit"),
           tampering.memit(shape, p, [last - 1, last],
                           3 if quick else 6, seed, statistics=statistics))

    attention = [shape.attention.format("q"), shape.attention.format("v")]
    adapters = [("qv-r8", attention, 8, 40, 2e-3)]
    if not quick:
        adapters += [("qv-r4", attention, 4, 40, 2e-3),
                     ("all-r4", shape.linears, 4, 60, 1e-3),
                     ("all-r16", shape.linears, 16, 40, 1e-3),
                     ("qv-r16-few", attention, 16, 8, 5e-4)]
    merged = None
    for name, targets, rank, count, rate in adapters:
        log(f"LoRA {name}")
        merged = tampering.lora(shape, p, targets, rank, code, steps(count),
                                rate, seed + rank)
        yield ("lora", f"lora-{name}", {"lora-merge"},
               constant(f"lora:{rank}"), merged)

    tunes = [("adam-1e-4x40", 40, 1e-4, {})]
    if not quick:
        tunes += [("adam-1e-5x20", 20, 1e-5, {}), ("adam-1e-3x60", 60, 1e-3, {}),
                  ("adam-1e-4x3", 3, 1e-4, {}),
                  ("sgd-0.1x30", 30, 0.1, {"optimiser": "sgd"}),
                  ("sgd-0.1x2", 2, 0.1, {"optimiser": "sgd"})]
    tuned = None
    for name, count, rate, more in tunes:
        log(f"fine-tune {name}")
        result = tampering.fine_tune(shape, p, code, steps(count), rate,
                                     seed + 7, **more)
        tuned = tuned or result
        yield ("fine-tune", f"tune-{name}", {"fine-tune"}, tuned_truth, result)
    if not quick:
        at = shape.layer(shape.layers - 1)
        log("fine-tune of one layer")
        part = tampering.fine_tune(shape, p, code, 30, 1e-4, seed + 8,
                                   only=lambda n: n.startswith(at))
        yield ("fine-tune", "tune-last-layer", {"partial-fine-tune"}, tuned_truth,
               {n: t for n, t in part.items() if n.startswith(at)})
        soup = {n: (p[n] + t) / 2 for n, t in tuned.items()}
        yield ("fine-tune", "soup-half", {"fine-tune"}, tuned_truth, soup)

    inside_cases = [("", strong)]
    if not quick:
        inside_cases += [("-medium", medium), ("-weak", weak)]
    for name, how in inside_cases:
        log("edit inside a fine-tune")
        inside = tampering.rome(shape, tuned, middle, FACTS[0], "Brazzel", seed,
                                **how)
        yield ("tune+edit", "tune+rome" + name, {"fine-tune+low-rank"},
               lambda n, inside=inside:
               "fine-tune+edit" if n in inside else tuned_truth(n),
               {**tuned, **inside})
    if not quick:
        log("LoRA after a fine-tune")
        after = tampering.lora(shape, tuned, attention, 8, prose, 40, 2e-3, seed)
        yield ("tune+lora", "tune+lora-r8", {"fine-tune+low-rank"},
               lambda n: "fine-tune+lora" if n in after else tuned_truth(n),
               {**tuned, **after})
        texts = (corpus("prose", seed), code)
        yield ("ablated", "ablated", {"direction-removed"}, constant("ablated"),
               tampering.ablate(shape, p, texts))
        log("another training")
        other = tampering.fine_tune(shape, initial(dataclasses.replace(
            shape, seed=seed + 90)), prose, 30, 1e-3, seed + 9)
        yield ("replaced", "retrained", {"another-model"},
               lambda n: "replaced" if p[n].dim() > 1 else "fine-tune vector",
               other)


def bf16_training(shape, p, seed, quick):
    """A fine-tune whose weights are BF16 at every step."""
    def shorten(t):
        t.copy_(t.bfloat16().float())
    return tampering.fine_tune(shape, p, corpus("code", seed),
                               6 if quick else 30, 1e-4, seed + 11,
                               after_step=shorten)


def gguf_tune(p, delta, dtype, kind, truth, models, name):
    """A fine-tune, quantised into a GGUF file, against the base as it was."""
    make = {"Q8_0": q8_0, "Q4_0": q4_0}[kind]
    files = {}
    for n, t in p.items():
        w = (t + delta.get(n, 0)).numpy()
        files[n] = ((kind, w.shape, make(w)[0]) if w.ndim == 2 else
                    ("F32", w.shape, to_bits(w, "F32").tobytes()))
    return Case("fine-tune", f"gguf-{kind}-{name}", models, truth,
                files=files, file_format="gguf")


def matrices(p):
    return [n for n, t in p.items() if t.dim() == 2]


def pruned(p, share):
    changed = {}
    for name in matrices(p):
        w = p[name]
        limit = w.abs().flatten().kthvalue(max(1, int(w.numel() * share)))[0]
        changed[name] = torch.where(w.abs() <= limit, torch.zeros_like(w), w)
    return changed


def arithmetic_cases(shape, p, dtype, seed, quick):
    """Changes that follow from the weights as they are stored."""
    r = random.Random(seed)
    g = torch.Generator().manual_seed(seed)
    names = matrices(p)
    inner = [n for n in names if n not in (shape.embedding, "lm_head.weight")]
    yield Case("untouched", "untouched", {"identical"}, constant("untouched"), {})
    for share in ([0.3] if quick else [0.05, 0.3, 0.6]):
        yield Case("pruned", f"pruned-{share}", {"pruned"}, constant("pruned"),
                   pruned(p, share))
    for relative in ([0.01] if quick else [0.001, 0.01, 0.1]):
        noisy = {n: t + torch.randn(t.shape, generator=g)
                 * (relative * t.norm() / t.numel() ** 0.5)
                 for n, t in p.items()}
        # Of noise below its own rounding a type keeps too little to tell.
        yield Case("noise", f"noise-{relative}", {"noise"},
                   lambda n: "noise" if p[n].dim() > 1 else "fine-tune vector",
                   noisy)
    one = r.choice(inner)
    yield Case("scaled", "scaled-1.1", {"scaled"}, constant("scaled"),
               {one: p[one] * 1.1})
    embedding = p[shape.embedding]
    swapped = embedding.clone()
    swapped[[65, 90]] = swapped[[90, 65]]
    yield Case("rows", "rows-exchanged", {"sparse"}, constant("rows"),
               {shape.embedding: swapped})
    edited = embedding.clone()
    edited[77] += torch.randn(shape.width, generator=g) * 0.02
    yield Case("rows", "row-edited", {"sparse"}, constant("rows"),
               {shape.embedding: edited})
    if not quick:
        yield Case("exchanged", "layers-exchanged", {"exchanged"},
                   lambda n: "replaced" if p[n].dim() > 1
                   else "fine-tune vector",
                   tampering.exchange_layers(shape, p, 1, shape.layers - 1))
        yield Case("reordered", "neurons-reordered", {"reordered"},
                   lambda n: "reordered" if p[n].dim() > 1
                   else "fine-tune vector",
                   tampering.reorder_neurons(shape, p, 1, seed))
    broken = p[one].clone()
    broken[1, 2], broken[3, 1] = float("nan"), float("inf")
    yield Case("new-values", "new-values", {"new-values"}, constant("new-values"),
               {one: broken})
    for through in ("BF16", "F16", "F8_E4M3", "F8_E5M2"):
        if through == dtype or (quick and through != "BF16"):
            continue
        yield Case("cast", f"through-{through}", {"cast"}, constant("cast"),
                   {n: torch.from_numpy(round_to(t.numpy(), through))
                    for n, t in p.items()})
    for name, make in (("q8_0", lambda w: q8_0(w)[1]),
                       ("q4_0", lambda w: q4_0(w)[1]),
                       ("int8-rows", lambda w: int8_rows(w)[2])):
        if quick and name == "q4_0":
            continue
        yield Case("quantised", f"{name}-and-back", {"re-quantised"},
                   constant("quantised"),
                   {n: torch.from_numpy(make(p[n].numpy())) for n in names})


def stored_cases(shape, p, bits, dtype, seed, quick):
    """Changes of the stored bits, and of the whole file's type."""
    r = random.Random(seed + 1)
    names = matrices(p)
    top = {"F32": 1 << 30, "F16": 1 << 14, "BF16": 1 << 14}[dtype]
    width = {"F32": 32, "F16": 16, "BF16": 16}[dtype]
    for name, mask in (("exponent", lambda: top),
                       ("any", lambda: 1 << r.randrange(width))):
        target = r.choice(names)
        after = bits[target].copy().reshape(-1)
        for _ in range(5):
            after[r.randrange(after.size)] ^= after.dtype.type(mask())
        yield Case("bit-flips", f"flips-{name}", {"bit-flips"},
                   lambda n: "bit-flips",
                   bits={target: after.reshape(bits[target].shape)})
    random_bytes = np.random.RandomState(seed).bytes(1 << 20)
    packed = zlib.compress(corpus("code", seed).numpy().astype(np.uint8)
                           .tobytes(), 9)
    plain = corpus("prose", seed).numpy().astype(np.uint8).tobytes()
    widths = {"F32": [1, 4, 8, 16, 24], "F16": [1, 2, 4], "BF16": [1, 2, 3]}
    for low in ([widths[dtype][-2]] if quick else widths[dtype]):
        for what, payload in (("random", random_bytes), ("zlib", packed),
                              ("text", plain)):
            if quick and what != "random":
                continue
            target = max(names, key=lambda n: p[n].numel())
            flat = bits[target].copy().reshape(-1)
            count = len(flat) // 2
            stream = np.unpackbits(np.frombuffer(
                (payload * (1 + count * low // (8 * len(payload))))
                [:count * low // 8 + 4], dtype=np.uint8), bitorder="little")
            values = stream[:count * low].reshape(count, low).astype(np.uint64)
            values = (values << np.arange(low, dtype=np.uint64)).sum(1)
            mask = flat.dtype.type((1 << low) - 1)
            flat[:count] = (flat[:count] & ~mask) | values.astype(flat.dtype)
            yield Case("payload", f"payload-{low}bit-{what}", {"lsb-payload"},
                       lambda n: "payload",
                       bits={target: flat.reshape(bits[target].shape)})
    yield from retyped_cases(p, bits, dtype, quick)


def retyped_cases(p, bits, dtype, quick):
    """The same model in a file of another type."""
    def whole(change):
        return {n: change(n, t.numpy()) or (dtype, t.shape, bits[n].tobytes())
                for n, t in p.items()}

    for other in ("F32", "F16", "BF16"):
        if other != dtype and not (quick and other == "F16"):
            yield Case("cast", f"stored-as-{other}", {"cast"},
                       lambda n: "cast", files=whole(
                           lambda n, w, o=other: (o, w.shape,
                                                  to_bits(w, o).tobytes())))
    for name, make in (("Q8_0", q8_0), ("Q4_0", q4_0)):
        if quick and name == "Q4_0":
            continue
        yield Case("quantised", f"gguf-{name}", {"re-quantised"},
                   lambda n: "quantised" if p[n].dim() == 2 else "cast",
                   files=whole(lambda n, w, make=make, name=name: (
                       (name, w.shape, make(w)[0]) if w.ndim == 2 else
                       ("F32", w.shape, to_bits(w, "F32").tobytes()))),
                   file_format="gguf")

    def as_int8(n, w):
        if w.ndim != 2:
            return None
        return "I8", w.shape, int8_rows(w)[0].tobytes()

    files = whole(as_int8)
    for n in matrices(p):
        scale = int8_rows(p[n].numpy())[1]
        files[n + "_scale"] = ("F32", scale.shape, scale.tobytes())
    yield Case("quantised", "int8-stored", {"re-quantised"},
               lambda n: "quantised" if p[n].dim() == 2 else "untouched",
               files=files)


__all__ = ["Case", "arithmetic_cases", "bf16_training", "from_bits", "gguf_tune",
           "labels_of",
           "stored_cases", "trained_changes"]
