// SPDX-License-Identifier: Apache-2.0
/// torchscript_corpus FOLDER: writes seeds for the fuzzer of TorchScript.

#include <filesystem>
#include <fstream>

void write_torchscript_seeds(const std::filesystem::path& folder) {
  std::ofstream(folder / "forward.py")
      << "def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n"
         "  torch.save(x, \"/tmp/a\\\"b\") # torch.load(\n"
         "  _0 = ops.image.read_file(\"p\")\n  return ^py(1)(x)\n"
         "  c : __torch__.torch.classes.foo.Bar\n  s = 'open\n";
}
