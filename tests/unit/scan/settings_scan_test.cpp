// SPDX-License-Identifier: Apache-2.0
/// Settings of a model folder that run, fetch, redirect or rewrite, and the
/// honest ones beside them.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/formats/settings/yaml_settings.hpp"
#include "core/scan/rule_catalogue.hpp"
#include "core/scan/settings_table.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/png_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;
using namespace std::string_literals;

TEST_CASE("every row of the table of settings has a rule of the catalogue") {
  for (const SettingRow& row : setting_rows()) {
    INFO(row.library << ' ' << row.files << ' ' << row.key);
    CHECK(find_rule(row.rule) != nullptr);
    CHECK_FALSE(row.does.empty());
    CHECK_FALSE(to_string(row.effect).empty());
  }
  CHECK(rules_to_json()["settings"].size() == setting_rows().size());
}

TEST_CASE("docs/settings.md holds the table of settings as it is") {
  std::ifstream file(std::filesystem::path(IMPOUND_SOURCE_DIR) /
                     "docs/settings.md");
  std::ostringstream text;
  text << file.rdbuf();
  CHECK(text.str().find(settings_to_markdown()) != std::string::npos);
}

TEST_CASE("an object that a YAML file has called is judged by its name") {
  const auto target = [](std::string_view name) {
    return scan_bytes("model:\n  encoder:\n    _target_: " + std::string(name) +
                          "\n    d: 3\n",
                      "model_config.yaml");
  };
  CHECK(target("nemo.collections.asr.modules.ConformerEncoder").verdict ==
        Verdict::no_code);
  CHECK(target("mylib.Encoder").verdict == Verdict::needs_review);
  const FileReport evil = target("os.system");
  CHECK(evil.verdict == Verdict::malicious);
  const ScanFinding* call = find(evil, "hf-hydra-target");
  REQUIRE(call != nullptr);
  CHECK(call->member == "model.encoder._target_");
  CHECK(call->message.find("starts programs") != std::string::npos);
  CHECK(target("builtins.exec").verdict == Verdict::malicious);
  CHECK(target("nemo.core.subprocess.run").verdict == Verdict::malicious);
  SECTION("in a list, in flow style, in a second document, behind an anchor") {
    for (const std::string_view text :
         {"a:\n  - {_target_: os.system, x: id}\n",
          "{a: {_target_: os.system}}",
          "a: 1\n---\nb:\n  _target_: os.system\n",
          "a: &x\n  _target_: os.system\nb: *x\n",
          "a: &x os.system\nb:\n  _target_: *x\n",
          "a: &x _target_\nb:\n  *x : os.system\n",
          "\"_targ\\x65t_\": os.system\n"}) {
      INFO(text);
      CHECK(scan_bytes(std::string(text), "config.yml").verdict ==
            Verdict::malicious);
    }
  }
  SECTION("in JSON") {
    CHECK(scan_bytes(R"({"a":[{"_target_":"os.system"}]})", "hparams.json")
              .verdict == Verdict::malicious);
    CHECK(scan_bytes(R"({"_target_":"mylib.Net"})", "hparams.json").verdict ==
          Verdict::needs_review);
  }
  SECTION("within a .nemo, which is a tar") {
    CHECK(scan_bytes(make_tar({{"model_config.yaml", "_target_: os.system\n"}}),
                     "model.nemo")
              .verdict == Verdict::malicious);
  }
}

TEST_CASE("tags of YAML that an unsafe loader calls are found") {
  for (const std::string_view text :
       {"!!python/object/apply:os.system [id]\n",
        "a: !!python/object/new:os.system [id]\n",
        "- !!python/name:os.system\n",
        "!<tag:yaml.org,2002:python/object/apply:subprocess.Popen> [id]\n"}) {
    INFO(text);
    const FileReport report = scan_bytes(std::string(text), "hparams.yaml");
    CHECK(report.verdict == Verdict::malicious);
    CHECK(has(report, "setting-yaml-tag"));
  }
  CHECK(scan_bytes("!!python/object:mylib.Config {a: 1}\n", "hparams.yaml")
            .verdict == Verdict::needs_review);
  CHECK(scan_bytes("a: !!python/tuple [1, 2]\nb: !!float 3\n", "hparams.yaml")
            .verdict == Verdict::no_code);
}

TEST_CASE("a chat template in YAML is read as the program it is") {
  const FileReport report = scan_bytes(
      "chat_template: \"{{ cycler.__init__.__globals__.os.popen('id') }}\"\n",
      "tokenizer.yaml");
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "template-code"));
  CHECK(
      scan_bytes("prompt_template: 'Answer: {question}'\n", "p.yaml").verdict ==
      Verdict::no_code);
}

TEST_CASE("hostile YAML is read within bounds") {
  SECTION("aliases of aliases") {
    std::string bomb = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 60; ++i) {
      const std::string last = std::to_string(i - 1);
      bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
              last + ", *a" + last + "]\n";
    }
    const YamlSettings yaml = read_yaml(bomb);
    CHECK(yaml.problem.empty());
    CHECK(yaml.settings.size() < 1000);
  }
  SECTION("depth, and what is no YAML, is not read to its end") {
    for (const std::string& text :
         {std::string(5000, '['), std::string(200'000, '{'),
          "a: [1, 2\nb: \"x"s, "\t- x"s, "a: b: c"s}) {
      const FileReport report = scan_bytes(text, "config.yaml");
      CHECK(report.verdict == Verdict::needs_review);
      CHECK_FALSE(report.read_to_end);
    }
  }
  SECTION("no more settings than bytes") {
    const YamlSettings yaml = read_yaml("- 1\n- [2, {a: b}]\n- ~\n");
    CHECK(yaml.problem.empty());
    CHECK(yaml.settings.size() == 4);
  }
  SECTION("a long path times many settings") {
    std::string text;
    for (int i = 0; i < 90; ++i) text += "{" + std::string(250, 'k') + ": ";
    text += "[";
    for (int i = 0; i < 200'000; ++i) text += "1,";
    const YamlSettings yaml = read_yaml(text);
    CHECK_FALSE(yaml.problem.empty());
  }
}

TEST_CASE("settings of Ultralytics that are evaluated are held to torch.nn") {
  CHECK(scan_bytes("nc: 80\nactivation: nn.SiLU()\nbackbone:\n"
                   "  - [-1, 1, Conv, [64, 3, 2]]\nhead:\n"
                   "  - [-1, 1, nn.Upsample, [None, 2, 'nearest']]\n",
                   "yolov8.yaml")
            .verdict == Verdict::no_code);
  CHECK(has(scan_bytes("activation: __import__('os').system('id')\n", "y.yaml"),
            "setting-evaluated"));
  CHECK(has(
      scan_bytes("backbone:\n  - [-1, 1, Conv, [\"exec('1')\"]]\n", "y.yaml"),
      "setting-evaluated"));
  CHECK(has(scan_bytes("x: &b\n  - [-1, 1, Conv, [\"exec('1')\"]]\n"
                       "backbone: *b\n",
                       "y.yaml"),
            "setting-evaluated"));
  CHECK(has(scan_bytes("path: x\ndownload: |\n  import os\n  os.system('id')\n",
                       "data.yaml"),
            "setting-code"));
}

TEST_CASE("modules of sentence-transformers are of that library") {
  const auto with = [](std::string_view type, std::string_view path) {
    return scan_bytes(R"([{"idx":0,"name":"0","path":")" + std::string(path) +
                          R"(","type":")" + std::string(type) + R"("}])",
                      "modules.json");
  };
  CHECK(with("sentence_transformers.models.Transformer", "").verdict ==
        Verdict::no_code);
  CHECK(with("sentence_transformers.models.Pooling", "1_Pooling").verdict ==
        Verdict::no_code);
  CHECK(has(with("custom_st.Transformer", ""), "setting-code"));
  CHECK(with("os.system", "").verdict == Verdict::malicious);
  CHECK(has(with("sentence_transformers.models.Pooling", "../../other"),
            "setting-outside"));
}

TEST_CASE("an index whose files lie elsewhere is found") {
  const auto with = [](std::string_view file) {
    return scan_bytes(R"({"metadata":{},"weight_map":{"model.a.weight":")" +
                          std::string(file) + R"("}})",
                      "model.safetensors.index.json");
  };
  CHECK(with("model-00001-of-00002.safetensors").verdict == Verdict::no_code);
  CHECK(with("sub/model.safetensors").verdict == Verdict::no_code);
  for (const std::string_view place :
       {"../other/model.safetensors", "/etc/passwd", "a/../../b",
        "https://198.51.100.7/m", "C:\\\\m", "~/m"}) {
    INFO(place);
    CHECK(has(with(place), "setting-outside"));
  }
}

TEST_CASE("types of a skops file are judged as names of a pickle") {
  const auto with = [](std::string_view module, std::string_view name) {
    return scan_bytes(R"({"__class__":")" + std::string(name) +
                          R"(","__module__":")" + std::string(module) +
                          R"(","__loader__":"ObjectNode","content":{}})",
                      "schema.json");
  };
  CHECK(with("sklearn.linear_model._base", "LinearRegression").verdict ==
        Verdict::no_code);
  CHECK(with("mylib", "Net").verdict == Verdict::needs_review);
  CHECK(with("os", "system").verdict == Verdict::malicious);
  CHECK(scan_bytes(
            R"({"__class__":"function","__module__":"builtins",)"
            R"("__loader__":"FunctionNode","content":{"module_path":"posix",)"
            R"("function":"system"}})",
            "schema.json")
            .verdict == Verdict::malicious);
}

TEST_CASE("parts of a Diffusers pipeline are of known libraries") {
  const auto with = [](std::string_view library) {
    return scan_bytes(R"({"_class_name":"P","unet":[")" + std::string(library) +
                          R"(","UNet"],"safety_checker":[null,null]})",
                      "model_index.json");
  };
  CHECK(with("diffusers").verdict == Verdict::no_code);
  CHECK(with("my_unet").verdict == Verdict::needs_review);
  CHECK(with("subprocess").verdict == Verdict::malicious);
}

TEST_CASE("settings of other loaders that run or fetch are found") {
  CHECK(has(
      scan_bytes(R"({"model_type":"x","model_file":"evil.py"})", "config.json"),
      "setting-code"));
  CHECK(has(scan_bytes(R"({"custom_generate":"owner/repo"})",
                       "generation_config.json"),
            "setting-code"));
  CHECK(has(scan_bytes("FROM https://198.51.100.7/m.gguf\nPARAMETER stop x\n",
                       "Modelfile"),
            "setting-address"));
  CHECK(scan_bytes("FROM llama3\nPARAMETER temperature 0.5\n", "Modelfile")
            .verdict == Verdict::no_code);
  CHECK(has(scan_bytes("flavors:\n  python_function:\n    loader_module: "
                       "evil.loader\n",
                       "MLmodel"),
            "setting-code"));
  CHECK(scan_bytes("flavors:\n  python_function:\n    loader_module: "
                   "mlflow.sklearn\n",
                   "MLmodel")
            .verdict == Verdict::no_code);
  CHECK(has(scan_bytes("[initialize.before_init]\n@callbacks = "
                       "\"evil.callback.v1\"\n",
                       "config.cfg"),
            "setting-registry"));
  CHECK(scan_bytes("[components.ner.model]\n@architectures = "
                   "\"spacy.TransitionBasedParser.v2\"\n",
                   "config.cfg")
            .verdict == Verdict::no_code);
  CHECK(has(scan_bytes("/opt/x\nimport os; os.system('id')\n", "x.pth"),
            "setting-code"));
  CHECK(has(scan_bytes("name: \"m\"\nbackend: \"python\"\n", "config.pbtxt"),
            "setting-code"));
  CHECK(has(scan_bytes(R"({"1":{"class_type":"ExecPythonCode","inputs":{}}})",
                       "workflow.json"),
            "setting-node"));
  CHECK(scan_bytes(R"({"1":{"class_type":"KSampler","inputs":{}}})",
                   "workflow.json")
            .verdict == Verdict::no_code);
}

TEST_CASE("a tokenizer that changes digits or whole words is found") {
  const auto with = [](std::string_view step, std::string_view pattern,
                       std::string_view content) {
    return scan_bytes(R"({"added_tokens":[],")" + std::string(step) +
                          R"(":{"type":"Replace","pattern":)" +
                          std::string(pattern) + R"(,"content":")" +
                          std::string(content) + R"("}})",
                      "tokenizer.json");
  };
  for (const std::string_view step : {"normalizer", "decoder"}) {
    INFO(step);
    CHECK(has(with(step, R"({"String":"7"})", "1"), "tokenizer-rewrite"));
    CHECK(has(with(step, R"({"Regex":"[0-9]"})", "0"), "tokenizer-rewrite"));
    CHECK(has(with(step, R"({"Regex":"\\d+"})", ""), "tokenizer-rewrite"));
    CHECK(
        has(with(step, R"({"Regex":"\\bnever\\b"})", ""), "tokenizer-removal"));
    CHECK(with(step, R"({"String":" "})", "\xe2\x96\x81").verdict ==
          Verdict::no_code);
    CHECK(with(step, R"({"Regex":" {2,}"})", " ").verdict == Verdict::no_code);
    CHECK(with(step, R"({"Regex":"[\\p{Cc}\\s]+"})", " ").verdict ==
          Verdict::no_code);
    CHECK(with(step, R"({"String":"``"})", "\\\"").verdict == Verdict::no_code);
  }
}

TEST_CASE("attributes that PyTables unpickles are read as pickles") {
  const std::string evil = PickleWriter(2).call("os", "system", "id").stop();
  // The signature alone is enough of HDF5 for a reader that looks for marks.
  const std::string file = "\x89HDF\r\n\x1a\n"s + std::string(512, '\0') +
                           "PYTABLES_FORMAT_VERSION" + std::string(40, '\0') +
                           evil + std::string(64, '\0');
  const FileReport report = scan_bytes(file, "frame.h5");
  CHECK(report.verdict == Verdict::malicious);
  CHECK(has(report, "hdf5-pickle"));
}

TEST_CASE("Python files that run unasked are told from others") {
  const auto name_of = [](std::string name) {
    const FileReport report = scan_bytes("x = 1\n", std::move(name));
    const ScanFinding* code = find(report, "folder-code");
    return code == nullptr ? std::string() : code->message;
  };
  CHECK(name_of("sitecustomize.py").find("every start") != std::string::npos);
  CHECK(name_of("setup.py").find("install") != std::string::npos);
  CHECK(name_of("conftest.py").find("pytest") != std::string::npos);
  CHECK(name_of("hubconf.py").find("torch.hub") != std::string::npos);
  CHECK(name_of("__init__.py").find("imported") != std::string::npos);
}

TEST_CASE("a workflow in the texts of a PNG is judged by its nodes") {
  const std::string code =
      R"({"3":{"class_type":"ExecutePython","inputs":{"code":"x"}}})";
  const std::string plain =
      R"({"3":{"class_type":"KSampler","inputs":{"seed":1}}})";
  const std::string window =
      R"({"last_node_id":1,"nodes":[{"id":1,"type":"ExecutePython"}]})";
  const auto picture = [](const std::string& type, const std::string& head,
                          const std::string& text) {
    return png_of({{"IHDR", std::string(13, '\1')},
                   {type, head + text},
                   {"IDAT", "x"},
                   {"IEND", ""}});
  };
  for (const std::string& text : {code, window}) {
    CHECK(has(scan_bytes(picture("tEXt", "prompt\0"s, text), "a.png"),
              "setting-node"));
    CHECK(has(scan_bytes(picture("iTXt", "workflow\0\0\0\0\0"s, text), "a"),
              "setting-node"));
    CHECK(has(scan_bytes(text, "workflow.json"), "setting-node"));
  }
  // x\x9c, one stored block, Adler-32.
  const std::string stored = "x\x9c\x01"s + static_cast<char>(code.size()) +
                             "\0"s + static_cast<char>(~code.size()) + "\xff"s +
                             code;
  CHECK(has(scan_bytes(picture("zTXt", "prompt\0\0"s, stored), "a.png"),
            "setting-node"));
  const FileReport honest =
      scan_bytes(picture("tEXt", "prompt\0"s, plain), "a.png");
  CHECK(honest.verdict == Verdict::no_code);
  CHECK(honest.findings.empty());
  CHECK(
      scan_bytes(picture("tEXt", "parameters\0"s, "a cat, steps: 20"), "a.png")
          .findings.empty());
}

TEST_CASE("a workflow behind 70,000 blanks is judged") {
  CHECK(has(scan_bytes(std::string(70000, ' ') +
                           R"({"3":{"class_type":"ExecutePython"}})",
                       "workflow.json"),
            "setting-node"));
}

TEST_CASE("the front matter of a card is read for what it fetches and admits") {
  const FileReport hostile = scan_bytes(
      "---\nconfigs:\n- config_name: a\n  data_files: "
      "http://198.51.100.7/x.parquet\ntags:\n- custom_code\n---\n# Card\n",
      "README.md");
  CHECK(has(hostile, "setting-address"));
  CHECK(has(hostile, "hf-trust-remote-code"));
  const FileReport honest = scan_bytes(
      "---\nlicense: mit\npipeline_tag: text-generation\nconfigs:\n"
      "- data_files: data/train-*.parquet\n---\n# Card\n",
      "README.md");
  CHECK(honest.findings.empty());
  CHECK(honest.verdict == Verdict::no_code);
  // What is no YAML is a text, and no damage.
  const FileReport text =
      scan_bytes("---\n{{ card_data }}\n---\n", "README.md");
  CHECK(text.verdict == Verdict::no_code);
  CHECK(text.read_to_end);
}
