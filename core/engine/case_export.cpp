// SPDX-License-Identifier: Apache-2.0
#include "core/engine/case_export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "core/base/error.hpp"
#include "core/base/fs.hpp"
#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/casefile/export.hpp"
#include "core/engine/exhibits.hpp"

namespace impound {
namespace {

constexpr std::string_view kRedactionFile = "/redaction.json";
/// Collectors that replace values, and say in that file how many.
constexpr std::array<std::string_view, 2> kRedacting{"process", "host"};

std::size_t replaced_in(const BundleReader& reader, const Item& item) {
  const auto source = reader.open(item);
  if (source->size() > limits::kMaxJsonDocument) {
    throw Error(Errc::limit, human_bytes(source->size()) + " is too large");
  }
  const Bytes content = source->head(0, source->size());
  if (sha256(content) != item.sha256) {
    throw Error(Errc::integrity, "its digest is not the one that was sealed");
  }
  const Json record = parse_json(as_text(content), item.name);
  const Json& replaced = require_key(record, "replaced", item.name);
  if (!replaced.is_array()) {
    throw Error(Errc::malformed, "\"replaced\" is no list");
  }
  return replaced.size();
}

/// One total out of what the exhibits say. What cannot be read makes the total
/// unknown, not smaller.
class RedactionCount {
 public:
  void add(const CaseFile& case_file, const std::string& exhibit) {
    try {
      const auto reader = open_exhibit(case_file, exhibit);
      for (const std::string_view collector : kRedacting) {
        add(*reader, exhibit, collector);
      }
    } catch (const Error& error) {
      unknown(exhibit, error.what());
    }
  }

  [[nodiscard]] Json to_json() const {
    Json json;
    json["count"] = unknown_.empty() ? Json(counted_) : Json(nullptr);
    json["basis"] =
        "values that collectors replaced by salted commitments, counted in the "
        "redaction.json of each exhibit; other files are as they were found";
    json["items"] = items_;
    if (!unknown_.empty()) json["unknown"] = unknown_;
    return json;
  }

 private:
  void add(const BundleReader& reader, const std::string& exhibit,
           std::string_view collector) {
    const std::string name =
        std::string(collector) + std::string(kRedactionFile);
    bool is_used = false;
    for (const Item& item : reader.items()) {
      if (item.collector != collector) continue;
      is_used = true;
      if (item.name != name) continue;
      const std::string id = fmt::format("{}/{}", exhibit, item.number);
      try {
        const std::size_t count = replaced_in(reader, item);
        counted_ += count;
        items_.push_back({{"item", id}, {"count", count}});
      } catch (const Error& error) {
        unknown(id, error.what());
      }
      return;
    }
    if (is_used) unknown(exhibit, "there is no " + name);
  }

  void unknown(const std::string& item, std::string_view reason) {
    unknown_.push_back({{"item", item}, {"reason", lossless_utf8(reason)}});
  }

  std::size_t counted_ = 0;
  Json items_ = Json::array();
  Json unknown_ = Json::array();
};

Json count_redactions(const CaseFile& case_file,
                      const std::vector<std::string>& exhibits) {
  RedactionCount count;
  for (const std::string& exhibit : exhibits) count.add(case_file, exhibit);
  return count.to_json();
}

/// The announcement is part of what is exported, so it stands in the chain
/// before anybody knows whether the export comes off. If it does not, the chain
/// says that as well.
ExportResult export_or_withdraw(Session& session, const ExportOptions& options,
                                const Entry& announced) {
  try {
    return export_case(session.case_file, session.examiner, options);
  } catch (const std::exception& error) {
    EntryDraft draft = session.draft("export.disclose");
    draft.purpose = text_or(announced.json, "purpose", "");
    draft.outcome = Outcome::failed;
    draft.detail = announced.json.at("detail");
    draft.detail["reason"] = lossless_utf8(error.what());
    draft.refs = {text_or(announced.json, "id", "")};
    try {
      session.case_file.append({draft}, session.examiner);
    } catch (const Error& unrecorded) {
      throw Error(
          unrecorded.code(),
          fmt::format("the export failed: {}; entry {} says that it was "
                      "made, and that it was not could not be "
                      "recorded: {}",
                      error.what(), announced.seq, unrecorded.what()));
    }
    throw;
  }
}

}  // namespace

Json CaseExport::to_json() const {
  Json json;
  json["folder"] = lossless_utf8(folder.native());
  json["entries"] = entries;
  json["head"] = head;
  json["exhibits"] = exhibits;
  json["with_exhibits"] = with_exhibits;
  json["signed"] = is_signed;
  return json;
}

std::string CaseExport::to_text() const {
  return fmt::format(
      "Exported to {}\n  {} entries, head {}\n  exhibits: {}{}\n{}  check it "
      "with stock tools: sh {}/VERIFY.sh\n",
      printable(folder.native()), entries, head,
      exhibits.empty() ? "none" : fmt::format("{}", fmt::join(exhibits, ", ")),
      with_exhibits ? "" : " (left out: only their records are here)",
      is_signed ? ""
                : "  UNSIGNED: nobody says that this is all; every check of it "
                  "says so\n",
      printable(folder.native()));
}

namespace {

ExportOptions options_of(const CaseExportRequest& request) {
  return {.folder = request.folder,
          .with_exhibits = request.with_exhibits,
          .copies = request.copies};
}

CaseExport planned(const CaseFile& case_file,
                   const CaseExportRequest& request) {
  CaseExport result;
  result.folder = request.folder;
  result.with_exhibits = request.with_exhibits;
  for (const ExhibitRow& row : case_file.exhibits()) {
    if (row.state == "sealed") result.exhibits.push_back(row.id);
  }
  return result;
}

}  // namespace

CaseExport export_case_folder(Session& session,
                              const CaseExportRequest& request) {
  const ExportOptions options = options_of(request);
  // Before anything is recorded: a disclosure that did not happen is none.
  require_exportable(session.case_file, options);
  CaseExport result = planned(session.case_file, request);
  EntryDraft draft = session.draft("export.disclose");
  draft.purpose = request.purpose;
  draft.detail["recipient"] = lossless_utf8(request.recipient);
  draft.detail["items"] = result.exhibits;
  draft.detail["with_exhibits"] = request.with_exhibits;
  draft.detail["redactions"] =
      count_redactions(session.case_file, result.exhibits);
  // The disclosure holds the whole chain, so it is named by the head before it.
  draft.detail["disclosure_sha256"] = session.case_file.head();
  const Entry announced =
      session.case_file.append({draft}, session.examiner).front();
  const ExportResult written = export_or_withdraw(session, options, announced);
  result.entries = written.entries;
  result.head = written.head;
  return result;
}

CaseExport export_unrecorded(const CaseFile& case_file,
                             const CaseExportRequest& request,
                             std::string_view why, const Clock& clock) {
  const ExportOptions options = options_of(request);
  require_exportable(case_file, options);
  CaseExport result = planned(case_file, request);
  const ExportResult written = export_case_unsigned(
      case_file, options,
      fmt::format("This export of case {} was made at {} and stands in no "
                  "record: {}.\nNobody signed it. Its entries are signed one "
                  "by one and its exhibits are sealed by them; that nothing "
                  "follows, and every other file, is nobody's word.\n"
                  "recipient (as typed): {}\npurpose (as typed): {}\n",
                  printable(case_file.id()), format_time(clock.now()),
                  printable(why), printable(request.recipient),
                  printable(request.purpose)));
  result.entries = written.entries;
  result.head = written.head;
  result.is_signed = false;
  return result;
}

}  // namespace impound
