// SPDX-License-Identifier: Apache-2.0
/// Rules about what stands between a user's words and the model: tokenizers,
/// settings of generation, adapters, and code files of a model folder.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{
        "tokenizer-rewrite", Severity::high,
        "a tokenizer that writes words of its own",
        "What the model reads, or what the user sees, is not what was written.",
        "AML.T0018.001"},
    Rule{"tokenizer-removal", Severity::medium,
         "a tokenizer that takes words away",
         "The model never sees them: a refusal or a warning can be cut out.",
         "AML.T0018.001"},
    Rule{"tokenizer-token-text", Severity::medium,
         "a token that is a sentence or an address",
         "One number makes the model say all of it.", "AML.T0018.001"},
    Rule{"tokenizer-invisible-token", Severity::medium,
         "a token with characters that cannot be seen",
         "People who read the text do not see what the model sees.",
         "AML.T0068"},
    Rule{"tokenizer-duplicate-id", Severity::medium,
         "one number for two tokens, or two for one",
         "A token stands for another one: words are swapped unseen.",
         "AML.T0018.001"},
    Rule{"tokenizer-end-word", Severity::medium,
         "an ordinary word that ends the answer",
         "Answers are cut off, or never end.", "AML.T0029"},
    Rule{"hf-generation-no-end", Severity::medium, "generation without an end",
         "Answers run on to the limit: every request costs the most it can.",
         "AML.T0034"},
    Rule{"hf-generation-suppressed-end", Severity::medium,
         "the end of an answer is forbidden",
         "Answers run on to the limit: every request costs the most it can.",
         "AML.T0034"},
    Rule{"hf-generation-unbounded", Severity::medium,
         "more tokens than any answer needs",
         "One request can hold the machine for hours.", "AML.T0034"},
    Rule{"hf-generation-forced", Severity::medium,
         "words that the model is made to say",
         "They appear in answers whatever was asked.", "AML.T0018.001"},
    Rule{"hf-hub-kernel", Severity::medium,
         "native code fetched from another repository",
         "It is downloaded and loaded when the model is.", "AML.T0010.003"},
    Rule{"hf-adapter-base", Severity::low, "an adapter with a base of its own",
         "Loading takes the base model from where the author says.",
         "AML.T0010.003"},
    Rule{"hf-adapter-code", Severity::medium,
         "an adapter that needs a foreign library",
         "Loading imports it by name.", "AML.T0011.000"},
    Rule{"hf-adapter-modules", Severity::low,
         "an adapter that replaces whole modules",
         "It can change any token, which a low rank could not.", ""},
    Rule{"code-dangerous", Severity::high,
         "Python code that runs programs, other code or the network",
         "It does so when the folder is trusted, or at import.",
         "AML.T0011.000"},
    Rule{"code-import-effect", Severity::critical,
         "Python code that does so when it is only imported",
         "No model has to be built for it: the import is enough.",
         "AML.T0011.000"},
    Rule{"requirements-source", Severity::medium,
         "packages from a place of the author's choice",
         "Installing them runs code from there.", "AML.T0010.001"},
};

}  // namespace

std::span<const Rule> tokenizer_rules() { return kRules; }

}  // namespace impound
