// SPDX-License-Identifier: Apache-2.0
/// The fields of one row, whatever its format.

#include <fmt/format.h>

#include <algorithm>

#include "core/formats/rows/row_reader.hpp"

namespace impound {

void DataRow::append_canonical(std::string& out) const {
  if (json_ != nullptr) return json_->append_canonical(out);
  if (record_ == nullptr) {
    out += raw;
    return;
  }
  if (header_ == nullptr) {
    out += '[';
    for (std::size_t i = 0; i < record_->cells.size(); ++i) {
      if (i > 0) out += ',';
      append_quoted(record_->cells[i], out);
    }
    out += ']';
    return;
  }
  std::vector<std::size_t> order(header_->size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return (*header_)[a] < (*header_)[b];
  });
  out += '{';
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k > 0) out += ',';
    append_quoted((*header_)[order[k]], out);
    out += ':';
    append_quoted(record_->cells[order[k]], out);
  }
  out += '}';
}

bool DataRow::append_field(std::string_view name, std::string& out) const {
  if (json_ != nullptr) {
    const std::uint32_t found = json_->find(name);
    if (found == 0) return false;
    json_->append_text(json_->node(found), out);
    return true;
  }
  if (record_ != nullptr) {
    for (std::size_t i = 0; i < record_->cells.size(); ++i) {
      const bool is_it = header_ != nullptr ? (*header_)[i] == name
                                            : fmt::format("{}", i + 1) == name;
      if (!is_it) continue;
      out += record_->cells[i];
      return true;
    }
    return false;
  }
  if (is_broken) return false;
  if (name == "text") {
    out += text_;
    return true;
  }
  if (name == "label" && !label_.empty()) {
    out += label_;
    return true;
  }
  return false;
}

void DataRow::each_field(const FieldVisit& visit) const {
  if (json_ != nullptr) {
    const JsonRow::Node& root = json_->root();
    std::string text;
    if (root.kind != JsonKind::object) {
      json_->append_text(root, text);
      visit("", root.kind, text);
      return;
    }
    for (std::uint32_t n = root.child; n != 0; n = json_->node(n).next) {
      text.clear();
      json_->append_text(json_->node(n), text);
      visit(json_->key_of(json_->node(n)), json_->node(n).kind, text);
    }
    return;
  }
  if (record_ != nullptr) {
    for (std::size_t i = 0; i < record_->cells.size(); ++i) {
      visit(header_ != nullptr ? (*header_)[i] : fmt::format("{}", i + 1),
            JsonKind::text, record_->cells[i]);
    }
    return;
  }
  if (is_broken) return;
  if (!label_.empty()) visit("label", JsonKind::text, label_);
  visit("text", JsonKind::text, text_);
}

}  // namespace impound
