// SPDX-License-Identifier: Apache-2.0
/// Stand-ins for plan mode: what a call would do, from its arguments alone.

#include "core/base/text.hpp"
#include "lua/host/playbook_host.hpp"
#include "lua/host/value_words.hpp"

namespace impound::lua {
namespace {

/// An exhibit that does not exist: real ones begin with E001.
constexpr const char* kPlannedExhibit = "E000";

std::string argument(const HostCall& call, std::string_view key) {
  return printable(text_or(call.arguments, key, ""));
}

std::string with_arguments(const HostCall& call) {
  const Json& arguments = call.arguments["arguments"];
  if (arguments.empty()) return "";
  return " with " + value_words(arguments);
}

}  // namespace

PlannedCall plan_from_arguments(const HostCall& call) {
  const std::string& function = call.function;
  if (function == "collect") {
    return {Json{{"exhibit", kPlannedExhibit},
                 {"items", 0},
                 {"bytes", 0},
                 {"gaps", 0},
                 {"gap_list", Json::array()},
                 {"empty_handed", false},
                 {"outcome", "ok"}},
            "Would collect " + argument(call, "collector") +
                with_arguments(call) + "."};
  }
  if (function == "items") {
    return {Json{{"items", Json::array()}, {"next", nullptr}}, ""};
  }
  if (function == "read") return {Json{{"base64", ""}}, ""};
  if (function == "contain") {
    return {Json{{"contained", true},
                 {"method", argument(call, "method")},
                 {"reason", ""},
                 {"end", "applied"},
                 {"measured", "contained"},
                 {"why", "stand-in of a plan"},
                 {"probes", Json::array()}},
            "Would contain the deployment by " + argument(call, "method") +
                with_arguments(call) + "."};
  }
  if (function == "release") {
    return {
        Json{{"released", true}, {"reason", ""}, {"results", Json::array()}},
        "Would release the deployment: " + argument(call, "reason") + "."};
  }
  if (function == "probe") {
    return {Json{{"contained", false},
                 {"measured", "unknown"},
                 {"why", "stand-in of a plan"},
                 {"probes", Json::array()}},
            "Would ask the probes of the deployment."};
  }
  if (function == "served") {
    return {Json{{"tie", "tied"},
                 {"sentence", "only planned, nothing was looked at"},
                 {"pids", Json::array()},
                 {"weights", Json::array()},
                 {"files", Json::array()},
                 {"accelerators", Json::array()},
                 {"unknowns", Json::array()}},
            "Would find out which model files the serving process holds, and "
            "whether they are those that the descriptor names."};
  }
  if (function == "diff") {
    return {Json{{"identical", true},
                 {"files", Json::array({Json{{"path", "model.safetensors"},
                                             {"status", "identical"}}})},
                 {"tensors", Json::array({Json{{"name", "weight"},
                                               {"status", "identical"},
                                               {"dtype", "F32"},
                                               {"shape", Json::array({1})}}})},
                 {"metadata", Json::array()},
                 {"scope", "whole"},
                 {"compared", Json{{"files", 1},
                                   {"files_total", 1},
                                   {"tensors", 1},
                                   {"tensors_total", 1},
                                   {"words", "1 of 1 file, 1 of 1 tensor"}}}},
            "Would compare " + argument(call, "a") + " with " +
                argument(call, "b") + "."};
  }
  if (function == "load_baseline") {
    const std::string path = argument(call, "path");
    return {Json{{"path", path},
                 {"name", ""},
                 {"kind", "model"},
                 {"weights", 1},
                 {"files", Json::array()},
                 {"signature", "absent"},
                 {"sentence", "only planned, nothing was read"}},
            path.empty() ? "Would read the deployment's baseline."
                         : "Would read the baseline " + path + "."};
  }
  if (function == "verify") {
    return {Json{{"ok", true}, {"problems", Json::array()}},
            "Would verify " + argument(call, "exhibit") + "."};
  }
  if (function == "verify_signature") {
    return {Json{{"ok", true},
                 {"verdict", "verified"},
                 {"signature_state", "valid"},
                 {"signer", ""},
                 {"reason", "only planned, nothing was verified"},
                 {"mismatch", Json::array()},
                 {"not_verified", Json::array()},
                 {"differences", Json::array()},
                 {"unsigned_files", Json::array()},
                 {"findings", Json::array()}},
            "Would verify the signature of " + argument(call, "subject") + "."};
  }
  if (function == "scan") {
    return {Json{{"verdict", "no-code"},
                 {"complete", true},
                 {"files", Json::array()},
                 {"problems", Json::array()}},
            "Would scan " + argument(call, "subject") +
                " for what runs when it is loaded."};
  }
  if (function == "finding") {
    return {Json{{"finding", "F000"}},
            "May record: " + argument(call, "title") + "."};
  }
  if (function == "note") return {Json::object(), "Would record a note."};
  if (function == "gap") {
    return {Json::object(),
            "May record a gap: " + argument(call, "subject") + "."};
  }
  if (function == "ask") {
    const Json& choices = call.arguments.contains("choices")
                              ? call.arguments["choices"]
                              : Json::array();
    // The plan shows what would happen if people agree.
    std::string answer = call.arguments.contains("approves")
                             ? "yes"
                             : text_or(call.arguments, "default", "");
    if (answer.empty() && !choices.empty()) {
      answer = choices.front().get<std::string>();
    }
    return {Json{{"answer", answer}, {"by", "plan"}, {"at", ""}},
            "Would ask: " + argument(call, "question")};
  }
  return {Json::object(), "Would call " + function + "."};
}

}  // namespace impound::lua
