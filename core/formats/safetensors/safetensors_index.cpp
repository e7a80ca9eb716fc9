// SPDX-License-Identifier: Apache-2.0
#include "core/formats/safetensors/safetensors_index.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/text.hpp"
#include "core/formats/safetensors/safetensors_header.hpp"

namespace impound {
namespace {

std::string shown(std::string_view text) {
  return printable(text.substr(0, 256));
}

/// Shards lie beside their index: loaders join the name to the folder.
bool stays_in_folder(std::string_view file) {
  return !file.empty() && file != "." && file != ".." &&
         file.find('/') == std::string_view::npos &&
         file.find('\\') == std::string_view::npos &&
         file.find('\0') == std::string_view::npos;
}

class IndexHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  IndexHandler(ShardIndex& out, ProblemList& problems)
      : out_(out), problems_(problems) {}

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (section_ == Section::metadata && depth_ == 2 && key_ == "total_size") {
      out_.total_size = value;
      return true;
    }
    return other("a number");
  }
  bool number_float(number_float_t value, const string_t&) override {
    // Some writers give total_size as 1.0e9.
    if (section_ == Section::metadata && depth_ == 2 && key_ == "total_size" &&
        value >= 0 && value < 9.0e15) {
      out_.total_size = static_cast<std::uint64_t>(value);
      return true;
    }
    return other("a number");
  }
  bool string(string_t& value) override {
    if (section_ != Section::weight_map || depth_ != 2) return other("text");
    if (!stays_in_folder(value)) {
      problems_.add("index-path", Severity::high, 0,
                    fmt::format("weight_map: tensor {} lies in \"{}\", "
                                "expected a file name in the same folder",
                                shown(key_), shown(value)));
    }
    out_.weight_map.insert_or_assign(key_, std::move(value));
    return true;
  }
  bool binary(binary_t&) override { return other("binary data"); }
  bool start_object(std::size_t) override {
    if (section_ == Section::weight_map && depth_ == 2) other("an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1) section_ = Section::other;
    return true;
  }
  bool start_array(std::size_t) override {
    other("an array");
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    key_ = name;
    if (depth_ == 1) {
      section_ = name == "weight_map" ? Section::weight_map
                 : name == "metadata" ? Section::metadata
                                      : Section::other;
      saw_map_ = saw_map_ || name == "weight_map";
    }
    const bool is_new = depth_ == 1 ? sections_.insert(name).second
                        : depth_ == 2 && section_ == Section::weight_map
                            ? !out_.weight_map.contains(name)
                            : true;
    if (!is_new) {
      problems_.add("index-duplicate-key", Severity::high, 0,
                    fmt::format("\"{}\" stands more than once", shown(name)));
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    problems_.add(
        "index-json", Severity::high, position,
        fmt::format("not JSON: {}", shown(std::string_view(error.what()))));
    return false;
  }

  [[nodiscard]] bool saw_map() const { return saw_map_; }

 private:
  enum class Section : std::uint8_t { other, metadata, weight_map };

  bool other(std::string_view found) {
    if (depth_ == 0) {
      problems_.add(
          "index-json", Severity::high, 0,
          fmt::format("the document is {}, expected an object", found));
    } else if (depth_ == 1 && section_ != Section::other) {
      problems_.add(
          "index-entry", Severity::high, 0,
          fmt::format("\"{}\" is {}, expected an object", shown(key_), found));
    } else if (depth_ == 2 && section_ == Section::weight_map) {
      problems_.add("index-entry", Severity::high, 0,
                    fmt::format("weight_map: \"{}\" is {}, expected a file "
                                "name",
                                shown(key_), found));
    }
    return true;
  }

  ShardIndex& out_;
  ProblemList& problems_;
  Section section_ = Section::other;
  int depth_ = 0;
  bool saw_map_ = false;
  std::string key_;
  std::set<std::string> sections_;
};

}  // namespace

ShardIndex parse_shard_index(std::string_view text, std::string_view name) {
  ShardIndex index;
  ProblemList problems(index.problems);
  IndexHandler handler(index, problems);
  const bool complete =
      nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  if (complete && !handler.saw_map()) {
    problems.add("index-entry", Severity::high, 0,
                 fmt::format("{}: there is no \"weight_map\"", name));
  }
  problems.finish();
  return index;
}

Problems check_shards(const ShardIndex& index,
                      const std::vector<Shard>& shards) {
  Problems found;
  ProblemList problems(found);
  std::set<std::string_view> named;
  for (const auto& [tensor, file] : index.weight_map) named.insert(file);

  std::map<std::string_view, std::set<std::string_view>> holders;
  std::uint64_t total = 0;
  for (const Shard& shard : shards) {
    if (!named.contains(shard.file)) {
      problems.add("index-stray-shard", Severity::high, 0,
                   fmt::format("{} lies in the folder, the index does not "
                               "name it",
                               shown(shard.file)));
      continue;
    }
    for (const TensorInfo& tensor : shard.content->tensors) {
      holders[tensor.name].insert(shard.file);
      total += tensor.size;
    }
  }
  std::set<std::string_view> files;
  for (const Shard& shard : shards) files.insert(shard.file);
  for (const std::string_view file : named) {
    if (!files.contains(file)) {
      problems.add(
          "index-missing-shard", Severity::high, 0,
          fmt::format("the index names {}, which is not there", shown(file)));
    }
  }
  for (const auto& [tensor, file] : index.weight_map) {
    if (!files.contains(file)) continue;  // said above, once
    const auto held = holders.find(tensor);
    if (held == holders.end() || !held->second.contains(file)) {
      problems.add("index-missing-tensor", Severity::high, 0,
                   fmt::format("the index puts {} into {}, which does not "
                               "hold it",
                               shown(tensor), shown(file)));
    }
  }
  for (const auto& [tensor, in] : holders) {
    const auto entry = index.weight_map.find(std::string(tensor));
    for (const std::string_view file : in) {
      if (entry != index.weight_map.end() && entry->second == file) continue;
      problems.add("index-stray-tensor", Severity::high, 0,
                   fmt::format("{} holds {}, the index does not put it there",
                               shown(file), shown(tensor)));
    }
  }
  if (index.total_size && *index.total_size != total && !shards.empty()) {
    problems.add("index-total-size", Severity::low, 0,
                 fmt::format("metadata.total_size is {}, the tensors of the "
                             "named shards have {} bytes",
                             *index.total_size, total));
  }
  problems.finish();
  return found;
}

}  // namespace impound
