// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/note.hpp"

#include <algorithm>
#include <charconv>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::byte kEd25519{1};  // signature type in a note's key id
constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a blank

[[noreturn]] void bad(std::string_view source, std::size_t line,
                      const std::string& expected) {
  throw Error(Errc::malformed, std::string(source) + ": line " +
                                   std::to_string(line) + ": expected " +
                                   expected);
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto value = static_cast<unsigned char>(c);
    return (value < 0x20 && c != '\n') || value == 0x7f;
  });
}

bool is_note_text(std::string_view text) {
  return text.size() > 1 && text.back() == '\n' && is_utf8(text) &&
         !has_control(text) && text.find("\n\n") == text.npos;
}

/// Base64 as to_base64() writes it, so that one signature has one spelling.
std::optional<Bytes> strict_base64(std::string_view text) {
  try {
    Bytes bytes = from_base64(text);
    if (to_base64(bytes) != text) return std::nullopt;
    return bytes;
  } catch (const Error&) {
    return std::nullopt;  // the caller names the line
  }
}

NoteSignature parse_signature(std::string_view line, std::string_view source,
                              std::size_t number) {
  if (!line.starts_with(kDash)) bad(source, number, "a signature line");
  line.remove_prefix(kDash.size());
  const std::size_t blank = line.find(' ');
  const std::string_view name = line.substr(0, blank);
  if (blank == line.npos || !is_note_name(name)) {
    bad(source, number, "a name and a signature");
  }
  const auto bytes = strict_base64(line.substr(blank + 1));
  if (!bytes || bytes->size() < 5) {
    bad(source, number, "key id and signature in base64");
  }
  NoteSignature signature;
  signature.name = name;
  std::copy_n(bytes->begin(), 4, signature.key_id.begin());
  signature.signature.assign(bytes->begin() + 4, bytes->end());
  return signature;
}

}  // namespace

NoteKeyId note_key_id(std::string_view name, const PublicKey& key) {
  Sha256 hash;
  hash.update(as_bytes(name));
  hash.update(as_bytes("\n"));
  hash.update(ByteView(&kEd25519, 1));
  hash.update(key.raw());
  const Digest digest = hash.finish();
  NoteKeyId id;
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return id;
}

bool is_note_name(std::string_view name) noexcept {
  return !name.empty() && is_utf8(name) &&
         std::ranges::none_of(name, [](char c) {
           const auto value = static_cast<unsigned char>(c);
           return value <= 0x20 || value == 0x7f || c == '+';
         });
}

std::string sign_note(std::string_view text, std::string_view name,
                      const SigningKey& key) {
  if (!is_note_name(name) || !is_note_text(text)) {
    throw Error(Errc::bad_input,
                "cannot sign a note as \"" + printable(name) +
                    "\": a note is lines of text, a name has no blanks");
  }
  const NoteKeyId id = note_key_id(name, key.public_key());
  Bytes line(id.begin(), id.end());
  const Bytes signature = key.sign(as_bytes(text));
  line.insert(line.end(), signature.begin(), signature.end());
  return std::string(text) + "\n" + std::string(kDash) + std::string(name) +
         " " + to_base64(line) + "\n";
}

SignedNote parse_note(std::string_view note, std::string_view source) {
  if (note.size() > kMaxNoteSize) {
    throw Error(Errc::limit, std::string(source) + ": a note of " +
                                 std::to_string(note.size()) +
                                 " bytes, allowed are " +
                                 std::to_string(kMaxNoteSize));
  }
  // The text may not hold an empty line, so the first one ends it.
  const std::size_t split_at = note.find("\n\n");
  if (split_at == note.npos || note.back() != '\n') {
    bad(source, 1, "text, an empty line, and signature lines");
  }
  SignedNote result;
  result.text = note.substr(0, split_at + 1);
  if (!is_note_text(result.text)) {
    bad(source, 1, "UTF-8 text without control characters");
  }
  auto number = static_cast<std::size_t>(std::ranges::count(result.text, '\n'));
  std::string_view rest = note.substr(split_at + 2);
  number += 1;
  while (!rest.empty()) {
    ++number;
    const std::size_t end = rest.find('\n');
    if (result.signatures.size() == kMaxNoteSignatures) {
      throw Error(Errc::limit, std::string(source) + ": more than " +
                                   std::to_string(kMaxNoteSignatures) +
                                   " signatures on one note");
    }
    result.signatures.push_back(
        parse_signature(rest.substr(0, end), source, number));
    rest.remove_prefix(end + 1);
  }
  if (result.signatures.empty()) bad(source, number, "a signature line");
  return result;
}

bool verify_note(const SignedNote& note, std::string_view name,
                 const PublicKey& key) {
  const NoteKeyId id = note_key_id(name, key);
  return std::ranges::any_of(note.signatures, [&](const NoteSignature& line) {
    return line.name == name && line.key_id == id &&
           key.verify(as_bytes(note.text), line.signature);
  });
}

std::string Checkpoint::text() const {
  return origin + "\n" + std::to_string(size) + "\n" + to_base64(root.bytes) +
         "\nchain " + chain.hex() + "\n";
}

Checkpoint parse_checkpoint(std::string_view text, std::string_view source) {
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.size() != 5 || !lines[4].empty()) {
    bad(source, 1, "four lines: origin, size, root, chain");
  }
  Checkpoint head;
  head.origin = lines[0];
  if (!is_note_name(head.origin)) bad(source, 1, "an origin without blanks");
  const std::string& size = lines[1];
  const auto [end, failure] =
      std::from_chars(size.data(), size.data() + size.size(), head.size);
  if (failure != std::errc{} || end != size.data() + size.size() ||
      std::to_string(head.size) != size) {
    bad(source, 2, "a number of entries without leading zeros");
  }
  const auto root = strict_base64(lines[2]);
  if (!root || root->size() != 32) bad(source, 3, "32 bytes in base64");
  std::ranges::copy(*root, head.root.bytes.begin());
  const auto chain = lines[3].starts_with("chain ")
                         ? Digest::from_hex(lines[3].substr(6))
                         : std::nullopt;
  if (!chain || chain->hex() != lines[3].substr(6)) {
    bad(source, 4, "\"chain \" and 64 lower-case hexadecimal digits");
  }
  head.chain = *chain;
  return head;
}

}  // namespace impound
