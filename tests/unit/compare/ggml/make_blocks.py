# SPDX-License-Identifier: Apache-2.0
"""Writes blocks.bin: numbers and what ggml's own quantisers make of them.

    make_blocks.py LIBRARY OUT

LIBRARY is ggml/src/ggml-quants.c as a shared library (ggml of 2026-11).

Layout: 'GGMLBLK1', u32 rows, u32 columns, rows*columns f32; then, until the
end, entries: u32 length of a name, the name ("q4_K plain"), u32 size, blocks.
"""
import ctypes, struct, sys
import numpy as np
SIZES = {"q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24),
         "q8_0": (32, 34), "q2_K": (256, 84), "q3_K": (256, 110),
         "q4_K": (256, 144), "q5_K": (256, 176), "q6_K": (256, 210)}
ROWS, COLUMNS = 8, 256
def main():
    library, out = ctypes.CDLL(sys.argv[1]), open(sys.argv[2], "wb")
    r = np.random.RandomState(5)
    x = (r.standard_t(5, size=(ROWS, COLUMNS)) * 0.02).astype(np.float32)
    weights = np.exp(0.5 * r.randn(COLUMNS)).astype(np.float32)
    single, negative, times = x.copy(), x.copy(), x.copy()
    single[3, 77] = 4.0
    negative[5] *= np.float32(-1.5)
    times[2] *= np.float32(3)
    out.write(b"GGMLBLK1" + struct.pack("<II", ROWS, COLUMNS) + x.tobytes())
    def entry(name, numbers, kind, imatrix=None):
        block, size = SIZES[kind]
        raw = ctypes.create_string_buffer(numbers.size // block * size)
        quantise = getattr(library, "quantize_" + kind)
        quantise.restype = ctypes.c_size_t
        quantise(np.ascontiguousarray(numbers).ctypes.data_as(ctypes.c_void_p), raw,
                 ctypes.c_int64(ROWS), ctypes.c_int64(COLUMNS),
                 imatrix.ctypes.data_as(ctypes.c_void_p) if imatrix is not None else None)
        name = f"{kind} {name}".encode()
        out.write(struct.pack("<I", len(name)) + name + struct.pack("<I", len(raw.raw)) + raw.raw)
    for kind in SIZES:
        entry("plain", x, kind)
        if kind != "q8_0":
            entry("imatrix", x, kind, weights)
        entry("single", single, kind)
        entry("negative", negative, kind)
        entry("times", times, kind)
main()
