// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle/pickle_heap.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "core/formats/pickle/pickle_text.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxRenderedString = 4096;
constexpr std::size_t kMaxRendered = 16384;
constexpr std::size_t kMaxRenderedChildren = 64;
constexpr int kMaxRenderDepth = 24;

std::string_view open_bracket(PickleContainer::Kind kind) {
  switch (kind) {
    case PickleContainer::Kind::list:
      return "[";
    case PickleContainer::Kind::dict:
      return "{";
    case PickleContainer::Kind::set:
      return "{";
    case PickleContainer::Kind::frozen_set:
      return "frozenset({";
    case PickleContainer::Kind::persistent:
      return "persistent_load(";
    case PickleContainer::Kind::extension:
      return "copyreg_extension(";
    case PickleContainer::Kind::buffer:
      return "next_buffer(";
    case PickleContainer::Kind::tuple:
    case PickleContainer::Kind::call:
      break;
  }
  return "(";
}

std::string_view close_bracket(PickleContainer::Kind kind) {
  switch (kind) {
    case PickleContainer::Kind::list:
      return "]";
    case PickleContainer::Kind::dict:
    case PickleContainer::Kind::set:
      return "}";
    case PickleContainer::Kind::frozen_set:
      return "})";
    case PickleContainer::Kind::tuple:
    case PickleContainer::Kind::call:
    case PickleContainer::Kind::persistent:
    case PickleContainer::Kind::extension:
    case PickleContainer::Kind::buffer:
      break;
  }
  return ")";
}

}  // namespace

std::string PickleGlobal::full_name() const {
  std::string text = resolved_module + "." + resolved_name;
  if (resolved_module != module || resolved_name != name) {
    text += " (written " + module + "." + name + ")";
  }
  return text;
}

void* reserve_memory(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20U;
  if (bytes < kLargePage) {
    void* const small = std::malloc(bytes);
    if (small == nullptr) throw std::bad_alloc();
    return small;
  }
  bytes = (bytes + kLargePage - 1) / kLargePage * kLargePage;
  void* const large = std::aligned_alloc(kLargePage, bytes);
  if (large == nullptr) throw std::bad_alloc();
  // Advice only: where it is not taken the pages are small, and all is slower.
  static_cast<void>(madvise(large, bytes, MADV_HUGEPAGE));
  return large;
}

PickleCell PickleHeap::make_call(const PickleValue& callee,
                                 const PickleValue& arguments) {
  if (records_.size() < kMaxContainers) return add_call(callee, arguments);
  if (arguments.kind == PickleValue::Kind::global) {
    globals[arguments.payload].is_lost = true;
  }
  return spare_call(callee);
}

PickleCell PickleHeap::add_call(const PickleValue& callee,
                                const PickleValue& arguments) {
  const std::size_t index = records_.size();
  records_.push({.first = static_cast<std::uint32_t>(kept_.size()),
                 .shape = Record::shape_of(Holder::call, 0, false),
                 .weight = 1 + weight(arguments),
                 .extra = kNone});
  extra_of(records_[index]).call = static_cast<std::uint32_t>(calls_.size());
  calls_.push_back({.callee = callee, .arguments = arguments, .state = {}});
  return PickleCell::of(PickleValue::Kind::container, index);
}

PickleCell PickleHeap::spare_call(const PickleValue& callee) {
  const PickleCell unknown = PickleCell::of(PickleValue::Kind::unknown, 0);
  if (callee.kind != PickleValue::Kind::global) return unknown;
  const auto known = spares_.find(callee.payload);
  if (known != spares_.end()) return known->second;
  if (spares_.size() >= kMaxSpares) return unknown;
  const PickleCell made =
      add_call(callee, {.kind = PickleValue::Kind::unknown});
  spares_.emplace(callee.payload, made);
  return made;
}

void PickleHeap::lose_names(const PickleCell* children, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (children[i].kind() == PickleValue::Kind::global) {
      globals[children[i].payload()].is_lost = true;
    }
  }
}

PickleHeap::Extra& PickleHeap::extra_of(Record& record) {
  if (record.extra == kNone) {
    record.extra = static_cast<std::uint32_t>(extras_.size());
    extras_.push_back({.call = kNone, .first_run = kNone, .last_run = kNone});
  }
  return extras_[record.extra];
}

void PickleHeap::append_run(Record& into, const PickleCell* children,
                            std::size_t count) {
  float added = 0;
  for (std::size_t i = 0; i < count; ++i) added += weight_of(children[i]);
  into.weight += added;

  Extra& extra = extra_of(into);
  if (extra.first_run == kNone && into.count() != 0) {
    extra.first_run = static_cast<std::uint32_t>(runs_.size());
    extra.last_run = extra.first_run;
    runs_.push_back(
        {.first = into.first, .count = into.count(), .next = kNone});
  }
  const std::size_t wanted =
      std::min<std::size_t>(count, kMaxChildren - into.count());
  lose(children + wanted, count - wanted);
  const auto first = static_cast<std::uint32_t>(kept_.size());
  const auto kept = static_cast<std::uint32_t>(keep(children, wanted));
  if (kept < count) into.shape |= Record::kCutBit;
  if (kept == 0) return;
  into.shape += kept;
  if (extra.last_run != kNone) {
    Run& last = runs_[extra.last_run];
    if (last.first + last.count == first) {
      last.count += kept;
      return;
    }
  }
  const auto run = static_cast<std::uint32_t>(runs_.size());
  runs_.push_back({.first = first, .count = kept, .next = kNone});
  (extra.last_run == kNone ? extra.first_run : runs_[extra.last_run].next) =
      run;
  extra.last_run = run;
}

void PickleHeap::clear() {
  globals.clear();
  records_.clear();
  extras_.clear();
  calls_.clear();
  spares_.clear();
  runs_.clear();
  kept_.clear();
  far_.clear();
}

PickleValue PickleHeap::open(PickleCell cell) const {
  using Kind = PickleValue::Kind;
  PickleValue value{
      .kind = cell.kind(), .length = 0, .payload = cell.payload()};
  if (cell.kind() == PickleCell::kFar) return far_[cell.payload()];
  switch (cell.kind()) {
    case Kind::integer:  // spread the sign
      value.payload = static_cast<std::uint64_t>(
          static_cast<std::int64_t>(cell.bits << 8U) >> 8);
      return value;
    case Kind::real: {
      const Bytes raw = source_.head(cell.payload(), 8);
      value.payload = 0;
      for (const std::byte byte : raw) {
        value.payload =
            value.payload << 8U | std::to_integer<std::uint64_t>(byte);
      }
      return value;
    }
    case Kind::big_integer:
    case Kind::text:
    case Kind::raw_unicode:
    case Kind::quoted:
    case Kind::bytes:
      value.length =
          static_cast<std::uint32_t>(cell.payload() & PickleCell::kMaxLength);
      value.payload = cell.payload() >> PickleCell::kLengthBits;
      return value;
    default:
      return value;
  }
}

PickleCell PickleHeap::cell(const PickleValue& value) {
  using Kind = PickleValue::Kind;
  bool fits = true;
  switch (value.kind) {
    case Kind::integer:
      fits = static_cast<std::uint64_t>(
                 static_cast<std::int64_t>(value.payload << 8U) >> 8) ==
             value.payload;
      break;
    case Kind::real:
      fits = false;  // the number is at hand, not its place
      break;
    case Kind::big_integer:
    case Kind::text:
    case Kind::raw_unicode:
    case Kind::quoted:
    case Kind::bytes:
      if (value.payload <= PickleCell::kMaxPlace &&
          value.length <= PickleCell::kMaxLength) {
        return PickleCell::string(value.kind, value.payload, value.length);
      }
      fits = false;
      break;
    default:
      break;
  }
  if (fits) return PickleCell::of(value.kind, value.payload);
  if (far_.size() >= kMaxFar) return PickleCell::of(Kind::unknown, 0);
  far_.push_back(value);
  return PickleCell::of(PickleCell::kFar, far_.size() - 1);
}

std::vector<PickleValue> PickleHeap::children(const PickleValue& value,
                                              std::size_t limit) const {
  std::vector<PickleValue> out;
  if (value.kind != PickleValue::Kind::container) return out;
  const Record& parent = records_[value.payload];
  const auto take = [&](std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count && out.size() < limit; ++i) {
      out.push_back(open(kept_[first + i]));
    }
  };
  if (parent.extra == kNone || extras_[parent.extra].first_run == kNone) {
    take(parent.first, parent.count());
    return out;
  }
  for (std::uint32_t run = extras_[parent.extra].first_run;
       run != kNone && out.size() < limit; run = runs_[run].next) {
    take(runs_[run].first, runs_[run].count);
  }
  return out;
}

PickleValue PickleHeap::child(const PickleValue& value,
                              std::size_t index) const {
  if (value.kind != PickleValue::Kind::container) return {};
  const Record& parent = records_[value.payload];
  if (index >= parent.count()) return {};
  if (parent.extra == kNone || extras_[parent.extra].first_run == kNone) {
    return open(kept_[parent.first + index]);
  }
  std::uint32_t run = extras_[parent.extra].first_run;
  while (index >= runs_[run].count) {
    index -= runs_[run].count;
    run = runs_[run].next;
  }
  return open(kept_[runs_[run].first + index]);
}

std::optional<PickleContainer> PickleHeap::container(
    const PickleValue& value) const {
  if (value.kind != PickleValue::Kind::container) return std::nullopt;
  const Record& record = records_[value.payload];
  return PickleContainer{.kind = record.kind(),
                         .is_cut = record.is_cut(),
                         .count = record.count(),
                         .weight = record.weight};
}

const PickleCallSite* PickleHeap::call(const PickleValue& value) const {
  if (value.kind != PickleValue::Kind::container) return nullptr;
  const std::uint32_t extra = records_[value.payload].extra;
  return extra != kNone && extras_[extra].call != kNone
             ? &calls_[extras_[extra].call]
             : nullptr;
}

PickleCallSite* PickleHeap::call(const PickleValue& value) {
  return const_cast<PickleCallSite*>(std::as_const(*this).call(value));
}

const PickleGlobal* PickleHeap::global(const PickleValue& value) const {
  return value.kind == PickleValue::Kind::global ? &globals[value.payload]
                                                 : nullptr;
}

const PickleGlobal* PickleHeap::callee(const PickleValue& value) const {
  const PickleCallSite* site = call(value);
  return site != nullptr ? global(site->callee) : nullptr;
}

bool PickleHeap::is_passed_on(std::size_t global) const {
  if (globals[global].is_lost) return true;
  const PickleCell wanted = PickleCell::of(PickleValue::Kind::global, global);
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    if (kept_[i].bits == wanted.bits) return true;
  }
  const auto is_it = [&](const PickleValue& value) {
    return value.kind == PickleValue::Kind::global && value.payload == global;
  };
  return std::any_of(calls_.begin(), calls_.end(),
                     [&](const PickleCallSite& site) {
                       return is_it(site.arguments) || is_it(site.state);
                     });
}

std::string PickleHeap::text(const PickleValue& value,
                             std::size_t limit) const {
  if (!value.is_text()) return {};
  const Bytes raw = bytes(value, limit);
  switch (value.kind) {
    case PickleValue::Kind::raw_unicode:
      return decode_raw_unicode_escape(as_text(raw));
    case PickleValue::Kind::quoted:
      return decode_quoted(as_text(raw));
    default:
      return std::string(as_text(raw));
  }
}

Bytes PickleHeap::bytes(const PickleValue& value, std::size_t limit) const {
  if (!value.is_text() && value.kind != PickleValue::Kind::bytes &&
      value.kind != PickleValue::Kind::big_integer) {
    return {};
  }
  return source_.head(value.payload,
                      std::min<std::uint64_t>(value.length, limit));
}

std::string PickleHeap::render(const PickleValue& value) const {
  std::string out;
  render_into(out, value, 0);
  return out;
}

void PickleHeap::render_children(std::string& out, const PickleValue& value,
                                 int depth) const {
  const PickleContainer parent = *container(value);
  const bool is_dict = parent.kind == PickleContainer::Kind::dict;
  const std::vector<PickleValue> shown = children(value, kMaxRenderedChildren);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (i != 0) out += is_dict && i % 2 == 1 ? ": " : ", ";
    render_into(out, shown[i], depth + 1);
  }
  if (shown.size() < parent.count || parent.is_cut) out += ", …";
  if (parent.kind == PickleContainer::Kind::tuple && parent.count == 1) {
    out += ',';
  }
}

void PickleHeap::render_into(std::string& out, const PickleValue& value,
                             int depth) const {
  if (depth > kMaxRenderDepth || out.size() > kMaxRendered) {
    out += "…";
    return;
  }
  switch (value.kind) {
    case PickleValue::Kind::absent:
    case PickleValue::Kind::unknown:
      out += "<?>";
      return;
    case PickleValue::Kind::none:
      out += "None";
      return;
    case PickleValue::Kind::boolean:
      out += value.payload != 0 ? "True" : "False";
      return;
    case PickleValue::Kind::integer:
      out += std::to_string(static_cast<std::int64_t>(value.payload));
      return;
    case PickleValue::Kind::big_integer:
      out += fmt::format("<integer of {} bytes>", value.length);
      return;
    case PickleValue::Kind::real:
      out += fmt::format("{}", std::bit_cast<double>(value.payload));
      return;
    case PickleValue::Kind::text:
    case PickleValue::Kind::raw_unicode:
    case PickleValue::Kind::quoted:
      out += python_repr(text(value, kMaxRenderedString));
      if (value.length > kMaxRenderedString) out += "…";
      return;
    case PickleValue::Kind::bytes:
      out += 'b';
      out +=
          python_repr(as_text(bytes(value, kMaxRenderedString)), ReprOf::bytes);
      if (value.length > kMaxRenderedString) out += "…";
      return;
    case PickleValue::Kind::global:
      out += globals[value.payload].resolved_module + "." +
             globals[value.payload].resolved_name;
      return;
    case PickleValue::Kind::container:
      break;
  }
  if (const PickleCallSite* const site = call(value)) {
    render_into(out, site->callee, depth + 1);
    const auto arguments = container(site->arguments);
    if (arguments && arguments->kind == PickleContainer::Kind::tuple) {
      out += '(';
      const std::size_t before = out.size();
      render_children(out, site->arguments, depth + 1);
      if (arguments->count == 1 && out.size() > before) out.pop_back();
      out += ')';
    } else {
      out += "(*";
      render_into(out, site->arguments, depth + 1);
      out += ')';
    }
    return;
  }
  const PickleContainer::Kind kind = container(value)->kind;
  out += open_bracket(kind);
  render_children(out, value, depth);
  out += close_bracket(kind);
}

}  // namespace impound
