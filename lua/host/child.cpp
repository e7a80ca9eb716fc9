// SPDX-License-Identifier: Apache-2.0
/// The child process of a playbook: confines itself, loads the files it is
/// sent, and does what the parent says, one step or test at a time.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/spelling.hpp"
#include "core/base/text.hpp"
#include "lua/host/binding.hpp"
#include "lua/host/channel.hpp"
#include "lua/host/child.hpp"
#include "lua/host/confine.hpp"
#include "lua/host/global_uses.hpp"
#include "lua/host/isolate.hpp"
#include "lua/host/json_values.hpp"
#include "lua/host/lua_library.hpp"
#include "lua/host/playbook_commands.hpp"
#include "lua/host/sandbox.hpp"

namespace impound::lua {

namespace {

constexpr const char* kMakeContext = "impound.make_context";

/// A collection of terabytes takes days; the parent ends a child it forgot.
constexpr std::chrono::hours kParentPatience{24 * 365};

/// __index of a table whose names are all there are (upvalue 1: what to say of
/// others): nil would be an answer that nobody gave.
int refuse_name(lua_State* L) {
  std::vector<std::string> names;
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING) names.emplace_back(lua_tostring(L, -2));
  }
  std::sort(names.begin(), names.end());
  const std::string asked =
      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
  throw Error(Errc::bad_input,
              std::string(lua_tostring(L, lua_upvalueindex(1))) + ": " +
                  no_such_word(asked, names, "there are"));
}

/// Reading a name that the table on top of the stack does not hold becomes an
/// error that begins with `what`.
void refuse_other_names(lua_State* L, const char* what) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, what);
  lua_pushcclosure(L, guarded<refuse_name>, 1);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

Json failure_json(const LuaFailure& failure) {
  return Json{{"code", failure.code.substr(0, 64)},
              {"message", failure.message.substr(0, 64 * limits::kKiB)},
              {"at", failure.at.substr(0, 200)},
              {"fatal", failure.fatal}};
}

}  // namespace

Child::Child(int fd, const Json& init, std::span<char> place)
    : fd_(fd),
      is_test_(require_text(init, "mode", "init") == "test"),
      sandbox_({.memory_bytes = require_u64(init, "memory_bytes", "init"),
                .instructions = require_u64(init, "instructions", "init")},
               place) {
  for (const auto& [name, source] :
       require_key(init, "files", "init").items()) {
    files_[name] = source.get<std::string>();
  }
  prepare();
}

Child& Child::of(lua_State* L) {
  lua_getfield(L, LUA_REGISTRYINDEX, kSelf);
  auto* child = static_cast<Child*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return *child;
}

void Child::run() {
  const bool loaded = is_test_ ? load_tests() : load_playbook();
  if (loaded) static_cast<void>(serve(0));
}

Json Child::request(const std::string& function, Json arguments,
                    const std::string& at) {
  send(Json{{"t", "call"},
            {"function", function},
            {"arguments", std::move(arguments)},
            {"at", at}});
  return receive();
}

Json Child::run_fake(int playbook, const Json& setup, const std::string& at) {
  lua_State* L = sandbox_.state();
  send(Json{{"t", "fake"},
            {"declared", json_from_lua(L, playbook, Functions::describe)},
            {"line", line_of_playbook(playbook)},
            {"setup", setup},
            {"at", at}});
  return serve(playbook);
}

void Child::send(const Json& message) {
  WaitBudget budget(kParentPatience, nullptr);
  if (send_message(fd_, message, kMaxChildMessage, budget) !=
      ChannelState::ok) {
    ::_exit(0);  // the parent is gone
  }
}

Json Child::receive() {
  std::string text;
  WaitBudget budget(kParentPatience, nullptr);
  if (receive_message(fd_, text, kMaxParentMessage, budget) !=
      ChannelState::ok) {
    ::_exit(0);
  }
  return parse_json(text, "message of the parent");
}

void Child::prepare() {
  lua_State* L = sandbox_.state();
  lua_pushlightuserdata(L, this);
  lua_setfield(L, LUA_REGISTRYINDEX, kSelf);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, kModules);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, kPlaybooks);
  lua_pushcfunction(L, guarded<require_module>);
  lua_setglobal(L, "require");
  freeze_globals(L);
}

/// Leaves the value of a library module on the stack.
void Child::push_library(const std::string& name, std::string_view source) {
  lua_State* L = sandbox_.state();
  LuaFailure failure;
  if (!sandbox_.compile(source, "=" + name, failure)) {
    throw Error(Errc::malformed, name + ": " + failure.message);
  }
  push_host_functions(L);
  lua_call(L, 1, 1);
}

/// Leaves the value of the module on the stack.
void Child::require(const std::string& name) {
  lua_State* L = sandbox_.state();
  if (name == "impound" || name == "impound.response" ||
      (name == "impound.fake" && is_test_)) {
    push_library(name, *library_source(name));
    return;
  }
  const bool is_plain =
      name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyz"
          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == std::string::npos &&
      name.find("..") == std::string::npos && !name.empty();
  std::string file = name;
  for (char& c : file) c = c == '.' ? '/' : c;
  const auto found = files_.find(file + ".lua");
  if (!is_plain || found == files_.end()) {
    throw Error(Errc::bad_input,
                "require(\"" + printable(name) +
                    "\"): a playbook may require impound, "
                    "impound.response and files beside it, its tests "
                    "impound.fake too; there is no " +
                    (is_plain ? file + ".lua" : "such name"));
  }
  LuaFailure failure;
  if (!load_file(found->first, failure)) {
    throw Error(Errc::malformed, failure.at.empty()
                                     ? failure.message
                                     : failure.at + ": " + failure.message);
  }
  lua_call(L, 0, 1);
  if (lua_isnil(L, -1)) {
    throw Error(Errc::bad_input,
                found->first + " returns nothing: end it with return …");
  }
}

/// Leaves the compiled file on the stack and notes the globals it uses.
bool Child::load_file(const std::string& name, LuaFailure& failure) {
  lua_State* L = sandbox_.state();
  if (!sandbox_.compile(files_.at(name), "@" + name, failure)) return false;
  const std::set<std::string> known = global_names(L);
  for (const GlobalUse& use : global_uses(L)) {
    if (!use.is_write && known.contains(use.name)) continue;
    globals_.push_back(Json{{"file", name},
                            {"name", use.name.substr(0, 200)},
                            {"line", use.line},
                            {"write", use.is_write}});
  }
  return true;
}

int Child::line_of_playbook(int index) {
  lua_State* L = sandbox_.state();
  const int table = lua_absindex(L, index);
  lua_getfield(L, LUA_REGISTRYINDEX, kPlaybooks);
  lua_pushvalue(L, table);
  lua_rawget(L, -2);
  const int line =
      lua_isinteger(L, -1) != 0 ? static_cast<int>(lua_tointeger(L, -1)) : -1;
  lua_pop(L, 2);
  return line;
}

bool Child::load_playbook() {
  lua_State* L = sandbox_.state();
  LuaFailure failure;
  bool ok = load_file("playbook.lua", failure) && sandbox_.call(0, 1, failure);
  if (ok && (lua_type(L, -1) != LUA_TTABLE || line_of_playbook(-1) < 0)) {
    failure = {.code = "bad_input",
               .message =
                   "the file must end with "
                   "return impound.playbook({ … }); it returned a " +
                   std::string(luaL_typename(L, -1)),
               .at = "playbook.lua"};
    ok = false;
  }
  if (!ok) {
    send(Json{{"t", "failed"}, {"failure", failure_json(failure)}});
    return false;
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, "impound.main");
  Json declared;
  try {
    declared = json_from_lua(L, -1, Functions::describe);
  } catch (const Error& error) {
    failure = {.code = std::string(to_string(error.code())),
               .message = error.what(),
               .at = "playbook.lua:" + std::to_string(line_of_playbook(-1))};
    send(Json{{"t", "failed"}, {"failure", failure_json(failure)}});
    return false;
  }
  send(Json{{"t", "loaded"},
            {"declared", std::move(declared)},
            {"line", line_of_playbook(-1)},
            {"names", Json::array()},
            {"globals", globals_}});
  return true;
}

bool Child::load_tests() {
  lua_State* L = sandbox_.state();
  LuaFailure failure;
  if (!load_file("test.lua", failure) || !sandbox_.call(0, 1, failure)) {
    send(Json{{"t", "failed"}, {"failure", failure_json(failure)}});
    return false;
  }
  Json names = Json::array();
  bool ok = lua_type(L, -1) == LUA_TTABLE;
  std::set<std::string> sorted;
  if (ok) {
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      ok = ok && lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1);
      if (lua_type(L, -2) == LUA_TSTRING) sorted.insert(lua_tostring(L, -2));
    }
  }
  if (!ok || sorted.empty()) {
    failure = {.code = "bad_input",
               .message =
                   "the file must return a table of tests: "
                   "{ [\"what is true\"] = function(t) … end }",
               .at = "test.lua"};
    send(Json{{"t", "failed"}, {"failure", failure_json(failure)}});
    return false;
  }
  for (const std::string& name : sorted) names.push_back(name);
  lua_setfield(L, LUA_REGISTRYINDEX, "impound.main");
  send(Json{{"t", "loaded"},
            {"declared", Json::object()},
            {"line", 0},
            {"names", names},
            {"globals", globals_}});
  return true;
}

/// Obeys the parent until it says that this run is over; returns that message.
Json Child::serve(int playbook) {
  for (;;) {
    Json order = receive();
    const std::string kind = require_text(order, "t", "order");
    if (kind == "done") return order;
    if (kind == "begin") {
      begin(order);
    } else if (kind == "step") {
      run_step(playbook, order);
    } else if (kind == "test") {
      run_test(require_text(order, "name", "order"));
    } else {
      throw Error(Errc::malformed, "unknown order of the parent");
    }
  }
}

/// A new context: parameters, deployment, no facts.
void Child::begin(const Json& order) {
  lua_State* L = sandbox_.state();
  if (lua_getfield(L, LUA_REGISTRYINDEX, kMakeContext) == LUA_TNIL) {
    lua_pop(L, 1);
    push_library("impound.context", *library_source("impound.context"));
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, kMakeContext);
  }
  lua_getfield(L, -1, "new");
  lua_remove(L, -2);
  push_answer(L, require_key(order, "params", "order"));
  refuse_other_names(L, "ctx.params");
  push_answer(L, require_key(order, "deployment", "order"));
  lua_call(L, 2, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "impound.ctx");
}

void Child::run_step(int playbook, const Json& order) {
  lua_State* L = sandbox_.state();
  const int top = lua_gettop(L);
  const auto index = narrow<lua_Integer>(require_u64(order, "index", "order"));
  if (playbook == 0) {
    lua_getfield(L, LUA_REGISTRYINDEX, "impound.main");
  } else {
    lua_pushvalue(L, playbook);
  }
  lua_pushliteral(L, "steps");
  lua_rawget(L, -2);
  if (lua_type(L, -1) == LUA_TTABLE) lua_rawgeti(L, -1, index);
  const int step = lua_gettop(L);
  LuaFailure failure;
  bool ran = true;
  bool ok = true;
  for (const char* part : {"when", "run"}) {
    if (lua_type(L, step) != LUA_TTABLE) break;
    lua_pushstring(L, part);
    lua_rawget(L, step);
    if (lua_isnil(L, -1)) continue;
    lua_getfield(L, LUA_REGISTRYINDEX, "impound.ctx");
    ok = sandbox_.call(1, 1, failure);
    if (!ok) break;
    if (std::string_view(part) == "when") ran = lua_toboolean(L, -1) != 0;
    if (!ran) break;
  }
  lua_settop(L, top);
  sandbox_.clear_fault();
  Json message{{"t", "step_ended"}, {"ran", ran}};
  if (!ok) message["failure"] = failure_json(failure);
  send(message);
}

void Child::run_test(const std::string& name) {
  lua_State* L = sandbox_.state();
  const int top = lua_gettop(L);
  LuaFailure failure;
  lua_getfield(L, LUA_REGISTRYINDEX, "impound.main");
  lua_pushlstring(L, name.data(), name.size());
  lua_rawget(L, -2);
  push_library("impound.assertions", *library_source("impound.assertions"));
  const bool ok = sandbox_.call(1, 0, failure);
  lua_settop(L, top);
  Json message{{"t", "test_ended"}};
  if (!ok) message["failure"] = failure_json(failure);
  send(message);
}

namespace {

std::span<char> map_place(int fd) {
  void* page =
      ::mmap(nullptr, kPlaceBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (page == MAP_FAILED) return {};
  return {static_cast<char*>(page), kPlaceBytes};
}

}  // namespace

int run_child(int fd) {
  try {
    const std::span<char> place = map_place(fd + 1);
    const Isolation isolation = isolate();
    std::string text;
    WaitBudget budget(std::chrono::seconds(30), nullptr);
    if (receive_message(fd, text, kMaxParentMessage, budget) !=
        ChannelState::ok) {
      return 3;
    }
    const Json init = parse_json(text, "init");
    try {
      watch_library_calls();
      confine(fd, require_u64(init, "memory_bytes", "init"),
              require_u64(init, "cpu_seconds", "init"));
      // Said before anything of the playbook is looked at: it is the tool that
      // speaks.
      Json given_up = isolation.to_json();
      given_up["no_new_privileges"] = true;
      given_up["filter"] = has_filter();
      if (send_message(fd, Json{{"t", "confined"}, {"isolation", given_up}},
                       kMaxChildMessage, budget) != ChannelState::ok) {
        return 3;
      }
      Child(fd, init, place).run();
    } catch (const std::exception& error) {
      const Json message{{"t", "failed"},
                         {"failure", Json{{"code", "internal"},
                                          {"message", error.what()},
                                          {"at", ""},
                                          {"fatal", true}}}};
      static_cast<void>(send_message(fd, message, kMaxChildMessage, budget));
    }
    ::_exit(0);  // nothing to tidy up, and leak reports need system calls
  } catch (const std::exception&) {
    return 3;
  }
}

}  // namespace impound::lua
