// SPDX-License-Identifier: Apache-2.0
/// Rules about code in pickles.

#include <array>

#include "core/scan/rule_catalogue.hpp"

namespace impound {
namespace {

constexpr std::array kRules{
    Rule{"pickle-dangerous-call", Severity::critical,
         "a dangerous function would be called",
         "Loading the file runs this call with these arguments.",
         "AML.T0011.000"},
    Rule{"pickle-dangerous-import", Severity::critical,
         "a dangerous name is imported",
         "Importing is enough for side effects, and a name in hand can be "
         "called by other means.",
         "AML.T0011.000"},
    Rule{"pickle-dotted-name", Severity::critical,
         "a name reaches through a module",
         "Protocol 4 resolves dots after importing, so pathlib's os.system is "
         "os.system: a way around deny-lists.",
         "AML.T0011.000"},
    Rule{"pickle-private-name", Severity::medium,
         "a private name that no list allows",
         "Private names are where gadgets live; nobody vouched for this one.",
         "AML.T0011.000"},
    Rule{"pickle-computed-import", Severity::critical,
         "the name to import is computed",
         "What is imported cannot be read off the file; writers never do this.",
         "AML.T0011.000"},
    Rule{"pickle-computed-call", Severity::high,
         "the result of a call is called",
         "Which function runs depends on what another one returns.",
         "AML.T0011.000"},
    Rule{"pickle-build-on-import", Severity::critical,
         "attributes of an imported object are replaced",
         "It changes a class or function of the loading program itself.",
         "AML.T0011.000"},
    Rule{"pickle-constructor", Severity::medium,
         "a known name is called in a way that nobody vouched for",
         "Kept, or made without its constructor, it does nothing; called with "
         "these arguments it may.",
         "AML.T0011.000"},
    Rule{"pickle-unknown-call", Severity::medium,
         "a function on no list would be called",
         "Nobody vouched for what it does with these arguments.",
         "AML.T0011.000"},
    Rule{"pickle-unknown-import", Severity::medium,
         "a name on no list is imported",
         "Importing runs the module; nobody vouched for it.", "AML.T0011.000"},
    Rule{"pickle-extension", Severity::high, "an extension code is resolved",
         "It stands for whatever the loading program registered.",
         "AML.T0011.000"},
    Rule{"pickle-persistent-id", Severity::medium,
         "an unexpected persistent id",
         "What it does is up to the loading program.", "AML.T0011.000"},
    Rule{"pickle-broken", Severity::medium, "the stream breaks off",
         "What was imported and called before has already run: a broken file "
         "is no protection.",
         "AML.T0076"},
    Rule{"pickle-resumed", Severity::medium,
         "a pickle behind bytes that are none",
         "Something reads it that knows where it is.", "AML.T0076"},
    Rule{"pickle-stacked", Severity::low, "several pickles in a row",
         "A scanner that stops at the first one misses the others.", ""},
    Rule{"pickle-trailing", Severity::medium, "bytes behind the last pickle",
         "A place to hide something.", "AML.T0076"},
    Rule{"pickle-frame", Severity::medium, "a frame that does not fit",
         "Unpicklers differ in how they read on: a way around scanners.",
         "AML.T0076"},
    Rule{"pickle-loaders-differ", Severity::medium,
         "one unpickler goes on where another one stops",
         "The C and the Python unpickler read it differently: a way around "
         "scanners, which no writer takes.",
         "AML.T0076"},
    Rule{"pickle-protocol-change", Severity::medium,
         "the protocol changes in mid-stream",
         "It changes how names are looked up.", "AML.T0076"},
    Rule{"pickle-stack-left", Severity::low, "values are left on the stack",
         "No writer does this; it was made by hand.", ""},
    Rule{"pickle-limit", Severity::medium, "a limit of the machine was reached",
         "The rest was not decided.", "AML.T0029"},
    Rule{"pickle-expansion", Severity::medium,
         "a small stream builds a huge object",
         "It can exhaust whoever walks or prints it.", "AML.T0029"},
    Rule{"pickle-storage-lookalike", Severity::low,
         "a name that torch takes for a storage type",
         "Torch does not import it, other unpicklers do.", ""},
};

}  // namespace

std::span<const Rule> pickle_rules() { return kRules; }

}  // namespace impound
