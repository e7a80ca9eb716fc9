#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tensor diff, rank estimate and hashing of impound beside their peers.

    compare.py <build folder, Release> [--mib 256] [--no-svd] [--blas FOLDER]
               [--folder /tmp] [--only D1,D2,D3,hash]

D1: `measure_delta` against the same sums in NumPy, GB/s of both inputs, beside
the memory bandwidth of the same run. D2: the same sums against float64. D3: the
spectrum of a 4096 x 16384 F32 change against numpy.linalg.svd (35 s with
OpenBLAS; --no-svd leaves it out) and a randomised SVD in NumPy. hash: `view_tree`
against `openssl dgst`. NumPy takes the system's BLAS: name the folder of an
OpenBLAS with --blas where the system's is the slow reference one. Everything
that is made is removed. Times are processor seconds divided by threads, the best of a few:
on a machine that others use, the clock on the wall measures the others.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

NUMPY_DIFF = """
import numpy as np, sys, time, json
threads = int(sys.argv[-1])
a = np.fromfile(sys.argv[1], dtype=np.uint16)
b = np.fromfile(sys.argv[2], dtype=np.uint16)
best = 1e9
for _ in range(3):
    t = time.process_time()
    x = (a.astype(np.uint32) << 16).view(np.float32)
    y = (b.astype(np.uint32) << 16).view(np.float32)
    d = y - x
    found = (int((a != b).sum()), float(np.linalg.norm(d)),
             float(np.linalg.norm(x)), float(np.linalg.norm(y)),
             float(x @ y), float(np.abs(d).max()))
    best = min(best, (time.process_time() - t) / threads)
print(json.dumps({"gbps": (a.nbytes + b.nbytes) / best / 1e9, "l2": found[1],
                  "changed": found[0]}))
"""

EXACT = """
import numpy as np, sys, json
a = np.fromfile(sys.argv[1], dtype=np.uint16)
b = np.fromfile(sys.argv[2], dtype=np.uint16)
dd = aa = bb = ab = 0.0
for i in range(0, len(a), 1 << 22):
    x = (a[i:i + (1 << 22)].astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    y = (b[i:i + (1 << 22)].astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    dd += ((y - x) ** 2).sum(); aa += (x * x).sum()
    bb += (y * y).sum(); ab += (x * y).sum()
print(json.dumps({"l2": dd ** .5, "cosine": ab / (aa * bb) ** .5}))
"""

NUMPY_RANK = """
import numpy as np, sys, time, json
threads = int(sys.argv[-1])
rows, columns, width = map(int, sys.argv[3:6])
a = np.fromfile(sys.argv[1], dtype=np.float32).reshape(rows, columns)
b = np.fromfile(sys.argv[2], dtype=np.float32).reshape(rows, columns)
best = 1e9
for _ in range(3):
    t = time.process_time()
    d = b - a
    if width == 0:
        s = np.linalg.svd(d, compute_uv=False)
    else:
        omega = np.random.RandomState(1).randn(columns, width).astype(np.float32)
        y = np.linalg.qr(d @ omega)[0]
        z = np.linalg.qr(d.T @ y)[0]
        s = np.linalg.svd(d @ z, compute_uv=False)
    best = min(best, (time.process_time() - t) / threads)
    if width == 0:
        break
print(json.dumps({"seconds": best, "sigma": s[:20].tolist()}))
"""

MAKE = """
import numpy as np, sys
rng = np.random.RandomState(7)
folder, mib = sys.argv[1], int(sys.argv[2])
n = mib * 2 ** 20 // 2
def bf16(x):
    u = x.view(np.uint32)
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype(np.uint16)
with open(folder + "/a.bf16", "wb") as fa, open(folder + "/b.bf16", "wb") as fb:
    for i in range(0, n, 1 << 22):
        m = min(1 << 22, n - i)
        x = (rng.randn(m) * 0.02).astype(np.float32)
        bf16(x).tofile(fa)
        bf16(x + (rng.randn(m) * 1e-4).astype(np.float32)).tofile(fb)
rows, columns = 4096, 16384
a = (rng.randn(rows, columns) * 0.02).astype(np.float32)
a.tofile(folder + "/a.f32")
d = (rng.randn(rows, 16) @ rng.randn(16, columns) * 1e-4).astype(np.float32)
(a + d + (rng.randn(rows, columns) * 1e-4).astype(np.float32)).tofile(folder + "/b.f32")
"""


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--folder", default="/tmp")
    parser.add_argument("--blas")
    parser.add_argument("--no-svd", action="store_true")
    parser.add_argument("--only", default="D1,D2,D3,hash")
    options = parser.parse_args()
    wanted = set(options.only.split(","))
    bench = os.path.join(options.build, "compare_bench")
    python = "/usr/bin/python3"

    def numpy_environment(threads):
        env = dict(os.environ)
        # Together they make OpenBLAS slow on processors they were not set for.
        env.pop("OPENBLAS_CORETYPE", None)
        env.pop("OPENBLAS_L2_SIZE", None)
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            env[name] = str(threads)
        if options.blas:
            env["LD_LIBRARY_PATH"] = options.blas
        return env

    def ask(command, threads=1):
        cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
        done = subprocess.run(["taskset", "-c", cpus, *command],
                              env=numpy_environment(threads),
                              capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command[:2])}: {done.stderr}")
        return json.loads(done.stdout)

    folder = tempfile.mkdtemp(prefix="impound-compare-", dir=options.folder)
    try:
        print(f"$ compare.py {' '.join(sys.argv[1:])}   load {os.getloadavg()[0]:.1f}"
              f", {options.mib} MiB a side, BLAS of NumPy: "
              f"{options.blas or 'the system`s'}")
        subprocess.run([python, "-c", MAKE, folder, str(options.mib)], check=True,
                       env=numpy_environment(2))
        a, b = folder + "/a.bf16", folder + "/b.bf16"
        exact = ask([python, "-c", EXACT, a, b])
        if "D1" in wanted or "D2" in wanted:
            print("D1 threads kernel    from     GB/s  of read  x NumPy   "
                  "D2: L2, cosine off by")
            # NumPy does all but the norms on one core, whatever it is given.
            peer = ask([python, "-c", NUMPY_DIFF, a, b, "1"])
            for threads in (1, 2):
                print(f"   {threads}       NumPy     memory {peer['gbps']:6.2f}"
                      f"  {'':6}  {1:7.1f}   "
                      f"{abs(peer['l2'] / exact['l2'] - 1):.1e}")
                for kernel in ("avx512", "avx2", "portable"):
                    for place in ("memory", "file"):
                        if kernel == "portable" and place == "file":
                            continue
                        ours = ask([bench, "diff", a, b, "BF16", str(threads),
                                    kernel, place], threads)
                        if "missing" in ours:
                            print(f"   {threads}       {kernel:9} {ours['missing']}")
                            continue
                        assert ours["changed"] == peer["changed"]
                        print(f"   {threads}       {kernel:9} {place:6} "
                              f"{ours['gbps']:6.2f}  "
                              f"{100 * ours['gbps'] / ours['read_gbps']:5.0f} %  "
                              f"{ours['gbps'] / peer['gbps']:7.1f}   "
                              f"{abs(ours['l2'] / exact['l2'] - 1):.1e}, "
                              f"{abs(ours['cosine'] - exact['cosine']):.1e}")
        if "D3" in wanted:
            a, b = folder + "/a.f32", folder + "/b.f32"
            size = ["4096", "16384"]
            print("D3 spectrum of 4096 x 16384, 2 threads")
            ours = ask([bench, "spectrum", a, b, *size, "2"], 2)
            print(f"   impound, 80 columns, rank {ours['rank']}: "
                  f"{ours['seconds']:.3f} s")
            for width in (32, 80):
                peer = ask([python, "-c", NUMPY_RANK, a, b, *size, str(width), "2"], 2)
                off = max(abs(x / y - 1) for x, y in
                          zip(ours["sigma"][:16], peer["sigma"][:16]))
                print(f"   NumPy randomised, {width} columns: "
                      f"{peer['seconds']:.3f} s, x "
                      f"{peer['seconds'] / ours['seconds']:.2f}; σ1 to σ16 differ "
                      f"by {off:.1e}")
            if not options.no_svd:
                peer = ask([python, "-c", NUMPY_RANK, a, b, *size, "0", "2"], 2)
                off = max(abs(x / y - 1) for x, y in
                          zip(ours["sigma"][:16], peer["sigma"][:16]))
                print(f"   numpy.linalg.svd: {peer['seconds']:.1f} s, x "
                      f"{peer['seconds'] / ours['seconds']:.0f}; σ1 to σ16 differ "
                      f"by {off:.1e}")
        if "hash" in wanted:
            files = [folder + "/" + n for n in sorted(os.listdir(folder))]
            size = sum(map(os.path.getsize, files))
            ours = ask([bench, "hash", folder, "2"], 2)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run("printf '%s\\n' " + " ".join(files) +
                           " | xargs -P2 -n1 openssl dgst -sha256 >/dev/null",
                           shell=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = (after.ru_utime + after.ru_stime - before.ru_utime
                     - before.ru_stime) / 2
            peer = size / spent / 1e6
            print(f"hash, 2 threads: impound {ours['mbps']:.0f} MB/s, xargs -P2 "
                  f"openssl dgst {peer:.0f} MB/s, x {ours['mbps'] / peer:.2f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
