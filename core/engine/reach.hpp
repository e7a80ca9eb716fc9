// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a playbook may reach: the one door through which every path, process
/// and host goes that a call of a playbook would touch [I12].
///
/// A playbook is the code of somebody else that acts with the rights of the
/// examiner. Each function used to guard its own arguments, and those that
/// nobody thought of did not: `ctx:collect("prompt-log", { path = KEY })` read
/// the signing key, and a note of the item signed it into the chain. So no
/// function looks at a name itself. A parameter says what its values name
/// (Touches); whoever performs a call first asks admit(), and acts on what
/// comes back, where every path is resolved; a parameter that does not say what
/// it names is refused.
///
/// Allowed is what the deployment names (its model, its baseline, its logs),
/// what a person gave on this command line in a parameter of type path (a
/// default was given by nobody), and what the playbook declares in needs.reads
/// once a person approved it. Links are followed first, and what they lead to
/// must lie in the same place. Never allowed, whoever names it, is what impound
/// keeps for itself: cases, settings, the signing key.
///
/// What this cannot see: a second name of the same file (a hard link) that lies
/// in an allowed place, and a link that somebody exchanges between the look and
/// the use; both take leave to write there (docs/threats.md).

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json.hpp"
#include "core/evidence/parameter.hpp"
#include "core/evidence/target.hpp"

namespace impound {

enum class TouchKind : std::uint8_t { path, process, host };

/// On whose word something may be touched.
enum class TouchGround : std::uint8_t {
  deployment,    ///< its descriptor names it
  command_line,  ///< a person gave it for this run
  reads,         ///< needs.reads of the playbook
};

[[nodiscard]] std::string_view to_string(TouchKind kind) noexcept;
[[nodiscard]] std::string_view to_string(TouchGround ground) noexcept;

/// One thing outside that a call touches.
struct Touch {
  TouchKind kind = TouchKind::path;
  std::string what;     ///< "/srv/model", "4711", "127.0.0.1:8080"
  std::string at = {};  ///< where the links of a path lead, if elsewhere
  TouchGround ground = TouchGround::deployment;

  friend bool operator==(const Touch&, const Touch&) = default;
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] std::string in_words() const;  ///< for a person, printable
};

/// What a person gave for one run.
struct ReachGiven {
  struct Path {
    std::string text;  ///< as typed
    std::filesystem::path absolute;
  };
  std::vector<Path> paths;
  std::vector<std::int64_t> processes;  ///< of parameters pid and *_pid
  /// Paths that are defaults of parameters: only to say why they are refused.
  std::vector<std::pair<std::string, std::string>> defaults;

  [[nodiscard]] Json to_json() const;
  /// @throws Error{malformed} naming `source`.
  [[nodiscard]] static ReachGiven from_json(const Json& json,
                                            std::string_view source);
};

/// What of `values` was given: the parameters that `typed` names.
[[nodiscard]] ReachGiven reach_given(std::span<const Parameter> parameters,
                                     const Json& typed,
                                     const Arguments& values);

/// A place that no playbook reads, whatever a person names.
struct OwnPlace {
  std::string what;  ///< "the signing key"
  std::filesystem::path path;
};

/// Cases, settings and the key of this examiner. `case_folder` and `key_file`
/// may be empty.
[[nodiscard]] std::vector<OwnPlace> own_places(
    const std::filesystem::path& case_folder,
    const std::filesystem::path& key_file);

/// Whether `path` is `folder` or lies below it; both absolute.
[[nodiscard]] bool lies_within(const std::filesystem::path& path,
                               const std::filesystem::path& folder);

/// Values that can name nothing, whoever gives them: empty, with a NUL byte, or
/// no exhibit where one is asked for. A mistake, and no attempt to reach out.
/// @throws Error{bad_input} naming the parameter and the value.
void require_names(std::string_view owner,
                   std::span<const Parameter> parameters,
                   const Json& arguments);

/// In a tree that the kernel makes up, where a path may lead anywhere without a
/// link that could be resolved (/proc/7/root, /proc/self/fd/3).
[[nodiscard]] bool is_of_kernel(const std::filesystem::path& absolute);

class PlaybookReach {
 public:
  /// What paths are held against.
  enum class Disk : std::uint8_t {
    real,
    made_up,  ///< of a test: nothing is looked up, names are compared
  };
  struct Allowed {
    ReachGiven given = {};
    /// needs.reads: absolute and plain; of use once approve_reads() was called.
    std::vector<std::filesystem::path> reads = {};
    std::vector<OwnPlace> own = {};
    /// Where the examiner lives: open to what the deployment and a person name,
    /// closed to needs.reads. May be empty.
    std::filesystem::path home = {};
  };

  /// `deployment` outlives it.
  PlaybookReach(const Deployment& deployment, Allowed allowed, Disk disk);

  /// Before anybody is asked for leave.
  /// @throws Error{bad_input} if one of needs.reads is or holds what no
  /// playbook
  ///         reads.
  void require_admissible_reads() const;
  void approve_reads() noexcept { has_reads_ = true; }

  /// What a call would do.
  struct Asked {
    std::string_view owner;  ///< "diff", "collector prompt-log"
    std::span<const Parameter> parameters;
    const Json& arguments;  ///< checked against `parameters`
    /// Touched unless an argument names something instead.
    std::span<const DeploymentPart> takes;
  };
  struct Admitted {
    Json arguments;  ///< every path absolute, its links resolved
    std::vector<Touch> touches;
  };
  /// @throws Error{bad_input} naming the parameter, the value and why it may
  ///         not be touched; Error{io} if links cannot be followed.
  [[nodiscard]] Admitted admit(const Asked& asked) const;

 private:
  /// An allowed place.
  struct Root {
    std::filesystem::path named;     ///< absolute
    std::filesystem::path resolved;  ///< without links
    /// Where links of `resolved` may lead as well: the blobs of a cache.
    std::filesystem::path store = {};
    TouchGround ground = TouchGround::deployment;
    bool is_raw = false;  ///< in a tree of the kernel: taken as it is named
  };

  class Admission;

  void add_root(const std::filesystem::path& path, TouchGround ground);
  /// Why a path of needs.reads is none that anybody can allow; "" if it is.
  [[nodiscard]] std::string why_no_read(
      const std::filesystem::path& resolved) const;
  [[nodiscard]] std::filesystem::path resolve(
      const std::filesystem::path& absolute) const;
  /// "lies in the folder of cases /x"; "" if it is none of ours.
  [[nodiscard]] std::string own_place_of(
      const std::filesystem::path& resolved) const;
  [[nodiscard]] const Root* root_of(
      const std::filesystem::path& absolute,
      const std::filesystem::path& resolved) const;
  /// The file belongs to a log that the descriptor names.
  [[nodiscard]] bool is_log(const std::filesystem::path& absolute,
                            const std::filesystem::path& resolved) const;
  [[nodiscard]] std::string why_not(const std::string& text) const;

  const Deployment* deployment_;
  Allowed allowed_;
  Disk disk_;
  bool has_reads_ = false;
  std::vector<Root> roots_;
};

}  // namespace impound
