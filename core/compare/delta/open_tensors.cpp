// SPDX-License-Identifier: Apache-2.0
#include "core/compare/delta/open_tensors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/error.hpp"
#include "core/formats/gguf/dequantise.hpp"
#include "core/formats/numbers.hpp"

namespace impound {
namespace {

constexpr std::uint64_t kBlock = 32;  ///< of all types with one quantiser

class RequantisedSource final : public ByteSource {
 public:
  RequantisedSource(const TensorBytes& numbers, Dtype through)
      : numbers_(numbers), through_(through) {}

  [[nodiscard]] std::uint64_t size() const override {
    return numbers_.numbers() * sizeof(float);
  }

  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > size() || out.size() > size() - offset) {
      throw Error(Errc::malformed, "a read behind the last number");
    }
    if (out.empty()) return;
    const std::uint64_t first = offset / sizeof(float) / kBlock * kBlock;
    const std::uint64_t end =
        (offset + out.size() + kBlock * sizeof(float) - 1) / sizeof(float) /
        kBlock * kBlock;
    std::vector<float> in(static_cast<std::size_t>(end - first));
    numbers_.read_floats(first, in);
    std::vector<float> made(in.size());
    for (std::size_t at = 0; at < in.size(); at += kBlock) {
      quantise_and_back(through_, std::span(in).subspan(at, kBlock),
                        std::span(made).subspan(at, kBlock));
    }
    const ByteView bytes = std::as_bytes(std::span(made));
    std::memcpy(out.data(), bytes.data() + (offset - first * sizeof(float)),
                out.size());
  }

 private:
  const TensorBytes& numbers_;
  Dtype through_;
};

/// How far the first rows of two tensors are apart; infinity if they cannot be
/// compared.
double distance(const TensorBytes& before, const TensorBytes& after) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  constexpr std::uint64_t kMostNumbers = 1U << 20U;
  if (!is_measurable(before) || !is_measurable(after) ||
      before.numbers() != after.numbers() ||
      before.columns() != after.columns()) {
    return kFar;
  }
  const std::uint64_t columns = before.columns();
  if (columns > kMostNumbers) return kFar;
  const std::uint64_t rows = std::min(before.rows(), kMostNumbers / columns);
  std::vector<float> one(static_cast<std::size_t>(rows * columns));
  std::vector<float> two(one.size());
  before.read_floats(0, one);
  after.read_floats(0, two);
  double sum = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const double delta = static_cast<double>(one[i]) - two[i];
    if (std::isfinite(delta)) sum += delta * delta;
  }
  return sum;
}

}  // namespace

OpenTensor OpenTensors::open(const ViewTensor& tensor,
                             const std::optional<StridedLayout>& order) {
  constexpr std::size_t kMostOpen = 64;
  const bool is_elsewhere = tensor.access && !tensor.access->data_file.empty();
  const std::string& file =
      is_elsewhere ? tensor.access->data_file : tensor.file;
  if (!sources_.contains(file) && sources_.size() >= kMostOpen) {
    sources_.clear();
  }
  std::shared_ptr<ByteSource>& source = sources_[file];
  if (source == nullptr) source = view_.open(file);
  OpenTensor opened;
  opened.file = source;
  opened.stream = std::make_unique<TensorStream>(
      *source, tensor.access.value_or(TensorAccess{}), tensor.offset,
      tensor.size);
  if (order) opened.stream->reorder(*order);
  opened.bytes = {.source = &opened.stream->source(),
                  .dtype = tensor.dtype,
                  .shape = tensor.shape,
                  .offset = opened.stream->offset(),
                  .size = tensor.size};
  opened.is_in_place = !tensor.access && !order;
  return opened;
}

OpenPair open_pair(const TensorChange& change, OpenTensors& before,
                   OpenTensors& after) {
  OpenPair pair{.before = before.open(*change.before, std::nullopt),
                .after = after.open(*change.after, std::nullopt),
                .reorder = std::nullopt};
  if (!change.reorder) return pair;
  const bool is_before = change.reorder->side == TensorReorder::Side::before;
  const ViewTensor& turned = is_before ? *change.before : *change.after;
  const auto layout = reorder_layout(turned, *change.reorder);
  if (!layout) return pair;
  OpenTensor ordered = (is_before ? before : after).open(turned, layout);
  if (change.reorder->kind == TensorReorder::Kind::transpose) {
    std::ranges::reverse(ordered.bytes.shape);
  }
  const double as_is = distance(pair.before.bytes, pair.after.bytes);
  const double in_order = is_before
                              ? distance(ordered.bytes, pair.after.bytes)
                              : distance(pair.before.bytes, ordered.bytes);
  if (in_order > as_is) return pair;
  (is_before ? pair.before : pair.after) = std::move(ordered);
  pair.reorder = change.reorder;
  return pair;
}

std::unique_ptr<ByteSource> requantised(const TensorBytes& numbers,
                                        Dtype through) {
  return std::make_unique<RequantisedSource>(numbers, through);
}

}  // namespace impound
