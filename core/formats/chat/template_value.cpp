// SPDX-License-Identifier: Apache-2.0
#include "core/formats/chat/template_value.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/text.hpp"

namespace impound::flow {

void add_unique(std::vector<std::size_t>& into,
                const std::vector<std::size_t>& more) {
  for (const std::size_t one : more) {
    if (std::ranges::find(into, one) == into.end()) into.push_back(one);
  }
}

void add_unique(std::vector<std::string>& into,
                const std::vector<std::string>& more) {
  for (const std::string& one : more) {
    if (into.size() >= kMaxLiterals) return;
    if (std::ranges::find(into, one) == into.end()) into.push_back(one);
  }
}

void merge(Value& into, const Value& more) {
  into.origin |= more.origin;
  add_unique(into.literals, more.literals);
  add_unique(into.conditions, more.conditions);
  add_unique(into.whose, more.whose);
  into.is_function_of_literals |= more.is_function_of_literals;
  for (const Fragment& fragment : more.fragments) {
    if (into.fragments.size() >= kMaxFragments) break;
    const bool known =
        std::ranges::any_of(into.fragments, [&](const Fragment& have) {
          return have.text == fragment.text &&
                 have.conditions == fragment.conditions;
        });
    if (!known) into.fragments.push_back(fragment);
  }
}

bool is_markup(std::string_view literal) {
  const std::string_view text = trim(literal);
  if (text.empty()) return true;
  // A marker stands at an end: "<tool_response>", "[/INST]", "/think", "###".
  static constexpr std::string_view kMarks = "<>[]{}/|#`*_=\\\"'";
  if (kMarks.find(text.front()) != std::string_view::npos ||
      kMarks.find(text.back()) != std::string_view::npos) {
    return true;
  }
  return std::ranges::none_of(text, [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

bool is_part_key(std::string_view literal) {
  static constexpr std::array<std::string_view, 22> kKeys = {
      "text",           "image",
      "image_url",      "video",
      "video_url",      "audio",
      "audio_url",      "input_audio",
      "input_image",    "input_text",
      "type",           "content",
      "thinking",       "reasoning",
      "tool_result",    "tool_use",
      "tool_reference", "file",
      "document",       "output_text",
      "refusal",        "image_placeholder"};
  return std::ranges::find(kKeys, literal) != kKeys.end();
}

}  // namespace impound::flow
