// SPDX-License-Identifier: Apache-2.0
#include "core/formats/hdf5/keras.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/formats/recognise.hpp"

namespace impound {
namespace {

/// More than a report lists: what is left out there is counted and said.
constexpr std::size_t kMaxFindings = 2000;
constexpr std::size_t kMaxEvidence = 4096;

/// Packages whose objects a Keras model may name.
constexpr std::array<std::string_view, 6> kPackages = {
    "keras", "tensorflow", "tf_keras", "keras_nlp", "keras_cv", "keras_hub"};

/// Functions of Keras itself that do more than compute (CVE-2025-8747 and the
/// like): named as the target of a Lambda or of any deserialised function.
constexpr auto kGadgets = std::to_array<std::string_view>(
    {"get_file", "load_model", "load_weights", "save_model", "save_weights",
     "run_cmd", "load_img", "save_img", "load_data", "load_library",
     "load_op_library", "read_file", "write_file", "matching_files",
     "py_function", "numpy_function", "open"});

/// Of Python's builtins, those that run or reach something.
constexpr auto kBuiltins = std::to_array<std::string_view>(
    {"eval", "exec", "compile", "open", "__import__", "getattr", "setattr",
     "delattr", "globals", "vars", "input", "breakpoint", "map", "filter"});

/// Layers that look words up in a table, which may be a file.
constexpr std::array<std::string_view, 4> kLookups = {
    "StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup"};

bool is_one_of(std::string_view text, std::span<const std::string_view> list) {
  return std::ranges::find(list, text) != list.end();
}

bool is_known_package(std::string_view module) {
  const std::string_view first = module.substr(0, module.find('.'));
  return is_one_of(first, kPackages);
}

bool is_address(std::string_view text) {
  const std::string lower = to_lower_ascii(text);
  return lower.starts_with("http://") || lower.starts_with("https://") ||
         lower.starts_with("ftp://") || lower.starts_with("file://") ||
         lower.starts_with("gs://") || lower.starts_with("s3://");
}

bool leaves_folder(std::string_view name) {
  return name == ".." || name.find("../") != std::string_view::npos ||
         name.find("..\\") != std::string_view::npos || name.ends_with("/..") ||
         name.starts_with('/') || name.find('\\') != std::string_view::npos;
}

class ConfigWalk {
 public:
  KerasReport run(const Json& json) {
    walk("", json, false);
    return std::move(report_);
  }

 private:
  void add(std::string_view rule, Severity severity, const std::string& path,
           std::string message, std::string evidence) {
    if (report_.findings.size() >= kMaxFindings) return;
    report_.findings.push_back(
        {.problem = {std::string(rule), severity, 0, std::move(message)},
         .path = path,
         .evidence =
             printable(std::string_view(evidence).substr(0, kMaxEvidence))});
  }

  /// @param is_config `json` is the "config" of an object: its "name" is the
  ///        name of a layer.
  void walk(const std::string& path, const Json& json, bool is_config) {
    if (json.is_array()) {
      for (std::size_t i = 0; i < json.size(); ++i) {
        walk(fmt::format("{}[{}]", path, i), json[i], false);
      }
      return;
    }
    if (json.is_string()) return text(path, json.get<std::string>());
    if (!json.is_object()) return;
    object(path, json);
    if (is_config) layer_name(path, json);
    for (const auto& [key, value] : json.items()) {
      if (key == "enable_unsafe_deserialization") {
        add("keras-unsafe-deserialization", Severity::critical, path,
            "turns safe mode off (CVE-2025-9906)", dump_line(json));
      }
      walk(path.empty() ? printable(key) : path + "." + printable(key), value,
           key == "config");
    }
  }

  void text(const std::string& path, const std::string& value) {
    // Safe mode is left by naming the function as an object to deserialise.
    if (value == "enable_unsafe_deserialization") {
      add("keras-unsafe-deserialization", Severity::critical, path,
          "names the function that turns safe mode off (CVE-2025-9906)", value);
    }
  }

  void object(const std::string& path, const Json& json) {
    const std::string name = text_or(json, "class_name", "");
    if (!name.empty()) ++report_.objects;
    class_name(path, json, name);
    module(path, json, name);
    registered_name(path, json);
    if (is_one_of(name, kLookups)) lookup(path, json);
  }

  void class_name(const std::string& path, const Json& json,
                  const std::string& name) {
    if (name == "__lambda__") {
      add("keras-lambda", Severity::critical, path,
          "compiled Python that runs when the model is loaded "
          "(CVE-2024-3660)",
          code_of(json));
    } else if (name == "Lambda") {
      lambda_layer(path, json);
    } else if (name == "TorchModuleWrapper") {
      add("keras-torch-module", Severity::critical, path,
          "a pickled PyTorch module, loaded without weights_only "
          "(CVE-2025-49655)",
          dump_line(json));
    } else if (name == "TFSMLayer") {
      add("keras-foreign-model", Severity::high, path,
          "loads a SavedModel from a path of the author's choosing",
          dump_line(json));
    } else if (name == "DiskIOStore") {
      add("keras-path", Severity::high, path,
          "an object that writes files (CVE-2026-12479)", dump_line(json));
    }
  }

  void lambda_layer(const std::string& path, const Json& json) {
    const auto config = json.find("config");
    const bool has_config = config != json.end() && config->is_object();
    const auto function = has_config ? config->find("function") : config;
    const bool has_function = has_config && function != config->end();
    // Old files hold [code, defaults, closure] or the name of a function.
    if (has_function && function->is_array() && !function->empty()) {
      add("keras-lambda", Severity::critical, path,
          "a Lambda layer with compiled Python, which .h5 files run whatever "
          "safe_mode says (CVE-2024-3660, CVE-2025-9905)",
          code_of(*config));
      return;
    }
    add("keras-lambda", Severity::high, path,
        "a Lambda layer: it calls a function that the file names",
        has_function ? dump_line(*function) : dump_line(json));
  }

  /// The code of a lambda, with the texts that can be read in it.
  static std::string code_of(const Json& json) {
    std::string code;
    find_code(json, code, 0);
    if (code.empty()) return dump_line(json);
    std::string packed;
    for (const char c : code) {
      if (c != '\n' && c != '\r' && c != ' ') packed.push_back(c);
    }
    Bytes bytes;
    try {
      bytes = from_base64(packed);
    } catch (const Error&) {
      return "code that is no base64: " + code;
    }
    std::string words;
    std::string run;
    const auto close = [&] {
      if (run.size() >= 3) words += (words.empty() ? "" : " · ") + run;
      run.clear();
    };
    for (const char c : as_text(bytes)) {
      if (c >= 0x20 && c < 0x7f) {
        run.push_back(c);
      } else {
        close();
      }
      if (words.size() > kMaxEvidence) break;
    }
    close();
    return fmt::format("{} bytes of compiled Python, with the texts: {}",
                       bytes.size(), words);
  }

  static void find_code(const Json& json, std::string& code, int depth) {
    if (!code.empty() || depth > 8) return;
    if (json.is_string()) return;
    for (const auto& [key, value] : json.items()) {
      const bool is_code = (json.is_object() && key == "code") ||
                           (json.is_array() && key == "0");
      if (is_code && value.is_string()) {
        code = value.get<std::string>();
        return;
      }
      if (value.is_structured()) find_code(value, code, depth + 1);
    }
  }

  void module(const std::string& path, const Json& json,
              const std::string& name) {
    for (const char* key : {"module", "fn_module"}) {
      const std::string module = text_or(json, key, "");
      if (module.empty()) continue;
      const bool is_object = json.contains("class_name") ||
                             json.contains("fn_name") ||
                             json.contains("config");
      if (!is_object) continue;
      const std::string target =
          module + "." +
          (name == "function" || name.empty() ? text_or(json, "config", name)
                                              : name);
      if (is_known_package(module)) continue;
      const std::string called = target.substr(target.rfind('.') + 1);
      if (module == "builtins" && is_plain_builtin(name) &&
          !is_one_of(called, kBuiltins)) {
        continue;
      }
      add("keras-module", Severity::high, path,
          "imports and calls what is no part of Keras (CVE-2025-1550)", target);
      if (!report_.findings.empty()) {
        report_.findings.back().module = module;
        report_.findings.back().name = called;
      }
    }
    gadget(path, json, name);
  }

  /// Values that Keras 3 writes as objects of the module builtins.
  static bool is_plain_builtin(std::string_view name) {
    static constexpr std::array<std::string_view, 10> kPlain = {
        "function", "str",   "int",  "float", "bool",
        "list",     "tuple", "dict", "set",   "slice"};
    return is_one_of(name, kPlain);
  }

  void gadget(const std::string& path, const Json& json,
              const std::string& name) {
    for (const std::string& called :
         {name, text_or(json, "config", ""), text_or(json, "fn_name", ""),
          text_or(json, "function", "")}) {
      const std::string_view last =
          std::string_view(called).substr(called.rfind('.') + 1);
      if (!is_one_of(last, kGadgets)) continue;
      add("keras-gadget", Severity::critical, path,
          fmt::format("calls {}, which reads, writes or fetches files "
                      "(CVE-2025-8747, CVE-2025-12638)",
                      printable(last)),
          dump_line(json));
      return;
    }
  }

  void registered_name(const std::string& path, const Json& json) {
    const std::string name = text_or(json, "registered_name", "");
    const std::size_t mark = name.find('>');
    if (mark == std::string::npos) return;
    const std::string_view package = std::string_view(name).substr(0, mark);
    if (is_known_package(package)) return;
    add("keras-custom-object", Severity::medium, path,
        "an object of the author's own, which loading needs code for", name);
  }

  void lookup(const std::string& path, const Json& json) {
    const auto config = json.find("config");
    if (config == json.end() || !config->is_object()) return;
    const std::string vocabulary = text_or(*config, "vocabulary", "");
    if (vocabulary.empty()) return;
    const bool leaves = is_address(vocabulary) || leaves_folder(vocabulary);
    add("keras-vocabulary-file", leaves ? Severity::high : Severity::medium,
        path,
        leaves ? "reads a vocabulary from a place of the author's choosing, "
                 "even in safe mode (CVE-2025-12058)"
               : "reads a vocabulary from a file (CVE-2025-12058)",
        vocabulary);
  }

  void layer_name(const std::string& path, const Json& json) {
    const std::string name = text_or(json, "name", "");
    if (!leaves_folder(name)) return;
    add("keras-path", Severity::high, path,
        "the name of a layer becomes a path that leaves its folder "
        "(CVE-2026-12479)",
        name);
  }

  KerasReport report_;
};

}  // namespace

bool is_keras_config(const Json& json) {
  return json.is_object() && json.contains("class_name") &&
         json.contains("config");
}

KerasReport walk_keras_config(const Json& json) {
  return ConfigWalk().run(json);
}

std::string_view why_keras_config(const FormatSubject& subject) {
  if (!begins_json(subject) || subject.source.size() > kMaxJsonText) return {};
  if (!json_mentions(subject, "class_name")) return {};
  const Bytes text = subject.source.head(0, subject.source.size());
  return is_keras_config(parse_config_json(as_text(text), subject.name))
             ? "JSON with the keys of a Keras configuration"
             : "";
}

}  // namespace impound
