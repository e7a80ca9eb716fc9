// SPDX-License-Identifier: Apache-2.0
#include "containment/forbidden.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr auto kHttp = ControlProtocol::http;
constexpr auto kProxy = ControlProtocol::haproxy;
constexpr auto kProgram = ControlProtocol::program;
constexpr auto kDestroys = RequestHarm::destroys;
constexpr auto kIfSaid = RowHolds::if_said;
constexpr auto kUnlessSaid = RowHolds::unless_said;

constexpr std::string_view kWeights = "overwrites the weights in memory";
constexpr std::string_view kCache = "destroys the prompt cache";
constexpr std::string_view kSlots = "erases a slot with its prompt";
constexpr std::string_view kDeletes = "deletes what is evidence";
constexpr std::string_view kAdapter =
    "unloads an adapter: its scale can be set to 0, or the door closed";
constexpr std::string_view kReplaces =
    "replaces what is served, as whoever attacked it would";
constexpr std::string_view kEnds = "ends what is to be kept in memory";
constexpr std::string_view kUnloads = "takes the weights out of memory";

constexpr std::array kRows{
    // Any server.
    ForbiddenRow{.verb = "DELETE",
                 .what = "**",
                 .why = kDeletes,
                 .example = "DELETE /v1/anything"},
    ForbiddenRow{.what = "**/{weight,weights}_checker",
                 .holds = kIfSaid,
                 .key = "action",
                 .value = "reset",
                 .why = kWeights,
                 .example = "POST /weight_checker\n{\"action\":\"reset\"}"},
    ForbiddenRow{
        .what = "**/{weight,weights}_checker",
        .holds = kIfSaid,
        .key = "action",
        .value = "reset_tensors",
        .why = kWeights,
        .example = "POST /weights_checker\n{\"action\":\"reset_tensors\"}"},
    ForbiddenRow{.what =
                     "**/{flush_cache,clear_hicache_storage_backend,"
                     "reset_prefix_cache,reset_mm_cache,reset_encoder_cache}",
                 .why = kCache,
                 .example = "GET /flush_cache"},
    ForbiddenRow{.what = "**/slots/*",
                 .holds = kIfSaid,
                 .key = "action",
                 .value = "erase",
                 .why = kSlots,
                 .example = "POST /slots/0?action=erase"},
    ForbiddenRow{.what = "**/unload_lora_adapter",
                 .why = kAdapter,
                 .example = "POST /v1/unload_lora_adapter"},
    ForbiddenRow{
        .what = "**/{load_lora_adapter,update_weights*,start_weight_update,"
                "finish_weight_update,update_weight_version,collective_rpc,"
                "init_weight_transfer_engine}",
        .why = kReplaces,
        .example = "POST /update_weights_from_disk"},
    // vLLM: the defaults abort what runs and clear the cache.
    ForbiddenRow{.what = "**/pause",
                 .holds = kIfSaid,
                 .key = "mode",
                 .value = "abort",
                 .why = "ends the requests in flight",
                 .example = "POST /pause?mode=abort&clear_cache=false"},
    ForbiddenRow{.verb = "POST",
                 .what = "/pause",
                 .holds = kUnlessSaid,
                 .key = "clear_cache",
                 .value = "false",
                 .why = kCache,
                 .example = "POST /pause?mode=keep"},
    ForbiddenRow{.verb = "POST",
                 .what = "/pause",
                 .holds = kUnlessSaid,
                 .key = "mode",
                 .value = "keep",
                 .why = "ends the requests in flight, as it does by default",
                 .example = "POST /pause?clear_cache=false"},
    ForbiddenRow{.verb = "POST",
                 .what = "/sleep",
                 .holds = kIfSaid,
                 .key = "level",
                 .value = "2",
                 .why = "throws the weights away",
                 .example = "POST /sleep?level=2"},
    ForbiddenRow{.verb = "POST",
                 .what = "/sleep",
                 .harm = kDestroys,
                 .why = "destroys the prompt cache and moves the weights",
                 .example = "POST /sleep?level=1"},
    ForbiddenRow{.what = "**/release_memory_occupation",
                 .harm = kDestroys,
                 .why = "destroys the prompt cache and the weights in memory",
                 .example = "POST /release_memory_occupation"},
    // SGLang: the newer bodies of a pause.
    ForbiddenRow{.what = "**/pause_generation",
                 .holds = kIfSaid,
                 .key = "mode",
                 .value = "abort",
                 .why = "ends the requests in flight",
                 .example = "POST /pause_generation\n{\"mode\":\"abort\"}"},
    ForbiddenRow{.what = "**/abort_request*",
                 .why = "ends the requests in flight",
                 .example = "POST /abort_requests"},
    // Registries of models.
    ForbiddenRow{.what = "/api/{delete,create,copy,push,pull}",
                 .why = kDeletes,
                 .example = "POST /api/delete"},
    ForbiddenRow{.what = "**/{model,key,team,user}/delete",
                 .why = kDeletes,
                 .example = "POST /model/delete"},
    ForbiddenRow{.what = "**/api/generate",
                 .holds = kIfSaid,
                 .key = "keep_alive",
                 .value = "0",
                 .harm = kDestroys,
                 .why = kUnloads,
                 .example = "POST /api/generate\n{\"keep_alive\":0}"},
    ForbiddenRow{.what = "**/repository/models/*/unload",
                 .harm = kDestroys,
                 .why = kUnloads,
                 .example = "POST /v2/repository/models/m/unload"},
    ForbiddenRow{.what = "**/models/unload",
                 .harm = kDestroys,
                 .why = kUnloads,
                 .example = "POST /models/unload"},
    ForbiddenRow{.verb = "PUT",
                 .what = "/models/**",
                 .holds = kIfSaid,
                 .key = "max_worker",
                 .value = "0",
                 .harm = kDestroys,
                 .why = "ends the worker processes",
                 .example = "PUT /models/m?min_worker=0&max_worker=0"},
    // KServe: the annotation deletes what serves.
    ForbiddenRow{.what = "**",
                 .holds = kIfSaid,
                 .key = "serving.kserve.io/stop",
                 .value = "true",
                 .harm = kDestroys,
                 .why = "deletes what serves, with all that is in memory",
                 .example = "PATCH /apis/x\n{\"metadata\":{\"annotations\":"
                            "{\"serving.kserve.io/stop\":\"true\"}}}"},
    // Proxies and engines.
    ForbiddenRow{.what = "**/quitquitquit",
                 .why = kEnds,
                 .example = "POST /quitquitquit"},
    ForbiddenRow{.what = "**/{containers,pods}/*/{kill,restart}",
                 .why = kEnds,
                 .example = "POST /v1.40/containers/web/kill"},
    ForbiddenRow{.what = "**/{containers,pods}/*/stop",
                 .harm = kDestroys,
                 .why = kEnds,
                 .example = "POST /v1.40/containers/web/stop"},
    ForbiddenRow{.what = "**/{containers,images,networks,volumes,build,system,"
                         "pods}/prune",
                 .why = kDeletes,
                 .example = "POST /v1.40/containers/prune"},
    ForbiddenRow{.what = "**/pods/*/eviction",
                 .why = kEnds,
                 .example = "POST /api/v1/namespaces/n/pods/p/eviction"},
    ForbiddenRow{.protocol = kProxy,
                 .what = "del",
                 .why = kDeletes,
                 .example = "del server models/gpu1"},
    ForbiddenRow{.protocol = kProxy,
                 .what = "clear",
                 .why = "throws counters and tables away",
                 .example = "clear table models"},
    ForbiddenRow{.protocol = kProxy,
                 .what = "shutdown frontend",
                 .why = "cannot be undone",
                 .example = "shutdown frontend public"},
    // Programs.
    ForbiddenRow{.protocol = kProgram,
                 .what = "nft flush ruleset",
                 .why = "throws the rules of others away",
                 .example = "nft flush ruleset"},
    ForbiddenRow{.protocol = kProgram,
                 .what = "systemctl kill",
                 .why = kEnds,
                 .example = "systemctl kill model.service"},
    ForbiddenRow{.protocol = kProgram,
                 .what = "systemctl restart",
                 .why = kEnds,
                 .example = "systemctl restart model.service"},
    ForbiddenRow{.protocol = kProgram,
                 .what = "systemctl stop",
                 .harm = kDestroys,
                 .why = kEnds,
                 .example = "systemctl stop model.service"},
    ForbiddenRow{.protocol = kProgram,
                 .what = "kubectl delete",
                 .why = kDeletes,
                 .example = "kubectl delete pod p"},
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Undone until nothing changes: some servers decode twice.
std::string decoded(std::string text) {
  for (int round = 0; round < 4; ++round) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (text[i] == '%' && high >= 0 && low >= 0) {
        plain += static_cast<char>(high * 16 + low);
        i += 2;
      } else {
        plain += text[i];
      }
    }
    if (plain == text) break;
    text = std::move(plain);
  }
  return text;
}

/// Lower case, without query, empty, "." and ".." segments.
std::string plain_path(std::string_view target) {
  const std::string path = to_lower_ascii(
      decoded(std::string(target.substr(0, target.find_first_of("?#")))));
  std::vector<std::string> segments;
  for (const std::string& segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
      continue;
    }
    segments.push_back(segment);
  }
  return "/" + join(segments, "/");
}

bool is_value(const Json& value, std::string_view wanted) {
  if (value.is_string()) {
    return to_lower_ascii(trim(value.get<std::string>())) == wanted;
  }
  // -0, 0.0 and 0 are one number to the server.
  if (value.is_number() && wanted == "0") return value.get<double>() == 0;
  return to_lower_ascii(value.dump()) == wanted;
}

bool says_in(const Json& json, std::string_view key, std::string_view value) {
  if (json.is_object()) {
    return std::ranges::any_of(json.items(), [&](const auto& item) {
      return (to_lower_ascii(item.key()) == key &&
              is_value(item.value(), value)) ||
             says_in(item.value(), key, value);
    });
  }
  return json.is_array() && std::ranges::any_of(json, [&](const Json& one) {
           return says_in(one, key, value);
         });
}

/// key=value&… of a query or a form.
bool says_in_form(std::string_view form, std::string_view key,
                  std::string_view value) {
  return std::ranges::any_of(split(form, '&'), [&](const std::string& pair) {
    const auto middle = pair.find('=');
    if (middle == std::string::npos) return false;
    return to_lower_ascii(decoded(pair.substr(0, middle))) == key &&
           to_lower_ascii(decoded(pair.substr(middle + 1))) == value;
  });
}

/// Null where the body is no JSON.
Json parsed(std::string_view body) {
  return Json::parse(body, nullptr, /*allow_exceptions=*/false);
}

bool says(const OutgoingRequest& request, std::string_view key,
          std::string_view value) {
  const auto query = request.what.find('?');
  if (query != std::string_view::npos &&
      says_in_form(request.what.substr(query + 1), key, value)) {
    return true;
  }
  const Json body = parsed(request.body);
  return body.is_discarded() ? says_in_form(trim(request.body), key, value)
                             : says_in(body, key, value);
}

bool holds(const ForbiddenRow& row, const OutgoingRequest& request) {
  switch (row.holds) {
    case RowHolds::always:
      return true;
    case RowHolds::if_said:
      return says(request, row.key, row.value);
    case RowHolds::unless_said:
      return !says(request, row.key, row.value);
  }
  return true;
}

std::vector<std::string> words_of(std::string_view text) {
  std::string spaced(text);
  // Several commands of one line, and options between the words.
  std::ranges::replace_if(
      spaced, [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  std::vector<std::string> words;
  for (const std::string& word : split(to_lower_ascii(spaced), ' ')) {
    if (!word.empty() && !word.starts_with('-')) words.push_back(word);
  }
  return words;
}

/// A program is named by its last path component.
bool meets_command(const ForbiddenRow& row, std::string_view command,
                   std::string_view body) {
  const auto wanted = words_of(row.what);
  const auto starts = [&](std::vector<std::string> words) {
    if (words.size() < wanted.size()) return false;
    if (row.protocol == ControlProtocol::program) {
      words.front() = std::string(base_name(words.front()));
    }
    if (row.protocol == ControlProtocol::haproxy) {
      return std::equal(wanted.begin(), wanted.end(), words.begin());
    }
    // Options with values of their own may stand between: kubectl -n x delete.
    return words.front() == wanted.front() &&
           !std::ranges::search(std::span(words).subspan(1),
                                std::span(wanted).subspan(1))
                .empty();
  };
  if (row.protocol == ControlProtocol::haproxy) {
    std::string line(command);
    std::ranges::replace(line, '\n', ';');
    return std::ranges::any_of(split(line, ';'), [&](const std::string& one) {
      return starts(words_of(one));
    });
  }
  if (starts(words_of(command))) return true;
  // nft reads its commands from a file: "flush ruleset", or the same as JSON.
  std::string plain(body);
  std::ranges::replace_if(
      plain,
      [](char c) {
        return std::string_view("{}[]\":,;").find(c) != std::string_view::npos;
      },
      ' ');
  std::vector<std::string> words = words_of(command);
  const auto further = words_of(plain);
  words.insert(words.end(), further.begin(), further.end());
  return starts(std::move(words));
}

bool meets(const ForbiddenRow& row, const OutgoingRequest& request,
           const std::string& path, const std::string& verb) {
  if (row.protocol != request.protocol) return false;
  if (request.protocol != ControlProtocol::http) {
    return meets_command(row, request.what, request.body);
  }
  return (row.verb.empty() || row.verb == verb) && glob_match(row.what, path) &&
         holds(row, request);
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

}  // namespace

std::span<const ForbiddenRow> forbidden_rows() { return kRows; }

const ForbiddenRow* find_forbidden(const OutgoingRequest& request) {
  const std::string path = request.protocol == ControlProtocol::http
                               ? plain_path(request.what)
                               : std::string();
  const std::string verb = upper(trim(request.verb));
  const ForbiddenRow* found = nullptr;
  for (const ForbiddenRow& row : kRows) {
    if (!meets(row, request, path, verb)) continue;
    // What is never allowed decides over what may be.
    if (row.harm == RequestHarm::forbidden) return &row;
    if (found == nullptr) found = &row;
  }
  return found;
}

void require_allowed(const OutgoingRequest& request, bool may_destroy) {
  const ForbiddenRow* const row = find_forbidden(request);
  if (row == nullptr) return;
  const bool is_allowed = row->harm == RequestHarm::destroys && may_destroy;
  if (is_allowed) return;
  throw Error(Errc::unsupported,
              fmt::format("not sent, {}: {}{}{} {}",
                          row->harm == RequestHarm::forbidden
                              ? "forbidden to every containment"
                              : "allowed by --destroys-evidence alone",
                          request.verb, request.verb.empty() ? "" : " ",
                          printable(request.what), row->why));
}

}  // namespace impound
