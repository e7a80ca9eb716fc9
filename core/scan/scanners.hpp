// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The scanner of each format, for the list in scanners.cpp.

#include "core/scan/file_scanner.hpp"

namespace impound {

void scan_pickle(ScanContext& context, const Subject& subject);
void scan_zip(ScanContext& context, const Subject& subject);
void scan_torch_zip(ScanContext& context, const Subject& subject);
void scan_legacy_torch(ScanContext& context, const Subject& subject);
void scan_tar(ScanContext& context, const Subject& subject);
void scan_torch_tar(ScanContext& context, const Subject& subject);
void scan_numpy(ScanContext& context, const Subject& subject);
void scan_gzip(ScanContext& context, const Subject& subject);
void scan_zlib(ScanContext& context, const Subject& subject);
void scan_packed(ScanContext& context, const Subject& subject);
void scan_safetensors(ScanContext& context, const Subject& subject);
void scan_hf_config(ScanContext& context, const Subject& subject);
void scan_tokenizer(ScanContext& context, const Subject& subject);
void scan_gguf(ScanContext& context, const Subject& subject);
void scan_template_json(ScanContext& context, const Subject& subject);
void scan_jinja(ScanContext& context, const Subject& subject);
void scan_onnx(ScanContext& context, const Subject& subject);
void scan_keras_config(ScanContext& context, const Subject& subject);
void scan_hdf5(ScanContext& context, const Subject& subject);
void scan_tensorflow(ScanContext& context, const Subject& subject);
void scan_ollama(ScanContext& context, const Subject& subject);
void scan_keras_metadata(ScanContext& context, const Subject& subject);

}  // namespace impound
