// SPDX-License-Identifier: Apache-2.0
/// host: the machine that the model runs on, as the kernel describes it. Asks
/// files and system calls only; no program is started [I5].
///
/// Stored as host/<name>, each thing an item of its own.

#include <fmt/format.h>

#include <array>
#include <string>

#include "collectors/host_facts.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/evidence/collector.hpp"

namespace impound {
namespace {

struct PlainFile {
  std::string_view name;  ///< below host/
  std::string_view path;
};

/// Volatile text that is stored as it is, most volatile first.
constexpr std::array<PlainFile, 20> kPlainFiles{{
    {"uptime", "/proc/uptime"},
    {"loadavg", "/proc/loadavg"},
    {"net/arp", "/proc/net/arp"},
    {"net/route", "/proc/net/route"},
    {"net/ipv6_route", "/proc/net/ipv6_route"},
    {"net/dev", "/proc/net/dev"},
    {"net/tcp", "/proc/net/tcp"},
    {"net/tcp6", "/proc/net/tcp6"},
    {"net/udp", "/proc/net/udp"},
    {"net/udp6", "/proc/net/udp6"},
    {"net/unix", "/proc/net/unix"},
    {"modules", "/proc/modules"},
    {"mountinfo", "/proc/self/mountinfo"},
    {"meminfo", "/proc/meminfo"},
    {"cpuinfo", "/proc/cpuinfo"},
    {"kernel-command-line", "/proc/cmdline"},
    {"version", "/proc/version"},
    {"resolv.conf", "/etc/resolv.conf"},
    {"hosts", "/etc/hosts"},
    {"os-release", "/etc/os-release"},
}};

/// What is stored as it is, secrets and all.
constexpr std::array<std::string_view, 4> kNotSearched{
    "environments of processes (not taken)", "the kernel's command line",
    "names of sockets, mounts and modules", "files of /etc"};

/// Facts of one graphics device in sysfs.
constexpr std::array<std::string_view, 6> kDeviceFiles{
    "uevent",           "vendor",           "device",
    "subsystem_vendor", "subsystem_device", "revision"};

class HostCollector {
 public:
  HostCollector(const Target& target, EvidenceSink& sink)
      : target_(target), sink_(sink) {}

  void run() {
    json("clock.json", clock_facts(target_.clock), "clock_gettime(2)");
    processes();
    for (const PlainFile& file : kPlainFiles) {
      if (must_stop()) return;
      plain(file.name, std::string(file.path));
    }
    users();
    json("listening.json", listening_sockets(procfs_), "/proc/net");
    interfaces();
    json("kernel.json", kernel_identity(), "uname(2)");
    json("containers.json", containers(procfs_), "/proc/*/cgroup");
    container_runtimes();
    nvidia();
    graphics_devices();
  }

 private:
  bool must_stop() {
    if (!sink_.must_stop() && !target_.cancellation.requested()) return false;
    sink_.gap("host", Outcome::partial,
              "stopped: the rest of the host's state was not looked at");
    return true;
  }

  void json(std::string_view name, const Json& value, std::string_view source) {
    const std::string text = dump_pretty(value);
    bytes(name, text, std::string(source));
  }

  void bytes(std::string_view name, std::string_view text, std::string source,
             Outcome outcome = Outcome::ok) {
    sink_.bytes({.name = fmt::format("host/{}", name),
                 .content = as_bytes(text),
                 .source = std::move(source),
                 .outcome = outcome});
  }

  void plain(std::string_view name, const fs::path& path) {
    const auto text = read_volatile(path);
    if (!text) {
      const OsFailure& failure = text.failure();
      sink_.gap(path.native(),
                failure.is_missing()  ? Outcome::missing
                : failure.is_denied() ? Outcome::denied
                                      : Outcome::failed,
                failure.message());
      return;
    }
    bytes(name, text->text, path.native(),
          text->is_whole ? Outcome::ok : Outcome::partial);
  }

  void processes() {
    Redactor redactor;
    const std::string lines = process_list(procfs_, redactor);
    bytes("processes.jsonl", lines, "/proc");
    const std::string record = dump_pretty(redactor.record(kNotSearched));
    BytesRequest request{.name = "host/redaction.json",
                         .content = as_bytes(record)};
    request.notes["redaction"] = redactor.summary(kNotSearched);
    sink_.bytes(request);
  }

  void users() {
    const fs::path utmp = "/run/utmp";
    if (const auto found = logged_in_users(utmp)) {
      json("users.json", *found, utmp.native());
    } else {
      sink_.gap(utmp.native(), Outcome::missing,
                "no record of logged-in users");
    }
  }

  void interfaces() {
    try {
      json("interfaces.json", network_interfaces(), "getifaddrs(3)");
    } catch (const Error& error) {
      sink_.gap("network interfaces", Outcome::failed, error.what());
    }
  }

  void container_runtimes() {
    Json found = Json::array();
    for (const std::string_view path :
         {"/run/docker.sock", "/run/containerd/containerd.sock",
          "/run/podman/podman.sock", "/run/crio/crio.sock", "/.dockerenv",
          "/run/.containerenv"}) {
      if (stat_path(path, Links::refuse)) found.push_back(path);
    }
    json("container-runtimes.json", found, "/run");
  }

  /// The driver describes itself in /proc; nvidia-smi is not started.
  void nvidia() {
    const fs::path driver = "/proc/driver/nvidia";
    if (!stat_path(driver, Links::refuse)) {
      sink_.gap(driver.native(), Outcome::missing,
                "no NVIDIA driver is loaded");
      return;
    }
    for (const std::string_view file : {"version", "params", "registry"}) {
      plain(fmt::format("gpu/nvidia/{}", file), driver / file);
    }
    const auto gpus = list_directory(driver / "gpus");
    if (!gpus) return;
    for (const std::string& gpu : *gpus) {
      plain(fmt::format("gpu/nvidia/{}/information", gpu),
            driver / "gpus" / gpu / "information");
    }
  }

  void graphics_devices() {
    const fs::path folder = "/sys/class/drm";
    const auto names = list_directory(folder);
    std::size_t cards = 0;
    if (names) {
      for (const std::string& name : *names) {
        // "card0", not its connectors "card0-DP-1"
        if (!name.starts_with("card") || name.find('-') != name.npos) continue;
        ++cards;
        for (const std::string_view file : kDeviceFiles) {
          const fs::path path = folder / name / "device" / file;
          if (stat_path(path, Links::follow)) {
            plain(fmt::format("gpu/drm/{}/{}", name, file), path);
          }
        }
      }
    }
    if (cards == 0) {
      sink_.gap(folder.native(), Outcome::missing, "no graphics device");
    }
  }

  const Target& target_;
  EvidenceSink& sink_;
  ProcFs procfs_;
};

void collect(const Target& target, EvidenceSink& sink) {
  HostCollector(target, sink).run();
}

std::string describe(const Target&) {
  return "Reads the state of this machine: processes, sockets, users, mounts, "
         "modules, network, containers, GPUs.";
}

/// Text, most of it the lists of processes and sockets.
std::uint64_t estimate(const Target&) { return 2 * limits::kMiB; }

}  // namespace

extern const Collector kHost;
constinit const Collector kHost{
    .name = "host",
    .summary =
        "The machine: processes, sockets, users, mounts, modules, "
        "network, containers, GPUs.",
    .reach = Reach::device,
    .volatility = 2,
    .parameters = {},
    .collect = collect,
    .describe = describe,
    .estimate = estimate,
};

}  // namespace impound
