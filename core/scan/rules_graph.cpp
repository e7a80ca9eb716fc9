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
};

}  // namespace

std::span<const Rule> graph_rules() { return kRules; }

}  // namespace impound
