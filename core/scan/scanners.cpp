// SPDX-License-Identifier: Apache-2.0
/// The list of scanners. To add one: write core/scan/<format>_scanner.cpp with
/// its function, declare it in scanners.hpp, add a line here and the rules it
/// reports to one of the rules_*.cpp. How it is recognised stands in
/// core/formats/recognise.cpp.

#include "core/scan/scanners.hpp"

#include <array>

namespace impound {
namespace {

constexpr std::array kScanners{
    FileScanner{Format::torch_zip, scan_torch_zip},
    FileScanner{Format::zip, scan_zip},
    FileScanner{Format::torch_legacy, scan_legacy_torch},
    FileScanner{Format::torch_tar, scan_torch_tar},
    FileScanner{Format::tar, scan_tar},
    FileScanner{Format::numpy, scan_numpy},
    FileScanner{Format::pickle, scan_pickle},
    FileScanner{Format::gzip, scan_gzip},
    FileScanner{Format::zlib, scan_zlib},
    FileScanner{Format::packed, scan_packed},
    FileScanner{Format::safetensors, scan_safetensors},
    FileScanner{Format::hf_config, scan_hf_config},
    FileScanner{Format::tokenizer, scan_tokenizer},
    FileScanner{Format::gguf, scan_gguf},
    FileScanner{Format::template_json, scan_template_json},
    FileScanner{Format::jinja, scan_jinja},
    FileScanner{Format::onnx, scan_onnx},
    FileScanner{Format::keras_config, scan_keras_config},
    FileScanner{Format::keras_metadata, scan_keras_metadata},
    FileScanner{Format::hdf5, scan_hdf5},
    FileScanner{Format::tensorflow, scan_tensorflow},
    FileScanner{Format::ollama_manifest, scan_ollama},
};

}  // namespace

std::span<const FileScanner> file_scanners() { return kScanners; }

}  // namespace impound
