// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What runs in the child process of a playbook: loads the files it is sent and
/// does what the parent says, one step or test at a time.

#include <lua.hpp>

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/base/json.hpp"
#include "lua/host/sandbox.hpp"

namespace impound::lua {

class Child {
 public:
  /// `init` is the first message of the parent; `place` the shared page.
  Child(int fd, const Json& init, std::span<char> place);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() = default;

  /// The child that owns this Lua state.
  [[nodiscard]] static Child& of(lua_State* L);

  /// Loads the playbook or its tests, then obeys until the parent is done.
  void run();

  /// Sends a call and returns what the parent answers.
  Json request(const std::string& function, Json arguments,
               const std::string& at);

  /// A test runs a playbook against a made-up case: tells the parent, then
  /// does what it says until the case is closed. Returns the record.
  Json run_fake(int playbook, const Json& setup, const std::string& at);

  /// Leaves the value of the module on the stack.
  /// @throws Error{bad_input} if a playbook may not have it.
  void require(const std::string& name);

 private:
  void prepare();
  bool load_playbook();
  bool load_tests();
  Json serve(int playbook);
  void begin(const Json& order);
  void run_step(int playbook, const Json& order);
  void run_test(const std::string& name);
  bool load_file(const std::string& name, LuaFailure& failure);
  void push_library(const std::string& name, std::string_view source);
  int line_of_playbook(int index);
  void send(const Json& message);
  Json receive();

  int fd_;
  bool is_test_;
  Sandbox sandbox_;
  std::map<std::string, std::string> files_;
  Json globals_ = Json::array();
};

/// Pushes the table of functions that the modules of lua/lib get, and nobody
/// else: request, raise, position, playbook, fake, bytes.
void push_host_functions(lua_State* L);

/// The global `require`.
int require_module(lua_State* L);

/// Registry keys.
inline constexpr const char* kModules = "impound.modules";  // name → value
inline constexpr const char* kPlaybooks = "impound.playbooks";  // table → line
inline constexpr const char* kSelf = "impound.child";

}  // namespace impound::lua
