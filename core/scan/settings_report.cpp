// SPDX-License-Identifier: Apache-2.0
#include "core/scan/settings_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/formats/packed/zip_inflate.hpp"
#include "core/formats/settings/png_texts.hpp"
#include "core/formats/settings/yaml_settings.hpp"
#include "core/scan/pickle_lists.hpp"
#include "core/scan/sentencepiece_report.hpp"
#include "core/scan/settings_table.hpp"
#include "core/scan/template_report.hpp"

namespace impound {
namespace {

/// One setting of a document, whatever its syntax.
struct Setting {
  std::string path;
  std::string key;     ///< "" in a list: then `parent` is the list's key
  std::string parent;  ///< the key of what holds it
  std::string value;   ///< of a text, or as JSON writes it
  std::uint64_t offset = 0;
  bool is_alias = false;  ///< of a list or a mapping that stands elsewhere
};

/// Texts of JSON files that are read for their settings.
constexpr std::uint64_t kMaxSettings = 64 * limits::kMiB;
constexpr std::size_t kMaxEvidence = 1024;

std::string shown(std::string_view value) {
  return printable(value.substr(0, kMaxEvidence));
}

bool is_true(std::string_view value) {
  const std::string word = to_lower_ascii(trim(value));
  return word == "true" || word == "yes" || word == "on" || word == "1";
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c == '_' || c == '.' || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

/// A path that leaves the folder it is in: absolute, a drive, an address, "..".
bool leaves_folder(std::string_view path) {
  if (path.starts_with('/') || path.starts_with('\\') ||
      path.starts_with('~') || path.find("://") != path.npos ||
      (path.size() > 1 && path[1] == ':')) {
    return true;
  }
  std::string plain(path);
  std::ranges::replace(plain, '\\', '/');
  const std::vector<std::string> parts = split(plain, '/');
  return std::ranges::find(parts, "..") != parts.end();
}

bool is_address(std::string_view value) {
  return value.find("://") != value.npos || value.starts_with("hf.co/") ||
         value.starts_with("huggingface.co/") || value.starts_with('/') ||
         value.starts_with('~') || value.find("..") != value.npos;
}

/// Libraries whose objects configurations of models name. What of them runs
/// code, loads files or reaches further is on the deny-lists.
bool is_model_library(std::string_view name) {
  static constexpr std::array<std::string_view, 14> kKnown = {
      "nemo.",
      "torch.nn.",
      "torch.optim.",
      "pytorch_lightning.",
      "lightning.",
      "torchmetrics.",
      "torchvision.",
      "torchaudio.",
      "transformers.",
      "diffusers.",
      "timm.",
      "monai.",
      "sentence_transformers.",
      "megatron."};
  return std::ranges::any_of(
      kKnown, [&](std::string_view known) { return name.starts_with(known); });
}

/// The harm of a dotted name, whatever part of it is the module.
std::optional<Harm> harm_of_path(std::string_view path) {
  std::size_t dot = path.rfind('.');
  while (dot != std::string_view::npos) {
    if (const auto harm = harm_of(path.substr(0, dot), path.substr(dot + 1))) {
      return harm;
    }
    if (dot == 0) break;
    dot = path.rfind('.', dot - 1);
  }
  return harm_of("", path);
}

class SettingsReport {
 public:
  SettingsReport(ScanContext& context, std::string_view name)
      : context_(context) {
    for (const SettingRow& row : setting_rows()) {
      if (row.judge != SettingJudge::elsewhere && is_setting_file(row, name)) {
        rows_.push_back(&row);
      }
    }
  }

  void look_at(const Setting& setting) {
    for (const SettingRow* row : rows_) {
      if (is_of(*row, setting)) judge(*row, setting);
    }
  }

  void say(std::string_view rule, Severity severity, const Setting& setting,
           std::string message) {
    if (++said_ > kMaxSaid) {
      if (said_ == kMaxSaid + 1) {
        context_.unread(setting.offset,
                        "more findings in settings than are "
                        "listed");
      }
      return;
    }
    context_.report(
        rule, severity,
        ScanPlace(printable(setting.path.substr(0, 512)), setting.offset),
        std::move(message), shown(setting.value));
  }

 private:
  static bool is_of(const SettingRow& row, const Setting& setting) {
    if (row.key == "@") return setting.key.starts_with('@');
    if (row.key.ends_with("/*")) {
      return setting.parent == row.key.substr(0, row.key.size() - 2);
    }
    if (row.judge == SettingJudge::evaluated) {
      // Layers are lists of lists below the key.
      const std::string_view path = setting.path;
      return path == row.key ||
             (path.starts_with(row.key) && path.size() > row.key.size() &&
              path[row.key.size()] == '[');
    }
    return setting.key == row.key ||
           (setting.key.empty() && setting.parent == row.key);
  }

  void judge(const SettingRow& row, const Setting& setting) {
    const std::string_view value = setting.value;
    if (setting.is_alias && row.judge == SettingJudge::evaluated) {
      say(row.rule, Severity::medium, setting,
          fmt::format("{} {}, here through an alias that is not followed",
                      row.library, row.does));
      return;
    }
    if (trim(value).empty() || value == "null" || value == "~") return;
    const auto found = [&](Severity severity, std::string_view what) {
      say(row.rule, severity, setting,
          fmt::format("{} {}: {}{}", row.library, to_string(row.effect),
                      row.does, what));
    };
    switch (row.judge) {
      case SettingJudge::elsewhere:
        return;
      case SettingJudge::python_name:
      case SettingJudge::library_type:
        judge_name(row, setting);
        return;
      case SettingJudge::python_file:
        found(Severity::high, "");
        return;
      case SettingJudge::evaluated:
        if (is_code(value)) found(Severity::high, "");
        return;
      case SettingJudge::script:
        if (value.starts_with("http") && value.find('\n') == value.npos) {
          found(Severity::low, ", here from an address");
        } else {
          found(Severity::high, "");
        }
        return;
      case SettingJudge::is_true:
        if (is_true(value)) found(Severity::high, "");
        return;
      case SettingJudge::any_value:
        found(row.effect == SettingEffect::fetches && row.rule == "setting-hub"
                  ? Severity::info
                  : Severity::medium,
              "");
        return;
      case SettingJudge::address:
        if (is_address(value)) found(Severity::medium, "");
        return;
      case SettingJudge::outside:
        if (leaves_folder(value)) {
          found(Severity::high, ", and it leaves the folder");
        }
        return;
      case SettingJudge::chat_template:
        if (value.find("{{") != value.npos || value.find("{%") != value.npos) {
          report_chat_template(context_, printable(setting.path),
                               setting.offset, false, value);
        }
        return;
      case SettingJudge::registry:
        judge_registry(row, setting);
        return;
      case SettingJudge::node:
        if (is_code_node(value)) found(Severity::medium, "");
        return;
    }
  }

  void judge_name(const SettingRow& row, const Setting& setting) {
    const std::string_view value = trim(setting.value);
    if (const auto harm = harm_of_path(value)) {
      say(row.rule, Severity::critical, setting,
          fmt::format("{} imports and calls {}, which {}", row.library,
                      printable(value.substr(0, 200)), to_string(*harm)));
      return;
    }
    const bool is_own =
        row.judge == SettingJudge::library_type
            ? value.starts_with(to_lower_ascii(row.library) + ".") ||
                  value == to_lower_ascii(row.library)
            : is_model_library(value);
    if (is_own && is_word(value)) {
      if (row.judge == SettingJudge::python_name) {
        say(row.rule, Severity::info, setting,
            fmt::format("{} {}", row.library, row.does));
      }
      return;
    }
    say(row.rule, Severity::medium, setting,
        fmt::format("{} {}, and it is none of a known library", row.library,
                    row.does));
  }

  /// Words and calls of torch.nn are what honest settings hold.
  static bool is_code(std::string_view value) {
    if (value.find('(') == value.npos && value.find("__") == value.npos &&
        value.find("lambda") == value.npos) {
      return false;
    }
    std::string_view text = trim(value);
    if (text.starts_with("torch.")) text.remove_prefix(6);
    const std::size_t open = text.find('(');
    if (!text.starts_with("nn.") || !text.ends_with(')') || open == text.npos) {
      return true;
    }
    const std::string_view inside =
        text.substr(open + 1, text.size() - open - 2);
    return !is_word(text.substr(0, open)) || text.find("__") != text.npos ||
           inside.find_first_not_of(
               "0123456789abcdefghijklmnopqrstuvwxyz"
               "ABCDEFGHIJKLMNOPQRSTUVWXYZ_=,. -") != inside.npos;
  }

  void judge_registry(const SettingRow& row, const Setting& setting) {
    std::string_view value = trim(setting.value);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    static constexpr std::array<std::string_view, 7> kOwn = {
        "spacy.",   "spacy-", "thinc.", "Adam.v1",
        "RAdam.v1", "SGD.v1", "srsly."};
    const bool is_layer =
        std::ranges::find(kThincLayers, value) != kThincLayers.end();
    const bool is_own = std::ranges::any_of(
        kOwn, [&](std::string_view own) { return value.starts_with(own); });
    if (is_own || is_layer || !setting.value.starts_with('"')) return;
    say(row.rule, Severity::medium, setting,
        fmt::format("{} {}, and it is none of spaCy's own", row.library,
                    row.does));
  }

  static constexpr std::array<std::string_view, 12> kThincLayers = {
      "warmup_linear.v1", "compounding.v1", "constant.v1",
      "Softmax.v1",       "Linear.v1",      "Relu.v1",
      "Maxout.v1",        "chain.v1",       "reduce_mean.v1",
      "constant_then.v1", "decaying.v1",    "slanted_triangular.v1"};

  static bool is_code_node(std::string_view type) {
    static constexpr std::array<std::string_view, 8> kSigns = {
        "python",   "exec",       "eval",   "shell",
        "terminal", "subprocess", "script", "command"};
    const std::string lower = to_lower_ascii(type);
    return std::ranges::any_of(kSigns, [&](std::string_view sign) {
      return lower.find(sign) != lower.npos;
    });
  }

  static constexpr std::size_t kMaxSaid = 200;

  ScanContext& context_;
  std::vector<const SettingRow*> rows_;
  std::size_t said_ = 0;
};

// JSON ----------------------------------------------------------------------

void walk_json(SettingsReport& report, const std::string& path,
               const std::string& key, const std::string& parent,
               const Json& json) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      walk_json(report, path.empty() ? name : path + "." + name, name, key,
                value);
    }
    return;
  }
  if (json.is_array()) {
    std::size_t index = 0;
    for (const Json& each : json) {
      walk_json(report, fmt::format("{}[{}]", path, index++), "",
                key.empty() ? parent : key, each);
    }
    return;
  }
  Setting setting;
  setting.path = path;
  setting.key = key;
  setting.parent = parent;
  setting.value = json.is_string() ? json.get<std::string>() : dump_line(json);
  report.look_at(setting);
}

/// model_index.json: {"unet": ["diffusers", "UNet2DConditionModel"]}.
void report_model_index(SettingsReport& report, const Json& json) {
  static constexpr std::array<std::string_view, 12> kLibraries = {
      "diffusers",        "transformers", "onnxruntime", "flax",
      "stable_diffusion", "optimum",      "k_diffusion", "torch",
      "sentencepiece",    "tokenizers",   "timm",        "null"};
  if (!json.is_object()) return;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_array() || value.size() != 2 || !value[0].is_string()) {
      continue;
    }
    const auto library = value[0].get<std::string>();
    const std::string root = library.substr(0, library.find('.'));
    if (std::ranges::find(kLibraries, root) != kLibraries.end()) continue;
    Setting setting;
    setting.path = name;
    setting.value = dump_line(value);
    report.say(
        "setting-code",
        harm_of_path(library + "." +
                     (value[1].is_string() ? value[1].get<std::string>() : ""))
            ? Severity::critical
            : Severity::medium,
        setting,
        fmt::format("Diffusers imports {}.py of the folder, or of a "
                    "pipeline, for this part",
                    printable(library.substr(0, 200))));
  }
}

/// schema.json of skops: {"__module__": …, "__class__": …, "content": …}.
void walk_skops(SettingsReport& report, const std::string& path,
                const Json& json) {
  if (json.is_array()) {
    std::size_t index = 0;
    for (const Json& each : json) {
      walk_skops(report, fmt::format("{}[{}]", path, index++), each);
    }
    return;
  }
  if (!json.is_object()) return;
  const std::string module = text_or(json, "__module__", "");
  const std::string name = text_or(json, "__class__", "");
  const auto judge = [&](const std::string& of_module,
                         const std::string& of_name) {
    if (of_module.empty() && of_name.empty()) return;
    const GlobalJudgement judgement = judge_global(of_module, of_name);
    if (judgement.verdict <= GlobalClass::allowed ||
        judgement.rule == kGuardedRule) {
      return;
    }
    Setting setting;
    setting.path = path;
    setting.value = of_module + "." + of_name;
    const bool is_harm = judgement.verdict == GlobalClass::dangerous;
    report.say("setting-type", is_harm ? Severity::critical : Severity::medium,
               setting,
               fmt::format("skops makes an object of {}{}",
                           printable(setting.value.substr(0, 200)),
                           is_harm ? ", which does harm when it is called"
                                   : ", which is on no list"));
  };
  judge(module, name);
  // FunctionNode: {"content": {"module_path": …, "function": …}}
  const auto content = json.find("content");
  if (content != json.end() && content->is_object()) {
    judge(text_or(*content, "module_path", ""),
          text_or(*content, "function", ""));
  }
  for (const auto& [key, value] : json.items()) {
    if (value.is_structured()) {
      walk_skops(report, path.empty() ? key : path + "." + key, value);
    }
  }
}

/// A workflow as ComfyUI's window saves it: nodes with a type, which the server
/// is given as class_type.
void report_workflow(SettingsReport& report, const Json& json) {
  if (!json.is_object() || !json.contains("last_node_id")) return;
  const auto nodes = json.find("nodes");
  if (nodes == json.end() || !nodes->is_array()) return;
  std::size_t index = 0;
  for (const Json& node : *nodes) {
    Setting setting;
    setting.path = fmt::format("nodes[{}].type", index++);
    setting.key = "class_type";
    if (node.is_object()) setting.value = text_or(node, "type", "");
    report.look_at(setting);
  }
}

void report_json(ScanContext& context, SettingsReport& report,
                 const Subject& subject) {
  const std::string_view name = subject.name;
  const bool is_skops = name == "schema.json";
  const bool is_index = name == "model_index.json";
  if (!begins_json(subject) && !trim(as_text(subject.head)).starts_with('[')) {
    return;
  }
  // Any other JSON is read only where it mentions a key of the table.
  if (name != "modules.json" && name != "config.json" && !is_skops &&
      !is_index && !name.ends_with(".index.json") &&
      name != "generation_config.json" &&
      !json_mentions(subject, "class_type") &&
      !json_mentions(subject, "last_node_id") &&
      !json_mentions(subject, "_target_") &&
      !json_mentions(subject, "class_path")) {
    return;
  }
  if (subject.source.size() > kMaxSettings) {
    context.unread(0, "settings of more than 64 MiB");
    return;
  }
  const Bytes text = subject.source.head(0, subject.source.size());
  const Json json = parse_config_json(as_text(text), subject.name);
  walk_json(report, "", "", "", json);
  report_workflow(report, json);
  if (is_index) report_model_index(report, json);
  if (is_skops && json.is_object() && json.contains("__loader__")) {
    walk_skops(report, "", json);
  }
}

// YAML ----------------------------------------------------------------------

/// "a.b[2].c" → "c"; "a.b[2]" → "".
std::string last_key(const std::string& path) {
  if (path.ends_with(']')) return "";
  return path.substr(path.rfind('.') + 1);
}

/// "a.b[2]" → "b"; "a.b.c" → "b".
std::string parent_key(std::string path) {
  if (!path.ends_with(']')) {
    const std::size_t dot = path.rfind('.');
    path = dot == std::string::npos ? "" : path.substr(0, dot);
  }
  while (path.ends_with(']')) path = path.substr(0, path.rfind('['));
  return path.substr(path.rfind('.') + 1);
}

/// Tags that an unsafe loader of PyYAML calls, and those that are plain values.
void report_tag(SettingsReport& report, const YamlSetting& from,
                const Setting& setting) {
  std::string_view tag = from.tag;
  for (const std::string_view prefix : {"tag:yaml.org,2002:", "!!", "!"}) {
    if (tag.starts_with(prefix)) {
      tag.remove_prefix(prefix.size());
      break;
    }
  }
  if (!tag.starts_with("python/")) return;
  tag.remove_prefix(std::string_view("python/").size());
  static constexpr std::array<std::string_view, 10> kPlain = {
      "none", "bool",  "str",     "unicode", "int",
      "long", "float", "complex", "list",    "tuple"};
  if (std::ranges::find(kPlain, tag) != kPlain.end() || tag == "dict" ||
      tag == "bytes") {
    return;
  }
  const std::string_view target = tag.substr(tag.find(':') + 1);
  const auto harm = harm_of_path(target);
  Setting found = setting;
  found.value = from.tag + (from.value.empty() ? "" : " " + from.value);
  report.say("setting-yaml-tag", harm ? Severity::critical : Severity::medium,
             found,
             fmt::format("a loader that is not safe imports or calls {}{}",
                         printable(target.substr(0, 200)),
                         harm ? ", which " + std::string(to_string(*harm))
                              : std::string()));
}

void report_yaml(ScanContext& context, SettingsReport& report,
                 const Subject& subject) {
  const Bytes text = subject.source.head(0, kMaxYaml + 1);
  const YamlSettings yaml = read_yaml(as_text(text));
  for (const YamlSetting& each : yaml.settings) {
    Setting setting;
    setting.path = each.path;
    setting.key = each.key.empty() ? last_key(each.path) : each.key;
    setting.parent = parent_key(each.path);
    setting.value = each.value;
    setting.offset = each.offset;
    setting.is_alias = each.tag == kYamlAlias;
    if (each.tag.size() > 1) report_tag(report, each, setting);
    if (each.is_scalar) report.look_at(setting);
  }
  if (!yaml.problem.empty()) {
    context.unread(yaml.problem_offset,
                   fmt::format("YAML: {}", printable(yaml.problem)));
  }
}

// Lines ---------------------------------------------------------------------

/// config.cfg of spaCy: [section] and key = value; Modelfile: WORD value.
void report_lines(SettingsReport& report, const Subject& subject,
                  bool has_sections) {
  const Bytes bytes = subject.source.head(0, kMaxYaml);
  std::string section;
  std::uint64_t offset = 0;
  for (const std::string& raw : split(as_text(bytes), '\n')) {
    const std::string_view line = trim(raw);
    Setting setting;
    setting.offset = offset;
    offset += raw.size() + 1;
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) {
      continue;
    }
    if (has_sections && line.starts_with('[')) {
      section = std::string(trim(line.substr(1, line.find(']') - 1)));
      continue;
    }
    const std::size_t cut =
        has_sections ? line.find('=') : line.find_first_of(" \t");
    if (cut == std::string_view::npos) continue;
    setting.key = std::string(trim(line.substr(0, cut)));
    if (!has_sections) {
      std::ranges::transform(setting.key, setting.key.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      });
    }
    setting.value = std::string(trim(line.substr(cut + 1)));
    setting.path = section.empty() ? setting.key : section + "." + setting.key;
    setting.parent = section.substr(section.rfind('.') + 1);
    report.look_at(setting);
  }
}

/// A .pth of Python's own: each line is a path, or an import that is run.
void report_path_file(SettingsReport& report, const Subject& subject) {
  const std::string_view head = as_text(subject.head);
  if (head.find('\0') != std::string_view::npos) return;
  std::uint64_t offset = 0;
  for (const std::string& line : split(head, '\n')) {
    if (line.starts_with("import ") || line.starts_with("import\t")) {
      Setting setting;
      setting.path = "import";
      setting.value = line;
      setting.offset = offset;
      report.say("setting-code", Severity::high, setting,
                 "Python runs the line at every start, in a folder of "
                 "packages");
    }
    offset += line.size() + 1;
  }
}

void report_triton(SettingsReport& report, const Subject& subject) {
  const std::string_view head = as_text(subject.head);
  const std::size_t at = head.find("backend:");
  if (at == std::string_view::npos) return;
  const std::string_view line = head.substr(at, head.find('\n', at) - at);
  if (line.find("\"python\"") == std::string_view::npos) return;
  Setting setting;
  setting.path = "backend";
  setting.value = std::string(line);
  setting.offset = at;
  report.say("setting-code", Severity::medium, setting,
             "Triton runs model.py of the folder");
}

/// The front matter of a model or dataset card. Nothing of it is code; what it
/// says of the repository is worth knowing.
void report_card(SettingsReport& report, const Subject& subject) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 20U;
  const Bytes bytes = subject.source.head(0, kMost);
  const std::string_view text = as_text(bytes);
  constexpr std::string_view kFence = "---";
  if (!text.starts_with(kFence)) return;
  const std::size_t end = text.find("\n---", kFence.size());
  if (end == std::string_view::npos) return;
  const YamlSettings yaml =
      read_yaml(text.substr(kFence.size(), end - kFence.size()));
  for (const YamlSetting& each : yaml.settings) {
    Setting setting;
    setting.path = each.path;
    setting.key = each.key.empty() ? last_key(each.path) : each.key;
    setting.parent = parent_key(each.path);
    setting.value = each.value;
    setting.offset = kFence.size() + each.offset;
    if (each.tag.size() > 1) report_tag(report, each, setting);
    if (!each.is_scalar) continue;
    report.look_at(setting);
    if (setting.parent == "tags" && setting.value == "custom_code") {
      report.say("hf-trust-remote-code", Severity::low, setting,
                 "the card says that loading runs code of the repository");
    }
  }
}

/// ComfyUI writes the workflow that made a picture into it, and loads it from
/// there when the picture is dropped on its window.
void report_png(ScanContext& context, const Subject& subject) {
  for (const PngText& text : read_png_texts(subject.source)) {
    // A name that promises nothing, whatever the keyword is.
    const std::string name = "png-" + printable(text.keyword) + ".json";
    if (!text.is_packed) {
      const SubSource plain(subject.source, text.offset, text.size);
      context.scan_member(name, text.offset, plain, MemberBytes::in_file);
      continue;
    }
    const InflateSource content(subject.source, text.offset, text.size,
                                DeflateWrapping::zlib, context.budget());
    if (!context.spend(content.outcome().unpacked)) return;
    if (!content.outcome().has_ended) {
      context.unread(text.offset,
                     fmt::format("{}: {}", name, content.outcome().problem));
    }
    context.scan_member(name, text.offset, content, MemberBytes::unpacked);
  }
}

}  // namespace

void report_settings(ScanContext& context, const Subject& subject) {
  const std::string_view name = subject.name;
  SettingsReport report(context, name);
  if (name.ends_with(".yaml") || name.ends_with(".yml") || name == "MLmodel") {
    report_yaml(context, report, subject);
  } else if (name.ends_with(".json")) {
    report_json(context, report, subject);
  } else if (name == "config.cfg") {
    report_lines(report, subject, true);
  } else if (name == "Modelfile" || name.ends_with(".modelfile")) {
    report_lines(report, subject, false);
  } else if (name.ends_with(".pth")) {
    report_path_file(report, subject);
  } else if (name == "config.pbtxt") {
    report_triton(report, subject);
  } else if (name.ends_with(".model") || name.ends_with(".spm")) {
    report_sentencepiece(context, subject);
  } else if (name == "README.md") {
    report_card(report, subject);
  } else if (is_png(subject.head)) {
    report_png(context, subject);
  }
}

}  // namespace impound
