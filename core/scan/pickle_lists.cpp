// SPDX-License-Identifier: Apache-2.0
#include "core/scan/pickle_lists.hpp"

#include <string>
#include <unordered_set>

#include "core/base/text.hpp"

namespace impound {
namespace {

/// Names by module, "torch.nn.modules.*" kept apart.
class Lookup {
 public:
  explicit Lookup(std::span<const NameList> lists) {
    for (const NameList& list : lists) {
      for (const std::string& name : split(list.names, ' ')) {
        if (!name.empty()) {
          names_.insert(std::string(list.module) + '\n' + name);
        }
      }
    }
  }

  [[nodiscard]] bool has(std::string_view module, std::string_view name) const {
    if (has_exact(module, name) || has_exact(module, "*")) return true;
    // "a.b.*" covers a.b and everything below it.
    std::string_view prefix = module;
    while (true) {
      const std::string pattern = std::string(prefix) + ".*";
      if (has_exact(pattern, name) || has_exact(pattern, "*")) return true;
      const std::size_t dot = prefix.rfind('.');
      if (dot == std::string_view::npos) return false;
      prefix = prefix.substr(0, dot);
    }
  }

 private:
  [[nodiscard]] bool has_exact(std::string_view module,
                               std::string_view name) const {
    std::string key(module);
    key += '\n';
    key += name;
    return names_.contains(key);
  }

  std::unordered_set<std::string> names_;
};

bool has_private_component(std::string_view name) {
  return name.starts_with('_') || name.find("._") != std::string_view::npos;
}

Json list_to_json(std::span<const NameList> lists) {
  Json json = Json::object();
  for (const NameList& list : lists) {
    Json& names = json[std::string(list.module)];
    for (const std::string& name : split(list.names, ' ')) {
      if (!name.empty()) names.push_back(name);
    }
  }
  return json;
}

}  // namespace

GlobalJudgement judge_global(std::string_view module, std::string_view name) {
  static const Lookup weights_only(weights_only_names());
  static const Lookup allowed(allowed_names());
  static const Lookup classes(library_classes());
  static const Lookup dangerous(dangerous_names());
  static const std::unordered_set<std::string> anywhere = [] {
    const auto names = split(dangerous_anywhere(), ' ');
    return std::unordered_set<std::string>(names.begin(), names.end());
  }();

  if (weights_only.has(module, name)) {
    return {GlobalClass::weights_only, ""};
  }
  if (allowed.has(module, name) || classes.has(module, name)) {
    return {GlobalClass::allowed, ""};
  }
  if (name.find('.') != std::string_view::npos) {
    return {GlobalClass::dangerous, "pickle-dotted-name"};
  }
  if (dangerous.has(module, name) || anywhere.contains(std::string(name))) {
    return {GlobalClass::dangerous, "pickle-dangerous-import"};
  }
  if (has_private_component(name)) {
    return {GlobalClass::dangerous, "pickle-private-name"};
  }
  return {GlobalClass::unknown, "pickle-unknown-import"};
}

Json lists_to_json() {
  Json json = Json::object();
  json["weights_only"] = list_to_json(weights_only_names());
  json["allowed"] = list_to_json(allowed_names());
  json["library_classes"] = list_to_json(library_classes());
  json["dangerous"] = list_to_json(dangerous_names());
  json["dangerous_anywhere"] = split(dangerous_anywhere(), ' ');
  return json;
}

}  // namespace impound
