// SPDX-License-Identifier: Apache-2.0
#include "core/engine/deployment.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"

namespace impound {
namespace {

constexpr std::int64_t kSchema = 1;

/// Names appear in custody entries, file names and control groups.
constexpr std::size_t kMaxName = 100;

std::string_view type_in_words(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
  }
  return "something else";
}

/// One table of the descriptor. Remembers which keys were asked for, so that
/// the others can be refused: a mistyped key must not be a silent default.
class Section {
 public:
  Section(const toml::table& table, std::string name, const fs::path& file)
      : table_(table), name_(std::move(name)), file_(file) {}

  [[noreturn]] void fail(const toml::node& at, std::string_view key,
                         std::string_view why) const {
    std::string where = name_;
    if (!key.empty()) where += (where.empty() ? "" : " ") + std::string(key);
    throw Error(Errc::bad_input,
                fmt::format("{}:{}: {}: {}", printable(file_.native()),
                            at.source().begin.line, where, why));
  }

  [[nodiscard]] const toml::node* find(std::string_view key) {
    asked_.push_back(key);
    return table_.get(key);
  }

  [[nodiscard]] std::optional<std::string> text(std::string_view key) {
    const toml::node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const value = node->as_string();
    if (value == nullptr) {
      fail(*node, key,
           fmt::format("expected text, found {}", type_in_words(*node)));
    }
    if (value->get().find('\0') != std::string::npos) {
      fail(*node, key, "expected text without NUL");
    }
    return value->get();
  }

  [[nodiscard]] std::string required_text(std::string_view key) {
    const auto value = text(key);
    if (!value) fail(table_, key, "is missing, expected text");
    if (value->empty()) fail(*table_.get(key), key, "is empty, expected text");
    return *value;
  }

  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key,
                                                    std::int64_t least,
                                                    std::int64_t most) {
    const toml::node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const value = node->as_integer();
    if (value == nullptr || value->get() < least || value->get() > most) {
      fail(*node, key,
           fmt::format("expected an integer from {} to {}, found {}", least,
                       most,
                       value == nullptr ? std::string(type_in_words(*node))
                                        : std::to_string(value->get())));
    }
    return value->get();
  }

  [[nodiscard]] std::optional<bool> boolean(std::string_view key) {
    const toml::node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const auto* const value = node->as_boolean();
    if (value == nullptr) {
      fail(*node, key,
           fmt::format("expected true or false, found {}",
                       type_in_words(*node)));
    }
    return value->get();
  }

  /// Absolute, with "." and ".." taken out; relative ones start at the
  /// descriptor's folder.
  [[nodiscard]] std::optional<fs::path> path(std::string_view key) {
    const auto value = text(key);
    if (!value) return std::nullopt;
    if (value->empty()) {
      fail(*table_.get(key), key, "is empty, expected a path");
    }
    return (file_.parent_path() / *value).lexically_normal();
  }

  [[nodiscard]] fs::path required_path(std::string_view key) {
    const auto value = path(key);
    if (!value) fail(table_, key, "is missing, expected a path");
    return *value;
  }

  [[nodiscard]] std::string choice(std::string_view key,
                                   std::span<const std::string_view> allowed,
                                   std::string_view otherwise) {
    const auto value = text(key);
    if (!value) return std::string(otherwise);
    if (std::ranges::find(allowed, *value) == allowed.end()) {
      fail(*table_.get(key), key,
           fmt::format("expected one of {}, found \"{}\"",
                       fmt::join(allowed, ", "), printable(*value)));
    }
    return *value;
  }

  [[nodiscard]] std::optional<Section> table(std::string_view key) {
    const toml::node* const node = find(key);
    if (node == nullptr) return std::nullopt;
    const toml::table* const below = node->as_table();
    if (below == nullptr) {
      fail(*node, key,
           fmt::format("expected a table [{}], found {}", key,
                       type_in_words(*node)));
    }
    // "[containment]" and "haproxy" make "[containment.haproxy]".
    std::string outer = name_;
    std::erase_if(outer, [](char c) { return c == '[' || c == ']'; });
    if (!outer.empty()) outer += '.';
    return Section(*below, fmt::format("[{}{}]", outer, key), file_);
  }

  [[nodiscard]] std::vector<Section> tables(std::string_view key) {
    const toml::node* const node = find(key);
    std::vector<Section> found;
    if (node == nullptr) return found;
    const toml::array* const list = node->as_array();
    if (list == nullptr) {
      fail(*node, key,
           fmt::format("expected tables [[{}]], found {}", key,
                       type_in_words(*node)));
    }
    for (const toml::node& entry : *list) {
      const toml::table* const below = entry.as_table();
      if (below == nullptr) {
        fail(entry, key,
             fmt::format("expected tables [[{}]], found {}", key,
                         type_in_words(entry)));
      }
      found.emplace_back(*below, fmt::format("[[{}]]", key), file_);
    }
    return found;
  }

  /// Call after the last key was read.
  void refuse_other_keys() const {
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
      fail(node, printable(key.str()),
           fmt::format("is not known here, expected one of {}",
                       fmt::join(asked_, ", ")));
    }
  }

  [[nodiscard]] const toml::table& raw() const { return table_; }

 private:
  const toml::table& table_;
  std::string name_;
  const fs::path& file_;
  std::vector<std::string_view> asked_;  // string literals of the callers
};

void read_model(Section& root, Deployment& deployment) {
  auto model = root.table("model");
  if (!model) return;
  deployment.model_path = model->required_path("path");
  deployment.baseline_path = model->path("baseline").value_or(fs::path());
  model->refuse_other_keys();
}

void read_logs(Section& root, Deployment& deployment) {
  for (Section& log : root.tables("logs")) {
    LogSource source;
    source.path = log.required_path("path").native();
    source.format = log.text("format").value_or("jsonl");
    source.timestamp_key = log.text("timestamp").value_or("");
    source.rotated = log.boolean("rotated").value_or(true);
    log.refuse_other_keys();
    deployment.logs.push_back(std::move(source));
  }
}

void read_process(Section& root, Deployment& deployment) {
  auto process = root.table("process");
  if (!process) return;
  constexpr std::int64_t kMostPids = 1 << 22;  // PID_MAX_LIMIT of the kernel
  ProcessLocator& locator = deployment.process;
  if (const auto pid = process->integer("pid", 1, kMostPids)) {
    locator.pid = static_cast<std::int32_t>(*pid);
  }
  if (const auto port = process->integer("port", 1, 65535)) {
    locator.port = static_cast<std::uint16_t>(*port);
  }
  locator.unit = process->text("unit");
  if (locator.unit && locator.unit->empty()) {
    process->fail(*process->raw().get("unit"), "unit",
                  "is empty, expected a unit or control group");
  }
  locator.pidfile = process->path("pidfile");
  process->refuse_other_keys();
  const int set = int{locator.pid.has_value()} + int{locator.port.has_value()} +
                  int{locator.unit.has_value()} +
                  int{locator.pidfile.has_value()};
  if (set != 1) {
    process->fail(process->raw(), "",
                  fmt::format("expected exactly one of pid, port, unit, "
                              "pidfile, found {}",
                              set));
  }
}

void read_http_probe(Section& table, Probe& probe) {
  if (!probe.url.starts_with("http://") && !probe.url.starts_with("https://")) {
    table.fail(*table.raw().get("url"), "url",
               "expected a URL that begins with http:// or https://");
  }
  if (const toml::node* const node = table.raw().get("send")) {
    table.fail(*node, "send", "is for TCP probes, expected body");
  }
}

void read_tcp_probe(Section& table, Probe& probe) {
  if (probe.host.empty() || probe.port == 0) {
    table.fail(table.raw(), probe.host.empty() ? "host" : "port",
               "is missing, expected host and port for a TCP probe");
  }
  for (const std::string_view key :
       {"method", "body", "token_file", "ca_file"}) {
    if (const toml::node* const node = table.raw().get(key)) {
      table.fail(*node, key, "is for HTTP probes, expected send or expect");
    }
  }
  probe.kind = ProbeKind::tcp;
}

Probe read_probe(Section& table) {
  constexpr std::array<std::string_view, 2> kAfter{"forbidden", "allowed"};
  constexpr std::array<std::string_view, 3> kMethods{"GET", "HEAD", "POST"};
  Probe probe;
  probe.name = table.required_text("name");
  if (table.choice("after", kAfter, "forbidden") == "allowed") {
    probe.after_containment = ProbeExpectation::allowed;
  }
  probe.url = table.text("url").value_or("");
  probe.host = table.text("host").value_or("");
  probe.port =
      static_cast<std::uint16_t>(table.integer("port", 1, 65535).value_or(0));
  probe.method = table.choice("method", kMethods, "GET");
  probe.body = table.text("body").value_or("");
  probe.send = table.text("send").value_or("");
  probe.expect = table.text("expect").value_or("");
  probe.token_file = table.path("token_file").value_or(fs::path());
  probe.ca_file = table.path("ca_file").value_or(fs::path());
  constexpr std::int64_t kLongestMs = 120'000;
  probe.timeout_ms = static_cast<int>(
      table.integer("timeout_ms", 10, kLongestMs).value_or(probe.timeout_ms));
  table.refuse_other_keys();
  const bool is_tcp = !probe.host.empty() || probe.port != 0;
  if (is_tcp != probe.url.empty()) {
    table.fail(table.raw(), "",
               "expected either url (HTTP) or host and port (TCP)");
  }
  if (is_tcp) {
    read_tcp_probe(table, probe);
  } else {
    read_http_probe(table, probe);
  }
  return probe;
}

void read_probes(Section& root, Deployment& deployment) {
  for (Section& table : root.tables("probe")) {
    Probe probe = read_probe(table);
    const auto is_same = [&](const Probe& other) {
      return other.name == probe.name;
    };
    if (std::ranges::any_of(deployment.probes, is_same)) {
      table.fail(*table.raw().get("name"), "name",
                 fmt::format("\"{}\" is the name of another probe",
                             printable(probe.name)));
    }
    deployment.probes.push_back(std::move(probe));
  }
}

/// A setting as JSON; what it must be, the method's declaration says.
Json setting(const Section& table, std::string_view key,
             const toml::node& node) {
  if (const auto* text = node.as_string()) return lossless_utf8(text->get());
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  if (const auto* list = node.as_array()) {
    Json values = Json::array();
    for (const toml::node& one : *list) {
      values.push_back(setting(table, key, one));
    }
    return values;
  }
  table.fail(node, key,
             fmt::format("expected text, an integer, true or false, or a list "
                         "of these, found {}",
                         type_in_words(node)));
}

/// method = "haproxy" and, if it takes settings, a table [containment.haproxy].
void read_containment(Section& table, Deployment& deployment) {
  ContainmentPart part;
  part.method = table.required_text("method");
  const auto is_same = [&](const ContainmentPart& other) {
    return other.method == part.method;
  };
  if (std::ranges::any_of(deployment.containments, is_same)) {
    table.fail(*table.raw().get("method"), "method",
               fmt::format("\"{}\" is named above already, expected each "
                           "method once",
                           printable(part.method)));
  }
  // The view must outlive refuse_other_keys(): part does.
  if (auto settings = table.table(part.method)) {
    for (const auto& [key, node] : settings->raw()) {
      part.settings[std::string(key.str())] =
          setting(*settings, key.str(), node);
    }
  }
  table.refuse_other_keys();
  deployment.containments.push_back(std::move(part));
}

void read_containments(Section& root, Deployment& deployment) {
  const toml::node* const node = root.find("containment");
  if (node == nullptr) return;
  if (node->is_array()) {
    for (Section& table : root.tables("containment")) {
      read_containment(table, deployment);
    }
  } else if (auto table = root.table("containment")) {
    read_containment(*table, deployment);
  }
  if (!deployment.containments.empty()) {
    deployment.containment_method = deployment.containments.front().method;
  }
}

toml::table parse(std::string_view text, const fs::path& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(Errc::bad_input,
                fmt::format("{}:{}: not TOML: {}", printable(file.native()),
                            error.source().begin.line, error.description()));
  }
}

}  // namespace

Deployment load_deployment(const fs::path& path) {
  std::error_code failure;
  const fs::path file = fs::absolute(path, failure).lexically_normal();
  if (failure) {
    throw Error(Errc::io,
                fmt::format("cannot resolve {}: {}", printable(path.native()),
                            failure.message()),
                failure.value());
  }
  const std::string text = read_text_file(file, limits::kMaxSmallFile);
  const toml::table table = parse(text, file);
  Section root(table, "", file);

  Deployment deployment;
  deployment.descriptor = file;
  deployment.descriptor_sha256 = sha256(text).hex();
  if (!root.integer("schema", kSchema, kSchema)) {
    root.fail(table, "schema", "is missing, expected schema = 1");
  }
  deployment.name = root.required_text("name");
  if (deployment.name.size() > kMaxName ||
      printable(deployment.name) != deployment.name) {
    root.fail(*table.get("name"), "name",
              fmt::format("expected at most {} bytes without control "
                          "characters",
                          kMaxName));
  }
  deployment.description = root.text("description").value_or("");
  read_model(root, deployment);
  read_logs(root, deployment);
  read_process(root, deployment);
  read_containments(root, deployment);
  read_probes(root, deployment);
  root.refuse_other_keys();
  return deployment;
}

}  // namespace impound
