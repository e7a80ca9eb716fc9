// SPDX-License-Identifier: Apache-2.0
#include "core/scan/rule_catalogue.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "core/formats/recognise.hpp"
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

namespace {

/// Ids of rules by the ways in which our sources write them: {"id",
/// Severity::…}, rule = "id", and the functions that add one of a fixed
/// severity, and whatever begins as ids do. Kinds of weak signals are a
/// vocabulary of their own (weak_signals.hpp), names of formats too; fields of
/// a zip header that differ are no rules.
std::map<std::string, std::string> emitted_rules(const std::string& source,
                                                 const std::string& name) {
  static const std::string kId = "\"([a-z0-9]+(?:-[a-z0-9]+)*)\"";
  static const std::vector<std::regex> kPatterns = {
      std::regex(kId + R"(\s*,\s*Severity::)"),
      std::regex(kId + R"(\s*,\s*[^";{}]{0,80}\?\s*Severity::)"),
      std::regex(R"(rule\s*=\s*)" + kId),
      std::regex(R"(\b(?:strict|lenient)\(\s*)" + kId),
      std::regex(R"(\bfind\(\s*Severity::\w+,\s*)" + kId),
      std::regex(
          "\"((?:pickle|zip|tar|archive|torch|torchscript|numpy|content|file|"
          "hf|"
          "safetensors|metadata|gguf|template|jinja|onnx|keras|hdf5?|"
          "savedmodel|ollama|protobuf|index|row|sigstore|statement|tokenizer|"
          "code|folder|tensor|weights)-[a-z-]+)\"")};
  static const std::set<std::string> kOtherWords = {"gguf-hash", "hf-snapshot",
                                                    "weights-only-ok"};
  std::map<std::string, std::string> rules;
  for (const std::regex& pattern : kPatterns) {
    for (std::sregex_iterator at(source.begin(), source.end(), pattern), end;
         at != end; ++at) {
      const std::string id = (*at)[1].str();
      if (at->prefix().str().ends_with("differs(") ||
          kOtherWords.contains(id) || format_from(id)) {
        continue;
      }
      rules.emplace(id, name);
    }
  }
  return rules;
}

/// Every source below core/, lua/host, collectors/ and containment/, however
/// deep, by path; without the catalogue itself.
std::map<std::string, std::string> our_sources() {
  const std::filesystem::path root(IMPOUND_SOURCE_DIR);
  std::map<std::string, std::string> sources;
  for (const char* folder : {"core", "lua/host", "collectors", "containment"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().filename().string();
      const auto extension = entry.path().extension();
      if ((extension != ".cpp" && extension != ".hpp") ||
          name.starts_with("rules_")) {
        continue;
      }
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      sources[entry.path().lexically_relative(root).string()] = text.str();
    }
  }
  return sources;
}

}  // namespace

TEST_CASE("every rule that our sources report is in the catalogue") {
  std::size_t found = 0;
  std::set<std::string> folders;
  for (const auto& [name, source] : our_sources()) {
    if (name.find("/weak_signals.") != std::string::npos) continue;
    for (const auto& [rule, file] : emitted_rules(source, name)) {
      INFO(file << ": " << rule);
      CHECK(find_rule(rule) != nullptr);
      folders.insert(name.substr(0, name.rfind('/')));
      ++found;
    }
  }
  CHECK(found > 150);
  // A guard that looks in one folder only guards nothing.
  for (const char* folder :
       {"core/scan", "core/formats", "core/formats/packed", "core/view",
        "core/compare/delta", "core/dataset", "core/trust"}) {
    INFO(folder);
    CHECK(folders.contains(folder));
  }
}

TEST_CASE("every rule of the catalogue is reported somewhere") {
  const auto sources = our_sources();
  for (const Rule& rule : all_rules()) {
    const std::string literal = "\"" + std::string(rule.id) + "\"";
    INFO(rule.id);
    CHECK(std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
      return source.second.find(literal) != std::string::npos;
    }));
  }
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
