// SPDX-License-Identifier: Apache-2.0
// rooms: lua
/// What a playbook's child process may send: any bytes are either a message
/// whose declarations and calls can be judged, or are refused with Error.

#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "lua/host/call_check.hpp"
#include "lua/host/child_message.hpp"
#include "lua/host/field_lines.hpp"
#include "lua/host/literal_calls.hpp"
#include "lua/host/playbook_host.hpp"
#include "lua/host/playbook_schema.hpp"

namespace {

void judge(const impound::lua::ChildMessage& message) {
  using namespace impound::lua;
  if (message.kind == ChildMessage::Kind::call) {
    const CallRule* rule = find_call_rule(message.function);
    if (rule == nullptr) return;
    const HostCall call{.function = rule->function,
                        .step = "fuzz",
                        .arguments = check_arguments(*rule, message.arguments),
                        .at = message.at};
    static_cast<void>(call_sha256(call));
    static_cast<void>(plan_from_arguments(call));
    return;
  }
  const LoadResult result =
      apply_schema("/fuzz/fuzz", {}, message.declared, message.line);
  if (!result.playbook) return;
  static_cast<void>(pedantic_problems(*result.playbook, message.line));
  static_cast<void>(arguments_for(*result.playbook, message.setup,
                                  impound::Spelling::values, 0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text =
      impound::as_text(std::as_bytes(std::span(data, size)));
  static_cast<void>(impound::lua::field_lines(text, 0));
  impound::lua::LoadedPlaybook playbook;
  playbook.sources["playbook.lua"] = text;
  static_cast<void>(impound::lua::literal_problems(playbook, {}));
  try {
    judge(impound::lua::decode_child_message(text));
  } catch (const impound::Error&) {
    return 0;  // refused: the expected answer to most inputs
  }
  return 0;
}
