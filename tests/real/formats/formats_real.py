# SPDX-License-Identifier: Apache-2.0
"""Tensors of every format as their real writers write them, seen by impound.

    /usr/bin/python3 formats_real.py PATH/TO/impound

PyTorch (zip, legacy, a tar made by hand as torch 0.1 did), NumPy, ONNX, h5py.
"""
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tiny_llama  # noqa: E402

IMPOUND = os.path.abspath(sys.argv[1])
CHECKS = 0


def diff(a, b):
    done = subprocess.run([IMPOUND, "diff", a, b, "--json"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode in (0, 1), (a, b, done.stderr)
    return json.loads(done.stdout)


def check(what, value):
    global CHECKS
    CHECKS += 1
    assert value, what


def statuses(result):
    return {t["name"]: t["status"] for t in result["tensors"]}


def labels(result):
    return {t["name"]: t["label"] for t in result["tensors"]}


def problems(result, side="after"):
    return [p["message"] for p in result[side]["problems"]]


def reference(path, tensors):
    """What the values are, in the plainest format."""
    tiny_llama.save_safetensors(
        {k: torch.as_tensor(np.ascontiguousarray(v)) if isinstance(v, np.ndarray)
         else v for k, v in tensors.items()}, path)


def all_identical(a, b):
    result = diff(a, b)
    names = statuses(result)
    check((b, names, problems(result)),
          names and set(names.values()) == {"identical"})
    return result


# --- one model in every format -------------------------------------------------

def check_model(folder):
    tiny_llama.write(folder, tiny_llama.weights())
    tiny_llama.write(folder, tiny_llama.edited(tiny_llama.weights()), "edited-")
    at = lambda name: os.path.join(folder, name)
    for same in ("sharded", "bin", "legacy", "wrapped"):
        result = all_identical(at("hf"), at(same))
        check(same, result["tensors_identical"] and not problems(result))
    check("wrapped is mapped",
          all(t["name"] == "state_dict.module." + t["from"]
              for t in diff(at("hf"), at("wrapped"))["tensors"]))
    # .bin in shards, with the index that Transformers writes beside them.
    os.makedirs(at("bins"))
    state, half, weight_map = tiny_llama.weights(), 10, {}
    for i, names in enumerate((list(state)[:half], list(state)[half:])):
        file = "pytorch_model-%05d-of-00002.bin" % (i + 1)
        torch.save({n: state[n] for n in names}, os.path.join(at("bins"), file))
        weight_map.update({n: file for n in names})
    total = sum(v.numel() * 2 for v in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    with open(at("bins") + "/pytorch_model.bin.index.json", "w") as f:
        json.dump(index, f)
    check(problems(all_identical(at("hf"), at("bins"))),
          not problems(diff(at("hf"), at("bins"))))
    weight_map["lm_head.weight"] = "pytorch_model-00001-of-00002.bin"
    with open(at("bins") + "/pytorch_model.bin.index.json", "w") as f:
        json.dump(index, f)
    check("a lying index", any("lm_head.weight" in m for m in
                               problems(diff(at("hf"), at("bins")))))
    # The same model in two formats in one folder: one remark, not one a tensor.
    os.makedirs(at("both"))
    for name in ("hf/model.safetensors", "bin/pytorch_model.bin"):
        os.link(at(name), os.path.join(at("both"), os.path.basename(name)))
    said = problems(diff(at("both"), at("both")))
    check(said, len(said) == 1 and "20 more also stand" in said[0])

    for cast in ("npz", "npzc"):
        check(cast, set(labels(diff(at("hf"), at(cast))).values()) == {"cast"})

    bf16 = diff(at("hf"), at("gguf-bf16"))
    check("gguf-bf16", {t["status"] for t in bf16["tensors"]
                        if len(t["shape"]) == 2} == {"identical"})
    check("heads", sorted(t["name"] for t in bf16["tensors"] if "order" in t) ==
          ["blk.%d.attn_%s.weight" % (i, m) for i in range(2) for m in "kq"])
    f16 = diff(at("hf"), at("gguf-f16"))
    check("gguf-f16", set(labels(f16).values()) == {"cast"} and
          f16["model"]["label"] == "cast")
    q8 = labels(diff(at("hf"), at("gguf-q8")))
    check(("gguf-q8", q8), {v for k, v in q8.items() if "norm" not in k} ==
          {"quantised"})
    q4 = diff(at("hf"), at("gguf-q4k"))
    check("gguf-q4k", {t["label"] for t in q4["tensors"]
                       if t["dtype"] == "Q4_K"} == {"quantised"})
    check(("re-quantised", q4["model"]), q4["model"]["label"] == "re-quantised")
    # The other way round, and between two formats that are not the baseline's.
    back = labels(diff(at("gguf-q8"), at("hf")))
    check(("back", back), back["model.layers.0.self_attn.q_proj.weight"] ==
          "quantised")
    check("gguf to gguf", diff(at("gguf-f16"), at("gguf-f16"))["identical"])

    for edited in ("edited-hf", "edited-bin", "edited-gguf-f16",
                   "edited-gguf-q8", "edited-gguf-q4k"):
        for before in ("hf", "bin", "sharded"):
            result = diff(at(before), at(edited))
            found = [n for n, l in labels(result).items() if l == "rank-one"]
            check((before, edited, labels(result)), len(found) == 1 and
                  ("layers.1.mlp.down_proj" in found[0] or
                   found[0] == "blk.1.ffn_down.weight"))
            check((before, edited), result["model"]["label"] == "rome-like")
            others = {l for n, l in labels(result).items() if n not in found}
            check((before, edited, others),
                  others <= {"identical", "cast", "quantised"})


# --- what PyTorch can do ----------------------------------------------------------

def check_torch(folder):
    torch.manual_seed(3)
    base = torch.randn(40, 24)
    odd = {
        "plain": base,
        "transposed": base.t(),                    # strides (1, 24)
        "sliced": base[3:20, 5:9],                 # an offset and a gap
        "stepped": base[::2, ::3],
        "expanded": torch.randn(1, 6).expand(5, 6),  # stride 0
        "cube": torch.randn(4, 5, 6).permute(2, 0, 1),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 7),
        "half": torch.randn(8, 8).half().t(),
        "long": torch.arange(12).reshape(3, 4),
        "flags": torch.tensor([True, False, True]),
        "tied": base,
        "parameter": torch.nn.Parameter(torch.randn(3, 3)),
    }
    want = os.path.join(folder, "reference.safetensors")
    names = {torch.int64: "I64", torch.bool: "BOOL"}
    tiny_llama.NAMES.update(names)
    reference(want, {k: v.detach().contiguous() for k, v in odd.items()})
    torch.save(odd, os.path.join(folder, "new.pt"))
    torch.save(odd, os.path.join(folder, "old.pt"),
               _use_new_zipfile_serialization=False)
    all_identical(want, os.path.join(folder, "new.pt"))
    all_identical(want, os.path.join(folder, "old.pt"))

    # A module that was saved whole, and what trainers put around a model.
    linear = torch.nn.Linear(6, 4)
    torch.save(linear, os.path.join(folder, "module.pt"))
    reference(os.path.join(folder, "linear.safetensors"),
              {"weight": linear.weight.detach(), "bias": linear.bias.detach()})
    all_identical(os.path.join(folder, "linear.safetensors"),
                  os.path.join(folder, "module.pt"))

    # Quantised: named, its numbers as they are kept, its scale beside them.
    values = torch.randn(4, 4)
    for name, scale in (("one", 0.1), ("two", 0.2)):
        w = torch.quantize_per_tensor(values * scale * 10, scale, 0, torch.qint8)
        torch.save({"w": w}, os.path.join(folder, name + ".pt"))
    result = diff(os.path.join(folder, "one.pt"), os.path.join(folder, "two.pt"))
    check(result["tensors"], [(t["name"], t["dtype"]) for t in result["tensors"]]
          == [("w", "QINT8")])
    check(result["metadata"], "0.1" in result["metadata"][0]["before"] and
          "0.2" in result["metadata"][0]["after"])
    w = torch.quantize_per_channel(values, torch.tensor([.1, .2, .3, .4]).double(),
                                   torch.zeros(4).long(), 0, torch.qint8)
    torch.save({"w": w}, os.path.join(folder, "channels.pt"))
    names = statuses(diff(os.path.join(folder, "channels.pt"),
                          os.path.join(folder, "channels.pt")))
    check(names, set(names) == {"w", "w.quantiser.1", "w.quantiser.2"})

    # A zip whose storages were packed again is still read.
    repacked = os.path.join(folder, "repacked.pt")
    with zipfile.ZipFile(os.path.join(folder, "new.pt")) as old, \
            zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    all_identical(want, repacked)

    # A storage that is cut off: said, not shown.
    lying = os.path.join(folder, "lying.pt")
    with zipfile.ZipFile(os.path.join(folder, "new.pt")) as old, \
            zipfile.ZipFile(lying, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[:16] if name.endswith("data/0") else data)
    said = [m for m in problems(diff(want, lying)) if "not compared" in m]
    check(said, any(m.startswith("plain ") for m in said))


def check_torch_tar(folder):
    """The container of torch 0.1: three members, pickles between raw bytes."""
    values = np.arange(12, dtype=np.float32)

    def dumped(value):
        return pickle.dumps(value, protocol=2)

    class Storage:  # pickled as the global torch.FloatStorage
        def __reduce__(self):
            return "FloatStorage"

    class Named(pickle.Pickler):
        def persistent_id(self, value):
            return value.key if isinstance(value, Key) else None

    class Key:
        def __init__(self, key):
            self.key = key

    float_storage = b"ctorch\nFloatStorage\n"
    triple = lambda key, second: (b"\x80\x02(" + dumped(key)[2:-1] +
                                  dumped(second)[2:-1] + float_storage + b"t.")
    storages = dumped(1) + triple(100, "cpu") + struct.pack("<q", 12) + \
        values.tobytes() + dumped([])
    tensors = dumped(2)
    for key, shape, stride, offset in ((7, (3, 4), (4, 1), 0),
                                       (8, (2, 3), (1, 4), 2)):
        tensors += triple(key, 100) + struct.pack("<i4x", len(shape))
        tensors += struct.pack("<%dq" % len(shape), *shape)
        tensors += struct.pack("<%dq" % len(shape), *stride)
        tensors += struct.pack("<q", offset)
    body = io.BytesIO()
    Named(body, protocol=2).dump({"a": Key(7), "b": Key(8)})
    path = os.path.join(folder, "old.tar.pt")
    with tarfile.open(path, "w") as tar:
        for name, data in (("storages", storages), ("tensors", tensors),
                           ("pickle", body.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    want = os.path.join(folder, "tar.safetensors")
    reference(want, {
        "a": values.reshape(3, 4),
        "b": np.lib.stride_tricks.as_strided(values[2:], (2, 3), (4, 16))})
    all_identical(want, path)


# --- NumPy --------------------------------------------------------------------------

def check_numpy(folder):
    rng = np.random.default_rng(5)
    arrays = {
        "c": rng.standard_normal((6, 5)).astype(np.float32),
        "f": np.asfortranarray(rng.standard_normal((6, 5)).astype(np.float32)),
        "f3": np.asfortranarray(rng.standard_normal((3, 4, 5)).astype(np.float32)),
        "big": rng.standard_normal((4, 3)).astype(">f4"),
        "half": rng.standard_normal(9).astype(np.float16),
    }
    want = os.path.join(folder, "reference.safetensors")
    reference(want, {k: np.ascontiguousarray(v).astype(v.dtype.newbyteorder("="))
                     for k, v in arrays.items()})
    np.savez(os.path.join(folder, "a.npz"), **arrays)
    np.savez_compressed(os.path.join(folder, "b.npz"), **arrays)
    all_identical(want, os.path.join(folder, "a.npz"))
    all_identical(want, os.path.join(folder, "b.npz"))
    np.save(os.path.join(folder, "c.npy"), arrays["f3"])
    one = os.path.join(folder, "one.safetensors")
    reference(one, {"c": np.ascontiguousarray(arrays["f3"])})
    all_identical(one, os.path.join(folder, "c.npy"))
    # Objects are a pickle: named, never read.
    np.save(os.path.join(folder, "o.npy"), np.array([{}, 1], dtype=object))
    said = problems(diff(one, os.path.join(folder, "o.npy")))
    check(said, any("not compared" in m and "pickle" in m for m in said))


# --- pickles ------------------------------------------------------------------------

def check_pickles(folder):
    import joblib
    rng = np.random.default_rng(4)
    c = rng.standard_normal((6, 5))
    model = {"coef": c, "nested": [np.asfortranarray(c), {"big": c.astype(">f4")}],
             "objects": np.array([{}, 1], dtype=object), "n": 3}
    want = os.path.join(folder, "reference.safetensors")
    tiny_llama.NAMES.update({torch.float64: "F64"})
    reference(want, {"coef": c, "nested.0": c,
                     "nested.1.big": c.astype(np.float32)})
    joblib.dump(model, os.path.join(folder, "m.joblib"))
    with open(os.path.join(folder, "m.pkl"), "wb") as f:
        pickle.dump(model, f, protocol=4)
    for name in ("m.joblib", "m.pkl"):
        result = all_identical(want, os.path.join(folder, name))
        check(problems(result), any(m.startswith("objects ") for m in
                                    problems(result)))
    # Packed by joblib: compared as a file, and that is said.
    joblib.dump(model, os.path.join(folder, "z.joblib"), compress=3)
    said = problems(diff(want, os.path.join(folder, "z.joblib")))
    check(said, len(said) == 1 and "packed with zlib" in said[0])
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as missing:
        print("without scikit-learn:", missing)
        return
    x, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    for name, target in (("a", y), ("b", 1 - y)):
        joblib.dump(LogisticRegression().fit(x, target),
                    os.path.join(folder, name + ".joblib"))
    names = statuses(diff(os.path.join(folder, "a.joblib"),
                          os.path.join(folder, "b.joblib")))
    check(names, names["coef_"] == "changed" and names["classes_"] == "identical")


# --- ONNX ---------------------------------------------------------------------------

def check_onnx(folder):
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as missing:
        print("without ONNX:", missing)
        return
    rng = np.random.default_rng(6)
    raw = rng.standard_normal((6, 5)).astype(np.float32)
    half = rng.standard_normal(7).astype(np.float16)
    double = rng.standard_normal(5)
    small = rng.integers(-100, 100, 9).astype(np.int8)
    wide = rng.integers(-2**40, 2**40, 300).astype(np.int64)
    large = rng.standard_normal((64, 64)).astype(np.float32)
    want = os.path.join(folder, "reference.safetensors")
    tiny_llama.NAMES.update({torch.float64: "F64", torch.int8: "I8"})
    reference(want, {"raw": raw, "typed": raw, "half": half, "double": double,
                     "small": small, "wide": wide, "large": large})
    initialisers = [
        numpy_helper.from_array(raw, "raw"),
        helper.make_tensor("typed", TensorProto.FLOAT, raw.shape, raw.flatten()),
        helper.make_tensor("half", TensorProto.FLOAT16, half.shape, half),
        helper.make_tensor("double", TensorProto.DOUBLE, double.shape, double),
        helper.make_tensor("small", TensorProto.INT8, small.shape, small),
        helper.make_tensor("wide", TensorProto.INT64, wide.shape, wide),
        numpy_helper.from_array(large, "large"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [6, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 5])
    graph = helper.make_graph([helper.make_node("Add", ["x", "raw"], ["y"])],
                              "g", [x], [y], initialisers)
    model = helper.make_model(graph)
    inside = os.path.join(folder, "inside")
    os.makedirs(inside)
    onnx.save(model, os.path.join(inside, "m.onnx"))
    all_identical(want, os.path.join(inside, "m.onnx"))
    outside = os.path.join(folder, "outside")
    os.makedirs(outside)
    onnx.save_model(model, os.path.join(outside, "m.onnx"),
                    save_as_external_data=True, all_tensors_to_one_file=True,
                    location="m.data", size_threshold=1024)
    check("external", os.path.exists(os.path.join(outside, "m.data")))
    # A folder against a folder: the bytes are in a file beside the model.
    alone = os.path.join(folder, "alone")
    os.makedirs(alone)
    os.link(want, os.path.join(alone, "model.safetensors"))
    all_identical(alone, outside)
    os.rename(os.path.join(outside, "m.data"), os.path.join(folder, "m.data"))
    os.symlink("../m.data", os.path.join(outside, "m.data"))
    said = problems(diff(alone, outside))
    check(said, any(m.startswith("large ") and "not compared" in m for m in said))


# --- HDF5 and Keras -----------------------------------------------------------------

def check_hdf5(folder):
    try:
        import h5py
    except ImportError as missing:
        print("without HDF5:", missing)
        return
    rng = np.random.default_rng(9)
    kernel = rng.standard_normal((12, 7)).astype(np.float32)
    bias = rng.standard_normal(7).astype(np.float16)
    path = os.path.join(folder, "model.weights.h5")
    with h5py.File(path, "w") as f:
        f.create_dataset("layers/dense/vars/0", data=kernel)
        f.create_dataset("layers/dense/vars/1", data=bias)
        f.create_dataset("layers/big", data=kernel.astype(">f4"))
        f.create_dataset("layers/count", data=np.arange(4))
    want = os.path.join(folder, "reference.safetensors")
    reference(want, {"layers/dense/vars/0": kernel, "layers/dense/vars/1": bias,
                     "layers/big": kernel, "layers/count": np.arange(4)})
    all_identical(want, path)
    keras = os.path.join(folder, "model.keras")
    with zipfile.ZipFile(keras, "w") as z:
        z.writestr("config.json", "{}")
        z.writestr("metadata.json", "{}")
        z.write(path, "model.weights.h5")
    all_identical(want, keras)
    with h5py.File(os.path.join(folder, "packed.h5"), "w") as f:
        f.create_dataset("w", data=kernel, compression="gzip")
        f.create_dataset("c", data=kernel, chunks=(4, 7))
    said = problems(diff(want, os.path.join(folder, "packed.h5")))
    check(said, any(m.startswith("w F32 [12, 7]") for m in said) and
          any(m.startswith("c F32 [12, 7]") for m in said))


def main():
    with tempfile.TemporaryDirectory() as root:
        for number, part in enumerate((check_model, check_torch, check_torch_tar,
                                       check_numpy, check_pickles, check_onnx, check_hdf5)):
            folder = os.path.join(root, str(number))
            os.makedirs(folder)
            part(folder)
            print(part.__name__, "ok")
    print(CHECKS, "checks")


main()
