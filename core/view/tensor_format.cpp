// SPDX-License-Identifier: Apache-2.0
#include "core/view/tensor_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

struct Ranked {
  int rank;
  TensorFormat format;
};

#define IMPOUND_VIEW_view(id, shown, rank) \
  Ranked{rank, {Format::id, shown, view_##id}},
#define IMPOUND_VIEW_no_view(id, shown, rank)
#define IMPOUND_FORMAT(id, name, kind, role, view, shown, rank) \
  IMPOUND_VIEW_##view(id, shown, rank)
constexpr std::array kListed{
#include "core/formats/formats.inc"
};
#undef IMPOUND_FORMAT
#undef IMPOUND_VIEW_view
#undef IMPOUND_VIEW_no_view

constexpr auto ranked() {
  auto listed = kListed;
  std::ranges::sort(listed, {}, &Ranked::rank);
  std::array<TensorFormat, listed.size()> formats{};
  for (std::size_t i = 0; i < listed.size(); ++i) formats[i] = listed[i].format;
  return formats;
}

constexpr auto kFormats = ranked();

}  // namespace

void FoundTensors::unviewed(const TensorInfo& tensor, std::string_view why) {
  constexpr std::size_t kMost = 1000;  // a hostile file has millions
  if (problems.size() > kMost) return;
  if (problems.size() == kMost) {
    problems.push_back({"tensor-not-viewed", Severity::medium, 0,
                        "and more tensors that are not compared"});
    return;
  }
  problems.push_back(
      {"tensor-not-viewed", Severity::medium, tensor.offset,
       fmt::format("{} {} {} is there but not compared: {}",
                   tensor.name.empty() ? std::string("(no name)")
                                       : printable(tensor.name),
                   to_string(tensor.dtype), shape_text(tensor.shape), why)});
}

void FoundTensors::add_problems(const Problems& more) {
  for (const Problem& problem : more) {
    if (problem.severity >= Severity::medium) problems.push_back(problem);
  }
}

void FoundTensors::add_text(std::string key, std::string type,
                            std::string value) {
  metadata.push_back({.file = {},
                      .key = std::move(key),
                      .value = std::move(value),
                      .type = std::move(type)});
}

std::span<const TensorFormat> tensor_formats() { return kFormats; }

const TensorFormat* find_tensor_format(Format format) {
  const auto found = std::ranges::find(kFormats, format, &TensorFormat::format);
  return found == kFormats.end() ? nullptr : &*found;
}

std::uint64_t swap_width(Dtype dtype) {
  const DtypeTraits& type = traits(dtype);
  if (type.block_elements != 1 || type.block_bits % 8 != 0) return 0;
  const std::uint64_t width = type.block_bits / 8;
  if (type.kind == NumberKind::complex) return width / 2;
  return width > 1 ? width : 0;
}

StridedLayout swapped_layout(const TensorInfo& tensor) {
  return {.item = traits(tensor.dtype).block_bits / 8U,
          .shape = tensor.shape,
          .strides = row_major_strides(tensor.shape),
          .swap = swap_width(tensor.dtype)};
}

}  // namespace impound
