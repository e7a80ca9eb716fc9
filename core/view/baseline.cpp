// SPDX-License-Identifier: Apache-2.0
#include "core/view/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"

namespace impound {
namespace {

constexpr std::string_view kFormat = "impound-baseline";
constexpr std::uint64_t kVersion = 1;

// The document is two lines. What is signed is the first without its prefix,
// so that `head -n 1 | cut -c 13- | tr -d '\n'` gives the signed bytes.
constexpr std::string_view kOpening = R"({"baseline":)";
constexpr std::string_view kSignature = R"(,"signature":)";

Json file_to_json(const ViewFile& file) {
  Json json = {{"path", lossless_utf8(file.path)},
               {"kind", to_string(file.kind)},
               {"size", file.size},
               {"mode", file.mode}};
  if (file.sha256) json["sha256"] = file.sha256->hex();
  if (file.format) json["format"] = to_string(*file.format);
  if (!file.not_viewed.empty()) {
    json["not_viewed"] = lossless_utf8(file.not_viewed);
  }
  if (!file.link_target.empty()) {
    json["link_target"] = lossless_utf8(file.link_target);
  }
  if (!file.found_as.empty()) json["found_as"] = lossless_utf8(file.found_as);
  return json;
}

Json tensor_to_json(const ViewTensor& tensor) {
  Json json = {{"name", lossless_utf8(tensor.name)},
               {"file", lossless_utf8(tensor.file)},
               {"dtype", to_string(tensor.dtype)},
               {"shape", tensor.shape},
               {"size", tensor.size}};
  if (tensor.sha256) json["sha256"] = tensor.sha256->hex();
  return json;
}

std::optional<Digest> digest_of(const Json& entry, std::string_view source) {
  if (!entry.contains("sha256")) return std::nullopt;
  const std::string hex = require_text(entry, "sha256", source);
  std::optional<Digest> digest = Digest::from_hex(hex);
  if (!digest) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"sha256\" is \"{}\", expected 64 hexadecimal "
                            "digits",
                            source, printable(hex.substr(0, 80))));
  }
  return digest;
}

const Json& require_array(const Json& object, std::string_view key,
                          std::string_view source) {
  const Json& value = require_key(object, key, source);
  if (!value.is_array()) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"{}\" must be an array, found {}", source,
                            key, value.type_name()));
  }
  return value;
}

FileKind kind_from(std::string_view name, std::string_view source) {
  for (const FileKind kind :
       {FileKind::regular, FileKind::directory, FileKind::symlink,
        FileKind::fifo, FileKind::socket, FileKind::character_device,
        FileKind::block_device, FileKind::unknown}) {
    if (to_string(kind) == name) return kind;
  }
  throw Error(Errc::malformed, fmt::format("{}: unknown kind of file \"{}\"",
                                           source, printable(name)));
}

std::vector<std::uint64_t> shape_of(const Json& entry,
                                    std::string_view source) {
  std::vector<std::uint64_t> shape;
  for (const Json& dimension : require_array(entry, "shape", source)) {
    if (!dimension.is_number_unsigned()) {
      throw Error(
          Errc::malformed,
          fmt::format("{}: \"shape\" must hold whole numbers from 0", source));
    }
    shape.push_back(dimension.get<std::uint64_t>());
  }
  return shape;
}

ModelView view_of(const Json& baseline, std::string_view source) {
  ModelView view;
  view.kind = "baseline";
  view.locator = source;
  if (const auto origin = baseline.find("source");
      origin != baseline.end() && origin->is_object()) {
    // Before "one_file" was written, a path to a file was the only way.
    const auto flag = origin->find("one_file");
    view.is_one_file = text_or(*origin, "kind", "") == "file" ||
                       (flag != origin->end() && *flag == true);
  }
  for (const Json& entry : require_array(baseline, "files", source)) {
    ViewFile file;
    file.path = from_lossless_utf8(require_text(entry, "path", source));
    file.kind = kind_from(require_text(entry, "kind", source), source);
    file.size = require_u64(entry, "size", source);
    file.mode = narrow<std::uint32_t>(require_u64(entry, "mode", source));
    file.link_target = from_lossless_utf8(text_or(entry, "link_target", ""));
    file.found_as = from_lossless_utf8(text_or(entry, "found_as", ""));
    file.sha256 = digest_of(entry, source);
    file.format = format_from(text_or(entry, "format", ""));
    file.not_viewed = from_lossless_utf8(text_or(entry, "not_viewed", ""));
    view.files.push_back(std::move(file));
  }
  for (const Json& entry : require_array(baseline, "tensors", source)) {
    ViewTensor tensor;
    tensor.name = from_lossless_utf8(require_text(entry, "name", source));
    tensor.file = from_lossless_utf8(require_text(entry, "file", source));
    tensor.dtype = dtype_from(require_text(entry, "dtype", source))
                       .value_or(Dtype::unknown);
    tensor.shape = shape_of(entry, source);
    tensor.size = require_u64(entry, "size", source);
    tensor.sha256 = digest_of(entry, source);
    view.tensors.push_back(std::move(tensor));
  }
  for (const Json& entry : require_array(baseline, "metadata", source)) {
    view.metadata.push_back(
        {from_lossless_utf8(require_text(entry, "file", source)),
         from_lossless_utf8(require_text(entry, "key", source)),
         from_lossless_utf8(require_text(entry, "value", source)),
         text_or(entry, "type", "")});
  }
  // A document may have been edited before it was signed: order is our need.
  std::stable_sort(
      view.files.begin(), view.files.end(),
      [](const ViewFile& a, const ViewFile& b) { return a.path < b.path; });
  std::stable_sort(view.tensors.begin(), view.tensors.end(),
                   [](const ViewTensor& a, const ViewTensor& b) {
                     return std::tie(a.name, a.file) < std::tie(b.name, b.file);
                   });
  return view;
}

void check_signature(std::string_view text, const Json& document,
                     std::string_view source, Baseline& out) {
  const auto entry = document.find("signature");
  if (entry == document.end()) return;
  out.signature = BaselineSignature::invalid;
  out.public_key_pem = require_text(*entry, "public_key", source);
  out.key_fingerprint = require_text(*entry, "key", source);
  const PublicKey key = PublicKey::from_pem(out.public_key_pem, source);
  const std::size_t line_end = text.find('\n');
  if (!text.starts_with(kOpening) || line_end == std::string_view::npos ||
      !text.substr(line_end + 1).starts_with(kSignature)) {
    out.signature_problem =
        "the document was laid out anew after it was signed: the signed bytes "
        "are its first line";
    return;
  }
  const std::string_view signed_text =
      text.substr(kOpening.size(), line_end - kOpening.size());
  // What is checked must be what was parsed: two "baseline" keys, or a first
  // line that ends early, would let them differ.
  if (parse_json(signed_text, source) != out.document) {
    out.signature_problem =
        "the signed line is not the baseline of this "
        "document";
    return;
  }
  if (key.fingerprint().hex() != out.key_fingerprint) {
    out.signature_problem =
        fmt::format("the document names key {}, the public key in it is {}",
                    printable(out.key_fingerprint), key.fingerprint().hex());
    return;
  }
  const Bytes signature =
      from_base64(require_text(*entry, "signature", source));
  if (!key.verify(as_bytes(signed_text), signature)) {
    out.signature_problem =
        "the signature does not match: the document was changed after it was "
        "signed";
    return;
  }
  out.signature = BaselineSignature::valid;
}

}  // namespace

std::string_view to_string(BaselineSignature state) noexcept {
  switch (state) {
    case BaselineSignature::absent:
      return "absent";
    case BaselineSignature::valid:
      return "valid";
    case BaselineSignature::invalid:
      return "invalid";
  }
  return "invalid";
}

Json describe_baseline(const ModelView& view, const BaselineOptions& options) {
  for (const ViewFile& file : view.files) {
    if (!file.failure.empty()) {
      throw Error(Errc::io, fmt::format("{}: {}: a baseline needs every file",
                                        file.path, file.failure));
    }
  }
  std::uint64_t bytes = 0;
  Json files = Json::array();
  for (const ViewFile& file : view.files) {
    bytes += file.size;
    files.push_back(file_to_json(file));
  }
  Json tensors = Json::array();
  for (const ViewTensor& tensor : view.tensors) {
    tensors.push_back(tensor_to_json(tensor));
  }
  Json metadata = Json::array();
  for (const ViewMetadata& entry : view.metadata) {
    metadata.push_back({{"file", lossless_utf8(entry.file)},
                        {"key", lossless_utf8(entry.key)},
                        {"value", lossless_utf8(entry.value)}});
    if (!entry.type.empty()) metadata.back()["type"] = entry.type;
  }
  Json problems = Json::array();
  for (const ViewProblem& each : view.problems) {
    problems.push_back({{"file", lossless_utf8(each.file)},
                        {"rule", each.problem.rule},
                        {"severity", to_string(each.problem.severity)},
                        {"offset", each.problem.offset},
                        {"message", lossless_utf8(each.problem.message)}});
  }
  Json source = {{"kind", view.kind}, {"locator", lossless_utf8(view.locator)}};
  if (!view.revision.empty()) source["revision"] = view.revision;
  if (!view.folder.empty()) source["folder"] = lossless_utf8(view.folder);
  if (view.is_one_file) source["one_file"] = true;
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"name", options.name},
               {"made_at", format_time(options.made_at)},
               {"made_by", options.made_by},
               {"tool", options.tool},
               {"source", std::move(source)},
               {"totals",
                {{"files", view.files.size()},
                 {"bytes", bytes},
                 {"tensors", view.tensors.size()}}},
               {"files", std::move(files)},
               {"tensors", std::move(tensors)},
               {"metadata", std::move(metadata)},
               {"problems", std::move(problems)}};
  if (!options.mbom.is_null()) json["mbom"] = options.mbom;
  if (!options.provenance.is_null()) json["provenance"] = options.provenance;
  return json;
}

Json make_baseline(const Tree& tree, const BaselineOptions& options,
                   Progress& progress, const Cancellation& cancellation) {
  return describe_baseline(
      view_tree(tree, options.view, progress, cancellation), options);
}

std::string sign_baseline(const Json& baseline, const SigningKey& key) {
  const std::string signed_text = dump_line(baseline);
  const PublicKey public_key = key.public_key();
  const Json signature = {
      {"algorithm", "Ed25519"},
      {"key", public_key.fingerprint().hex()},
      {"public_key", public_key.pem()},
      {"signature", to_base64(key.sign(as_bytes(signed_text)))}};
  return fmt::format("{}{}\n{}{}}}\n", kOpening, signed_text, kSignature,
                     dump_line(signature));
}

std::string write_baseline(const Json& baseline) {
  return fmt::format("{}{}\n}}\n", kOpening, dump_line(baseline));
}

Baseline parse_baseline(std::string_view text, std::string_view source) {
  if (text.size() > limits::kMaxJsonDocument) {
    throw Error(Errc::limit,
                fmt::format("{}: {} bytes, a baseline has at most {}", source,
                            text.size(), limits::kMaxJsonDocument));
  }
  const Json whole = parse_json(text, source);
  Baseline baseline;
  baseline.document = require_key(whole, "baseline", source);
  if (require_text(baseline.document, "format", source) != kFormat) {
    throw Error(Errc::malformed,
                fmt::format("{}: \"format\" is not \"{}\"", source, kFormat));
  }
  if (const auto version = require_u64(baseline.document, "version", source);
      version != kVersion) {
    throw Error(Errc::unsupported,
                fmt::format("{}: baseline version {}, this build reads {}",
                            source, version, kVersion));
  }
  baseline.name = require_text(baseline.document, "name", source);
  baseline.made_at = require_text(baseline.document, "made_at", source);
  baseline.sha256 = sha256(text);
  baseline.text = text;
  baseline.view = view_of(baseline.document, source);
  if (const auto mbom = baseline.document.find("mbom");
      mbom != baseline.document.end()) {
    baseline.mbom_file =
        from_lossless_utf8(require_text(*mbom, "file", source));
    baseline.mbom_sha256 = digest_of(*mbom, source);
  }
  check_signature(text, whole, source, baseline);
  return baseline;
}

bool looks_like_baseline(std::string_view head) noexcept {
  return trim(head).starts_with("{") &&
         head.find(R"("baseline")") != std::string_view::npos &&
         head.find(kFormat) != std::string_view::npos;
}

}  // namespace impound
