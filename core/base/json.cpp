// SPDX-License-Identifier: Apache-2.0
#include "core/base/json.hpp"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"

namespace impound {

namespace {

/// Builds a document in the order it is read. nlohmann's own builder looks for
/// every key among those before it, one by one: a vocabulary of 128 000 tokens
/// takes it half a minute.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit DocumentBuilder(std::string_view source) : source_(source) {}

  [[nodiscard]] Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override {
    return add(value);
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& problem) override {
    const bool is_syntax =
        dynamic_cast<const nlohmann::json::parse_error*>(&problem) != nullptr;
    throw Error(Errc::malformed,
                is_syntax
                    ? fmt::format("{}: offset {}: not JSON: {}", source_,
                                  position, problem.what())
                    : fmt::format("{}: not JSON: {}", source_, problem.what()));
  }

 private:
  /// Objects with fewer keys are searched as they are.
  static constexpr std::size_t kIndexed = 32;

  struct Level {
    Json* value = nullptr;
    std::unordered_map<std::string, std::size_t> index;
  };

  template <typename T>
  bool add(T&& value) {
    static_cast<void>(place(Json(std::forward<T>(value))));
    return true;
  }
  bool open(Json value) {
    levels_.push_back({.value = place(std::move(value)), .index = {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  /// Where the value stands now. Stable as long as its own level is open: only
  /// the innermost one grows.
  Json* place(Json value) {
    if (levels_.size() > static_cast<std::size_t>(limits::kMaxDepth)) {
      throw Error(Errc::limit, fmt::format("{}: JSON nested deeper than {}",
                                           source_, limits::kMaxDepth));
    }
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      auto& array = level.value->get_ref<Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    return &member(level, std::move(value));
  }

  /// Of a key that stands twice the last value counts, at the first's place.
  Json& member(Level& level, Json value) {
    auto& object = level.value->get_ref<Json::object_t&>();
    if (object.size() < kIndexed) {
      for (auto& [name, old] : object) {
        if (name == key_) return old = std::move(value);
      }
    } else {
      if (level.index.empty()) {
        for (std::size_t i = 0; i < object.size(); ++i) {
          level.index.emplace(object.data()[i].first, i);
        }
      }
      const auto [known, is_new] = level.index.emplace(key_, object.size());
      if (!is_new)
        return object.data()[known->second].second = std::move(value);
    }
    object.emplace_back(std::move(key_), std::move(value));
    return object.back().second;
  }

  std::string_view source_;
  Json root_;
  std::vector<Level> levels_;
  std::string key_;
};

}  // namespace

Json parse_json(std::string_view text, std::string_view source) {
  DocumentBuilder builder(source);
  // A syntax error leaves through parse_error().
  static_cast<void>(Json::sax_parse(text, &builder));
  return builder.take();
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
