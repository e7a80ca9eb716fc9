# SPDX-License-Identifier: Apache-2.0
"""Small models and files for the golden pairs: each number is written out, none is drawn."""

import json
import os
import pickle
import struct


def text(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")


def matrix(rows, columns, start=1):
    """Numbers that look like weights and are the same everywhere: eighths between -4 and 4."""
    return [((start + 37 * i) % 65 - 32) / 8 for i in range(rows * columns)]


def safetensors(path, tensors, metadata=None, dtype="F32"):
    """tensors: name → (shape, numbers)."""
    code = {"F32": "f", "F64": "d", "F16": "e"}[dtype]
    header, body = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (shape, numbers) in tensors.items():
        part = struct.pack(f"<{len(numbers)}{code}", *numbers)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    front = json.dumps(header).encode()
    front += b" " * (-len(front) % 8)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(front)) + front + body)


def small(folder, change=None, **other):
    """A model of two tensors; `change` may edit them."""
    tensors = {"model.layers.0.mlp.up_proj.weight": ([16, 16], matrix(16, 16)),
               "model.layers.0.mlp.down_proj.weight": ([16, 16], matrix(16, 16, 5))}
    if change:
        change(tensors)
    safetensors(os.path.join(folder, "model.safetensors"), tensors, **other)
    text(os.path.join(folder, "config.json"), {"model_type": "llama", "num_hidden_layers": 1})


class Call:
    """Pickled, it calls `function` with `arguments` when it is loaded."""

    def __init__(self, function, *arguments):
        self.made = function, arguments

    def __reduce__(self):
        return self.made


def pickled(path, value, protocol=4):
    with open(path, "wb") as file:
        pickle.dump(value, file, protocol=protocol)
