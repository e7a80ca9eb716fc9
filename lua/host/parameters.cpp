// SPDX-License-Identifier: Apache-2.0
#include "lua/host/parameters.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound::lua {
namespace {

constexpr std::array<std::string_view, 8> kTypes{
    "path",     "text",   "integer", "choice",
    "duration", "digest", "boolean", "time"};

[[noreturn]] void expected(const std::string& what, const Json& given) {
  throw Error(
      Errc::bad_input,
      "expected " + what + ", found " +
          (given.is_structured() ? "a table" : printable(given.dump())));
}

Json to_integer(const Json& given) {
  constexpr const char* kWhat = "a whole number";
  if (given.is_number_integer()) return given;
  if (!given.is_string()) expected(kWhat, given);
  const std::string text = given.get<std::string>();
  std::int64_t value = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    expected(kWhat, given);
  }
  return value;
}

Json to_boolean(const Json& given) {
  if (given.is_boolean()) return given;
  if (given == "yes" || given == "true") return true;
  if (given == "no" || given == "false") return false;
  expected("yes or no", given);
}

std::string to_text(const Json& given, const char* what) {
  if (!given.is_string()) expected(what, given);
  return given.get<std::string>();
}

}  // namespace

std::span<const std::string_view> parameter_types() { return kTypes; }

Json convert_parameter(const ParameterInfo& parameter, const Json& given) {
  const std::string& type = parameter.type;
  if (type == "integer") return to_integer(given);
  if (type == "boolean") return to_boolean(given);
  if (type == "duration") {
    constexpr const char* kWhat = "a duration such as 90s, 15m, 36h or 7d";
    const std::string text = to_text(given, kWhat);
    if (!parse_duration(text)) expected(kWhat, given);
    return text;
  }
  if (type == "time") {
    constexpr const char* kWhat =
        "a time such as 2026-11-23T03:00:00Z or 2026-11-23";
    const auto time = parse_time(to_text(given, kWhat));
    if (!time) expected(kWhat, given);
    return format_time(*time);
  }
  if (type == "digest") {
    constexpr const char* kWhat = "a SHA-256 of 64 hexadecimal digits";
    const std::string text = to_lower_ascii(to_text(given, kWhat));
    if (text.size() != 64 ||
        text.find_first_not_of("0123456789abcdef") != std::string::npos) {
      expected(kWhat, given);
    }
    return text;
  }
  if (type == "choice") {
    const std::string text = to_text(given, "one of the choices");
    const auto& choices = parameter.choices;
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      std::string list;
      for (const std::string& choice : choices) {
        list += (list.empty() ? "" : ", ") + choice;
      }
      expected("one of " + list, given);
    }
    return text;
  }
  const std::string text = to_text(given, type == "path" ? "a path" : "text");
  if (text.find('\0') != std::string::npos) {
    expected("text without NUL bytes", given);
  }
  if (type == "path" && text.empty()) expected("a path", given);
  return text;
}

Json sample_value(const ParameterInfo& parameter) {
  const std::string& type = parameter.type;
  if (type == "integer") return 1;
  if (type == "boolean") return false;
  if (type == "duration") return "1h";
  if (type == "time") return "2026-01-01T00:00:00.000000Z";
  if (type == "digest") return std::string(64, '0');
  if (type == "choice") return parameter.choices.front();
  return type == "path" ? "/nonexistent" : "text";
}

Json check_parameters(const LoadedPlaybook& playbook, const Json& given) {
  const auto name_list = [&] {
    std::string names;
    for (const ParameterInfo& info : playbook.parameters) {
      names += (names.empty() ? "" : ", ") + info.name;
    }
    return names.empty() ? std::string("none") : names;
  };
  if (given.is_object()) {
    for (const auto& [name, value] : given.items()) {
      const bool is_known =
          std::any_of(playbook.parameters.begin(), playbook.parameters.end(),
                      [&key = name](const ParameterInfo& info) {
                        return info.name == key;
                      });
      if (!is_known) {
        throw Error(Errc::bad_input, "playbook " + playbook.id +
                                         " has no parameter \"" + name +
                                         "\"; it has: " + name_list());
      }
    }
  }
  Json values = Json::object();
  for (const ParameterInfo& info : playbook.parameters) {
    const auto found = given.is_object() ? given.find(info.name) : given.end();
    if (given.is_object() && found != given.end() && !found->is_null()) {
      try {
        // A default is a value as it is: an empty path means "left out".
        values[info.name] = info.otherwise == *found
                                ? *info.otherwise
                                : convert_parameter(info, *found);
      } catch (const Error& error) {
        throw Error(Errc::bad_input,
                    "parameter " + info.name + ": " + error.what());
      }
    } else if (info.otherwise) {
      values[info.name] = *info.otherwise;
    } else {
      throw Error(Errc::bad_input, "parameter " + info.name + " is missing (" +
                                       info.type + "): " + info.help);
    }
  }
  return values;
}

}  // namespace impound::lua
