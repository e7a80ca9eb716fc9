// SPDX-License-Identifier: Apache-2.0
#include "lua/host/global_uses.hpp"

#include <cstring>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/reader.hpp"

namespace impound::lua {
namespace {

constexpr std::uint32_t kGetTabUp = 11;  // OP_GETTABUP A B C
constexpr std::uint32_t kSetTabUp = 15;  // OP_SETTABUP A B C
constexpr int kAbsoluteLine = -0x80;     // ABSLINEINFO in ldebug.h

int append(lua_State* /*L*/, const void* bytes, std::size_t size, void* out) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), size);
  return 0;
}

/// One function of a dump: read first, judged when its upvalue names are known.
class DumpReader {
 public:
  explicit DumpReader(ByteView bytes) : reader_(bytes, "compiled Lua") {}

  std::vector<GlobalUse> read() {
    reader_.skip(4 + 1 + 1 + 6, "signature, version, format, data");
    reader_.skip(3 + 8 + 8, "sizes, integer, number");
    reader_.skip(1, "number of upvalues");
    function(0);
    return std::move(uses_);
  }

 private:
  struct AbsoluteLine {
    std::uint64_t instruction;
    std::uint64_t line;
  };

  /// loadUnsigned of lundump.c: seven bits a byte, the last one marked.
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 10; ++i) {
      const std::uint8_t byte = reader_.u8();
      value = (value << 7U) | (byte & 0x7FU);
      if ((byte & 0x80U) != 0) return value;
    }
    reader_.fail("number is too long");
  }

  std::string text() {
    const std::uint64_t size = number();
    if (size == 0) return {};
    return std::string(as_text(reader_.take(size - 1, "string")));
  }

  std::vector<std::string> constants() {
    std::vector<std::string> names;
    for (std::uint64_t left = number(); left > 0; --left) {
      const std::uint8_t type = reader_.u8();
      std::string name;
      switch (type) {
        case kFloatConstant:
        case kIntegerConstant:
          reader_.skip(8, "number");
          break;
        case 0x04:  // short string
        case 0x14:  // long string
          name = text();
          break;
        default:  // nil, false, true
          break;
      }
      names.push_back(std::move(name));
    }
    return names;
  }

  void function(int depth) {
    if (depth > limits::kMaxDepth * 4)
      reader_.fail("functions nested too deep");
    static_cast<void>(text());  // source
    const std::uint64_t first_line = number();
    static_cast<void>(number());  // last line
    reader_.skip(3, "parameters, vararg, stack size");
    const ByteView code = reader_.take(number() * 4, "code");
    const std::vector<std::string> names = constants();
    const std::uint64_t upvalues = number();
    reader_.skip(upvalues * 3, "upvalues");
    // Inner functions stand between the code and its lines.
    std::vector<GlobalUse> inner;
    std::swap(inner, uses_);
    for (std::uint64_t left = number(); left > 0; --left) function(depth + 1);
    std::swap(inner, uses_);

    const ByteView deltas = reader_.take(number(), "line deltas");
    std::vector<AbsoluteLine> absolute;
    for (std::uint64_t left = number(); left > 0; --left) {
      const std::uint64_t instruction = number();
      absolute.push_back({instruction, number()});
    }
    for (std::uint64_t left = number(); left > 0; --left) {
      static_cast<void>(text());  // local variable
      static_cast<void>(number());
      static_cast<void>(number());
    }
    std::vector<std::string> upvalue_names;
    for (std::uint64_t left = number(); left > 0; --left) {
      upvalue_names.push_back(text());
    }
    judge(code, deltas, absolute, names, upvalue_names, first_line);
    uses_.insert(uses_.end(), inner.begin(), inner.end());
  }

  void judge(ByteView code, ByteView deltas,
             const std::vector<AbsoluteLine>& absolute,
             const std::vector<std::string>& names,
             const std::vector<std::string>& upvalues,
             std::uint64_t first_line) {
    auto line = static_cast<std::int64_t>(first_line);
    std::size_t next_absolute = 0;
    Reader instructions(code, "code");
    for (std::size_t at = 0; !instructions.at_end(); ++at) {
      const std::uint32_t word = instructions.u32();
      if (at < deltas.size()) {
        const auto delta = static_cast<std::int8_t>(deltas[at]);
        if (delta == kAbsoluteLine && next_absolute < absolute.size()) {
          line = static_cast<std::int64_t>(absolute[next_absolute++].line);
        } else {
          line += delta;
        }
      }
      const std::uint32_t opcode = word & 0x7FU;
      const std::uint32_t a = (word >> 7U) & 0xFFU;
      const std::uint32_t b = (word >> 16U) & 0xFFU;
      const std::uint32_t c = (word >> 24U) & 0xFFU;
      const bool reads = opcode == kGetTabUp;
      if (!reads && opcode != kSetTabUp) continue;
      const std::uint32_t table = reads ? b : a;
      const std::uint32_t key = reads ? c : b;
      if (table >= upvalues.size() || upvalues[table] != "_ENV") continue;
      if (key >= names.size()) continue;
      uses_.push_back({names[key], static_cast<int>(line), !reads});
    }
  }

  static constexpr std::uint8_t kIntegerConstant = 0x03;
  static constexpr std::uint8_t kFloatConstant = 0x13;

  Reader reader_;
  std::vector<GlobalUse> uses_;
};

}  // namespace

std::vector<GlobalUse> global_uses(lua_State* L) {
  std::string dump;
  if (lua_dump(L, append, &dump, 0) != 0) return {};
  return DumpReader(as_bytes(dump)).read();
}

}  // namespace impound::lua
