#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the samples that the tests of a peer make while they run.

usage: harvest.py fickling|modelscan CHECKOUT FOLDER

CHECKOUT is a copy of the peer's repository. fickling (Python 3.12): every pickle that its
tests judge, named by the test and by what they say of it. modelscan (NumPy and torch): what
its fixtures write; TensorFlow, Keras and dill are left out. Nothing of them is loaded.
"""

import hashlib
import importlib
import os
import pathlib
import sys
import types
import unittest
from unittest.mock import MagicMock

FICKLING_TESTS = ("test_bypasses", "test_pickle", "test_crashes", "test_analysis", "test_scan_api",
                  "test_expansion_attack_analysis", "test_scanner_deactivation_analysis")
MODELSCAN_FIXTURES = ("zip_file_path", "pytorch_file_path", "file_path", "numpy_file_path")
MISSING = ("aiohttp", "aiohttp.client", "tensorflow", "tensorflow.python",
           "tensorflow.python.ops", "tf_keras", "dill")


def fickling(checkout, folder):
    sys.path.insert(0, checkout)
    os.chdir(checkout)
    fickle = importlib.import_module("fickling.fickle")
    analysis = importlib.import_module("fickling.analysis")
    raw = {}
    present = [""]
    load, check = fickle.Pickled.load, analysis.check_safety

    def noting_load(data, *rest, **named):
        pickled = load(data, *rest, **named)
        if isinstance(data, (bytes, bytearray)):
            raw[id(pickled)] = (pickled, bytes(data))
        return pickled

    def noting_check(pickled, *rest, **named):
        result = check(pickled, *rest, **named)
        # dumps() writes frames anew: hostile ones are in what was loaded.
        data = raw[id(pickled)][1] if id(pickled) in raw else pickled.dumps()
        kind = "unsafe" if result.severity > analysis.Severity.LIKELY_SAFE else "safe"
        name = f"{present[0]}-{kind}-{hashlib.sha256(data).hexdigest()[:8]}.pkl"
        pathlib.Path(folder, name).write_bytes(data)
        return result

    class Naming(unittest.TestResult):
        def startTest(self, test):
            super().startTest(test)
            present[0] = test.id().split(".")[-1][:60]

    fickle.Pickled.load = staticmethod(noting_load)
    analysis.check_safety = noting_check
    for name in FICKLING_TESTS:
        module = importlib.import_module("test." + name)
        for each in list(sys.modules.values()):
            if vars(each).get("check_safety") is check:
                each.check_safety = noting_check
        unittest.defaultTestLoader.loadTestsFromModule(module).run(Naming())


class Stand(types.ModuleType):
    """In place of a library that is not here: has every name."""
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


def modelscan(checkout, folder):
    sys.path[:0] = [checkout, os.path.join(checkout, "tests")]
    for name in MISSING:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = Stand(name)
    session = type("ClientSession", (), {"__module__": "aiohttp.client"})
    for name in ("aiohttp", "aiohttp.client"):
        sys.modules[name].ClientSession = session
    pytest = Stand("pytest")
    pytest.fixture = lambda *rest, **named: rest[0] if rest else (lambda function: function)
    pytest.mark = types.SimpleNamespace(parametrize=lambda *rest, **named: (lambda function: function))
    sys.modules["pytest"] = pytest
    tests = importlib.import_module("test_modelscan")

    class Places:
        def mktemp(self, name):
            place = pathlib.Path(folder, name)
            place.mkdir(exist_ok=True)
            return place

    for name in MODELSCAN_FIXTURES:
        getattr(tests, name)(Places())
    for stood_in in pathlib.Path(folder).rglob("*.dill"):
        stood_in.unlink()


PEERS = {"fickling": fickling, "modelscan": modelscan}

if len(sys.argv) != 4 or sys.argv[1] not in PEERS:
    sys.exit(__doc__)
os.makedirs(sys.argv[3], exist_ok=True)
PEERS[sys.argv[1]](os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]))
