// SPDX-License-Identifier: Apache-2.0
#include "core/scan/hf_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/text.hpp"
#include "core/scan/token_text.hpp"

namespace impound {
namespace {

/// No model answers with more; the largest windows have ten million.
constexpr double kMaxNewTokens = 1e6;
constexpr double kMaxLength = 2e7;
/// Whisper forces four tokens: language, task, times.
constexpr std::size_t kMaxForced = 8;

void add(ScanContext& context, std::string_view rule, Severity severity,
         const std::string& where, std::string message, const Json& evidence) {
  context.report(rule, severity, where, std::move(message),
                 printable(dump_line(evidence).substr(0, 1024)));
}

/// One number or a list of them.
std::vector<std::int64_t> numbers(const Json& value) {
  std::vector<std::int64_t> out;
  const auto take = [&](const Json& each) {
    if (each.is_number_integer()) out.push_back(each.get<std::int64_t>());
  };
  if (value.is_array()) {
    for (const Json& each : value) take(each);
  } else {
    take(value);
  }
  return out;
}

/// Words that may not be said, each a list of tokens: those of one token.
std::vector<std::int64_t> single_words(const Json& lists) {
  std::vector<std::int64_t> out;
  if (!lists.is_array()) return out;
  for (const Json& each : lists) {
    const std::vector<std::int64_t> word = numbers(each);
    if (each.is_array() && word.size() == 1) out.push_back(word[0]);
  }
  return out;
}

void report_end(ScanContext& context, const Json& json) {
  const auto end = json.find("eos_token_id");
  if (end == json.end()) return;
  const std::vector<std::int64_t> ids = numbers(*end);
  const bool has_one =
      std::any_of(ids.begin(), ids.end(), [](auto id) { return id >= 0; });
  if (!has_one) {
    add(context, "hf-generation-no-end", Severity::medium, "eos_token_id",
        "no token ends an answer", *end);
    return;
  }
  for (const char* const key : {"suppress_tokens", "bad_words_ids"}) {
    const auto list = json.find(key);
    if (list == json.end()) continue;
    const std::vector<std::int64_t> never =
        std::string_view(key) == "suppress_tokens" ? numbers(*list)
                                                   : single_words(*list);
    const bool is_all = std::all_of(ids.begin(), ids.end(), [&](auto id) {
      return std::find(never.begin(), never.end(), id) != never.end();
    });
    if (is_all) {
      add(context, "hf-generation-suppressed-end", Severity::medium, key,
          fmt::format("the token that ends an answer, {}, is never said",
                      ids.front()),
          *end);
    }
  }
}

}  // namespace

void report_generation(ScanContext& context, const Json& json) {
  if (!json.is_object()) return;
  report_end(context, json);
  const auto above = [&](const char* key, double most) {
    const auto value = json.find(key);
    if (value == json.end() || !value->is_number() ||
        value->get<double>() <= most) {
      return;
    }
    add(context, "hf-generation-unbounded", Severity::medium, key,
        "allows more tokens than any answer needs", *value);
  };
  for (const char* const key : {"max_new_tokens", "min_new_tokens"}) {
    above(key, kMaxNewTokens);
  }
  for (const char* const key : {"max_length", "min_length"}) {
    above(key, kMaxLength);
  }
  for (const char* const key :
       {"force_words_ids", "sequence_bias", "forced_decoder_ids"}) {
    const auto value = json.find(key);
    if (value == json.end() || !value->is_structured() || value->empty()) {
      continue;
    }
    if (std::string_view(key) == "forced_decoder_ids" &&
        value->size() <= kMaxForced) {
      continue;
    }
    add(context, "hf-generation-forced", Severity::medium, key,
        "decides words of every answer", *value);
  }
}

void report_adapter(ScanContext& context, const Json& json) {
  const auto base = json.find("base_model_name_or_path");
  if (base != json.end() && base->is_string()) {
    const auto path = base->get<std::string>();
    const bool is_address = path.find("://") != std::string::npos;
    // Trainers write the path on their own disk; it is odd, not hostile.
    if (is_address || path.starts_with('/') ||
        path.find("..") != std::string::npos ||
        path.find('\\') != std::string::npos) {
      add(context, "hf-adapter-base",
          is_address ? Severity::medium : Severity::low,
          "base_model_name_or_path",
          is_address ? "the base model is fetched from an address"
                     : "the base model is a path of the machine it was made on",
          *base);
    }
  }
  const auto mapping = json.find("auto_mapping");
  if (mapping != json.end() && mapping->is_object()) {
    const std::string library = text_or(*mapping, "parent_library", "");
    const std::string root = library.substr(0, library.find('.'));
    if (!library.empty() && root != "transformers" && root != "diffusers" &&
        root != "peft" && root != "sentence_transformers" && root != "timm") {
      add(context, "hf-adapter-code", Severity::medium,
          "auto_mapping.parent_library",
          "the base class is imported from a library of the author's choice",
          *mapping);
    }
  }
  const auto modules = json.find("modules_to_save");
  if (modules != json.end() && modules->is_array() && !modules->empty()) {
    add(context, "hf-adapter-modules", Severity::low, "modules_to_save",
        "replaces whole modules of the base model", *modules);
  }
}

void report_kernel(ScanContext& context, const std::string& where,
                   const Json& value) {
  if (!value.is_string()) return;
  const auto name = value.get<std::string>();
  if (name.find('/') == std::string::npos) return;
  add(context, "hf-hub-kernel", Severity::medium, where,
      "attention is computed by native code of another repository", value);
}

}  // namespace impound
