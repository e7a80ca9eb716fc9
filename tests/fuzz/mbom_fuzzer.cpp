// SPDX-License-Identifier: Apache-2.0
// rooms: trust
/// A bill of material that somebody else wrote: any bytes give a report or a
/// named error, and the counts add up.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/error.hpp"
#include "core/trust/mbom.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes,
                                      std::size_t size) {
  using namespace impound;
  ModelView view;
  view.kind = "baseline";
  view.locator = "/hub/models--org--name/snapshots/12";
  view.revision = "12";
  ViewFile file;
  file.path = "config.json";
  file.sha256 = Digest{};
  view.files.push_back(file);
  try {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const MbomReport report =
        check_mbom(text, "fuzz", view, read_model_facts(view));
    const std::size_t counted = report.count(ClaimState::holds) +
                                report.count(ClaimState::fails) +
                                report.count(ClaimState::unchecked);
    if (counted != report.claims.size()) std::abort();
    static_cast<void>(report.to_text());
    static_cast<void>(dump_line(report.to_json()));
  } catch (const Error&) {
  }
  return 0;
}
