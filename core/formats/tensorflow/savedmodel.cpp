// SPDX-License-Identifier: Apache-2.0
/// The binary encodings (tensorflow/core/protobuf/saved_model.proto,
/// meta_graph.proto, framework/graph.proto, function.proto, node_def.proto).

#include "core/formats/tensorflow/savedmodel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/base/text.hpp"
#include "core/formats/protobuf.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/tensorflow/savedmodel_text.hpp"
#include "core/formats/tensorflow/tf_graph.hpp"

namespace impound {
namespace {

using wire::Field;
using wire::Message;
using wire::Type;

constexpr std::uint64_t kMaxName = 4096;
constexpr std::size_t kMaxListed = 10'000;
constexpr std::size_t kMaxProblems = 200;

bool is_bytes(const Field& field) { return field.type == Type::bytes; }

class BinaryWalk {
 public:
  BinaryWalk(const ByteSource& source, TfModel& model)
      : window_(source), model_(model), graphs_(model) {}

  void saved_model() {
    Message message(window_, 0, window_.size());
    while (const auto field = message.next()) {
      if (field->number == 2 && is_bytes(*field)) meta_graph(*field);
    }
    check(message, "the SavedModel");
  }

  void graph_file() {
    Field whole;
    whole.size = window_.size();
    graph(whole);
  }

 private:
  std::string text(const Field& field) {
    return is_bytes(field) ? window_.text(field, kMaxName) : std::string();
  }

  void check(const Message& message, std::string_view what) {
    if (message.ok()) return;
    model_.complete = false;
    if (model_.problems.size() >= kMaxProblems) return;
    model_.problems.push_back(
        {"savedmodel-malformed", Severity::high, message.offset(),
         fmt::format("{} ends in bytes that are no protobuf field", what)});
  }

  void meta_graph(const Field& of) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      if (field->number == 2) graph(*field);
      if (field->number == 4 || field->number == 5) entry(*field);
      if (field->number == 6) asset(*field);
    }
    check(message, "a meta graph");
  }

  /// A collection or a signature: the key says whether it runs at load.
  void entry(const Field& of) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number != 1) continue;
      const std::string key = text(*field);
      if (is_init_op(key) && model_.init_ops.size() < kMaxListed) {
        model_.init_ops.push_back(key);
      }
    }
    check(message, "an entry of a meta graph");
  }

  void asset(const Field& of) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number == 2 && model_.assets.size() < kMaxListed) {
        model_.assets.push_back(text(*field));
      }
    }
    check(message, "an asset");
  }

  void graph(const Field& of) {
    graphs_.begin("graph");
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number == 1 && is_bytes(*field)) node(*field);
    }
    check(message, "a graph");
    graphs_.end();
    // Functions after the graph: a carrier of one is none of another.
    Message again(window_, of);
    while (const auto field = again.next()) {
      if (field->number == 2 && is_bytes(*field)) library(*field);
    }
  }

  void library(const Field& of) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number == 1 && is_bytes(*field)) function(*field);
    }
    check(message, "a library of functions");
  }

  void function(const Field& of) {
    ++model_.functions;
    std::string name;
    Message outer(window_, of);
    while (const auto field = outer.next()) {
      if (field->number != 1 || !is_bytes(*field)) continue;
      Message signature(window_, *field);
      while (const auto inner = signature.next()) {
        if (inner->number == 1) name = text(*inner);
      }
    }
    graphs_.begin_function(name);
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number == 3 && is_bytes(*field)) node(*field);
    }
    check(message, "a function");
    graphs_.end();
  }

  void node(const Field& of) {
    TfNode node;
    node.offset = of.offset;
    Message message(window_, of);
    while (const auto field = message.next()) {
      switch (field->number) {
        case 1:
          node.name = text(*field);
          break;
        case 2:
          node.op = text(*field);
          break;
        case 3:
          if (node.inputs.size() < TfGraphs::kMaxInputs) {
            node.inputs.push_back(text(*field));
          }
          break;
        case 5:
          if (is_bytes(*field)) attribute(*field, node);
          break;
        default:
          break;
      }
    }
    check(message, "a node");
    graphs_.add(std::move(node));
  }

  void attribute(const Field& of, TfNode& node) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (field->number == 2 && is_bytes(*field)) value(*field, node);
    }
    check(message, "an attribute");
  }

  void keep(const Field& field, TfNode& node) {
    if (!is_bytes(field) || node.texts.size() >= TfGraphs::kMaxTexts) return;
    std::string found = window_.text(field, TfGraphs::kMaxText);
    if (!found.empty()) node.texts.push_back(std::move(found));
  }

  void value(const Field& of, TfNode& node) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      if (field->number == 2) keep(*field, node);
      if (field->number == 1) {  // a list: its texts are field 2
        Message list(window_, *field);
        while (const auto inner = list.next()) {
          if (inner->number == 2) keep(*inner, node);
        }
        check(list, "a list");
      }
      if (field->number == 8) {  // a tensor: its texts are field 8
        Message tensor(window_, *field);
        while (const auto inner = tensor.next()) {
          if (inner->number == 8) keep(*inner, node);
        }
        check(tensor, "a tensor");
      }
    }
    check(message, "a value");
  }

  wire::Window window_;
  TfModel& model_;
  TfGraphs graphs_;
};

bool is_op_name(std::string_view name) {
  return !name.empty() && name.size() < 256 &&
         std::ranges::all_of(name, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                  c == '_' || c == '>' || c == '.';
         });
}

/// Whether the field is a NodeDef, or the beginning of one: among its fields is
/// the name of an operator.
bool is_node(wire::Window& window, const Field& of) {
  Message message(window, of);
  while (const auto field = message.next()) {
    if (field->number == 2 && is_bytes(*field)) {
      return is_op_name(window.text(*field, 256));
    }
  }
  return false;
}

/// The fields of a message that a protobuf library would hand over, and of the
/// one that is cut short what there is.
template <typename Act>
bool any_field(wire::Window& window, const Field& of, Act act) {
  Message message(window, of);
  while (const auto field = message.next()) {
    if (act(*field)) return true;
  }
  return message.cut_short() && act(*message.cut_short());
}

/// A FunctionDefLibrary: functions with nodes.
bool is_library(wire::Window& window, const Field& of) {
  return any_field(window, of, [&](const Field& function) {
    return function.number == 1 && is_bytes(function) &&
           any_field(window, function, [&](const Field& part) {
             return part.number == 3 && is_bytes(part) && is_node(window, part);
           });
  });
}

/// A GraphDef: nodes, or functions. What it has besides is passed over, as any
/// protobuf library does.
bool is_graph(wire::Window& window, const Field& of) {
  return any_field(window, of, [&](const Field& field) {
    if (!is_bytes(field)) return false;
    return (field.number == 1 && is_node(window, field)) ||
           (field.number == 2 && is_library(window, field));
  });
}

/// Every field of a GraphDef, and no other: one without nodes.
bool is_bare_graph(wire::Window& window, const Field& of) {
  Message message(window, of);
  std::size_t fields = 0;
  while (const auto field = message.next()) {
    const bool is_message =
        is_bytes(*field) &&
        (field->number == 2 || field->number == 4 || field->number == 5);
    if (!is_message && field->number != 3) return false;
    ++fields;
  }
  return message.ok() && fields != 0;
}

bool is_saved_model(wire::Window& window) {
  Field whole;
  whole.size = window.size();
  bool has_version = false;
  bool is_strange = false;
  return any_field(window, whole, [&](const Field& field) {
    if (field.number == 1 && field.type == Type::varint) has_version = true;
    if (field.number != 2 || !is_bytes(field)) {
      is_strange |= field.number != 1;
      return false;
    }
    return any_field(window, field, [&](const Field& inner) {
      if (inner.number != 2 || !is_bytes(inner)) return false;
      return is_graph(window, inner) ||
             (has_version && !is_strange && is_bare_graph(window, inner));
    });
  });
}

}  // namespace

TfKind recognise_tensorflow_file(const ByteSource& source) {
  const TfKind text = recognise_tensorflow_text(source);
  if (text != TfKind::none) return text;
  wire::Window window(source);
  if (is_saved_model(window)) return TfKind::saved_model;
  Field whole;
  whole.size = source.size();
  return is_graph(window, whole) ? TfKind::graph : TfKind::none;
}

TfModel read_tensorflow(const ByteSource& source, TfKind kind) {
  TfModel model;
  model.complete = true;
  switch (kind) {
    case TfKind::none:
      break;
    case TfKind::saved_model:
      BinaryWalk(source, model).saved_model();
      break;
    case TfKind::graph:
      BinaryWalk(source, model).graph_file();
      break;
    case TfKind::saved_model_text:
    case TfKind::graph_text:
      read_tensorflow_text(source, kind, model);
      break;
  }
  return model;
}

std::string_view why_tensorflow(const FormatSubject& subject) {
  constexpr std::string_view kWhy =
      "its fields are those of a TensorFlow graph";
  if (recognise_tensorflow_text(subject.source) != TfKind::none) return kWhy;
  // Nodes, or what holds them.
  const wire::Outline& outline = outline_of(subject);
  if (!outline.has_bytes(1) && !outline.has_bytes(2)) return {};
  return recognise_tensorflow_file(subject.source) == TfKind::none ? "" : kWhy;
}

}  // namespace impound
