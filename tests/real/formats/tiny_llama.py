# SPDX-License-Identifier: Apache-2.0
"""One tiny llama-like model, written in every format that impound compares.

    /usr/bin/python3 tiny_llama.py FOLDER

makes FOLDER/{hf,sharded,bin,legacy,npz,npzc,gguf-f16,gguf-bf16,gguf-q8,
gguf-q4k} and, with one edited down_proj, FOLDER/edited-{hf,bin,gguf-f16,
gguf-q8,gguf-q4k}. The GGUF writer permutes the rows of q and k per head as
llama.cpp's convert_hf_to_gguf.py does for llama (LlamaModel.permute).
"""
import json
import os
import struct
import sys
from collections import OrderedDict

import numpy as np
import torch

HIDDEN, FFN, VOCAB, LAYERS, HEADS, KV_HEADS = 128, 256, 96, 2, 4, 2
HEAD = HIDDEN // HEADS

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama",
    "hidden_size": HIDDEN, "intermediate_size": FFN, "vocab_size": VOCAB,
    "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS, "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


def weights():
    generator = torch.Generator().manual_seed(7)

    def matrix(rows, columns):
        values = torch.randn(rows, columns, generator=generator) * 0.05
        return values.to(torch.bfloat16)

    out = OrderedDict()
    out["model.embed_tokens.weight"] = matrix(VOCAB, HIDDEN)
    for i in range(LAYERS):
        name = "model.layers.%d." % i
        out[name + "input_layernorm.weight"] = torch.ones(HIDDEN).bfloat16()
        out[name + "self_attn.q_proj.weight"] = matrix(HIDDEN, HIDDEN)
        out[name + "self_attn.k_proj.weight"] = matrix(KV_HEADS * HEAD, HIDDEN)
        out[name + "self_attn.v_proj.weight"] = matrix(KV_HEADS * HEAD, HIDDEN)
        out[name + "self_attn.o_proj.weight"] = matrix(HIDDEN, HIDDEN)
        out[name + "post_attention_layernorm.weight"] = torch.ones(HIDDEN).bfloat16()
        out[name + "mlp.gate_proj.weight"] = matrix(FFN, HIDDEN)
        out[name + "mlp.up_proj.weight"] = matrix(FFN, HIDDEN)
        out[name + "mlp.down_proj.weight"] = matrix(HIDDEN, FFN)
    out["model.norm.weight"] = torch.ones(HIDDEN).bfloat16()
    out["lm_head.weight"] = matrix(VOCAB, HIDDEN)
    return out


def edited(state):
    """A rank-one edit of one down-projection, as ROME makes it."""
    generator = torch.Generator().manual_seed(8)
    out = OrderedDict(state)
    name = "model.layers.1.mlp.down_proj.weight"
    old = state[name].float()
    u = torch.randn(HIDDEN, generator=generator)
    v = torch.randn(FFN, generator=generator)
    edit = torch.outer(u, v)
    out[name] = (old + edit * (0.3 * old.norm() / edit.norm())).bfloat16()
    return out


def raw(tensor):
    tensor = tensor.contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().tobytes()
    return tensor.numpy().tobytes()


NAMES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}


def save_safetensors(state, path):
    header, at, data = {"__metadata__": {"format": "pt"}}, 0, []
    for name, tensor in state.items():
        part = raw(tensor)
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(part)]}
        at += len(part)
        data.append(part)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(data))


def save_sharded(state, folder):
    names = list(state)
    half = len(names) // 2
    weight_map, total = {}, 0
    for i, part in enumerate((names[:half], names[half:])):
        file = "model-%05d-of-00002.safetensors" % (i + 1)
        save_safetensors({n: state[n] for n in part}, os.path.join(folder, file))
        for n in part:
            weight_map[n] = file
            total += len(raw(state[n]))
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, f)


GGUF_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm",
    "lm_head": "output", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem = name[:-len(".weight")]
    if stem in GGUF_NAMES:
        return GGUF_NAMES[stem] + ".weight"
    _, _, layer, rest = stem.split(".", 3)
    return "blk.%s.%s.weight" % (layer, GGUF_NAMES[rest])


def permuted(tensor, heads):
    rows = tensor.shape[0]
    return (tensor.reshape(heads, 2, rows // heads // 2, *tensor.shape[1:])
            .swapaxes(1, 2).reshape(tensor.shape))


def q8_0(values):
    """ggml's quantize_row_q8_0_ref: one F16 scale and 32 signed bytes a block."""
    blocks = values.reshape(-1, 32).astype(np.float32)
    scale = (np.abs(blocks).max(axis=1) / np.float32(127)).astype(np.float32)
    with np.errstate(divide="ignore"):
        inverse = np.where(scale > 0, np.float32(1) / scale, np.float32(0))
    scaled = blocks * inverse[:, None].astype(np.float32)
    # roundf: halves away from zero.
    q = (np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))).astype(np.int8)
    out = bytearray()
    for s, row in zip(scale.astype(np.float16), q):
        out += s.tobytes() + row.tobytes()
    return bytes(out)


def q4_k(values):
    """A plain quantiser for ggml's block_q4_K: 256 numbers, eight scales and
    minima of 6 bits. llama.cpp's searches better ones; the layout is the same."""
    out = bytearray()
    for block in values.reshape(-1, 8, 32).astype(np.float32):
        low = np.minimum(block.min(axis=1), 0)
        scale, least = (block.max(axis=1) - low) / 15, -low
        d = np.float16(scale.max() / 63)
        dmin = np.float16(least.max() / 63)
        sc = np.clip(np.rint(scale / np.float32(d)), 1, 63).astype(np.uint8)
        m = np.clip(np.rint(least / np.float32(dmin)), 0, 63).astype(np.uint8)
        step = np.float32(d) * sc[:, None]
        q = np.clip(np.rint((block + np.float32(dmin) * m[:, None]) / step), 0, 15)
        q = q.astype(np.uint8)
        packed = np.zeros(12, np.uint8)
        packed[0:4] = sc[:4] | ((sc[4:] >> 4) << 6)
        packed[4:8] = m[:4] | ((m[4:] >> 4) << 6)
        packed[8:12] = (sc[4:] & 15) | ((m[4:] & 15) << 4)
        out += d.tobytes() + dmin.tobytes() + packed.tobytes()
        for pair in range(4):
            out += (q[2 * pair] | (q[2 * pair + 1] << 4)).tobytes()
    return bytes(out)


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def save_gguf(state, path, kind, metadata=()):
    entries = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.name") + struct.pack("<I", 8) + text("tiny"),
        text("llama.block_count") + struct.pack("<II", 4, LAYERS),
        text("llama.attention.head_count") + struct.pack("<II", 4, HEADS),
        text("llama.attention.head_count_kv") + struct.pack("<II", 4, KV_HEADS),
    ] + list(metadata)
    infos, data, at = [], [], 0
    for name, tensor in state.items():
        if ".q_proj." in name:
            tensor = permuted(tensor, HEADS)
        elif ".k_proj." in name:
            tensor = permuted(tensor, KV_HEADS)
        if tensor.dim() == 1:
            number, part = 0, raw(tensor.float())
        elif kind == "f16":
            number, part = 1, raw(tensor.half())
        elif kind == "bf16":
            number, part = 30, raw(tensor)
        elif kind == "q4_k" and tensor.shape[1] % 256 == 0:
            number, part = 12, q4_k(tensor.float().numpy())
        else:
            number, part = 8, q8_0(tensor.float().numpy())
        infos.append(text(gguf_name(name)) + struct.pack("<I", tensor.dim()) +
                     b"".join(struct.pack("<Q", n) for n in reversed(tensor.shape)) +
                     struct.pack("<IQ", number, at))
        part += b"\0" * (-len(part) % 32)
        at += len(part)
        data.append(part)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(state), len(entries))
    head += b"".join(entries) + b"".join(infos)
    head += b"\0" * (-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head + b"".join(data))


def write(folder, state, prefix=""):
    def place(name):
        path = os.path.join(folder, prefix + name)
        os.makedirs(path)
        if not name.startswith("gguf"):
            with open(os.path.join(path, "config.json"), "w") as f:
                json.dump(CONFIG, f)
        return path

    save_safetensors(state, place("hf") + "/model.safetensors")
    torch.save(state, place("bin") + "/pytorch_model.bin")
    save_gguf(state, place("gguf-f16") + "/tiny.gguf", "f16")
    save_gguf(state, place("gguf-q8") + "/tiny.gguf", "q8")
    # As llama.cpp does: rows that are not whole blocks of 256 become Q8_0.
    save_gguf(state, place("gguf-q4k") + "/tiny.gguf", "q4_k")
    if prefix:
        return
    save_sharded(state, place("sharded"))
    torch.save(state, place("legacy") + "/pytorch_model.bin",
               _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"module." + k: v for k, v in state.items()},
                "epoch": 3}, place("wrapped") + "/last.ckpt")
    arrays = {k: v.float().numpy() for k, v in state.items()}
    np.savez(place("npz") + "/weights.npz", **arrays)
    np.savez_compressed(place("npzc") + "/weights.npz", **arrays)
    save_gguf(state, place("gguf-bf16") + "/tiny.gguf", "bf16")


if __name__ == "__main__":
    model = weights()
    write(sys.argv[1], model)
    write(sys.argv[1], edited(model), "edited-")
