// SPDX-License-Identifier: Apache-2.0
#include "core/engine/examiner.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "core/base/durable_folders.hpp"
#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/json.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/engine/places.hpp"

namespace impound {
namespace {

fs::path profile_file() { return config_folder() / "examiner.json"; }

std::string os_user() {
  const passwd* user = ::getpwuid(::getuid());
  return user == nullptr ? "?" : user->pw_name;
}

/// As ssh does: a key that others can read proves nothing about its owner.
void refuse_readable_by_others(const fs::path& key_file) {
  const auto stat = stat_path(key_file, Links::follow);
  if (!stat) {
    throw Error(
        Errc::io,
        fmt::format("cannot read key {}: {}", printable(key_file.native()),
                    stat.failure().message()),
        stat.failure().code);
  }
  if ((stat->mode & 077U) != 0) {
    throw Error(Errc::bad_input,
                fmt::format("key {} has mode {:04o}: others may use it, "
                            "expected 0600",
                            printable(key_file.native()), stat->mode));
  }
}

void refuse_existing(const fs::path& path) {
  if (stat_path(path, Links::refuse)) {
    throw Error(Errc::bad_input,
                fmt::format("{} is there already and is not replaced",
                            printable(path.native())));
  }
}

void write_key(const SigningKey& key, const fs::path& key_file,
               const std::string& passphrase) {
  const UniqueFd file = create_file(key_file, 0600);
  write_all(file, as_bytes(key.pem(passphrase)), key_file);
  sync_fd(file, key_file);
}

void write_profile(const ExaminerProfile& profile, const PublicKey& key) {
  Json json;
  json["schema"] = 1;
  json["name"] = profile.name;
  json["org"] = profile.org;
  json["role"] = profile.role;
  json["key_file"] = profile.key_file.native();
  json["fingerprint"] = profile.fingerprint;
  json["public_key"] = key.pem();
  write_file_durably(profile_file(), as_bytes(dump_pretty(json)), 0644);
}

/// A key until its profile is durable: nobody can sign with it yet.
fs::path unfinished_key(const fs::path& key_file) {
  fs::path name = key_file;
  name += ".new";
  return name;
}

/// An init that ended between profile and key may be made again.
bool was_cut_off() {
  if (!stat_path(profile_file(), Links::refuse)) return false;
  try {
    const fs::path key_file = load_profile().key_file;
    return !stat_path(key_file, Links::refuse) &&
           stat_path(unfinished_key(key_file), Links::refuse);
  } catch (const Error&) {
    return false;  // no profile of ours
  }
}

}  // namespace

ExaminerProfile create_examiner(const ExaminerProfile& wanted,
                                const std::string& passphrase) {
  ExaminerProfile profile = wanted;
  if (profile.name.empty()) {
    throw Error(Errc::bad_input, "an examiner needs a name (--name)");
  }
  if (profile.key_file.empty()) {
    profile.key_file = config_folder() / "examiner.key";
  }
  profile.key_file = fs::absolute(profile.key_file);
  if (!was_cut_off()) refuse_existing(profile_file());
  refuse_existing(profile.key_file);
  create_folders_durably(config_folder());
  create_folders_durably(profile.key_file.parent_path());

  const SigningKey key = SigningKey::generate();
  profile.fingerprint = key.public_key().fingerprint().hex();
  const fs::path unfinished = unfinished_key(profile.key_file);
  try {
    remove_file(unfinished);
    write_key(key, unfinished, passphrase);
    sync_folder(unfinished.parent_path());
    write_profile(profile, key.public_key());
    rename_durably(unfinished, profile.key_file);
  } catch (const Error&) {
    // Nobody was told of this key, and nothing was signed with it.
    for (const fs::path& made :
         {profile_file(), profile.key_file, unfinished}) {
      remove_file(made);
    }
    throw;
  }
  return profile;
}

bool has_profile() {
  try {
    return static_cast<bool>(stat_path(profile_file(), Links::follow));
  } catch (const Error&) {
    return false;  // no home, so no profile
  }
}

fs::path card_file() { return profile_file(); }

ExaminerProfile renew_examiner(const std::string& passphrase) {
  ExaminerProfile profile = load_profile();
  const SigningKey key = SigningKey::generate();
  profile.fingerprint = key.public_key().fingerprint().hex();
  profile.key_file =
      config_folder() /
      fmt::format("examiner-{}.key", profile.fingerprint.substr(0, 16));
  write_key(key, profile.key_file, passphrase);
  write_profile(profile, key.public_key());
  return profile;
}

ExaminerProfile load_profile() {
  const fs::path file = profile_file();
  if (!stat_path(file, Links::follow)) {
    throw Error(Errc::bad_input,
                "nobody is set up as examiner here: run 'impound examiner "
                "init --name … --org … --role …' first");
  }
  const std::string source = printable(file.native());
  const Json json =
      parse_json(read_text_file(file, limits::kMaxSmallFile), source);
  ExaminerProfile profile;
  profile.name = require_text(json, "name", source);
  profile.org = require_text(json, "org", source);
  profile.role = require_text(json, "role", source);
  profile.key_file = require_text(json, "key_file", source);
  profile.fingerprint = require_text(json, "fingerprint", source);
  return profile;
}

Examiner load_examiner(const fs::path& key_file,
                       const PassphrasePrompt& passphrase) {
  ExaminerProfile profile = load_profile();
  if (!key_file.empty()) profile.key_file = key_file;
  refuse_readable_by_others(profile.key_file);
  SigningKey key = SigningKey::from_pem(
      read_text_file(profile.key_file, limits::kMaxSmallFile),
      printable(profile.key_file.native()), passphrase);
  Actor actor;
  actor.kind = "person";
  actor.name = profile.name;
  actor.org = profile.org;
  actor.role = profile.role;
  actor.auth = fmt::format("os uid {} ({}), key {}", ::getuid(), os_user(),
                           key.public_key().fingerprint().hex());
  return Examiner{std::move(actor), std::move(key)};
}

}  // namespace impound
