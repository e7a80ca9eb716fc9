// SPDX-License-Identifier: Apache-2.0
#include "core/scan/pickle_lists.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "core/base/text.hpp"

namespace impound {
namespace {

struct ByName {
  std::string_view module;
  std::string_view name;

  bool operator==(const ByName&) const = default;
};

struct HashByName {
  std::size_t operator()(const ByName& key) const noexcept {
    const std::hash<std::string_view> hash;
    return hash(key.module) * 31 + hash(key.name);
  }
};

/// Rows by module and name, "torch.nn.modules.*" kept apart. The words of the
/// rows are static text.
template <typename Row>
class Lookup {
 public:
  enum class Rows : std::uint8_t { named, whole_modules, all };

  explicit Lookup(std::span<const Row> rows, Rows wanted = Rows::all) {
    for (const Row& row : rows) {
      const bool is_whole = row.names == "*";
      if ((wanted == Rows::named && is_whole) ||
          (wanted == Rows::whole_modules && !is_whole)) {
        continue;
      }
      const bool is_below = row.module.ends_with(".*");
      Map& into = is_below ? below_ : here_;
      const std::string_view module =
          row.module.substr(0, row.module.size() - (is_below ? 2 : 0));
      for (std::string_view rest = row.names; !rest.empty();) {
        const std::string_view name = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (!name.empty()) into.emplace(ByName{module, name}, &row);
      }
    }
  }

  [[nodiscard]] const Row* find(std::string_view module,
                                std::string_view name) const {
    if (const Row* row = either(here_, module, name)) return row;
    // "a.b.*" covers a.b and everything below it.
    std::string_view prefix = module;
    while (true) {
      if (const Row* row = either(below_, prefix, name)) return row;
      const std::size_t dot = prefix.rfind('.');
      if (dot == std::string_view::npos) return nullptr;
      prefix = prefix.substr(0, dot);
    }
  }
  [[nodiscard]] bool has(std::string_view module, std::string_view name) const {
    return find(module, name) != nullptr;
  }
  /// Whether every name of the module, or of a package it is in, has a row.
  [[nodiscard]] const Row* whole(std::string_view module) const {
    return find(module, "*");
  }

 private:
  using Map = std::unordered_map<ByName, const Row*, HashByName>;

  /// The row of this name, or else of every name.
  static const Row* either(const Map& rows, std::string_view module,
                           std::string_view name) {
    if (rows.empty()) return nullptr;
    auto found = rows.find({module, name});
    if (found == rows.end()) found = rows.find({module, "*"});
    return found == rows.end() ? nullptr : found->second;
  }

  Map here_;
  Map below_;
};

using Guards = Lookup<GuardedNames>;

const Lookup<NameList>& weights_only() {
  static const Lookup<NameList> lookup(weights_only_names());
  return lookup;
}
const Lookup<NameList>& allowed() {
  static const Lookup<NameList> lookup(allowed_names());
  return lookup;
}
const Lookup<NameList>& classes() {
  static const Lookup<NameList> lookup(library_classes());
  return lookup;
}
const Guards& guards() {
  static const Guards lookup(guarded_names(), Guards::Rows::named);
  return lookup;
}
const Guards& packages() {
  static const Guards lookup(guarded_names(), Guards::Rows::whole_modules);
  return lookup;
}
const Lookup<DangerousNames>& dangers() {
  static const Lookup<DangerousNames> lookup(dangerous_names());
  return lookup;
}

const DangerousNames* dangerous_word(std::string_view name) {
  static const std::unordered_map<std::string, const DangerousNames*> words =
      [] {
        std::unordered_map<std::string, const DangerousNames*> all;
        for (const DangerousNames& row : dangerous_anywhere()) {
          for (const std::string& word : split(row.names, ' ')) {
            if (!word.empty()) all.emplace(word, &row);
          }
        }
        return all;
      }();
  const auto found = words.find(std::string(name));
  return found == words.end() ? nullptr : found->second;
}

/// "_os" and "__os" are how modules hide what they import.
std::string_view without_underscores(std::string_view name) {
  const std::size_t first = name.find_first_not_of('_');
  return first == std::string_view::npos ? name : name.substr(first);
}

/// Modules that others import under their own name: pathlib's `os` is os.
bool is_dangerous_module_name(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kModules = {
      "os", "sys",    "subprocess", "builtins", "importlib", "posix",
      "nt", "ctypes", "socket",     "shutil",   "pty",       "marshal"};
  return std::ranges::find(kModules, without_underscores(name)) !=
         kModules.end();
}

/// A dotted name: Python imports the module and walks from there.
const DangerousNames* dangerous_path(std::string_view module,
                                     std::string_view name) {
  const std::vector<std::string> parts = split(name, '.');
  std::string below(module);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part(without_underscores(parts[i]));
    if (const DangerousNames* word = dangerous_word(parts[i])) return word;
    if (const DangerousNames* word = dangerous_word(part)) return word;
    if (const DangerousNames* row = dangers().find(below, parts[i])) return row;
    if (i + 1 < parts.size()) {
      if (const DangerousNames* row = dangers().whole(part)) return row;
      if (const DangerousNames* row = dangers().find(part, parts[i + 1])) {
        return row;
      }
    }
    below += '.';
    below += parts[i];
  }
  return nullptr;
}

const DangerousNames* danger_of(std::string_view module,
                                std::string_view name) {
  // Running a package as a program: importing it is enough.
  static constexpr DangerousNames kMain{"*.__main__", "*",
                                        Harm::acts_on_import};
  static constexpr DangerousNames kModule{"*", "os sys …",
                                          Harm::reaches_anything};
  if (module.ends_with(".__main__")) return &kMain;
  if (const DangerousNames* word = dangerous_word(name)) return word;
  if (const DangerousNames* row = dangers().find(module, name)) return row;
  if (name.find('.') != std::string_view::npos) {
    return dangerous_path(module, name);
  }
  return is_dangerous_module_name(name) ? &kModule : nullptr;
}

/// Cython's way to make an object of a class of its own: of a class on a list,
/// or of any of a package whose objects are.
bool is_cython_restorer(std::string_view module, std::string_view name) {
  constexpr std::string_view kCython = "__pyx_unpickle_";
  if (!name.starts_with(kCython)) return false;
  return classes().has(module, name.substr(kCython.size())) ||
         packages().whole(module) != nullptr;
}

/// "TimeoutError", "HTTPException", "BytesWarning".
bool is_exception_name(std::string_view name) {
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z' &&
         name.find('.') == std::string_view::npos &&
         (name.ends_with("Error") || name.ends_with("Exception") ||
          name.ends_with("Warning") || name.ends_with("Timeout") ||
          name.ends_with("Expired"));
}

bool has_private_component(std::string_view name) {
  return name.starts_with('_') || name.find("._") != std::string_view::npos;
}

template <typename Row>
Json list_to_json(std::span<const Row> lists) {
  Json json = Json::object();
  for (const Row& list : lists) {
    Json& names = json[std::string(list.module)];
    for (const std::string& name : split(list.names, ' ')) {
      if (!name.empty()) names.push_back(name);
    }
  }
  return json;
}

Json guards_to_json() {
  Json json = Json::array();
  for (const GuardedNames& row : guarded_names()) {
    Json names = Json::array();
    for (const std::string& name : split(row.names, ' ')) {
      if (!name.empty()) names.push_back(name);
    }
    json.push_back({{"module", row.module},
                    {"names", std::move(names)},
                    {"harmless_call", to_string(row.guard)},
                    {"why", row.why}});
  }
  return json;
}

Json words_to_json() {
  Json json = Json::array();
  for (const DangerousNames& row : dangerous_anywhere()) {
    for (const std::string& word : split(row.names, ' ')) {
      if (!word.empty()) json.push_back(word);
    }
  }
  return json;
}

/// Private static methods in checkpoints: the schedule of OneCycleLR, to torch
/// 2.0; the restorer of a time zone, which looks the key up among the zones of
/// the system (CPython, zoneinfo/_common.py refuses keys that leave them).
constexpr std::array kAttributes{
    NameList{"torch.optim.lr_scheduler.OneCycleLR",
             "_annealing_cos _annealing_linear"},
    NameList{"zoneinfo.ZoneInfo", "_unpickle"},
    NameList{"scipy.interpolate._interpolate.interp1d",
             "_call_linear_np _call_linear _call_nearest _call_previous_next "
             "_call_spline _call_nan_spline"},
};

/// Those of them, and public ones, that pickles call while they load.
constexpr std::array kMethods{
    NameList{"zoneinfo.ZoneInfo", "_unpickle no_cache"},
    NameList{"builtins.dict", "fromkeys"},
    NameList{"builtins.int", "from_bytes"},
    NameList{"builtins.float", "fromhex"},
    NameList{"builtins.bytes", "fromhex"},
    NameList{"datetime.datetime", "fromisoformat combine strptime"},
    NameList{"datetime.date", "fromisoformat fromordinal"},
};

bool is_listed(std::span<const NameList> lists, std::string_view class_name,
               std::string_view attribute) {
  return std::ranges::any_of(lists, [&](const NameList& known) {
    const auto names = split(known.names, ' ');
    return known.module == class_name &&
           std::ranges::find(names, attribute) != names.end();
  });
}

}  // namespace

std::string_view to_string(Guard guard) noexcept {
  switch (guard) {
    case Guard::object:
      return "made without its constructor, or called without arguments";
    case Guard::settings:
      return "made without its constructor, or called without settings";
    case Guard::no_text:
      return "no text among the arguments";
    case Guard::singleton:
      return "the type of None, ... or NotImplemented";
    case Guard::iterable:
      return "over one plain value";
    case Guard::base:
      return "the base class is a plain type";
    case Guard::new_object:
      return "of a class that is named";
    case Guard::binds:
      return "any: the names that it binds are judged by themselves";
    case Guard::annotation:
      return "of a name of typing";
    case Guard::torch_bytes:
      return "of bytes that torch.save wrote, which are scanned themselves";
    case Guard::bit_generator:
      return "of names of numpy.random";
    case Guard::own_module:
      return "of a module of the same library";
    case Guard::ctypes_number:
      return "of a number of ctypes";
    case Guard::attribute:
      return "of plain public words";
    case Guard::shapes:
      return "made without its constructor, with SciPy's own text for the "
             "arguments";
  }
  return "";
}

std::string_view to_string(Harm harm) noexcept {
  switch (harm) {
    case Harm::runs_code:
      return "runs what it is given as code";
    case Harm::starts_programs:
      return "starts programs";
    case Harm::reaches_system:
      return "reaches the operating system";
    case Harm::loads_code:
      return "loads code by its name or place";
    case Harm::opens_files:
      return "opens, writes or removes files";
    case Harm::uses_network:
      return "talks to other machines";
    case Harm::unpickles:
      return "loads further pickles, and runs them";
    case Harm::changes_interpreter:
      return "changes the interpreter that loads it";
    case Harm::reaches_anything:
      return "reaches or calls whatever it is given";
    case Harm::acts_on_import:
      return "acts as soon as it is imported";
  }
  return "";
}

GlobalJudgement judge_global(std::string_view module, std::string_view name) {
  if (weights_only().has(module, name)) {
    return {GlobalClass::weights_only, ""};
  }
  if (allowed().has(module, name) || classes().has(module, name) ||
      is_cython_restorer(module, name)) {
    return {GlobalClass::allowed, ""};
  }
  if (const GuardedNames* const row = guards().find(module, name)) {
    return {GlobalClass::unknown, kGuardedRule, row};
  }
  const DangerousNames* const danger = danger_of(module, name);
  // An exception of a module that is dangerous as a whole keeps its arguments.
  const bool is_exception =
      danger != nullptr && danger->names == "*" && is_exception_name(name);
  if (danger != nullptr && !is_exception) {
    return {GlobalClass::dangerous, name.find('.') == std::string_view::npos
                                        ? "pickle-dangerous-import"
                                        : "pickle-dotted-name"};
  }
  if (const GuardedNames* const row = packages().find(module, name)) {
    return {GlobalClass::unknown, kGuardedRule, row};
  }
  return {GlobalClass::unknown, has_private_component(name)
                                    ? "pickle-private-name"
                                    : "pickle-unknown-import"};
}

const GuardedNames* guard_of(std::string_view module, std::string_view name) {
  return judge_global(module, name).guard;
}

std::optional<Harm> harm_of(std::string_view module, std::string_view name) {
  if (judge_global(module, name).verdict != GlobalClass::dangerous) {
    return std::nullopt;
  }
  const DangerousNames* const row = danger_of(module, name);
  return row == nullptr ? std::nullopt : std::optional(row->harm);
}

bool is_named_danger(std::string_view module, std::string_view name) {
  if (judge_global(module, name).verdict != GlobalClass::dangerous) {
    return false;
  }
  const DangerousNames* const row = danger_of(module, name);
  return row != nullptr && row->names != "*";
}

bool is_plain_attribute(std::string_view attribute) {
  // Methods of harmless classes that open, write or remove what their object
  // names: pathlib.Path, numpy.ndarray, boosters.
  static constexpr std::string_view kReaching =
      "tofile dump save load unlink write_text write_bytes read_text "
      "read_bytes rmdir rename replace chmod symlink_to hardlink_to touch "
      "mkdir open from_file fromfile load_model save_model to_pickle "
      "read_pickle to_csv to_sql eval query pipe apply map "
      "f_globals gi_frame mro func_globals";
  static const std::unordered_set<std::string> reaching = [] {
    const auto words = split(kReaching, ' ');
    return std::unordered_set<std::string>(words.begin(), words.end());
  }();
  const bool is_word = !attribute.empty() && attribute[0] != '_' &&
                       std::ranges::all_of(attribute, [](char c) {
                         return c == '_' || (c >= '0' && c <= '9') ||
                                (c >= 'a' && c <= 'z') ||
                                (c >= 'A' && c <= 'Z');
                       });
  return is_word && !reaching.contains(std::string(attribute)) &&
         dangerous_word(attribute) == nullptr &&
         !is_dangerous_module_name(attribute);
}

bool is_known_attribute(std::string_view class_name,
                        std::string_view attribute) {
  // Members of enumerations (Python 3.11) and bound methods: what is got is not
  // called by that, and a call of it is reported.
  return is_plain_attribute(attribute) ||
         is_listed(kAttributes, class_name, attribute);
}

bool is_known_method(std::string_view class_name, std::string_view attribute) {
  return is_listed(kMethods, class_name, attribute);
}

Json lists_to_json() {
  Json json = Json::object();
  json["attributes"] = list_to_json<NameList>(kAttributes);
  json["methods"] = list_to_json<NameList>(kMethods);
  json["weights_only"] = list_to_json(weights_only_names());
  json["allowed"] = list_to_json(allowed_names());
  json["library_classes"] = list_to_json(library_classes());
  json["guarded"] = guards_to_json();
  json["dangerous"] = list_to_json(dangerous_names());
  json["dangerous_anywhere"] = words_to_json();
  return json;
}

}  // namespace impound
