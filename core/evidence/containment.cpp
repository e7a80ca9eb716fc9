// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/containment.hpp"

#include <array>
#include <utility>

#include "core/base/text.hpp"

namespace impound {

std::string_view to_string(Containedness measured) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"contained", "not contained",
                                                   "unknown"};
  return kNames[static_cast<std::size_t>(measured)];
}

std::string_view to_string(Kept kept) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"undeclared", "kept", "lost",
                                                   "partly"};
  return kNames[static_cast<std::size_t>(kept)];
}

std::string_view to_string(UndoPromise undo) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"undeclared", "exact",
                                                   "restart", "none"};
  return kNames[static_cast<std::size_t>(undo)];
}

std::string_view to_string(Tried tried) noexcept {
  constexpr std::array<std::string_view, 4> kNames{
      "undeclared", "real", "documentation only", "untried"};
  return kNames[static_cast<std::size_t>(tried)];
}

namespace {

/// The four things by name, in one order everywhere.
std::array<std::pair<std::string_view, Kept>, 4> named(const Keeps& keeps) {
  return {{{"weights", keeps.weights},
           {"kv", keeps.kv},
           {"inflight", keeps.inflight},
           {"process", keeps.process}}};
}

}  // namespace

Json Effects::to_json() const {
  Json kept = Json::object();
  for (const auto& [name, what] : named(keeps)) kept[name] = to_string(what);
  return {{"keeps", std::move(kept)},
          {"undo", to_string(undo)},
          {"destructive", is_destructive}};
}

std::string Effects::in_words() const {
  std::string text;
  for (const auto& [word, wanted] :
       {std::pair{"keeps", Kept::kept}, std::pair{"keeps partly", Kept::partly},
        std::pair{"loses", Kept::lost},
        std::pair{"does not say of", Kept::undeclared}}) {
    std::string names;
    for (const auto& [name, what] : named(keeps)) {
      if (what != wanted) continue;
      names += names.empty() ? "" : ", ";
      names += name;
    }
    if (names.empty()) continue;
    text += (text.empty() ? "" : "; ") + std::string(word) + " " + names;
  }
  return text + "; undo " + std::string(to_string(undo)) +
         (is_destructive ? "; destroys evidence" : "");
}

std::vector<std::string> Deployment::containment_methods() const {
  std::vector<std::string> names;
  for (const ContainmentPart& part : containments) names.push_back(part.method);
  if (names.empty() && !containment_method.empty()) {
    names.push_back(containment_method);
  }
  return names;
}

Json Deployment::settings_of(std::string_view method) const {
  for (const ContainmentPart& part : containments) {
    if (part.method == method) return part.settings;
  }
  return Json::object();
}

Json MeasuredState::to_json() const {
  Json json = facts;
  json["contained"] = measured == Containedness::contained;
  json["measured"] = to_string(measured);
  json["why"] = lossless_utf8(why);
  json["holds_something"] = holds_something;
  json["by_record"] = is_by_record;
  json["held_by"] = lossless_utf8(held_by);
  if (!from.empty()) json["from"] = lossless_utf8(from);
  if (connections_left) json["connections_left"] = *connections_left;
  return json;
}

}  // namespace impound
