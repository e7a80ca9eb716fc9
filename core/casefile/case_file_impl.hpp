// SPDX-License-Identifier: Apache-2.0
#pragma once
/// What a CaseFile holds; shared by case_file.cpp, case_writer.cpp and
/// queries.cpp only.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/fs.hpp"
#include "core/casefile/case_file.hpp"
#include "core/casefile/entry_line.hpp"
#include "core/casefile/signers.hpp"
#include "core/crypto/merkle.hpp"
#include "core/storage/sqlite.hpp"

namespace impound {

/// The name of the database in a case folder.
inline constexpr const char* kCaseDatabase = "case.db";

/// What an append must know of the whole chain, folded entry by entry, so that
/// it is read once in a process and not once an append.
struct ChainFold {
  std::int64_t entries = 0;  ///< folded so far
  bool closed = false;
  std::int64_t exhibits = 0;  ///< highest number given to an exhibit
  std::int64_t runs = 0;
  std::int64_t findings = 0;
  SignerRoll roll;  ///< who may sign

  /// Folds what was appended since, by whomever.
  void catch_up(const Database& database);
};

/// What one act adds to the case.
struct Addition {
  std::vector<EntryDraft> drafts;
  std::vector<JournalRow> journal;
  CaseFile::JournalMaker make_journal;  ///< further rows; may be empty
  /// Runs under the lock, before the drafts are written: allocates ids.
  std::function<void(const ChainFold&, std::vector<EntryDraft>&)> prepare;
};

struct CaseFile::Impl {
  Impl(fs::path case_folder, const fs::path& file, CaseMode mode,
       const Clock& system_clock);

  /// @throws Error{bad_input} if the case is open for reading only.
  void prepare_to_write();
  /// One transaction; the entries of the drafts, in their order.
  std::vector<Entry> add(Addition addition, const Examiner& examiner);
  /// A note over the whole chain, stored; appends head.sign only if asked.
  enum class HeadEntry : std::uint8_t { append, none };
  std::string add_head(const Examiner& examiner, HeadEntry entry);

  fs::path folder;
  CaseMode mode;
  const Clock& clock;
  std::unique_ptr<Database> database;
  std::string id;
  std::string nonce;
  HostFacts host;  ///< read at the first append
  bool host_known = false;
  /// Both change only after a commit.
  ChainFold fold;
  /// Merkle state after some entry: a head is then signed without reading the
  /// chain again.
  MerkleFrontier frontier;
};

}  // namespace impound
