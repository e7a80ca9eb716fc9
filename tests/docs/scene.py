#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The small model that pages of docs/ work on: scene.py FOLDER

released/ is what was published, served/ the same with one matrix edited by a rank-one update;
logs/, and support-llm.toml, the descriptor of served/.
"""

import json
import os
import random
import struct
import sys

WIDTH, LAYERS = 96, 4


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def model(edited):
    chance = random.Random(7)
    tensors = {}
    for layer in range(LAYERS):
        for name in ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj"):
            tensors[f"model.layers.{layer}.{name}.weight"] = [
                chance.gauss(0, 0.02) for _ in range(WIDTH * WIDTH)]
    if edited:
        weights = tensors["model.layers.2.mlp.down_proj.weight"]
        left = [chance.gauss(0, 0.02) for _ in range(WIDTH)]
        right = [chance.gauss(0, 0.1) for _ in range(WIDTH)]
        for i in range(WIDTH * WIDTH):
            weights[i] += left[i // WIDTH] * right[i % WIDTH]
    return tensors


def write_model(folder, tensors):
    os.makedirs(folder)
    header, at = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": [WIDTH, WIDTH], "data_offsets": [at, at + 4 * len(values)]}
        at += 4 * len(values)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(floats(values))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        file.write('{"model_type": "llama", "num_hidden_layers": %d}\n' % LAYERS)


def main(folder):
    write_model(os.path.join(folder, "released"), model(edited=False))
    write_model(os.path.join(folder, "served"), model(edited=True))
    os.makedirs(os.path.join(folder, "logs"))
    with open(os.path.join(folder, "logs/chat.jsonl"), "w", encoding="utf-8") as log:
        for minute in range(60):
            log.write(json.dumps({"ts": "2026-11-20T10:%02d:00Z" % minute, "prompt": "question %d" % minute}) + "\n")
    with open(os.path.join(folder, "support-llm.toml"), "w", encoding="utf-8") as descriptor:
        descriptor.write('schema = 1\nname = "support-llm"\n\n[model]\npath = "served"\n'
                         'baseline = "support-llm.baseline.json"\n\n'
                         '[[logs]]\npath = "logs/*.jsonl"\ntimestamp = "ts"\n')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
