// SPDX-License-Identifier: Apache-2.0
#include "core/formats/torch/torch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "core/base/text.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/torch/torch_objects.hpp"

namespace impound {
namespace {

/// Bytes of an object pickle that is packed: it is unpacked to be walked.
constexpr std::uint64_t kMaxPickle = std::uint64_t{4} << 30U;

/// Object pickles up to this size are read at once.
constexpr std::uint64_t kMaxHeld = std::uint64_t{16} << 20U;

constexpr std::string_view kLegacyHead{
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15};

Problem odd(std::string_view rule, Severity severity, std::uint64_t offset,
            std::string message) {
  return {.rule = std::string(rule),
          .severity = severity,
          .offset = offset,
          .message = std::move(message)};
}

/// A number that is written as eight little-endian bytes.
std::optional<std::uint64_t> count_at(const ByteSource& source,
                                      std::uint64_t offset) {
  const Bytes raw = source.head(std::min(offset, source.size()), 8);
  if (raw.size() != 8) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) {
    value = value << 8U | std::to_integer<std::uint64_t>(raw[i]);
  }
  return value;
}

void place_zip_storages(TorchFile& file, const ZipArchive& archive) {
  std::set<std::string> wanted;
  const std::string folder = file.root + "/data/";
  std::map<std::string_view, const ZipMember*> by_name;
  for (const ZipMember& member : archive.members) {
    by_name.emplace(member.name, &member);
  }
  for (TorchStorage& storage : file.storages) {
    const std::string name = folder + storage.key;
    wanted.insert(name);
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      file.problems.push_back(
          odd("torch-storage-missing", Severity::medium, 0,
              fmt::format("storage {} is not in the file", printable(name))));
      continue;
    }
    const ZipMember* const member = found->second;
    // file.end is the size of the file here: a member may claim more.
    storage.is_present = member->has_header &&
                         member->data_offset <= file.end &&
                         member->size <= file.end - member->data_offset;
    storage.offset = member->data_offset;
    storage.size = member->size;
    storage.is_plain = member->method == 0;
    std::uint64_t needed = 0;
    if (storage.item_size != 0 &&
        (__builtin_mul_overflow(storage.count, storage.item_size, &needed) ||
         needed != storage.size)) {
      file.problems.push_back(
          odd("torch-storage-size", Severity::medium, member->header_offset,
              fmt::format("storage {}: the pickle says {} elements of {} "
                          "bytes, the member has {} bytes",
                          printable(name), storage.count, storage.item_size,
                          storage.size)));
    }
  }
  if (file.is_torchscript) return;  // its constants have a pickle of their own
  for (const ZipMember& member : archive.members) {
    if (member.name.starts_with(folder) && !member.is_folder &&
        !wanted.contains(member.name)) {
      file.problems.push_back(
          odd("torch-unreferenced", Severity::medium, member.header_offset,
              fmt::format("{} belongs to no tensor", printable(member.name))));
    }
  }
}

void read_byte_order(TorchFile& file, const ByteSource& source,
                     const ZipArchive& archive) {
  for (const ZipMember& member : archive.members) {
    if (member.name != file.root + "/byteorder") continue;
    const ZipContent content = open_zip_member(source, member, 64);
    const Bytes text = content.source ? content.source->head(0, 16) : Bytes();
    file.is_big_endian = as_text(text) == "big";
    if (!file.is_big_endian && as_text(text) != "little") {
      file.problems.push_back(
          odd("torch-byteorder", Severity::medium, member.header_offset,
              fmt::format("byteorder is {}: little or big are known",
                          printable(as_text(text)))));
    }
  }
}

}  // namespace

bool looks_like_legacy_torch(ByteView head) {
  return as_text(head).starts_with(kLegacyHead);
}

std::optional<std::string> torch_zip_root(const ZipArchive& archive) {
  for (const ZipMember& member : archive.members) {
    constexpr std::string_view kPickle = "/data.pkl";
    if (member.name.ends_with(kPickle) &&
        std::count(member.name.begin(), member.name.end(), '/') == 1) {
      return member.name.substr(0, member.name.size() - kPickle.size());
    }
  }
  return std::nullopt;
}

TorchFile read_torch_zip(const ByteSource& source, const ZipArchive& archive,
                         const PickleOptions& options) {
  TorchFile file;
  file.container = TorchFile::Container::zip;
  file.end = source.size();
  const std::optional<std::string> root = torch_zip_root(archive);
  if (!root) return file;
  file.root = *root;
  std::set<std::string> roots;
  for (const ZipMember& member : archive.members) {
    roots.insert(member.name.substr(0, member.name.find('/')));
    if (member.name.starts_with(file.root + "/code/")) {
      file.is_torchscript = true;
    }
  }
  if (roots.size() > 1) {
    file.problems.push_back(
        odd("torch-several-roots", Severity::medium, 0,
            fmt::format("{} folders or files at the top; torch writes one",
                        roots.size())));
  }
  read_byte_order(file, source, archive);
  file.is_complete = false;
  for (const ZipMember& member : archive.members) {
    if (member.name != file.root + "/data.pkl") continue;
    ZipContent content = open_zip_member(source, member, kMaxPickle);
    if (!content.source) continue;
    hold_in_memory(content, kMaxHeld);
    PickleMachine machine(*content.source, options);
    const PickleRun run = machine.run(0);
    file.is_complete = run.has_stopped;
    file.storages = torch_storages(machine.heap(), run);
    place_zip_storages(file, archive);
    file.tensors = torch_tensors(machine.heap(), run.root, file.storages);
    break;
  }
  return file;
}

TorchFile read_torch_legacy(const ByteSource& source,
                            const PickleOptions& options) {
  TorchFile file;
  file.container = TorchFile::Container::legacy;
  PickleMachine machine(source, options);
  std::uint64_t at = 0;
  std::vector<std::string> keys;
  std::unique_ptr<PickleMachine> objects;
  PickleValue root;
  for (int i = 0; i < 5; ++i) {
    // The object pickle keeps its values until the storages are known.
    const bool is_object = i == 3;
    if (is_object) objects = std::make_unique<PickleMachine>(source, options);
    PickleMachine& walker = is_object ? *objects : machine;
    PickleRun run = walker.run(at);
    at = run.end;
    if (is_object) {
      file.storages = torch_storages(walker.heap(), run);
      root = run.root;
    }
    if (i == 4) {
      for (const PickleValue& key : walker.heap().children(run.root)) {
        keys.push_back(walker.heap().text(key, 4096));
      }
    }
    const bool has_stopped = run.has_stopped;
    file.runs.push_back(std::move(run));
    if (!has_stopped) break;
  }
  if (file.runs.size() < 5 || !file.runs.back().has_stopped) {
    file.problems.push_back(odd(
        "torch-truncated", Severity::medium, at,
        fmt::format("{} of its 5 pickles can be read", file.runs.size() - 1)));
  }
  std::map<std::string, TorchStorage*> by_key;
  for (TorchStorage& storage : file.storages) by_key[storage.key] = &storage;
  for (const std::string& key : keys) {
    const auto found = by_key.find(key);
    const std::optional<std::uint64_t> count = count_at(source, at);
    if (found == by_key.end() || !count || found->second->item_size == 0) {
      file.problems.push_back(
          odd("torch-storage-missing", Severity::medium, at,
              fmt::format("storage {} cannot be found", printable(key))));
      break;
    }
    TorchStorage* const storage = found->second;
    std::uint64_t size = 0;
    if (__builtin_mul_overflow(*count, storage->item_size, &size) ||
        size > source.size() - at - 8) {
      file.problems.push_back(
          odd("torch-storage-size", Severity::medium, at,
              fmt::format("storage {} announces {} elements, {} bytes are left",
                          printable(key), *count, source.size() - at - 8)));
      break;
    }
    if (*count != storage->count) {
      file.problems.push_back(
          odd("torch-storage-size", Severity::medium, at,
              fmt::format("storage {}: the pickle says {} elements, the data "
                          "{}",
                          printable(key), storage->count, *count)));
    }
    storage->is_present = true;
    storage->offset = at + 8;
    storage->size = size;
    at += 8 + size;
  }
  file.end = at;
  file.is_complete = file.runs.size() >= 5 && file.runs[3].has_stopped;
  if (objects) {
    file.tensors = torch_tensors(objects->heap(), root, file.storages);
  }
  return file;
}

std::string_view why_torch_zip(const FormatSubject& subject) {
  if (!is_zip(subject) || !torch_zip_root(archive_of(subject))) return {};
  return "a zip with a data.pkl, as torch.save writes it";
}

std::string_view why_torch_legacy(const FormatSubject& subject) {
  return looks_like_legacy_torch(subject.head)
             ? "begins with the magic number of torch.save before zip"
             : "";
}

}  // namespace impound
