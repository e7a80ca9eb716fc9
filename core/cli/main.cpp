// SPDX-License-Identifier: Apache-2.0
/// Entry point: maps a command line to one act and its outcome to an exit code.

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  CLI::App app{"Incident response for AI models."};
  CLI11_PARSE(app, argc, argv);
  return 0;
}
