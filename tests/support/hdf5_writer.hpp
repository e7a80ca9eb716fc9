// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Writes HDF5 files with one root group: text attributes, external links and
/// datasets without data, in the old layout (version 0) or the new (version 2).

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace impound::test {

class Hdf5Writer {
 public:
  bool is_new = false;       ///< superblock 2 and object header 2
  bool is_variable = false;  ///< texts in a global heap, as h5py writes them
  std::size_t user_block = 0;
  std::vector<std::pair<std::string, std::string>> attributes;
  /// Name, file it leads to.
  std::vector<std::pair<std::string, std::string>> external_links;
  /// Dimensions of a dataset of floats at "/data"; none if empty.
  std::vector<std::uint64_t> dimensions;
  /// Attributes that lie in a fractal heap: their ids, and a tree of the ids.
  std::vector<std::pair<std::string, std::string>> dense_attributes;
  /// Says that more attributes lie in a fractal heap, which is not there.
  bool has_lost_attributes = false;

  [[nodiscard]] std::string build() const {
    // Everything the root's header refers to comes behind the superblock.
    constexpr std::size_t kBegin = 96;
    std::string blocks;
    std::vector<std::uint64_t> heaps;
    if (is_variable) {
      for (const auto& [name, value] : attributes) {
        heaps.push_back(kBegin + blocks.size());
        std::string object = number(1, 2) + number(1, 2) + number(0, 4) +
                             number(value.size(), 8) + value;
        pad(object);
        blocks += "GCOL" + number(1, 4) + number(32 + object.size(), 8) +
                  object + std::string(16, '\0');
      }
    }
    std::uint64_t dataset = 0;
    if (!dimensions.empty()) {
      dataset = kBegin + blocks.size();
      std::string space =
          number(1, 1) + number(dimensions.size(), 1) + std::string(6, '\0');
      for (const std::uint64_t n : dimensions) space += number(n, 8);
      blocks += header({{1, space},
                        {3, "\x11" + std::string("\x20\x1f\0", 3) +
                                number(4, 4) + std::string(12, '\0')}});
      pad(blocks);
    }
    std::vector<std::pair<unsigned, std::string>> messages;
    for (std::size_t i = 0; i < attributes.size(); ++i) {
      messages.emplace_back(0xc,
                            attribute(attributes[i].first, attributes[i].second,
                                      is_variable ? heaps[i] : 0));
    }
    for (const auto& [name, file] : external_links) {
      const std::string target = '\0' + file + '\0' + "/x" + '\0';
      messages.emplace_back(6, number(1, 1) + number(8, 1) + number(64, 1) +
                                   number(name.size(), 1) + name +
                                   number(target.size(), 2) + target);
    }
    if (dataset != 0) {
      messages.emplace_back(6, number(1, 1) + number(0, 1) + number(4, 1) +
                                   "data" + number(dataset, 8));
    }
    if (has_lost_attributes) {
      messages.emplace_back(
          0x15, number(0, 1) + number(0, 1) + number(64, 8) + number(64, 8));
    }
    if (!dense_attributes.empty()) {
      const std::uint64_t heap = kBegin + blocks.size();
      const Dense dense = fractal_heap(heap);
      blocks += dense.bytes;
      messages.emplace_back(0x15, number(0, 1) + number(0, 1) +
                                      number(heap, 8) + number(dense.tree, 8));
    }
    const std::uint64_t root = kBegin + blocks.size();
    std::string out(user_block, '\0');
    const std::string objects = header(messages);
    std::string start =
        superblock(root, user_block + kBegin + blocks.size() + objects.size());
    start.resize(kBegin);
    return out + start + blocks + objects;
  }

  static std::string number(std::uint64_t value, std::size_t width) {
    std::string out;
    for (std::size_t i = 0; i < width; ++i) {
      out.push_back(static_cast<char>((value >> (8 * i)) & 0xffU));
    }
    return out;
  }

 private:
  struct Dense {
    std::string bytes;
    std::uint64_t tree;  ///< address of the B-tree
  };

  /// A heap of one direct block, and a tree of one leaf.
  [[nodiscard]] Dense fractal_heap(std::uint64_t address) const {
    constexpr std::size_t kHeader = 146;
    const std::uint64_t block_at = address + kHeader;
    std::string block =
        "FHDB" + number(0, 1) + number(address, 8) + number(0, 4);
    std::string records;
    for (const auto& [name, value] : dense_attributes) {
      const std::string object = attribute(name, value, 0);
      records += number(0, 1) + number(block.size(), 4) +
                 number(object.size(), 2) + number(0, 1) +  // the id
                 number(0, 1) + number(0, 8);
      block += object;
    }
    std::size_t size = 512;
    while (size < block.size()) size *= 2;
    block.resize(size);
    std::string header = "FRHP" + number(0, 1) + number(8, 2) + number(0, 2) +
                         number(0, 1) + number(4096, 4) + number(0, 8) +
                         number(UINT64_MAX, 8) + std::string(80, '\0') +
                         number(4, 2) + number(size, 8) + number(65536, 8) +
                         number(32, 2) + number(0, 2) + number(block_at, 8) +
                         number(0, 2);
    header.resize(kHeader);
    const std::uint64_t tree = block_at + size;
    constexpr std::size_t kTree = 38;
    const std::string root =
        "BTHD" + number(0, 1) + number(8, 1) + number(4096, 4) + number(17, 2) +
        number(0, 2) + number(100, 1) + number(40, 1) +
        number(tree + kTree, 8) + number(dense_attributes.size(), 2) +
        number(dense_attributes.size(), 8) + number(0, 4);
    return {header + block + root + "BTLF" + number(0, 1) + number(8, 1) +
                records + number(0, 4),
            tree};
  }

  static void pad(std::string& text) {
    while (text.size() % 8 != 0) text.push_back('\0');
  }

  [[nodiscard]] std::string superblock(std::uint64_t root,
                                       std::uint64_t end) const {
    std::string out = "\x89HDF\r\n\x1a\n";
    if (is_new) {
      return out + number(2, 1) + number(8, 1) + number(8, 1) + number(0, 1) +
             number(user_block, 8) + number(UINT64_MAX, 8) + number(end, 8) +
             number(root, 8) + number(0, 4);
    }
    return out + std::string(5, '\0') + number(8, 1) + number(8, 1) +
           std::string(1, '\0') + number(4, 2) + number(16, 2) + number(0, 4) +
           number(user_block, 8) + number(UINT64_MAX, 8) + number(end, 8) +
           number(UINT64_MAX, 8) + number(0, 8) + number(root, 8) +
           std::string(24, '\0');
  }

  [[nodiscard]] std::string header(
      const std::vector<std::pair<unsigned, std::string>>& messages) const {
    std::string body;
    for (const auto& [type, content] : messages) {
      std::string padded = content;
      if (!is_new) pad(padded);
      body += number(type, is_new ? 1 : 2) + number(padded.size(), 2) +
              number(0, is_new ? 1 : 4) + padded;
    }
    if (is_new) {
      return "OHDR" + number(2, 1) + number(2, 1) + number(body.size(), 4) +
             body + number(0, 4);
    }
    return number(1, 2) + number(messages.size(), 2) + number(1, 4) +
           number(body.size(), 4) + number(0, 4) + body;
  }

  [[nodiscard]] std::string attribute(const std::string& name,
                                      const std::string& value,
                                      std::uint64_t heap) const {
    const std::string kept = name + '\0';
    const std::string type =
        heap != 0 ? number(0x19, 1) + number(1, 3) + number(16, 4)
                  : number(0x13, 1) + number(0, 3) + number(value.size(), 4);
    const std::string space = number(1, 1) + std::string(7, '\0');
    const std::string data =
        heap != 0 ? number(value.size(), 4) + number(heap, 8) + number(1, 4)
                  : value;
    return number(3, 1) + number(0, 1) + number(kept.size(), 2) +
           number(type.size(), 2) + number(space.size(), 2) + number(0, 1) +
           kept + type + space + data;
  }
};

}  // namespace impound::test
