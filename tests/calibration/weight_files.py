# SPDX-License-Identifier: Apache-2.0
"""Numbers as files hold them: safetensors and GGUF written by hand, rounding
to small types and ggml's block quantisers, all in NumPy."""

import json
import os
import struct

import numpy as np

WIDTH = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1}


def to_bits(x, dtype):
    """Float32 numbers as the bits of a type: uint32 or uint16."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if dtype == "F32":
        return x.view(np.uint32).copy()
    if dtype == "F16":
        return x.astype(np.float16).view(np.uint16)
    bits = x.view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bits(bits, dtype):
    if dtype == "F32":
        return bits.view(np.float32)
    if dtype == "F16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def round_to(x, dtype):
    """The nearest numbers that the type has, as float32."""
    if dtype == "F8_E4M3":
        return round_small(x, 3, -6, 448.0)
    if dtype == "F8_E5M2":
        return round_small(x, 2, -14, 57344.0)
    return from_bits(to_bits(x, dtype), dtype)


def round_small(x, mantissa, smallest, most):
    _, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    step = np.ldexp(1.0, np.maximum(exponent - 1, smallest) - mantissa)
    return np.clip(np.rint(x / step) * step, -most, most).astype(np.float32)


def blocks_of(x):
    return np.ascontiguousarray(x, dtype=np.float32).reshape(-1, 32)


def q8_0(x):
    """ggml's Q8_0: bytes of the blocks, and the numbers they stand for."""
    b = blocks_of(x)
    scale = np.abs(b).max(1, keepdims=True) / np.float32(127)
    inverse = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
    y = b * inverse.astype(np.float32)
    q = (np.sign(y) * np.floor(np.abs(y) + np.float32(0.5))).astype(np.int8)
    half = scale.astype(np.float16)
    raw = np.concatenate([half.view(np.uint8), q.view(np.uint8)], axis=1)
    return raw.tobytes(), (q * half.astype(np.float32)).reshape(np.shape(x))


def q4_0(x):
    b = blocks_of(x)
    largest = np.take_along_axis(b, np.abs(b).argmax(1)[:, None], 1)
    scale = largest / np.float32(-8)
    inverse = np.where(scale != 0, 1 / np.where(scale != 0, scale, 1), 0)
    q = np.clip((b * inverse.astype(np.float32) + np.float32(8.5)).astype(np.int32),
                0, 15)
    half = scale.astype(np.float16)
    packed = (q[:, :16] | (q[:, 16:] << 4)).astype(np.uint8)
    raw = np.concatenate([half.view(np.uint8), packed], axis=1)
    numbers = (q - 8).astype(np.float32) * half.astype(np.float32)
    return raw.tobytes(), numbers.reshape(np.shape(x))


def int8_rows(x):
    """One scale a row, max|row|/127: integers, scales, the numbers."""
    scale = (np.abs(x).max(1, keepdims=True) / 127).astype(np.float32)
    q = np.rint(x / np.where(scale > 0, scale, 1)).astype(np.int8)
    return q, scale[:, 0], q.astype(np.float32) * scale


def write_safetensors(folder, tensors):
    """`tensors`: name -> (dtype, shape, bytes). A folder like a download."""
    os.makedirs(folder, exist_ok=True)
    header, at = {}, 0
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as out:
        out.write(struct.pack("<Q", len(head)) + head)
        for _, _, raw in tensors.values():
            out.write(raw)


GGML = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "BF16": 30}


def write_gguf(folder, tensors):
    os.makedirs(folder, exist_ok=True)

    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    at = 0
    for name, (dtype, shape, raw) in tensors.items():
        sizes = list(reversed(shape))
        head += text(name) + struct.pack("<I", len(sizes))
        head += struct.pack(f"<{len(sizes)}Q", *sizes)
        head += struct.pack("<IQ", GGML[dtype], at)
        at += len(raw) + (-len(raw) % 32)
    with open(os.path.join(folder, "model.gguf"), "wb") as out:
        out.write(head + bytes(-len(head) % 32))
        for _, _, raw in tensors.values():
            out.write(raw + bytes(-len(raw) % 32))
