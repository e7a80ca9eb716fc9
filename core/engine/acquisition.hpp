// SPDX-License-Identifier: Apache-2.0
#pragma once
/// The custody entries of one acquisition, from acquire.begin to bundle.seal.

#include <string>
#include <string_view>
#include <vector>

#include "core/engine/session.hpp"
#include "core/engine/snapshot.hpp"
#include "core/evidence/item.hpp"

namespace impound {

[[nodiscard]] EntryDraft acquisition_begin(
    const Session& session, const SnapshotRequest& request,
    const std::vector<CollectRequest>& requests);

[[nodiscard]] EntryDraft acquisition_item(const Session& session,
                                          const std::string& exhibit,
                                          const Item& item);

[[nodiscard]] EntryDraft acquisition_gap(const Session& session,
                                         const std::string& exhibit,
                                         const Gap& gap);

/// acquire.end and bundle.seal, for one transaction.
[[nodiscard]] std::vector<EntryDraft> acquisition_end(const Session& session,
                                                      const Snapshot& snapshot);

/// acquire.end of an acquisition of which nothing could be sealed.
[[nodiscard]] EntryDraft acquisition_failed(const Session& session,
                                            const std::string& exhibit,
                                            std::string_view reason);

}  // namespace impound
