// SPDX-License-Identifier: Apache-2.0
#include "core/compare/meaning/config_meaning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/base/text.hpp"
#include "core/formats/chat/chat_template.hpp"

namespace impound {
namespace {

/// One value in a sentence, cut.
std::string shown(const Json& value) {
  constexpr std::size_t kMost = 120;
  std::string text = printable(dump_line(value));
  if (text.size() > kMost) {
    text = fmt::format("{}…", lossless_utf8(text.substr(0, kMost)));
  }
  return text;
}

/// What chat_template.hpp says is escaped in parts: escaped once, not twice.
std::string escaped_once(const std::string& text) {
  const bool is_plain = is_utf8(text) && printable(text) == lossless_utf8(text);
  return is_plain ? text : printable(text);
}

const Json& member(const Json& object, const char* key) {
  static const Json kNone = nullptr;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

/// A setting of generation_config.json and why a change of it matters.
struct Setting {
  const char* key;
  std::string_view removed;  ///< what it means that it is gone; may be empty
  std::string_view changed;  ///< what it means that it is new or other
};

constexpr std::array kGeneration = {
    Setting{"eos_token_id",
            "generation does not stop at an end token any more: answers run "
            "to the length limit (denial of service)",
            "another token ends an answer: the old one is written through"},
    Setting{"max_new_tokens", "answers have no length limit of their own",
            "answers have another length limit"},
    Setting{"max_length", "answers have no length limit of their own",
            "answers have another length limit"},
    Setting{"bad_words_ids", "nothing is kept from being written any more",
            "these tokens can never be written"},
    Setting{"suppress_tokens", "nothing is kept from being written any more",
            "these tokens can never be written"},
    Setting{"begin_suppress_tokens", "",
            "these tokens can never begin an answer"},
    Setting{"forced_bos_token_id", "", "every answer begins with this token"},
    Setting{"forced_eos_token_id", "",
            "an answer at its length limit ends with this token"},
    Setting{"forced_decoder_ids", "", "the first tokens are dictated"},
    Setting{"sequence_bias", "",
            "some texts are made likelier or unlikelier, whatever the model "
            "says"},
    Setting{"force_words_ids", "", "these words are written in every answer"},
    Setting{"decoder_start_token_id", "", "answers start from another token"},
    Setting{"temperature", "", "answers are more or less random"},
    Setting{"top_p", "", "answers are more or less random"},
    Setting{"top_k", "", "answers are more or less random"},
    Setting{"do_sample", "", "answers are (or are no longer) sampled"},
    Setting{"repetition_penalty", "", "repetition is punished differently"},
    Setting{"assistant_early_exit", "", "layers are skipped"},
};

std::string joined(const Json& list) {
  if (list.is_string()) return printable(list.get<std::string>());
  if (!list.is_array()) return shown(list);
  constexpr std::size_t kMost = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(list.size(), kMost); ++i) {
    text +=
        fmt::format("{}{}", i == 0 ? "" : ", ",
                    list[i].is_string()
                        ? printable(list[i].get<std::string>().substr(0, 80))
                        : shown(list[i]));
  }
  if (list.size() > kMost) {
    text += fmt::format(" and {} more", list.size() - kMost);
  }
  return text;
}

}  // namespace

void explain_generation(const Json& before, const Json& after,
                        FileMeaning& meaning) {
  for (const Setting& setting : kGeneration) {
    const Json& old = member(before, setting.key);
    const Json& now = member(after, setting.key);
    if (old == now) continue;
    const bool is_gone = now.is_null();
    const std::string_view why = is_gone ? setting.removed : setting.changed;
    meaning.notes.push_back(fmt::format(
        "{}: {} → {}{}{}", setting.key, old.is_null() ? "(none)" : shown(old),
        is_gone ? "(none)" : shown(now), why.empty() ? "" : ": ", why));
  }
}

std::string adapter_words(const Json& config) {
  const Json& type = member(config, "peft_type");
  std::string text = type.is_string()
                         ? printable(type.get<std::string>().substr(0, 40))
                         : std::string("adapter");
  const auto add = [&](const char* key, std::string_view words) {
    const Json& value = member(config, key);
    if (!value.is_null()) {
      text += fmt::format(", {} {}", words, joined(value));
    }
  };
  add("r", "r");
  add("lora_alpha", "alpha");
  add("target_modules", "on");
  add("modules_to_save", "and whole");
  add("base_model_name_or_path", "for");
  return text;
}

void explain_adapter(const Json& before, const Json& after,
                     FileMeaning& meaning) {
  const auto compare = [&](const char* key, std::string_view why) {
    const Json& old = member(before, key);
    const Json& now = member(after, key);
    if (old == now) return;
    meaning.notes.push_back(fmt::format(
        "{}: {} → {}: {}", key, old.is_null() ? "(none)" : joined(old),
        now.is_null() ? "(none)" : joined(now), why));
  };
  compare("base_model_name_or_path", "it is loaded onto another model");
  compare("r", "another rank: other tensors");
  compare("lora_alpha", "the same tensors weigh more or less");
  compare("target_modules", "it changes other parts of the model");
  compare("modules_to_save", "whole parts are replaced, not adapted");
  compare("auto_mapping", "it names code that is imported");
}

std::vector<std::string> template_notes(std::string_view before,
                                        std::string_view after) {
  std::vector<std::string> notes;
  const TemplateReport old = analyse_chat_template(before);
  const TemplateReport now = analyse_chat_template(after, before);
  std::set<std::string> known;
  for (const TemplateCondition& each : old.conditions) {
    known.insert(each.condition);
  }
  for (const TemplateFinding& each : old.findings) known.insert(each.evidence);
  constexpr std::size_t kMost = 20;
  for (const TemplateCondition& each : now.conditions) {
    if (known.contains(each.condition) || each.writes.empty()) continue;
    known.insert(describe(each));
    if (notes.size() < kMost) notes.push_back(escaped_once(describe(each)));
  }
  for (const TemplateFinding& each : now.findings) {
    if (known.contains(each.evidence) || notes.size() >= kMost) continue;
    const std::string note =
        fmt::format("{}: {}", escaped_once(each.problem.message),
                    escaped_once(each.evidence));
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
      notes.push_back(note);
    }
  }
  return notes;
}

FileMeaning explain_config(std::string_view name, const Json& before,
                           const Json& after) {
  FileMeaning meaning;
  if (name == "generation_config.json") {
    explain_generation(before, after, meaning);
  } else if (name == "adapter_config.json") {
    explain_adapter(before, after, meaning);
  } else if (name == "tokenizer.json" || name == "vocab.json" ||
             name == "added_tokens.json") {
    explain_tokenizer(before, after, meaning);
  } else if (name == "tokenizer_config.json" ||
             name == "special_tokens_map.json") {
    explain_special_tokens(before, after, meaning);
  }
  return meaning;
}

}  // namespace impound
