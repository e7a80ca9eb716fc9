// SPDX-License-Identifier: Apache-2.0
/// The opcodes of the pickle machine that import, call and change foreign
/// objects.

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/formats/pickle/pickle_machine.hpp"
#include "core/formats/pickle/pickle_opcodes.hpp"

namespace impound {
namespace {

using Kind = PickleValue::Kind;

bool is_harmless(const PickleGlobal& global) {
  return global.judgement.verdict <= GlobalClass::allowed;
}

/// Functions of copyreg that build an object of the class in their first
/// argument.
bool is_reconstructor(const PickleGlobal& global) {
  return global.resolved_module == "copyreg" &&
         (global.resolved_name == "_reconstructor" ||
          global.resolved_name == "__newobj__" ||
          global.resolved_name == "__newobj_ex__");
}

}  // namespace

PickleValue PickleMachine::State::import(std::string module, std::string name,
                                         std::uint64_t offset) {
  const bool is_python2 = protocol < 3;
  const std::string key = module + '\0' + name + (is_python2 ? '2' : '3');
  const auto known = global_index.find(key);
  if (known != global_index.end()) {
    ++heap.globals[known->second].imports;
    return {.kind = Kind::global, .length = 0, .payload = known->second};
  }
  if (heap.globals.size() >= kMaxGlobals) {
    throw PickleBroken{"pickle-limit", "more imported names than the limit"};
  }
  name_bytes += module.size() + name.size();
  if (name_bytes > kMaxNameBytes) {
    throw PickleBroken{"pickle-limit", "longer imported names than the limit"};
  }
  PickleGlobal global;
  PythonName mapped = map_python2_name(module, name);
  if (options.judge != nullptr) {
    // In doubt both ways of looking a name up are judged: an unpickler without
    // fix_imports, or one made to change protocol, takes the other one.
    const GlobalJudgement written = options.judge(module, name);
    const bool has_moved = mapped.module != module || mapped.name != name;
    const GlobalJudgement moved =
        has_moved ? options.judge(mapped.module, mapped.name) : written;
    global.judgement = is_python2 ? moved : written;
    if (written.verdict == GlobalClass::dangerous) global.judgement = written;
    if (moved.verdict == GlobalClass::dangerous) global.judgement = moved;
  }
  global.resolved_module = is_python2 ? std::move(mapped.module) : module;
  global.resolved_name = is_python2 ? std::move(mapped.name) : name;
  global.module = std::move(module);
  global.name = std::move(name);
  global.offset = offset;
  global.imports = 1;
  global.protocol = protocol;
  const auto index = static_cast<std::uint32_t>(heap.globals.size());
  heap.globals.push_back(std::move(global));
  global_index.emplace(key, index);
  return {.kind = Kind::global, .length = 0, .payload = index};
}

void PickleMachine::State::import_lines(bool call_it) {
  const std::uint64_t offset = opcode_offset;
  const PickleLine first_line = line();
  std::string module(first_line.text.substr(0, kMaxName));
  const bool may_import = !module.empty();
  const PickleLine second_line = line();
  // At the end of the stream Lib/pickle.py still imports what it has read.
  if (!second_line.has_end && !may_import) broken("a line without end");
  const PickleValue callee =
      import(std::move(module),
             std::string(second_line.text.substr(0, kMaxName)), offset);
  if (!second_line.has_end) broken("a line without end");
  if (!call_it) {
    push(callee);
    return;
  }
  PickleCell* const first = pop_mark();
  const auto count = static_cast<std::size_t>(top - first);
  top = first;
  const PickleValue arguments =
      heap.open(heap.make(PickleContainer::Kind::tuple, first, count));
  push(make_call(PickleCall::How::call, callee, arguments));
}

void PickleMachine::State::import_from_stack() {
  const PickleValue name = pop();
  const PickleValue module = pop();
  if (!name.is_text() || !module.is_text()) {
    problem("pickle-computed-import", Severity::critical, opcode_offset,
            fmt::format("the name to import is computed: module {}, name {}",
                        heap.render(module), heap.render(name)));
    push({.kind = Kind::unknown});
    return;
  }
  push(import(heap.text(module), heap.text(name), opcode_offset));
}

const PickleGlobal* PickleMachine::State::class_of(
    const PickleValue& value) const {
  const PickleGlobal* const callee = heap.callee(value);
  if (callee == nullptr || !is_reconstructor(*callee)) return callee;
  return heap.global(heap.child(heap.call(value)->arguments, 0));
}

std::string PickleMachine::State::rendering_of(const PickleCallParts& parts,
                                               std::size_t items) const {
  switch (parts.how) {
    case PickleCall::How::call:
    case PickleCall::How::create: {
      std::string text = parts.target.kind == Kind::container
                             ? heap.render(parts.target)
                             : heap.render(parts.callee) + "(…)";
      if (parts.how == PickleCall::How::create) {
        const std::string name = heap.render(parts.callee);
        if (text.starts_with(name)) text.insert(name.size(), ".__new__");
      }
      return text;
    }
    case PickleCall::How::set_state:
      return heap.render(parts.target) + ".__setstate__(" +
             heap.render(parts.arguments) + ")";
    case PickleCall::How::mutate:
      return heap.render(parts.target) + std::string(mutator) +
             heap.render(parts.arguments) + (items > 1 ? ", …)" : ")");
  }
  return {};
}

/// What is to be said of a call; of one that the judge wants to see written
/// the rendering too.
CallClass PickleMachine::State::judged(const PickleCallParts& parts,
                                       std::string& rendering) {
  const bool is_dangerous =
      parts.type != nullptr &&
      parts.type->judgement.verdict == GlobalClass::dangerous;
  if (options.calls == nullptr) {
    return is_dangerous ? CallClass::harmful : CallClass::doubtful;
  }
  const CallClass said = options.calls(heap, parts, {});
  if (said != CallClass::by_text) return said;
  if (call_work.rendered >= kMaxCallText) {
    if (!result.is_partial) {
      problem("pickle-limit", Severity::medium, opcode_offset,
              "more text among the arguments of calls than is judged");
    }
    result.is_partial = true;
    return is_dangerous ? CallClass::harmful : CallClass::doubtful;
  }
  rendering = rendering_of(parts, 0);
  call_work.rendered += rendering.size();
  return options.calls(heap, parts, rendering);
}

/// Whether one more call is listed. Where there is no room nothing is made of
/// it: what is to be said of the file is said by those that are.
bool PickleMachine::State::has_room(const PickleCallParts& parts,
                                    CallClass said) {
  const std::size_t listed =
      said == CallClass::harmful ? call_work.harmful : call_work.doubtful;
  if (listed >= PickleRun::kMaxCalls || call_work.rendered >= kMaxCallText) {
    return false;
  }
  const std::uint64_t name = parts.callee.kind == Kind::global
                                 ? parts.callee.payload + 1
                                 : std::uint64_t{0};
  const std::uint64_t key = name << 3U | static_cast<std::uint64_t>(parts.how);
  return ++tries[key] <= kMaxTries;
}

void PickleMachine::State::note_call(const PickleCallParts& parts,
                                     std::size_t items) {
  if (options.judge == nullptr) return;
  std::string rendering;
  const CallClass said = judged(parts, rendering);
  if (said == CallClass::harmless) {
    if (parts.how == PickleCall::How::call &&
        parts.callee.kind == Kind::global) {
      ++heap.globals[parts.callee.payload].harmless_calls;
    }
    return;
  }
  if (!has_room(parts, said)) return;
  if (rendering.empty()) {
    rendering = rendering_of(parts, items);
    call_work.rendered += rendering.size();
  }
  auto& calls = result.calls;
  const bool is_known =
      std::any_of(calls.begin(), calls.end(), [&](const PickleCall& call) {
        return call.how == parts.how && call.rendering == rendering;
      });
  if (is_known) return;
  PickleCall call;
  call.how = parts.how;
  call.offset = opcode_offset;
  call.rendering = std::move(rendering);
  if (const PickleGlobal* global = heap.global(parts.callee)) {
    call.callee = global->full_name();
    call.judgement = global->judgement;
  } else {
    call.callee = heap.render(parts.callee);
    call.is_computed = true;
  }
  ++(said == CallClass::harmful ? call_work.harmful : call_work.doubtful);
  calls.push_back(std::move(call));
}

void PickleMachine::State::give(const PickleValue& value) {
  if (value.kind != Kind::global && value.kind != Kind::container) return;
  if (given.size() < kMaxGiven) {
    given.push_back(value);
  } else {
    is_given_lost = true;
  }
}

/// Marks the dangerous names that a call which is not allowed is given: among
/// its arguments, in the state or the items of what it makes, or deeper.
void PickleMachine::State::mark_handed_on() {
  const auto is_dangerous = [](const PickleGlobal& global) {
    return global.judgement.verdict == GlobalClass::dangerous;
  };
  if (!std::any_of(heap.globals.begin(), heap.globals.end(), is_dangerous)) {
    return;
  }
  std::vector<bool> is_seen(heap.containers());
  std::vector<PickleValue> waiting = std::move(given);
  const auto take = [&](const PickleValue& value) {
    if (value.kind == Kind::global) {
      heap.globals[value.payload].is_handed_on = true;
    } else if (value.kind == Kind::container && !is_seen[value.payload]) {
      waiting.push_back(value);
    }
  };
  const auto follow = [&] {
    while (!waiting.empty()) {
      const PickleValue value = waiting.back();
      waiting.pop_back();
      if (value.kind == Kind::container) {
        if (is_seen[value.payload]) continue;
        is_seen[value.payload] = true;
      }
      take(value);
      for (const PickleValue& child : heap.children(value)) take(child);
      if (const PickleCallSite* const site = heap.call(value)) {
        // A name that is called was judged by that.
        if (site->callee.kind != Kind::global) take(site->callee);
        take(site->arguments);
        take(site->state);
      }
    }
  };
  follow();
  for (std::size_t i = 0; i < heap.containers(); ++i) {
    const PickleValue made{.kind = Kind::container, .length = 0, .payload = i};
    const PickleCallSite* const site = heap.call(made);
    if (site == nullptr) continue;
    const PickleGlobal* const callee = heap.global(site->callee);
    if (callee == nullptr || !is_harmless(*callee)) {
      if (callee == nullptr) take(site->callee);
      take(site->arguments);
    }
    const PickleGlobal* const type = class_of(made);
    if (type == nullptr || !is_harmless(*type)) {
      take(site->state);
      for (const PickleValue& item : heap.children(made)) take(item);
    }
    follow();
  }
  for (std::size_t i = 0; i < heap.globals.size(); ++i) {
    PickleGlobal& global = heap.globals[i];
    if (!is_dangerous(global)) continue;
    global.is_handed_on |= global.builds != 0 || global.is_lost ||
                           is_given_lost ||
                           (heap.is_full() && heap.is_passed_on(i));
  }
}

bool PickleMachine::State::is_known_attribute(
    const PickleGlobal& callee, const PickleValue& arguments) const {
  if (options.attributes == nullptr || callee.resolved_name != "getattr" ||
      callee.resolved_module != "builtins") {
    return false;
  }
  const auto parts = heap.children(arguments, 3);
  if (parts.size() != 2 || !parts[1].is_text()) return false;
  // Of the class, or of an object that was made of it.
  const PickleGlobal* of = heap.global(parts[0]);
  if (of == nullptr) of = class_of(parts[0]);
  return of != nullptr && of->judgement.verdict != GlobalClass::dangerous &&
         options.attributes(of->resolved_module + "." + of->resolved_name,
                            heap.text(parts[1], 256));
}

void PickleMachine::State::pardon_attributes() {
  for (std::size_t i = 0; i < heap.globals.size(); ++i) {
    PickleGlobal& global = heap.globals[i];
    if (global.known_attributes != 0 &&
        global.known_attributes == global.calls && global.builds == 0 &&
        !heap.is_passed_on(i)) {
      global.judgement = {.verdict = GlobalClass::allowed, .rule = {}};
    }
  }
}

PickleValue PickleMachine::State::make_call(PickleCall::How how,
                                            const PickleValue& callee,
                                            const PickleValue& arguments) {
  const PickleValue value = heap.open(heap.make_call(callee, arguments));
  const PickleGlobal* const type = heap.global(callee);
  if (type != nullptr) {
    PickleGlobal& global = heap.globals[callee.payload];
    ++global.calls;
    if (is_harmless(global)) return value;
    if (is_known_attribute(global, arguments)) {
      ++global.known_attributes;
      return value;
    }
  }
  note_call({.how = how,
             .type = type,
             .callee = callee,
             .target = value,
             .arguments = arguments});
  return value;
}

void PickleMachine::State::reduce() {
  const PickleValue arguments = pop();
  const PickleValue callee = pop();
  push(make_call(PickleCall::How::call, callee, arguments));
}

void PickleMachine::State::object() {
  PickleCell* const first = pop_mark();
  if (first == top) broken("OBJ without a class");
  const PickleValue callee = heap.open(*first);
  const auto count = static_cast<std::size_t>(top - first) - 1;
  top = first;
  const PickleValue arguments =
      heap.open(heap.make(PickleContainer::Kind::tuple, first + 1, count));
  push(make_call(PickleCall::How::call, callee, arguments));
}

void PickleMachine::State::create(bool with_keywords) {
  const PickleValue keywords = with_keywords ? pop() : PickleValue{};
  PickleValue arguments = pop();
  const PickleValue callee = pop();
  if (with_keywords) {
    std::vector<PickleCell> all;
    for (const PickleValue& value : heap.children(arguments, 256)) {
      all.push_back(heap.cell(value));
    }
    all.push_back(heap.cell(keywords));
    arguments = heap.open(
        heap.make(PickleContainer::Kind::tuple, all.data(), all.size()));
  }
  push(make_call(PickleCall::How::create, callee, arguments));
}

void PickleMachine::State::build() {
  const PickleValue state = pop();
  if (top == stack.get()) broken("the stack is empty where BUILD needs it");
  const PickleValue target = heap.open(top[-1]);
  if (target.kind == Kind::global) {
    problem("pickle-build-on-import", Severity::critical, opcode_offset,
            fmt::format("attributes of {} itself are replaced by {}",
                        heap.render(target), heap.render(state)));
    return;
  }
  const PickleGlobal* const type = class_of(target);
  PickleCallSite* const site = heap.call(target);
  if (site != nullptr) site->state = state;
  // The object may stand for more than one.
  if (state.kind == Kind::global && heap.is_full()) {
    heap.globals[state.payload].is_lost = true;
  }
  PickleValue callee = target;
  if (type != nullptr) {
    callee = {
        .kind = Kind::global,
        .length = 0,
        .payload = static_cast<std::uint64_t>(type - heap.globals.data())};
    ++heap.globals[callee.payload].builds;
  } else if (site != nullptr) {
    callee = site->callee;
  } else {
    give(target);
    give(state);
  }
  if (type == nullptr || !is_harmless(*type)) {
    note_call({.how = PickleCall::How::set_state,
               .type = type,
               .callee = callee,
               .target = target,
               .arguments = state});
    return;
  }
  if (type->resolved_module == "joblib.numpy_pickle" &&
      type->resolved_name == "NumpyArrayWrapper" &&
      options.arrays == PickleOptions::Arrays::as_joblib) {
    inline_array(target);
  }
}

void PickleMachine::State::extension(std::uint64_t code) {
  const PickleCell number = PickleCell::of(Kind::integer, code);
  problem("pickle-extension", Severity::high, opcode_offset,
          fmt::format("imports whatever the loading program registered under "
                      "copyreg extension code {}",
                      code));
  push(heap.make(PickleContainer::Kind::extension, &number, 1));
}

void PickleMachine::State::persistent(const PickleValue& id) {
  ++result.persistent_count;
  const auto parts = heap.children(id, 8);
  const std::string first = parts.empty() ? "" : heap.text(parts[0], 16);
  if (first == "storage" && parts.size() >= 5 &&
      (parts[1].kind == Kind::global || parts[1].kind == Kind::container) &&
      parts[2].is_text() && parts[3].is_text() &&
      parts[4].kind == Kind::integer) {
    ++result.torch_storage_ids;
  } else if (first == "module" && parts.size() == 4) {
    ++result.torch_module_ids;
  } else if (result.odd_id.empty()) {
    result.odd_id = heap.render(id);
    result.odd_id_offset = opcode_offset;
  }
  if (result.persistent_ids.size() < PickleRun::kMaxPersistentIds) {
    result.persistent_ids.push_back(id);
  }
  if (first == "module" && parts.size() == 4) {
    push(parts[1]);  // torch gives back the class itself
    return;
  }
  const PickleCell child = heap.cell(id);
  push(heap.make(PickleContainer::Kind::persistent, &child, 1));
}

void PickleMachine::State::add_to_other(std::uint8_t opcode,
                                        const PickleCell* first,
                                        std::size_t count) {
  using namespace pickle_op;
  const PickleCell cell = top[-1];
  if (cell.kind() == Kind::container) heap.append_any(cell, first, count);
  const PickleValue target = heap.open(cell);
  using Holder = PickleContainer::Kind;
  const Holder wanted = opcode == kAppend || opcode == kAppends ? Holder::list
                        : opcode == kAddItems                   ? Holder::set
                                                                : Holder::dict;
  if (target.kind == Kind::unknown) {
    heap.lose(first, count);
    return;
  }
  const PickleGlobal* const type = class_of(target);
  if (type != nullptr && is_harmless(*type)) {
    // weights_only adds to plain lists and to mappings only.
    const bool is_mapping = type->resolved_module == "collections" &&
                            (type->resolved_name == "OrderedDict" ||
                             type->resolved_name == "Counter");
    if (wanted != Holder::dict || !is_mapping) {
      result.has_weights_only_opcodes = false;
    }
    return;
  }
  if (count == 0) return;
  if (heap.call(target) == nullptr) {
    give(target);
    for (std::size_t i = 0; i < count; ++i) give(heap.open(first[i]));
  }
  mutator = wanted == Holder::dict  ? ".__setitem__("
            : wanted == Holder::set ? ".add("
                                    : ".extend(";
  note_call({.how = PickleCall::How::mutate,
             .type = type,
             .callee = target,
             .target = target,
             .arguments = heap.open(*first)},
            count);
}

}  // namespace impound
