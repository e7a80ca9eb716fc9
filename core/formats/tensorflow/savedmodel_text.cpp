// SPDX-License-Identifier: Apache-2.0
#include "core/formats/tensorflow/savedmodel_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/tensorflow/tf_graph.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxFields = 2'000'000;
constexpr std::uint64_t kHead = 65536;

/// A field of the text format: a value, or the fields of a message.
struct TextField {
  std::string name;
  std::string value;
  std::vector<TextField> fields;
  std::uint64_t offset = 0;
};

/// Messages, and the values that TextWalk looks at.
bool is_wanted(const TextField& field) {
  if (!field.fields.empty()) return true;
  static constexpr auto kValues = std::to_array<std::string_view>(
      {"name", "op", "input", "key", "filename", "s", "string_val"});
  return std::ranges::find(kValues, field.name) != kValues.end() ||
         field.name == "node" || field.name == "node_def";
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         c == '.' || c == '-' || c == '+';
}

/// The grammar of protobuf.dev/reference/protobuf/textformat-spec, as far as
/// TensorFlow's writer and lenient readers use it.
class TextReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}

  /// The fields of the whole text; ok() says whether it was read to its end.
  std::vector<TextField> run() {
    std::vector<TextField> fields;
    message(fields, '\0', 0);
    return fields;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint64_t offset() const { return at_; }

 private:
  void blanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  [[nodiscard]] char peek() {
    blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void fail() { ok_ = false; }

  std::string word() {
    blanks();
    const std::size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '[') {  // [extension.name]
      at_ = std::min(text_.find(']', at_), text_.size());
      if (at_ < text_.size()) ++at_;
    } else {
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    }
    return std::string(
        text_.substr(begin, std::min<std::size_t>(at_ - begin, 4096)));
  }

  void escape(std::string& out) {
    if (at_ >= text_.size()) return;
    const char c = text_[at_++];
    const auto digits = [&](int base, int most, unsigned value) {
      const std::string_view kDigits = "0123456789abcdef";
      for (int i = 0; i < most && at_ < text_.size(); ++i) {
        const std::size_t digit = kDigits.find(static_cast<char>(
            std::tolower(static_cast<unsigned char>(text_[at_]))));
        if (digit >= static_cast<std::size_t>(base)) break;
        value =
            value * static_cast<unsigned>(base) + static_cast<unsigned>(digit);
        ++at_;
      }
      return static_cast<char>(value & 0xffU);
    };
    constexpr std::string_view kFrom = "abfnrtv";
    constexpr std::string_view kTo = "\a\b\f\n\r\t\v";
    if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      out.push_back(kTo[i]);
    } else if (c == 'x' || c == 'X') {
      out.push_back(digits(16, 2, 0));
    } else if (c >= '0' && c <= '7') {
      out.push_back(digits(8, 2, static_cast<unsigned>(c - '0')));
    } else {
      out.push_back(c);
    }
  }

  /// Texts that stand side by side are one.
  std::string quoted() {
    std::string out;
    for (char quote = peek(); quote == '"' || quote == '\''; quote = peek()) {
      ++at_;
      std::string part;
      while (at_ < text_.size() && text_[at_] != quote) {
        if (text_[at_] == '\\') {
          ++at_;
          escape(part);
        } else {
          part.push_back(text_[at_++]);
        }
        if (part.size() > TfGraphs::kMaxText) part.resize(TfGraphs::kMaxText);
      }
      if (at_ >= text_.size()) {
        fail();
        return out;
      }
      ++at_;
      out += part;
      if (out.size() > TfGraphs::kMaxText) out.resize(TfGraphs::kMaxText);
    }
    return out;
  }

  void message(std::vector<TextField>& fields, char close, int depth) {
    if (depth > limits::kMaxDepth) return fail();
    while (ok_) {
      const char next = peek();
      if (at_ >= text_.size()) {
        if (close != '\0') fail();
        return;
      }
      if (close != '\0' && next == close) {
        ++at_;
        return;
      }
      const std::uint64_t offset = at_;
      const std::string name = word();
      if (name.empty()) return fail();
      field(fields, name, offset, depth);
      if (!take(',')) static_cast<void>(take(';'));
    }
  }

  void field(std::vector<TextField>& fields, const std::string& name,
             std::uint64_t offset, int depth) {
    const bool has_colon = take(':');
    if (peek() == '[' && has_colon) {
      ++at_;
      while (ok_ && !take(']')) {
        one(fields, name, offset, depth, true);
        static_cast<void>(take(','));
        if (at_ >= text_.size()) return fail();
      }
      return;
    }
    one(fields, name, offset, depth, has_colon);
  }

  void one(std::vector<TextField>& fields, const std::string& name,
           std::uint64_t offset, int depth, bool may_be_value) {
    TextField found;
    found.name = name;
    found.offset = offset;
    const char next = peek();
    if (next == '{' || next == '<') {
      ++at_;
      message(found.fields, next == '{' ? '}' : '>', depth + 1);
    } else if (may_be_value && (next == '"' || next == '\'')) {
      found.value = quoted();
    } else if (may_be_value) {
      found.value = word();
      if (found.value.empty()) return fail();
    } else {
      return fail();
    }
    // Weights are a line for each number: only what the walk reads is kept.
    if (!is_wanted(found)) return;
    if (++count_ > kMaxFields) return fail();
    fields.push_back(std::move(found));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
  bool ok_ = true;
};

class TextWalk {
 public:
  explicit TextWalk(TfModel& model) : model_(model), graphs_(model) {}

  void saved_model(const std::vector<TextField>& fields) {
    for (const TextField& each : fields) {
      if (each.name == "meta_graphs") meta_graph(each);
    }
  }

  void graph(const std::vector<TextField>& fields) {
    graphs_.begin("graph");
    for (const TextField& each : fields) {
      if (each.name == "node") node(each);
    }
    graphs_.end();
    for (const TextField& library : fields) {
      if (library.name != "library") continue;
      for (const TextField& each : library.fields) {
        if (each.name == "function") function(each);
      }
    }
  }

 private:
  static std::string text(const TextField& of, std::string_view name) {
    for (const TextField& each : of.fields) {
      if (each.name == name) return each.value;
    }
    return {};
  }

  void meta_graph(const TextField& of) {
    for (const TextField& each : of.fields) {
      if (each.name == "graph_def") graph(each.fields);
      if (each.name == "asset_file_def") {
        model_.assets.push_back(text(each, "filename"));
      }
      if (each.name == "collection_def" || each.name == "signature_def") {
        const std::string key = text(each, "key");
        if (is_init_op(key)) model_.init_ops.push_back(key);
      }
    }
  }

  void function(const TextField& of) {
    ++model_.functions;
    std::string name;
    for (const TextField& each : of.fields) {
      if (each.name == "signature") name = text(each, "name");
    }
    graphs_.begin_function(name);
    for (const TextField& each : of.fields) {
      if (each.name == "node_def") node(each);
    }
    graphs_.end();
  }

  void node(const TextField& of) {
    TfNode node;
    node.name = text(of, "name");
    node.op = text(of, "op");
    node.offset = of.offset;
    for (const TextField& each : of.fields) {
      if (each.name == "input" && node.inputs.size() < TfGraphs::kMaxInputs) {
        node.inputs.push_back(each.value);
      }
      if (each.name == "attr") collect(each, node, 0);
    }
    graphs_.add(std::move(node));
  }

  /// attr { value { s: … | list { s: … } | tensor { string_val: … } } }
  static void collect(const TextField& of, TfNode& node, int depth) {
    if (depth > 4) return;
    for (const TextField& each : of.fields) {
      if ((each.name == "s" || each.name == "string_val") &&
          !each.value.empty() && node.texts.size() < TfGraphs::kMaxTexts) {
        node.texts.push_back(each.value);
      }
      if (each.name == "value" || each.name == "list" ||
          each.name == "tensor") {
        collect(each, node, depth + 1);
      }
    }
  }

  TfModel& model_;
  TfGraphs graphs_;
};

/// The text behind comments and blanks.
std::string_view first_word(std::string_view text) {
  while (true) {
    text = trim(text);
    if (!text.starts_with('#')) break;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end);
  }
  return text;
}

}  // namespace

TfKind recognise_tensorflow_text(const ByteSource& source) {
  Bytes head = source.head(0, kHead);
  std::string_view text = first_word(as_text(head));
  // Comments and blanks may be longer than any head, and an operator may stand
  // behind it; what is no text at all does not begin with such a word.
  const bool is_open = text.empty() || text.starts_with("node") ||
                       text.starts_with("library") ||
                       text.starts_with("versions");
  if (head.size() < source.size() && is_open) {
    head = source.head(0, kMaxTfText);
    text = first_word(as_text(head));
  }
  const auto begins = [&](std::string_view name) {
    if (!text.starts_with(name)) return false;
    const std::string_view rest = trim(text.substr(name.size()));
    return rest.starts_with(':') || rest.starts_with('{') ||
           rest.starts_with('<');
  };
  if (begins("saved_model_schema_version") || begins("meta_graphs")) {
    return TfKind::saved_model_text;
  }
  const bool has_op = text.find("op:") != std::string_view::npos ||
                      text.find("op :") != std::string_view::npos;
  return has_op && (begins("node") || begins("library") || begins("versions"))
             ? TfKind::graph_text
             : TfKind::none;
}

void read_tensorflow_text(const ByteSource& source, TfKind kind,
                          TfModel& model) {
  if (source.size() > kMaxTfText) {
    model.complete = false;
    model.problems.push_back({"savedmodel-too-large", Severity::medium, 0,
                              fmt::format("{} bytes of text; {} are read",
                                          source.size(), kMaxTfText)});
  }
  const Bytes bytes = source.head(0, kMaxTfText);
  TextReader reader(as_text(bytes));
  const std::vector<TextField> fields = reader.run();
  if (!reader.ok()) {
    model.complete = false;
    model.problems.push_back({"savedmodel-malformed", Severity::high,
                              reader.offset(),
                              "the text is no protobuf text from here on"});
  }
  TextWalk walk(model);
  if (kind == TfKind::saved_model_text) {
    walk.saved_model(fields);
  } else {
    walk.graph(fields);
  }
}

}  // namespace impound
