// SPDX-License-Identifier: Apache-2.0
#include "core/base/error.hpp"

namespace impound {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::bad_input:
      return "bad_input";
    case Errc::io:
      return "io";
    case Errc::malformed:
      return "malformed";
    case Errc::limit:
      return "limit";
    case Errc::integrity:
      return "integrity";
    case Errc::unsupported:
      return "unsupported";
  }
  return "unknown";
}

}  // namespace impound
