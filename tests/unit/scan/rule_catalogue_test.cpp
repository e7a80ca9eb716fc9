// SPDX-License-Identifier: Apache-2.0
#include "core/scan/rule_catalogue.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "core/scan/pickle_lists.hpp"
#include "tests/support/catch.hpp"

using namespace impound;

TEST_CASE("every rule is there once, with words") {
  std::set<std::string> seen;
  for (const Rule& rule : all_rules()) {
    INFO(rule.id);
    CHECK(seen.insert(std::string(rule.id)).second);
    CHECK_FALSE(rule.title.empty());
    CHECK_FALSE(rule.why.empty());
    CHECK((rule.atlas.empty() || rule.atlas.substr(0, 5) == "AML.T"));
    CHECK(find_rule(rule.id) != nullptr);
  }
  const Json json = rules_to_json();
  CHECK(json["version"] == kRulesVersion);
  CHECK(json["rules"].size() == seen.size());
  CHECK(json["lists"]["dangerous"].contains("os.*"));
}

TEST_CASE("every rule that our sources report is in the catalogue") {
  const std::filesystem::path root(IMPOUND_SOURCE_DIR);
  const std::regex id(
      "\"((pickle|zip|tar|archive|torch|torchscript|numpy|content|file|hf|"
      "safetensors|metadata|gguf|template|jinja|onnx|keras|hdf|savedmodel|"
      "ollama|protobuf)-"
      "[a-z-]+)\"");
  std::size_t found = 0;
  for (const char* folder : {"core/scan", "core/formats"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(root / folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".cpp" || name == "scanners.cpp") {
        continue;
      }
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator at(source.begin(), source.end(), id), end;
           at != end; ++at) {
        INFO(name << ": " << (*at)[1]);
        CHECK(find_rule((*at)[1].str()) != nullptr);
        ++found;
      }
    }
  }
  CHECK(found > 50);
}

TEST_CASE("no name is both allowed and dangerous by its own entry") {
  for (const auto& lists : {weights_only_names(), allowed_names()}) {
    for (const NameList& list : lists) {
      INFO(list.module);
      CHECK(list.module.find("subprocess") == std::string_view::npos);
      CHECK(list.names.find("eval") == std::string_view::npos);
    }
  }
  CHECK(judge_global("uuid", "UUID").verdict == GlobalClass::allowed);
  CHECK(judge_global("uuid", "_popen").verdict == GlobalClass::dangerous);
  CHECK(judge_global("sklearn.tree._tree", "Tree").verdict ==
        GlobalClass::allowed);
  CHECK(judge_global("sklearn.utils", "Popen").verdict ==
        GlobalClass::dangerous);
  CHECK(judge_global("torch", "FloatStorage").verdict ==
        GlobalClass::weights_only);
}
