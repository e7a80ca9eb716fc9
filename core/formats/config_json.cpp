// SPDX-License-Identifier: Apache-2.0
#include "core/formats/config_json.hpp"

#include <fmt/format.h>

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

}  // namespace

Json parse_config_json(std::string_view text, std::string_view source) {
  Builder builder(source);
  try {
    Json::sax_parse(text, &builder);
  } catch (const nlohmann::json::exception& error) {
    throw Error(Errc::malformed,
                fmt::format("{}: not JSON: {}", source, error.what()));
  }
  return std::move(builder.root);
}

}  // namespace impound
