// SPDX-License-Identifier: Apache-2.0
/// Rules about bytes that have no business in a model.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{"content-executable", Severity::high, "a program within the file",
         "A model needs none: a dropper, or a payload to be unpacked.",
         "AML.T0018.002"},
    Rule{"content-script", Severity::medium, "the file begins as a script",
         "Made executable it runs as a program.", "AML.T0018.002"},
    Rule{"content-private-key", Severity::high, "a private key",
         "Whoever has the model has the key.", "AML.T0055"},
    Rule{"content-secret", Severity::high, "a credential",
         "Whoever has the model can use it.", "AML.T0055"},
    Rule{"file-unread", Severity::medium, "a part could not be read",
         "What it would do was not decided.", ""},
    Rule{"file-findings-cut", Severity::medium, "more findings than are listed",
         "The gravest are listed.", ""},
};

}  // namespace

std::span<const Rule> content_rules() { return kRules; }

}  // namespace impound
