// SPDX-License-Identifier: Apache-2.0
/// scan_folder PATH [code-only]: scans and prints JSON, for tests that write
/// files with the real libraries.

#include <iostream>
#include <string_view>

#include "core/scan/scan.hpp"
#include "tests/support/folder_tree.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: scan_folder PATH [code-only]\n";
    return 2;
  }
  try {
    impound::ScanOptions options;
    if (argc > 2 && std::string_view(argv[2]) == "code-only") {
      options.depth = impound::ScanOptions::Depth::code_only;
    }
    impound::SilentProgress progress;
    const impound::Cancellation cancellation;
    const impound::test::FolderTree tree(argv[1]);
    const impound::ScanReport report =
        impound::scan_tree(tree, options, progress, cancellation);
    std::cout << impound::dump_pretty(impound::to_json(report));
    return report.exit_code();
  } catch (const impound::Error& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
