// SPDX-License-Identifier: Apache-2.0
#include "core/scan/settings_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/text.hpp"

namespace impound {
namespace {

using enum SettingEffect;
using Judge = SettingJudge;

constexpr std::array kRows{
    // Transformers
    SettingRow{"Transformers", "*config.json", "auto_map", runs,
               Judge::elsewhere, "hf-auto-map",
               "imports a module of the folder (trust_remote_code)"},
    SettingRow{"Transformers", "*config.json", "auto_map", fetches,
               Judge::elsewhere, "hf-foreign-code",
               "owner/repo--module: imports a module of another repository"},
    SettingRow{"Transformers", "*.json", "trust_remote_code", runs,
               Judge::elsewhere, "hf-trust-remote-code",
               "lets code of the repository run without asking"},
    SettingRow{"Transformers", "config.json", "custom_pipelines", runs,
               Judge::elsewhere, "hf-custom-pipeline",
               "imports a pipeline of the repository"},
    SettingRow{"Transformers", "*config.json", "attn_implementation", fetches,
               Judge::elsewhere, "hf-hub-kernel",
               "loads a native library of another repository"},
    SettingRow{"Transformers", "generation_config.json", "custom_generate",
               fetches, Judge::any_value, "setting-code",
               "imports custom_generate/generate.py of a repository"},
    SettingRow{"Transformers", "generation_config.json", "eos_token_id",
               rewrites, Judge::elsewhere, "hf-generation-no-end",
               "ends an answer, or never does"},
    SettingRow{"Transformers", "generation_config.json", "forced_decoder_ids",
               rewrites, Judge::elsewhere, "hf-generation-forced",
               "puts words into every answer"},
    SettingRow{"Transformers", "*.index.json", "weight_map/*", redirects,
               Judge::outside, "setting-outside",
               "opens the file of each tensor by this name"},
    SettingRow{"Transformers", "tokenizer.json", "normalizer", rewrites,
               Judge::elsewhere, "tokenizer-rewrite",
               "replaces parts of what the user wrote"},
    SettingRow{"Transformers", "tokenizer.json", "decoder", rewrites,
               Judge::elsewhere, "tokenizer-rewrite",
               "replaces parts of what the model said"},
    SettingRow{"Transformers", "tokenizer_config.json", "chat_template",
               rewrites, Judge::elsewhere, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"PEFT", "adapter_config.json", "base_model_name_or_path",
               redirects, Judge::elsewhere, "hf-adapter-base",
               "loads the base model from there"},
    SettingRow{"PEFT", "adapter_config.json", "auto_mapping", runs,
               Judge::elsewhere, "hf-adapter-code",
               "imports the library that it names"},
    // MLX
    SettingRow{"MLX", "config.json", "model_file", runs, Judge::python_file,
               "setting-code",
               "imports this file of the folder, without asking"},
    // Diffusers
    SettingRow{"Diffusers", "model_index.json", "*", runs, Judge::elsewhere,
               "setting-code",
               "[module, class]: imports module.py of the folder where it is "
               "no library"},
    // sentence-transformers
    SettingRow{"sentence_transformers", "modules.json", "type", runs,
               Judge::library_type, "setting-code",
               "imports the class and makes an object of it"},
    SettingRow{"sentence_transformers", "modules.json", "path", redirects,
               Judge::outside, "setting-outside",
               "loads the module from this folder"},
    SettingRow{"sentence_transformers",
               "config_sentence_transformers.json sentence_bert_config.json",
               "auto_map", runs, Judge::elsewhere, "hf-auto-map",
               "imports a module of the folder (trust_remote_code)"},
    // NeMo, Hydra, Lightning
    SettingRow{"NeMo, Hydra", "*.yaml *.yml *.json", "_target_", runs,
               Judge::python_name, "hf-hydra-target",
               "imports the object and calls it (CVE-2025-23304)"},
    SettingRow{"NeMo, Hydra", "*.yaml *.yml", "_partial_", runs,
               Judge::elsewhere, "hf-hydra-target",
               "binds the arguments of _target_"},
    SettingRow{"Lightning", "*.yaml *.yml *.json", "class_path", runs,
               Judge::python_name, "hf-hydra-target",
               "imports the class and makes an object of it"},
    SettingRow{"PyYAML", "*.yaml *.yml MLmodel", "!!python/…", runs,
               Judge::elsewhere, "setting-yaml-tag",
               "yaml.load with an unsafe loader calls what the tag names"},
    SettingRow{"any", "*.yaml *.yml", "trust_remote_code", runs, Judge::is_true,
               "hf-trust-remote-code",
               "lets code of the repository run without asking"},
    SettingRow{"any", "*.yaml *.yml", "chat_template", rewrites,
               Judge::chat_template, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"any", "*.yaml *.yml", "prompt_template", rewrites,
               Judge::chat_template, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"any", "*.yaml *.yml", "template", rewrites,
               Judge::chat_template, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"any", "*.yaml *.yml", "system_template", rewrites,
               Judge::chat_template, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"any", "*.yaml *.yml", "instruction_template", rewrites,
               Judge::chat_template, "template-content-trigger",
               "renders every conversation"},
    // Ultralytics
    SettingRow{"Ultralytics", "*.yaml *.yml", "activation", runs,
               Judge::evaluated, "setting-evaluated",
               "eval() of the text makes the activation"},
    SettingRow{"Ultralytics", "*.yaml *.yml", "backbone", runs,
               Judge::evaluated, "setting-evaluated",
               "eval() of the arguments of each layer"},
    SettingRow{"Ultralytics", "*.yaml *.yml", "head", runs, Judge::evaluated,
               "setting-evaluated", "eval() of the arguments of each layer"},
    SettingRow{"Ultralytics", "*.yaml *.yml", "download", runs, Judge::script,
               "setting-code",
               "exec() of the text, or a shell, where the data are missing"},
    // MLflow
    SettingRow{"MLflow", "MLmodel", "loader_module", runs, Judge::library_type,
               "setting-code", "imports the module and calls its loader"},
    SettingRow{"MLflow", "MLmodel", "code", runs, Judge::any_value,
               "setting-code", "puts this folder before all modules"},
    SettingRow{"MLflow", "MLmodel", "python_model", runs, Judge::any_value,
               "setting-code", "unpickles this file with cloudpickle"},
    // spaCy
    SettingRow{"spaCy", "config.cfg", "@", runs, Judge::registry,
               "setting-registry",
               "calls the function that is registered under this name"},
    SettingRow{"spaCy", "config.cfg", "before_init", runs, Judge::registry,
               "setting-registry", "calls it before the model is made"},
    SettingRow{"spaCy", "config.cfg", "before_creation", runs, Judge::registry,
               "setting-registry", "calls it before the model is made"},
    SettingRow{"spaCy", "config.cfg", "vectors", redirects, Judge::address,
               "setting-address", "loads vectors from there"},
    // Ollama
    SettingRow{"Ollama", "Modelfile *.modelfile", "FROM", redirects,
               Judge::address, "setting-address", "takes the model from there"},
    SettingRow{"Ollama", "Modelfile *.modelfile", "ADAPTER", redirects,
               Judge::address, "setting-address",
               "takes an adapter from there"},
    // Triton
    SettingRow{"Triton", "config.pbtxt", "backend", runs, Judge::elsewhere,
               "setting-code", "\"python\": runs model.py of the folder"},
    // skops, joblib
    SettingRow{"skops", "schema.json", "__module__", runs, Judge::elsewhere,
               "setting-type",
               "imports the type; load() asks for trusted ones"},
    SettingRow{"joblib", "*.joblib *.pkl", "(pickle)", runs, Judge::elsewhere,
               "pickle-unknown-import", "imports and calls whatever is named"},
    // Keras, HDF5
    SettingRow{"Keras", "config.json", "class_name", runs, Judge::elsewhere,
               "keras-lambda", "Lambda: runs the bytecode that it holds"},
    SettingRow{"PyTables", "*.h5 *.hdf5", "(attributes)", runs,
               Judge::elsewhere, "hdf5-pickle",
               "unpickles attributes when a node is opened"},
    SettingRow{"HDF5", "*.h5 *.hdf5", "(external links)", redirects,
               Judge::elsewhere, "hdf5-external",
               "opens the other file in its place"},
    // llama.cpp, timm
    SettingRow{"llama.cpp", "*.gguf", "tokenizer.chat_template", rewrites,
               Judge::elsewhere, "template-content-trigger",
               "renders every conversation"},
    SettingRow{"timm", "config.json", "hf_hub_id", fetches, Judge::any_value,
               "setting-hub", "fetches the weights of that repository"},
    // SentencePiece
    SettingRow{"SentencePiece", "*.model *.spm", "normalizer_spec", rewrites,
               Judge::elsewhere, "tokenizer-rewrite",
               "replaces parts of what the user wrote, by a compiled table"},
    SettingRow{"SentencePiece", "*.model *.spm", "denormalizer_spec", rewrites,
               Judge::elsewhere, "tokenizer-rewrite",
               "replaces parts of what the model said, by a compiled table"},
    SettingRow{"SentencePiece", "*.model *.spm", "pieces", rewrites,
               Judge::elsewhere, "tokenizer-token-text",
               "takes a text of this kind for one token"},
    // ComfyUI
    SettingRow{"ComfyUI", "*.json", "class_type", runs, Judge::node,
               "setting-node", "runs the node of this name"},
    SettingRow{"ComfyUI", "*.png", "(text chunks)", runs, Judge::elsewhere,
               "setting-node", "loads the workflow that a picture carries"},
    // Cards
    SettingRow{"datasets", "README.md", "data_files", fetches, Judge::address,
               "setting-address", "opens the files or addresses"},
    SettingRow{"Hugging Face Hub", "README.md", "tags", runs, Judge::elsewhere,
               "hf-trust-remote-code",
               "custom_code: says that loading runs code of the repository"},
    // Python
    SettingRow{"Python", "*.pth", "import …", runs, Judge::elsewhere,
               "setting-code",
               "runs the line at every start, in a folder of packages"},
    SettingRow{"Python", "sitecustomize.py usercustomize.py", "(file)", runs,
               Judge::elsewhere, "folder-code",
               "runs at every start with the folder on the path"},
    SettingRow{"Python", "__init__.py setup.py conftest.py hubconf.py",
               "(file)", runs, Judge::elsewhere, "folder-code",
               "runs when the folder is imported, installed, tested or given "
               "to torch.hub"},
};

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
  return pattern == name;
}

}  // namespace

std::string_view to_string(SettingEffect effect) noexcept {
  switch (effect) {
    case SettingEffect::runs:
      return "runs";
    case SettingEffect::fetches:
      return "fetches";
    case SettingEffect::redirects:
      return "redirects";
    case SettingEffect::rewrites:
      return "rewrites";
  }
  return "";
}

std::span<const SettingRow> setting_rows() { return kRows; }

bool is_setting_file(const SettingRow& row, std::string_view name) {
  const std::vector<std::string> patterns = split(row.files, ' ');
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return matches(pattern, name);
  });
}

Json settings_to_json() {
  Json json = Json::array();
  for (const SettingRow& row : kRows) {
    json.push_back({{"library", row.library},
                    {"files", row.files},
                    {"key", row.key},
                    {"effect", to_string(row.effect)},
                    {"rule", row.rule},
                    {"does", row.does}});
  }
  return json;
}

std::string settings_to_markdown() {
  std::string text =
      "| loader | file | key | effect | what it does | rule |\n"
      "|---|---|---|---|---|---|\n";
  for (const SettingRow& row : kRows) {
    text += fmt::format("| {} | `{}` | `{}` | {} | {} | `{}` |\n", row.library,
                        row.files, row.key, to_string(row.effect), row.does,
                        row.rule);
  }
  return text;
}

}  // namespace impound
