// SPDX-License-Identifier: Apache-2.0
// rooms: casefile
/// Signed notes and checkpoints: what parses says the same when it is written
/// again, and no note is signed by a key that did not sign it.

#include <cstdint>
#include <cstdlib>

#include "core/base/bytes.hpp"
#include "core/base/error.hpp"
#include "core/crypto/note.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace impound;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  try {
    const SignedNote note = parse_note(text, "fuzz");
    if (!text.starts_with(note.text)) std::abort();
    if (note.signatures.empty()) std::abort();
    // RFC 8032 section 7.1, test 3: a key whose owner signs no notes.
    static const PublicKey kKey = PublicKey::from_raw(from_hex(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"));
    for (const NoteSignature& signature : note.signatures) {
      if (verify_note(note, signature.name, kKey)) std::abort();
    }
    const Checkpoint head = parse_checkpoint(note.text, "fuzz");
    if (head.text() != note.text) std::abort();
  } catch (const Error&) {
    return 0;  // refused: the expected answer to most inputs
  }
  return 0;
}
