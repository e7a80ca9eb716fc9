// SPDX-License-Identifier: Apache-2.0
/// Rules about GGUF files and chat templates.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{"gguf-magic", Severity::high, "no GGUF magic",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"gguf-version", Severity::high, "an unknown version of GGUF",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"gguf-big-endian", Severity::low, "written big-endian",
         "Loaders on ordinary machines refuse it.", ""},
    Rule{"gguf-truncated", Severity::high, "the file ends too early",
         "Readers in C that trust the number read or write outside of their "
         "memory.",
         "AML.T0076"},
    Rule{"gguf-count", Severity::critical,
         "more entries than the file can hold",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2025-53630, CVE-2026-27940)",
         "AML.T0076"},
    Rule{"gguf-string-length", Severity::critical,
         "a text longer than the file",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2024-21802)",
         "AML.T0076"},
    Rule{"gguf-long-text", Severity::medium,
         "a text too long to be looked at whole", "Its end is not examined.",
         "AML.T0076"},
    Rule{"gguf-duplicate-key", Severity::high, "a key twice",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-key", Severity::medium, "a key that the format does not allow",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-value-type", Severity::high, "an unknown type of value",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"gguf-bool", Severity::medium, "a truth value other than 0 and 1",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-array-type", Severity::high, "an array that readers refuse",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"gguf-array-length", Severity::critical,
         "an array longer than the file",
         "Readers in C that trust the number read or write outside of their "
         "memory.",
         "AML.T0076"},
    Rule{"gguf-token-length", Severity::high, "a token of absurd length",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2025-49847)",
         "AML.T0076"},
    Rule{"gguf-alignment", Severity::high,
         "an alignment that is no power of two",
         "Readers in C that trust the number read or write outside of their "
         "memory.",
         "AML.T0076"},
    Rule{"gguf-tensor-name", Severity::medium,
         "a tensor name that the format does not allow",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-duplicate-tensor", Severity::high, "a tensor twice",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-dimensions", Severity::critical, "more than four dimensions",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2024-21802)",
         "AML.T0076"},
    Rule{"gguf-shape", Severity::critical,
         "a shape that overflows or fills no blocks",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2026-7482)",
         "AML.T0076"},
    Rule{"gguf-tensor-type", Severity::high, "an unknown type of tensor",
         "What follows cannot be looked at.", "AML.T0076"},
    Rule{"gguf-tensor-offset", Severity::high, "a tensor where none should lie",
         "Readers differ in what they make of it, or something is hidden.",
         "AML.T0076"},
    Rule{"gguf-tensor-outside", Severity::critical,
         "a tensor outside of the file",
         "Readers in C that trust the number read or write outside of their "
         "memory. (CVE-2026-7482)",
         "AML.T0076"},
    Rule{"gguf-padding", Severity::medium, "padding that is not zero",
         "Room that no reader looks at holds something.", "AML.T0018.002"},
    Rule{"gguf-trailing-bytes", Severity::high, "bytes behind the tensors",
         "Room that no reader looks at holds something.", "AML.T0018.002"},
    Rule{"gguf-vocabulary", Severity::high,
         "lists of the vocabulary differ in length",
         "Readers in C that trust the number read or write outside of their "
         "memory.",
         "AML.T0076"},
    Rule{"template-code", Severity::critical,
         "a chat template reaches for Python",
         "Rendered without a sandbox it runs code with every prompt "
         "(CVE-2024-34359).",
         "AML.T0011.000"},
    Rule{"template-load", Severity::high, "a chat template loads another file",
         "What it loads is not part of what was examined.", "AML.T0011.000"},
    Rule{"template-unknown-function", Severity::low,
         "a chat template calls something unusual",
         "Only some programs offer it.", ""},
    Rule{"template-too-complex", Severity::high,
         "a chat template too tangled to follow",
         "No honest template needs this; what it does was not decided.",
         "AML.T0051"},
    Rule{"template-rewrites-content", Severity::high,
         "a chat template rewrites what users wrote",
         "The model is asked something else than the user asked.", "AML.T0051"},
    Rule{"template-clock", Severity::high, "a chat template acts by the date",
         "It behaves on the day of a test and otherwise later.", "AML.T0018"},
    Rule{"template-random", Severity::high, "a chat template acts by chance",
         "Tests do not see what it does to others.", "AML.T0018"},
    Rule{"template-turn-trigger", Severity::medium,
         "a chat template acts by the length of the conversation",
         "Short tests do not see what it does later.", "AML.T0018"},
    Rule{"template-content-trigger", Severity::high,
         "a chat template writes text when a message contains something",
         "A backdoor: whoever writes the trigger changes what the model is "
         "told.",
         "AML.T0018"},
    Rule{"template-word-condition", Severity::medium,
         "a chat template looks for words in messages",
         "It takes another way for some messages than for others.",
         "AML.T0018"},
    Rule{"template-link", Severity::medium,
         "an address or HTML in the text of a chat template",
         "The model is led to repeat it to users.", "AML.T0051"},
    Rule{"template-hidden-characters", Severity::medium,
         "invisible characters in a chat template",
         "A reader sees another template than the model.", "AML.T0051"},
    Rule{"template-new-text", Severity::high,
         "text that the baseline does not have",
         "Instructions were added to every prompt.", "AML.T0018"},
    Rule{"jinja-syntax", Severity::medium, "a template that cannot be parsed",
         "What it does could not be decided.", ""},
    Rule{"jinja-unclosed", Severity::medium,
         "a template that ends in the middle",
         "What it does could not be decided.", ""},
    Rule{"jinja-too-large", Severity::high,
         "a template too large to be analysed",
         "What it does could not be decided.", "AML.T0051"},
};

}  // namespace

std::span<const Rule> template_rules() { return kRules; }

}  // namespace impound
