// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/keras_metadata.hpp"

#include "core/base/limits.hpp"
#include "core/formats/protobuf.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

using wire::Field;
using wire::Message;
using wire::Type;

constexpr std::size_t kMaxObjects = 200'000;
constexpr std::uint64_t kMaxText = 64 * limits::kMiB;      // of one object
constexpr std::uint64_t kMaxAllText = 256 * limits::kMiB;  // of the file

constexpr std::uint32_t kPath = 3;
constexpr std::uint32_t kIdentifier = 4;
constexpr std::uint32_t kMetadata = 5;

/// One object of Keras. Other fields are passed over, as any protobuf library
/// does.
bool is_object(wire::Window& window, const Field& of) {
  if (of.number != 1 || of.type != Type::bytes) return false;
  Message object(window, of);
  while (const auto inner = object.next()) {
    if (inner->number == kIdentifier && inner->type == Type::bytes &&
        window.text(*inner, 64).starts_with("_tf_keras")) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_keras_metadata(const ByteSource& source) {
  wire::Window window(source);
  Message message(window, 0, source.size());
  while (const auto field = message.next()) {
    if (is_object(window, *field)) return true;
  }
  return message.cut_short() && is_object(window, *message.cut_short());
}

KerasMetadata read_keras_metadata(const ByteSource& source) {
  KerasMetadata out;
  out.complete = true;
  wire::Window window(source);
  Message message(window, 0, source.size());
  std::uint64_t kept = 0;
  const auto broken = [&](const Message& at) {
    if (at.ok()) return;
    out.complete = false;
    out.problems.push_back({"keras-metadata", Severity::high, at.offset(),
                            "bytes that are no protobuf field"});
  };
  while (const auto field = message.next()) {
    if (field->number != 1 || field->type != Type::bytes) continue;
    KerasObject found;
    Message object(window, *field);
    while (const auto inner = object.next()) {
      if (inner->type != Type::bytes) continue;
      if (inner->number == kPath) found.path = window.text(*inner, 4096);
      if (inner->number != kMetadata) continue;
      if (inner->size > kMaxText || kept > kMaxAllText ||
          out.objects.size() >= kMaxObjects) {
        out.complete = false;
        continue;
      }
      kept += inner->size;
      found.metadata = window.text(*inner, kMaxText);
      found.offset = inner->offset;
    }
    broken(object);
    if (!found.metadata.empty()) out.objects.push_back(std::move(found));
    if (out.problems.size() > 100) return out;
  }
  broken(message);
  return out;
}

std::string_view why_keras_metadata(const FormatSubject& subject) {
  return outline_of(subject).has_bytes(1) && is_keras_metadata(subject.source)
             ? "its fields are those of keras_metadata.pb"
             : "";
}

}  // namespace impound
