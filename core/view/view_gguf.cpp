// SPDX-License-Identifier: Apache-2.0
/// Tensors and metadata of GGUF files. The value of an array is its digest: a
/// vocabulary is compared without being held.

#include <algorithm>

#include "core/base/text.hpp"
#include "core/formats/gguf/gguf.hpp"
#include "core/view/tensor_format.hpp"

namespace impound {
namespace {

Digest digest_of(const ByteSource& source, std::uint64_t offset,
                 std::uint64_t size) {
  constexpr std::uint64_t kPiece = 1U << 20U;
  Sha256 hash;
  while (size > 0) {
    const Bytes piece = source.head(offset, std::min(size, kPiece));
    if (piece.empty()) break;
    hash.update(piece);
    offset += piece.size();
    size -= piece.size();
  }
  return hash.finish();
}

void add_entry(const WeightsFile& file, const GgufEntry& entry,
               FoundTensors& found) {
  std::string type(to_string(entry.type));
  if (const auto* array = std::get_if<GgufArray>(&entry.value)) {
    type += " of " + std::string(to_string(array->element));
    Json value = {
        {"count", array->count},
        {"sha256", digest_of(file.source, array->offset, array->size).hex()}};
    found.add_text(entry.key, type, dump_line(value));
    return;
  }
  const auto& scalar = std::get<GgufScalar>(entry.value);
  if (const auto* text = std::get_if<std::string>(&scalar)) {
    if (text->size() == entry.text_size) {
      found.add_text(entry.key, type, *text);
    } else {  // too long to be kept: its record stands for it
      Json value = {
          {"bytes", entry.text_size},
          {"sha256", digest_of(file.source, entry.offset, entry.size).hex()}};
      found.add_text(entry.key, type, dump_line(value));
    }
    return;
  }
  found.add_text(entry.key, type, dump_line(gguf_value_json(entry)));
}

}  // namespace

void view_gguf(const WeightsFile& file, FoundTensors& found) {
  const GgufFile gguf = read_gguf(file.source);
  found.add_problems(gguf.problems);
  if (!gguf.complete) {
    found.problems.push_back({"gguf-incomplete", Severity::high,
                              gguf.data_offset,
                              "its header was not read to the end: tensors "
                              "and metadata may be missing here"});
  }
  for (const GgufEntry& entry : gguf.entries) add_entry(file, entry, found);
  for (const GgufTensor& tensor : gguf.tensors) {
    if (!tensor.fits) {
      found.unviewed(tensor.info, "its bytes are not inside the file");
      continue;
    }
    ViewTensor view = ViewTensor::in_place(tensor.info);
    if (gguf.endian == Endian::big) {
      if (traits(tensor.info.dtype).block_elements != 1) {
        found.unviewed(tensor.info, "big-endian blocks are not decoded");
        continue;
      }
      if (swap_width(tensor.info.dtype) > 1) {
        view.access.emplace().order = swapped_layout(tensor.info);
      }
    }
    found.tensors.push_back(std::move(view));
  }
}

}  // namespace impound
