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
    const GlobalJudgement moved = options.judge(mapped.module, mapped.name);
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
  push(make_call(PickleCall::How::call, callee, arguments, offset));
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
  const auto arguments = heap.children(heap.call(value)->arguments, 1);
  return arguments.empty() ? nullptr : heap.global(arguments[0]);
}

void PickleMachine::State::note_call(PickleCall::How how,
                                     const PickleValue& callee,
                                     std::uint64_t offset,
                                     std::string rendering) {
  auto& calls = result.calls;
  const bool is_known =
      std::any_of(calls.begin(), calls.end(), [&](const PickleCall& call) {
        return call.how == how && call.rendering == rendering;
      });
  if (is_known) return;
  if (calls.size() >= PickleRun::kMaxCalls) {
    if (calls.size() == PickleRun::kMaxCalls) {
      problem("pickle-limit", Severity::medium, offset,
              "more distinct calls than are listed");
    }
    return;
  }
  PickleCall call;
  call.how = how;
  call.offset = offset;
  call.rendering = std::move(rendering);
  if (const PickleGlobal* global = heap.global(callee)) {
    call.callee = global->full_name();
    call.judgement = global->judgement;
  } else {
    call.callee = heap.render(callee);
    call.is_computed = true;
  }
  calls.push_back(std::move(call));
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
                                            const PickleValue& arguments,
                                            std::uint64_t offset) {
  const PickleValue value = heap.open(heap.make_call(callee, arguments));
  bool is_noteworthy = true;
  if (callee.kind == Kind::global) {
    PickleGlobal& global = heap.globals[callee.payload];
    ++global.calls;
    is_noteworthy = !is_harmless(global);
    if (is_noteworthy && is_known_attribute(global, arguments)) {
      ++global.known_attributes;
      return value;
    }
  }
  if (is_noteworthy) {
    std::string text = value.kind == Kind::container
                           ? heap.render(value)
                           : heap.render(callee) + "(…)";
    if (how == PickleCall::How::create) {
      const std::string name = heap.render(callee);
      if (text.starts_with(name)) text.insert(name.size(), ".__new__");
    }
    note_call(how, callee, offset, std::move(text));
  }
  return value;
}

void PickleMachine::State::reduce() {
  const PickleValue arguments = pop();
  const PickleValue callee = pop();
  push(make_call(PickleCall::How::call, callee, arguments, opcode_offset));
}

void PickleMachine::State::object() {
  PickleCell* const first = pop_mark();
  if (first == top) broken("OBJ without a class");
  const PickleValue callee = heap.open(*first);
  const auto count = static_cast<std::size_t>(top - first) - 1;
  top = first;
  const PickleValue arguments =
      heap.open(heap.make(PickleContainer::Kind::tuple, first + 1, count));
  push(make_call(PickleCall::How::call, callee, arguments, opcode_offset));
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
  push(make_call(PickleCall::How::create, callee, arguments, opcode_offset));
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
  if (type != nullptr) {
    ++heap.globals[static_cast<std::size_t>(type - heap.globals.data())].builds;
  }
  if (PickleCallSite* const site = heap.call(target)) site->state = state;
  if (type == nullptr || !is_harmless(*type)) {
    const PickleCallSite* const site = heap.call(target);
    note_call(
        PickleCall::How::set_state,
        type == nullptr && site != nullptr ? site->callee
        : type == nullptr                  ? target
                                           : PickleValue{.kind = Kind::global,
                                                         .length = 0,
                                                         .payload = static_cast<std::uint64_t>(
                                            type - heap.globals.data())},
        opcode_offset,
        heap.render(target) + ".__setstate__(" + heap.render(state) + ")");
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
  if (target.kind == Kind::unknown) return;
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
  note_call(PickleCall::How::mutate, target, opcode_offset,
            heap.render(target) +
                (wanted == Holder::dict  ? ".__setitem__("
                 : wanted == Holder::set ? ".add("
                                         : ".extend(") +
                heap.render(heap.open(*first)) + (count > 1 ? ", …)" : ")"));
}

}  // namespace impound
