// SPDX-License-Identifier: Apache-2.0
#include "lua/host/json_values.hpp"

#include <cmath>
#include <map>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound::lua {
namespace {

std::string text_at(lua_State* L, int index) {
  std::size_t size = 0;
  const char* chars = lua_tolstring(L, index, &size);
  std::string text(chars, size);
  return is_utf8(text) ? text : lossless_utf8(text);
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(Errc::bad_input,
              (path.empty() ? std::string("value") : path) + ": " + what);
}

Json convert(lua_State* L, int index, Functions functions,
             const std::string& path, int depth);

/// Number of the last element if the keys are exactly 1 … n; -1 otherwise.
lua_Integer array_length(lua_State* L, int table) {
  lua_Integer count = 0;
  lua_Integer largest = 0;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_isinteger(L, -2) == 0) {
      lua_pop(L, 2);
      return -1;
    }
    const lua_Integer key = lua_tointeger(L, -2);
    if (key < 1) {
      lua_pop(L, 2);
      return -1;
    }
    largest = std::max(largest, key);
    ++count;
  }
  return largest == count ? count : -1;
}

Json convert_table(lua_State* L, int table, Functions functions,
                   const std::string& path, int depth) {
  if (depth >= limits::kMaxDepth / 2) {
    throw Error(Errc::limit,
                path + ": table is nested too deeply, or contains itself");
  }
  luaL_checkstack(L, 4, "table is nested too deeply");
  const lua_Integer length = array_length(L, table);
  if (length > 0) {
    Json array = Json::array();
    for (lua_Integer i = 1; i <= length; ++i) {
      lua_rawgeti(L, table, i);
      array.push_back(convert(L, lua_gettop(L), functions,
                              path + "[" + std::to_string(i) + "]", depth + 1));
      lua_pop(L, 1);
    }
    return array;
  }
  std::map<std::string, Json> sorted;
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      refuse(path, std::string("a table holds either a list 1, 2, 3 … or text "
                               "keys; found a key that is a ") +
                       luaL_typename(L, -2));
    }
    const std::string key = text_at(L, -2);
    const std::string inner = path.empty() ? key : path + "." + key;
    sorted[key] = convert(L, lua_gettop(L), functions, inner, depth + 1);
  }
  Json object = Json::object();
  for (auto& [key, value] : sorted) object[key] = std::move(value);
  return object;
}

Json describe_function(lua_State* L, int index) {
  lua_Debug about{};
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &about);
  return Json{{"$function", Json{{"line", about.linedefined}}}};
}

Json convert(lua_State* L, int index, Functions functions,
             const std::string& path, int depth) {
  switch (lua_type(L, index)) {
    case LUA_TNIL:
      return nullptr;
    case LUA_TBOOLEAN:
      return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER: {
      if (lua_isinteger(L, index) != 0) {
        return static_cast<std::int64_t>(lua_tointeger(L, index));
      }
      const lua_Number number = lua_tonumber(L, index);
      if (!std::isfinite(number)) refuse(path, "number is not finite");
      return static_cast<double>(number);
    }
    case LUA_TSTRING:
      return text_at(L, index);
    case LUA_TTABLE:
      return convert_table(L, index, functions, path, depth);
    case LUA_TFUNCTION:
      if (functions == Functions::describe) return describe_function(L, index);
      break;
    default:
      break;
  }
  refuse(path, std::string("expected text, a number, a boolean or a table, "
                           "found a ") +
                   luaL_typename(L, index));
}

Json decoded(Json json) {
  if (json.is_string()) {
    return from_lossless_utf8(json.get_ref<const std::string&>());
  }
  if (json.is_structured()) {
    for (Json& inner : json) inner = decoded(std::move(inner));
  }
  return json;
}

}  // namespace

Json json_from_lua(lua_State* L, int index, Functions functions) {
  return convert(L, lua_absindex(L, index), functions, "", 0);
}

void push_json(lua_State* L, const Json& json) {
  luaL_checkstack(L, 4, "value is nested too deeply");
  switch (json.type()) {
    case Json::value_t::boolean:
      lua_pushboolean(L, json.get<bool>() ? 1 : 0);
      return;
    case Json::value_t::number_integer:
      lua_pushinteger(L, json.get<std::int64_t>());
      return;
    case Json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() <= INT64_MAX) {
        lua_pushinteger(L, json.get<std::int64_t>());
      } else {
        lua_pushnumber(L, json.get<double>());
      }
      return;
    case Json::value_t::number_float:
      lua_pushnumber(L, json.get<double>());
      return;
    case Json::value_t::string: {
      const auto& text = json.get_ref<const std::string&>();
      lua_pushlstring(L, text.data(), text.size());
      return;
    }
    case Json::value_t::array: {
      lua_createtable(L, narrow<int>(json.size()), 0);
      lua_Integer i = 0;
      for (const Json& element : json) {
        push_json(L, element);
        lua_rawseti(L, -2, ++i);
      }
      return;
    }
    case Json::value_t::object:
      lua_createtable(L, 0, narrow<int>(json.size()));
      for (const auto& [key, value] : json.items()) {
        lua_pushlstring(L, key.data(), key.size());
        push_json(L, value);
        lua_rawset(L, -3);
      }
      return;
    case Json::value_t::null:
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  lua_pushnil(L);
}

void push_answer(lua_State* L, const Json& json) {
  push_json(L, decoded(json));
}

}  // namespace impound::lua
