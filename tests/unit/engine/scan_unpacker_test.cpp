// SPDX-License-Identifier: Apache-2.0
/// Archives of the storage room, scanned: written by libarchive's own bsdtar
/// would need a program; here by libarchive itself.

#include "core/engine/scan_unpacker.hpp"

#include <archive.h>
#include <archive_entry.h>

#include "core/base/handle.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/pickle_writer.hpp"
#include "tests/support/scan_bytes.hpp"

using namespace impound;
using namespace impound::test;

namespace {

using Writer = Handle<archive, archive_write_free>;

std::string make_archive(int (*format)(archive*), int (*filter)(archive*),
                         const std::string& content) {
  std::string out(content.size() + 65536, '\0');
  std::size_t used = 0;
  const Writer writer(archive_write_new());
  REQUIRE(format(writer.get()) == ARCHIVE_OK);
  if (filter != nullptr) REQUIRE(filter(writer.get()) == ARCHIVE_OK);
  REQUIRE(archive_write_open_memory(writer.get(), out.data(), out.size(),
                                    &used) == ARCHIVE_OK);
  const Handle<archive_entry, archive_entry_free> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), "archive/data.pkl");
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  REQUIRE(archive_write_header(writer.get(), entry.get()) == ARCHIVE_OK);
  REQUIRE(archive_write_data(writer.get(), content.data(), content.size()) ==
          static_cast<la_ssize_t>(content.size()));
  REQUIRE(archive_write_close(writer.get()) == ARCHIVE_OK);
  out.resize(used);
  return out;
}

ScanReport scan_unpacked(const std::string& content,
                         std::uint64_t limit = std::uint64_t{1} << 30U) {
  const ArchiveUnpacker unpacker;
  ScanOptions options;
  options.unpacker = &unpacker;
  options.max_unpacked = limit;
  return scan_files({{"model.pt", content}}, options);
}

}  // namespace

TEST_CASE("a pickle in any archive is found (nullifAI's 7z)") {
  const std::string evil = PickleWriter(2).call("os", "system", "id").stop();
  CHECK(
      scan_unpacked(make_archive(archive_write_set_format_7zip, nullptr, evil))
          .verdict() == Verdict::malicious);
  for (int (*filter)(archive*) :
       {archive_write_add_filter_xz, archive_write_add_filter_bzip2,
        archive_write_add_filter_zstd, archive_write_add_filter_gzip}) {
    const ScanReport report =
        scan_unpacked(make_archive(archive_write_set_format_pax, filter, evil));
    CHECK(report.verdict() == Verdict::malicious);
    CHECK(
        scan_unpacked(make_archive(archive_write_set_format_raw, filter, evil))
            .verdict() == Verdict::malicious);
  }
}

TEST_CASE("an archive that unpacks to too much is not read on") {
  const ScanReport report = scan_unpacked(
      make_archive(archive_write_set_format_pax, archive_write_add_filter_xz,
                   std::string(4U << 20U, 'x')),
      1U << 20U);
  CHECK(report.exit_code() != 0);
  CHECK_FALSE(report.is_complete());
}

TEST_CASE("a damaged archive is said to be unread") {
  std::string damaged = make_archive(archive_write_set_format_7zip, nullptr,
                                     std::string(1000, 'x'));
  damaged.resize(damaged.size() / 2);
  const ScanReport report = scan_unpacked(damaged);
  CHECK_FALSE(report.is_complete());
  CHECK(report.verdict() == Verdict::needs_review);
  CHECK(report.exit_code() == 1);  // what nobody looked into is a finding
}
