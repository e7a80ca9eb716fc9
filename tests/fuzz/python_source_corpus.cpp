// SPDX-License-Identifier: Apache-2.0
/// python_source_corpus FOLDER: writes seeds for the fuzzer of Python sources.

#include <filesystem>
#include <fstream>
#include <string>

void write_python_source_seeds(const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  };
  write("blocks.py",
        "import os, sys as s\nfrom a.b import (c,\n  d)\nclass A:\n  x = "
        "os.system('a')\n  def f(self):\n    return eval('1')\n"
        "if __name__ == '__main__':\n  subprocess.run([1])\n");
  write("strings.py",
        "'''a\n\\''' b = \"c\\\"d\" # e\nr'\\' + exec(\n\"\"\"x\n\"\"\")\n\\\n"
        "socket.socket \\\n ()\n");
  write("open.py", "x = 'never closed\ny = (((\n'''");
}
