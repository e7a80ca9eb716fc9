// SPDX-License-Identifier: Apache-2.0
#include "core/formats/config_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"

namespace impound {
namespace {

/// Builds a document. nlohmann's own builder compares each key with all keys
/// before it: hours for a file of 64 MB.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(std::string_view source) : source_(source) {}

  bool null() override { return put(Json()); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(number_integer_t value) override {
    return put(Json(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(Json(value));
  }
  bool number_float(number_float_t value, const string_t&) override {
    return put(Json(value));
  }
  bool string(string_t& value) override { return put(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override {
    keep_last(stack_.back()->get_ref<Json::object_t&>());
    stack_.pop_back();
    return true;
  }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    throw Error(Errc::malformed, fmt::format("{}: offset {}: not JSON: {}",
                                             source_, position, error.what()));
  }

  Json root;

 private:
  Json& place(Json value) {
    if (++values_ > kMaxConfigValues) {
      throw Error(Errc::limit, fmt::format("{}: more than {} values", source_,
                                           kMaxConfigValues));
    }
    if (stack_.empty()) return root = std::move(value);
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      return parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
    }
    return items(parent.get_ref<Json::object_t&>())
        .emplace_back(std::move(key_), std::move(value))
        .second;
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (stack_.size() >= static_cast<std::size_t>(limits::kMaxDepth)) {
      throw Error(Errc::limit, fmt::format("{}: JSON nested deeper than {}",
                                           source_, limits::kMaxDepth));
    }
    // A parent grows only while it is the last on the stack, so that the
    // addresses of those below stay.
    stack_.push_back(&place(std::move(value)));
    return true;
  }
  using Members = Json::object_t::Container;
  static Members& items(Json::object_t& object) { return object; }

  static void keep_last(Json::object_t& object) {
    std::unordered_map<std::string_view, std::size_t> last;
    for (std::size_t i = 0; i < object.size(); ++i) {
      last[items(object)[i].first] = i;
    }
    if (last.size() == object.size()) return;
    Json::object_t kept;
    for (std::size_t i = 0; i < object.size(); ++i) {
      if (last[items(object)[i].first] != i) continue;
      items(kept).emplace_back(items(object)[i].first,
                               std::move(items(object)[i].second));
    }
    object = std::move(kept);
  }

  std::string_view source_;
  std::vector<Json*> stack_;
  std::string key_;
  std::uint64_t values_ = 0;
};

bool is_escaped_quad(std::string_view text, std::size_t at) {
  return text.substr(at, 2) == "\\u" && at + 6 <= text.size() &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 2,
                     text.begin() + static_cast<std::ptrdiff_t>(at) + 6,
                     [](char c) {
                       return std::isxdigit(static_cast<unsigned char>(c)) != 0;
                     });
}

bool is_surrogate(std::string_view text, std::size_t at, char low, char high) {
  if (!is_escaped_quad(text, at)) return false;
  const char second =
      static_cast<char>(std::tolower(static_cast<unsigned char>(text[at + 3])));
  return (text[at + 2] == 'd' || text[at + 2] == 'D') && second >= low &&
         second <= high;
}

/// What Python's json takes and JSON does not have, as JSON: NaN and Infinity
/// become null, half a surrogate pair the replacement character. Writers of
/// configurations use them (a limit of Infinity, a loss of NaN).
std::string without_python(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\' && is_surrogate(text, i, '8', 'b') &&
          is_surrogate(text, i + 6, 'c', 'f')) {
        out += text.substr(i, 12);
        i += 11;
      } else if (c == '\\' && is_surrogate(text, i, '8', 'f')) {
        out += "\\ufffd";
        i += 5;
      } else if (c == '\\' && i + 1 < text.size()) {
        out += text.substr(i++, 2);
      } else {
        in_string = c != '"';
        out += c;
      }
      continue;
    }
    const std::string_view rest = text.substr(i);
    bool is_word = false;
    for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
      if (!rest.starts_with(word)) continue;
      out += "null";
      i += word.size() - 1;
      is_word = true;
      break;
    }
    if (is_word) continue;
    in_string = c == '"';
    out += c;
  }
  return out;
}

Json parse(std::string_view text, std::string_view source) {
  Builder builder(source);
  try {
    Json::sax_parse(text, &builder);
  } catch (const nlohmann::json::exception& error) {
    throw Error(Errc::malformed,
                fmt::format("{}: not JSON: {}", source, error.what()));
  }
  return std::move(builder.root);
}

}  // namespace

Json parse_config_json(std::string_view text, std::string_view source) {
  try {
    return parse(text, source);
  } catch (const Error& error) {
    if (error.code() != Errc::malformed) throw;
    const std::string plain = without_python(text);
    if (plain == text) throw;
    return parse(plain, source);
  }
}

}  // namespace impound
