// SPDX-License-Identifier: Apache-2.0
#include "core/formats/recognise.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/config_json.hpp"
#include "core/formats/gguf/gguf.hpp"
#include "core/formats/hdf5/hdf5.hpp"
#include "core/formats/hdf5/keras.hpp"
#include "core/formats/hdf5/keras_metadata.hpp"
#include "core/formats/numpy/numpy.hpp"
#include "core/formats/onnx/onnx.hpp"
#include "core/formats/packed/tar_file.hpp"
#include "core/formats/packed/zip.hpp"
#include "core/formats/packed/zip_inflate.hpp"
#include "core/formats/pickle/pickle.hpp"
#include "core/formats/safetensors/safetensors.hpp"
#include "core/formats/tensorflow/savedmodel.hpp"
#include "core/formats/torch/torch.hpp"
#include "core/formats/torch/torch_tar.hpp"

namespace impound {
namespace {

/// Documents above this are no configuration of a model.
constexpr std::uint64_t kMaxJsonText = 64 * limits::kMiB;
constexpr std::uint64_t kMaxManifest = limits::kMiB;

bool begins_json(const FormatSubject& subject) {
  return trim(as_text(subject.head)).starts_with('{');
}

bool has(const FormatSubject& subject, std::string_view part) {
  return as_text(subject.head).find(part) != std::string_view::npos;
}

bool is_zip(const FormatSubject& subject) {
  if (!subject.is_zip) {
    subject.is_zip = looks_like_zip(subject.head, subject.source);
  }
  return *subject.is_zip;
}

std::string_view as_zip(const FormatSubject& subject) {
  if (!is_zip(subject)) return {};
  return as_text(subject.head).starts_with("PK")
             ? "begins as a zip"
             : "ends with the directory of a zip";
}

std::string_view as_torch_zip(const FormatSubject& subject) {
  if (!is_zip(subject) || !torch_zip_root(archive_of(subject))) return {};
  return "a zip with a data.pkl, as torch.save writes it";
}

std::string_view as_torch_legacy(const FormatSubject& subject) {
  return looks_like_legacy_torch(subject.head)
             ? "begins with the magic number of torch.save before zip"
             : "";
}

std::string_view as_tar(const FormatSubject& subject) {
  return looks_like_tar(subject.head) ? "begins with the header of a tar" : "";
}

std::string_view as_torch_tar(const FormatSubject& subject) {
  return looks_like_tar(subject.head) && is_torch_tar(read_tar(subject.source))
             ? "a tar with the members of the first torch.save"
             : "";
}

std::string_view as_numpy(const FormatSubject& subject) {
  return looks_like_numpy(subject.head) ? "begins with \"\\x93NUMPY\"" : "";
}

std::string_view as_pickle(const FormatSubject& subject) {
  if (looks_like_legacy_torch(subject.head)) return {};
  if (looks_like_pickle(subject.head)) return "its first opcodes are a pickle";
  // A beginning that was broken on purpose: what follows may be read by
  // somebody who knows where it is.
  if (subject.head.size() < 2 ||
      std::to_integer<int>(subject.head[0]) != 0x80 ||
      std::to_integer<int>(subject.head[1]) > 5) {
    return {};
  }
  const SpanSource head(subject.head);
  return find_pickles(head, PickleOptions{.max_opcodes = 100'000}, 2)
                 .runs.empty()
             ? ""
             : "begins as a pickle, and one follows";
}

std::string_view as_gzip(const FormatSubject& subject) {
  return as_text(subject.head).starts_with("\x1f\x8b\x08") ? "begins as gzip"
                                                           : "";
}

std::string_view as_zlib(const FormatSubject& subject) {
  if (subject.head.size() < 8) return {};
  const int first = std::to_integer<int>(subject.head[0]);
  const int second = std::to_integer<int>(subject.head[1]);
  if (first != 0x78 || (first * 256 + second) % 31 != 0 ||
      (second & 0x20) != 0) {
    return {};
  }
  // Two bytes are not much: the beginning must unpack to something.
  const InflateSource trial(subject.source, 0, subject.source.size(),
                            DeflateWrapping::zlib, 4096);
  return trial.size() > 0 &&
                 (trial.outcome().has_ended || trial.outcome().is_over_limit ||
                  trial.size() >= 64)
             ? "begins as zlib, and unpacks"
             : "";
}

std::string_view as_packed(const FormatSubject& subject) {
  return packed_name(subject.head).empty()
             ? ""
             : "begins as an archive or a packed file";
}

std::string_view as_safetensors(const FormatSubject& subject) {
  if (looks_like_safetensors(subject.head, subject.source.size())) {
    return "begins with the length of a JSON header, and the header";
  }
  // A header that nothing recognises still deserves its problems [I14].
  return subject.name.ends_with(".safetensors") ? "is called .safetensors" : "";
}

std::string_view as_gguf(const FormatSubject& subject) {
  return is_gguf(subject.head) ? "begins with \"GGUF\"" : "";
}

std::string_view as_onnx(const FormatSubject& subject) {
  return is_onnx(subject.source) ? "its fields are those of an ONNX ModelProto"
                                 : "";
}

std::string_view as_keras_metadata(const FormatSubject& subject) {
  return is_keras_metadata(subject.source)
             ? "its fields are those of keras_metadata.pb"
             : "";
}

std::string_view as_hdf5(const FormatSubject& subject) {
  std::uint64_t offset = 0;
  if (!find_hdf5(subject.source, offset)) return {};
  return offset == 0 ? "begins with the signature of HDF5"
                     : "the signature of HDF5 stands behind a user block";
}

std::string_view as_tensorflow(const FormatSubject& subject) {
  return recognise_tensorflow_file(subject.source) == TfKind::none
             ? ""
             : "its fields are those of a TensorFlow graph";
}

std::string_view as_hf_config(const FormatSubject& subject) {
  if (!begins_json(subject) || subject.source.size() > kMaxJsonText) return {};
  if (subject.name.ends_with("config.json")) return "JSON, called config.json";
  // JSON of any other kind is none of our business; these keys are.
  return has(subject, "\"auto_map\"") ||
                 has(subject, "\"trust_remote_code\"") ||
                 has(subject, "\"custom_pipelines\"") ||
                 has(subject, "\"_target_\"")
             ? "JSON with a key that names code"
             : "";
}

std::string_view as_tokenizer(const FormatSubject& subject) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "tokenizer.json", "special_tokens_map.json", "added_tokens.json",
      "vocab.json", "tokenizer_config.json"};
  if (!begins_json(subject)) return {};
  if (std::ranges::find(kNames, subject.name) != kNames.end()) {
    return "JSON, called as a tokenizer's file";
  }
  return has(subject, "\"added_tokens\"") && (has(subject, "\"normalizer\"") ||
                                              has(subject, "\"pre_tokenizer\""))
             ? "JSON with the keys of a tokenizer"
             : "";
}

/// The key may stand behind thousands of added tokens.
bool mentions_template(const ByteSource& source) {
  constexpr std::string_view kKey = "\"chat_template\"";
  constexpr std::uint64_t kBlock = limits::kMiB;
  for (std::uint64_t at = 0; at < source.size(); at += kBlock) {
    const Bytes block = source.head(at, kBlock + kKey.size());
    if (as_text(block).find(kKey) != std::string_view::npos) return true;
  }
  return false;
}

std::string_view as_template_json(const FormatSubject& subject) {
  if (!begins_json(subject)) return {};
  // These are always parsed, lest the key hide behind an escape; or said not to
  // have been, if they were blown up.
  if (subject.name.ends_with("config.json") ||
      subject.name == "chat_template.json") {
    return "JSON, called as a file with chat templates";
  }
  return subject.source.size() <= kMaxJsonText &&
                 mentions_template(subject.source)
             ? "JSON with a chat_template"
             : "";
}

std::string_view as_jinja(const FormatSubject& subject) {
  static constexpr std::array<std::string_view, 3> kSuffixes = {
      ".jinja", ".jinja2", ".j2"};
  const std::string_view text = as_text(subject.head);
  if (text.empty() || text.find('\0') != std::string_view::npos) return {};
  if (std::ranges::any_of(kSuffixes, [&](std::string_view suffix) {
        return subject.name.ends_with(suffix);
      })) {
    return "a text, called as a template";
  }
  // Go's templates, as Ollama stores them, have no "{%".
  const std::string_view begin = trim(text);
  return (begin.starts_with("{%") || begin.starts_with("{{") ||
          begin.starts_with("{#")) &&
                 text.find("{%") != std::string_view::npos
             ? "a text that begins as a Jinja template"
             : "";
}

std::string_view as_keras_config(const FormatSubject& subject) {
  if (!begins_json(subject) || subject.source.size() > kMaxJsonText) return {};
  // A key may hide behind an escape, as Python's json would read it.
  if (!has(subject, "\"class_name\"") && !has(subject, "\\u00")) return {};
  const Bytes text = subject.source.head(0, subject.source.size());
  return is_keras_config(parse_config_json(as_text(text), subject.name))
             ? "JSON with the keys of a Keras configuration"
             : "";
}

std::string_view as_ollama_manifest(const FormatSubject& subject) {
  return begins_json(subject) && subject.source.size() <= kMaxManifest &&
                 has(subject, "application/vnd.ollama.image")
             ? "JSON with Ollama's media type"
             : "";
}

struct Entry {
  Format format;
  std::string_view name;
  std::string_view (*why)(const FormatSubject&);
  Format kind_of = Format::unknown;
};

/// In the order in which formats are named in a report. To add one: an
/// enumerator, a line here, and what scanning or comparing does with it.
constexpr std::array kEntries{
    Entry{Format::torch_zip, "torch-zip", as_torch_zip, Format::zip},
    Entry{Format::zip, "zip", as_zip},
    Entry{Format::torch_legacy, "torch-legacy", as_torch_legacy},
    Entry{Format::torch_tar, "torch-tar", as_torch_tar, Format::tar},
    Entry{Format::tar, "tar", as_tar},
    Entry{Format::numpy, "numpy", as_numpy},
    Entry{Format::pickle, "pickle", as_pickle},
    Entry{Format::gzip, "gzip", as_gzip},
    Entry{Format::zlib, "zlib", as_zlib},
    Entry{Format::packed, "packed", as_packed},
    Entry{Format::safetensors, "safetensors", as_safetensors},
    Entry{Format::hf_config, "hf-config", as_hf_config},
    Entry{Format::tokenizer, "tokenizer", as_tokenizer},
    Entry{Format::gguf, "gguf", as_gguf},
    Entry{Format::template_json, "template-json", as_template_json,
          Format::hf_config},
    Entry{Format::jinja, "jinja", as_jinja},
    Entry{Format::onnx, "onnx", as_onnx},
    Entry{Format::keras_config, "keras-config", as_keras_config,
          Format::hf_config},
    Entry{Format::keras_metadata, "keras-metadata", as_keras_metadata},
    Entry{Format::hdf5, "hdf5", as_hdf5},
    Entry{Format::tensorflow, "tensorflow", as_tensorflow},
    Entry{Format::ollama_manifest, "ollama-manifest", as_ollama_manifest},
};

const Entry* entry_of(Format format) noexcept {
  const auto found = std::ranges::find(kEntries, format, &Entry::format);
  return found == kEntries.end() ? nullptr : &*found;
}

std::string_view ask(const Entry& entry, const FormatSubject& subject) {
  try {
    return entry.why(subject);
  } catch (const Error& error) {
    // The source failed, not the format.
    if (error.code() == Errc::io || error.code() == Errc::integrity) throw;
    return {};
  }
}

template <typename Wanted>
std::vector<Recognised> recognise_those(const FormatSubject& subject,
                                        Wanted wanted) {
  std::vector<Recognised> found;
  for (const Entry& entry : kEntries) {
    if (!wanted(entry.format)) continue;
    const std::string_view why = ask(entry, subject);
    if (!why.empty()) found.push_back({.format = entry.format, .why = why});
  }
  return found;
}

struct Magic {
  std::string_view bytes;
  std::string_view format;
};

constexpr std::array kPacked{
    Magic{"7z\xbc\xaf\x27\x1c", "7z"},
    Magic{std::string_view("\xfd"
                           "7zXZ\x00",
                           6),
          "xz"},
    Magic{"BZh", "bzip2"},
    Magic{"\x28\xb5\x2f\xfd", "zstd"},
    Magic{"\x04\x22\x4d\x18", "lz4"},
    Magic{"Rar!\x1a\x07", "rar"},
    Magic{std::string_view("\x5d\x00\x00", 3), "lzma"},
    Magic{"MSCF", "cab"},
    Magic{"070701", "cpio"},
    Magic{"070702", "cpio"},
    Magic{"070707", "cpio"},
    Magic{"xar!", "xar"},
    Magic{"!<arch>\n", "ar"},
};

}  // namespace

std::string_view to_string(Format format) noexcept {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? "unknown" : entry->name;
}

std::optional<Format> format_from(std::string_view name) noexcept {
  if (name == "unknown") return Format::unknown;
  const auto found = std::ranges::find(kEntries, name, &Entry::name);
  if (found == kEntries.end()) return std::nullopt;
  return found->format;
}

Format kind_of(Format format) noexcept {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? Format::unknown : entry->kind_of;
}

bool is_text_format(Format format) noexcept {
  switch (format) {
    case Format::hf_config:
    case Format::tokenizer:
    case Format::template_json:
    case Format::jinja:
    case Format::keras_config:
    case Format::ollama_manifest:
      return true;
    default:
      return false;
  }
}

const ZipArchive& archive_of(const FormatSubject& subject) {
  if (subject.zip == nullptr) {
    subject.zip = std::make_shared<const ZipArchive>(read_zip(subject.source));
  }
  return *subject.zip;
}

std::string_view why_format(Format format, const FormatSubject& subject) {
  const Entry* const entry = entry_of(format);
  return entry == nullptr ? std::string_view{} : ask(*entry, subject);
}

std::vector<Recognised> recognise(const FormatSubject& subject) {
  return recognise_those(subject, [](Format) { return true; });
}

std::vector<Recognised> recognise_binary(const FormatSubject& subject) {
  return recognise_those(subject,
                         [](Format format) { return !is_text_format(format); });
}

std::string_view packed_name(ByteView head) noexcept {
  for (const Magic& magic : kPacked) {
    if (as_text(head).starts_with(magic.bytes)) return magic.format;
  }
  // The first volume descriptor of a disc image; a polyglot has the 32 KiB
  // before it to itself.
  constexpr std::size_t kDescriptor = 32769;
  if (head.size() > kDescriptor + 5 &&
      as_text(head).substr(kDescriptor, 5) == "CD001") {
    return "iso9660";
  }
  return {};
}

}  // namespace impound
