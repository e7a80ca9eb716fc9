// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/redaction.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

/// A flag of one letter is no value of the option before it.
bool is_flag(std::string_view word) {
  return word.starts_with("--") || (word.starts_with('-') && word.size() <= 2);
}

}  // namespace

Redactor::Redactor() : salt_(random_bytes(32)) {}

std::string Redactor::commit(std::string_view value, SecretRule rule,
                             std::string_view name, std::string_view where) {
  Sha256 hash;
  hash.update(salt_);
  hash.update(as_bytes(value));
  const std::string hex = hash.finish().hex();
  replaced_.push_back({{"where", lossless_utf8(where)},
                       {"name", lossless_utf8(name)},
                       {"rule", to_string(rule)},
                       {"length", value.size()},
                       {"sha256", hex}});
  return fmt::format("[redacted {} sha256:{}]", to_string(rule), hex);
}

std::string Redactor::text(std::string_view value, std::string_view name,
                           std::string_view where, std::string_view program) {
  std::string out;
  std::size_t done = 0;
  for (const SecretSpan& secret : find_secrets(value, program)) {
    out += value.substr(done, secret.begin - done);
    out += commit(value.substr(secret.begin, secret.length), secret.rule,
                  secret.name.empty() ? name : secret.name, where);
    done = secret.begin + secret.length;
  }
  return out + std::string(value.substr(done));
}

std::string Redactor::pair(std::string_view name, std::string_view separator,
                           std::string_view value, std::string_view where,
                           std::string_view program) {
  std::string out = std::string(name) + std::string(separator);
  if (is_secret_name(name, value)) {
    return out + commit(value, SecretRule::name, name, where);
  }
  return out + text(value, name, where, program);
}

std::string Redactor::environment(std::string_view entries,
                                  std::string_view where) {
  std::string out;
  while (!entries.empty()) {
    const std::size_t end = std::min(entries.find('\0'), entries.size());
    const std::string_view entry = entries.substr(0, end);
    const std::size_t equals = entry.find('=');
    if (equals == entry.npos) {
      out += text(entry, "", where, "");
    } else {
      out += pair(entry.substr(0, equals), "=", entry.substr(equals + 1), where,
                  "");
    }
    if (end < entries.size()) out += '\0';
    entries.remove_prefix(std::min(end + 1, entries.size()));
    ++variables_;
  }
  return out;
}

std::vector<std::string> Redactor::arguments(
    const std::vector<std::string>& words, std::string_view where) {
  std::vector<std::string> out;
  std::string_view option;   // the option whose value comes next
  std::string_view program;  // whose options these are, if that is known
  for (const std::string& word : words) {
    const std::string_view view = word;
    ++arguments_;
    const std::size_t part =
        option.empty() ? view.npos : short_option_secret(program, option, view);
    if (part != view.npos) {
      out.push_back(std::string(view.substr(0, part)) +
                    commit(view.substr(part), SecretRule::name, option, where));
      option = {};
      continue;
    }
    if (!option.empty() && !is_flag(view) && is_secret_name(option, view)) {
      out.push_back(commit(view, SecretRule::name, option, where));
      option = {};
      continue;
    }
    option = {};
    if (const auto known = known_program(view); !known.empty()) program = known;
    const std::size_t equals = view.find('=');
    const std::size_t colon = view.find(": ");
    if (equals != view.npos &&
        view.substr(0, equals).find_first_of(" \t{:/?\"'") == view.npos) {
      out.push_back(pair(view.substr(0, equals), "=", view.substr(equals + 1),
                         where, program));
    } else if (colon != view.npos &&
               view.substr(0, colon).find_first_of(" \t{/\"'") == view.npos) {
      out.push_back(pair(view.substr(0, colon), ": ", view.substr(colon + 2),
                         where, program));
    } else {
      out.push_back(text(view, "", where, program));
      if (view.starts_with('-') && view.size() > 1) option = view;
    }
  }
  return out;
}

Json Redactor::summary(
    std::span<const std::string_view> not_looked_into) const {
  return {{"replaced", replaced_.size()},
          {"looked_into",
           {{"environment_variables", variables_}, {"arguments", arguments_}}},
          {"not_looked_into", not_looked_into}};
}

Json Redactor::record(std::span<const std::string_view> not_looked_into) const {
  Json rules = Json::object();
  for (std::size_t i = 0; i < kSecretRules; ++i) {
    const auto rule = static_cast<SecretRule>(i);
    rules[std::string(to_string(rule))] = in_words(rule);
  }
  const Json counted = summary(not_looked_into);
  return {{"method", "sha256(salt || value)"},
          {"salt", to_hex(salt_)},
          {"rules", std::move(rules)},
          {"caution",
           "a short or guessable value can be found by trying, with this salt; "
           "a password that is a word, and a key of lower-case hexadecimal "
           "digits, are found only by a name or place that says so"},
          {"looked_into", counted.at("looked_into")},
          {"not_looked_into", counted.at("not_looked_into")},
          {"replaced", replaced_}};
}

std::string redaction_sentence(const Json& summary) {
  const auto number = [](const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned()
               ? std::to_string(found->get<std::uint64_t>())
               : std::string("an unknown number of");
  };
  const Json looked = summary.value("looked_into", Json::object());
  std::string text = fmt::format(
      "secrets replaced: {}; looked into: {} environment variables, {} "
      "arguments",
      summary.contains("replaced") &&
              summary.at("replaced").is_number_unsigned()
          ? number(summary, "replaced")
          : "unknown",
      number(looked, "environment_variables"), number(looked, "arguments"));
  const Json others = summary.value("not_looked_into", Json::array());
  std::string separator = "; not looked into: ";
  for (const Json& one : others) {
    if (!one.is_string()) continue;
    text += separator + printable(one.get_ref<const std::string&>());
    separator = ", ";
  }
  return text;
}

}  // namespace impound
