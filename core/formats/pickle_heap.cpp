// SPDX-License-Identifier: Apache-2.0
#include "core/formats/pickle_heap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/formats/pickle_text.hpp"

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

PickleValue PickleHeap::make(PickleContainer::Kind kind,
                             const PickleValue* children, std::size_t count) {
  if (containers_.size() >= kMaxContainers) {
    return {.kind = PickleValue::Kind::unknown};
  }
  PickleContainer made;
  made.kind = kind;
  containers_.push_back(made);
  const auto index = static_cast<std::uint32_t>(containers_.size() - 1);
  if (count != 0) append(index, children, count);
  return {.kind = PickleValue::Kind::container, .length = 0, .payload = index};
}

PickleValue PickleHeap::make_call(const PickleValue& callee,
                                  const PickleValue& arguments) {
  const PickleValue value =
      make(PickleContainer::Kind::call, nullptr, std::size_t{0});
  if (value.kind == PickleValue::Kind::container) {
    PickleContainer& made = containers_[value.payload];
    made.call = static_cast<std::uint32_t>(calls_.size());
    made.weight = 1 + weight(arguments);
    calls_.push_back({.callee = callee, .arguments = arguments, .state = {}});
  }
  return value;
}

void PickleHeap::append(std::uint32_t container, const PickleValue* children,
                        std::size_t count) {
  PickleContainer& into = containers_[container];
  float added = 0;
  for (std::size_t i = 0; i < count; ++i) added += weight(children[i]);
  into.weight += added;

  std::size_t kept = count;
  kept = std::min<std::size_t>(kept, kMaxChildren - into.count);
  kept = std::min(kept, kMaxKept - kept_.size());
  if (kept < count) into.is_cut = true;
  if (kept == 0) return;
  const auto first = static_cast<std::uint32_t>(kept_.size());
  kept_.insert(kept_.end(), children, children + kept);
  into.count += static_cast<std::uint32_t>(kept);
  if (into.last_run != PickleContainer::kNone) {
    Run& last = runs_[into.last_run];
    if (last.first + last.count == first) {
      last.count += static_cast<std::uint32_t>(kept);
      return;
    }
  }
  const auto run = static_cast<std::uint32_t>(runs_.size());
  runs_.push_back({.first = first,
                   .count = static_cast<std::uint32_t>(kept),
                   .next = PickleContainer::kNone});
  if (into.last_run == PickleContainer::kNone) {
    into.first_run = run;
  } else {
    runs_[into.last_run].next = run;
  }
  into.last_run = run;
}

void PickleHeap::clear() {
  globals.clear();
  containers_.clear();
  calls_.clear();
  runs_.clear();
  kept_.clear();
}

std::vector<PickleValue> PickleHeap::children(const PickleValue& value,
                                              std::size_t limit) const {
  std::vector<PickleValue> out;
  const PickleContainer* parent = container(value);
  if (parent == nullptr) return out;
  for (std::uint32_t run = parent->first_run;
       run != PickleContainer::kNone && out.size() < limit;
       run = runs_[run].next) {
    const std::size_t count =
        std::min<std::size_t>(runs_[run].count, limit - out.size());
    const auto first = kept_.begin() + runs_[run].first;
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(count));
  }
  return out;
}

const PickleContainer* PickleHeap::container(const PickleValue& value) const {
  return value.kind == PickleValue::Kind::container
             ? &containers_[value.payload]
             : nullptr;
}

const PickleCallSite* PickleHeap::call(const PickleValue& value) const {
  const PickleContainer* made = container(value);
  return made != nullptr && made->call != PickleContainer::kNone
             ? &calls_[made->call]
             : nullptr;
}

PickleCallSite* PickleHeap::call(const PickleValue& value) {
  const PickleContainer* made = container(value);
  return made != nullptr && made->call != PickleContainer::kNone
             ? &calls_[made->call]
             : nullptr;
}

const PickleGlobal* PickleHeap::global(const PickleValue& value) const {
  return value.kind == PickleValue::Kind::global ? &globals[value.payload]
                                                 : nullptr;
}

const PickleGlobal* PickleHeap::callee(const PickleValue& value) const {
  const PickleCallSite* site = call(value);
  return site != nullptr ? global(site->callee) : nullptr;
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

float PickleHeap::weight(const PickleValue& value) const noexcept {
  return value.kind == PickleValue::Kind::container
             ? containers_[value.payload].weight
             : 1.0F;
}

std::string PickleHeap::render(const PickleValue& value) const {
  std::string out;
  render_into(out, value, 0);
  return out;
}

void PickleHeap::render_children(std::string& out, const PickleValue& value,
                                 int depth) const {
  const PickleContainer& parent = containers_[value.payload];
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
  const PickleContainer& made = containers_[value.payload];
  if (made.call != PickleContainer::kNone) {
    const PickleCallSite& site = calls_[made.call];
    render_into(out, site.callee, depth + 1);
    const PickleContainer* arguments = container(site.arguments);
    if (arguments != nullptr &&
        arguments->kind == PickleContainer::Kind::tuple) {
      out += '(';
      const std::size_t before = out.size();
      render_children(out, site.arguments, depth + 1);
      if (arguments->count == 1 && out.size() > before) out.pop_back();
      out += ')';
    } else {
      out += "(*";
      render_into(out, site.arguments, depth + 1);
      out += ')';
    }
    return;
  }
  out += open_bracket(made.kind);
  render_children(out, value, depth);
  out += close_bracket(made.kind);
}

}  // namespace impound
