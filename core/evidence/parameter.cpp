// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/parameter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::array<std::string_view, 11> kTypes{
    "path",    "text", "integer", "choice",     "duration", "digest",
    "boolean", "time", "texts",   "references", "table"};
constexpr std::size_t kOneWordTypes = 8;

/// Of one text or path, in bytes: PATH_MAX of Linux, and more than a person
/// types; a parameter is shown in reports and repeated in every record.
constexpr std::int64_t kMaxText = 4096;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

/// Values are shown in messages up to here.
constexpr std::size_t kMaxShown = 80;

std::string shown(const Json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  if (value.is_object()) return value.empty() ? "an empty table" : "a table";
  const std::string text = printable(
      value.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace));
  return text.size() > kMaxShown ? text.substr(0, kMaxShown) + "…" : text;
}

[[noreturn]] void refuse(const std::string& expected, const Json& found) {
  throw Error(Errc::bad_input,
              "expected " + expected + ", found " + shown(found));
}

/// E001 or E001/17.
bool is_reference(const Json& value) {
  if (!value.is_string()) return false;
  const std::string text = value.get<std::string>();
  if (!text.starts_with('E') || text.size() > 40) return false;
  const auto is_number = [](std::string_view part) {
    return !part.empty() &&
           part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const std::string rest = text.substr(1);
  const std::size_t slash = rest.find('/');
  return is_number(rest.substr(0, slash)) &&
         (slash == std::string::npos || is_number(rest.substr(slash + 1)));
}

/// One value on its way from what was given to what is meant.
class Conversion {
 public:
  Conversion(const Parameter& parameter, const Json& given, Spelling spelling,
             TimeNs now)
      : parameter_(parameter),
        given_(given),
        is_text_(spelling == Spelling::command_line && given.is_string()),
        now_(now) {}

  [[nodiscard]] Json run() const {
    switch (parameter_.type) {
      case ParameterType::path:
      case ParameterType::text:
        return plain_text();
      case ParameterType::integer:
        return integer();
      case ParameterType::choice:
        return choice();
      case ParameterType::duration:
        return duration();
      case ParameterType::digest:
        return digest();
      case ParameterType::boolean:
        return boolean();
      case ParameterType::time:
        return time();
      case ParameterType::texts:
        return texts();
      case ParameterType::references:
        return references();
      case ParameterType::table:
        break;
    }
    if (!given_.is_object()) refuse();
    return given_;
  }

 private:
  [[noreturn]] void refuse() const {
    impound::refuse(parameter_.expectation(), given_);
  }

  [[nodiscard]] std::string word() const {
    if (!given_.is_string()) refuse();
    return given_.get<std::string>();
  }

  [[nodiscard]] Json plain_text() const {
    std::string text = word();
    const bool is_bounded =
        parameter_.type == ParameterType::path || parameter_.most.has_value();
    const auto most =
        static_cast<std::size_t>(parameter_.most.value_or(kMaxText));
    if (text.empty() || text.find('\0') != std::string::npos ||
        (is_bounded && text.size() > most)) {
      refuse();
    }
    return text;
  }

  [[nodiscard]] Json integer() const {
    std::int64_t value = 0;
    if (is_text_) {
      const std::string text = word();
      const char* const end = text.data() + text.size();
      const auto [stop, failure] = std::from_chars(text.data(), end, value);
      if (failure != std::errc() || stop != end) refuse();
    } else if (given_.is_number_unsigned() &&
               given_.get<std::uint64_t>() >
                   static_cast<std::uint64_t>(kLargest)) {
      refuse();
    } else if (given_.is_number_integer()) {
      value = given_.get<std::int64_t>();
    } else {
      refuse();
    }
    if ((parameter_.least && value < *parameter_.least) ||
        (parameter_.most && value > *parameter_.most)) {
      refuse();
    }
    return value;
  }

  [[nodiscard]] Json choice() const {
    std::string text = word();
    const auto& choices = parameter_.choices;
    if (std::ranges::find(choices, text) == choices.end()) {
      const std::string meant = nearest_word(text, choices);
      if (meant.empty()) refuse();
      throw Error(Errc::bad_input,
                  fmt::format("expected {}, found {} (did you mean \"{}\"?)",
                              parameter_.expectation(), shown(given_), meant));
    }
    return text;
  }

  [[nodiscard]] Json duration() const {
    std::string text = word();
    if (!parse_duration(text)) refuse();
    return text;
  }

  [[nodiscard]] Json digest() const {
    std::string text = to_lower_ascii(word());
    if (text.size() != 64 ||
        text.find_first_not_of("0123456789abcdef") != std::string::npos) {
      refuse();
    }
    return text;
  }

  [[nodiscard]] Json boolean() const {
    if (given_.is_boolean()) return given_;
    if (is_text_ && (given_ == "yes" || given_ == "true")) return true;
    if (is_text_ && (given_ == "no" || given_ == "false")) return false;
    refuse();
  }

  [[nodiscard]] Json time() const {
    const std::string text = word();
    if (const auto instant = parse_time(text)) return format_time(*instant);
    const auto back = parse_duration(text);
    TimeNs instant = 0;
    if (!back || __builtin_sub_overflow(now_, *back, &instant)) refuse();
    return format_time(instant);
  }

  [[nodiscard]] Json texts() const {
    if (is_text_) return Json(split(word(), ','));
    // An empty table of Lua says nothing about which kind it is.
    if (given_.is_object() && given_.empty()) return Json::array();
    const bool all_texts =
        given_.is_array() && std::ranges::all_of(given_, [](const Json& one) {
          return one.is_string();
        });
    if (!all_texts) refuse();
    return given_;
  }

  [[nodiscard]] Json references() const {
    Json list = texts();
    if (list.empty()) refuse();
    for (const Json& one : list) {
      if (!is_reference(one)) impound::refuse(parameter_.expectation(), one);
    }
    return list;
  }

  const Parameter& parameter_;
  const Json& given_;
  bool is_text_;
  TimeNs now_;
};

}  // namespace

std::string_view to_string(ParameterType type) noexcept {
  return kTypes[static_cast<std::size_t>(type)];
}

std::span<const std::string_view> one_word_types() noexcept {
  return std::span(kTypes).first(kOneWordTypes);
}

std::optional<ParameterType> one_word_type_from(
    std::string_view name) noexcept {
  const auto types = one_word_types();
  const auto found = std::ranges::find(types, name);
  if (found == types.end()) return std::nullopt;
  return static_cast<ParameterType>(found - types.begin());
}

Touches Parameter::touched() const noexcept {
  if (touches != Touches::unsaid) return touches;
  switch (type) {
    case ParameterType::choice:
    case ParameterType::duration:
    case ParameterType::digest:
    case ParameterType::boolean:
    case ParameterType::time:
    case ParameterType::references:  // facts about evidence, read by nobody
    case ParameterType::table:       // its own declaration says
      return Touches::nothing;
    case ParameterType::path:
    case ParameterType::text:
    case ParameterType::integer:
    case ParameterType::texts:
      break;
  }
  return Touches::unsaid;
}

std::string Parameter::expectation() const {
  switch (type) {
    case ParameterType::path:
      return "a path";
    case ParameterType::text:
      return most ? fmt::format("text of at most {} bytes", *most) : "text";
    case ParameterType::integer: {
      std::string words = "a whole number";
      if (least) words += fmt::format(" from {}", *least);
      if (most) words += fmt::format("{} {}", least ? " to" : " up to", *most);
      return words;
    }
    case ParameterType::choice:
      return "one of " + join(choices);
    case ParameterType::duration:
      return "a duration such as 90s, 15m, 36h or 7d";
    case ParameterType::digest:
      return "a SHA-256 of 64 hexadecimal digits";
    case ParameterType::boolean:
      return "true or false (yes or no)";
    case ParameterType::time:
      return "a time such as 2026-11-23T03:00:00Z or 2026-11-23, or a duration "
             "back from now such as 36h";
    case ParameterType::texts:
      return "a list of texts";
    case ParameterType::references:
      return "at least one of the items or exhibits (E001, E001/17) it rests "
             "on";
    case ParameterType::table:
      break;
  }
  return "a table by name";
}

Json Parameter::to_json() const {
  Json json{{"name", name},
            {"type", to_string(type)},
            {"help", help},
            {"required", is_required},
            {"expects", expectation()}};
  if (!otherwise.is_null()) json["default"] = otherwise;
  if (!choices.empty()) json["choices"] = choices;
  if (least) json["min"] = *least;
  if (most) json["max"] = *most;
  return json;
}

bool Arguments::has(std::string_view name) const {
  return values_.contains(std::string(name));
}

std::vector<std::string> Arguments::texts(std::string_view name) const {
  std::vector<std::string> list;
  if (!has(name)) return list;
  for (const Json& one : values_.at(std::string(name))) {
    list.push_back(from_lossless_utf8(one.get_ref<const std::string&>()));
  }
  return list;
}

std::optional<std::int64_t> Arguments::integer(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return values_.at(std::string(name)).get<std::int64_t>();
}

std::optional<std::string> Arguments::text(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return from_lossless_utf8(
      values_.at(std::string(name)).get_ref<const std::string&>());
}

std::optional<std::filesystem::path> Arguments::path(
    std::string_view name) const {
  auto bytes = text(name);
  if (!bytes) return std::nullopt;
  return std::filesystem::path(std::move(*bytes));
}

std::optional<TimeNs> Arguments::time(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return parse_time(
      values_.at(std::string(name)).get_ref<const std::string&>());
}

std::string Arguments::in_words() const {
  std::string words;
  for (const auto& [name, value] : values_.items()) {
    words += (words.empty() ? "" : ", ") + name + "=" +
             (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return words;
}

std::vector<std::string> names_of(std::span<const Parameter> parameters) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  return names;
}

Json convert_value(const Parameter& parameter, const Json& given,
                   Spelling spelling, TimeNs now) {
  return Conversion(parameter, given, spelling, now).run();
}

Arguments check_parameters(std::string_view owner,
                           std::span<const Parameter> parameters,
                           const Json& given, Spelling spelling, TimeNs now) {
  const std::string prefix = std::string(owner) + ": ";
  if (!given.is_object()) {
    throw Error(Errc::bad_input,
                prefix + "expected a table by name, found " + shown(given));
  }
  for (const auto& [name, value] : given.items()) {
    if (std::ranges::find(parameters, name, &Parameter::name) ==
        parameters.end()) {
      throw Error(
          Errc::bad_input,
          prefix + no_such_word(name, names_of(parameters), "it takes"));
    }
  }
  Arguments arguments;
  for (const Parameter& parameter : parameters) {
    const auto found = given.find(parameter.name);
    const bool is_given = found != given.end() && !found->is_null();
    const Json& value = is_given ? *found : parameter.otherwise;
    if (value.is_null() && !parameter.is_required) continue;
    // An empty default says that the value may be left out.
    if (value == "" && parameter.otherwise == "") {
      arguments.values_[parameter.name] = value;
      continue;
    }
    try {
      arguments.values_[parameter.name] =
          convert_value(parameter, value, spelling, now);
    } catch (const Error& error) {
      std::string message = prefix + parameter.name + ": " + error.what();
      if (value.is_null() && !parameter.help.empty()) {
        message += ": " + parameter.help;
      }
      throw Error(Errc::bad_input, message);
    }
  }
  return arguments;
}

Json sample_value(const Parameter& parameter) {
  if (!parameter.otherwise.is_null()) return parameter.otherwise;
  switch (parameter.type) {
    case ParameterType::path:
      return "/nonexistent";
    case ParameterType::integer:
      return std::min(std::max<std::int64_t>(1, parameter.least.value_or(1)),
                      parameter.most.value_or(kLargest));
    case ParameterType::choice:
      return parameter.choices.front();
    case ParameterType::duration:
      return "1h";
    case ParameterType::digest:
      return std::string(64, '0');
    case ParameterType::boolean:
      return false;
    case ParameterType::time:
      return "2026-01-01T00:00:00.000000Z";
    case ParameterType::texts:
      return Json::array({"text"});
    case ParameterType::references:
      return Json::array({"E000"});
    case ParameterType::table:
      return Json::object();
    case ParameterType::text:
      break;
  }
  return std::string("text").substr(
      0, static_cast<std::size_t>(parameter.most.value_or(4)));
}

}  // namespace impound
