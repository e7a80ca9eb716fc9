// SPDX-License-Identifier: Apache-2.0
#include <link.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstring>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/text.hpp"
#include "core/casefile/custody.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

std::string first_line(const std::optional<std::string>& text) {
  return text ? std::string(trim(text->substr(0, text->find('\n')))) : "";
}

/// PRETTY_NAME of os-release(5), without its quotes.
std::string distribution() {
  const auto text = read_proc_text("/etc/os-release");
  if (!text) return "unknown";
  for (const std::string& line : split(*text, '\n')) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string name = line.substr(12);
    std::erase(name, '"');
    return lossless_utf8(name);
  }
  return "unknown";
}

/// The GNU build id is a note in the program's own image; elf(5).
std::string build_id_in(const dl_phdr_info& image) {
  for (int i = 0; i < image.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = image.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(image.dlpi_addr) +
                     header.p_vaddr;  // mapped by the loader
    std::string_view left(at, header.p_memsz);
    ElfW(Nhdr) note{};
    while (left.size() >= sizeof note) {
      std::memcpy(&note, left.data(), sizeof note);
      const std::size_t name_size = (note.n_namesz + 3U) & ~3U;
      const std::size_t id_size = (note.n_descsz + 3U) & ~3U;
      if (left.size() - sizeof note < name_size + id_size) break;
      const std::string_view name = left.substr(sizeof note, note.n_namesz);
      if (note.n_type == NT_GNU_BUILD_ID &&
          name == std::string_view("GNU\0", 4)) {
        return to_hex(
            as_bytes(left.substr(sizeof note + name_size, note.n_descsz)));
      }
      left.remove_prefix(sizeof note + name_size + id_size);
    }
  }
  return "none";
}

int take_first_image(dl_phdr_info* image, std::size_t /*size*/, void* user) {
  *static_cast<std::string*>(user) = build_id_in(*image);
  return 1;  // the first one is the program; stop
}

/// Evidence goes on where /proc is not mounted; the record then says so.
std::string hash_of_this_program() {
  try {
    return sha256_of(*open_source("/proc/self/exe")).hex();
  } catch (const Error& error) {
    return std::string("unknown: ") + error.what();
  }
}

}  // namespace

Json Actor::to_json() const {
  return {{"kind", kind}, {"name", name}, {"org", org},
          {"role", role}, {"auth", auth}, {"on_behalf_of", on_behalf_of}};
}

HostFacts read_host_facts() {
  HostFacts facts;
  utsname system{};
  if (::uname(&system) == 0) {
    facts.hostname = lossless_utf8(system.nodename);
    facts.os = distribution() + ", " + system.sysname + " " + system.release +
               " " + system.machine;
  }
  const std::string machine = first_line(read_proc_text("/etc/machine-id"));
  // machine-id(5) asks not to publish the id itself.
  facts.machine_id_sha256 =
      machine.empty() ? "none" : sha256("impound machine " + machine).hex();
  facts.uid = static_cast<std::int64_t>(::getuid());
  return facts;
}

ToolFacts read_tool_facts() {
  static const ToolFacts kFacts = [] {
    ToolFacts facts;
    facts.version = IMPOUND_VERSION;
    facts.executable_sha256 = hash_of_this_program();
    ::dl_iterate_phdr(take_first_image, &facts.build_id);
    return facts;
  }();
  return kFacts;
}

}  // namespace impound
