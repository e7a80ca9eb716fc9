// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/hdf5_dataset.hpp"
#include "core/formats/source_cursor.hpp"

namespace impound {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::uint64_t kMaxSuperblock = 8 * limits::kMiB;
constexpr std::uint64_t kMaxName = 4096;
constexpr std::size_t kMaxProblems = 500;
constexpr std::size_t kMaxExternals = 2000;      // more than a report lists
constexpr std::uint64_t kMaxMessages = 100'000;  // of one object
constexpr std::uint64_t kMaxSteps = 5'000'000;   // of one file
constexpr std::size_t kMaxChunks = 1000;         // of one object header

/// Numbers of the header messages that matter here.
enum MessageType : std::uint32_t {
  kDataspace = 0x1,
  kLinkInfo = 0x2,
  kDatatype = 0x3,
  kLink = 0x6,
  kExternalFiles = 0x7,
  kLayout = 0x8,
  kFilters = 0xb,
  kAttribute = 0xc,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kAttributeInfo = 0x15,
};

constexpr std::uint8_t kExternalLink = 64;

struct HeaderMessage {
  std::uint32_t type = 0;
  std::uint8_t flags = 0;
  std::uint64_t offset = 0;  ///< of its content
  std::uint64_t size = 0;
};

struct Dataspace {
  std::uint64_t elements = 1;
  bool overflows = false;
};

class FileWalk {
 public:
  explicit FileWalk(const ByteSource& source) : source_(source) {}

  Hdf5File run() {
    std::uint64_t root = 0;
    if (!superblock(root)) return std::move(file_);
    file_.attributes_read = true;
    file_.groups_read = true;
    object(root, "/", 0);
    return std::move(file_);
  }

 private:
  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    if (file_.problems.size() >= kMaxProblems) return;
    file_.problems.push_back(
        {std::string(rule), severity, offset, std::move(message)});
  }

  void broken(std::uint64_t offset, std::string_view what) {
    file_.groups_read = false;
    problem("hdf5-malformed", Severity::medium, offset,
            fmt::format("{} cannot be read", what));
  }

  SourceCursor at(std::uint64_t offset) {
    return {source_, std::min(offset, source_.size()), 512};
  }
  /// Hostile files make structures overlap: all walking together is bounded.
  bool step() {
    if (++steps_ <= kMaxSteps) return true;
    if (steps_ == kMaxSteps + 1) {
      problem("hdf5-too-large", Severity::medium, 0,
              "more structures than are walked");
    }
    file_.groups_read = false;
    file_.attributes_read = false;
    return false;
  }
  std::uint64_t offset_of(SourceCursor& cursor) {
    return cursor.integer(offset_size_);
  }
  std::uint64_t length_of(SourceCursor& cursor) {
    return cursor.integer(length_size_);
  }
  /// All ones: no address.
  [[nodiscard]] bool is_undefined(std::uint64_t address) const {
    return offset_size_ == 8
               ? address == UINT64_MAX
               : address == (std::uint64_t{1} << (8 * offset_size_)) - 1;
  }
  /// Addresses count from the base address.
  [[nodiscard]] std::optional<std::uint64_t> place(
      std::uint64_t address) const {
    if (is_undefined(address) || address > source_.size() ||
        base_ > source_.size() - address) {
      return std::nullopt;
    }
    return base_ + address;
  }

  bool superblock(std::uint64_t& root) {
    if (!find_hdf5(source_, file_.superblock)) {
      broken(0, "the HDF5 signature");
      return false;
    }
    SourceCursor cursor = at(file_.superblock + 8);
    file_.version = cursor.u8();
    if (file_.version > 3) {
      broken(file_.superblock + 8, "a superblock of an unknown version");
      return false;
    }
    const bool is_old = file_.version < 2;
    if (is_old) cursor.skip(4);
    offset_size_ = cursor.u8();
    length_size_ = cursor.u8();
    const auto is_width = [](std::size_t width) {
      return width == 2 || width == 4 || width == 8;
    };
    if (!is_width(offset_size_) || !is_width(length_size_)) {
      broken(file_.superblock, "a superblock with odd sizes of addresses");
      return false;
    }
    cursor.skip(is_old ? 9 : 1);
    if (file_.version == 1) cursor.skip(4);
    base_ = offset_of(cursor);
    if (is_old) {
      cursor.skip(4 * offset_size_);  // free space, end, driver, name
    } else {
      cursor.skip(2 * offset_size_);  // extension, end
    }
    root = offset_of(cursor);
    if (cursor.ok()) return true;
    broken(file_.superblock, "the superblock");
    return false;
  }

  /// Calls `visit` for every message of the header at `address`.
  bool messages(std::uint64_t address,
                const std::function<void(const HeaderMessage&)>& visit) {
    const auto start = place(address);
    if (!start) return false;
    struct Chunk {
      std::uint64_t begin;
      std::uint64_t size;
    };
    std::vector<Chunk> chunks;
    SourceCursor cursor = at(*start);
    const std::string head = cursor.text(4, 4);
    const bool is_new = head == "OHDR";
    std::uint8_t flags = 0;
    if (is_new) {
      if (cursor.u8() != 2) return false;
      flags = cursor.u8();
      if ((flags & 0x20U) != 0) cursor.skip(16);
      if ((flags & 0x10U) != 0) cursor.skip(4);
      const std::uint64_t size = cursor.integer(std::size_t{1} << (flags & 3U));
      chunks.push_back({cursor.offset(), size});
    } else {
      if (head.empty() || head[0] != '\x01') return false;
      cursor.skip(4);
      const std::uint64_t size = cursor.u32();
      cursor.skip(4);
      chunks.push_back({cursor.offset(), size});
    }
    if (!cursor.ok()) return false;
    bool is_whole = true;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < chunks.size() && i < kMaxChunks; ++i) {
      const Chunk chunk = chunks[i];
      if (chunk.begin > source_.size() ||
          chunk.size > source_.size() - chunk.begin) {
        return false;
      }
      SourceCursor in = at(chunk.begin);
      const std::uint64_t end = chunk.begin + chunk.size;
      const std::uint64_t head_size =
          is_new ? ((flags & 4U) != 0 ? 6U : 4U) : 8U;
      while (in.offset() < end && end - in.offset() >= head_size) {
        if (++count > kMaxMessages || !step()) return false;
        HeaderMessage message;
        message.type = is_new ? in.u8() : in.u16();
        message.size = in.u16();
        message.flags = in.u8();
        in.skip(is_new ? head_size - 4 : 3);
        message.offset = in.offset();
        if (!in.ok() || message.size > end - in.offset()) {
          is_whole = false;
          break;
        }
        if (message.type == kContinuation) {
          SourceCursor next = at(message.offset);
          const auto to = place(offset_of(next));
          const std::uint64_t size = length_of(next);
          if (!to) {
            is_whole = false;
          } else if (!is_new) {
            chunks.push_back({*to, size});
          } else if (size >= 8) {  // between "OCHK" and the checksum
            chunks.push_back({*to + 4, size - 8});
          }
        } else {
          visit(message);
        }
        in.skip(message.size);
      }
    }
    return is_whole && chunks.size() <= kMaxChunks;
  }

  void object(std::uint64_t address, const std::string& path, int depth) {
    if (!seen_.insert(address).second) return;
    if (depth > limits::kMaxDepth || ++file_.objects > kMaxHdf5Objects) {
      if (file_.groups_read) {
        problem("hdf5-too-large", Severity::medium, 0,
                "more objects or deeper groups than are walked");
      }
      file_.groups_read = false;
      return;
    }
    std::vector<HeaderMessage> found;
    const bool is_whole = messages(
        address, [&](const HeaderMessage& each) { found.push_back(each); });
    if (!is_whole) {
      broken(place(address).value_or(0), "the header of " + printable(path));
      if (depth == 0) file_.attributes_read = false;
    }
    std::optional<Dataspace> space;
    std::uint64_t element = 0;
    Hdf5DatasetParts parts;
    for (const HeaderMessage& each : found) {
      const bool is_shared = (each.flags & 2U) != 0;
      switch (each.type) {
        case kDataspace:
          if (!is_shared) space = dataspace(each.offset, each.size);
          parts.space = each.offset;
          parts.is_shared = parts.is_shared || is_shared;
          break;
        case kDatatype:
          if (!is_shared) element = at(each.offset + 4).u32();
          parts.type = each.offset;
          parts.is_shared = parts.is_shared || is_shared;
          break;
        case kLayout:
          parts.layout = each.offset;
          break;
        case kFilters:
          parts.has_filters = true;
          break;
        case kExternalFiles:
          parts.has_external = true;
          external_files(each, path);
          break;
        case kLink:
          link(each, path, depth);
          break;
        case kLinkInfo:
          link_info(each);
          break;
        case kSymbolTable:
          symbol_table(each, path, depth);
          break;
        case kAttribute:
          if (depth == 0) attribute(each);
          break;
        case kAttributeInfo:
          if (depth == 0) attribute_info(each);
          break;
        default:
          break;
      }
    }
    if (space) check_shape(*space, element, path, place(address).value_or(0));
    if (parts.layout) {
      Hdf5Dataset set = read_hdf5_dataset(
          source_,
          {.offset = offset_size_, .length = length_size_, .base = base_},
          parts);
      set.info.name = path;
      file_.datasets.push_back(std::move(set));
    }
  }

  Dataspace dataspace(std::uint64_t offset, std::uint64_t size) {
    Dataspace space;
    SourceCursor cursor = at(offset);
    const unsigned version = cursor.u8();
    const unsigned rank = cursor.u8();
    cursor.skip(version == 1 ? 6 : 2);
    if (size < cursor.offset() - offset ||
        (size - (cursor.offset() - offset)) / length_size_ < rank) {
      return space;
    }
    for (unsigned i = 0; i < rank; ++i) {
      const std::uint64_t n = length_of(cursor);
      if (n != 0 && space.elements > UINT64_MAX / n) space.overflows = true;
      space.elements *= n;
    }
    return space;
  }

  /// Compression reaches a factor of about a thousand; beyond it the shape is
  /// a lie that makes a loader allocate (CVE-2026-0897).
  void check_shape(const Dataspace& space, std::uint64_t element,
                   const std::string& path, std::uint64_t offset) {
    const std::uint64_t most =
        limits::kGiB + std::min(source_.size(), UINT64_MAX >> 12U) * 1024;
    if (!space.overflows &&
        (element == 0 || space.elements <= most / element)) {
      return;
    }
    problem("hdf5-shape", Severity::high, offset,
            fmt::format(
                "{} declares {} elements of {} bytes, in a file of {} "
                "(CVE-2026-0897)",
                printable(path),
                space.overflows ? "too many" : std::to_string(space.elements),
                element, source_.size()));
  }

  void symbol_table(const HeaderMessage& message, const std::string& path,
                    int depth) {
    SourceCursor cursor = at(message.offset);
    const auto tree = place(offset_of(cursor));
    const auto heap = place(offset_of(cursor));
    if (!cursor.ok() || !tree || !heap) return broken(message.offset, path);
    const auto names = heap_data(*heap);
    if (!names) return broken(*heap, "the names of " + printable(path));
    tree_node(*tree, *names, path, depth, 0);
  }

  /// Where the texts of a local heap begin.
  std::optional<std::uint64_t> heap_data(std::uint64_t heap) {
    SourceCursor cursor = at(heap);
    if (cursor.text(4, 4) != "HEAP") return std::nullopt;
    cursor.skip(4 + 2 * length_size_);
    const auto data = place(offset_of(cursor));
    return cursor.ok() ? data : std::nullopt;
  }

  std::string heap_text(std::uint64_t begin, std::uint64_t offset) {
    if (offset > source_.size() || begin > source_.size() - offset) return {};
    const Bytes bytes = source_.head(begin + offset, kMaxName);
    const std::string_view text = as_text(bytes);
    return std::string(text.substr(0, text.find('\0')));
  }

  void tree_node(std::uint64_t node, std::uint64_t names,
                 const std::string& path, int depth, int level) {
    if (level > limits::kMaxDepth || !nodes_.insert(node).second) return;
    SourceCursor cursor = at(node);
    const std::string kind = cursor.text(4, 4);
    if (kind == "SNOD") {
      cursor.skip(2);
      const unsigned count = cursor.u16();
      for (unsigned i = 0; i < count && cursor.ok() && step(); ++i) {
        const std::uint64_t name = offset_of(cursor);
        const std::uint64_t address = offset_of(cursor);
        const std::uint32_t cached = cursor.u32();
        cursor.skip(20);
        if (!cursor.ok()) break;
        if (cached == 2) continue;  // a soft link, inside this file
        object(address, inside(path, heap_text(names, name)), depth + 1);
      }
    } else if (kind == "TREE") {
      cursor.skip(2);  // kind and level: what a child is, it says itself
      const unsigned count = cursor.u16();
      cursor.skip(2 * offset_size_ + length_size_);
      for (unsigned i = 0; i < count && cursor.ok() && step(); ++i) {
        const auto child = place(offset_of(cursor));
        cursor.skip(length_size_);
        if (child) tree_node(*child, names, path, depth, level + 1);
      }
    } else {
      broken(node, "a group node of " + printable(path));
      return;
    }
    if (!cursor.ok()) broken(node, "a group node of " + printable(path));
  }

  static std::string inside(const std::string& path, const std::string& name) {
    if (path.size() > kMaxName) return path;
    return path == "/" ? path + name : path + "/" + name;
  }

  void link_info(const HeaderMessage& message) {
    SourceCursor cursor = at(message.offset + 1);
    if ((cursor.u8() & 1U) != 0) cursor.skip(8);
    // A fractal heap of links is not walked, and that is said.
    if (!is_undefined(offset_of(cursor))) file_.groups_read = false;
  }

  void attribute_info(const HeaderMessage& message) {
    SourceCursor cursor = at(message.offset + 1);
    if ((cursor.u8() & 1U) != 0) cursor.skip(2);
    if (!is_undefined(offset_of(cursor))) file_.attributes_read = false;
  }

  void link(const HeaderMessage& message, const std::string& path, int depth) {
    SourceCursor cursor = at(message.offset);
    cursor.skip(1);
    const unsigned flags = cursor.u8();
    const std::uint8_t kind = (flags & 8U) != 0 ? cursor.u8() : 0;
    if ((flags & 4U) != 0) cursor.skip(8);
    if ((flags & 16U) != 0) cursor.skip(1);
    const std::uint64_t length = cursor.integer(std::size_t{1} << (flags & 3U));
    if (!cursor.ok() || length > message.size) {
      return broken(message.offset, "a link of " + printable(path));
    }
    const std::string name = inside(path, cursor.text(length, kMaxName));
    if (kind == 0) return object(offset_of(cursor), name, depth + 1);
    if (kind != kExternalLink) return;
    const std::uint64_t size = cursor.u16();
    const std::uint64_t offset = cursor.offset();
    std::string target = cursor.text(size, kMaxName);
    if (!target.empty()) target.erase(0, 1);
    target = target.substr(0, target.find('\0'));
    external({name, target, offset, true});
  }

  void external_files(const HeaderMessage& message, const std::string& path) {
    SourceCursor cursor = at(message.offset + 4);
    cursor.skip(2);
    const unsigned used = cursor.u16();
    const auto heap = place(offset_of(cursor));
    const auto names = heap ? heap_data(*heap) : std::nullopt;
    for (unsigned i = 0; i < used && cursor.ok(); ++i) {
      const std::uint64_t name = length_of(cursor);
      cursor.skip(2 * length_size_);
      external({path, names ? heap_text(*names, name) : std::string(),
                message.offset, false});
    }
  }

  void external(Hdf5External found) {
    if (file_.externals.size() < kMaxExternals) {
      file_.externals.push_back(std::move(found));
    }
  }

  void attribute(const HeaderMessage& message) {
    SourceCursor cursor = at(message.offset);
    const unsigned version = cursor.u8();
    const unsigned flags = cursor.u8();
    const std::uint64_t name_size = cursor.u16();
    const std::uint64_t type_size = cursor.u16();
    const std::uint64_t space_size = cursor.u16();
    if (version == 3) cursor.skip(1);
    const auto padded = [&](std::uint64_t size) {
      return version == 1 ? (size + 7) / 8 * 8 : size;
    };
    if (version < 1 || version > 3 || (version > 1 && (flags & 3U) != 0)) {
      file_.attributes_read = false;
      return;
    }
    std::string name = cursor.text(padded(name_size), kMaxName);
    name = name.substr(0, name.find('\0'));
    const std::uint64_t type = cursor.offset();
    cursor.skip(padded(type_size));
    const Dataspace space = dataspace(cursor.offset(), space_size);
    cursor.skip(padded(space_size));
    const std::uint64_t end = message.offset + message.size;
    if (!cursor.ok() || cursor.offset() > end) {
      file_.attributes_read = false;
      return broken(message.offset, "an attribute of the root");
    }
    if (space.overflows || space.elements != 1) return;  // a list of names
    text_attribute(name, type, cursor.offset(), end - cursor.offset());
  }

  void text_attribute(const std::string& name, std::uint64_t type,
                      std::uint64_t data, std::uint64_t available) {
    SourceCursor cursor = at(type);
    const unsigned kind = cursor.u8() & 15U;
    const unsigned detail = cursor.u8() & 15U;
    cursor.skip(2);
    std::uint64_t size = cursor.u32();
    std::uint64_t place_of = data;
    if (kind == 9 && detail == 1) {
      const auto found = in_global_heap(data, available, size);
      if (!found) {
        file_.attributes_read = false;
        return broken(data, "the text of the attribute " + printable(name));
      }
      place_of = *found;
    } else if (kind == 3) {
      size = std::min(size, available);
    } else {
      return;
    }
    if (size > kMaxHdf5Text) {
      file_.attributes_read = false;
      problem(
          "hdf5-too-large", Severity::medium, place_of,
          fmt::format("the attribute {} has {} bytes", printable(name), size));
      return;
    }
    std::string value(as_text(source_.head(place_of, size)));
    value = value.substr(0, value.find('\0'));
    file_.attributes[name] = {std::move(value), place_of};
  }

  /// Where a text of variable length lies; `size` becomes its length.
  std::optional<std::uint64_t> in_global_heap(std::uint64_t reference,
                                              std::uint64_t available,
                                              std::uint64_t& size) {
    if (available < 8 + offset_size_) return std::nullopt;
    SourceCursor cursor = at(reference);
    const std::uint64_t length = cursor.u32();
    const auto heap = place(offset_of(cursor));
    const std::uint32_t wanted = cursor.u32();
    if (!heap) return std::nullopt;
    SourceCursor in = at(*heap);
    if (in.text(4, 4) != "GCOL") return std::nullopt;
    in.skip(4);
    const std::uint64_t collection = length_of(in);
    const std::uint64_t end =
        *heap + std::min(collection, source_.size() - *heap);
    while (in.ok() && in.offset() < end && step()) {
      const std::uint32_t index = in.u16();
      in.skip(6);
      const std::uint64_t bytes = length_of(in);
      if (!in.ok() || index == 0 || bytes > in.remaining()) break;
      if (index == wanted) {
        size = std::min(length, bytes);
        return in.offset();
      }
      in.skip(std::min((bytes + 7) / 8 * 8, in.remaining()));
    }
    return std::nullopt;
  }

  const ByteSource& source_;
  Hdf5File file_;
  std::uint64_t base_ = 0;
  std::uint64_t steps_ = 0;
  std::size_t offset_size_ = 8;
  std::size_t length_size_ = 8;
  std::set<std::uint64_t> seen_;   // object headers
  std::set<std::uint64_t> nodes_;  // nodes of groups
};

}  // namespace

bool find_hdf5(const ByteSource& source, std::uint64_t& offset) {
  for (std::uint64_t at = 0; at < source.size() && at <= kMaxSuperblock;
       at = at == 0 ? 512 : at * 2) {
    if (as_text(source.head(at, kSignature.size())) == kSignature) {
      offset = at;
      return true;
    }
  }
  return false;
}

Hdf5File read_hdf5(const ByteSource& source) { return FileWalk(source).run(); }

}  // namespace impound
