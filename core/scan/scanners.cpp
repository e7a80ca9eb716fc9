// SPDX-License-Identifier: Apache-2.0
/// The list of formats. To add one: write core/scan/<format>_scanner.cpp with
/// the two functions, declare them in scanners.hpp, add a line here and the
/// rules it reports to one of the rules_*.cpp.

#include "core/scan/scanners.hpp"

#include <algorithm>
#include <array>

namespace impound {
namespace {

constexpr std::array kScanners{
    FileScanner{"torch-zip", recognise_torch_zip, scan_torch_zip, "zip"},
    FileScanner{"zip", recognise_zip, scan_zip},
    FileScanner{"torch-legacy", recognise_legacy_torch, scan_legacy_torch},
    FileScanner{"torch-tar", recognise_torch_tar, scan_torch_tar, "tar"},
    FileScanner{"tar", recognise_tar, scan_tar},
    FileScanner{"numpy", recognise_numpy, scan_numpy},
    FileScanner{"pickle", recognise_pickle, scan_pickle},
    FileScanner{"gzip", recognise_gzip, scan_gzip},
    FileScanner{"zlib", recognise_zlib, scan_zlib},
    FileScanner{"packed", recognise_packed, scan_packed},
    FileScanner{"safetensors", recognise_safetensors, scan_safetensors},
    FileScanner{"hf-config", recognise_hf_config, scan_hf_config},
    FileScanner{"tokenizer", recognise_tokenizer, scan_tokenizer},
    FileScanner{"gguf", recognise_gguf, scan_gguf},
    FileScanner{"template-json", recognise_template_json, scan_template_json,
                "hf-config"},
    FileScanner{"jinja", recognise_jinja, scan_jinja},
    FileScanner{"onnx", recognise_onnx, scan_onnx},
    FileScanner{"keras-config", recognise_keras_config, scan_keras_config,
                "hf-config"},
    FileScanner{"keras-metadata", recognise_keras_metadata,
                scan_keras_metadata},
    FileScanner{"hdf5", recognise_hdf5, scan_hdf5},
    FileScanner{"tensorflow", recognise_tensorflow, scan_tensorflow},
    FileScanner{"ollama-manifest", recognise_ollama, scan_ollama},
};

}  // namespace

std::span<const FileScanner> file_scanners() { return kScanners; }

bool is_recognised_by_head(ByteView head, std::string_view name) {
  const SpanSource source(head);
  const Subject subject{.source = source, .head = head, .name = name};
  return std::any_of(
      kScanners.begin(), kScanners.end(),
      [&](const FileScanner& scanner) { return scanner.recognise(subject); });
}

}  // namespace impound
