// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What the code in a torch archive would do: TorchScript, and the Python of
/// torch.package.

#include "core/formats/packed/zip.hpp"
#include "core/scan/file_scanner.hpp"

namespace impound {

/// Reports the sources below `root`/code/.
void report_torchscript(ScanContext& context, const ByteSource& source,
                        const ZipArchive& archive, const std::string& root);

/// Whether torch.package wrote the archive; then its Python is reported.
[[nodiscard]] bool is_torch_package(const ZipArchive& archive);
void report_torch_package(ScanContext& context, const ByteSource& source,
                          const ZipArchive& archive);

}  // namespace impound
