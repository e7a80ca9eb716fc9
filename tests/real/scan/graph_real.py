# SPDX-License-Identifier: Apache-2.0
"""Scans ONNX and Keras HDF5 files that Debian's onnx and h5py really write.

usage: graph_real.py PATH-OF-scan_folder
Exit 77 (skipped) with a reason where neither library is installed.
"""

import base64
import json
import marshal
import os
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
FAILED = []
SKIPPED = []


def expect(path, verdict, exit_code, rules=(), inside=None):
    """Scans `path`; `inside` is the file of a folder that is meant."""
    done = subprocess.run([PROGRAM, path], capture_output=True, text=True)
    report = json.loads(done.stdout)
    found = {f["rule"] for file in report["files"] for f in file["findings"]}
    ok = report["verdict"] == verdict and done.returncode == exit_code
    ok = ok and set(rules) <= found
    print("ok    " if ok else "FAIL  ", inside or os.path.basename(path), verdict)
    if not ok:
        FAILED.append(path)
        print(json.dumps(report, indent=1))
        print("wanted", verdict, exit_code, rules)


def onnx_files(folder):
    try:
        import numpy
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        SKIPPED.append("python3-onnx is not installed")
        return

    def model(nodes=(), domain_imports=()):
        weights = numpy.random.rand(64, 64).astype("f4")
        add = helper.make_node("MatMul", ["x", "w"], ["y"], name="mul")
        then = helper.make_graph(
            [helper.make_node("Identity", ["x"], ["z"])], "then", [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 64])])
        branch = helper.make_node("If", ["c"], ["q"], name="if",
                                  then_branch=then, else_branch=then)
        graph = helper.make_graph(
            [add, branch, *nodes], "main",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64]),
             helper.make_tensor_value_info("c", TensorProto.BOOL, [1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 64])],
            [numpy_helper.from_array(weights, "w")])
        imports = [helper.make_opsetid("", 15)]
        imports += [helper.make_opsetid(name, 1) for name in domain_imports]
        return helper.make_model(graph, opset_imports=imports,
                                 producer_name="pytorch")

    onnx.save(model(), f"{folder}/plain.onnx")
    expect(f"{folder}/plain.onnx", "no-code", 0)

    beside = f"{folder}/beside"
    os.mkdir(beside)
    onnx.save(model(), f"{beside}/m.onnx", save_as_external_data=True,
              location="m.data", size_threshold=0)
    expect(beside, "no-code", 0, inside="external data")
    with open(f"{beside}/m.data", "r+b") as data:
        data.truncate(100)
    expect(beside, "needs-review", 1, ["onnx-external"], "cut external data")

    outside = model()
    tensor = outside.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    with open(f"{folder}/outside.onnx", "wb") as out:
        out.write(outside.SerializeToString())
    expect(f"{folder}/outside.onnx", "malicious", 1, ["onnx-external-path"])

    custom = helper.make_node("Run", ["x"], ["r"], domain="com.other")
    onnx.save(model([custom], ["com.other"]), f"{folder}/custom.onnx")
    expect(f"{folder}/custom.onnx", "needs-review", 1, ["onnx-custom-domain"])


def keras_files(folder):
    try:
        import h5py
        import numpy
    except ImportError:
        SKIPPED.append("python3-h5py is not installed")
        return
    dense = [{"class_name": "Dense", "config": {"name": f"dense_{i}", "units": 4}}
             for i in range(3)]
    code = marshal.dumps(compile("__import__('os').system('true')", "x", "exec"))
    evil = {"class_name": "Lambda",
            "config": {"name": "l", "function": [
                base64.b64encode(code).decode(), None, None]}}

    def write(name, layers, fixed=False, **options):
        config = {"class_name": "Sequential",
                  "config": {"name": "s", "layers": layers}}
        path = f"{folder}/{name}.h5"
        with h5py.File(path, "w", **options) as file:
            text = json.dumps(config).encode()
            file.attrs["model_config"] = numpy.bytes_(text) if fixed else text
            file.attrs["keras_version"] = "2.15.0"
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = numpy.array([b"dense_0", b"dense_1"])
            for i in range(40):  # more than one node of a group's tree
                inner = weights.create_group(f"dense_{i}/dense_{i}")
                inner.create_dataset("kernel:0",
                                     data=numpy.random.rand(16, 16).astype("f4"))
                inner.create_dataset("bias:0", compression="gzip",
                                     data=numpy.zeros((300, 1000), "f4"))
        return path

    for name, options in (("plain", {}), ("fixed", {"fixed": True}),
                          ("block", {"userblock_size": 1024})):
        expect(write(name, dense, **options), "no-code", 0)
        expect(write(name + "-evil", dense + [evil], **options), "malicious", 1,
               ["keras-lambda"])
    expect(write("large", dense * 1000), "no-code", 0)
    # 40 groups in a fractal heap, attributes in another, a configuration that
    # is too large for its blocks: what the newest layout writes.
    for name, options in (("latest", {}), ("latest-fixed", {"fixed": True})):
        for count in (1, 1500):
            expect(write(f"{name}-{count}", dense * count, libver="latest", **options),
                   "no-code", 0)
            expect(write(f"{name}-{count}-evil", dense * count + [evil],
                         libver="latest", **options),
                   "malicious", 1, ["keras-lambda"])
    for count in (9, 500, 20_000):
        path = f"{folder}/attributes-{count}.h5"
        with h5py.File(path, "w", libver="latest") as file:
            for i in range(count):
                file.attrs[f"note {i}"] = numpy.bytes_(b"x" * (i % 50 + 1))
            config = {"class_name": "Sequential", "config": {"layers": [evil]}}
            file.attrs["model_config"] = json.dumps(config)
        expect(path, "malicious", 1, ["keras-lambda"])
    with h5py.File(f"{folder}/links.h5", "w", libver="latest") as file:
        for i in range(30_000):
            file[f"link {i}"] = h5py.SoftLink("/nowhere")
        file["deep"] = h5py.ExternalLink("/etc/passwd", "/x")
    expect(f"{folder}/links.h5", "needs-review", 1, ["hdf5-external"])

    with h5py.File(f"{folder}/out.h5", "w") as file:
        file["link"] = h5py.ExternalLink("/etc/passwd", "/x")
        file.create_dataset("data", (10,), "u1",
                            external=[("/etc/hostname", 0, 10)])
    expect(f"{folder}/out.h5", "needs-review", 1, ["hdf5-external"])
    with h5py.File(f"{folder}/huge.h5", "w") as file:
        file.create_dataset("data", (1 << 40, 1 << 10), "f4", chunks=(256, 256))
    expect(f"{folder}/huge.h5", "needs-review", 1, ["hdf5-shape"])


with tempfile.TemporaryDirectory() as base:
    for part in (onnx_files, keras_files):
        place = os.path.join(base, part.__name__)
        os.mkdir(place)
        part(place)
for reason in SKIPPED:
    print("skipped:", reason)
print(len(FAILED), "failed")
sys.exit(1 if FAILED else 77 if len(SKIPPED) == 2 else 0)
