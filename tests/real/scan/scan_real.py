# SPDX-License-Identifier: Apache-2.0
"""Scans files that PyTorch, NumPy, joblib and scikit-learn really write.

usage: scan_real.py PATH-OF-scan_folder
Exit 77 (skipped) with a reason where none of the libraries is installed.
"""

import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
PROGRAM = sys.argv[1]
FAILED = []
SKIPPED = []


def scan(path):
    done = subprocess.run([PROGRAM, path], capture_output=True, text=True)
    return json.loads(done.stdout), done.returncode


def expect(path, verdict, exit_code, rules=()):
    report, code = scan(path)
    found = {f["rule"] for file in report["files"] for f in file["findings"]}
    ok = report["verdict"] == verdict and code == exit_code
    ok = ok and set(rules) <= found
    print(("ok    " if ok else "FAIL  ") + os.path.basename(path), report["verdict"])
    if not ok:
        FAILED.append(path)
        print(json.dumps(report, indent=1))
        print("wanted", verdict, exit_code, rules)


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def plain(folder):
    """The standard library's own pickles, all protocols."""
    import collections
    import datetime
    import decimal
    import pathlib

    value = {
        "list": list(range(3000)),
        "text": "naïve \\u0041 \n 'quote'",
        "bytes": bytes(range(256)),
        "big": 2**200,
        "negative": -(2**70),
        "floats": [1.5, float("inf"), -0.0],
        "set": {1, 2, 3},
        "frozen": frozenset({1}),
        "nested": [[[()]]],
        "ordered": collections.OrderedDict(a=1),
        "counter": collections.Counter("abca"),
        "default": collections.defaultdict(list, {"a": [1]}),
        "deque": collections.deque([1, 2]),
        "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
        "exact": decimal.Decimal("1.1"),
        "path": pathlib.PurePosixPath("/a/b"),
        "none": [None, True, False, 1j],
    }
    value["self"] = value
    for protocol in range(6):
        path = f"{folder}/plain-{protocol}.pkl"
        with open(path, "wb") as out:
            pickle.dump(value, out, protocol)
        expect(path, "allow-listed", 0)
        path = f"{folder}/evil-{protocol}.pkl"
        with open(path, "wb") as out:
            pickle.dump({"a": 1, "b": Evil()}, out, protocol)
        expect(path, "malicious", 1, ["pickle-dangerous-call"])


def torch_files(folder):
    try:
        import torch
    except ImportError:
        SKIPPED.append("python3-torch is not installed")
        return
    model = torch.nn.Sequential(
        torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.BatchNorm1d(32)
    )
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 16)).sum().backward()
    optimizer.step()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "half": torch.randn(4, 4).half(),
        "bf16": torch.randn(4, 4).bfloat16(),
        "view": torch.randn(8, 8).t(),
        "int": torch.arange(10),
    }
    for name, new in (("zip", True), ("legacy", False)):
        path = f"{folder}/state-{name}.pt"
        torch.save(state, path, _use_new_zipfile_serialization=new)
        expect(path, "weights-only-ok", 0)
        # The real one agrees; torch 1.13 knows no floats, 2.x does.
        weights = f"{folder}/weights-{name}.pt"
        torch.save(model.state_dict(), weights,
                   _use_new_zipfile_serialization=new)
        torch.load(weights, weights_only=True)
        expect(weights, "weights-only-ok", 0)
        path = f"{folder}/module-{name}.pt"
        torch.save(model, path, _use_new_zipfile_serialization=new)
        expect(path, "allow-listed", 0)
        path = f"{folder}/evil-{name}.pt"
        torch.save({"w": torch.zeros(4), "x": Evil()}, path,
                   _use_new_zipfile_serialization=new)
        expect(path, "malicious", 1, ["pickle-dangerous-call"])
    path = f"{folder}/script.pt"
    torch.jit.script(model).save(path)
    expect(path, "allow-listed", 0, ["torchscript-code"])


def numpy_files(folder):
    try:
        import numpy
    except ImportError:
        SKIPPED.append("python3-numpy is not installed")
        return
    arrays = {
        "f8": numpy.random.rand(7, 5),
        "fortran": numpy.asfortranarray(numpy.random.rand(7, 5)),
        "empty": numpy.zeros((0, 3)),
        "scalar": numpy.float32(1.5),
        "text": numpy.array(["a", "bcd"]),
        "fields": numpy.zeros(3, dtype=[("a", "<f8"), ("b", "<i4", (2, 2))]),
        "when": numpy.array(["2026-01-01"], dtype="M8[ns]"),
        "big": numpy.arange(5, dtype=">i4"),
    }
    for name, array in arrays.items():
        path = f"{folder}/{name}.npy"
        numpy.save(path, array)
        expect(path, "no-code", 0)
    numpy.savez(f"{folder}/plain.npz", **arrays)
    expect(f"{folder}/plain.npz", "no-code", 0)
    numpy.savez_compressed(f"{folder}/packed.npz", **arrays)
    expect(f"{folder}/packed.npz", "no-code", 0)
    objects = numpy.array([{"a": 1}, None, "x"], dtype=object)
    numpy.save(f"{folder}/objects.npy", objects)
    expect(f"{folder}/objects.npy", "allow-listed", 0)
    evil = numpy.array([Evil()], dtype=object)
    numpy.save(f"{folder}/evil.npy", evil)
    expect(f"{folder}/evil.npy", "malicious", 1, ["pickle-dangerous-call"])
    numpy.savez_compressed(f"{folder}/evil.npz", a=evil)
    expect(f"{folder}/evil.npz", "malicious", 1, ["pickle-dangerous-call"])
    for protocol in range(6):
        path = f"{folder}/numpy-{protocol}.pkl"
        with open(path, "wb") as out:
            pickle.dump({**arrays, "rng": numpy.random.RandomState(1),
                         "type": numpy.dtype("f4"), "s": numpy.float64(3)},
                        out, protocol)
        expect(path, "allow-listed", 0)


def joblib_files(folder):
    try:
        import joblib
        import numpy
    except ImportError:
        SKIPPED.append("python3-joblib is not installed")
        return
    value = {
        "x": numpy.random.rand(100, 10),
        "y": numpy.arange(1000).reshape(10, 100).T,
        "s": numpy.array(["abc", "d"]),
        "o": numpy.array([{"k": 1}, numpy.arange(3)], dtype=object),
        "after": "text",
    }
    for pack in (0, "zlib", "gzip"):
        path = f"{folder}/joblib-{pack}.joblib"
        joblib.dump(value, path, compress=(pack, 3) if pack else 0)
        expect(path, "allow-listed", 0)
    value["o"] = numpy.array([Evil()], dtype=object)
    path = f"{folder}/joblib-evil.joblib"
    joblib.dump(value, path)
    expect(path, "malicious", 1, ["pickle-dangerous-call"])
    # What joblib skips as numbers, pickle.load runs.
    hidden = pickle.dumps(Evil(), 2)[2:]
    raw = numpy.frombuffer(hidden + b"." * (64 - len(hidden)), dtype="u1")
    path = f"{folder}/joblib-hidden.joblib"
    joblib.dump([raw, 1], path)
    report, code = scan(path)
    print("joblib with opcodes as numbers:", report["verdict"], code)


def sklearn_files(folder):
    try:
        import joblib
        import sklearn.datasets
        from sklearn import (calibration, cluster, compose, decomposition,
                             ensemble, feature_extraction, feature_selection,
                             gaussian_process, impute, linear_model,
                             model_selection, naive_bayes, neighbors,
                             neural_network, pipeline, preprocessing, svm, tree)
    except ImportError:
        SKIPPED.append("python3-sklearn is not installed")
        return
    x, y = sklearn.datasets.load_iris(return_X_y=True)
    models = [
        ensemble.RandomForestClassifier(5), tree.DecisionTreeRegressor(),
        ensemble.GradientBoostingClassifier(n_estimators=3),
        ensemble.HistGradientBoostingClassifier(max_iter=3),
        ensemble.HistGradientBoostingRegressor(max_iter=3),
        ensemble.AdaBoostClassifier(n_estimators=3),
        ensemble.IsolationForest(n_estimators=3),
        ensemble.StackingClassifier(
            [("a", tree.DecisionTreeClassifier())],
            linear_model.LogisticRegression(max_iter=500)),
        linear_model.LogisticRegression(max_iter=500),
        linear_model.SGDClassifier(), linear_model.RidgeCV(),
        svm.SVC(), svm.LinearSVC(dual=False),
        neighbors.KNeighborsClassifier(), neighbors.KernelDensity(),
        naive_bayes.GaussianNB(), cluster.KMeans(3, n_init=1),
        cluster.Birch(), decomposition.PCA(2),
        neural_network.MLPClassifier((5,), max_iter=20),
        gaussian_process.GaussianProcessClassifier(),
        calibration.CalibratedClassifierCV(naive_bayes.GaussianNB()),
        feature_selection.SelectKBest(k=2),
        model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}),
        pipeline.make_pipeline(
            impute.SimpleImputer(),
            compose.ColumnTransformer(
                [("n", preprocessing.StandardScaler(), [0, 1])]),
            linear_model.LogisticRegression()),
    ]
    for model in models:
        model.fit(x, y)
        name = type(model).__name__
        joblib.dump(model, f"{folder}/{name}.joblib")
        expect(f"{folder}/{name}.joblib", "allow-listed", 0)
        with open(f"{folder}/{name}.pkl", "wb") as out:
            pickle.dump(model, out)
        expect(f"{folder}/{name}.pkl", "allow-listed", 0)
    words = feature_extraction.text.TfidfVectorizer().fit(["a text", "more text"])
    joblib.dump(words, f"{folder}/words.joblib")
    expect(f"{folder}/words.joblib", "allow-listed", 0)


with tempfile.TemporaryDirectory() as base:
    for part in (plain, torch_files, numpy_files, joblib_files, sklearn_files):
        place = os.path.join(base, part.__name__)
        os.mkdir(place)
        part(place)
for reason in SKIPPED:
    print("skipped:", reason)
print(len(FAILED), "failed")
sys.exit(1 if FAILED else 77 if len(SKIPPED) >= 4 else 0)
