// SPDX-License-Identifier: Apache-2.0
#include "core/evidence/secret_search.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/text.hpp"
#include "core/evidence/secret_shapes.hpp"

namespace impound {
namespace {

constexpr auto kNpos = std::string_view::npos;
constexpr std::string_view kBlanks = " \t\r\n";

/// Of a URL or DSN, and of a value in brackets: more is hostile, and is cut.
constexpr std::size_t kLongestAddress = 2048;
constexpr std::size_t kLongestHost = 160;
constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestBracket = 64 * 1024;

bool is_blank(char c) { return kBlanks.find(c) != kNpos; }

/// Characters of names and of options.
bool is_name_character(char c) {
  return is_alnum_ascii(c) || c == '_' || c == '-' || c == '.';
}

/// Characters of keys in base64 and its variant for URLs, without '/', else
/// every path would be a run.
bool is_run_character(char c) {
  return is_alnum_ascii(c) || c == '_' || c == '-' || c == '+' || c == '=';
}

std::size_t run_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_run_character(text[at])) ++at;
  return at;
}

/// Hooks whose address is the secret: what stands before it.
constexpr auto kHooks = std::to_array<std::string_view>(
    {"hooks.slack.com/services/", "hooks.slack.com/workflows/",
     "hooks.slack.com/triggers/", "discord.com/api/webhooks/",
     "discordapp.com/api/webhooks/", "outlook.office.com/webhook/",
     "webhook.office.com/webhookb2/", "api.telegram.org/bot",
     "hooks.zapier.com/hooks/catch/", "maker.ifttt.com/trigger/",
     "open.feishu.cn/open-apis/bot/v2/hook/",
     "open.larksuite.com/open-apis/bot/v2/hook/", "hooks.airtable.com/",
     "events.pagerduty.com/integration/", "chat.googleapis.com/v1/spaces/",
     "alert.victorops.com/integrations/", "hooks.mattermost.com/hooks/",
     "/hooks/catch/", "webhook.site/"});

/// What is no secret although it looks random: digests, public keys.
constexpr auto kPublic = std::to_array<std::string_view>(
    {"sha256-", "sha384-", "sha512-",
     "sha256:", "sha512:", "SHA256:", "ssh-rsa ", "ssh-ed25519 ",
     "ecdsa-sha2-nistp256 ", "ecdsa-sha2-nistp384 ", "ecdsa-sha2-nistp521 ",
     "sk-ssh-ed25519@openssh.com ", "h1:", "blake3:", "md5-"});

/// Schemes in whose paths an '@' is common, and raw '/' in passwords is not.
constexpr auto kWebSchemes = std::to_array<std::string_view>(
    {"http", "https", "ws", "wss", "git", "file", "oci", "docker"});

/// Names whose value goes to the end of the line or of the quotes.
constexpr auto kHeaders = std::to_array<std::string_view>(
    {"authorization", "proxy-authorization", "cookie", "set-cookie",
     "x-api-key", "x-auth-token", "x-amz-security-token"});

enum class Holds : std::uint8_t {
  all,            ///< the value is the secret
  behind_colon,   ///< user:secret
  behind_percent  ///< user%secret
};

struct ShortOption {
  std::string_view program;
  std::string_view option;
  Holds holds = Holds::all;
  bool may_be_attached = false;  ///< -pSECRET
};
constexpr auto kShortOptions = std::to_array<ShortOption>({
    {"mysql", "-p", Holds::all, true},
    {"mysqldump", "-p", Holds::all, true},
    {"mysqladmin", "-p", Holds::all, true},
    {"mysqlimport", "-p", Holds::all, true},
    {"mariadb", "-p", Holds::all, true},
    {"mariadb-dump", "-p", Holds::all, true},
    {"sshpass", "-p", Holds::all, true},
    {"mongo", "-p"},
    {"mongosh", "-p"},
    {"mongodump", "-p"},
    {"cqlsh", "-p"},
    {"docker", "-p"},
    {"podman", "-p"},
    {"az", "-p"},
    {"7z", "-p", Holds::all, true},
    {"redis-cli", "-a"},
    {"ldapsearch", "-w"},
    {"ldapmodify", "-w"},
    {"ldapadd", "-w"},
    {"sqlcmd", "-P"},
    {"bcp", "-P"},
    {"zip", "-P"},
    {"unzip", "-P"},
    {"curl", "-u", Holds::behind_colon, true},
    {"curl", "--user", Holds::behind_colon},
    {"curl", "--proxy-user", Holds::behind_colon},
    {"curl", "-U", Holds::behind_colon},
    {"http", "-a", Holds::behind_colon},
    {"https", "-a", Holds::behind_colon},
    {"ab", "-A", Holds::behind_colon},
    {"smbclient", "-U", Holds::behind_percent},
    {"rpcclient", "-U", Holds::behind_percent},
    {"openssl", "-k"},
    {"openssl", "-K"},
    {"openvpn", "--askpass"},
    {"snmpget", "-c"},
    {"snmpwalk", "-c"},
});

bool is_port_mapping(std::string_view value) {
  return value.find_first_not_of("0123456789.:/tcpud-") == kNpos &&
         is_digit_ascii(value.front());
}

/// What `-p` is given by programs that mean ports, paths, profiles or
/// parameters by it.
bool is_other_than_password(std::string_view value) {
  return is_port_mapping(value) || value.find_first_of("=/") != kNpos ||
         value.starts_with('.') || value.starts_with('-') ||
         (value.size() <= 20 && std::ranges::all_of(value, [](char c) {
            return is_lower_ascii(c) || c == '-' || c == '_' || c == ',';
          }));
}

/// Decodes base64 as far as needed to see "user:password".
bool is_basic_credential(std::string_view word) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::uint32_t bits = 0;
  int held = 0;
  bool has_colon = false;
  for (const char c : word) {
    if (c == '=') break;
    const std::size_t value = kAlphabet.find(c);
    if (value == kNpos) return false;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    const std::uint32_t byte = bits >> static_cast<unsigned>(held) & 0xffU;
    if (byte < 0x20) return false;
    has_colon = has_colon || byte == ':';
  }
  return has_colon;
}

class Search {
 public:
  Search(std::string_view text, std::string_view program)
      : text_(text),
        program_(program),
        has_at_(text.find('@') != kNpos),
        has_net_(has_at_ && text.find('(') != kNpos),
        has_oracle_(text.find("oracle:thin:") != kNpos),
        login_(text.find("login ")) {}

  std::vector<SecretSpan> run() && {
    while (at_ < text_.size()) {
      const std::size_t before = at_;
      step();
      if (at_ <= before) at_ = before + 1;
    }
    return std::move(found_);
  }

 private:
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  [[nodiscard]] char before(std::size_t at) const {
    return at == 0 ? '\0' : text_[at - 1];
  }

  void take(std::size_t begin, std::size_t end, SecretRule rule,
            std::string_view name = "") {
    if (end > begin) {
      found_.push_back({begin, end - begin, rule, std::string(name)});
    }
    at_ = end;
  }

  /// Where a word of addresses ends: at a blank or a quote. Longer words than
  /// any address are cut, so that hostile text is read in linear time. Called
  /// with rising `at`.
  [[nodiscard]] std::size_t end_of_word(std::size_t at) {
    word_end_ = std::max(word_end_, at);
    while (word_end_ < text_.size() && !is_blank(text_[word_end_]) &&
           std::string_view("\"'`<>").find(text_[word_end_]) == kNpos) {
      ++word_end_;
    }
    return std::min(word_end_, at + kLongestAddress);
  }

  /// Looks at what begins at at_, and moves it on.
  void step() {
    if (rest().starts_with("-----BEGIN ")) return block();
    if (rest().starts_with("://")) return url();
    const char c = text_[at_];
    if (is_alnum_ascii(before(at_)) || before(at_) == '_') {
      // Inside a word that was decided on: on to its end.
      while (at_ < text_.size() &&
             (is_alnum_ascii(text_[at_]) || text_[at_] == '_')) {
        ++at_;
      }
      if (at_ < text_.size() && text_[at_] == '-') ++at_;
      return;
    }
    if (is_alnum_ascii(c) || c == '_' || c == '-' || c == '+') {
      word();
      return;
    }
    ++at_;
  }

  /// PEM: a private key is a secret to its end; all else is public.
  void block() {
    const std::size_t label_end = text_.find("-----", at_ + 11);
    if (label_end == kNpos) {
      at_ += 11;
      return;
    }
    const std::string_view label = text_.substr(at_ + 11, label_end - at_ - 11);
    const std::size_t begin = label_end + 5;
    const std::size_t end =
        std::min(text_.find("-----END ", begin), text_.size());
    if (label.find("PRIVATE KEY") != kNpos) {
      take(begin, end, SecretRule::key_block);
    } else {
      at_ = end;
    }
  }

  /// "scheme://…" whose "://" stands at at_.
  void url() {
    const std::size_t begin = at_ + 3;
    std::size_t scheme = at_;
    while (scheme > 0 && is_alnum_ascii(text_[scheme - 1])) --scheme;
    const std::string name = to_lower_ascii(text_.substr(scheme, at_ - scheme));
    const std::size_t end = end_of_word(begin);
    if (hook(begin, end)) return;
    at_ = begin;
    user_part(begin, end,
              std::ranges::find(kWebSchemes, name) != kWebSchemes.end());
  }

  bool hook(std::size_t begin, std::size_t end) {
    const std::string_view address =
        text_.substr(begin, std::min(end - begin, kLongestHost));
    for (const std::string_view one : kHooks) {
      const std::size_t at = address.find(one);
      if (at == kNpos) continue;
      if (begin + at + one.size() >= end) continue;
      take(begin + at + one.size(), end, SecretRule::webhook);
      return true;
    }
    return false;
  }

  /// user:password@ in text_[begin, end).
  void user_part(std::size_t begin, std::size_t end, bool is_web) {
    const std::string_view all = text_.substr(begin, end - begin);
    const std::size_t slash = all.find_first_of("/?#");
    std::string_view authority = all.substr(0, slash);
    std::size_t at = authority.rfind('@');
    const std::size_t colon = all.find(':');
    // A raw '/', '?' or '#' in a password: the '@' comes later.
    const bool is_port =
        colon != kNpos && colon + 1 < all.size() &&
        authority.find_first_not_of("0123456789", colon + 1) == kNpos;
    if (slash != kNpos && colon != kNpos && colon < slash && !is_port &&
        (!is_web || at == kNpos)) {
      const std::size_t later = all.rfind('@', is_web ? kNpos : all.find('?'));
      // Not "https://[::1]/@scope": hosts in brackets have colons.
      if (later != kNpos && !all.starts_with('[') &&
          (at == kNpos || later > at)) {
        at = later;
      }
    }
    if (at == kNpos) return;
    if (colon != kNpos && colon < at) {
      take(begin + colon + 1, begin + at, SecretRule::url);
      return;
    }
    // https://TOKEN@host: a user without password that is no word.
    const std::string_view user = all.substr(0, at);
    const bool is_hexadecimal =
        user.size() >= 16 &&
        user.find_first_not_of("0123456789abcdefABCDEF") == kNpos;
    if (is_hexadecimal || looks_like_secret(user)) {
      take(begin, begin + at, SecretRule::url);
    }
  }

  /// Something that begins with a character of keys and names.
  void word() {
    if (skip_public()) return;
    if (const std::size_t length = known_token_length(rest())) {
      take(at_, at_ + length, SecretRule::token);
      return;
    }
    if (bearer() || go_dsn() || bare_user()) return;
    const std::size_t begin = at_;
    std::size_t end = begin;
    while (end < text_.size() && end - begin < kLongestName &&
           is_name_character(text_[end])) {
      ++end;
    }
    if (text_[begin] == '-' && glued_option(begin)) return;
    if (end > begin && (named(begin, end) || option(begin, end))) return;
    if (const auto program = known_program(path_word(begin));
        !program.empty()) {
      program_ = program;
    }
    if (random(begin)) return;
    // What comes behind a dot or an '=' is looked at by itself.
    at_ = begin + 1;
    while (at_ < text_.size() && text_[at_] != '=' &&
           is_run_character(text_[at_])) {
      ++at_;
    }
  }

  /// The blank-separated word that holds `at`.
  [[nodiscard]] std::string_view path_word(std::size_t at) const {
    std::size_t begin = at;
    while (begin > 0 &&
           (is_name_character(text_[begin - 1]) || text_[begin - 1] == '/') &&
           at - begin < 256) {
      --begin;
    }
    std::size_t end = at;
    while (end < text_.size() && !is_blank(text_[end]) && end - at < 256) ++end;
    return text_.substr(begin, end - begin);
  }

  bool skip_public() {
    for (const std::string_view one : kPublic) {
      if (!rest().starts_with(one)) continue;
      std::size_t end = at_ + one.size();
      while (end < text_.size() &&
             (is_run_character(text_[end]) || text_[end] == '/')) {
        ++end;
      }
      at_ = end;
      return true;
    }
    return false;
  }

  /// "Bearer X", "Basic X" as in the header Authorization.
  bool bearer() {
    const std::string lower = to_lower_ascii(rest().substr(0, 7));
    const bool is_basic = lower.starts_with("basic ");
    if (!is_basic && lower != "bearer ") return false;
    std::size_t begin = at_ + (is_basic ? 6 : 7);
    while (begin < text_.size() && text_[begin] == ' ') ++begin;
    std::size_t end = begin;
    while (end < text_.size() &&
           (is_run_character(text_[end]) || text_[end] == '.' ||
            text_[end] == '/' || text_[end] == '~')) {
      ++end;
    }
    const std::string_view value = text_.substr(begin, end - begin);
    const bool has_digit = std::ranges::any_of(value, is_digit_ascii);
    const bool is_secret =
        is_basic ? value.size() >= 4 && is_basic_credential(value)
                 : value.size() >= 8 && (has_digit || value.size() >= 20);
    if (!is_secret) return false;
    take(begin, end, SecretRule::token, is_basic ? "Basic" : "Bearer");
    return true;
  }

  /// user:password@tcp(host:3306)/db, as Go writes it; user/password@host of
  /// Oracle behind "thin:".
  bool go_dsn() {
    if (!has_net_ && !has_oracle_) return false;
    const std::size_t end = end_of_word(at_);
    const std::string_view all = text_.substr(at_, end - at_);
    for (const std::string_view net : {"@tcp(", "@unix(", "@tcp6(", "@udp("}) {
      const std::size_t host = all.rfind(net);
      const std::size_t colon = all.find(':');
      if (host == kNpos || colon == kNpos || colon >= host) continue;
      // "dsn=user:…": the name goes first.
      if (all.substr(0, colon).find('=') != kNpos) continue;
      take(at_ + colon + 1, at_ + host, SecretRule::url);
      return true;
    }
    if (before(at_) == ':' && text_.substr(0, at_).ends_with("oracle:thin:")) {
      const std::size_t slash = all.find('/');
      const std::size_t host = all.rfind('@');
      if (slash != kNpos && host != kNpos && slash < host) {
        take(at_ + slash + 1, at_ + host, SecretRule::url);
        return true;
      }
    }
    return false;
  }

  /// user:password@host:port as a whole word, without a scheme.
  bool bare_user() {
    const char left = before(at_);
    if (left != '\0' && left != '=' && left != '"' && left != '\'' &&
        !is_blank(left)) {
      return false;
    }
    if (!has_at_) return false;
    const std::size_t end = end_of_word(at_);
    const std::string_view all = text_.substr(at_, end - at_);
    const std::size_t colon = all.find_first_of(":/=");
    const std::size_t at = all.rfind('@');
    if (colon == kNpos || all[colon] != ':' || colon == 0 || at == kNpos ||
        at <= colon + 1 || all.substr(colon).starts_with("://")) {
      return false;
    }
    std::string_view host = all.substr(at + 1);
    host = host.substr(0, host.find('/'));
    const std::size_t port = host.find(':');
    const std::string_view machine = host.substr(0, port);
    if (machine.empty() || !std::ranges::all_of(machine, is_name_character)) {
      return false;
    }
    if (port != kNpos &&
        (port + 1 == host.size() ||
         host.find_first_not_of("0123456789", port + 1) != kNpos)) {
      return false;  // image:tag@sha256:…
    }
    take(at_ + colon + 1, at_ + at, SecretRule::url);
    return true;
  }

  /// name=value, name: value, "name": "value", <name>value< at the name.
  bool named(std::size_t begin, std::size_t end) {
    std::size_t at = end;
    const bool is_element =
        before(begin) == '<' && at < text_.size() && text_[at] == '>';
    if (!is_element) {
      // The quote that closes the name, escaped or not.
      while (at < text_.size() && text_[at] == '\\') ++at;
      if (at < text_.size() && (text_[at] == '"' || text_[at] == '\'')) {
        ++at;
      } else {
        at = end;
      }
      while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t')) ++at;
      if (at >= text_.size() || (text_[at] != '=' && text_[at] != ':')) {
        return false;
      }
      if (text_.substr(at).starts_with("://")) return false;
      // The end of base64, not of a name.
      if (text_[at] == '=' && at == end && ends_base64(at) &&
          !may_name_secret(text_.substr(begin, end - begin))) {
        return false;
      }
      if (text_[at] == '=' && text_.substr(at).starts_with("=>")) ++at;
      if (text_[at] == ':' && text_.substr(at).starts_with(":=")) ++at;
    }
    ++at;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t')) ++at;
    const std::string_view name = text_.substr(begin, end - begin);
    if (!may_name_secret(name)) {
      at_ = std::max(at, begin + 1);
      return true;
    }
    const auto [first, last] =
        is_element ? std::pair{at, std::min(text_.find('<', at), text_.size())}
                   : value_at(begin, at, name);
    const std::string_view value = text_.substr(first, last - first);
    // A block says itself what it is, and a URL where its secret stands.
    if (value.starts_with("-----BEGIN ")) {
      at_ = first;
      return true;
    }
    if (value.empty() || !is_secret_name(name, value)) {
      // No secret by its name: it is looked at by itself next.
      at_ = first;
      return true;
    }
    take(first, last, SecretRule::name, name);
    return true;
  }

  /// True if `at` lies between two of `quote`, as far as can be told from what
  /// stands before it. Called with rising `at`.
  bool is_inside(char quote, std::size_t at) {
    auto& [counted, odd] = quote == '"' ? double_ : single_;
    for (; counted < at; ++counted) odd = odd != (text_[counted] == quote);
    return odd;
  }

  /// Where the value that begins at `at` begins and ends, without quotes.
  std::pair<std::size_t, std::size_t> value_at(std::size_t begin,
                                               std::size_t at,
                                               std::string_view name) {
    const bool in_double = is_inside('"', begin);
    const bool in_single = is_inside('\'', begin);
    std::size_t open = at;
    while (open < text_.size() && text_[open] == '\\') ++open;
    if (open < text_.size() && (text_[open] == '"' || text_[open] == '\'')) {
      return {open + 1, closing_quote(open, open - at)};
    }
    if (at < text_.size() && (text_[at] == '[' || text_[at] == '{')) {
      return {at, closing_bracket(at)};
    }
    const bool is_header =
        std::ranges::find(kHeaders, to_lower_ascii(name)) != kHeaders.end();
    const bool in_query = before(begin) == '?' || before(begin) == '&';
    std::size_t end = at;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      if (c == '\n' || c == '\r') break;
      if ((c == '"' && in_double) || (c == '\'' && in_single)) break;
      if (is_header) continue;
      if (is_blank(c) || (c == '&' && in_query)) break;
      if ((c == '#' && in_query) || c == '`') break;
      if ((c == ';' || c == ',' || c == '&') && is_next_name(end + 1)) break;
      if ((c == '}' || c == ']' || c == ')') && ends_word(end + 1)) break;
    }
    // Inside quotes that began before, a backslash belongs to the closing one.
    while (end > at && end < text_.size() && text_[end] == '"' &&
           text_[end - 1] == '\\') {
      --end;
    }
    return {at, end};
  }

  /// Of the quote at `open` that `slashes` backslashes stand before.
  [[nodiscard]] std::size_t closing_quote(std::size_t open,
                                          std::size_t slashes) const {
    for (std::size_t at = open + 1; at < text_.size(); ++at) {
      if (text_[at] != text_[open]) continue;
      std::size_t found = 0;
      while (at > open + 1 + found && text_[at - 1 - found] == '\\') ++found;
      if (found == slashes) return at - found;
    }
    return text_.size();
  }

  [[nodiscard]] std::size_t closing_bracket(std::size_t open) const {
    std::size_t depth = 0;
    const std::size_t limit = std::min(text_.size(), open + kLongestBracket);
    for (std::size_t at = open; at < limit; ++at) {
      if (text_[at] == '[' || text_[at] == '{') ++depth;
      if (text_[at] == ']' || text_[at] == '}') {
        if (--depth == 0) return at + 1;
      }
    }
    return limit;
  }

  [[nodiscard]] bool is_next_name(std::size_t at) const {
    while (at < text_.size() && (is_blank(text_[at]) || text_[at] == '"')) ++at;
    if (at == text_.size()) return true;
    std::size_t end = at;
    while (end < text_.size() &&
           (is_name_character(text_[end]) || text_[end] == ' ')) {
      ++end;
    }
    return end > at && end < text_.size() &&
           (text_[end] == '=' || text_[end] == ':' || text_[end] == '"');
  }

  [[nodiscard]] bool ends_base64(std::size_t at) {
    while (at < text_.size() && text_[at] == '=') ++at;
    return at == text_.size() || is_blank(text_[at]) || text_[at - 2] == '=' ||
           (text_[at] == '"' && is_inside('"', at));
  }

  [[nodiscard]] bool ends_word(std::size_t at) const {
    return at == text_.size() || is_blank(text_[at]) ||
           std::string_view(",;]})\"'").find(text_[at]) != kNpos;
  }

  /// "-pvalue" of a program whose options are known.
  bool glued_option(std::size_t begin) {
    if (program_.empty()) return false;
    const std::size_t stop = word_end(begin);
    const std::size_t at = attached(text_.substr(begin, stop - begin));
    if (at == kNpos) return false;
    take(begin + at, stop, SecretRule::name, text_.substr(begin, 2));
    return true;
  }

  /// "--name value", "-p value" within one text.
  bool option(std::size_t begin, std::size_t end) {
    const std::string_view name = text_.substr(begin, end - begin);
    const bool is_netrc = name == "password" && login_ < begin;
    if (!name.starts_with('-') && !is_netrc) return false;
    const char left = before(begin);
    if (left != '\0' && !is_blank(left) && left != '"' && left != '\'' &&
        left != '(') {
      return false;
    }
    if (end == text_.size() || !is_blank(text_[end])) return false;
    std::size_t first = end;
    while (first < text_.size() && is_blank(text_[first])) ++first;
    if (first == text_.size()) return false;
    std::size_t last = word_end(first);
    if (text_[first] == '"' || text_[first] == '\'') {
      last = closing_quote(first, 0);
      ++first;
    }
    const std::string_view value = text_.substr(first, last - first);
    if (value.empty()) return false;
    const std::size_t part = short_option_secret(program_, name, value);
    if (part != kNpos) {
      take(first + part, last, SecretRule::name, name);
      return true;
    }
    if (value.starts_with("--") || !is_secret_name(name, value)) return false;
    take(first, last, SecretRule::name, name);
    return true;
  }

  [[nodiscard]] std::size_t word_end(std::size_t at) {
    const bool in_double = is_inside('"', at);
    const bool in_single = is_inside('\'', at);
    while (at < text_.size() && !is_blank(text_[at]) &&
           !(text_[at] == '"' && in_double) &&
           !(text_[at] == '\'' && in_single)) {
      ++at;
    }
    return at;
  }

  /// Where the secret begins in "-pSECRET".
  [[nodiscard]] std::size_t attached(std::string_view word) const {
    if (program_.empty()) return kNpos;
    for (const ShortOption& one : kShortOptions) {
      if (!one.may_be_attached || one.program != program_) continue;
      if (!word.starts_with(one.option) || word.size() <= one.option.size()) {
        continue;
      }
      const std::size_t colon = word.find(':');
      if (one.holds == Holds::all) return one.option.size();
      if (colon != kNpos && colon + 1 < word.size()) return colon + 1;
    }
    return kNpos;
  }

  /// A run that chance made; a word with the signs of a password.
  bool random(std::size_t begin) {
    const std::size_t end = run_end(text_, begin);
    // Base64 has '/' as well: try the longer run where it cannot be a path.
    const char left = before(begin);
    const bool is_inside_path = left == '/' || left == '.' || left == '~';
    std::size_t longer = begin;
    while (!is_inside_path && longer < text_.size() &&
           (is_run_character(text_[longer]) || text_[longer] == '/')) {
      ++longer;
    }
    if (longer > end && longer - begin >= 32 &&
        is_base64_with_slashes(text_.substr(begin, longer - begin))) {
      take(begin, longer, SecretRule::entropy);
      return true;
    }
    const std::string_view run = text_.substr(begin, end - begin);
    if (looks_random(run)) {
      take(begin, end, SecretRule::entropy);
      return true;
    }
    if (left == '\0' || is_blank(left) || left == '=' || left == '"') {
      std::size_t stop = begin;
      while (stop < text_.size() && !is_blank(text_[stop]) &&
             text_[stop] != '"') {
        ++stop;
      }
      if (looks_like_password(text_.substr(begin, stop - begin))) {
        take(begin, stop, SecretRule::entropy);
        return true;
      }
    }
    return false;
  }

  /// Each part between slashes looks like chance as far as it is long enough
  /// to tell; names of folders do not.
  static bool is_base64_with_slashes(std::string_view run) {
    std::string joined;
    for (const char c : run) {
      if (c != '/') joined += c;
    }
    if (joined.find_first_of("-_") != joined.npos) return false;
    return looks_random(joined);
  }

  std::string_view text_;
  std::string_view program_;
  bool has_at_;
  bool has_net_;
  bool has_oracle_;
  std::size_t login_;  ///< of a line of .netrc
  std::size_t at_ = 0;
  std::size_t word_end_ = 0;
  std::vector<SecretSpan> found_;
  std::pair<std::size_t, bool> double_{0, false};
  std::pair<std::size_t, bool> single_{0, false};
};

}  // namespace

std::string_view to_string(SecretRule rule) noexcept {
  switch (rule) {
    case SecretRule::name:
      return "name";
    case SecretRule::key_block:
      return "key_block";
    case SecretRule::url:
      return "url";
    case SecretRule::webhook:
      return "webhook";
    case SecretRule::token:
      return "token";
    case SecretRule::entropy:
      return "entropy";
  }
  return "";
}

std::string_view in_words(SecretRule rule) noexcept {
  switch (rule) {
    case SecretRule::name:
      return "the name or option it stands under says so (PASSWORD, PWD, "
             "TOKEN, API_KEY, -p …), and it is no path, switch or number";
    case SecretRule::key_block:
      return "the body of a private key in PEM form";
    case SecretRule::url:
      return "the password of user:password@host, or a token in the user's "
             "place";
    case SecretRule::webhook:
      return "the part of a webhook's address that lets anybody post to it";
    case SecretRule::token:
      return "a known shape of token: sk-, hf_, ghp_, AKIA, JWT, Bearer …";
    case SecretRule::entropy:
      return "characters in an order that chance makes and words do not";
  }
  return "";
}

std::string_view known_program(std::string_view word) {
  word = word.substr(word.rfind('/') + 1);
  for (const ShortOption& one : kShortOptions) {
    if (word == one.program) return one.program;
  }
  return "";
}

std::size_t short_option_secret(std::string_view program,
                                std::string_view option,
                                std::string_view value) {
  if (value.empty()) return kNpos;
  for (const ShortOption& one : kShortOptions) {
    if (one.program != program || one.option != option) continue;
    const std::size_t at =
        value.find(one.holds == Holds::behind_colon ? ':' : '%');
    if (one.holds != Holds::all) {
      return at == kNpos || at + 1 == value.size() ? kNpos : at + 1;
    }
    // docker run -p 80:80, podman: the option of login only.
    if (option == "-p" && is_port_mapping(value)) return kNpos;
    return value.starts_with('-') ? kNpos : 0;
  }
  if (option == "-p" && !is_other_than_password(value)) return 0;
  return kNpos;
}

std::vector<SecretSpan> find_secrets(std::string_view text,
                                     std::string_view program) {
  return Search(text, program).run();
}

}  // namespace impound
