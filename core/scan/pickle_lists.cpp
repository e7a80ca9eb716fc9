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

/// Static methods in checkpoints: the schedule of OneCycleLR, to torch 2.0.
constexpr std::array kAttributes{
    NameList{"torch.optim.lr_scheduler.OneCycleLR",
             "_annealing_cos _annealing_linear"},
};

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
  // Cython's way to make an object of a class of its own.
  constexpr std::string_view kCython = "__pyx_unpickle_";
  if (name.starts_with(kCython) &&
      classes.has(module, name.substr(kCython.size()))) {
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

bool is_known_attribute(std::string_view class_name,
                        std::string_view attribute) {
  // Python 3.11 writes members of an enumeration as getattr(Class, "NAME").
  constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const bool is_constant =
      !attribute.empty() && kCapitals.find(attribute[0]) != kCapitals.npos &&
      std::all_of(attribute.begin(), attribute.end(), [&](char c) {
        return c == '_' || (c >= '0' && c <= '9') ||
               kCapitals.find(c) != kCapitals.npos;
      });
  if (is_constant) return true;
  return std::any_of(
      kAttributes.begin(), kAttributes.end(), [&](const NameList& known) {
        const auto names = split(known.names, ' ');
        return known.module == class_name &&
               std::find(names.begin(), names.end(), attribute) != names.end();
      });
}

Json lists_to_json() {
  Json json = Json::object();
  json["attributes"] = list_to_json(kAttributes);
  json["weights_only"] = list_to_json(weights_only_names());
  json["allowed"] = list_to_json(allowed_names());
  json["library_classes"] = list_to_json(library_classes());
  json["dangerous"] = list_to_json(dangerous_names());
  json["dangerous_anywhere"] = split(dangerous_anywhere(), ' ');
  return json;
}

}  // namespace impound
