# SPDX-License-Identifier: Apache-2.0
"""Honest objects, dumped by their own libraries at every protocol: none may be
called malicious, and at most three files of a hundred may ask for a review.

usage: honest_pickles.py PATH-OF-impound [FOLDER-TO-KEEP]
Prints a table of verdicts. A library that is not installed is "not tried".
"""

import collections
import datetime
import decimal
import enum
import fractions
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
PROGRAM = sys.argv[1]
MOST_REVIEWS = 0.03
NOT_TRIED = []
OBJECTS = {}  # name -> object
DUMPED = {}  # name of a file -> function that writes it


def standard_library():
    import argparse
    import array
    import ast
    import configparser
    import contextlib
    import csv
    import ctypes
    import dataclasses
    import difflib
    import email.message
    import functools
    import glob
    import hashlib
    import heapq
    import html
    import http
    import http.cookies
    import inspect
    import ipaddress
    import itertools
    import json as json_module
    import keyword
    import logging
    import math
    import numbers
    import operator
    import pathlib
    import platform
    import queue
    import random
    import shutil
    import signal
    import socket
    import statistics
    import string
    import struct
    import textwrap
    import threading
    import time
    import types
    import typing
    import urllib.parse
    import uuid
    import zoneinfo

    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    when = datetime.datetime(2026, 3, 4, 5, 6, 7, 8)
    logger = logging.getLogger("training.loop")
    shared = [1, 2]
    loop = {"a": shared, "b": shared}
    loop["self"] = loop
    counts = itertools.count(3)
    next(counts)
    OBJECTS.update({
        "none": None,
        "numbers": [0, 1, -1, 255, 256, 65535, 65536, 2**31, 2**63, -(2**200), 1.5, 1e300, -0.0],
        "infinity": [math.inf, -math.inf, math.nan],
        "complex": 1 + 2j,
        "texts": ["", "naïve \\u0041 \n 'q' \"q\"", "x" * 300, "\U0001f600", "a\0b"],
        "bytes": [b"", bytes(range(256)), b"x" * 70000],
        "bytearray": bytearray(b"abc"),
        "nested": [[[[]]], ((),), {}, {1: {2: {3: 4}}}],
        "shared and recursive": loop,
        "set": {1, 2, 3},
        "frozenset": frozenset({1, 2}),
        "range and slice": [range(5), slice(1, 2, 3)],
        "ellipsis": [Ellipsis, NotImplemented],
        "types": [int, str, list, dict, object, type(None)],
        "type of ellipsis": [type(Ellipsis), type(NotImplemented)],
        "type itself": type,
        "generic alias": list[int],
        "typing alias": [typing.List[int], typing.Optional[str], typing.Any],
        "builtin functions": [len, sum, abs, max, print, sorted, isinstance, repr],
        "math functions": [math.sqrt, math.exp, math.log],
        "operators": [operator.add, operator.mul, operator.getitem],
        "itemgetter": operator.itemgetter(1, "a"),
        "path functions": [os.path.join, os.path.basename, os.path.exists],
        "json functions": [json_module.loads, json_module.dumps],
        "bound method of a list": [].append,
        "bound method of a text": "abc".upper,
        "bound method of a dictionary": {"a": 1}.get,
        "class method": dict.fromkeys,
        "exceptions": [ValueError("x"), KeyError("k"), OSError(2, "No such file", "f")],
        "ordered dictionary": collections.OrderedDict(a=1, b=2),
        "counter": collections.Counter("abracadabra"),
        "defaultdict of list": collections.defaultdict(list, a=[1]),
        "defaultdict of int": collections.defaultdict(int, a=1),
        "deque": collections.deque([1, 2], maxlen=5),
        "chain map": collections.ChainMap({"a": 1}, {"b": 2}),
        "user dictionary": collections.UserDict(a=1),
        "user list": collections.UserList([1]),
        "user string": collections.UserString("x"),
        "datetime": when,
        "date and time": [when.date(), when.time()],
        "timedelta": datetime.timedelta(days=1, seconds=2),
        "timezone": when.replace(tzinfo=datetime.timezone.utc),
        "fixed timezone": datetime.timezone(datetime.timedelta(hours=2), "x"),
        "zone": berlin,
        "datetime with a zone": when.replace(tzinfo=berlin),
        "decimal": decimal.Decimal("1.10"),
        "decimal context": decimal.getcontext().copy(),
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=5),
        "path": [pathlib.Path("/a/b"), pathlib.PurePosixPath("c"), pathlib.PureWindowsPath("d")],
        "pattern": re.compile("a+b", re.I),
        "flags": re.I | re.M,
        "logger": logger,
        "root logger": logging.getLogger(),
        "log record": logging.LogRecord("a", 20, "f.py", 1, "m %s", ("x",), None),
        "formatter": logging.Formatter("%(message)s"),
        "partial of print": functools.partial(print, "x", sep=","),
        "partial of int": functools.partial(int, base=2),
        "partial of sorted": functools.partial(sorted, reverse=True),
        "simple namespace": types.SimpleNamespace(a=1, b=[2]),
        "arguments": argparse.Namespace(lr=0.1, epochs=3),
        "array": array.array("d", [1.0, 2.0]),
        "random": random.Random(5),
        "string template": string.Template("hi $name"),
        "status": http.HTTPStatus.OK,
        "signal": signal.SIGTERM,
        "address family": socket.AF_INET,
        "ip address": [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/8")],
        "parsed address": urllib.parse.urlparse("https://example.com/a?b=c"),
        "cookie": http.cookies.SimpleCookie("a=b"),
        "time": time.gmtime(0),
        "stat": os.stat("/"),
        "terminal size": os.terminal_size((80, 24)),
        "uname": platform.uname(),
        "usage": shutil.disk_usage("/"),
        "parameter kind": inspect.Parameter.KEYWORD_ONLY,
        "signature": inspect.signature(lambda a, b=1: a),
        "syntax tree": ast.parse("a = 1"),
        "iterator of a list": iter([1, 2, 3]),
        "iterator of a tuple": iter((1, 2)),
        "iterator of a range": iter(range(3)),
        "iterator of a dictionary": iter({"a": 1}),
        "enumeration": enumerate(["a"]),
        "zip": zip([1], [2]),
        "reversed": reversed([1, 2]),
        "count": counts,
        "cycle": itertools.cycle([1, 2]),
        "chain": itertools.chain([1], [2]),
        "repeat": itertools.repeat(1, 3),
        "islice": itertools.islice([1, 2, 3], 2),
        "product": itertools.product([1], [2]),
        "combinations": itertools.combinations([1, 2, 3], 2),
        "permutations": itertools.permutations([1, 2]),
        "bytes io": io.BytesIO(b"abc"),
        "string io": io.StringIO("abc"),
        "mail": email.message.EmailMessage(),
        "configuration": configparser.ConfigParser(),
        "normal distribution": statistics.NormalDist(0, 1),
        "sequence matcher": difflib.SequenceMatcher(None, "ab", "ac"),
        "ctypes number": ctypes.c_int(5),
        "hash functions": [hashlib.sha256, hashlib.md5],
        "null context": contextlib.nullcontext(5),
        "struct": struct.pack,
        "abstract number": numbers.Number,
        "text functions": [textwrap.dedent, html.escape, heapq.heappush],
    })


def numpy_objects():
    try:
        import numpy as np
    except ImportError:
        NOT_TRIED.append("numpy")
        return
    structured = np.array([(1, 2.0, b"x")], dtype=[("a", "i4"), ("b", "f8"), ("c", "S3")])
    OBJECTS.update({
        "numpy array": np.arange(12.0).reshape(3, 4),
        "numpy fortran array": np.asfortranarray(np.ones((3, 4), dtype="f4")),
        "numpy empty array": np.zeros((0, 3)),
        "numpy strided array": np.arange(12)[::2],
        "numpy bool array": np.array([True, False]),
        "numpy text array": np.array(["a", "bc"]),
        "numpy bytes array": np.array([b"a", b"bc"]),
        "numpy object array": np.array([1, "a", None], dtype=object),
        "numpy dates": np.array(["2026-01-01", "NaT"], dtype="M8[ns]"),
        "numpy durations": np.array([1, 2], dtype="m8[s]"),
        "numpy structured array": structured,
        "numpy record array": structured.view(np.recarray),
        "numpy record": structured[0],
        "numpy big-endian array": np.arange(3, dtype=">i4"),
        "numpy scalars": [np.float32(1), np.int64(2), np.bool_(True), np.str_("a"), np.complex64(1j)],
        "numpy date": np.datetime64("2026-01-01"),
        "numpy duration": np.timedelta64(5, "D"),
        "numpy types": [np.float32, np.int8, np.ndarray, np.generic],
        "numpy dtype": [np.dtype("f4"), np.dtype([("a", "i4")]), np.dtype("M8[ns]")],
        "numpy masked array": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        "numpy masked constant": np.ma.masked,
        "numpy matrix": np.matrix([[1, 2], [3, 4]]),
        "numpy functions": [np.log1p, np.mean, np.exp, np.sum, np.clip],
        "numpy generator": np.random.default_rng(1),
        "numpy philox": np.random.Generator(np.random.Philox(1)),
        "numpy random state": np.random.RandomState(1),
        "numpy seed": np.random.SeedSequence(5),
        "numpy polynomial": np.polynomial.Polynomial([1, 2, 3]),
        "numpy poly1d": np.poly1d([1, 2]),
        "numpy chararray": np.char.array(["a", "b"]),
        "numpy large array": np.zeros(200000),
    })

    def save(name, *arrays, **how):
        return lambda path: np.save(path, arrays[0], **how)

    DUMPED["numpy objects.npy"] = save("o", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    DUMPED["numpy.npz"] = lambda path: np.savez(path, a=np.ones(3), b=np.arange(4))


def pandas_objects():
    try:
        import numpy as np
        import pandas as pd
    except ImportError:
        NOT_TRIED.append("pandas")
        return
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None], "c": [1.5, np.nan, 2]})
    days = pd.date_range("2026-01-01", periods=3)
    OBJECTS.update({
        "pandas frame": frame,
        "pandas empty frame": pd.DataFrame(),
        "pandas frame of dates": frame.assign(d=days),
        "pandas frame of zoned dates": frame.assign(d=days.tz_localize("Europe/Berlin")),
        "pandas frame of durations": frame.assign(d=pd.to_timedelta([1, 2, 3], unit="D")),
        "pandas frame of categories": frame.assign(d=pd.Categorical(["a", "b", "a"])),
        "pandas ordered categories": pd.Categorical(["l", "h"], categories=["l", "h"], ordered=True),
        "pandas frame of nullable numbers": frame.assign(d=pd.array([1, None, 3], dtype="Int64")),
        "pandas frame of nullable bools": frame.assign(d=pd.array([True, None, False], dtype="boolean")),
        "pandas frame of nullable floats": frame.assign(d=pd.array([1.5, None, 3], dtype="Float64")),
        "pandas frame of strings": frame.assign(d=pd.array(["a", None, "b"], dtype="string")),
        "pandas sparse": pd.arrays.SparseArray([0, 0, 1]),
        "pandas frame by date": frame.set_index(days),
        "pandas frame by month": frame.set_index(pd.period_range("2026-01", periods=3, freq="M")),
        "pandas frame by duration": frame.set_index(pd.to_timedelta([1, 2, 3], unit="h")),
        "pandas frame by interval": frame.set_index(pd.interval_range(0, 3)),
        "pandas frame by two keys": frame.set_index(["a", "b"]),
        "pandas frame by category": frame.set_index(pd.CategoricalIndex(["a", "b", "c"])),
        "pandas series": frame["a"],
        "pandas series of text": frame["b"],
        "pandas series of dates": pd.Series(days),
        "pandas index": [pd.Index([1, 2]), pd.Index(["a"]), pd.RangeIndex(3), pd.Index([1.5])],
        "pandas timestamp": pd.Timestamp("2026-01-01"),
        "pandas zoned timestamp": pd.Timestamp("2026-01-01", tz="UTC"),
        "pandas timedelta": pd.Timedelta("1 day"),
        "pandas period": pd.Period("2026-01", "M"),
        "pandas interval": pd.Interval(0, 1),
        "pandas missing": [pd.NaT, pd.NA],
        "pandas offsets": [pd.offsets.BDay(), pd.offsets.MonthEnd(2), pd.DateOffset(days=1)],
        "pandas types": [pd.CategoricalDtype(["a"]), pd.Int64Dtype(), pd.StringDtype(), pd.DatetimeTZDtype("ns", "UTC")],
        "pandas description": frame.describe(),
    })
    for compression in ("gzip", "bz2", "xz", "zip"):
        DUMPED[f"pandas frame.pkl.{compression}"] = (
            lambda path, how=compression: frame.to_pickle(path, compression=how))


def scipy_objects():
    try:
        import numpy as np
        import scipy
        import scipy.interpolate
        import scipy.optimize
        import scipy.sparse as sparse
        import scipy.spatial
        import scipy.stats
    except ImportError:
        NOT_TRIED.append("scipy")
        return
    eye = sparse.eye(4)
    for kind in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil"):
        OBJECTS[f"scipy {kind} matrix"] = eye.asformat(kind)
    x = np.linspace(0, 1, 8)
    OBJECTS.update({
        "scipy csr array": sparse.csr_array(np.eye(3)),
        "scipy tree": scipy.spatial.cKDTree(np.random.rand(9, 2)),
        "scipy k-d tree": scipy.spatial.KDTree(np.random.rand(9, 2)),
        "scipy hull": scipy.spatial.transform.Rotation.from_euler("x", 1),
        "scipy interpolation": scipy.interpolate.interp1d(x, x**2),
        "scipy spline": scipy.interpolate.CubicSpline(x, x**2),
        "scipy univariate spline": scipy.interpolate.UnivariateSpline(x, x**2),
        "scipy b-spline": scipy.interpolate.make_interp_spline(x, x**2),
        "scipy grid": scipy.interpolate.RegularGridInterpolator((x,), x),
        "scipy result": scipy.optimize.minimize(lambda v: float((v**2).sum()), [1.0]),
        "scipy distribution": scipy.stats.norm,
        "scipy frozen distribution": scipy.stats.norm(0, 1),
        "scipy test result": scipy.stats.ttest_ind([1, 2, 3], [2, 3, 4]),
        "scipy density": scipy.stats.gaussian_kde([1.0, 2.0, 4.0]),
    })


def sklearn_objects():
    try:
        import numpy as np
        import sklearn
        from sklearn.utils import all_estimators
        from sklearn import (compose, datasets, ensemble, feature_extraction, impute, linear_model,
                             metrics, model_selection, neighbors, pipeline, preprocessing, svm,
                             tree, utils)
    except ImportError:
        NOT_TRIED.append("scikit-learn")
        return
    x, y = datasets.load_iris(return_X_y=True)
    for name, make in all_estimators():
        try:
            made = make()
        except TypeError:
            continue  # needs other estimators
        if name in ("GaussianProcessClassifier", "TheilSenRegressor", "SequentialFeatureSelector"):
            OBJECTS[f"sklearn {name}"] = made
            continue
        try:
            made.fit(np.abs(x[::5]), y[::5])
        except Exception:
            pass  # not for these data: an estimator without fit is honest too
        OBJECTS[f"sklearn {name}"] = made
    steps = pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC(probability=True))
    words = feature_extraction.text.TfidfVectorizer(stop_words="english")
    words.fit(["a cat sat", "the dog ran"])
    OBJECTS.update({
        "sklearn data": datasets.load_iris(),
        "sklearn pipeline": steps.fit(x, y),
        "sklearn words": words,
        "sklearn columns": compose.ColumnTransformer(
            [("a", preprocessing.OneHotEncoder(), [0]), ("b", "passthrough", [1])]).fit(x),
        "sklearn union": pipeline.FeatureUnion([("a", preprocessing.MinMaxScaler())]).fit(x),
        "sklearn search": model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(), {"max_depth": [2, 3]}, cv=2).fit(x, y),
        "sklearn random search": model_selection.RandomizedSearchCV(
            linear_model.Ridge(), {"alpha": [0.1, 1, 2]}, n_iter=2, cv=2).fit(x, y),
        "sklearn voting": ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier())]).fit(x, y),
        "sklearn stacking": ensemble.StackingClassifier(
            [("a", tree.DecisionTreeClassifier())], cv=2).fit(x, y),
        "sklearn forest": ensemble.RandomForestClassifier(100).fit(x, y),
        "sklearn boosting": ensemble.GradientBoostingClassifier(n_estimators=20).fit(x, y),
        "sklearn histogram boosting": ensemble.HistGradientBoostingClassifier(max_iter=300).fit(x, y),
        "sklearn function": preprocessing.FunctionTransformer(np.log1p).fit(x),
        "sklearn scorer": metrics.make_scorer(metrics.f1_score, average="macro"),
        "sklearn folds": [model_selection.KFold(3), model_selection.StratifiedKFold(2)],
        "sklearn tree": tree.DecisionTreeClassifier().fit(x, y).tree_,
        "sklearn neighbours": neighbors.KDTree(x),
        "sklearn ball tree": neighbors.BallTree(x),
    })


def joblib_files():
    try:
        import joblib
        import numpy as np
    except ImportError:
        NOT_TRIED.append("joblib")
        return
    value = {"a": np.arange(5000.0), "b": [np.ones((3, 4), order="F")], "c": "text"}
    for protocol in range(6):
        DUMPED[f"joblib-{protocol}.joblib"] = (
            lambda path, p=protocol: joblib.dump(value, path, protocol=p))
    for how in ("zlib", "gzip", "bz2", "lzma", "xz"):
        DUMPED[f"joblib.{how}.joblib"] = lambda path, h=how: joblib.dump(value, path, compress=(h, 3))


def torch_objects():
    try:
        import torch
    except ImportError:
        NOT_TRIED.append("torch")
        return
    layer = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    OBJECTS.update({
        "torch tensor": torch.randn(3, 4),
        "torch tensors of all kinds": [torch.arange(3), torch.ones(2).half(), torch.ones(2).bfloat16(),
                                       torch.tensor([True]), torch.tensor([1j])],
        "torch parameter": torch.nn.Parameter(torch.ones(3)),
        "torch size": torch.Size([1, 2]),
        "torch types": [torch.float32, torch.device("cpu"), torch.strided],
        "torch layer": layer,
        "torch model": torch.nn.Sequential(layer, torch.nn.ReLU(), torch.nn.Dropout(0.1)),
        "torch state": layer.state_dict(),
        "torch optimizer": optimizer,
        "torch schedule": torch.optim.lr_scheduler.StepLR(optimizer, 3),
        "torch one-cycle schedule": torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9),
        "torch generator": torch.Generator().get_state(),
        "torch sparse": torch.eye(3).to_sparse(),
        "torch dataset": torch.utils.data.TensorDataset(torch.ones(3, 2)),
        "torch transformer": torch.nn.TransformerEncoderLayer(8, 2, 16),
        "torch recurrent": torch.nn.LSTM(3, 4),
        "torch quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "torch functions": [torch.relu, torch.nn.functional.gelu, torch.sigmoid],
    })
    for new in (True, False):
        for name in ("torch layer", "torch state", "torch optimizer", "torch tensors of all kinds"):
            DUMPED[f"{name} {'zip' if new else 'legacy'}.pt"] = (
                lambda path, n=name, k=new: torch.save(
                    OBJECTS[n], path, _use_new_zipfile_serialization=k))


def image_objects():
    try:
        import PIL.Image
    except ImportError:
        NOT_TRIED.append("PIL")
        return
    OBJECTS["PIL image"] = PIL.Image.new("RGB", (3, 4))
    palette = PIL.Image.new("P", (3, 4))
    OBJECTS["PIL palette image"] = palette


def main():
    for collect in (standard_library, numpy_objects, pandas_objects, scipy_objects,
                    sklearn_objects, joblib_files, torch_objects, image_objects):
        collect()
    keep = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        folder = keep or folder
        os.makedirs(folder, exist_ok=True)
        names = {}
        for number, (name, value) in enumerate(OBJECTS.items()):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                try:
                    content = pickle.dumps(value, protocol)
                except Exception as error:
                    if protocol == 4:
                        print(f"not dumped: {name}: {error}")
                    continue
                path = f"{number:04}-{protocol}.pkl"
                with open(os.path.join(folder, path), "wb") as out:
                    out.write(content)
                names[path] = name
        for name, write in DUMPED.items():
            path = name.replace(" ", "-")
            write(os.path.join(folder, path))
            names[path] = name
        done = subprocess.run([PROGRAM, "scan", "--json", folder], capture_output=True, text=True)
        report = json.loads(done.stdout)
    worst = {}
    order = ["no-code", "weights-only-ok", "allow-listed", "needs-review", "malicious"]
    verdicts = collections.Counter()
    reasons = collections.defaultdict(collections.Counter)
    for file in report["files"]:
        name = names[file["path"]]
        verdicts[file["verdict"]] += 1
        worst[name] = max(worst.get(name, "no-code"), file["verdict"], key=order.index)
        if file["verdict"] in ("needs-review", "malicious"):
            for finding in file["findings"]:
                if finding["severity"] not in ("low", "info"):
                    reasons[name][f"{finding['rule']}: {finding['evidence'] or finding['message']}"[:150]] += 1
    by_library = collections.defaultdict(collections.Counter)
    for name, verdict in worst.items():
        library = name.split()[0].split("-")[0].split(".")[0]
        known = ("numpy", "pandas", "scipy", "sklearn", "joblib", "torch", "PIL")
        by_library[library if library in known else "python"][verdict] += 1
    print(f"{'objects of':12}" + "".join(f"{verdict:>17}" for verdict in order))
    for library, counts in by_library.items():
        print(f"{library:12}" + "".join(f"{counts[verdict]:17}" for verdict in order))
    for library in NOT_TRIED:
        print(f"{library:12}        not tried: it is not installed here")
    total = sum(verdicts.values())
    print(f"{len(worst)} objects in {total} files: "
          + ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in order))
    for name, why in reasons.items():
        print(worst[name], name)
        for reason, count in why.most_common(6):
            print(f"    {count} x {reason}")
    failed = verdicts["malicious"] > 0 or verdicts["needs-review"] > MOST_REVIEWS * total
    if len(worst) < 150 and not NOT_TRIED:
        print("fewer than 150 objects were made")
        failed = True
    if failed:
        print("FAILED: an honest file is malicious, or more than 3 of 100 need a review")
        sys.exit(1)


main()
