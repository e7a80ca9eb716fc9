// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/bundle_reader.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/bundle_index.hpp"
#include "core/evidence/layout.hpp"
#include "core/storage/tar.hpp"

namespace impound {

struct BundleReader::Impl {
  explicit Impl(const fs::path& bundle)
      : name(printable(bundle.native())),
        file(open_source(bundle)),
        index(read_frame_index(*file, name)),
        tar(*file, index, name),
        tags(read_tag_members(tar, index, name)),
        items(parse_items(tags.find(layout::kFiles)->second,
                          name + ": meta/files.jsonl")),
        gaps(parse_gaps(tags.find(layout::kSkipped)->second,
                        name + ": meta/skipped.jsonl")) {
    for (const Item& item : items) by_name.emplace(item.name, item.number);
    const std::string exhibit = bundle.filename().native();
    fs::path beside = bundle;
    beside.replace_filename(exhibit.substr(0, exhibit.find(layout::kSuffix)) +
                            ".seal.json");
    if (stat_path(beside, Links::follow)) {
      seal = parse_json(read_text_file(beside, limits::kMaxJsonDocument),
                        printable(beside.native()));
    }
  }

  /// The member that holds an item's bytes; hard links lead to another.
  [[nodiscard]] const Item& content_item(const Item& item) const {
    if (!item.is_hard_link) return item;
    const auto target = by_name.find(item.link_target);
    if (target == by_name.end() || items[target->second - 1].is_hard_link) {
      throw Error(Errc::malformed,
                  fmt::format("{}: item {} is a hard link to \"{}\", which is "
                              "no file in the exhibit",
                              name, item.number, printable(item.link_target)));
    }
    return items[target->second - 1];
  }

  std::string name;
  std::unique_ptr<ByteSource> file;
  FrameIndex index;
  TarSource tar;
  TagMembers tags;
  std::vector<Item> items;
  std::vector<Gap> gaps;
  std::unordered_map<std::string, std::uint64_t> by_name;
  Json seal;
};

BundleReader::BundleReader(const fs::path& bundle)
    : impl_(std::make_unique<Impl>(bundle)) {}
BundleReader::~BundleReader() = default;

const std::vector<Item>& BundleReader::items() const { return impl_->items; }
const std::vector<Gap>& BundleReader::gaps() const { return impl_->gaps; }
const Json& BundleReader::seal() const { return impl_->seal; }

const Item* BundleReader::find(std::string_view name) const {
  const auto found = impl_->by_name.find(std::string(name));
  return found == impl_->by_name.end() ? nullptr : find(found->second);
}

const Item* BundleReader::find(std::uint64_t number) const {
  if (number == 0 || number > impl_->items.size()) return nullptr;
  return &impl_->items[static_cast<std::size_t>(number - 1)];
}

std::unique_ptr<ByteSource> BundleReader::open(const Item& item) const {
  const Item& content = impl_->content_item(item);
  const auto fail = [&](std::string_view expected) {
    throw Error(
        Errc::malformed,
        fmt::format("{}: item {} at tar offset {}: expected {}", impl_->name,
                    content.number, content.member_offset, expected));
  };
  if (content.kind != FileKind::regular) fail("a regular file");
  // files.jsonl says where the member is; the member itself must agree.
  const TarHeaders headers =
      parse_tar_headers(impl_->tar.head(content.member_offset, kMaxTarHeaders),
                        impl_->name, content.member_offset);
  const std::string expected_name =
      std::string(layout::kData) + layout::stored_name(content.name);
  if (headers.member.type != TarType::regular ||
      headers.member.name != expected_name ||
      headers.member.size != content.size_stored) {
    fail(fmt::format("the file \"{}\" of {} bytes, found \"{}\" of {}",
                     printable(expected_name), content.size_stored,
                     printable(headers.member.name), headers.member.size));
  }
  return std::make_unique<SubSource>(
      impl_->tar, content.member_offset + headers.size, content.size_stored);
}

std::vector<std::string> BundleReader::meta_names() const {
  std::vector<std::string> names;
  for (const auto& [name, content] : impl_->tags) names.push_back(name);
  return names;
}

std::string BundleReader::meta(std::string_view name) const {
  const auto found = impl_->tags.find(name);
  if (found == impl_->tags.end()) {
    throw Error(Errc::bad_input, fmt::format("{} has no member \"{}\"",
                                             impl_->name, printable(name)));
  }
  return found->second;
}

}  // namespace impound
