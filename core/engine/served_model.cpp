// SPDX-License-Identifier: Apache-2.0
#include "core/engine/served_model.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/text.hpp"
#include "core/engine/exhibits.hpp"
#include "core/evidence/bundle_reader.hpp"
#include "core/formats/weights_file.hpp"

namespace impound {
namespace {

/// The collector whose items are the model as the descriptor names it.
constexpr std::string_view kModelFiles = "model-files";

struct TakenFile {
  std::string reference;  ///< "E001/17"
  std::string collector;
  Digest sha256;
  Outcome outcome = Outcome::ok;
};

class Evidence {
 public:
  Evidence(const Session& session, ServedModel& model) {
    for (const ExhibitRow& row : session.case_file.exhibits()) {
      if (row.run != session.run || row.state != "sealed") continue;
      const auto reader = open_exhibit(session.case_file, row.id);
      for (const Item& item : reader->items()) add(row.id, item, model);
    }
  }

  /// Says which item of the run holds a file; nothing if none does.
  void name_item(FileIdentity identity, Json& file) const {
    const auto found = taken_.find(identity);
    if (found == taken_.end()) return;
    file["item"] = found->second.reference;
    file["sha256"] = found->second.sha256.hex();
    file["outcome"] = to_string(found->second.outcome);
  }

 private:
  void add(const std::string& exhibit, const Item& item, ServedModel& model) {
    const auto identity = identity_from_notes(item.notes);
    if (item.kind != FileKind::regular || !identity) return;
    TakenFile taken{.reference = exhibit + "/" + std::to_string(item.number),
                    .collector = item.collector,
                    .sha256 = item.sha256,
                    .outcome = item.outcome};
    const auto [at, is_new] = taken_.try_emplace(*identity, taken);
    if (!is_new && taken.collector == kModelFiles) at->second = taken;
    auto held = ServedFile::from_notes(item.notes);
    if (!held ||
        std::ranges::find(model.files, *identity, &ServedFile::identity) !=
            model.files.end()) {
      return;
    }
    held->size = item.size_declared;
    held->seen_in = exhibit;
    model.files.push_back(std::move(*held));
  }

  std::map<FileIdentity, TakenFile> taken_;
};

}  // namespace

ServedModel served_model_now(const Deployment& deployment) {
  return look_at_served_model(deployment, deployment.process, ProcFs(),
                              holds_weights);
}

Json measure_served_model(Session& session, const Deployment& deployment) {
  session.progress.begin("served", std::nullopt);
  ServedModel model = served_model_now(deployment);
  const Evidence evidence(session, model);
  Json answer = model.to_json();
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    evidence.name_item(model.files[i].identity, answer["files"][i]);
  }
  for (std::size_t i = 0; i < model.weights.size(); ++i) {
    evidence.name_item(model.weights[i].identity, answer["weights"][i]);
  }
  EntryDraft draft = session.draft("note");
  draft.detail["kind"] = "served";
  draft.detail["text"] = answer["sentence"];
  draft.detail["served"] = answer;
  session.case_file.append({draft}, session.examiner, session.journal(answer));
  session.progress.end(model.sentence());
  return answer;
}

}  // namespace impound
