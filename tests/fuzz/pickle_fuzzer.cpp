// SPDX-License-Identifier: Apache-2.0
// rooms: scan formats
/// The pickle machine: any bytes are walked to an end, every value it builds
/// can be rendered, and offsets stay within the stream.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/base/source.hpp"
#include "core/formats/pickle/pickle.hpp"
#include "core/scan/pickle_lists.hpp"

using namespace impound;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const SpanSource source(std::as_bytes(std::span(data, size)));
  PickleOptions options;
  options.judge = judge_global;
  options.max_opcodes = 1'000'000;
  PickleMachine machine(source, options);
  const PickleRun run = machine.run(0);
  if (run.end > size) std::abort();
  static_cast<void>(machine.heap().render(run.root));
  for (const PickleConstant& constant : run.constants) {
    static_cast<void>(decode_pickle_constant(source, constant, 65536));
  }
  const PickleStream stream =
      read_pickle_stream(source, options, AfterStop::search_all);
  for (const PickleRun& each : stream.runs) {
    if (each.begin > each.end || each.end > size) std::abort();
  }
  const ByteView bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(looks_like_pickle(
      SpanSource(bytes), bytes.first(std::min<std::size_t>(size, 512))));
  static_cast<void>(run_dropping_frames(SpanSource(bytes), options, 0));
  return 0;
}
