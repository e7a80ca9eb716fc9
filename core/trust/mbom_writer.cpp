// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/trust/mbom.hpp"

namespace impound {
namespace {

constexpr std::string_view kModelRef = "model";

void add_property(Json& list, std::string_view name, std::string value) {
  list.push_back({{"name", name}, {"value", std::move(value)}});
}

Json hash_json(const Digest& digest) {
  return Json::array({{{"alg", "SHA-256"}, {"content", digest.hex()}}});
}

Json file_component(const ViewFile& file, const ModelFacts& facts) {
  Json component = {{"type", "file"},
                    {"bom-ref", "file:" + lossless_utf8(file.path)},
                    {"name", lossless_utf8(file.path)}};
  if (file.sha256) component["hashes"] = hash_json(*file.sha256);
  Json properties = Json::array();
  if (file.kind == FileKind::regular) {
    add_property(properties, "impound:file:size", std::to_string(file.size));
  } else {
    add_property(properties, "impound:file:kind",
                 std::string(to_string(file.kind)));
  }
  if (!file.link_target.empty()) {
    add_property(properties, "impound:file:link-target",
                 lossless_utf8(file.link_target));
  }
  const auto format = facts.formats.find(file.path);
  if (format != facts.formats.end()) {
    add_property(properties, "impound:file:format", format->second);
  }
  component["properties"] = std::move(properties);
  return component;
}

Json model_properties(const ModelView& view, const ModelFacts& facts,
                      MbomSubject subject) {
  Json list = Json::array();
  if (const auto digest = folder_digest(view)) {
    add_property(list, "impound:files:sha256sum", digest->hex());
  }
  if (subject == MbomSubject::data) return list;
  if (const auto digest = tensor_list_digest(view)) {
    add_property(list, "impound:tensors:sha256", digest->hex());
  }
  add_property(list, "impound:tensors:count",
               std::to_string(view.tensors.size()));
  add_property(list, "impound:tensors:parameters",
               std::to_string(facts.parameters));
  for (const auto& [dtype, count] : facts.dtypes) {
    add_property(list, "impound:tensors:dtype",
                 fmt::format("{} {}", dtype, count));
  }
  // CycloneDX has no field for a template:
  // https://github.com/CycloneDX/specification/issues/862
  for (const TemplateFact& each : facts.templates) {
    add_property(
        list, "impound:chat-template:sha256",
        fmt::format("{}  {}", each.sha256.hex(), lossless_utf8(each.where)));
  }
  return list;
}

/// RFC 3986 unreserved characters stay; purl wants the rest encoded.
std::string purl_text(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                          c == '_' || c == '~' || c == '/';
    if (is_plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

Json model_component(const ModelView& view, const ModelFacts& facts,
                     const MbomOptions& options) {
  const bool is_model = options.subject == MbomSubject::model;
  Json component = {{"type", is_model ? "machine-learning-model" : "data"},
                    {"bom-ref", kModelRef},
                    {"name", lossless_utf8(options.name)}};
  if (!view.revision.empty()) {
    component["version"] = lossless_utf8(view.revision);
  }
  const bool is_one_file =
      view.files.size() == 1 && view.files.front().sha256.has_value();
  if (is_one_file) {
    component["hashes"] = hash_json(*view.files.front().sha256);
  }
  if (!facts.repository.empty()) {
    component["purl"] =
        "pkg:huggingface/" + purl_text(facts.repository) +
        (view.revision.empty() ? std::string()
                               : "@" + purl_text(view.revision));
  }
  Json files = Json::array();
  for (const ViewFile& file : view.files) {
    files.push_back(file_component(file, facts));
  }
  component["components"] = std::move(files);
  Json parameters = Json::object();
  if (!facts.family.empty()) {
    parameters["architectureFamily"] = lossless_utf8(facts.family);
  }
  if (!facts.architecture.empty()) {
    parameters["modelArchitecture"] = lossless_utf8(facts.architecture);
  }
  if (is_model && !parameters.empty()) {
    component["modelCard"] = {{"modelParameters", std::move(parameters)}};
  }
  component["properties"] = model_properties(view, facts, options.subject);
  return component;
}

/// A serial number that follows from the content (RFC 9562, version 8): the
/// same model at the same time gives the same document.
std::string serial_from(const Json& document) {
  std::string hex = sha256(dump_line(document)).hex().substr(0, 32);
  hex[12] = '8';
  hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) & 3U];
  return fmt::format("urn:uuid:{}-{}-{}-{}-{}", hex.substr(0, 8),
                     hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

}  // namespace

std::string write_mbom(const ModelView& view, const ModelFacts& facts,
                       const MbomOptions& options) {
  Json metadata = {
      {"timestamp", format_time(options.made_at)},
      {"tools",
       {{"components", Json::array({{{"type", "application"},
                                     {"name", "impound"},
                                     {"version", options.tool_version}}})}}}};
  if (!options.author.empty()) {
    metadata["authors"] =
        Json::array({{{"name", lossless_utf8(options.author)}}});
  }
  if (!options.organisation.empty()) {
    metadata["manufacturer"] = {{"name", lossless_utf8(options.organisation)}};
  }
  metadata["component"] = model_component(view, facts, options);
  // "complete": a file that is not listed does not belong to the model.
  const Json compositions = Json::array(
      {{{"aggregate", "complete"}, {"assemblies", Json::array({kModelRef})}}});
  const Json document = {{"metadata", std::move(metadata)},
                         {"compositions", compositions}};
  const Json whole = {
      {"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
      {"bomFormat", "CycloneDX"},
      {"specVersion", "1.6"},
      {"serialNumber", serial_from(document)},
      {"version", 1},
      {"metadata", document["metadata"]},
      {"compositions", document["compositions"]}};
  return dump_pretty(whole);
}

}  // namespace impound
