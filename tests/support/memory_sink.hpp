// SPDX-License-Identifier: Apache-2.0
#pragma once
/// An EvidenceSink that remembers what a collector handed in.

#include <map>
#include <string>
#include <vector>

#include "core/base/text.hpp"
#include "core/evidence/collector.hpp"

namespace impound::test {

class MemorySink final : public EvidenceSink {
 public:
  struct SeenGap {
    std::string subject;
    Outcome outcome;
    std::string reason;
  };

  void file(const FileRequest& request) override { files.push_back(request); }
  void entry(std::string_view name, const std::filesystem::path&) override {
    entries.emplace_back(name);
  }
  void bytes(const BytesRequest& request) override {
    contents[request.name] = std::string(as_text(request.content));
    outcomes[request.name] = request.outcome;
  }
  void gap(std::string_view subject, Outcome outcome,
           std::string_view reason) override {
    gaps.push_back({std::string(subject), outcome, std::string(reason)});
  }
  [[nodiscard]] bool must_stop() const override { return stop; }

  [[nodiscard]] std::vector<std::string> file_names() const {
    std::vector<std::string> names;
    for (const FileRequest& request : files) names.push_back(request.name);
    return names;
  }

  std::vector<FileRequest> files;
  std::vector<std::string> entries;
  std::map<std::string, std::string> contents;
  std::map<std::string, Outcome> outcomes;
  std::vector<SeenGap> gaps;
  bool stop = false;
};

}  // namespace impound::test
