// SPDX-License-Identifier: Apache-2.0
/// lua/api names exactly what there is: editors and authors rely on it.

#include <lua.hpp>

#include <algorithm>
#include <fstream>
#include <set>

#include "core/base/handle.hpp"
#include "core/evidence/finding_words.hpp"
#include "lua/host/call_check.hpp"
#include "lua/host/lua_library.hpp"
#include "lua/host/sandbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/lua/scratch_playbook.hpp"

namespace impound::lua {
namespace {

using State = Handle<lua_State, lua_close>;

/// Names of the functions in the table on top of the stack.
std::set<std::string> functions(lua_State* L) {
  std::set<std::string> names;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_isfunction(L, -1)) names.insert(lua_tostring(L, -2));
  }
  names.erase("__index");
  return names;
}

/// Leaves the value of a stub on the stack.
void push_stub(lua_State* L, const std::string& name) {
  const std::string path =
      std::string(IMPOUND_SOURCE_DIR) + "/lua/api/" + name + ".lua";
  REQUIRE(luaL_dofile(L, path.c_str()) == LUA_OK);
}

/// Leaves the value of a module of lua/lib on the stack.
void push_module(lua_State* L, const std::string& name) {
  const auto source = library_source(name);
  REQUIRE(source);
  REQUIRE(luaL_loadbuffer(L, source->data(), source->size(), name.c_str()) ==
          LUA_OK);
  lua_newtable(L);
  REQUIRE(lua_pcall(L, 1, 1, 0) == LUA_OK);
}

TEST_CASE("lua/api names exactly what lua/lib offers", "[lua][api]") {
  for (const auto& [stub, module] :
       std::vector<std::pair<std::string, std::string>>{
           {"impound", "impound"},
           {"fake", "impound.fake"},
           {"response", "impound.response"},
           {"assertions", "impound.assertions"}}) {
    INFO(stub);
    const State L(luaL_newstate());
    luaL_openlibs(L.get());
    push_stub(L.get(), stub);
    const auto documented = functions(L.get());
    push_module(L.get(), module);
    CHECK(!documented.empty());
    CHECK(documented == functions(L.get()));
  }
}

TEST_CASE("the methods of ctx, exhibits and items are documented",
          "[lua][api]") {
  const State L(luaL_newstate());
  luaL_openlibs(L.get());
  push_stub(L.get(), "context");
  push_module(L.get(), "impound.context");
  for (const char* type : {"Context", "Exhibit", "Item"}) {
    INFO(type);
    lua_getfield(L.get(), 1, type);
    const auto documented = functions(L.get());
    lua_getfield(L.get(), 2, type);
    const auto offered = functions(L.get());
    lua_settop(L.get(), 2);
    CHECK(documented == offered);
    if (std::string_view(type) != "Context") continue;
    // Each method is one function of the host, but for these.
    std::set<std::string> expected{"worst_verdict"};
    for (const CallRule& rule : call_rules()) {
      if (rule.is_journaled()) expected.emplace(rule.name);
    }
    CHECK(offered == expected);
  }
}

TEST_CASE("a made-up case is told the answers that its stub documents",
          "[lua][api]") {
  std::ifstream stub(std::string(IMPOUND_SOURCE_DIR) + "/lua/api/fake.lua");
  std::set<std::string> documented;
  bool is_inside = false;
  for (std::string line; std::getline(stub, line);) {
    constexpr std::string_view kField = "---@field ";
    if (line.starts_with("---@class ")) is_inside = line.ends_with("FakeSetup");
    if (!is_inside || !line.starts_with(kField)) continue;
    const std::string field = line.substr(kField.size());
    documented.insert(field.substr(0, field.find('?')));
  }
  std::set<std::string> known{"params", "deployment", "collect", "answers"};
  for (const CallRule& rule : call_rules()) {
    if (!rule.made_up.key.empty()) known.emplace(rule.made_up.key);
  }
  CHECK(documented == known);
}

/// "pid process: A process to take …" for each field of a class in a stub.
std::set<std::string> documented_fields(const std::string& type) {
  std::ifstream stub(std::string(IMPOUND_SOURCE_DIR) + "/lua/api/context.lua");
  std::set<std::string> fields;
  bool is_inside = false;
  for (std::string line; std::getline(stub, line);) {
    constexpr std::string_view kField = "---@field ";
    if (line.starts_with("---@class ")) is_inside = line.ends_with(type);
    if (!is_inside || !line.starts_with(kField)) continue;
    const std::string field = line.substr(kField.size());
    const std::size_t type_at = field.find("? ");
    const std::size_t help_at = field.find(' ', type_at + 2);
    fields.insert(field.substr(0, type_at) + field.substr(help_at));
  }
  return fields;
}

template <typename Instrument>
std::set<std::string> declared_fields(
    std::span<const Instrument* const> instruments) {
  std::set<std::string> fields;
  for (const Instrument* const one : instruments) {
    for (const Parameter& parameter : one->parameters) {
      fields.insert(parameter.name + " " + std::string(one->name) + ": " +
                    parameter.help);
    }
  }
  return fields;
}

TEST_CASE("parameters of collectors and methods are documented as declared",
          "[lua][api]") {
  const Instruments real = test::instruments();
  CHECK(documented_fields("impound.CollectParameters") ==
        declared_fields(real.collectors));
  CHECK(documented_fields("impound.ContainParameters") ==
        declared_fields(real.containments));
}

TEST_CASE("verdicts and severities are documented as they are recorded",
          "[lua][api]") {
  std::ifstream stub(std::string(IMPOUND_SOURCE_DIR) + "/lua/api/context.lua");
  const std::string text((std::istreambuf_iterator<char>(stub)), {});
  const auto words_of = [&text](const std::string& alias) {
    std::vector<std::string> words;
    const std::size_t begin = text.find("---@alias impound." + alias + "\n");
    REQUIRE(begin != std::string::npos);
    const std::string lines =
        text.substr(begin, text.find("\n\n", begin) - begin);
    for (std::size_t at = lines.find('"'); at != std::string::npos;
         at = lines.find('"', at)) {
      const std::size_t end = lines.find('"', at + 1);
      words.push_back(lines.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    return words;
  };
  CHECK(words_of("Verdict") ==
        std::vector<std::string>(kFindingVerdicts.begin(),
                                 kFindingVerdicts.end()));
  CHECK(words_of("Severity") ==
        std::vector<std::string>(kFindingSeverities.begin(),
                                 kFindingSeverities.end()));
}

TEST_CASE("the globals of the sandbox are documented", "[lua][api]") {
  const State L(luaL_newstate());
  luaL_openlibs(L.get());
  push_stub(L.get(), "sandbox");
  lua_getfield(L.get(), -1, "globals");
  std::set<std::string> documented;
  for (lua_Integer i = 1; lua_rawgeti(L.get(), -1, i) != LUA_TNIL; ++i) {
    documented.insert(lua_tostring(L.get(), -1));
    lua_pop(L.get(), 1);
  }
  const Sandbox sandbox({.memory_bytes = 1 << 24, .instructions = 1000}, {});
  std::set<std::string> offered = global_names(sandbox.state());
  offered.insert("require");
  CHECK(documented == offered);
}

}  // namespace
}  // namespace impound::lua
