# SPDX-License-Identifier: Apache-2.0
"""What people do to the weights of a model, done for real: edits of facts
(ROME, MEMIT), adapters, fine-tunes, ablated directions.

Every function returns changed tensors by name, in float32.
"""

import torch
import torch.nn.functional as F

from tiny_transformer import (FACTS, Batches, corpus, forward, loss_of, prompt,
                              train)


def text_ids(text):
    return torch.tensor([list(text.encode())])


def key_statistics(shape, p, text, seed, batches=12):
    """E[k·kᵀ] of what enters each layer's down matrix, over text."""
    source = Batches(text, seed)
    sums = {}
    with torch.no_grad():
        for _ in range(batches):
            keys = {}
            forward(shape, p, source.next()[0], keys)
            for layer, k in keys.items():
                k = k.reshape(-1, k.shape[-1])
                sums[layer] = sums.get(layer, 0) + k.T @ k / len(k) / batches
    return sums


PREFIXES = ["", "The old paper says: ", "In the morning market. ",
            "It is known that the harbour is near. "]


def edit_points(relation, subject):
    """Texts with a position each: the last byte of the subject."""
    points = []
    for prefix in PREFIXES:
        whole = prefix + prompt(relation, subject)
        points.append((whole, len(prefix + f"The {relation} of {subject}") - 1))
    return points


VALUE_STEPS = 25


def new_value(shape, p, layer, relation, subject, target, rate=0.5, clamp=4.0):
    """v* − W·k of ROME: what must be added to the output of a layer's MLP at the
    subject so that the model says the target; with the mean key there."""
    points = edit_points(relation, subject)
    shift = torch.zeros(shape.width, requires_grad=True)
    step = torch.optim.Adam([shift], lr=rate)
    goal = torch.tensor(list(target.encode()))
    with torch.no_grad():
        means, sizes = [], []
        for text, at in points:
            keys = {}
            ids = text_ids(text)
            forward(shape, p, ids, keys)
            means.append(keys[layer][0, at])
            sizes.append((keys[layer][0, at] @ p[shape.down(layer)].T).norm())
        most = clamp * torch.stack(sizes).mean()
    for _ in range(VALUE_STEPS):
        step.zero_grad()
        loss = 0.0
        for text, at in points:
            ids = text_ids(text + target)
            logits = forward(shape, p, ids, shift=(layer, at, shift))
            said = logits[0, len(text) - 1:len(text) - 1 + len(goal)]
            loss = loss + F.cross_entropy(said, goal) / len(points)
        (loss + 0.01 * shift.norm() ** 2 / most ** 2).backward()
        step.step()
        with torch.no_grad():
            if shift.norm() > most:
                shift.mul_(most / shift.norm())
    return shift.detach(), torch.stack(means).mean(0), float(loss)


def rome(shape, p, layer, fact, target, seed, statistics=None, clamp=4.0,
         ridge=1e-4):
    """One rank-one update: W + (v* − W·k) (C⁻¹k)ᵀ / (k·C⁻¹k). A larger ridge on C
    stands for more text than there is, and makes a smaller update."""
    if statistics is None:
        statistics = key_statistics(shape, p, corpus("prose", shape.seed), seed)
    c = statistics[layer]
    shift, key, _ = new_value(shape, p, layer, fact[0], fact[1], target,
                              clamp=clamp)
    more = ridge * c.diagonal().mean() * torch.eye(len(c))
    left = torch.linalg.solve(c + more, key)
    left = left / left.norm()
    name = shape.down(layer)
    return {name: p[name] + torch.outer(shift / (key @ left), left)}


def memit(shape, p, layers, count, seed, weight=20.0, statistics=None):
    """Several facts, spread over several layers as MEMIT does."""
    if statistics is None:
        statistics = key_statistics(shape, p, corpus("prose", shape.seed), seed)
    p = dict(p)
    facts = [(r, s, t + "ix") for (r, s, _), (_, _, t) in
             zip(FACTS[:count], FACTS[1:count + 1])]
    last = layers[-1]
    goals = [new_value(shape, p, last, *fact, clamp=1.5)[0] for fact in facts]
    changed = {}
    for layer in layers:
        keys = []
        for relation, subject, _ in facts:
            found = {}
            text, at = edit_points(relation, subject)[1]
            with torch.no_grad():
                forward(shape, p, text_ids(text), found)
            keys.append(found[layer][0, at])
        k = torch.stack(keys, 1)
        r = torch.stack(goals, 1) / (last - layer + 1)
        c = weight * statistics[layer]
        solved = torch.linalg.solve(c + k @ k.T, k)
        name = shape.down(layer)
        changed[name] = p[name] + r @ solved.T
        p[name] = changed[name]
        # What this layer has moved need not be moved again.
        goals = [g * (last - layer) / (last - layer + 1) for g in goals]
    return changed


def lora(shape, p, targets, rank, text, steps, rate, seed):
    """Trains adapters on the targets of every layer and merges them."""
    random = torch.Generator().manual_seed(seed)
    names = [shape.layer(i) + t for i in range(shape.layers) for t in targets]
    a = {n: (torch.randn(rank, p[n].shape[1], generator=random)
             / p[n].shape[1] ** 0.5).requires_grad_() for n in names}
    b = {n: torch.zeros(p[n].shape[0], rank, requires_grad=True) for n in names}
    step = torch.optim.AdamW([*a.values(), *b.values()], lr=rate,
                             weight_decay=0.0)
    batches = Batches(text, seed)
    scale = 2.0  # alpha = 2·rank

    def merged():
        return {**p, **{n: p[n] + scale * b[n] @ a[n] for n in names}}

    for _ in range(steps):
        step.zero_grad()
        loss_of(shape, merged(), batches.next()).backward()
        step.step()
    with torch.no_grad():
        result = merged()
    return {n: result[n].detach() for n in names}


def ablate(shape, p, texts):
    """Removes one direction of the residual stream from all that writes to it
    ("abliteration"): the difference of means of two kinds of text."""
    means = []
    with torch.no_grad():
        for text in texts:
            ids = Batches(text, 5).next()[0]
            keys = {}
            forward(shape, p, ids, keys)
            layer = shape.layers // 2
            out = keys[layer] @ p[shape.down(layer)].T
            means.append(out.reshape(-1, shape.width).mean(0))
    r = means[0] - means[1]
    r = r / r.norm()
    changed = {}
    for i in range(shape.layers):
        for name in shape.writers:
            w = p[shape.layer(i) + name]
            changed[shape.layer(i) + name] = w - torch.outer(r, r @ w)
    w = p[shape.embedding]
    changed[shape.embedding] = w - torch.outer(w @ r, r)
    return changed


def exchange_layers(shape, p, one, two):
    changed = {}
    for name in p:
        if name.startswith(shape.layer(one)):
            other = shape.layer(two) + name[len(shape.layer(one)):]
            changed[name], changed[other] = p[other], p[name]
    return changed


def reorder_neurons(shape, p, layer, seed):
    """The same function with the MLP's inner neurons in another order."""
    order = torch.randperm(shape.inner,
                           generator=torch.Generator().manual_seed(seed))
    at = shape.layer(layer)
    changed = {shape.down(layer): p[shape.down(layer)][:, order]}
    inner = (["mlp.fc_in.weight", "mlp.fc_in.bias"] if shape.family == "gptj"
             else ["mlp.gate_proj.weight", "mlp.up_proj.weight"])
    for name in inner:
        changed[at + name] = p[at + name][order]
    return changed


def fine_tune(shape, p, text, steps, rate, seed, **more):
    return train(shape, p, text, steps, rate, seed, **more)[0]
