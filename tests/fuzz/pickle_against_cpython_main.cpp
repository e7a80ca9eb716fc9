// SPDX-License-Identifier: Apache-2.0
/// What a scan makes of many small files, for pickle_against_cpython.py.
///
/// Standard input: samples, each a length (4 bytes, little-endian) and so many
/// bytes. Standard output: a line for each, with tabs between
///   verdict         of the file under a name that promises nothing
///   whole | cut     whether it was read to its end
///   format          as the report names it
///   verdict.pkl     the verdict under the name x.pkl
///   stopped | broken  whether the first pickle was walked to its STOP
///   opcodes         walked in it
///   names           MODULE:NAME in hexadecimal digits, with commas between,
///                   of every import that any way of reading reaches

#include <cstdint>
#include <iostream>
#include <string>

#include "core/formats/pickle/pickle.hpp"
#include "core/scan/pickle_report.hpp"
#include "tests/support/scan_bytes.hpp"

namespace {

using namespace impound;

std::string hex(const std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

void append_names(std::string& out, const PickleRun& run) {
  for (const PickleGlobal& global : run.globals) {
    if (!out.empty()) out += ',';
    out += hex(global.module) + ':' + hex(global.name);
  }
}

void answer(const std::string& sample) {
  const FileReport plain = test::scan_bytes(sample, "x");
  const FileReport named = test::scan_bytes(sample, "x.pkl");
  const SpanSource source(as_bytes(sample));
  const PickleStream stream =
      read_pickle_stream(source, scanning_options(), AfterStop::search_all);
  std::string names;
  for (const PickleRun& run : stream.runs) {
    append_names(names, run);
    if (!run.straddles_frame) continue;
    append_names(names,
                 run_dropping_frames(source, scanning_options(), run.begin));
  }
  const bool has_stopped =
      !stream.runs.empty() && stream.runs.front().has_stopped;
  std::cout << to_string(plain.verdict) << '\t'
            << (plain.read_to_end ? "whole" : "cut") << '\t' << plain.format
            << '\t' << to_string(named.verdict) << '\t'
            << (has_stopped ? "stopped" : "broken") << '\t'
            << (stream.runs.empty() ? 0 : stream.runs.front().opcodes) << '\t'
            << names << '\n';
}

bool read_exactly(std::string& into, std::size_t count) {
  into.resize(count);
  return static_cast<bool>(
      std::cin.read(into.data(), static_cast<std::streamsize>(count)));
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string length;
  std::string sample;
  while (read_exactly(length, 4)) {
    std::uint32_t size = 0;
    for (std::size_t i = 4; i-- > 0;) {
      size = size << 8U | static_cast<unsigned char>(length[i]);
    }
    if (!read_exactly(sample, size)) return 1;
    answer(sample);
    // The other side waits for the answers of a whole batch at a time.
    if (std::cin.rdbuf()->in_avail() <= 0) std::cout.flush();
  }
  std::cout.flush();
  return 0;
}
