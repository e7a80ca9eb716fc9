// SPDX-License-Identifier: Apache-2.0
#include "core/storage/tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

/// A field of the ustar header block: where it stands, in bytes.
struct Field {
  std::size_t offset;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeflag = 156;
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kPrefix{345, 155};
constexpr std::string_view kUstar("ustar\00000", 8);

constexpr std::uint64_t kMaxOctal7 = 07777777;       // 8-byte fields
constexpr std::uint64_t kMaxOctal11 = 077777777777;  // 12-byte fields
constexpr char kExtendedHeader = 'x';
constexpr std::string_view kXattr = "SCHILY.xattr.";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

using Block = std::array<char, kTarBlock>;

void put_text(Block& block, Field field, std::string_view text) {
  std::copy_n(text.begin(), std::min(field.size, text.size()),
              block.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

void put_octal(Block& block, Field field, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, field.size - 1);
  put_text(block, field, digits);
}

std::uint64_t sum_of(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool in_checksum =
        i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += in_checksum ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

void append_block(Bytes& out, Block& block) {
  put_text(block, kMagic, kUstar);
  // Six digits, NUL, space: the form every tar writes.
  const std::string digits = fmt::format("{:06o}", sum_of(block));
  put_text(block, kChecksum, digits);
  block[kChecksum.offset + 6] = '\0';
  block[kChecksum.offset + 7] = ' ';
  const ByteView view = std::as_bytes(std::span(block));
  out.insert(out.end(), view.begin(), view.end());
}

/// "LENGTH KEY=VALUE\n", LENGTH counting itself.
std::string record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t total = rest + 1;
  while (std::to_string(total).size() + rest != total) {
    total = std::to_string(total).size() + rest;
  }
  return fmt::format("{} {}={}\n", total, key, value);
}

/// "1732330800.123456789", the fraction without trailing zeros; negative times
/// as POSIX has them: the fraction counts away from zero.
std::string pax_time(std::int64_t ns) {
  const bool negative = ns < 0;
  const std::uint64_t size = negative ? ~static_cast<std::uint64_t>(ns) + 1
                                      : static_cast<std::uint64_t>(ns);
  std::string text = fmt::format("{}{}.{:09}", negative ? "-" : "",
                                 size / kNsPerSecond, size % kNsPerSecond);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Splits a name over prefix and name fields; empty if it fits neither way.
std::optional<std::pair<std::string_view, std::string_view>> split_name(
    std::string_view name) {
  if (name.size() <= kName.size) return std::pair(std::string_view(), name);
  // The first '/' that leaves at most 100 bytes, if it stands early enough.
  const std::size_t slash = name.find('/', name.size() - kName.size - 1);
  if (slash == name.npos || slash > kPrefix.size || slash == 0 ||
      slash + 1 == name.size()) {
    return std::nullopt;
  }
  return std::pair(name.substr(0, slash), name.substr(slash + 1));
}

/// A keyword cannot hold '=': GNU tar writes it and '%' like this.
std::string encode_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '%') {
      out += "%25";
    } else if (c == '=') {
      out += "%3D";
    } else {
      out += c;
    }
  }
  return out;
}

std::string decode_key(std::string_view key) {
  std::string out;
  while (!key.empty()) {
    const bool percent = key.starts_with("%25");
    if (percent || key.starts_with("%3D")) {
      out += percent ? '%' : '=';
      key.remove_prefix(3);
    } else {
      out += key.front();
      key.remove_prefix(1);
    }
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

[[noreturn]] void fail(std::string_view source, std::uint64_t offset,
                       std::string_view expected) {
  throw Error(Errc::malformed, fmt::format("{}: tar offset {}: expected {}",
                                           source, offset, expected));
}

/// Reads one block's fields, refusing what append_block() would not write.
class BlockReader {
 public:
  BlockReader(ByteView bytes, std::string_view source, std::uint64_t offset)
      : source_(source), offset_(offset) {
    if (bytes.size() < kTarBlock) fail("a header block of 512 bytes");
    std::memcpy(block_.data(), bytes.data(), kTarBlock);
    if (std::string_view(block_.data() + kMagic.offset, kMagic.size) !=
        kUstar) {
      fail("a ustar header");
    }
    const std::string_view sum(block_.data() + kChecksum.offset,
                               kChecksum.size);
    if (sum != fmt::format("{:06o}", sum_of(block_)) + std::string("\0 ", 2)) {
      fail("a header with a right checksum");
    }
  }

  [[nodiscard]] char type() const { return block_[kTypeflag]; }

  [[nodiscard]] std::string text(Field field) const {
    const std::string_view raw(block_.data() + field.offset, field.size);
    return std::string(raw.substr(0, raw.find('\0')));
  }

  [[nodiscard]] std::uint64_t octal(Field field) const {
    const std::string_view raw(block_.data() + field.offset, field.size);
    std::uint64_t value = 0;
    const char* const end = raw.data() + raw.size() - 1;
    const auto [stop, error] = std::from_chars(raw.data(), end, value, 8);
    if (error != std::errc() || stop != end || *end != '\0') {
      fail("an octal number");
    }
    return value;
  }

  [[noreturn]] void fail(std::string_view expected) const {
    impound::fail(source_, offset_, expected);
  }

 private:
  Block block_{};
  std::string_view source_;
  std::uint64_t offset_;
};

std::uint64_t parse_decimal(std::string_view text, std::string_view source,
                            std::uint64_t offset) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) {
    fail(source, offset, "a decimal number in a pax record");
  }
  return value;
}

std::int64_t parse_pax_time(std::string_view text, std::string_view source,
                            std::uint64_t offset) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  const std::uint64_t seconds =
      parse_decimal(text.substr(0, dot), source, offset);
  std::uint64_t fraction = 0;
  if (dot != text.npos) {
    std::string digits(text.substr(dot + 1));
    if (digits.empty() || digits.size() > 9) {
      fail(source, offset, "a time with at most nine decimals");
    }
    digits.resize(9, '0');
    fraction = parse_decimal(digits, source, offset);
  }
  if (seconds >= static_cast<std::uint64_t>(INT64_MAX / kNsPerSecond)) {
    fail(source, offset, "a time between the years 1678 and 2262");
  }
  const auto ns = static_cast<std::int64_t>(seconds) * kNsPerSecond +
                  static_cast<std::int64_t>(fraction);
  return negative ? -ns : ns;
}

/// What the pax records of one member say.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> linkpath;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> uid;
  std::optional<std::uint64_t> gid;
  std::optional<std::int64_t> mtime;
  std::int64_t atime = 0;
  std::int64_t ctime = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

void take_record(PaxRecords& records, std::string_view key,
                 std::string_view value, std::string_view source,
                 std::uint64_t at) {
  const auto set_once = [&](auto& slot, auto parsed) {
    if (slot) fail(source, at, "each pax keyword once");
    slot = std::move(parsed);
  };
  if (key == "path" || key == "linkpath") {
    if (value.find('\0') != value.npos) fail(source, at, "a path without NUL");
    set_once(key == "path" ? records.path : records.linkpath,
             std::string(value));
  } else if (key == "size") {
    set_once(records.size, parse_decimal(value, source, at));
  } else if (key == "uid") {
    set_once(records.uid, parse_decimal(value, source, at));
  } else if (key == "gid") {
    set_once(records.gid, parse_decimal(value, source, at));
  } else if (key == "mtime") {
    set_once(records.mtime, parse_pax_time(value, source, at));
  } else if (key == "atime") {
    records.atime = parse_pax_time(value, source, at);
  } else if (key == "ctime") {
    records.ctime = parse_pax_time(value, source, at);
  } else if (key.starts_with(kXattr)) {
    records.xattrs.emplace_back(decode_key(key.substr(kXattr.size())), value);
  } else if (key != "hdrcharset" || value != "BINARY") {
    fail(source, at,
         fmt::format("a pax keyword of the bundle format, not \"{}\"",
                     printable(key)));
  }
}

PaxRecords parse_records(std::string_view text, std::string_view source,
                         std::uint64_t base) {
  PaxRecords records;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    const std::size_t space = rest.find(' ');
    if (space == rest.npos || space > 7) {
      fail(source, base + at, "the length of a pax record");
    }
    const std::uint64_t length =
        parse_decimal(rest.substr(0, space), source, base + at);
    if (length > rest.size() || length < space + 3 ||
        rest[static_cast<std::size_t>(length) - 1] != '\n') {
      fail(source, base + at, "a pax record that ends with a newline");
    }
    const std::string_view body =
        rest.substr(space + 1, static_cast<std::size_t>(length) - space - 2);
    const std::size_t equals = body.find('=');
    if (equals == body.npos || equals == 0) {
      fail(source, base + at, "a pax record with a keyword");
    }
    take_record(records, body.substr(0, equals), body.substr(equals + 1),
                source, base + at);
    at += static_cast<std::size_t>(length);
  }
  return records;
}

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes,
                             [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Bytes encode_tar_headers(const TarMember& member, std::uint64_t sequence) {
  const std::string name =
      member.type == TarType::directory ? member.name + "/" : member.name;
  std::string records;
  const auto add = [&](std::string_view key, std::string_view value) {
    records += record(key, value);
  };
  const auto split = split_name(name);
  const bool long_link = member.link.size() > kLink.size;
  // Readers take a path record for UTF-8 unless they are told otherwise, and
  // bsdtar refuses to convert it in the C locale. A name that fits the ustar
  // fields is raw bytes anyway.
  if ((!split && !is_ascii(name)) || (long_link && !is_ascii(member.link))) {
    add("hdrcharset", "BINARY");
  }
  if (!split) add("path", name);
  if (long_link) add("linkpath", member.link);
  if (member.size > kMaxOctal11) add("size", std::to_string(member.size));
  if (member.uid > kMaxOctal7) add("uid", std::to_string(member.uid));
  if (member.gid > kMaxOctal7) add("gid", std::to_string(member.gid));
  if (member.mtime_ns < 0 || member.mtime_ns % kNsPerSecond != 0) {
    add("mtime", pax_time(member.mtime_ns));
  }
  if (member.atime_ns != 0) add("atime", pax_time(member.atime_ns));
  if (member.ctime_ns != 0) add("ctime", pax_time(member.ctime_ns));
  for (const auto& [key, value] : member.xattrs) {
    add(std::string(kXattr) + encode_key(key), value);
  }
  if (records.size() > kMaxTarHeaders - 4 * kTarBlock) {
    throw Error(Errc::limit,
                fmt::format("{}: headers of {} are too long for a bundle",
                            printable(name), human_bytes(records.size())));
  }

  Bytes out;
  if (!records.empty()) {
    Block block{};
    put_text(block, kName, fmt::format("./PaxHeaders/{}", sequence));
    put_octal(block, kMode, 0644);
    put_octal(block, kUid, 0);
    put_octal(block, kGid, 0);
    put_octal(block, kSize, records.size());
    put_octal(block, kMtime, 0);
    block[kTypeflag] = kExtendedHeader;
    append_block(out, block);
    const ByteView raw = as_bytes(records);
    out.insert(out.end(), raw.begin(), raw.end());
    out.resize(out.size() + tar_padding(records.size()));
  }
  Block block{};
  if (split) {
    put_text(block, kPrefix, split->first);
    put_text(block, kName, split->second);
  } else {  // shortened: the path record is what counts
    put_text(block, kName, std::string_view(name).substr(0, kName.size));
  }
  put_octal(block, kMode, member.mode & 07777U);
  put_octal(block, kUid, std::min<std::uint64_t>(member.uid, kMaxOctal7));
  put_octal(block, kGid, std::min<std::uint64_t>(member.gid, kMaxOctal7));
  put_octal(block, kSize, std::min(member.size, kMaxOctal11));
  const std::int64_t seconds = member.mtime_ns / kNsPerSecond;
  put_octal(block, kMtime,
            std::min(kMaxOctal11, static_cast<std::uint64_t>(
                                      std::max<std::int64_t>(0, seconds))));
  block[kTypeflag] = static_cast<char>(member.type);
  put_text(block, kLink, member.link);
  append_block(out, block);
  return out;
}

std::size_t tar_headers_size(ByteView first_block) {
  if (first_block.size() < kTarBlock ||
      std::to_integer<char>(first_block[kTypeflag]) != kExtendedHeader) {
    return kTarBlock;
  }
  const std::string_view digits =
      as_text(first_block.subspan(kSize.offset, kSize.size - 1));
  std::uint64_t size = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, size, 8);
  if (error != std::errc() || stop != end || size > kMaxTarHeaders) {
    return kTarBlock;  // parse_tar_headers() says what is wrong
  }
  return 2 * kTarBlock + static_cast<std::size_t>(size) + tar_padding(size);
}

TarHeaders parse_tar_headers(ByteView bytes, std::string_view source,
                             std::uint64_t base) {
  TarHeaders headers;
  PaxRecords records;
  BlockReader first(bytes, source, base);
  std::optional<BlockReader> second;
  if (first.type() == kExtendedHeader) {
    const std::uint64_t size = first.octal(kSize);
    if (size > kMaxTarHeaders ||
        size + tar_padding(size) + 2 * kTarBlock > bytes.size()) {
      first.fail("a pax header that lies within its frame");
    }
    const auto length = static_cast<std::size_t>(size);
    const ByteView text = bytes.subspan(kTarBlock, length);
    if (!all_zero(bytes.subspan(kTarBlock + length, tar_padding(size)))) {
      first.fail("zeros behind the pax records");
    }
    records = parse_records(as_text(text), source, base + kTarBlock);
    headers.size = kTarBlock + length + tar_padding(size);
    second.emplace(bytes.subspan(headers.size), source, base + headers.size);
  }
  const BlockReader& block = second ? *second : first;
  headers.size += kTarBlock;

  TarMember& member = headers.member;
  switch (block.type()) {
    case '0':
    case '1':
    case '2':
    case '5':
      member.type = static_cast<TarType>(block.type());
      break;
    default:
      block.fail("a file, a directory or a link");
  }
  const std::string prefix = block.text(kPrefix);
  member.name = records.path.value_or(
      prefix.empty() ? block.text(kName) : prefix + "/" + block.text(kName));
  if (member.type == TarType::directory) {
    if (!member.name.ends_with('/')) block.fail("a directory name with a '/'");
    member.name.pop_back();
  }
  member.link = records.linkpath.value_or(block.text(kLink));
  member.mode = static_cast<std::uint32_t>(block.octal(kMode));
  if (member.mode > 07777U) block.fail("permission bits up to 07777");
  member.uid = records.uid.value_or(block.octal(kUid));
  member.gid = records.gid.value_or(block.octal(kGid));
  member.size = records.size.value_or(block.octal(kSize));
  member.mtime_ns = records.mtime.value_or(
      static_cast<std::int64_t>(block.octal(kMtime)) * kNsPerSecond);
  member.atime_ns = records.atime;
  member.ctime_ns = records.ctime;
  member.xattrs = std::move(records.xattrs);
  if (member.type != TarType::regular && member.size != 0) {
    block.fail("no content behind a directory or a link");
  }
  if (member.size > static_cast<std::uint64_t>(INT64_MAX)) {
    block.fail("a size below 2^63");
  }
  return headers;
}

bool is_zero_block(ByteView bytes) noexcept {
  return bytes.size() >= kTarBlock && all_zero(bytes.first(kTarBlock));
}

}  // namespace impound
