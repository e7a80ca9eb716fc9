// SPDX-License-Identifier: Apache-2.0
#pragma once
/// A vocabulary of SentencePiece (tokenizer.model): the tables that rewrite
/// what the user wrote and what the model says, and tokens that are more than
/// tokens.

#include "core/scan/file_scanner.hpp"

namespace impound {

/// Nothing of a subject that is none.
void report_sentencepiece(ScanContext& context, const Subject& subject);

}  // namespace impound
