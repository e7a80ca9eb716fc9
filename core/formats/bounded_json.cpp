// SPDX-License-Identifier: Apache-2.0
#include "core/formats/bounded_json.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"

namespace impound {

Json parse_bounded_json(std::string_view text, std::string_view source) {
  using Event = Json::parse_event_t;
  std::vector<std::size_t> keys;  // of the objects that are open
  const auto watch = [&](int depth, Event event, Json&) {
    if (depth > limits::kMaxDepth) {
      throw Error(Errc::limit, fmt::format("{}: JSON nested deeper than {}",
                                           source, limits::kMaxDepth));
    }
    if (event == Event::object_start) keys.push_back(0);
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && ++keys.back() > kMaxObjectKeys) {
      throw Error(Errc::limit, fmt::format("{}: an object of more than {} keys",
                                           source, kMaxObjectKeys));
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const nlohmann::json::parse_error& error) {
    throw Error(Errc::malformed, fmt::format("{}: offset {}: not JSON: {}",
                                             source, error.byte, error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw Error(Errc::malformed,
                fmt::format("{}: not JSON: {}", source, error.what()));
  }
}

}  // namespace impound
