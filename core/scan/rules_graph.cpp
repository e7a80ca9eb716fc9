// SPDX-License-Identifier: Apache-2.0
/// Rules about models that are graphs of operators: ONNX, Keras, TensorFlow.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{"onnx-malformed", Severity::high, "bytes that are no protobuf field",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"onnx-depth", Severity::high, "graphs nested too deep",
         "A reader that recurses runs out of stack.", "AML.T0076"},
    Rule{"onnx-count", Severity::high, "more tensors than are read",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"onnx-shape", Severity::high, "a shape that overflows",
         "Readers in C that trust the number read or write outside of their "
         "memory.",
         "AML.T0076"},
    Rule{"onnx-tensor-size", Severity::medium,
         "bytes that do not fit type and shape",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"onnx-external", Severity::high,
         "data in another file that does not fit",
         "It takes bytes that are not its own, or too few.", "AML.T0076"},
    Rule{"onnx-external-path", Severity::critical,
         "data outside of the model folder",
         "Loading reads any file the user may read (CVE-2022-25882, "
         "CVE-2024-27318).",
         "AML.T0011.000"},
    Rule{"onnx-external-missing", Severity::medium,
         "data in another file that is not there",
         "The model cannot be examined whole.", ""},
    Rule{"onnx-external-link", Severity::high, "data behind a link",
         "Loading reads what the link leads to, wherever that is.",
         "AML.T0011.000"},
    Rule{"onnx-external-alias", Severity::medium,
         "data in a file with several names",
         "A hard link leads out of the folder unseen.", "AML.T0011.000"},
    Rule{
        "onnx-custom-domain", Severity::medium, "operators of a foreign domain",
        "They need a native library that somebody must load.", "AML.T0011.000"},
    Rule{"onnx-python-operator", Severity::high, "an operator that runs Python",
         "Whoever registers it runs code of the model author.",
         "AML.T0011.000"},
    Rule{"keras-lambda", Severity::critical, "a Lambda layer",
         "It runs Python that the file carries or names (CVE-2024-3660, "
         "CVE-2025-9905).",
         "AML.T0011.000"},
    Rule{"keras-module", Severity::high, "a module that is no part of Keras",
         "Loading imports and calls it (CVE-2025-1550).", "AML.T0011.000"},
    Rule{"keras-gadget", Severity::critical,
         "a function of Keras that reaches files",
         "Loading calls it with arguments of the author (CVE-2025-8747, "
         "CVE-2025-12638).",
         "AML.T0011.000"},
    Rule{"keras-unsafe-deserialization", Severity::critical,
         "safe mode turned off from within",
         "All that follows runs unchecked (CVE-2025-9906).", "AML.T0011.000"},
    Rule{"keras-torch-module", Severity::critical, "a pickled PyTorch module",
         "It is unpickled without a check (CVE-2025-49655).", "AML.T0011.000"},
    Rule{"keras-foreign-model", Severity::high, "another model loaded by path",
         "What runs is not what was examined.", "AML.T0011.000"},
    Rule{"keras-custom-object", Severity::medium,
         "an object that is not of Keras",
         "Loading needs code that came with the model.", "AML.T0011.000"},
    Rule{"keras-vocabulary-file", Severity::medium,
         "a vocabulary read from a file or an address",
         "Loading reads a file or fetches an address, even in safe mode "
         "(CVE-2025-12058).",
         "AML.T0011.000"},
    Rule{"keras-path", Severity::high, "a name that leaves its folder",
         "Saving or loading writes elsewhere (CVE-2026-12479).",
         "AML.T0011.000"},
    Rule{"keras-heuristic", Severity::medium,
         "words of a dangerous Keras configuration",
         "Found by searching, not by reading: the configuration could not be "
         "parsed.",
         "AML.T0011.000"},
    Rule{"hdf5-malformed", Severity::medium,
         "HDF5 structures that cannot be read",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"hdf5-too-large", Severity::medium,
         "more in an HDF5 file than is walked",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"hdf5-shape", Severity::high, "a shape that the file cannot fill",
         "A loader allocates without bound (CVE-2026-0897).", "AML.T0076"},
    Rule{"hdf5-external", Severity::high, "HDF5 data in another file",
         "Loading reads any file the user may read.", "AML.T0011.000"},
};

}  // namespace

std::span<const Rule> graph_rules() { return kRules; }

}  // namespace impound
