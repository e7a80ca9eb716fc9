// SPDX-License-Identifier: Apache-2.0
#include "core/formats/settings/yaml_settings.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

namespace impound {
namespace {

/// Thrown by the handler to end a walk; never leaves this file.
struct YamlLimit {
  std::string reason;
  std::uint64_t offset;
};

class Handler final : public YAML::EventHandler {
 public:
  /// Each setting takes a byte at least; yaml-cpp 0.7 yields others without end
  /// for some documents that are broken.
  Handler(YamlSettings& out, std::size_t bytes)
      : out_(out), most_(std::min(kMaxYamlSettings, bytes + 1)) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {
    levels_.clear();
    path_.clear();
    scalars_.clear();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    scalar(mark, "", "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    // A key or a value may hide behind its alias; what is larger was seen where
    // it stands.
    const auto found = scalars_.find(anchor);
    if (found == scalars_.end()) {
      scalar(mark, kYamlAlias, "");
    } else {
      scalar(mark, "", found->second);
    }
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string& value) override {
    if (anchor != 0) {
      kept_ += value.size();
      scalars_[anchor] = value;
    }
    scalar(mark, tag, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, false);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag,
                  YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, true);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    bool is_map = false;
    bool has_key = false;  ///< a key was read, its value comes next
    std::string key;
    std::size_t index = 0;
    std::size_t path_size = 0;  ///< of the path above
  };

  static std::uint64_t place(const YAML::Mark& mark) {
    return mark.pos < 0 ? 0 : static_cast<std::uint64_t>(mark.pos);
  }

  [[nodiscard]] std::string path() const {
    if (levels_.empty()) return path_;
    const Level& level = levels_.back();
    if (!level.is_map) return fmt::format("{}[{}]", path_, level.index);
    if (path_.empty()) return level.key;
    return path_ + "." + level.key;
  }

  void keep(const YAML::Mark& mark, const std::string& tag,
            const std::string& value, bool is_scalar) {
    kept_ += value.size() + path_.size() + tag.size();
    if (out_.settings.size() >= most_ || kept_ > 8 * kMaxYaml) {
      throw YamlLimit{"more settings than are read", place(mark)};
    }
    YamlSetting setting;
    setting.path = path();
    if (!levels_.empty() && levels_.back().is_map) {
      setting.key = levels_.back().key;
    }
    setting.tag = tag;
    setting.value = value;
    setting.offset = place(mark);
    setting.line =
        mark.line < 0 ? 0 : static_cast<std::uint64_t>(mark.line) + 1;
    setting.is_scalar = is_scalar;
    out_.settings.push_back(std::move(setting));
  }

  void scalar(const YAML::Mark& mark, const std::string& tag,
              const std::string& value) {
    if (!levels_.empty() && levels_.back().is_map && !levels_.back().has_key) {
      levels_.back().key = value.substr(0, kMaxKey);
      levels_.back().has_key = true;
      if (tag.size() > 1) keep(mark, tag, value, true);  // a key with a tag
      return;
    }
    keep(mark, tag, value, true);
    next();
  }

  void open(const YAML::Mark& mark, const std::string& tag, bool is_map) {
    if (levels_.size() >= kMaxYamlDepth) {
      throw YamlLimit{
          fmt::format("nested deeper than {} levels", kMaxYamlDepth),
          place(mark)};
    }
    // A list or a mapping as a key: what is in it has no name.
    if (!levels_.empty() && levels_.back().is_map && !levels_.back().has_key) {
      levels_.back().key = "?";
    }
    if (tag.size() > 1) keep(mark, tag, "", false);
    Level level;
    level.is_map = is_map;
    level.path_size = path_.size();
    path_ = path();
    levels_.push_back(std::move(level));
  }

  void close() {
    if (levels_.empty()) return;
    path_.resize(levels_.back().path_size);
    levels_.pop_back();
    if (!levels_.empty() && levels_.back().is_map && !levels_.back().has_key) {
      levels_.back().has_key = true;  // it was a key
      return;
    }
    next();
  }

  void next() {
    if (levels_.empty()) return;
    levels_.back().has_key = false;
    ++levels_.back().index;
  }

  static constexpr std::size_t kMaxKey = 256;

  YamlSettings& out_;
  std::size_t most_;
  std::vector<Level> levels_;
  std::unordered_map<YAML::anchor_t, std::string> scalars_;
  std::string path_;
  std::size_t kept_ = 0;
};

}  // namespace

YamlSettings read_yaml(std::string_view text) {
  YamlSettings out;
  if (text.size() > kMaxYaml) {
    out.problem = "a document of more than 8 MiB";
    out.problem_offset = kMaxYaml;
    return out;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Handler handler(out, text.size());
    while (parser.HandleNextDocument(handler)) {
    }
  } catch (const YamlLimit& limit) {
    out.problem = limit.reason;
    out.problem_offset = limit.offset;
  } catch (const YAML::Exception& error) {
    out.problem = error.msg;
    out.problem_offset =
        error.mark.pos < 0 ? 0 : static_cast<std::uint64_t>(error.mark.pos);
  }
  return out;
}

}  // namespace impound
