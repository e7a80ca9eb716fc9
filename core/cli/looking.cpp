// SPDX-License-Identifier: Apache-2.0
#include "core/cli/looking.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export_list.hpp"
#include "core/engine/examiner.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

/// What the system says against writing to the case; "" if nothing.
std::string write_protection(const fs::path& folder) {
  for (const fs::path& path : {folder / "case.db", folder}) {
    if (::access(path.c_str(), W_OK) == 0) continue;
    return fmt::format("{} cannot be written here: {}",
                       printable(path.native()), std::strerror(errno));
  }
  return {};
}

std::string why_nothing_is_recorded(const Globals& globals,
                                    const CaseFile& case_file,
                                    Looking::AfterClose after_close) {
  if (is_export(case_file.folder())) {
    return "this is an export, which is signed as it is";
  }
  const std::string closed_at = case_file.summary().closed_at;
  if (!closed_at.empty() && after_close == Looking::AfterClose::refused) {
    return "the case is closed since " + closed_at;
  }
  if (std::string why = write_protection(case_file.folder()); !why.empty()) {
    return why;
  }
  if (globals.key_file.empty() && !has_profile()) {
    return "nobody is set up as examiner here, so nobody signs";
  }
  return {};
}

}  // namespace

void LookRecord::add_to(Json& document) const {
  if (state == State::not_asked) return;
  document["recorded"] = !is_missing();
  if (is_missing()) document["not_recorded"] = lossless_utf8(why);
}

std::string LookRecord::in_words() const {
  if (!is_missing()) return {};
  return fmt::format("NOT RECORDED in case {}: {}\n", printable(case_id),
                     printable(why));
}

Looking::Looking(const Globals& globals, AfterClose after_close) {
  reading_.emplace(open_case_to_read(globals));
  why_not_ = why_nothing_is_recorded(globals, *reading_, after_close);
  if (why_not_.empty()) {
    reading_.reset();
    acting_.emplace(globals);
  }
  progress_ = make_progress(globals, Events::no);
}

const CaseFile& Looking::file() {
  return acting_ ? acting_->file() : *reading_;
}

LookRecord Looking::record(const std::function<void(Session&)>& write) {
  try {
    return record_first(write);
  } catch (const Error& error) {
    return {.state = LookRecord::State::failed,
            .case_id = file().id(),
            .why = error.what()};
  }
}

LookRecord Looking::record_first(const std::function<void(Session&)>& write) {
  LookRecord recording{.state = LookRecord::State::impossible,
                       .case_id = file().id(),
                       .why = why_not_};
  if (acting_) {
    write(acting_->session());
    recording.state = LookRecord::State::recorded;
  }
  return recording;
}

}  // namespace impound
