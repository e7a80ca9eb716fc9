// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pickle_writer.hpp"

#include <fmt/format.h>

namespace impound::test {
namespace {

std::uint32_t crc_of(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? crc >> 1U ^ 0xedb88320U : crc >> 1U;
    }
  }
  return ~crc;
}

}  // namespace

std::string little(std::uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) {
    out += static_cast<char>(static_cast<unsigned char>(value & 0xffU));
    value >>= 8U;
  }
  return out;
}

PickleWriter& PickleWriter::text(std::string_view value) {
  return raw("X").raw(little(value.size(), 4)).raw(value);
}

PickleWriter& PickleWriter::bytes(std::string_view value) {
  return raw("B").raw(little(value.size(), 4)).raw(value);
}

PickleWriter& PickleWriter::global(std::string_view module,
                                   std::string_view name) {
  return raw("c").raw(module).raw("\n").raw(name).raw("\n");
}

PickleWriter& PickleWriter::stack_global(std::string_view module,
                                         std::string_view name) {
  return text(module).text(name).raw("\x93");
}

PickleWriter& PickleWriter::call(std::string_view module, std::string_view name,
                                 std::string_view argument) {
  return global(module, name).text(argument).raw("\x85R");
}

std::string make_zip(const std::vector<ZipEntry>& entries,
                     std::string_view prefix) {
  std::string out(prefix);
  std::string directory;
  std::size_t listed = 0;
  for (const ZipEntry& entry : entries) {
    const std::string local =
        entry.local_name.empty() ? entry.name : entry.local_name;
    const std::uint32_t crc = crc_of(entry.content) ^ entry.crc_error;
    const std::size_t offset = out.size();
    const std::string sizes = little(crc, 4) + little(entry.content.size(), 4) +
                              little(entry.content.size(), 4);
    out += "PK\x03\x04" + little(20, 2) +
           little(entry.flags | entry.local_flags, 2) + little(0, 2) +
           little(0, 4) + sizes + little(local.size(), 2) + little(0, 2) +
           local + entry.content;
    if (!entry.is_listed) continue;
    ++listed;
    directory += "PK\x01\x02" + little(20, 2) + little(20, 2) +
                 little(entry.flags, 2) + little(0, 2) + little(0, 4) + sizes +
                 little(entry.name.size(), 2) + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(0, 2) + little(entry.attributes, 4) +
                 little(offset, 4) + entry.name;
  }
  const std::size_t begin = out.size();
  out += directory;
  out += "PK\x05\x06" + little(0, 4) + little(listed, 2) + little(listed, 2) +
         little(directory.size(), 4) + little(begin, 4) + little(0, 2);
  return out;
}

std::string make_tar(const std::vector<TarEntry>& entries) {
  std::string out;
  for (const TarEntry& entry : entries) {
    std::string header(512, '\0');
    header.replace(0, entry.name.size(), entry.name);
    header.replace(100, 8, std::string("0000644\0", 8));
    header.replace(124, 12,
                   fmt::format("{:011o}", entry.content.size()) + '\0');
    header.replace(156, 1, "0");
    header.replace(257, 6, std::string("ustar\0", 6));
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    out += header + entry.content;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  return out + std::string(1024, '\0');
}

}  // namespace impound::test
