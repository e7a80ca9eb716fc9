# SPDX-License-Identifier: Apache-2.0
"""Pickle walk against pickletools.genops and pickle.loads, whole process.

usage: pickle_walk.py PATH-OF-scan_folder      (a Release build)
Prints medians of five runs; performance.md, row P1.
"""

import os
import pickle
import pickletools
import statistics
import subprocess
import sys
import tempfile
import time


def median(act):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


value = [{"a": i, "b": [1, 2, 3, i % 7], "c": (i, None, True)} for i in range(600_000)]
data = pickle.dumps(value, 2)
part = pickle.dumps(value[:20_000], 2)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "big.pkl")
    with open(path, "wb") as out:
        out.write(data)
    ours = len(data) / median(
        lambda: subprocess.run([sys.argv[1], path, "code-only"], check=True,
                               stdout=subprocess.DEVNULL))
loads = len(data) / median(lambda: pickle.loads(data))
walk = len(part) / median(lambda: sum(1 for _ in pickletools.genops(part)))
print(f"{len(data) / 1e6:.0f} MB: scan {ours / 1e6:.0f} MB/s, "
      f"genops {walk / 1e6:.1f} MB/s ({ours / walk:.1f}x), "
      f"pickle.loads {loads / 1e6:.0f} MB/s ({ours / loads:.1f}x)")
