// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What is asked of a run, and what it acts with.
///
/// The room takes nothing from the process it lives in: what there is to reach
/// out with, the clock, the program that playbooks run in and the place of the
/// key are handed in, so that a run is the same for a command line and a test.

#include <filesystem>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/json.hpp"
#include "core/evidence/containment.hpp"
#include "core/run/given_consent.hpp"
#include "lua/host/playbook.hpp"

namespace impound {

/// A new run, or a plan of one.
struct RunRequest {
  std::string playbook;              ///< id, folder, or playbook.lua
  std::filesystem::path deployment;  ///< its descriptor; a plan needs none
  Json parameters = Json::object();  ///< {"name": "text"}, as they were typed
  bool active_harm = false;          ///< harm is going on; a parameter as well
  TypedConsent consent = {};         ///< given beforehand; a plan needs none
};

/// A run that was interrupted, that waits, or that crashed.
struct ResumeRequest {
  std::string run;  ///< "R001"
  TypedConsent consent = {};
  /// A step that failed or is incomplete: what is recorded of it and of all
  /// behind it are attempts from then on. Empty: none.
  std::string retry = {};
};

/// What every run of this program acts with.
struct RunTools {
  const Clock& clock;
  lua::Instruments instruments;  ///< the collectors and containments there are
  ProbeFunction probe;           ///< asks one probe
  lua::ChildOptions child;       ///< how the process of a playbook is started
  std::string tool_version;      ///< of this program, for needs.min_tool
  /// As find_case() takes it. A plan reads nothing of the case; it tells which
  /// folder no playbook may read.
  std::string case_name;
  std::filesystem::path key_file;  ///< of the examiner; empty: of the profile
};

}  // namespace impound
