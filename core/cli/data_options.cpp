// SPDX-License-Identifier: Apache-2.0
#include "core/cli/data_options.hpp"

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace impound {

void add_data_options(CLI::App& command, DataOptions& options) {
  command.add_flag("--dataset", options.as_dataset,
                   "It is training data, row by row: JSON lines, CSV, text, "
                   "packed or not. Found out by content where it is nothing "
                   "else.");
  command.add_flag("--model", options.as_model,
                   "It is a model, whatever it looks like.");
  command.add_option("--row-key", options.row_key,
                     "Training data: field that names a row (else id, _id, "
                     "uuid, url … where it is unique).");
  command.add_option("--label", options.label,
                     "Training data: field of the label, may be a dotted path "
                     "(else label, class, target, category, sentiment …).");
  command.add_option("--text", options.text,
                     "Training data: fields of the text, separated by commas "
                     "(else those that hold text).");
}

DataChoice data_choice(const DataOptions& options) {
  if (options.as_dataset && options.as_model) {
    throw Error(Errc::bad_input, "--dataset and --model exclude each other");
  }
  DataChoice choice;
  if (options.as_dataset) choice.kind = DataChoice::Kind::dataset;
  if (options.as_model) choice.kind = DataChoice::Kind::model;
  choice.fields.key = options.row_key;
  choice.fields.label = options.label;
  if (!options.text.empty()) choice.fields.text = split(options.text, ',');
  return choice;
}

}  // namespace impound
