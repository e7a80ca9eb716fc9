// SPDX-License-Identifier: Apache-2.0
// rooms: compare
/// SentencePiece models: what is kept lies inside the file; two of them can be
/// compared whatever is in them, and their tables be walked.

#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/compare/meaning/config_meaning.hpp"
#include "core/formats/sentencepiece.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const ByteView bytes = std::as_bytes(std::span(data, size));
  const SpanSource whole(bytes);
  const SpanSource half(bytes.first(size / 2));
  const SentencePieceModel model = read_sentencepiece(whole);
  if (model.table_offset > size ||
      model.table_size > size - model.table_offset) {
    std::abort();
  }
  // The table of a model, and any bytes as one.
  const auto look = [](std::string_view from, std::string_view to) {
    if (from.empty() || to.find('\0') != std::string_view::npos) std::abort();
  };
  static_cast<void>(
      read_rewrites(whole, model.table_offset, model.table_size, look));
  static_cast<void>(read_rewrites(whole, 0, size, look));
  static_cast<void>(explain_sentencepiece(half, whole).dump());
  static_cast<void>(explain_sentencepiece(whole, half).dump());
  return 0;
}
