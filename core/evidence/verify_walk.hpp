// SPDX-License-Identifier: Apache-2.0
#pragma once
/// Walks the payload of a bundle, frame after frame, and compares every byte of
/// it with what the metadata say must stand there.

#include <cstdint>
#include <string>
#include <vector>

#include "core/crypto/digest.hpp"
#include "core/evidence/item.hpp"
#include "core/evidence/verify.hpp"

namespace impound {

/// Takes the decoded frames in order; a frame that could not be decoded is told
/// as lost, and costs exactly the items that have bytes in it.
class PayloadWalk {
 public:
  /// `items` outlive the walk. `payload_end` is the offset of the metadata in
  /// the tar.
  PayloadWalk(const std::vector<Item>& items, std::uint64_t payload_end,
              std::string exhibit);

  /// Content of the frame that begins at `tar_offset`.
  void content(std::uint64_t tar_offset, ByteView bytes);
  /// A frame whose content nobody knows.
  void lost(std::uint64_t tar_offset, std::uint64_t size);

  /// What is wrong, and which items are not whole (by index into `items`).
  struct Result {
    std::vector<VerifyProblem> problems;
    std::vector<bool> is_whole;
    std::uint64_t content_bytes = 0;
  };
  [[nodiscard]] Result finish();

 private:
  void next_member(ByteView bytes, std::uint64_t tar_offset);
  void begin_item(ByteView bytes, std::uint64_t tar_offset);
  void end_item();
  void spoil(std::size_t index, std::string what, std::string expected,
             std::string found);
  [[nodiscard]] std::uint64_t start_of(std::size_t index) const;
  [[nodiscard]] std::string where(const Item& item) const;

  const std::vector<Item>& items_;
  std::vector<std::size_t> order_;  ///< items by their place in the tar
  std::uint64_t payload_end_;
  std::string exhibit_;
  Result result_;

  std::size_t next_ = 0;    ///< in order_: the item that begins next
  bool is_inside_ = false;  ///< bytes of order_[next_ - 1] are expected
  std::uint64_t at_ = 0;    ///< offset in the tar
  std::uint64_t content_left_ = 0;
  std::uint64_t padding_left_ = 0;
  Sha256 hash_;
};

}  // namespace impound
