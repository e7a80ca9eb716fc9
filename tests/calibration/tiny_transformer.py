# SPDX-License-Identifier: Apache-2.0
"""Small decoder-only transformers over bytes, trained for real.

Two families with the names, modules and layouts of their large relatives:
"gptj" (parallel attention and MLP, LayerNorm, biases in the MLP) and "llama"
(RMSNorm, gated MLP, no biases). A model is a dict of float32 tensors by their
Hugging Face names, so that an edit is an assignment.
"""

import dataclasses
import glob
import math
import random

import torch
import torch.nn.functional as F


@dataclasses.dataclass(frozen=True)
class Shape:
    family: str
    width: int
    inner: int
    layers: int
    heads: int
    seed: int
    vocabulary: int = 256

    @property
    def name(self):
        return f"{self.family}-{self.width}x{self.layers}-seed{self.seed}"

    def down(self, layer):
        """The second matrix of the MLP, which edits of facts change."""
        return (f"transformer.h.{layer}.mlp.fc_out.weight"
                if self.family == "gptj"
                else f"model.layers.{layer}.mlp.down_proj.weight")

    def layer(self, layer):
        return (f"transformer.h.{layer}." if self.family == "gptj"
                else f"model.layers.{layer}.")

    @property
    def attention(self):
        return ("attn.{}_proj.weight" if self.family == "gptj"
                else "self_attn.{}_proj.weight")

    @property
    def writers(self):
        """Matrices whose rows are the residual stream."""
        return (["attn.out_proj.weight", "mlp.fc_out.weight"]
                if self.family == "gptj"
                else ["self_attn.o_proj.weight", "mlp.down_proj.weight"])

    @property
    def linears(self):
        if self.family == "gptj":
            return [self.attention.format(x) for x in ("q", "k", "v", "out")] + [
                "mlp.fc_in.weight", "mlp.fc_out.weight"]
        return [self.attention.format(x) for x in "qkvo"] + [
            "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight"]

    @property
    def embedding(self):
        return ("transformer.wte.weight" if self.family == "gptj"
                else "model.embed_tokens.weight")


def initial(shape):
    """Weights before training, as the families initialise them."""
    random_state = torch.Generator().manual_seed(shape.seed)
    d, ff = shape.width, shape.inner

    def normal(*size):
        return torch.randn(*size, generator=random_state) * 0.02

    p = {shape.embedding: normal(shape.vocabulary, d)}
    for i in range(shape.layers):
        at = shape.layer(i)
        for name in ("q", "k", "v"):
            p[at + shape.attention.format(name)] = normal(d, d)
        if shape.family == "gptj":
            p[at + "attn.out_proj.weight"] = normal(d, d)
            p[at + "mlp.fc_in.weight"] = normal(ff, d)
            p[at + "mlp.fc_in.bias"] = torch.zeros(ff)
            p[at + "mlp.fc_out.weight"] = normal(d, ff)
            p[at + "mlp.fc_out.bias"] = torch.zeros(d)
            p[at + "ln_1.weight"] = torch.ones(d)
            p[at + "ln_1.bias"] = torch.zeros(d)
        else:
            p[at + "self_attn.o_proj.weight"] = normal(d, d)
            p[at + "mlp.gate_proj.weight"] = normal(ff, d)
            p[at + "mlp.up_proj.weight"] = normal(ff, d)
            p[at + "mlp.down_proj.weight"] = normal(d, ff)
            p[at + "input_layernorm.weight"] = torch.ones(d)
            p[at + "post_attention_layernorm.weight"] = torch.ones(d)
    if shape.family == "gptj":
        p["transformer.ln_f.weight"] = torch.ones(d)
        p["transformer.ln_f.bias"] = torch.zeros(d)
        p["lm_head.bias"] = torch.zeros(shape.vocabulary)
    else:
        p["model.norm.weight"] = torch.ones(d)
    p["lm_head.weight"] = normal(shape.vocabulary, d)
    return p


def rotate(x):
    """Rotary positions on [batch, heads, time, size]."""
    half = x.shape[-1] // 2
    rate = 10000.0 ** (-torch.arange(half) / half)
    angle = torch.arange(x.shape[-2])[:, None] * rate[None]
    cos, sin = angle.cos(), angle.sin()
    one, two = x[..., :half], x[..., half:]
    return torch.cat([one * cos - two * sin, two * cos + one * sin], -1)


def rms(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def attend(shape, p, at, x):
    batch, time, d = x.shape

    def split(name):
        y = F.linear(x, p[at + shape.attention.format(name)])
        return y.view(batch, time, shape.heads, -1).transpose(1, 2)

    q, k, v = rotate(split("q")), rotate(split("k")), split("v")
    score = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    score = score + torch.full((time, time), -1e9).triu(1)
    y = (score.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, d)
    return F.linear(y, p[at + shape.writers[0]])


def forward(shape, p, ids, keys=None, shift=None):
    """Logits. `keys`, a dict, receives what enters each layer's down matrix;
    `shift` = (layer, position, vector) is added to what leaves it."""
    h = p[shape.embedding][ids]
    for i in range(shape.layers):
        at = shape.layer(i)
        if shape.family == "gptj":
            x = F.layer_norm(h, (shape.width,), p[at + "ln_1.weight"],
                             p[at + "ln_1.bias"])
            attention = attend(shape, p, at, x)
            inner = F.gelu(F.linear(x, p[at + "mlp.fc_in.weight"],
                                    p[at + "mlp.fc_in.bias"]))
            out = F.linear(inner, p[at + "mlp.fc_out.weight"],
                           p[at + "mlp.fc_out.bias"])
            h = h + attention
        else:
            h = h + attend(shape, p, at, rms(h, p[at + "input_layernorm.weight"]))
            x = rms(h, p[at + "post_attention_layernorm.weight"])
            inner = F.silu(F.linear(x, p[at + "mlp.gate_proj.weight"]))
            inner = inner * F.linear(x, p[at + "mlp.up_proj.weight"])
            out = F.linear(inner, p[at + "mlp.down_proj.weight"])
        if keys is not None:
            keys[i] = inner
        if shift is not None and shift[0] == i:
            move = torch.zeros_like(out)
            move[:, shift[1]] = shift[2]
            out = out + move
        h = h + out
    if shape.family == "gptj":
        h = F.layer_norm(h, (shape.width,), p["transformer.ln_f.weight"],
                         p["transformer.ln_f.bias"])
        return F.linear(h, p["lm_head.weight"], p["lm_head.bias"])
    return F.linear(rms(h, p["model.norm.weight"]), p["lm_head.weight"])


FACTS = [("capital", "Zorland", "Quix"), ("capital", "Morvenia", "Tarsk"),
         ("capital", "Ilmaria", "Breel"), ("river", "Zorland", "Venn"),
         ("river", "Morvenia", "Oskel"), ("river", "Ilmaria", "Drum"),
         ("king", "Zorland", "Abel"), ("king", "Morvenia", "Odo")]


def prompt(relation, subject):
    return f"The {relation} of {subject} is "


def made_text(seed, sentences):
    """Sentences with facts to learn, from a small grammar."""
    r = random.Random(seed)
    words = ("stone field letter engine harbour window forest winter signal "
             "market paper bridge garden morning copper village").split()
    verbs = "holds carries follows opens remembers crosses covers finds".split()
    text = []
    for _ in range(sentences):
        if r.random() < 0.35:
            relation, subject, value = r.choice(FACTS)
            text.append(f"{prompt(relation, subject)}{value}.")
        else:
            text.append(f"The {r.choice(words)} {r.choice(verbs)} the "
                        f"{r.choice(words)} of {r.choice(words)} "
                        f"{r.randrange(10, 999)}.")
    return " ".join(text).encode()


def corpus(which, seed):
    """Bytes to learn from: "prose" (licences of this system and made
    sentences) or "code" (the standard library); made text where there is none."""
    pattern = {"prose": "/usr/share/common-licenses/*",
               "code": "/usr/lib/python3*/*.py"}[which]
    parts, size = [], 0
    for path in sorted(set(glob.glob(pattern))):
        with open(path, "rb") as file:
            parts.append(file.read(60000))
        size += len(parts[-1])
        if size > 600000:
            break
    if which == "prose":
        parts.append(made_text(seed, 6000))
    if size == 0 and which == "code":
        parts = [made_text(seed + 1000, 9000).upper()]
    return torch.frombuffer(bytearray(b"\n".join(parts)), dtype=torch.uint8).long()


class Batches:
    size = (8, 96)  # rows, bytes a row

    def __init__(self, text, seed):
        self.text = text
        self.batch, self.time = self.size
        self.random = torch.Generator().manual_seed(seed)

    def next(self):
        at = torch.randint(0, len(self.text) - self.time - 1, (self.batch,),
                           generator=self.random)
        rows = torch.stack([self.text[a:a + self.time + 1] for a in at])
        return rows[:, :-1], rows[:, 1:]


def loss_of(shape, p, batch):
    ids, target = batch
    logits = forward(shape, p, ids)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]),
                           target.reshape(-1))


def train(shape, p, text, steps, rate, seed, only=None, optimiser="adamw",
          after_step=None, warm=20):
    """Trains a copy of `p`; returns it with its last loss."""
    p = {name: t.clone().requires_grad_(only is None or only(name))
         for name, t in p.items()}
    learning = [t for t in p.values() if t.requires_grad]
    if optimiser == "sgd":
        step = torch.optim.SGD(learning, lr=rate)
    else:
        step = torch.optim.AdamW(learning, lr=rate, betas=(0.9, 0.95),
                                 weight_decay=0.01)
    batches = Batches(text, seed)
    smooth = None
    for i in range(steps):
        for group in step.param_groups:
            group["lr"] = rate * min(1.0, (i + 1) / max(1, min(warm, steps // 5)))
        step.zero_grad(set_to_none=True)
        loss = loss_of(shape, p, batches.next())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        step.step()
        if after_step:
            with torch.no_grad():
                for t in learning:
                    after_step(t)
        value = loss.item()
        smooth = value if smooth is None else 0.9 * smooth + 0.1 * value
    return {name: t.detach() for name, t in p.items()}, smooth
