// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/hdf5/hdf5_dataset.hpp"
#include "core/formats/hdf5/hdf5_heap.hpp"
#include "core/formats/hdf5/hdf5_layout.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxProblems = 500;
constexpr std::size_t kMaxExternals = 2000;  // more than a report lists

constexpr std::uint8_t kExternalLink = 64;

struct Dataspace {
  std::uint64_t elements = 1;
  bool overflows = false;
};

class FileWalk {
 public:
  explicit FileWalk(const ByteSource& source) : layout_(source) {}

  Hdf5File run() {
    const Hdf5Layout::Superblock start = layout_.open();
    file_.superblock = start.offset;
    file_.version = start.version;
    if (!start.broken.empty()) {
      broken(start.offset, start.broken);
      return std::move(file_);
    }
    file_.attributes_read = true;
    file_.groups_read = true;
    object(start.root, "/", 0);
    const std::uint64_t size = layout_.source().size();
    if (start.end > size) {
      file_.groups_read = false;
      problem("hdf5-truncated", Severity::medium, size,
              fmt::format("the file declares {} bytes and holds {}: {} are "
                          "missing",
                          start.end, size, start.end - size));
    }
    if (start.end != 0 && start.end < size) {
      problem("hdf5-trailing", Severity::medium, start.end,
              fmt::format("{} bytes behind the end that the file declares",
                          size - start.end));
    }
    if (layout_.is_exhausted()) {
      problem("hdf5-too-large", Severity::medium, 0,
              "more structures than are walked");
      file_.groups_read = false;
      file_.attributes_read = false;
    }
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
    std::vector<Hdf5Message> found;
    const bool is_whole = layout_.messages(
        address, [&](const Hdf5Message& each) { found.push_back(each); });
    if (!is_whole) {
      broken(layout_.place(address).value_or(0),
             "the header of " + printable(path));
      if (depth == 0) file_.attributes_read = false;
    }
    std::optional<Dataspace> space;
    std::uint64_t element = 0;
    Hdf5DatasetParts parts;
    for (const Hdf5Message& each : found) {
      const bool is_shared = (each.flags & 2U) != 0;
      switch (each.type) {
        case Hdf5Message::dataspace:
          if (!is_shared) space = dataspace(each.offset, each.size);
          parts.space = each.offset;
          parts.is_shared = parts.is_shared || is_shared;
          break;
        case Hdf5Message::datatype:
          if (!is_shared) element = layout_.at(each.offset + 4).u32();
          parts.type = each.offset;
          parts.is_shared = parts.is_shared || is_shared;
          break;
        case Hdf5Message::data_layout:
          parts.layout = each.offset;
          break;
        case Hdf5Message::filters:
          parts.has_filters = true;
          break;
        case Hdf5Message::external_files:
          parts.has_external = true;
          external_files(each, path);
          break;
        case Hdf5Message::link:
          link(each, path, depth);
          break;
        case Hdf5Message::link_info:
          link_info(each, path, depth);
          break;
        case Hdf5Message::symbol_table:
          symbol_table(each, path, depth);
          break;
        case Hdf5Message::attribute:
          if (depth == 0) attribute(each);
          break;
        case Hdf5Message::attribute_info:
          if (depth == 0) attribute_info(each);
          break;
        default:
          break;
      }
    }
    if (space)
      check_shape(*space, element, path, layout_.place(address).value_or(0));
    if (parts.layout) {
      Hdf5Dataset set = read_hdf5_dataset(layout_.source(),
                                          {.offset = layout_.offset_size(),
                                           .length = layout_.length_size(),
                                           .base = layout_.base()},
                                          parts);
      set.info.name = path;
      file_.datasets.push_back(std::move(set));
    }
  }

  Dataspace dataspace(std::uint64_t offset, std::uint64_t size) {
    Dataspace space;
    SourceCursor cursor = layout_.at(offset);
    const unsigned version = cursor.u8();
    const unsigned rank = cursor.u8();
    cursor.skip(version == 1 ? 6 : 2);
    if (size < cursor.offset() - offset ||
        (size - (cursor.offset() - offset)) / layout_.length_size() < rank) {
      return space;
    }
    for (unsigned i = 0; i < rank; ++i) {
      const std::uint64_t n = layout_.length_of(cursor);
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
        limits::kGiB +
        std::min(layout_.source().size(), UINT64_MAX >> 12U) * 1024;
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
                element, layout_.source().size()));
  }

  void symbol_table(const Hdf5Message& message, const std::string& path,
                    int depth) {
    SourceCursor cursor = layout_.at(message.offset);
    const auto tree = layout_.place(layout_.offset_of(cursor));
    const auto heap = layout_.place(layout_.offset_of(cursor));
    if (!cursor.ok() || !tree || !heap) return broken(message.offset, path);
    const auto names = layout_.local_heap(*heap);
    if (!names) return broken(*heap, "the names of " + printable(path));
    tree_node(*tree, *names, path, depth, 0);
  }

  void tree_node(std::uint64_t node, std::uint64_t names,
                 const std::string& path, int depth, int level) {
    if (level > limits::kMaxDepth || !nodes_.insert(node).second) return;
    SourceCursor cursor = layout_.at(node);
    const std::string kind = cursor.text(4, 4);
    if (kind == "SNOD") {
      cursor.skip(2);
      const unsigned count = cursor.u16();
      for (unsigned i = 0; i < count && cursor.ok() && layout_.step(); ++i) {
        const std::uint64_t name = layout_.offset_of(cursor);
        const std::uint64_t address = layout_.offset_of(cursor);
        const std::uint32_t cached = cursor.u32();
        cursor.skip(20);
        if (!cursor.ok()) break;
        if (cached == 2) continue;  // a soft link, inside this file
        object(address, inside(path, layout_.heap_text(names, name)),
               depth + 1);
      }
    } else if (kind == "TREE") {
      cursor.skip(2);  // kind and level: what a child is, it says itself
      const unsigned count = cursor.u16();
      cursor.skip(2 * layout_.offset_size() + layout_.length_size());
      for (unsigned i = 0; i < count && cursor.ok() && layout_.step(); ++i) {
        const auto child = layout_.place(layout_.offset_of(cursor));
        cursor.skip(layout_.length_size());
        if (child) tree_node(*child, names, path, depth, level + 1);
      }
    } else {
      broken(node, "a group node of " + printable(path));
      return;
    }
    if (!cursor.ok()) broken(node, "a group node of " + printable(path));
  }

  static std::string inside(const std::string& path, const std::string& name) {
    if (path.size() > Hdf5Layout::kMaxName) return path;
    return path == "/" ? path + name : path + "/" + name;
  }

  void link_info(const Hdf5Message& message, const std::string& path,
                 int depth) {
    SourceCursor cursor = layout_.at(message.offset + 1);
    if ((cursor.u8() & 1U) != 0) cursor.skip(8);
    const std::uint64_t heap = layout_.offset_of(cursor);
    const std::uint64_t index = layout_.offset_of(cursor);
    if (layout_.is_undefined(heap)) return;
    // Collected first: walking an object while its group is walked would nest
    // without need.
    std::vector<Hdf5Message> links;
    const bool is_whole = visit_hdf5_heap(
        layout_, heap, index, Hdf5Message::link, [&](const Hdf5Message& each) {
          if (links.size() < kMaxHdf5Objects) links.push_back(each);
        });
    if (!is_whole) broken(message.offset, "the links of " + printable(path));
    for (const Hdf5Message& each : links) link(each, path, depth);
  }

  void attribute_info(const Hdf5Message& message) {
    SourceCursor cursor = layout_.at(message.offset + 1);
    if ((cursor.u8() & 1U) != 0) cursor.skip(2);
    const std::uint64_t heap = layout_.offset_of(cursor);
    const std::uint64_t index = layout_.offset_of(cursor);
    if (layout_.is_undefined(heap)) return;
    const bool is_whole =
        visit_hdf5_heap(layout_, heap, index, Hdf5Message::attribute,
                        [&](const Hdf5Message& each) { attribute(each); });
    if (is_whole) return;
    file_.attributes_read = false;
    problem("hdf5-malformed", Severity::medium, message.offset,
            "the attributes of the root cannot be read");
  }

  void link(const Hdf5Message& message, const std::string& path, int depth) {
    SourceCursor cursor = layout_.at(message.offset);
    cursor.skip(1);
    const unsigned flags = cursor.u8();
    const std::uint8_t kind = (flags & 8U) != 0 ? cursor.u8() : 0;
    if ((flags & 4U) != 0) cursor.skip(8);
    if ((flags & 16U) != 0) cursor.skip(1);
    const std::uint64_t length = cursor.integer(std::size_t{1} << (flags & 3U));
    if (!cursor.ok() || length > message.size) {
      return broken(message.offset, "a link of " + printable(path));
    }
    const std::string name =
        inside(path, cursor.text(length, Hdf5Layout::kMaxName));
    if (kind == 0) return object(layout_.offset_of(cursor), name, depth + 1);
    if (kind != kExternalLink) return;
    const std::uint64_t size = cursor.u16();
    const std::uint64_t offset = cursor.offset();
    std::string target = cursor.text(size, Hdf5Layout::kMaxName);
    if (!target.empty()) target.erase(0, 1);
    target = target.substr(0, target.find('\0'));
    external({name, target, offset, true});
  }

  void external_files(const Hdf5Message& message, const std::string& path) {
    SourceCursor cursor = layout_.at(message.offset + 4);
    cursor.skip(2);
    const unsigned used = cursor.u16();
    const auto heap = layout_.place(layout_.offset_of(cursor));
    const auto names = heap ? layout_.local_heap(*heap) : std::nullopt;
    for (unsigned i = 0; i < used && cursor.ok(); ++i) {
      const std::uint64_t name = layout_.length_of(cursor);
      cursor.skip(2 * layout_.length_size());
      external({path, names ? layout_.heap_text(*names, name) : std::string(),
                message.offset, false});
    }
  }

  void external(Hdf5External found) {
    if (file_.externals.size() < kMaxExternals) {
      file_.externals.push_back(std::move(found));
    }
  }

  void attribute(const Hdf5Message& message) {
    SourceCursor cursor = layout_.at(message.offset);
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
    std::string name = cursor.text(padded(name_size), Hdf5Layout::kMaxName);
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
    SourceCursor cursor = layout_.at(type);
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
    if (size > kMaxHdf5Text || size > text_budget_) {
      file_.attributes_read = false;
      problem(
          "hdf5-too-large", Severity::medium, place_of,
          fmt::format("the attribute {} has {} bytes", printable(name), size));
      return;
    }
    text_budget_ -= size;
    std::string value(as_text(layout_.source().head(place_of, size)));
    value = value.substr(0, value.find('\0'));
    file_.attributes[name] = {std::move(value), place_of};
  }

  /// Where a text of variable length lies; `size` becomes its length.
  std::optional<std::uint64_t> in_global_heap(std::uint64_t reference,
                                              std::uint64_t available,
                                              std::uint64_t& size) {
    if (available < 8 + layout_.offset_size()) return std::nullopt;
    SourceCursor cursor = layout_.at(reference);
    const std::uint64_t length = cursor.u32();
    const auto heap = layout_.place(layout_.offset_of(cursor));
    const std::uint32_t wanted = cursor.u32();
    if (!heap) return std::nullopt;
    SourceCursor in = layout_.at(*heap);
    if (in.text(4, 4) != "GCOL") return std::nullopt;
    in.skip(4);
    const std::uint64_t collection = layout_.length_of(in);
    const std::uint64_t end =
        *heap + std::min(collection, layout_.source().size() - *heap);
    while (in.ok() && in.offset() < end && layout_.step()) {
      const std::uint32_t index = in.u16();
      in.skip(6);
      const std::uint64_t bytes = layout_.length_of(in);
      if (!in.ok() || index == 0 || bytes > in.remaining()) break;
      if (index == wanted) {
        size = std::min(length, bytes);
        return in.offset();
      }
      in.skip(std::min((bytes + 7) / 8 * 8, in.remaining()));
    }
    return std::nullopt;
  }

  Hdf5Layout layout_;
  Hdf5File file_;
  std::uint64_t text_budget_ = kMaxHdf5Texts;
  std::set<std::uint64_t> seen_;   // object headers
  std::set<std::uint64_t> nodes_;  // nodes of groups
};

}  // namespace

Hdf5File read_hdf5(const ByteSource& source) { return FileWalk(source).run(); }

std::string_view why_hdf5(const FormatSubject& subject) {
  std::uint64_t offset = 0;
  if (!find_hdf5(subject.source, offset)) return {};
  return offset == 0 ? "begins with the signature of HDF5"
                     : "the signature of HDF5 stands behind a user block";
}

}  // namespace impound
