// SPDX-License-Identifier: Apache-2.0
#include <string>

namespace impound::test {

std::string source_folder();

std::string source_folder() { return IMPOUND_TREE; }

}  // namespace impound::test
