// SPDX-License-Identifier: Apache-2.0
// An edit whose result was cut off to 16 bits is the edit that it is, and what
// only looks like cutting off is not called it.
#include "core/compare/delta/delta_truncation.hpp"

#include "core/compare/delta/delta_label.hpp"
#include "core/compare/delta/delta_signature.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/made_weights.hpp"
#include "tests/support/memory_tree.hpp"
#include "tests/support/safetensors_builder.hpp"

namespace impound::test {
namespace {

Floats stored(Dtype dtype, Floats numbers, Rounding rounding) {
  for (float& each : numbers) {
    each = rounding == Rounding::nearest ? round_through(dtype, each)
                                         : truncate_through(dtype, each);
  }
  return numbers;
}

/// Decides on numbers that the type holds exactly.
TensorFindings decide_floats(Dtype before_type, const Floats& before,
                             Dtype after_type, const Floats& after,
                             const Made& made) {
  const Bytes a = encode(before_type, before);
  const Bytes b = encode(after_type, after);
  const SpanSource one(a);
  const SpanSource two(b);
  const Cancellation cancellation;
  return decide({.source = &one,
                 .dtype = before_type,
                 .shape = made.shape(),
                 .offset = 0,
                 .size = a.size()},
                {.source = &two,
                 .dtype = after_type,
                 .shape = made.shape(),
                 .offset = 0,
                 .size = b.size()},
                2, cancellation);
}

constexpr Dtype kHalves[] = {Dtype::bf16, Dtype::f16};

TEST_CASE("a rank-one edit is one, rounded or cut off", "[compare][delta]") {
  const Made made;
  for (const Dtype dtype : kHalves) {
    const Floats w = stored(dtype, made.weights(), Rounding::nearest);
    for (const double relative : {0.3, 0.05, 0.02}) {
      const Floats edit = made.add_rank(w, 1, relative);
      for (const Rounding rounding :
           {Rounding::nearest, Rounding::toward_zero}) {
        const TensorFindings found =
            decide_floats(dtype, w, dtype, stored(dtype, edit, rounding), made);
        INFO(to_string(dtype) << " " << relative << " " << to_string(rounding)
                              << " " << found.because);
        CHECK(found.label == "rank-one");
        CHECK(found.rank == 1);
      }
    }
  }
}

TEST_CASE("that a result was cut off is said, and measured",
          "[compare][delta]") {
  const Made made;
  const Floats w = stored(Dtype::bf16, made.weights(), Rounding::nearest);
  const Floats edit = made.add_rank(w, 1, 0.05);
  const TensorFindings cut =
      decide_floats(Dtype::bf16, w, Dtype::bf16,
                    stored(Dtype::bf16, edit, Rounding::toward_zero), made);
  INFO(cut.because);
  CHECK(cut.rounding == Rounding::toward_zero);
  CHECK(cut.because.find("of a step of BF16 towards zero") !=
        std::string::npos);
  CHECK(cut.to_json()["rounding"] == "toward_zero");
  const TensorFindings rounded =
      decide_floats(Dtype::bf16, w, Dtype::bf16,
                    stored(Dtype::bf16, edit, Rounding::nearest), made);
  CHECK(rounded.rounding == Rounding::nearest);
  CHECK(rounded.because.find("towards zero") == std::string::npos);
}

TEST_CASE("MEMIT's and LoRA's ranks are counted where the result was cut off",
          "[compare][delta]") {
  const Made made;
  for (const Dtype dtype : kHalves) {
    const Floats w = stored(dtype, made.weights(), Rounding::nearest);
    for (const std::size_t rank : {2U, 10U, 16U}) {
      const TensorFindings found = decide_floats(
          dtype, w, dtype,
          stored(dtype, made.add_rank(w, rank, 0.1), Rounding::toward_zero),
          made);
      INFO(to_string(dtype) << " " << rank << " " << found.because);
      CHECK(found.label == "low-rank");
      CHECK(found.rank == rank);
    }
  }
}

TEST_CASE("a model of 32 bits that was edited and cut off to 16",
          "[compare][delta]") {
  const Made made;
  const Floats w = made.weights();
  for (const Dtype dtype : kHalves) {
    const Floats edit = made.add_rank(w, 1, 0.05);
    const TensorFindings found = decide_floats(
        Dtype::f32, w, dtype, stored(dtype, edit, Rounding::toward_zero), made);
    INFO(to_string(dtype) << " " << found.because);
    CHECK(found.label == "rank-one");
    // What was not edited is the old numbers, cut off.
    const TensorFindings plain = decide_floats(
        Dtype::f32, w, dtype, stored(dtype, w, Rounding::toward_zero), made);
    INFO(plain.because);
    CHECK(plain.label == "cast");
    REQUIRE(plain.recast);
    CHECK(plain.recast->rounding == Rounding::toward_zero);
    CHECK(plain.recast->words() ==
          std::string(to_string(dtype)) + " (cut off)");
  }
}

TEST_CASE("a fine-tune that was cut off stays a dense change",
          "[compare][delta]") {
  const Made made;
  for (const Dtype dtype : kHalves) {
    const Floats w = stored(dtype, made.weights(), Rounding::nearest);
    for (const double relative : {0.1, 0.02}) {
      const TensorFindings noise = decide_floats(
          dtype, w, dtype,
          stored(dtype, made.add_noise(w, relative), Rounding::toward_zero),
          made);
      INFO(to_string(dtype) << " " << relative << " " << noise.because);
      CHECK(noise.label == "dense");
      const TensorFindings tuned = decide_floats(
          dtype, w, dtype,
          stored(dtype, made.add_training(w, relative), Rounding::toward_zero),
          made);
      INFO(tuned.because);
      CHECK(tuned.label == "dense");
      CHECK(tuned.rank == 0);
    }
  }
}

TEST_CASE("the residual of cutting off is told from those that look like it",
          "[compare][delta]") {
  const Made made;
  const Floats w = stored(Dtype::bf16, made.weights(), Rounding::nearest);
  const auto residual_of = [&](const Floats& numbers, Rounding rounding) {
    const Bytes a = encode(Dtype::bf16, w);
    const Bytes b = encode(Dtype::bf16, stored(Dtype::bf16, numbers, rounding));
    const SpanSource one(a);
    const SpanSource two(b);
    const TensorBytes before{.source = &one,
                             .dtype = Dtype::bf16,
                             .shape = made.shape(),
                             .offset = 0,
                             .size = a.size()};
    const TensorBytes after{.source = &two,
                            .dtype = Dtype::bf16,
                            .shape = made.shape(),
                            .offset = 0,
                            .size = b.size()};
    const Cancellation cancellation;
    const DeltaStatistics statistics =
        measure_delta(before, after, 2, best_instructions());
    const Spectrum spectrum =
        measure_spectrum(before, after, statistics, 2, cancellation);
    const auto residual =
        measure_residual(before, after, statistics, spectrum, 1);
    REQUIRE(residual);
    INFO(residual->mean_below_half << " " << residual->mean_above_half << " "
                                   << residual->share_inside);
    CHECK(residual->numbers > w.size() / 2);
    return *residual;
  };
  const Floats edit = made.add_rank(w, 1, 0.05);
  const Residual cut = residual_of(edit, Rounding::toward_zero);
  CHECK(cut.is_truncation());
  CHECK(cut.mean_below_half == Approx(-0.5).margin(0.03));
  CHECK(cut.mean_above_half == Approx(-0.5).margin(0.03));
  CHECK(cut.share_inside > 0.97);
  const Residual rounded = residual_of(edit, Rounding::nearest);
  CHECK_FALSE(rounded.is_truncation());
  CHECK(rounded.mean_below_half == Approx(0).margin(0.03));
  // Weight decay of the size that has the same mean over all numbers.
  Floats decayed = edit;
  for (float& each : decayed) each *= 1 - 0.5F / 180;
  const Residual scaled = residual_of(decayed, Rounding::nearest);
  CHECK_FALSE(scaled.is_truncation());
  CHECK(scaled.mean_above_half < scaled.mean_below_half - 0.1);
}

TEST_CASE("both sides of the bound: what is too far from half a step is not",
          "[compare][delta]") {
  Residual residual{.numbers = 1U << 20U,
                    .mean_below_half = -0.45,
                    .mean_above_half = -0.55,
                    .share_inside = 0.81};
  CHECK(residual.is_truncation());
  residual.mean_below_half = -0.43;
  CHECK_FALSE(residual.is_truncation());
  residual.mean_below_half = -0.5;
  residual.mean_above_half = -0.57;
  CHECK_FALSE(residual.is_truncation());
  residual.mean_above_half = -0.5;
  residual.share_inside = 0.79;
  CHECK_FALSE(residual.is_truncation());
  residual.share_inside = 1;
  residual.numbers = 100;
  CHECK_FALSE(residual.is_truncation());
}

TEST_CASE("numbers are cut off towards zero, whatever they are",
          "[formats][compare]") {
  for (const Dtype dtype : kHalves) {
    for (const float value : {0.02F, -0.02F, 1.0F, -1.0F, 0.0F, 65519.0F,
                              -65519.0F, 1e-7F, 3.0e-5F, -6.2e-5F, 1.9999F}) {
      const float cut = truncate_through(dtype, value);
      INFO(to_string(dtype) << " " << value << " " << cut);
      CHECK(std::abs(cut) <= std::abs(value));
      CHECK(std::signbit(cut) == std::signbit(value));
      // It is a number of the type, and the nearest one is it or the next.
      CHECK(round_through(dtype, cut) == cut);
      CHECK(truncate_through(dtype, cut) == cut);
    }
  }
  CHECK(truncate_through(Dtype::f16, 65519.0F) == 65504.0F);
  CHECK(truncate_through(Dtype::bf16, 1.0039F) == 1.0F);
}

TEST_CASE("a truncated edit of one down-projection is ROME-like",
          "[compare][delta]") {
  const Made made;
  const auto tree = [&](const Floats& down) {
    SafetensorsBuilder builder;
    for (const char* name : {"model.layers.0.mlp.down_proj.weight",
                             "model.layers.1.mlp.down_proj.weight",
                             "model.layers.2.mlp.down_proj.weight"}) {
      const bool is_edited =
          std::string(name).find("layers.1") != std::string::npos;
      const Bytes bytes =
          encode(Dtype::bf16, is_edited ? down : made.weights(9));
      builder.tensor(name, Dtype::bf16, made.shape(), as_text(bytes));
    }
    return MemoryTree(
        MemoryTree::Files{{"model.safetensors", builder.build()}});
  };
  const Floats w = stored(Dtype::bf16, made.weights(), Rounding::nearest);
  for (const Rounding rounding : {Rounding::nearest, Rounding::toward_zero}) {
    const MemoryTree before = tree(w);
    const MemoryTree after =
        tree(stored(Dtype::bf16, made.add_rank(w, 1, 0.05), rounding));
    SilentProgress progress;
    const Cancellation cancellation;
    const ModelView one = view_tree(before, {}, progress, cancellation);
    const ModelView two = view_tree(after, {}, progress, cancellation);
    ModelDiff diff = diff_models(one, two);
    explain_changes(diff, one, two, {}, progress, cancellation);
    INFO(diff.sentence);
    CHECK(diff.label == "rome-like");
    CHECK(diff.numbers.rank == 1);
    CHECK(diff.numbers.tensors_changed == 1);
    CHECK(diff.numbers.tensors_identical == 2);
    REQUIRE(diff.numbers.relative_change);
    CHECK(*diff.numbers.relative_change == Approx(0.05).epsilon(0.05));
  }
}

}  // namespace
}  // namespace impound::test
