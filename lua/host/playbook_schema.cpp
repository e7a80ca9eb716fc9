// SPDX-License-Identifier: Apache-2.0
#include "lua/host/playbook_schema.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "core/base/error.hpp"
#include "core/base/path_glob.hpp"
#include "core/base/text.hpp"
#include "core/engine/reach.hpp"
#include "lua/host/field_lines.hpp"

namespace impound::lua {
namespace {

constexpr std::array<std::string_view, 12> kFields{
    "schema", "id",         "version", "title", "owner",     "effect",
    "needs",  "references", "params",  "steps", "questions", "description"};
constexpr std::array<std::string_view, 4> kQuestionFields{
    "question", "choices", "default", "approves"};
constexpr std::array<std::string_view, 6> kStepFields{
    "id", "title", "run", "after", "effect", "when"};
constexpr std::array<std::string_view, 6> kParameterFields{
    "type", "help", "default", "choices", "min", "max"};
constexpr std::array<std::string_view, 4> kNeedsFields{
    "collectors", "containments", "reads", "min_tool"};

/// More files than a person reads in a question before saying yes.
constexpr std::size_t kMaxReads = 32;

/// More steps than a person can follow; also the depth of a chain of `after`.
constexpr std::size_t kMaxSteps = 100;

/// Bytes of a text: more than a person types, and it is repeated in every
/// record.
constexpr std::int64_t kMaxText = 4096;

/// Problems beyond this many follow from the first.
constexpr std::size_t kMaxProblems = 50;

bool is_empty(const Json& json) {
  return json.is_null() || (json.is_structured() && json.empty());
}

bool is_function(const Json& json) {
  return json.is_object() && json.contains("$function");
}

/// What a value is, in the words of a playbook's author.
std::string kind_of(const Json& json) {
  if (json.is_null()) return "nothing";
  if (json.is_string()) return "text \"" + json.get<std::string>() + "\"";
  if (json.is_boolean()) return json.get<bool>() ? "true" : "false";
  if (json.is_number()) return "the number " + json.dump();
  if (is_function(json)) return "a function";
  return json.is_array() ? "a list" : "a table";
}

bool is_version(std::string_view text) {
  const std::vector<std::string> parts = split(text, '.');
  return parts.size() == 3 &&
         std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return !part.empty() && part.size() <= 6 &&
                  part.find_first_not_of("0123456789") == std::string::npos;
         });
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] >= 'a' &&
         text[0] <= 'z' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") ==
             std::string_view::npos;
}

/// What a path of needs.reads lacks, as a person must know by it what they
/// allow; "" if nothing.
std::string why_no_read(const std::string& text) {
  const std::filesystem::path path(text);
  if (!path.is_absolute() || path.lexically_normal().native() != text ||
      path.relative_path().empty() || !path.has_filename()) {
    return "without \"..\" and \"//\" that is not the root";
  }
  if (static_cast<std::int64_t>(text.size()) > kMaxText ||
      printable(text) != text || has_wildcard(text)) {
    return "in plain characters, without wildcards";
  }
  if (is_of_kernel(path)) return "outside of /proc, /sys and /dev";
  return {};
}

class Schema {
 public:
  Schema(const std::filesystem::path& folder,
         const std::map<std::string, std::string>& sources,
         const Json& declared, int line)
      : declared_(declared), line_(line) {
    playbook_.folder = folder;
    playbook_.sources = sources;
    playbook_.declared = declared;
    if (const auto main = sources.find("playbook.lua"); main != sources.end()) {
      lines_ = field_lines(main->second, line);
      // `return impound.playbook(…)` is a tail call: Lua forgets its line.
      if (line_ == 0) line_ = line_of_field(lines_, "", 0);
    }
  }

  LoadResult run() {
    unknown_keys(declared_, "", kFields);
    if (const Json& schema = at(declared_, "schema"); schema != 1) {
      problem("schema",
              "expected 1, the one version this program knows, found " +
                  kind_of(schema));
    }
    identity();
    effect_and_needs();
    parameters();
    questions();
    steps();
    LoadResult result;
    result.problems = std::move(problems_);
    if (result.problems.empty()) result.playbook = std::move(playbook_);
    return result;
  }

 private:
  static const Json& at(const Json& object, std::string_view key) {
    static const Json kNothing;
    if (!object.is_object()) return kNothing;
    const auto found = object.find(key);
    return found == object.end() ? kNothing : *found;
  }

  void problem(const std::string& path, const std::string& message) {
    if (problems_.size() >= kMaxProblems) return;
    problems_.push_back({playbook_.folder / "playbook.lua",
                         line_of_field(lines_, path, line_),
                         path + ": " + message});
  }

  template <std::size_t N>
  void unknown_keys(const Json& object, const std::string& path,
                    const std::array<std::string_view, N>& known) {
    if (!object.is_object()) return;
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        problem(path.empty() ? key : path + "." + key,
                "no such field; there are " + join(known));
      }
    }
  }

  std::string text(const Json& object, const std::string& path,
                   std::string_view key, std::string_view what) {
    const std::string full =
        path.empty() ? std::string(key) : path + "." + std::string(key);
    const Json& value = at(object, key);
    if (!value.is_string() || value.get<std::string>().empty()) {
      problem(full,
              "expected " + std::string(what) + ", found " + kind_of(value));
      return {};
    }
    return value.get<std::string>();
  }

  std::vector<std::string> texts(const Json& object, const std::string& path,
                                 std::string_view key, std::string_view what) {
    const std::string full =
        path.empty() ? std::string(key) : path + "." + std::string(key);
    const Json& value = at(object, key);
    std::vector<std::string> list;
    if (is_empty(value)) return list;
    if (!value.is_array()) {
      problem(full, "expected a list of " + std::string(what) + ", found " +
                        kind_of(value));
      return list;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!value[i].is_string()) {
        problem(
            full + "[" + std::to_string(i + 1) + "]",
            "expected " + std::string(what) + ", found " + kind_of(value[i]));
      } else {
        list.push_back(value[i].get<std::string>());
      }
    }
    return list;
  }

  void identity() {
    playbook_.id = text(declared_, "", "id", "a kebab-case id");
    if (!playbook_.id.empty() && !is_kebab_case(playbook_.id)) {
      problem("id", "expected lower-case words joined by dashes, found \"" +
                        playbook_.id + "\"");
    }
    const std::string folder = playbook_.folder.filename().string();
    if (!playbook_.id.empty() && playbook_.id != folder) {
      problem("id", "expected the name of its folder, \"" + folder +
                        "\", found \"" + playbook_.id + "\"");
    }
    playbook_.version = text(declared_, "", "version", "\"major.minor.patch\"");
    if (!playbook_.version.empty() && !is_version(playbook_.version)) {
      problem("version", "expected \"major.minor.patch\", found \"" +
                             playbook_.version + "\"");
    }
    playbook_.title = text(declared_, "", "title", "a noun phrase");
    playbook_.owner = text(declared_, "", "owner", "the name of a team");
    playbook_.references = texts(declared_, "", "references", "links");
  }

  std::optional<Effect> effect(const Json& object, const std::string& path) {
    const Json& value = at(object, "effect");
    if (value == "read") return Effect::read;
    if (value == "contain") return Effect::contain;
    problem(path, "expected \"read\" or \"contain\", found " + kind_of(value));
    return std::nullopt;
  }

  void effect_and_needs() {
    playbook_.effect = effect(declared_, "effect").value_or(Effect::contain);
    const Json& needs = at(declared_, "needs");
    if (!needs.is_object()) {
      problem("needs",
              "expected a table with collectors, containments, reads, "
              "min_tool; found " +
                  kind_of(needs));
      return;
    }
    unknown_keys(needs, "needs", kNeedsFields);
    playbook_.collectors =
        texts(needs, "needs", "collectors", "names of collectors");
    playbook_.containments =
        texts(needs, "needs", "containments", "names of containments");
    for (const auto& [key, names] :
         {std::pair{"collectors", &playbook_.collectors},
          std::pair{"containments", &playbook_.containments}}) {
      for (std::size_t i = 0; i < names->size(); ++i) {
        if (is_kebab_case((*names)[i])) continue;
        problem("needs." + std::string(key) + "[" + std::to_string(i + 1) + "]",
                "expected a kebab-case name, found \"" + (*names)[i] + "\"");
      }
    }
    reads(needs);
    if (playbook_.effect == Effect::read && !playbook_.containments.empty()) {
      problem("needs.containments",
              "a playbook with effect \"read\" needs none");
    }
    if (!is_empty(at(needs, "min_tool"))) {
      playbook_.min_tool =
          text(needs, "needs", "min_tool", "\"major.minor.patch\"");
      if (!playbook_.min_tool.empty() && !is_version(playbook_.min_tool)) {
        problem("needs.min_tool", "expected \"major.minor.patch\", found \"" +
                                      playbook_.min_tool + "\"");
      }
    }
  }

  void reads(const Json& needs) {
    playbook_.reads = texts(needs, "needs", "reads", "absolute paths");
    if (playbook_.reads.size() > kMaxReads) {
      problem("needs.reads", "more than " + std::to_string(kMaxReads) +
                                 " paths: name a folder that holds them");
    }
    for (std::size_t i = 0; i < playbook_.reads.size(); ++i) {
      const std::string why = why_no_read(playbook_.reads[i]);
      if (why.empty()) continue;
      problem("needs.reads[" + std::to_string(i + 1) + "]",
              "expected an absolute path " + why + ", found \"" +
                  playbook_.reads[i] + "\"");
    }
  }

  void parameters() {
    const Json& declared = at(declared_, "params");
    if (is_empty(declared)) return;
    if (!declared.is_object()) {
      problem("params", "expected a table of parameters by name, found " +
                            kind_of(declared));
      return;
    }
    for (const auto& [name, value] : declared.items()) {
      parameter(name, value, "params." + name);
    }
  }

  void parameter(const std::string& name, const Json& value,
                 const std::string& path) {
    if (!is_word(name)) {
      problem(path, "expected a name in snake_case");
    }
    if (!value.is_object()) {
      problem(path, "expected { type = …, help = … }, found " + kind_of(value));
      return;
    }
    unknown_keys(value, path, kParameterFields);
    Parameter info{.name = name,
                   .help = text(value, path, "help", "a sentence"),
                   .choices = texts(value, path, "choices", "texts")};
    const std::string type = text(value, path, "type", "a type");
    if (type.empty()) return;
    const auto known = one_word_type_from(type);
    if (!known) {
      const auto types = one_word_types();
      problem(path + ".type",
              "expected one of " + join(types) + "; found \"" + type + "\"");
      return;
    }
    info.type = *known;
    if ((info.type == ParameterType::choice) == info.choices.empty()) {
      problem(path + ".choices",
              info.choices.empty() ? "a parameter of type choice needs choices"
                                   : "only a parameter of type choice has "
                                     "choices");
      return;
    }
    bounds(value, path, info);
    default_value(value, path, info);
    playbook_.parameters.push_back(std::move(info));
  }

  /// `min` and `max`: of an integer its value, of a text its bytes.
  void bounds(const Json& value, const std::string& path, Parameter& info) {
    const bool is_text = info.type == ParameterType::text;
    if (is_text) info.most = kMaxText;
    for (const auto& [key, bound] :
         {std::pair{"min", &info.least}, std::pair{"max", &info.most}}) {
      const Json& given = at(value, key);
      if (given.is_null()) continue;
      const std::string full = path + "." + key;
      const bool may_be = info.type == ParameterType::integer ||
                          (is_text && bound == &info.most);
      if (!may_be) {
        problem(full, "only an integer has one, and a text a max");
      } else if (!given.is_number_integer()) {
        problem(full, "expected a whole number, found " + kind_of(given));
      } else if (is_text && (given < 1 || given > kMaxText)) {
        problem(full, "expected a whole number from 1 to " +
                          std::to_string(kMaxText) + ", found " +
                          kind_of(given));
      } else {
        *bound = given.get<std::int64_t>();
      }
    }
    if (info.least && info.most && *info.least > *info.most) {
      problem(path + ".min", "is greater than max");
    }
  }

  void default_value(const Json& value, const std::string& path,
                     Parameter& info) {
    const Json& given = at(value, "default");
    info.is_required = given.is_null();
    if (info.is_required) return;
    info.otherwise = given;
    const bool may_be_empty =
        info.type == ParameterType::path || info.type == ParameterType::text;
    if (may_be_empty && given == "") return;  // it may be left out
    try {
      const Json typed = convert_value(info, given, Spelling::values, 0);
      // A duration back from now is not a time before the run begins.
      if (info.type != ParameterType::time) info.otherwise = typed;
    } catch (const Error& error) {
      problem(path + ".default", error.what());
    }
  }

  void questions() {
    const Json& declared = at(declared_, "questions");
    if (is_empty(declared)) return;
    if (!declared.is_object()) {
      problem("questions", "expected a table of questions by id, found " +
                               kind_of(declared));
      return;
    }
    for (const auto& [id, value] : declared.items()) {
      question(id, value, "questions." + id);
    }
    std::ranges::sort(playbook_.questions, {}, &Question::id);
  }

  void question(const std::string& id, const Json& value,
                const std::string& path) {
    if (id == kReadsQuestion) {
      problem(path, "is the question of needs.reads, which the tool asks");
      return;
    }
    if (!value.is_object()) {
      problem(path, "expected { question = … }, found " + kind_of(value));
      return;
    }
    unknown_keys(value, path, kQuestionFields);
    Question question{.id = id,
                      .text = text(value, path, "question", "a question"),
                      .choices = texts(value, path, "choices", "texts"),
                      .otherwise = std::nullopt,
                      .approves = GuardedAct::none};
    if (const Json& act = at(value, "approves"); !act.is_null()) {
      const auto known = act.is_string()
                             ? guarded_act_from(act.get<std::string>())
                             : std::nullopt;
      if (!known || *known == GuardedAct::none || *known == GuardedAct::read) {
        problem(path + ".approves",
                "expected \"contain\" or \"release\", found " + kind_of(act));
      } else {
        question.approves = *known;
        if (question.choices.empty()) question.choices = {"yes", "no"};
      }
    }
    if (const Json& otherwise = at(value, "default"); !otherwise.is_null()) {
      question.otherwise = text(value, path, "default", "a text");
      if (!question.otherwise->empty() &&
          !question.admits(*question.otherwise)) {
        problem(path + ".default", "expected " + question.admitted() +
                                       ", found " + kind_of(otherwise));
      }
    }
    playbook_.questions.push_back(std::move(question));
  }

  void steps() {
    const Json& declared = at(declared_, "steps");
    if (!declared.is_array() || declared.empty()) {
      problem("steps", "expected a list of at least one step, found " +
                           kind_of(declared));
      return;
    }
    if (declared.size() > kMaxSteps) {
      problem("steps", "more than " + std::to_string(kMaxSteps) + " steps");
      return;
    }
    bool contains = false;
    for (std::size_t i = 0; i < declared.size(); ++i) {
      step(declared[i], "steps[" + std::to_string(i + 1) + "]");
      contains = contains || playbook_.steps.back().effect == Effect::contain;
    }
    order();
    if (playbook_.effect == Effect::contain && !contains &&
        at(declared_, "effect").is_string()) {
      problem("effect", "\"contain\", but no step has effect = \"contain\"");
    }
  }

  void step(const Json& value, const std::string& path) {
    StepInfo info;
    info.line = line_of_field(lines_, path, line_);
    if (!value.is_object()) {
      problem(path, "expected { id = …, title = …, run = … }, found " +
                        kind_of(value));
      playbook_.steps.push_back(std::move(info));
      return;
    }
    unknown_keys(value, path, kStepFields);
    info.id = text(value, path, "id", "one short word");
    if (!info.id.empty() && !is_kebab_case(info.id)) {
      problem(path + ".id",
              "expected lower-case words joined by dashes, "
              "found \"" +
                  info.id + "\"");
    }
    info.title = text(value, path, "title", "an imperative phrase");
    info.after = texts(value, path, "after", "ids of earlier steps");
    if (!is_function(at(value, "run"))) {
      problem(path + ".run",
              "expected a function, found " + kind_of(at(value, "run")));
    }
    const Json& condition = at(value, "when");
    info.has_condition = is_function(condition);
    if (!condition.is_null() && !info.has_condition) {
      problem(path + ".when",
              "expected a function that answers true or "
              "false, found " +
                  kind_of(condition));
    }
    if (!at(value, "effect").is_null()) {
      info.effect = effect(value, path + ".effect").value_or(Effect::contain);
    }
    if (info.effect == Effect::contain && playbook_.effect == Effect::read) {
      problem(path + ".effect",
              "\"contain\" in a playbook whose effect is \"read\": declare "
              "effect = \"contain\" for the playbook");
    }
    playbook_.steps.push_back(std::move(info));
  }

  /// `after` names earlier steps; a circle is shown as a chain.
  void order() {
    std::map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < playbook_.steps.size(); ++i) {
      const std::string& id = playbook_.steps[i].id;
      if (id.empty()) continue;
      if (!places.emplace(id, i).second) {
        problem("steps[" + std::to_string(i + 1) + "].id",
                "a step named \"" + id + "\" exists already");
      }
    }
    for (std::size_t i = 0; i < playbook_.steps.size(); ++i) {
      for (const std::string& before : playbook_.steps[i].after) {
        const std::string path = "steps[" + std::to_string(i + 1) + "].after";
        const auto found = places.find(before);
        if (found == places.end()) {
          problem(path, "there is no step named \"" + before + "\"");
        } else if (found->second >= i) {
          const std::string chain = circle(i, found->second);
          problem(path, chain.empty()
                            ? "\"" + before +
                                  "\" stands later in the list; steps run in "
                                  "the order of the list"
                            : "steps wait for each other: " + chain);
        }
      }
    }
  }

  /// "a -> b -> a" if a path by `after` leads from `from` back to `to`.
  [[nodiscard]] std::string circle(std::size_t to, std::size_t from) const {
    std::set<std::size_t> seen;
    std::vector<std::size_t> path{to};
    if (!reaches(from, to, seen, path)) return {};
    std::string chain;
    for (const std::size_t i : path) chain += playbook_.steps[i].id + " -> ";
    return chain + playbook_.steps[to].id;
  }

  bool reaches(std::size_t from, std::size_t to, std::set<std::size_t>& seen,
               std::vector<std::size_t>& path) const {
    if (from == to) return true;
    if (!seen.insert(from).second) return false;
    path.push_back(from);
    for (std::size_t i = 0; i < playbook_.steps.size(); ++i) {
      const auto& after = playbook_.steps[from].after;
      if (std::find(after.begin(), after.end(), playbook_.steps[i].id) !=
              after.end() &&
          reaches(i, to, seen, path)) {
        return true;
      }
    }
    path.pop_back();
    return false;
  }

  const Json& declared_;
  int line_;
  std::map<std::string, int> lines_;
  LoadedPlaybook playbook_;
  std::vector<Problem> problems_;
};

}  // namespace

bool is_kebab_case(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 64 && text[0] >= 'a' &&
         text[0] <= 'z' && text.back() != '-' &&
         text.find("--") == std::string_view::npos &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
             std::string_view::npos;
}

LoadResult apply_schema(const std::filesystem::path& folder,
                        const std::map<std::string, std::string>& sources,
                        const Json& declared, int line) {
  return Schema(folder, sources, declared, line).run();
}

std::vector<Problem> pedantic_problems(const LoadedPlaybook& playbook,
                                       int line) {
  std::vector<Problem> problems;
  const std::filesystem::path file = playbook.folder / "playbook.lua";
  const auto source = playbook.sources.find("playbook.lua");
  const std::map<std::string, int> lines =
      source == playbook.sources.end() ? std::map<std::string, int>{}
                                       : field_lines(source->second, line);
  const auto complain = [&](const std::string& path, const std::string& what) {
    problems.push_back(
        {file, line_of_field(lines, path, line), path + ": " + what});
  };
  const auto no_stop = [&](const std::string& path, const std::string& text) {
    if (text.ends_with('.')) complain(path, "a title has no full stop");
  };
  no_stop("title", playbook.title);
  for (std::size_t i = 0; i < playbook.steps.size(); ++i) {
    no_stop("steps[" + std::to_string(i + 1) + "].title",
            playbook.steps[i].title);
  }
  for (const Parameter& parameter : playbook.parameters) {
    if (!parameter.help.ends_with('.') && !parameter.help.ends_with('?')) {
      complain("params." + parameter.name + ".help",
               "a full sentence ends with a full stop");
    }
  }
  if (playbook.references.empty()) {
    complain("references", "name at least one link that justifies the method");
  }
  return problems;
}

}  // namespace impound::lua
