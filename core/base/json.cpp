// SPDX-License-Identifier: Apache-2.0
#include "core/base/json.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"

namespace impound {

Json parse_json(std::string_view text, std::string_view source) {
  try {
    return Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      if (depth > limits::kMaxDepth) {
        throw Error(Errc::limit, fmt::format("{}: JSON nested deeper than {}",
                                             source, limits::kMaxDepth));
      }
      return true;
    });
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(Errc::malformed, fmt::format("{}: offset {}: not JSON: {}",
                                             source, error.byte, error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw Error(Errc::malformed,
                fmt::format("{}: not JSON: {}", source, error.what()));
  }
}

std::string dump_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const Json& require_key(const Json& object, std::string_view key,
                        std::string_view source) {
  if (!object.is_object()) {
    throw Error(Errc::malformed,
                fmt::format("{}: expected an object with \"{}\", found {}",
                            source, key, object.type_name()));
  }
  const auto found = object.find(key);
  if (found == object.end()) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"{}\" is missing", source, key));
  }
  return *found;
}

std::string require_text(const Json& object, std::string_view key,
                         std::string_view source) {
  const Json& value = require_key(object, key, source);
  if (!value.is_string()) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"{}\" must be text, found {}", source, key,
                            value.type_name()));
  }
  return value.get<std::string>();
}

std::uint64_t require_u64(const Json& object, std::string_view key,
                          std::string_view source) {
  const Json& value = require_key(object, key, source);
  // A document made in this process may hold the number as a signed one.
  const bool is_whole =
      value.is_number_unsigned() ||
      (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!is_whole) {
    throw Error(
        Errc::malformed,
        fmt::format("{}: \"{}\" must be a whole number from 0, found {}",
                    source, key, value.type_name()));
  }
  return value.get<std::uint64_t>();
}

std::string text_or(const Json& object, std::string_view key,
                    std::string_view otherwise) {
  if (!object.is_object()) return std::string(otherwise);
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    return std::string(otherwise);
  }
  return found->get<std::string>();
}

}  // namespace impound
