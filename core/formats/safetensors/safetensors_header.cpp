// SPDX-License-Identifier: Apache-2.0
#include "core/formats/safetensors/safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Tensors of one file. The largest mixture-of-experts models have some
/// 100 000; with 2 million the parsed header takes about 400 MB.
constexpr std::size_t kMaxTensors = 2'000'000;
/// Dimensions of one tensor; PyTorch and NumPy stop at 64 and 32.
constexpr std::size_t kMaxRank = 64;

constexpr std::string_view kMetadataKey = "__metadata__";

/// Receives the parser's events. A small state machine over the four places
/// where an event can stand; everything in a wrong place is reported and
/// skipped, so that the rest of the header is still read.
class HeaderHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderHandler(HeaderContent& out, ProblemList& problems)
      : out_(out), problems_(problems) {}

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a boolean"); }
  bool number_integer(number_integer_t value) override {
    return number(value < 0 ? "a negative number" : "a number written as -0");
  }
  bool number_float(number_float_t, const string_t& text) override {
    return number(fmt::format("{}, no whole number of 64 bits",
                              printable(text.substr(0, 40))));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (skipping_ > 0) return true;
    if (place_ != Place::list) return scalar("a number");
    if (list_.size() >= kMaxRank) {
      if (list_.size() == kMaxRank) {
        entry_problem(fmt::format("\"{}\" has more than {} numbers",
                                  printable(field_), kMaxRank));
        field_is_bad_ = true;
        list_.push_back(0);
      }
      return true;
    }
    list_.push_back(value);
    return true;
  }
  bool string(string_t& value) override {
    if (skipping_ > 0) return true;
    if (place_ == Place::metadata) {
      out_.metadata.emplace_back(field_, std::move(value));
      return true;
    }
    if (place_ == Place::tensor && field_ == "dtype") {
      tensor_.dtype_text = value.substr(0, 64);
      tensor_.dtype = safetensors_dtype(value).value_or(Dtype::unknown);
      has_dtype_ = true;
      return true;
    }
    return scalar("text");
  }
  bool binary(binary_t&) override { return scalar("binary data"); }

  bool start_object(std::size_t) override {
    if (skipping_ > 0) return ++skipping_, true;
    switch (place_) {
      case Place::outside:
        place_ = Place::top;
        return true;
      case Place::top:
        place_ = key_ == kMetadataKey ? Place::metadata : Place::tensor;
        keys_inside_.clear();
        tensor_ = HeaderTensor{};
        tensor_.name = key_;
        has_dtype_ = has_shape_ = has_offsets_ = false;
        return true;
      case Place::metadata:
      case Place::tensor:
      case Place::list:
        wrong_type("an object");
        skipping_ = 1;
        return true;
    }
    return true;
  }
  bool end_object() override {
    if (skipping_ > 0) return --skipping_, true;
    if (place_ == Place::tensor) {
      finish_tensor();
      place_ = Place::top;
    } else if (place_ == Place::metadata) {
      place_ = Place::top;
    } else {
      place_ = Place::outside;
    }
    return out_.tensors.size() <= kMaxTensors;
  }
  bool start_array(std::size_t) override {
    if (skipping_ > 0) return ++skipping_, true;
    if (place_ == Place::tensor &&
        (field_ == "shape" || field_ == "data_offsets")) {
      place_ = Place::list;
      list_.clear();
      field_is_bad_ = false;
      return true;
    }
    wrong_type("an array");
    skipping_ = 1;
    return true;
  }
  bool end_array() override {
    if (skipping_ > 0) return --skipping_, true;
    place_ = Place::tensor;
    if (field_ == "shape") {
      has_shape_ = !field_is_bad_;
      tensor_.shape = list_;
    } else if (list_.size() != 2 && !field_is_bad_) {
      entry_problem(
          fmt::format("data_offsets has {} numbers, expected 2", list_.size()));
    } else if (!field_is_bad_) {
      has_offsets_ = true;
      tensor_.begin = list_[0];
      tensor_.end = list_[1];
    }
    return true;
  }
  bool key(string_t& name) override {
    if (skipping_ > 0) return true;
    if (place_ == Place::top) {
      key_ = name;
      if (!keys_.insert(name).second) {
        problems_.add("safetensors-duplicate-key", Severity::high, 8,
                      fmt::format("\"{}\" stands more than once in the header: "
                                  "readers disagree on which one counts",
                                  printable(name.substr(0, 256))));
      }
      return true;
    }
    field_ = name;
    if (!keys_inside_.insert(name).second) {
      problems_.add("safetensors-duplicate-key", Severity::high, 8,
                    fmt::format("{}: \"{}\" stands more than once",
                                printable(key_.substr(0, 256)),
                                printable(name.substr(0, 256))));
    }
    if (place_ == Place::tensor && name != "dtype" && name != "shape" &&
        name != "data_offsets") {
      problems_.add("safetensors-unknown-key", Severity::medium, 8,
                    fmt::format("tensor {}: unexpected key \"{}\"",
                                printable(key_.substr(0, 256)),
                                printable(name.substr(0, 256))));
      is_unknown_field_ = true;
    } else {
      is_unknown_field_ = false;
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    problems_.add(
        "safetensors-header-json", Severity::high, 8 + position,
        fmt::format("header is not JSON: {}",
                    printable(std::string_view(error.what()).substr(0, 200))));
    return false;
  }

 private:
  enum class Place : std::uint8_t { outside, top, metadata, tensor, list };

  bool scalar(std::string_view found) {
    if (skipping_ == 0) wrong_type(found);
    return true;
  }
  bool number(std::string_view found) {
    if (skipping_ > 0) return true;
    if (place_ == Place::list) {
      if (!field_is_bad_) {
        problems_.add("safetensors-number", Severity::high, 8,
                      fmt::format("tensor {}: \"{}\" holds {}, expected whole "
                                  "numbers from 0",
                                  printable(key_.substr(0, 256)),
                                  printable(field_), found));
      }
      field_is_bad_ = true;
      return true;
    }
    wrong_type(found);
    return true;
  }
  void wrong_type(std::string_view found) {
    switch (place_) {
      case Place::outside:
        problems_.add("safetensors-header-json", Severity::high, 8,
                      fmt::format("header is {}, expected an object", found));
        return;
      case Place::top:
        problems_.add("safetensors-entry", Severity::high, 8,
                      fmt::format("\"{}\" is {}, expected an object",
                                  printable(key_.substr(0, 256)), found));
        return;
      case Place::metadata:
        problems_.add("safetensors-metadata", Severity::high, 8,
                      fmt::format("__metadata__ \"{}\" is {}, expected text",
                                  printable(field_.substr(0, 256)), found));
        return;
      case Place::tensor:
        if (!is_unknown_field_) {
          entry_problem(fmt::format("\"{}\" is {}", printable(field_), found));
        }
        return;
      case Place::list:
        field_is_bad_ = true;
        entry_problem(fmt::format("\"{}\" holds {}, expected whole numbers",
                                  printable(field_), found));
        return;
    }
  }
  void entry_problem(const std::string& message) {
    problems_.add(
        "safetensors-entry", Severity::high, 8,
        fmt::format("tensor {}: {}", printable(key_.substr(0, 256)), message));
  }
  void finish_tensor() {
    std::string missing;
    const auto want = [&](bool there, std::string_view field) {
      if (there || keys_inside_.contains(std::string(field))) return;
      missing += missing.empty() ? "" : ", ";
      missing += field;
    };
    want(has_dtype_, "dtype");
    want(has_shape_, "shape");
    want(has_offsets_, "data_offsets");
    if (!missing.empty()) entry_problem("lacks " + missing);
    if (!has_offsets_) return;  // nothing says where it lies
    if (out_.tensors.size() == kMaxTensors) {
      problems_.add("safetensors-too-many", Severity::high, 8,
                    fmt::format("more than {} tensors; the rest is not read",
                                kMaxTensors));
    }
    if (!has_dtype_) tensor_.dtype_text = "(none)";
    out_.tensors.push_back(std::move(tensor_));
  }

  HeaderContent& out_;
  ProblemList& problems_;
  Place place_ = Place::outside;
  int skipping_ = 0;   // nesting inside something in a wrong place
  std::string key_;    // at the top: a tensor's name or __metadata__
  std::string field_;  // inside it
  bool is_unknown_field_ = false;
  HeaderTensor tensor_;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  bool field_is_bad_ = false;
  std::vector<std::uint64_t> list_;
  std::unordered_set<std::string> keys_;
  std::unordered_set<std::string> keys_inside_;
};

}  // namespace

void ProblemList::add(std::string_view rule, Severity severity,
                      std::uint64_t offset, std::string message) {
  if (out_.size() >= kMost) {
    ++left_out_;
    worst_left_out_ = std::max(worst_left_out_, severity);
    return;
  }
  out_.push_back({std::string(rule), severity, offset, std::move(message)});
}

void ProblemList::finish() {
  if (left_out_ == 0) return;
  out_.push_back({"more-problems", worst_left_out_, 0,
                  fmt::format("{} further problems of this file are not listed",
                              left_out_)});
  left_out_ = 0;
}

HeaderContent parse_safetensors_header(std::string_view header,
                                       ProblemList& problems) {
  HeaderContent content;
  HeaderHandler handler(content, problems);
  content.is_complete =
      nlohmann::json::sax_parse(header.begin(), header.end(), &handler);
  return content;
}

}  // namespace impound
