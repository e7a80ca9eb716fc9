// SPDX-License-Identifier: Apache-2.0
#include "core/formats/model_statement.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "core/base/error.hpp"

#include "core/base/text.hpp"
#include "core/formats/bounded_json.hpp"

namespace impound {
namespace {

constexpr std::size_t kMaxShown = 80;
constexpr std::string_view kSharded = "-sharded-";
/// Problems of one statement that are kept; a hostile one has millions.
constexpr std::size_t kMaxProblems = 100;

std::string shown(std::string_view text) {
  return printable(text.substr(0, kMaxShown)) +
         (text.size() > kMaxShown ? "…" : "");
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// A number as JSON or as protobuf's Struct writes it: 1000000000.0.
std::optional<std::uint64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  // Below 2^53 a double holds every whole number.
  if (!(number >= 0) || number > 9007199254740992.0 ||
      std::floor(number) != number) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(number);
}

/// Bytes of a digest of that hash; 0 for a hash nobody knows.
std::size_t size_of_hash(std::string_view hash) {
  if (hash == "sha256" || hash == "blake3") return 32;
  return hash == "blake2b" ? 64 : 0;
}

/// model_signing says "blake2" to itself and "blake2b" to others.
std::string plain_hash(std::string name) {
  return name == "blake2" ? "blake2b" : name;
}

class StatementReading {
 public:
  explicit StatementReading(ModelStatement& out) : out_(out) {}

  void read(std::string_view payload) {
    Json statement;
    try {
      statement = parse_bounded_json(payload, "payload");
    } catch (const Error& error) {
      return strict("statement-not-json", error.what());
    }
    if (!statement.is_object()) {
      return strict("statement-not-json", "the payload is no JSON object");
    }
    const std::string type = text_or(statement, "_type", "");
    if (type != kInTotoStatementType) {
      return strict("statement-type",
                    fmt::format("Expected in-toto {} payload, but got {}",
                                kInTotoStatementType, shown(type)));
    }
    out_.predicate_type = text_or(statement, "predicateType", "");
    const auto subjects = statement.find("subject");
    if (subjects == statement.end() || !subjects->is_array()) {
      return strict("statement-subject", "there is no list of subjects");
    }
    if (out_.predicate_type == kModelPredicateType) {
      read_subject(*subjects);
      read_predicate(statement);
    } else if (out_.predicate_type == kOldModelPredicateType) {
      read_old(*subjects);
    } else {
      return strict(
          "statement-predicate",
          fmt::format("Predicate type mismatch, expected {}, got {}",
                      kModelPredicateType, shown(out_.predicate_type)));
    }
    check_names();
  }

 private:
  void strict(std::string rule, std::string message) {
    add(Severity::high, std::move(rule), std::move(message));
  }
  void add(Severity severity, std::string rule, std::string message) {
    if (out_.problems.size() == kMaxProblems) return;
    out_.problems.push_back({std::move(rule), severity, 0, std::move(message)});
  }

  void read_subject(const Json& subjects) {
    if (subjects.size() != 1 || !subjects.front().is_object()) {
      return strict(
          "statement-subject",
          fmt::format("Expected only one subject, got {}", subjects.size()));
    }
    const Json& subject = subjects.front();
    out_.model_name = text_or(subject, "name", "");
    out_.root_sha256 = subject_digest(subject);
  }

  /// Hexadecimal and lower case; empty after saying so if it is not there.
  std::string subject_digest(const Json& subject) {
    const auto digests = subject.find("digest");
    const std::string hex =
        digests != subject.end() && digests->is_object()
            ? to_lower_ascii(text_or(*digests, "sha256", ""))
            : "";
    if (!digest_of(hex, size_of_hash("sha256"))) {
      strict("statement-digest",
             fmt::format("the subject's sha256 is \"{}\", expected 64 "
                         "hexadecimal digits",
                         shown(hex)));
      return {};
    }
    return hex;
  }

  static std::optional<Bytes> digest_of(std::string_view hex,
                                        std::size_t size) {
    if (hex.size() != 2 * size) return std::nullopt;
    try {
      return from_hex(hex);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  void read_predicate(const Json& statement) {
    const auto predicate = statement.find("predicate");
    if (predicate == statement.end() || !predicate->is_object()) {
      return strict("statement-predicate", "there is no predicate");
    }
    const auto serialization = predicate->find("serialization");
    if (serialization == predicate->end() || !serialization->is_object()) {
      return strict("statement-serialization",
                    "the predicate does not say how the model was serialized");
    }
    if (!read_serialization(*serialization)) return;
    const auto resources = predicate->find("resources");
    if (resources == predicate->end() || !resources->is_array()) {
      return strict("statement-resources", "there is no list of resources");
    }
    if (resources->size() > kMaxSignedResources) {
      return strict("statement-too-large",
                    fmt::format("{} resources, at most {} are read",
                                resources->size(), kMaxSignedResources));
    }
    for (const Json& each : *resources) read_resource(each);
  }

  /// False if nothing can be computed with what it says.
  bool read_serialization(const Json& how) {
    const std::string method = text_or(how, "method", "");
    if (method == "shards") {
      out_.method = SigningMethod::shards;
      const auto size = how.find("shard_size");
      out_.shard_size = size == how.end() ? 0 : whole_number(*size).value_or(0);
      if (out_.shard_size == 0) {
        strict("statement-shard-size", "shard_size is no whole number above 0");
        return false;
      }
    } else if (method != "files") {
      strict("statement-method",
             fmt::format("Unknown serialization type {}", shown(method)));
      return false;
    }
    out_.hash_type = plain_hash(text_or(how, "hash_type", ""));
    if (size_of_hash(out_.hash_type) == 0) {
      strict("statement-hash", fmt::format("Unsupported hashing method {}",
                                           shown(out_.hash_type)));
      return false;
    }
    const auto links = how.find("allow_symlinks");
    out_.allow_symlinks =
        links != how.end() && links->is_boolean() && links->get<bool>();
    const auto ignored = how.find("ignore_paths");
    if (ignored == how.end()) return true;
    if (!ignored->is_array()) {
      strict("statement-ignore", "ignore_paths is no list");
      return false;
    }
    if (ignored->size() > kMaxIgnoredPaths) {
      strict("statement-too-large",
             fmt::format("{} ignored paths, at most {} are read",
                         ignored->size(), kMaxIgnoredPaths));
      return false;
    }
    for (const Json& path : *ignored) {
      if (path.is_string()) {
        out_.ignore_paths.push_back(path.get<std::string>());
      } else {
        strict("statement-ignore", "ignore_paths holds something but texts");
      }
    }
    return true;
  }

  void read_resource(const Json& entry) {
    if (!entry.is_object()) {
      return strict("statement-resource", "a resource is no object");
    }
    SignedResource resource;
    resource.name = text_or(entry, "name", "");
    resource.algorithm = text_or(entry, "algorithm", "");
    std::string hash = resource.algorithm;
    if (const std::size_t at = hash.find(kSharded); at != std::string::npos) {
      hash.resize(at);
    }
    if (plain_hash(hash) != out_.hash_type) {
      strict("statement-algorithm",
             fmt::format("{}: algorithm {}, the statement's hash is {}",
                         shown(resource.name), shown(resource.algorithm),
                         out_.hash_type));
    }
    const std::string hex = text_or(entry, "digest", "");
    auto digest = digest_of(hex, size_of_hash(out_.hash_type));
    if (!digest) {
      strict("statement-digest",
             fmt::format("{}: \"{}\" is no {} digest", shown(resource.name),
                         shown(hex), out_.hash_type));
    } else {
      resource.digest = std::move(*digest);
    }
    if (!place(resource)) {
      strict("statement-name",
             fmt::format("Invalid resource name: expected 3 components "
                         "separated by `:`, got {}",
                         shown(resource.name)));
    }
    out_.resources.push_back(std::move(resource));
  }

  /// Splits "path:start:end", from the right: a path may hold colons.
  [[nodiscard]] bool place(SignedResource& resource) const {
    const std::string_view name = resource.name;
    if (out_.method == SigningMethod::files) {
      resource.path = plain_signed_path(name);
      return !name.empty();
    }
    const std::size_t second = name.rfind(':');
    if (second == std::string_view::npos || second == 0) return false;
    const std::size_t first = name.rfind(':', second - 1);
    if (first == std::string_view::npos || first == 0) return false;
    const auto start = whole_number(name.substr(first + 1, second - first - 1));
    const auto end = whole_number(name.substr(second + 1));
    if (!start || !end || *start >= *end) return false;
    resource.path = plain_signed_path(name.substr(0, first));
    resource.start = *start;
    resource.end = *end;
    return true;
  }

  void read_old(const Json& subjects) {
    out_.is_old = true;
    out_.hash_type = "sha256";
    if (subjects.size() > kMaxSignedResources) {
      return strict("statement-too-large",
                    fmt::format("{} subjects, at most {} are read",
                                subjects.size(), kMaxSignedResources));
    }
    for (const Json& subject : subjects) {
      if (!subject.is_object()) {
        strict("statement-subject", "a subject is no object");
        continue;
      }
      SignedResource resource;
      resource.name = text_or(subject, "name", "");
      resource.path = plain_signed_path(resource.name);
      resource.algorithm = "sha256";
      const std::string hex = subject_digest(subject);
      if (!hex.empty()) resource.digest = from_hex(hex);
      out_.resources.push_back(std::move(resource));
    }
  }

  /// A name that stands twice with two digests says nothing about its file.
  void check_names() {
    std::map<std::string_view, const SignedResource*> seen;
    for (const SignedResource& resource : out_.resources) {
      const auto [found, is_new] = seen.emplace(resource.name, &resource);
      if (is_new) continue;
      const bool is_same = found->second->digest == resource.digest;
      add(is_same ? Severity::low : Severity::high, "statement-twice",
          fmt::format("{} is listed twice{}", shown(resource.name),
                      is_same ? "" : ", with two digests"));
    }
  }

  ModelStatement& out_;
};

}  // namespace

std::string_view to_string(SigningMethod method) noexcept {
  return method == SigningMethod::files ? "files" : "shards";
}

ModelStatement read_model_statement(std::string_view payload) {
  ModelStatement statement;
  StatementReading(statement).read(payload);
  return statement;
}

std::string plain_signed_path(std::string_view path) {
  std::string plain = path.starts_with('/') ? "/" : "";
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (!plain.empty() && plain != "/") plain += '/';
    plain += part;
  }
  return plain.empty() ? "." : plain;
}

}  // namespace impound
