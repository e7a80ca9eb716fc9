// SPDX-License-Identifier: Apache-2.0
/// Rules about model folders and formats other than pickles.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{"folder-code", Severity::medium, "code beside the model",
         "It runs if a loader is asked to trust the folder.", "AML.T0011.000"},
    Rule{"hf-auto-map", Severity::medium,
         "the configuration names code of the folder",
         "It runs with trust_remote_code=True.", "AML.T0011.000"},
    Rule{"hf-foreign-code", Severity::high,
         "the configuration names code of another repository",
         "It is fetched and run with trust_remote_code=True, and may change at "
         "any time.",
         "AML.T0010.003"},
    Rule{"hf-trust-remote-code", Severity::high,
         "the configuration asks to run remote code",
         "A loader that passes it on runs code without asking.",
         "AML.T0011.000"},
    Rule{"hf-custom-pipeline", Severity::medium, "pipelines of its own",
         "They are code of the repository.", "AML.T0011.000"},
    Rule{"hf-hydra-target", Severity::medium, "an object to be called",
         "Hydra instantiates whatever it names (CVE-2025-23304).",
         "AML.T0011.000"},
};

}  // namespace

std::span<const Rule> model_rules() { return kRules; }

}  // namespace impound
