// SPDX-License-Identifier: Apache-2.0
#include "core/formats/safetensors/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/limits.hpp"
#include "core/base/text.hpp"
#include "core/formats/recognise.hpp"
#include "core/formats/safetensors/safetensors_header.hpp"

namespace impound {
namespace {

std::uint64_t little_u64(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) {
    value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return value;
}

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The text around the object: what stands before `{` and after the last `}`.
void check_frame(std::string_view header, Problems& problems) {
  const std::size_t first = header.find_first_not_of(" \t\n\r");
  if (first != 0 && first != std::string_view::npos) {
    problems.push_back(
        {"safetensors-leading-space", Severity::low, 8,
         fmt::format("header begins with {} byte(s) of white space, expected "
                     "'{{' at once",
                     first)});
  }
  const std::size_t last = header.find_last_not_of(" \t\n\r");
  if (last == std::string_view::npos) return;
  const std::string_view tail = header.substr(last + 1);
  if (tail.find_first_not_of(' ') != std::string_view::npos) {
    problems.push_back({"safetensors-header-padding", Severity::low,
                        8 + last + 1,
                        "header is padded with other white space than 0x20"});
  } else if (tail.size() > 4096) {
    // Some writers reserve room for metadata; nobody needs this much.
    problems.push_back({"safetensors-header-padding", Severity::low,
                        8 + last + 1,
                        fmt::format("header is padded with {} spaces, expected "
                                    "at most 7",
                                    tail.size())});
  }
}

/// As the reference reader has it (huggingface/safetensors, tensor.rs,
/// Metadata::validate): no hole, no overlap, sizes agree with shapes.
void place_tensors(HeaderContent content, std::uint64_t file_size,
                   Safetensors& file, ProblemList& problems) {
  std::vector<HeaderTensor>& entries = content.tensors;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const HeaderTensor& a, const HeaderTensor& b) {
                     return a.begin != b.begin ? a.begin < b.begin
                                               : a.end < b.end;
                   });
  const std::uint64_t data_size = file_size - file.data_offset;
  std::uint64_t expected = 0;
  std::uint64_t last_end = 0;
  for (HeaderTensor& entry : entries) {
    const std::string name = printable(entry.name);
    const auto complain = [&](std::string_view rule, std::string message) {
      problems.add(rule, Severity::high, file.data_offset + entry.begin,
                   fmt::format("tensor {}: {}", name, message));
    };
    if (entry.end < entry.begin) {
      complain("safetensors-offsets-reversed",
               fmt::format("data_offsets [{}, {}] end before they begin",
                           entry.begin, entry.end));
      continue;
    }
    if (entry.begin > expected) {
      complain("safetensors-hole",
               fmt::format("begins at {}, expected {}: {} bytes belong to no "
                           "tensor",
                           entry.begin, expected, entry.begin - expected));
    } else if (entry.begin < expected) {
      complain("safetensors-overlap",
               fmt::format("begins at {}, inside the tensor before it that "
                           "ends at {}",
                           entry.begin, expected));
    }
    expected = entry.end;
    last_end = std::max(last_end, entry.end);

    const std::uint64_t size = entry.end - entry.begin;
    if (entry.dtype == Dtype::unknown) {
      complain("safetensors-dtype", fmt::format("unknown dtype \"{}\"",
                                                printable(entry.dtype_text)));
    } else {
      const std::optional<std::uint64_t> bytes =
          tensor_bytes(entry.dtype, entry.shape);
      if (!element_count(entry.shape) ||
          (!bytes && traits(entry.dtype).block_bits >= 8)) {
        complain("safetensors-shape-overflow",
                 fmt::format("shape {} of {} has more bytes than 64 bits count",
                             shape_text(entry.shape), to_string(entry.dtype)));
      } else if (!bytes) {
        complain("safetensors-misaligned",
                 fmt::format("shape {} of {} does not fill whole bytes",
                             shape_text(entry.shape), to_string(entry.dtype)));
      } else if (*bytes != size) {
        complain("safetensors-size",
                 fmt::format("shape {} of {} needs {} bytes, data_offsets give "
                             "{}",
                             shape_text(entry.shape), to_string(entry.dtype),
                             *bytes, size));
      }
    }
    if (entry.end > data_size) {
      complain("safetensors-outside",
               fmt::format("ends at {} of the data, the file holds {}",
                           entry.end, data_size));
      continue;
    }
    file.tensors.push_back({.name = std::move(entry.name),
                            .dtype = entry.dtype,
                            .shape = std::move(entry.shape),
                            .offset = file.data_offset + entry.begin,
                            .size = size});
  }
  if (!content.is_complete) return;  // what follows may be described there
  if (last_end < data_size) {
    problems.add("safetensors-trailing-bytes", Severity::high,
                 file.data_offset + last_end,
                 fmt::format("{} bytes after the last tensor belong to nothing "
                             "in the header",
                             data_size - last_end));
  } else if (last_end > data_size) {
    problems.add("safetensors-incomplete", Severity::high, file_size,
                 fmt::format("the header describes {} bytes of data, the file "
                             "holds {}: {} are missing",
                             last_end, data_size, last_end - data_size));
  }
}

}  // namespace

bool Safetensors::is_sound() const noexcept {
  return data_offset != 0 &&
         std::none_of(problems.begin(), problems.end(), [](const Problem& p) {
           return p.severity >= Severity::high;
         });
}

Safetensors read_safetensors(const ByteSource& source, std::string_view name) {
  Safetensors file;
  const std::uint64_t file_size = source.size();
  const auto refuse = [&](std::string_view rule, std::uint64_t offset,
                          std::string message) {
    file.problems.push_back({std::string(rule), Severity::high, offset,
                             fmt::format("{}: {}", name, message)});
  };

  if (file_size < 8) {
    refuse("safetensors-header-too-small", 0,
           fmt::format("{} bytes, expected at least 8 for the header length",
                       file_size));
    return file;
  }
  const Bytes prefix = source.head(0, 8);
  file.header_size = little_u64(prefix);
  if (file.header_size > limits::kMaxSafetensorsHeader) {
    refuse("safetensors-header-too-large", 0,
           fmt::format("header length {} is above {}", file.header_size,
                       limits::kMaxSafetensorsHeader));
    return file;
  }
  if (file.header_size > file_size - 8) {
    refuse("safetensors-header-length", 0,
           fmt::format("header length {} leaves the file, which has {} bytes "
                       "after it",
                       file.header_size, file_size - 8));
    return file;
  }
  const Bytes raw = source.head(8, file.header_size);
  const std::string_view header = as_text(raw);
  file.data_offset = 8 + file.header_size;

  ProblemList problems(file.problems);
  // Tested on the whole, because the JSON parser takes NUL for the end of the
  // text and would not see what stands behind it.
  if (const std::size_t nul = header.find('\0');
      nul != std::string_view::npos) {
    problems.add("safetensors-header-json", Severity::high, 8 + nul,
                 "header holds a NUL byte, expected JSON text");
  }
  if (!is_utf8(header)) {
    problems.add("safetensors-header-utf8", Severity::high, 8,
                 "header is not valid UTF-8");
  }
  check_frame(header, file.problems);
  HeaderContent content = parse_safetensors_header(header, problems);
  file.metadata = std::move(content.metadata);
  if (!content.is_complete && content.tensors.empty()) {
    // Nothing says where data lies: no statement about it either.
    problems.finish();
    return file;
  }
  place_tensors(std::move(content), file_size, file, problems);
  problems.finish();
  return file;
}

bool looks_like_safetensors(ByteView head, std::uint64_t file_size) noexcept {
  if (head.size() < 9 || file_size < 10) return false;
  const std::uint64_t length = little_u64(head);
  if (length < 2 || length > limits::kMaxSafetensorsHeader ||
      length > file_size - 8) {
    return false;
  }
  const std::string_view text = as_text(head.subspan(8));
  const auto first = std::find_if_not(text.begin(), text.end(), is_json_space);
  return first == text.end() || *first == '{';
}

std::string_view why_safetensors(const FormatSubject& subject) {
  if (looks_like_safetensors(subject.head, subject.source.size())) {
    return "begins with the length of a JSON header, and the header";
  }
  // A header that nothing recognises still deserves its problems [I14].
  return subject.name.ends_with(".safetensors") ? "is called .safetensors" : "";
}

}  // namespace impound
