// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The two functions of each format, for the list in scanners.cpp.

#include "core/scan/file_scanner.hpp"

namespace impound {

[[nodiscard]] bool recognise_pickle(const Subject& subject);
void scan_pickle(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_zip(const Subject& subject);
void scan_zip(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_torch_zip(const Subject& subject);
void scan_torch_zip(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_legacy_torch(const Subject& subject);
void scan_legacy_torch(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_tar(const Subject& subject);
void scan_tar(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_torch_tar(const Subject& subject);
void scan_torch_tar(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_numpy(const Subject& subject);
void scan_numpy(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_gzip(const Subject& subject);
void scan_gzip(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_zlib(const Subject& subject);
void scan_zlib(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_packed(const Subject& subject);
void scan_packed(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_safetensors(const Subject& subject);
void scan_safetensors(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_hf_config(const Subject& subject);
void scan_hf_config(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_tokenizer(const Subject& subject);
void scan_tokenizer(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_gguf(const Subject& subject);
void scan_gguf(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_template_json(const Subject& subject);
void scan_template_json(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_jinja(const Subject& subject);
void scan_jinja(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_onnx(const Subject& subject);
void scan_onnx(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_keras_config(const Subject& subject);
void scan_keras_config(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_hdf5(const Subject& subject);
void scan_hdf5(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_tensorflow(const Subject& subject);
void scan_tensorflow(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_ollama(const Subject& subject);
void scan_ollama(ScanContext& context, const Subject& subject);

[[nodiscard]] bool recognise_keras_metadata(const Subject& subject);
void scan_keras_metadata(ScanContext& context, const Subject& subject);

}  // namespace impound
