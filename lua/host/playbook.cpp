// SPDX-License-Identifier: Apache-2.0
#include "lua/host/playbook.hpp"

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/crypto/digest.hpp"
#include "lua/host/child_process.hpp"
#include "lua/host/playbook_schema.hpp"
#include "lua/host/playbook_sources.hpp"

namespace impound::lua {

std::string_view to_string(Effect effect) noexcept {
  return effect == Effect::read ? "read" : "contain";
}

std::string Problem::text() const {
  std::string where = printable(file.string());
  if (line > 0) where += ":" + std::to_string(line);
  return where + ": " + message;
}

std::map<std::string, std::string> read_sources(const fs::path& folder) {
  // Hostile or mistaken folders (a home directory) must not be read whole.
  constexpr std::size_t kMaxFiles = 200;
  constexpr std::uint64_t kMaxSource = limits::kMiB;
  std::map<std::string, std::string> sources;
  std::vector<std::string> folders{""};
  for (std::size_t next = 0; next < folders.size(); ++next) {
    const std::string prefix = folders[next];
    const auto names = list_directory(folder / prefix);
    if (!names) {
      throw Error(Errc::io, "cannot read the folder " +
                                (folder / prefix).string() + ": " +
                                names.failure().message());
    }
    for (const std::string& name : *names) {
      if (name.starts_with('.')) continue;
      const std::string relative = prefix + name;
      const auto stat = stat_path(folder / relative, Links::refuse);
      if (!stat) continue;
      if (stat->kind == FileKind::directory && folders.size() < kMaxFiles) {
        folders.push_back(relative + "/");
      } else if (stat->kind == FileKind::regular && name.ends_with(".lua")) {
        std::string text = read_text_file(folder / relative, kMaxSource);
        if (!is_utf8(text)) {
          throw Error(Errc::malformed,
                      (folder / relative).string() +
                          ": expected UTF-8 text; compiled Lua and other "
                          "encodings are refused");
        }
        sources[relative] = std::move(text);
        if (sources.size() > kMaxFiles) {
          throw Error(Errc::limit, folder.string() + ": more than " +
                                       std::to_string(kMaxFiles) +
                                       " Lua files below one playbook");
        }
      }
    }
  }
  return sources;
}

std::string sources_sha256(const std::map<std::string, std::string>& sources) {
  Sha256 hash;
  for (const auto& [name, source] : sources) {
    // Like a line of sha256sum, so that a stranger can repeat it.
    hash.update(as_bytes(sha256(source).hex() + "  " + name + "\n"));
  }
  return hash.finish().hex();
}

Problem problem_from(const fs::path& folder, const ChildFailure& failure) {
  Problem problem{.file = folder, .line = 0, .message = failure.message};
  const std::size_t colon = failure.at.rfind(':');
  const std::string file = failure.at.substr(0, colon);
  if (!file.empty() && is_safe_member_name(file)) problem.file = folder / file;
  if (colon != std::string::npos) {
    problem.line = std::atoi(failure.at.c_str() + colon + 1);
  }
  return problem;
}

LoadResult read_playbook(const fs::path& given, const ChildOptions& options) {
  return read_playbook_file(given, options).result;
}

LoadedFile read_playbook_file(const fs::path& given,
                              const ChildOptions& options) {
  LoadedFile loaded;
  fs::path folder = fs::absolute(given).lexically_normal();
  if (folder.filename() == "playbook.lua") folder = folder.parent_path();
  if (!folder.has_filename()) folder = folder.parent_path();
  const auto problem = [&](Problem what) {
    loaded.result.problems.push_back(std::move(what));
    return loaded;
  };
  const auto stat = stat_path(folder / "playbook.lua", Links::follow);
  if (!stat) {
    return problem({folder / "playbook.lua", 0,
                    "cannot be read: " + stat.failure().message()});
  }
  std::map<std::string, std::string> sources;
  try {
    sources = read_sources(folder);
  } catch (const Error& error) {
    if (error.code() != Errc::malformed) throw;
    return problem({folder / "playbook.lua", 0, error.what()});
  }
  ChildProcess child(options, ChildProcess::Mode::playbook, sources);
  const auto answer = child.receive();
  if (const auto* end = std::get_if<ChildEnd>(&answer)) {
    return problem({folder / "playbook.lua", 0, end->message});
  }
  const auto& message = std::get<ChildMessage>(answer);
  if (message.kind == ChildMessage::Kind::failed) {
    return problem(problem_from(folder, *message.failure));
  }
  if (message.kind != ChildMessage::Kind::loaded) {
    return problem({folder / "playbook.lua", 0,
                    "the playbook process broke the protocol"});
  }
  loaded.line = message.line;
  loaded.globals = message.globals;
  loaded.result = apply_schema(folder, sources, message.declared, message.line);
  if (loaded.result.playbook) {
    loaded.result.playbook->sha256 = sources_sha256(sources);
  }
  return loaded;
}

LoadedPlaybook load_playbook(const fs::path& folder,
                             const ChildOptions& options) {
  LoadResult result = read_playbook(folder, options);
  if (result.playbook) return std::move(*result.playbook);
  std::string text;
  for (const Problem& problem : result.problems) {
    text += (text.empty() ? "" : "\n") + problem.text();
  }
  throw Error(Errc::bad_input, text);
}

Arguments arguments_for(const LoadedPlaybook& playbook, const Json& given,
                        Spelling spelling, TimeNs now) {
  return check_parameters("playbook " + playbook.id, playbook.parameters, given,
                          spelling, now);
}

}  // namespace impound::lua
