// SPDX-License-Identifier: Apache-2.0
#include "core/trust/model_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/gguf/gguf.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/safetensors/safetensors.hpp"

namespace impound {
namespace {

/// A configuration file that is larger holds a vocabulary, not facts.
constexpr std::uint64_t kMaxConfig = 16 * limits::kMiB;

/// By content, as loaders and hostile files do it. A torch zip is a zip.
std::string_view format_of(const ByteSource& source) {
  const Bytes head = source.head(0, kFormatHead);
  const FormatSubject subject{.source = source, .head = head, .name = {}};
  const auto found = recognise_binary(subject);
  if (found.empty()) return {};
  const Format first = found.front().format;
  const Format kind = kind_of(first);
  return to_string(kind == Format::unknown ? first : kind);
}

class FactReader {
 public:
  explicit FactReader(const ModelView& view) : view_(view) {}

  [[nodiscard]] ModelFacts read() {
    read_locator();
    for (const ViewTensor& tensor : view_.tensors) {
      ++facts_.dtypes[std::string(to_string(tensor.dtype))];
      facts_.parameters += element_count(tensor.shape).value_or(0);
    }
    if (view_.tree == nullptr) return std::move(facts_);
    facts_.has_bytes = true;
    for (const ViewFile& file : view_.files) {
      if (file.kind != FileKind::regular || !file.failure.empty()) continue;
      try {
        read_file(file);
      } catch (const Error&) {
        // Not readable as what its name says: no fact. The view and the scan
        // report what is wrong with it.
      }
    }
    return std::move(facts_);
  }

 private:
  /// "…/models--<org>--<name>/…": how huggingface_hub names its folders.
  void read_locator() {
    constexpr std::string_view kMark = "models--";
    const std::string_view locator = view_.locator;
    const std::size_t at = locator.rfind(kMark);
    if (at == std::string_view::npos) return;
    std::string_view name = locator.substr(at + kMark.size());
    name = name.substr(0, name.find('/'));
    const std::size_t gap = name.find("--");
    facts_.repository =
        gap == std::string_view::npos
            ? std::string(name)
            : fmt::format("{}/{}", name.substr(0, gap), name.substr(gap + 2));
  }

  void read_file(const ViewFile& file) {
    const auto source = view_.open(file.path);
    const std::string_view format = format_of(*source);
    if (!format.empty()) facts_.formats.emplace(file.path, format);
    if (format == "gguf") return read_gguf_facts(file, *source);
    if (source->size() > kMaxConfig) return;
    const std::string_view name = base_name(file.path);
    if (name.ends_with(".jinja")) {
      add_template(file.path, as_text(source->head(0, source->size())));
    } else if (file.path == "config.json") {
      read_config(parse(*source, file));
    } else if (name == "tokenizer_config.json" ||
               name == "chat_template.json" ||
               name == "processor_config.json") {
      read_templates(parse(*source, file), file.path);
    }
  }

  static Json parse(const ByteSource& source, const ViewFile& file) {
    const Bytes bytes = source.head(0, source.size());
    return parse_json(as_text(bytes), file.path);
  }

  void read_config(const Json& config) {
    if (!config.is_object()) return;
    facts_.family = text_or(config, "model_type", facts_.family);
    const auto list = config.find("architectures");
    if (list != config.end() && list->is_array() && !list->empty() &&
        list->front().is_string()) {
      facts_.architecture = list->front().get<std::string>();
    }
  }

  /// A text, or a list of {"name", "template"}.
  void read_templates(const Json& config, const std::string& path) {
    if (!config.is_object()) return;
    const auto entry = config.find("chat_template");
    if (entry == config.end()) return;
    if (entry->is_string()) {
      add_template(path, entry->get_ref<const std::string&>());
    }
    if (!entry->is_array()) return;
    for (const Json& one : *entry) {
      if (!one.is_object()) continue;
      const std::string text = text_or(one, "template", "");
      if (!text.empty()) {
        add_template(path + ": " + text_or(one, "name", ""), text);
      }
    }
  }

  void read_gguf_facts(const ViewFile& file, const ByteSource& source) {
    const GgufFile gguf = read_gguf(source);
    const std::string family = gguf.text("general.architecture").value_or("");
    if (facts_.family.empty()) facts_.family = family;
    if (facts_.architecture.empty()) facts_.architecture = family;
    for (const GgufTemplate& each : gguf_templates(gguf)) {
      add_template(file.path + ": " + each.key, each.text);
    }
  }

  void add_template(std::string where, std::string_view text) {
    facts_.templates.push_back({std::move(where), sha256(text)});
  }

  const ModelView& view_;
  ModelFacts facts_;
};

/// A file name as sha256sum of coreutils 9 writes it.
std::string checksum_name(std::string_view path, bool& is_escaped) {
  std::string text;
  for (const char c : path) {
    switch (c) {
      case '\\':
        text += "\\\\";
        is_escaped = true;
        break;
      case '\n':
        text += "\\n";
        is_escaped = true;
        break;
      case '\r':
        text += "\\r";
        is_escaped = true;
        break;
      default:
        text += c;
    }
  }
  return text;
}

}  // namespace

ModelFacts read_model_facts(const ModelView& view) {
  return FactReader(view).read();
}

std::optional<Digest> folder_digest(const ModelView& view) {
  Sha256 hash;
  for (const ViewFile& file : view.files) {
    if (file.kind != FileKind::regular) continue;
    if (!file.sha256) return std::nullopt;
    bool is_escaped = false;
    const std::string name = checksum_name(file.path, is_escaped);
    hash.update(as_bytes(fmt::format("{}{}  {}\n", is_escaped ? "\\" : "",
                                     file.sha256->hex(), name)));
  }
  return hash.finish();
}

std::optional<Digest> tensor_list_digest(const ModelView& view) {
  if (view.tensors.empty()) return std::nullopt;
  Sha256 hash;
  for (const ViewTensor& tensor : view.tensors) {
    if (!tensor.sha256) return std::nullopt;
    hash.update(as_bytes(fmt::format(
        "{}  {} {} {}\n", tensor.sha256->hex(), to_string(tensor.dtype),
        shape_text(tensor.shape), lossless_utf8(tensor.name))));
  }
  return hash.finish();
}

}  // namespace impound
