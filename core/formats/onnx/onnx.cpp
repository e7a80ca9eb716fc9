// SPDX-License-Identifier: Apache-2.0
#include "core/formats/onnx/onnx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <set>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/protobuf.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

using wire::Field;
using wire::Message;
using wire::Type;

constexpr std::uint64_t kMaxName = 4096;
constexpr std::size_t kMaxRank = 1024;
constexpr std::size_t kMaxKinds = 10'000;  // of operators, opsets, metadata
constexpr std::size_t kMaxProblems = 1'000;

constexpr std::array<std::string_view, 14> kKnownDomains = {
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.microsoft.experimental",
    "com.ms.internal.nhwc",
    "com.microsoft.dml",
    "org.pytorch.aten",
    "ai.onnx.opset",
    "pkg.onnxscript.torch_lib"};

constexpr std::array<std::string_view, 5> kPythonOps = {
    "PythonOp", "PyOp", "PythonOpGrad", "PyFunc", "PyCustomOp"};

class ModelWalk {
 public:
  explicit ModelWalk(const ByteSource& source) : window_(source) {}

  OnnxModel run() {
    Message message(window_, 0, window_.size());
    while (const auto field = message.next()) {
      switch (field->number) {
        case 1:
          model_.ir_version = field->value;
          break;
        case 2:
          model_.producer = text(*field);
          break;
        case 3:
          model_.producer += " " + text(*field);
          break;
        case 7:
          has_graph_ = true;
          if (is_bytes(*field)) graph(*field, "graph", 1);
          break;
        case 8:
          if (is_bytes(*field)) opset(*field);
          break;
        case 14:
          if (is_bytes(*field)) metadata(*field);
          break;
        case 20:
          if (is_bytes(*field)) training(*field);
          break;
        case 25:
          if (is_bytes(*field)) function(*field);
          break;
        default:
          break;
      }
    }
    if (message.cut_short() && message.cut_short()->number == 7) {
      has_graph_ = true;
      graph(*message.cut_short(), "graph", 1);
    }
    check(message, "the model");
    // Operator sets have been required since IR version 3: writers put them
    // behind the graph, where a cut at the end of a field takes them off.
    if (model_.ir_version >= 3 && model_.opsets.empty()) {
      broken_ = true;
      problem("onnx-malformed", Severity::medium, window_.size(),
              "no operator set is imported: the model ends too early");
    }
    if (!has_graph_) {
      broken_ = true;
      problem("onnx-malformed", Severity::medium, window_.size(),
              "the model ends before its graph");
    }
    model_.complete = !broken_;
    keep_foreign_ops();
    return std::move(model_);
  }

 private:
  static bool is_bytes(const Field& field) { return field.type == Type::bytes; }

  std::string text(const Field& field) {
    return is_bytes(field) ? window_.text(field, kMaxName) : std::string();
  }

  void problem(std::string_view rule, Severity severity, std::uint64_t offset,
               std::string message) {
    if (model_.problems.size() >= kMaxProblems) return;
    model_.problems.push_back(
        {std::string(rule), severity, offset, std::move(message)});
  }

  void check(const Message& message, std::string_view what) {
    if (message.ok()) return;
    broken_ = true;
    problem("onnx-malformed", Severity::high, message.offset(),
            fmt::format("{} ends in bytes that are no protobuf field", what));
  }

  bool too_deep(const Field& field, int depth) {
    if (depth <= limits::kMaxDepth) return false;
    broken_ = true;
    problem("onnx-depth", Severity::high, field.offset,
            "graphs nested deeper than 64");
    return true;
  }

  void opset(const Field& of) {
    Message message(window_, of);
    std::string domain;
    std::uint64_t version = 0;
    while (const auto field = message.next()) {
      if (field->number == 1) domain = text(*field);
      if (field->number == 2) version = field->value;
    }
    check(message, "an opset import");
    if (model_.opsets.size() < kMaxKinds) model_.opsets[domain] = version;
  }

  std::pair<std::string, std::string> key_and_value(const Field& of) {
    Message message(window_, of);
    std::pair<std::string, std::string> entry;
    while (const auto field = message.next()) {
      if (field->number == 1) entry.first = text(*field);
      if (field->number == 2) entry.second = text(*field);
    }
    check(message, "a key and value");
    return entry;
  }

  void metadata(const Field& of) {
    auto [key, value] = key_and_value(of);
    if (model_.metadata.size() < kMaxKinds) {
      model_.metadata[key] = std::move(value);
    }
  }

  void training(const Field& of) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      if (field->number == 1) graph(*field, "training.initialization", 1);
      if (field->number == 2) graph(*field, "training.algorithm", 1);
    }
    check(message, "training information");
  }

  void function(const Field& of) {
    ++model_.functions;
    Message names(window_, of);
    std::string name;
    std::string domain;
    while (const auto field = names.next()) {
      if (field->number == 1) name = text(*field);
      if (field->number == 10) domain = text(*field);
    }
    if (local_domains_.size() < kMaxKinds) local_domains_.insert(domain);
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      const std::string where = "function " + printable(name);
      if (field->number == 7) node(*field, where, 1);
      if (field->number == 11) attribute(*field, where, 1);
    }
    check(message, "a function");
  }

  void graph(const Field& of, const std::string& where, int depth) {
    if (too_deep(of, depth)) return;
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      if (field->number == 1) node(*field, where, depth);
      if (field->number == 5) tensor(*field, where);
      if (field->number == 15) sparse(*field, where);
    }
    check(message, "a graph");
  }

  void node(const Field& of, const std::string& where, int depth) {
    ++model_.nodes;
    Message message(window_, of);
    std::string name;
    std::string op_type;
    std::string domain;
    std::vector<Field> attributes;
    while (const auto field = message.next()) {
      switch (field->number) {
        case 3:
          name = text(*field);
          break;
        case 4:
          op_type = text(*field);
          break;
        case 5:
          if (is_bytes(*field)) attributes.push_back(*field);
          break;
        case 7:
          domain = text(*field);
          break;
        default:
          break;
      }
    }
    check(message, "a node");
    count_operator(domain, op_type, name, of.offset);
    const std::string inside =
        where + "/" + printable(name.empty() ? op_type : name);
    for (const Field& field : attributes) attribute(field, inside, depth);
  }

  void count_operator(const std::string& domain, const std::string& op_type,
                      const std::string& name, std::uint64_t offset) {
    const std::string key = domain.empty() ? op_type : domain + "::" + op_type;
    const auto found = model_.operators.find(key);
    if (found != model_.operators.end()) {
      ++found->second;
    } else if (model_.operators.size() < kMaxKinds) {
      model_.operators[key] = 1;
    }
    const bool python =
        std::ranges::find(kPythonOps, op_type) != kPythonOps.end();
    if (!python &&
        std::ranges::find(kKnownDomains, domain) != kKnownDomains.end()) {
      return;
    }
    const auto known =
        std::ranges::find_if(model_.custom_ops, [&](const OnnxCustomOp& op) {
          return op.domain == domain && op.op_type == op_type;
        });
    if (known != model_.custom_ops.end()) {
      ++known->count;
    } else if (model_.custom_ops.size() < 500) {
      model_.custom_ops.push_back({domain, op_type, name, offset, 1, python});
    } else {
      broken_ = true;  // left out: not read to the end
    }
  }

  void attribute(const Field& of, const std::string& where, int depth) {
    Message message(window_, of);
    std::string name;
    while (const auto field = message.next()) {
      if (!is_bytes(*field)) continue;
      switch (field->number) {
        case 1:
          name = printable(text(*field));
          break;
        case 5:
        case 10:
          tensor(*field, where);
          break;
        case 6:
        case 11:
          graph(*field, where.size() < kMaxName ? where + "." + name : where,
                depth + 1);
          break;
        case 22:
        case 23:
          sparse(*field, where);
          break;
        default:
          break;
      }
    }
    check(message, "an attribute");
  }

  void sparse(const Field& of, const std::string& where) {
    Message message(window_, of);
    while (const auto field = message.next()) {
      if (is_bytes(*field) && (field->number == 1 || field->number == 2)) {
        tensor(*field, where);
      }
    }
    check(message, "a sparse tensor");
  }

  void dimensions(const Field& field, std::vector<std::uint64_t>& shape) {
    if (field.type == Type::varint) {
      if (shape.size() < kMaxRank) shape.push_back(field.value);
      return;
    }
    if (!is_bytes(field)) return;
    // Packed: varints one after the other.
    std::uint64_t value = 0;
    unsigned shift = 0;
    for (std::uint64_t i = 0; i < field.size && shape.size() < kMaxRank; ++i) {
      const std::uint64_t byte = window_.at(field.offset + i);
      if (shift < 64) value |= (byte & 0x7fU) << shift;
      shift += 7;
      if ((byte & 0x80U) == 0) {
        shape.push_back(value);
        value = 0;
        shift = 0;
      }
    }
  }

  void tensor(const Field& of, const std::string& where) {
    if (model_.tensors.size() >= kMaxOnnxTensors) {
      if (!broken_) {
        problem("onnx-count", Severity::high, of.offset,
                "more than a million tensors; the rest was left out");
      }
      broken_ = true;
      return;
    }
    OnnxTensor tensor;
    tensor.where = where;
    OnnxExternal external;
    bool is_external = false;
    bool has_raw = false;
    Message message(window_, of);
    while (const auto field = message.next()) {
      switch (field->number) {
        case 1:
          dimensions(*field, tensor.info.shape);
          break;
        case 2:
          tensor.type = static_cast<std::int64_t>(field->value);
          break;
        case 4:
        case 5:
        case 6:
        case 7:
        case 10:
        case 11:
          typed(*field, tensor);
          break;
        case 8:
          tensor.info.name = text(*field);
          break;
        case 9:
          if (is_bytes(*field)) {
            has_raw = true;
            tensor.info.offset = field->offset;
            tensor.info.size = field->size;
          }
          break;
        case 13:
          if (is_bytes(*field)) external_entry(*field, external);
          break;
        case 14:
          is_external = field->value == 1;
          break;
        default:
          break;
      }
    }
    check(message, "a tensor");
    tensor.info.dtype = onnx_dtype(tensor.type);
    if (tensor.info.dtype != Dtype::unknown) {
      tensor.expected = tensor_bytes(tensor.info.dtype, tensor.info.shape);
    } else if (tensor.type == 21 || tensor.type == 22 || tensor.type == 23) {
      if (const auto count = element_count(tensor.info.shape)) {
        tensor.expected = *count / 2 + *count % 2;  // two a byte
      }
    }
    check_tensor(tensor, of.offset, has_raw, is_external);
    if (is_external || !external.location.empty()) {
      check_external(tensor, external, of.offset, is_external);
      tensor.external = std::move(external);
    }
    model_.tensors.push_back(std::move(tensor));
  }

  static void typed(const Field& field, OnnxTensor& tensor) {
    if (!tensor.typed) {
      tensor.typed = {
          .field = field.number, .offset = field.offset, .size = field.size};
    }
    ++tensor.typed->pieces;
    if (!is_bytes(field) || field.number == 6) tensor.typed->is_packed = false;
  }

  void external_entry(const Field& of, OnnxExternal& external) {
    const auto entry = key_and_value(of);
    const std::string& key = entry.first;
    const std::string& value = entry.second;
    const auto number = [&]() -> std::optional<std::uint64_t> {
      std::uint64_t out = 0;
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), out);
      if (error != std::errc() || end != value.data() + value.size()) {
        problem("onnx-external", Severity::high, of.offset,
                fmt::format("external data: {} is '{}', which is no size",
                            printable(key), printable(value)));
        return std::nullopt;
      }
      return out;
    };
    if (key == "location") external.location = value;
    if (key == "offset") external.offset = number();
    if (key == "length") external.length = number();
    if (key == "checksum") external.checksum = value;
  }

  void check_tensor(const OnnxTensor& tensor, std::uint64_t offset,
                    bool has_raw, bool is_external) {
    const std::string name = printable(tensor.info.name);
    if (!element_count(tensor.info.shape)) {
      problem("onnx-shape", Severity::high, offset,
              fmt::format("the dimensions {} of '{}' overflow",
                          shape_text(tensor.info.shape), name));
      return;
    }
    if (has_raw && tensor.expected && *tensor.expected != tensor.info.size) {
      problem("onnx-tensor-size", Severity::medium, offset,
              fmt::format("'{}' holds {} bytes, its type and shape {} need {}",
                          name, tensor.info.size, shape_text(tensor.info.shape),
                          *tensor.expected));
    }
    if (has_raw && is_external) {
      problem(
          "onnx-tensor-size", Severity::medium, offset,
          fmt::format("'{}' has bytes of its own and in another file", name));
    }
  }

  void check_external(const OnnxTensor& tensor, const OnnxExternal& external,
                      std::uint64_t offset, bool is_external) {
    const std::string name = printable(tensor.info.name);
    if (!is_external) {
      problem("onnx-external", Severity::medium, offset,
              fmt::format("'{}' names another file but is not marked external",
                          name));
    }
    if (auto found = check_external_location(external.location, offset)) {
      found->message = fmt::format("'{}': {}", name, found->message);
      problem(found->rule, found->severity, offset, found->message);
    }
    if (external.length && tensor.expected &&
        *external.length != *tensor.expected) {
      problem("onnx-external", Severity::high, offset,
              fmt::format("'{}' takes {} external bytes, its type and shape "
                          "need {}",
                          name, *external.length, *tensor.expected));
    }
  }

  /// Operators that the model defines itself are no foreign code.
  void keep_foreign_ops() {
    std::erase_if(model_.custom_ops, [&](const OnnxCustomOp& op) {
      return !op.is_python && local_domains_.contains(op.domain);
    });
  }

  wire::Window window_;
  OnnxModel model_;
  std::set<std::string> local_domains_;
  bool broken_ = false;
  bool has_graph_ = false;
};

}  // namespace

Dtype onnx_dtype(std::int64_t type) noexcept {
  static constexpr std::array<Dtype, 25> kTypes = {
      Dtype::unknown,     Dtype::f32,     Dtype::u8,          Dtype::i8,
      Dtype::u16,         Dtype::i16,     Dtype::i32,         Dtype::i64,
      Dtype::unknown,     Dtype::boolean, Dtype::f16,         Dtype::f64,
      Dtype::u32,         Dtype::u64,     Dtype::c64,         Dtype::c128,
      Dtype::bf16,        Dtype::f8_e4m3, Dtype::f8_e4m3fnuz, Dtype::f8_e5m2,
      Dtype::f8_e5m2fnuz, Dtype::unknown, Dtype::unknown,     Dtype::unknown,
      Dtype::f8_e8m0};
  if (type < 0 || static_cast<std::size_t>(type) >= kTypes.size()) {
    return Dtype::unknown;
  }
  return kTypes[static_cast<std::size_t>(type)];
}

std::optional<Problem> check_external_location(std::string_view location,
                                               std::uint64_t offset) {
  const auto bad = [&](std::string_view why) {
    return Problem{
        "onnx-external-path", Severity::critical, offset,
        fmt::format("external data at '{}': {}", printable(location), why)};
  };
  if (location.empty()) return bad("the location is missing");
  if (location.find('\0') != std::string_view::npos) {
    return bad("a NUL in the path cuts it short when it is opened");
  }
  std::string path(location);
  std::ranges::replace(path, '\\', '/');
  if (path.starts_with("//")) return bad("a path on another machine");
  if (path.starts_with('/')) return bad("an absolute path");
  if (path.size() >= 2 && path[1] == ':' &&
      std::isalpha(static_cast<unsigned char>(path[0])) != 0) {
    return bad("a path on a drive");
  }
  if (path.find("://") != std::string::npos) return bad("an address");
  int depth = 0;
  bool parent = false;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      parent = true;
      --depth;
    } else {
      ++depth;
    }
    if (depth < 0) {
      return bad(path.starts_with("..")
                     ? "leaves the model's folder (CVE-2022-25882)"
                     : "leaves the model's folder on a detour "
                       "(CVE-2024-27318)");
    }
  }
  if (parent) {
    return Problem{"onnx-external-path", Severity::high, offset,
                   fmt::format("external data at '{}': a '..' that no writer "
                               "produces",
                               printable(location))};
  }
  return std::nullopt;
}

namespace {

bool is_operator_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
           c == '.' || c == ':';
  });
}

/// Whether a field is a GraphProto, or the beginning of one: a node with an
/// operator in it, or a tensor with a type and a name.
bool is_graph(wire::Window& window, const Field& of) {
  Message graph(window, of);
  const auto is_part = [&](const Field& field) {
    if (field.type != Type::bytes || (field.number != 1 && field.number != 5)) {
      return false;
    }
    Message part(window, field);
    bool has_type = false;
    while (const auto inner = part.next()) {
      if (field.number == 1 && inner->number == 4 &&
          inner->type == Type::bytes &&
          is_operator_name(window.text(*inner, 256))) {
        return true;
      }
      if (field.number != 5) continue;
      has_type |= inner->number == 2 && inner->type == Type::varint &&
                  inner->value > 0 && inner->value < 64;
      if (has_type && (inner->number == 8 || inner->number == 9)) return true;
    }
    return has_type && part.cut_short().has_value();
  };
  while (const auto field = graph.next()) {
    if (is_part(*field)) return true;
  }
  return graph.cut_short() && is_part(*graph.cut_short());
}

/// Fields of ModelProto as of IR version 11; later ones are passed over.
bool is_field_of_model(const Field& field) {
  static constexpr std::array<std::uint32_t, 10> kBytes = {2, 3,  4,  6,  7,
                                                           8, 14, 20, 25, 26};
  if (field.type == Type::varint) {
    return field.number == 5 ||
           (field.number == 1 && field.value > 0 && field.value <= 100);
  }
  return field.type == Type::bytes &&
         std::ranges::find(kBytes, field.number) != kBytes.end();
}

}  // namespace

bool is_onnx(const ByteSource& source) {
  wire::Window window(source);
  Message message(window, 0, source.size());
  bool has_version = false;  // no runtime takes a model without one
  bool has_graph = false;
  bool is_strange = false;  // has fields that no ModelProto is known to have
  std::optional<Field> graph;
  while (const auto field = message.next()) {
    is_strange |= !is_field_of_model(*field);
    has_version |= field->number == 1 && field->type == Type::varint;
    if (field->number != 7 || field->type != Type::bytes) continue;
    has_graph = true;
    if (!graph && is_graph(window, *field)) graph = field;
  }
  if (!has_version) return false;
  // A truncated model is still one: the graph was begun.
  const std::optional<Field>& cut = message.cut_short();
  if (cut && cut->number == 7 && is_graph(window, *cut)) return true;
  // What any protobuf library skips hides nothing: a graph is a graph.
  return graph.has_value() || (has_graph && !is_strange);
}

OnnxModel read_onnx(const ByteSource& source) {
  return ModelWalk(source).run();
}

std::string_view why_onnx(const FormatSubject& subject) {
  const wire::Outline& outline = outline_of(subject);
  if (!outline.has_number(1) || !outline.has_bytes(7)) return {};
  return is_onnx(subject.source) ? "its fields are those of an ONNX ModelProto"
                                 : "";
}

}  // namespace impound
