// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/crypto/named_digest.hpp"
#include "core/trust/mbom.hpp"
#include "core/trust/mbom_identity.hpp"

namespace impound {
namespace {

constexpr std::string_view kNeedsBytes =
    "needs the bytes of the model; a baseline has digests only";
constexpr std::string_view kNotInBytes = "bytes cannot show it";

/// Keys that only arrange a document, or are read together with another key.
const std::set<std::string_view> kStructure{"type", "bom-ref", "name",
                                            "mime-type", "components"};

std::string escape_pointer(std::string_view key) {
  std::string text;
  for (const char c : key) {  // RFC 6901
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string below(const std::string& at, std::string_view key) {
  return at + "/" + escape_pointer(key);
}
std::string below(const std::string& at, std::size_t index) {
  return fmt::format("{}/{}", at, index);
}

/// A value as one short line.
std::string shown(const Json& value) {
  constexpr std::size_t kMost = 200;
  const std::string text =
      value.is_string() ? value.get<std::string>() : dump_line(value);
  return text.size() <= kMost
             ? text
             : fmt::format("{}… ({} bytes)",
                           from_lossless_utf8(text.substr(0, kMost)),
                           text.size());
}

/// The list under `key`; empty where there is none.
const Json& list_of(const Json& object, std::string_view key) {
  static const Json kNone = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

/// One pass over a document; claims are added in its order.
class MbomCheck {
 public:
  MbomCheck(const ModelView& view, const ModelFacts& facts, MbomReport& out)
      : view_(view),
        facts_(facts),
        out_(out),
        folder_(folder_digest(view)),
        tensors_(tensor_list_digest(view)) {}

  void run(const Json& document) {
    const auto metadata = document.find("metadata");
    if (metadata != document.end() && metadata->is_object()) {
      check_metadata(*metadata);
    }
    const Json& components = list_of(document, "components");
    for (std::size_t i = 0; i < components.size(); ++i) {
      check_component(components[i], below("/components", i), Place::part);
    }
    check_compositions(list_of(document, "compositions"));
    for (const auto& [key, value] : document.items()) {
      static const std::set<std::string_view> kRead{
          "$schema",  "bomFormat",  "specVersion",  "serialNumber", "version",
          "metadata", "components", "compositions", "dependencies"};
      if (kRead.contains(key)) continue;
      state(below("", key), value,
            key == "signature"
                ? "the enveloped signature (JSF) was not verified"
                : kNotInBytes);
    }
  }

 private:
  enum class Place : std::uint8_t { whole, part };

  void add(MbomClaim claim) {
    if (out_.claims.size() >= kMostMbomClaims) {
      ++out_.left_out;
      return;
    }
    constexpr std::size_t kMostText = 1000;
    if (claim.stated.size() > kMostText) claim.stated.resize(kMostText);
    out_.claims.push_back(std::move(claim));
  }

  /// A statement that nothing here can check.
  void state(std::string at, const Json& value, std::string_view reason) {
    add({.at = std::move(at),
         .kind = "statement",
         .stated = shown(value),
         .found = {},
         .state = ClaimState::unchecked,
         .reason = std::string(reason)});
  }

  /// `found` empty means: nothing to hold it against, because of `missing`.
  void compare(std::string at, std::string_view kind, const std::string& stated,
               const std::string& found, std::string_view how,
               std::string_view missing) {
    const bool is_same = stated == found;
    add({.at = std::move(at),
         .kind = std::string(kind),
         .stated = stated,
         .found = found.empty() || is_same ? std::string() : found,
         .state = found.empty() ? ClaimState::unchecked
                  : is_same     ? ClaimState::holds
                                : ClaimState::fails,
         .reason = std::string(found.empty() ? missing : how)});
  }

  void check_metadata(const Json& metadata) {
    for (const auto& [key, value] : metadata.items()) {
      const std::string at = below("/metadata", key);
      if (key == "component") {
        check_component(value, at, Place::whole);
      } else {
        state(at, value, "says who made the document, when and with what");
      }
    }
  }

  void check_component(const Json& component, const std::string& at,
                       Place place) {
    if (!component.is_object()) {
      state(at, component, "no component: expected an object");
      return;
    }
    const ViewFile* file = file_of(component);
    if (file != nullptr) described_.insert(file->path);
    if (file == nullptr && place == Place::part &&
        text_or(component, "type", "") == "file") {
      compare(below(at, "name"), "file", text_or(component, "name", ""),
              "no such file", "by path", "");
    }
    for (const auto& [key, value] : component.items()) {
      const std::string where = below(at, key);
      if (kStructure.contains(key)) {
        continue;
      } else if (key == "hashes") {
        check_hashes(component, value, where, place, file);
      } else if (key == "version") {
        check_revision(component, shown(value), where, place);
      } else if (key == "group") {
        check_group(component, shown(value), where, place);
      } else if (key == "purl") {
        check_purl(shown(value), where, place);
      } else if (key == "modelCard") {
        check_model_card(value, where, place);
      } else if (key == "properties") {
        check_properties(value, where, place, file);
      } else {
        state(where, value, kNotInBytes);
      }
    }
    const Json& parts = list_of(component, "components");
    for (std::size_t i = 0; i < parts.size(); ++i) {
      check_component(parts[i], below(below(at, "components"), i), Place::part);
    }
  }

  /// The file that a component speaks of, by its path or by its name alone.
  [[nodiscard]] const ViewFile* file_of(const Json& component) const {
    std::vector<std::string> names{text_or(component, "name", "")};
    const auto evidence = component.find("evidence");
    if (evidence != component.end() && evidence->is_object()) {
      for (const Json& one : list_of(*evidence, "occurrences")) {
        if (one.is_object()) names.push_back(text_or(one, "location", ""));
      }
    }
    for (const std::string& name : names) {
      if (name.empty()) continue;
      if (const ViewFile* file = view_.find_file(name)) return file;
      if (const ViewFile* file = view_.find_file(from_lossless_utf8(name))) {
        return file;
      }
    }
    return nullptr;
  }

  void check_hashes(const Json& component, const Json& hashes,
                    const std::string& at, Place place, const ViewFile* file) {
    if (!hashes.is_array()) return state(at, hashes, "expected an array");
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      const std::string where = below(at, i);
      if (!hashes[i].is_object()) {
        state(where, hashes[i], "expected {\"alg\", \"content\"}");
        continue;
      }
      const std::string algorithm = text_or(hashes[i], "alg", "");
      const std::string stated =
          to_lower_ascii(text_or(hashes[i], "content", ""));
      if (file != nullptr) {
        check_file_hash(*file, algorithm, stated, where);
      } else if (place == Place::whole) {
        check_model_hash(algorithm, stated, where);
      } else {
        check_loose_hash(text_or(component, "type", ""), algorithm, stated,
                         where);
      }
    }
  }

  void check_file_hash(const ViewFile& file, const std::string& algorithm,
                       const std::string& stated, const std::string& at) {
    const std::string how = fmt::format(
        "{} of {}{}", algorithm, file.path,
        is_weak_digest(algorithm) ? ", a digest that can be forged" : "");
    compare(at, "hash", stated, digest_of(file, algorithm), how,
            missing_digest(file, algorithm));
  }

  [[nodiscard]] std::string digest_of(const ViewFile& file,
                                      const std::string& algorithm) {
    if (algorithm == "SHA-256") {
      return file.sha256 ? file.sha256->hex() : std::string();
    }
    if (view_.tree == nullptr || file.kind != FileKind::regular ||
        !file.failure.empty()) {
      return {};
    }
    // Each is computed once: a hostile document can ask for the same thousands
    // of times.
    const auto [known, is_new] =
        digests_.try_emplace(std::pair(file.path, algorithm));
    if (is_new) {
      known->second =
          named_digest(algorithm, *view_.open(file.path)).value_or("");
    }
    return known->second;
  }

  [[nodiscard]] std::string missing_digest(const ViewFile& file,
                                           const std::string& algorithm) const {
    if (!file.failure.empty()) return file.failure;
    if (file.kind != FileKind::regular) return "no regular file";
    return view_.tree == nullptr ? std::string(kNeedsBytes)
                                 : "this build cannot compute " + algorithm;
  }

  /// CycloneDX does not say what the digest of a folder is: the ways in use.
  void check_model_hash(const std::string& algorithm, const std::string& stated,
                        const std::string& at) {
    if (algorithm == "SHA-256") {
      if (folder_ && folder_->hex() == stated) {
        return compare(at, "hash", stated, stated,
                       "SHA-256 of the folder's sha256sum list", "");
      }
      if (tensors_ && tensors_->hex() == stated) {
        return compare(at, "hash", stated, stated,
                       "SHA-256 of the list of tensors", "");
      }
    }
    check_loose_hash("machine-learning-model", algorithm, stated, at);
  }

  /// A digest without a file name: some file of the model must have it.
  void check_loose_hash(const std::string& type, const std::string& algorithm,
                        const std::string& stated, const std::string& at) {
    std::size_t tried = 0;
    for (const ViewFile& file : view_.files) {
      const std::string digest = digest_of(file, algorithm);
      if (digest.empty()) continue;
      ++tried;
      if (digest == stated) {
        described_.insert(file.path);
        return compare(at, "hash", stated, stated,
                       fmt::format("{} of {}", algorithm, file.path), "");
      }
    }
    const bool is_of_model =
        type == "machine-learning-model" || type == "file" || type == "data";
    compare(at, "hash", stated,
            is_of_model && tried > 0 ? "no file has this digest" : "",
            fmt::format("{} of all {} files", algorithm, tried),
            tried > 0 ? "a component beside the model, whose bytes are not here"
                      : "this digest cannot be computed from what is here");
  }

  void check_revision(const Json& component, const std::string& stated,
                      const std::string& at, Place place) {
    const bool is_model =
        place == Place::whole ||
        text_or(component, "type", "") == "machine-learning-model";
    compare(at, "revision", stated, is_model ? view_.revision : std::string(),
            "the snapshot's revision",
            is_model ? "the folder is no snapshot and has no revision"
                     : kNotInBytes);
  }

  void check_group(const Json& component, const std::string& stated,
                   const std::string& at, Place place) {
    const std::string& known = facts_.repository;
    const std::size_t slash = known.find('/');
    const bool applies = place == Place::whole && slash != std::string::npos;
    compare(at, "repository", stated + "/" + text_or(component, "name", ""),
            applies ? known : std::string(), "the cache's repository folder",
            "the folder does not say which repository it came from");
  }

  void check_purl(const std::string& stated, const std::string& at,
                  Place place) {
    const auto purl = parse_huggingface_purl(stated);
    if (!purl || place != Place::whole) {
      return state(at, stated, kNotInBytes);
    }
    compare(at, "repository", purl->repository, facts_.repository,
            "the cache's repository folder",
            "the folder does not say which repository it came from");
    if (!purl->revision.empty()) {
      compare(at, "revision", purl->revision, view_.revision,
              "the snapshot's revision",
              "the folder is no snapshot and has no revision");
    }
  }

  void check_model_card(const Json& card, const std::string& at, Place place) {
    if (!card.is_object()) return state(at, card, "expected an object");
    for (const auto& [section, value] : card.items()) {
      const std::string where = below(at, section);
      if (section == "bom-ref") continue;
      if (section != "modelParameters" || !value.is_object()) {
        state(where, value, kNotInBytes);
        continue;
      }
      for (const auto& [key, parameter] : value.items()) {
        const std::string place_of = below(where, key);
        const bool is_family = key == "architectureFamily";
        if (place == Place::whole &&
            (is_family || key == "modelArchitecture")) {
          compare(place_of, "architecture", shown(parameter),
                  is_family ? facts_.family : facts_.architecture,
                  "config.json or GGUF metadata",
                  facts_.has_bytes ? "no configuration says it" : kNeedsBytes);
        } else {
          state(place_of, parameter, kNotInBytes);
        }
      }
    }
  }

  void check_properties(const Json& list, const std::string& at, Place place,
                        const ViewFile* file) {
    if (!list.is_array()) return state(at, list, "expected an array");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string where = below(at, i);
      const Json& property = list[i];
      if (!property.is_object()) {
        state(where, property, "expected {\"name\", \"value\"}");
        continue;
      }
      const std::string name = text_or(property, "name", "");
      const std::string value = text_or(property, "value", "");
      const bool is_known = file != nullptr && place == Place::part
                                ? check_file_property(*file, name, value, where)
                                : place == Place::whole &&
                                      check_model_property(name, value, where);
      if (!is_known) state(where, property, kNotInBytes);
    }
  }

  bool check_file_property(const ViewFile& file, const std::string& name,
                           const std::string& value, const std::string& at) {
    if (name == "impound:file:size") {
      compare(at, "size", value, std::to_string(file.size), "bytes", "");
    } else if (name == "impound:file:kind") {
      compare(at, "file", value, std::string(to_string(file.kind)),
              "kind of file", "");
    } else if (name == "impound:file:link-target") {
      compare(at, "file", value, lossless_utf8(file.link_target), "link target",
              "no link any more");
    } else if (name == "impound:file:format") {
      const auto format = facts_.formats.find(file.path);
      compare(at, "format", value,
              format != facts_.formats.end() ? format->second
              : facts_.has_bytes             ? "another format"
                                             : "",
              "by content", kNeedsBytes);
    } else {
      return false;
    }
    return true;
  }

  bool check_model_property(const std::string& name, const std::string& value,
                            const std::string& at) {
    const auto hex = [](const std::optional<Digest>& digest) {
      return digest ? digest->hex() : std::string();
    };
    if (name == "impound:files:sha256sum") {
      compare(at, "hash", value, hex(folder_),
              "SHA-256 of the folder's sha256sum list",
              "a file could not be read");
    } else if (name == "impound:tensors:sha256") {
      compare(at, "tensors", value, hex(tensors_),
              "SHA-256 of the list of tensors", "there are no tensors");
    } else if (name == "impound:tensors:count") {
      compare(at, "tensors", value, std::to_string(view_.tensors.size()),
              "tensors in all files", "");
    } else if (name == "impound:tensors:parameters") {
      compare(at, "tensors", value, std::to_string(facts_.parameters),
              "elements of all tensors", "");
    } else if (name == "impound:tensors:dtype") {
      const std::string dtype = value.substr(0, value.find(' '));
      const auto known = facts_.dtypes.find(dtype);
      compare(at, "tensors", value,
              fmt::format("{} {}", dtype,
                          known == facts_.dtypes.end() ? 0 : known->second),
              "tensors of this type", "");
    } else if (name == "impound:chat-template:sha256") {
      check_template(value, at);
    } else {
      return false;
    }
    return true;
  }

  void check_template(const std::string& value, const std::string& at) {
    std::string found = facts_.has_bytes ? "no such template" : "";
    const std::size_t gap = value.find("  ");
    const std::string where =
        gap == std::string::npos ? "" : value.substr(gap + 2);
    for (const TemplateFact& each : facts_.templates) {
      const std::string name = lossless_utf8(each.where);
      const std::string text = each.sha256.hex() + "  " + name;
      if (text == value || name == where) found = text;
      if (text == value) break;
    }
    compare(at, "chat-template", value, found, "SHA-256 of the template's text",
            kNeedsBytes);
  }

  /// "complete" for the model: a file that is not listed does not belong to it.
  void check_compositions(const Json& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string at = below("/compositions", i);
      if (!list[i].is_object() ||
          text_or(list[i], "aggregate", "") != "complete") {
        state(at, list[i], kNotInBytes);
        continue;
      }
      std::string extra;
      std::size_t count = 0;
      for (const ViewFile& file : view_.files) {
        if (described_.contains(file.path)) continue;
        if (++count <= 8) extra += (count == 1 ? "" : ", ") + file.path;
      }
      if (count > 8) extra += fmt::format(" and {} more", count - 8);
      compare(at, "completeness", "every file is listed",
              count == 0 ? "every file is listed" : "not listed: " + extra,
              "all files of the model", "");
    }
  }

  const ModelView& view_;
  const ModelFacts& facts_;
  MbomReport& out_;
  std::optional<Digest> folder_;
  std::optional<Digest> tensors_;
  std::set<std::string> described_;  // paths that some component speaks of
  std::map<std::pair<std::string, std::string>, std::string> digests_;
};

}  // namespace

MbomReport check_mbom(std::string_view text, std::string_view source,
                      const ModelView& view, const ModelFacts& facts) {
  if (text.size() > kMaxMbom) {
    throw Error(Errc::limit,
                fmt::format("{}: {} bytes, a bill of material has at most {}",
                            source, text.size(), kMaxMbom));
  }
  if (trim(text).starts_with("<")) {
    throw Error(Errc::unsupported,
                fmt::format("{}: CycloneDX in XML; expected JSON", source));
  }
  const Json document = parse_json(text, source);
  if (!document.is_object() ||
      text_or(document, "bomFormat", "") != "CycloneDX") {
    throw Error(Errc::malformed,
                fmt::format("{}: \"bomFormat\" is not \"CycloneDX\"", source));
  }
  MbomReport report;
  report.spec = require_text(document, "specVersion", source);
  if (!is_model_spec(report.spec)) {
    throw Error(Errc::unsupported,
                fmt::format("{}: CycloneDX {}; models are described since 1.5 "
                            "and this build reads 1.x",
                            source, printable(report.spec.substr(0, 20))));
  }
  report.serial = text_or(document, "serialNumber", "");
  MbomCheck(view, facts, report).run(document);
  return report;
}

}  // namespace impound
