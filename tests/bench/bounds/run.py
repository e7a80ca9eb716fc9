# SPDX-License-Identifier: Apache-2.0
"""What a command may need, whatever somebody wrote into a size.

    python3 tests/bench/bounds/run.py build/impound [--only WORD] [--scenes FOLDER]

makes the scenes that cost most of every command (they take little room: holes,
zeros, empty members), runs the command of each row under a limit on its address
space (--limit MiB, 1024 at first) and prints what it needed: peak resident
memory, processor seconds, seconds on the clock, and its exit code. Rows of the
table in README.md of this folder are these lines. On a Release build; processor
seconds are those that compare between machines that are busy.
"""
import argparse
import gzip
import io
import json
import os
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import zipfile


def tensors(path, count, changed=False):
    """A safetensors file of `count` tensors of four numbers."""
    header = {"model.layers.%d.self_attn.q_proj.weight" % i:
              {"dtype": "F32", "shape": [4], "data_offsets": [16 * i, 16 * i + 16]}
              for i in range(count)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for i in range(count):
            last = 3.5 if changed and i % 7 == 0 else 3
            out.write(struct.pack("<4f", i, 1, 2, last))


def sparse(path, size, place, text):
    with open(path, "wb") as out:
        out.truncate(size)
        out.seek(place)
        out.write(text)


def sparse_tensor(path, numbers, first):
    header = json.dumps({"w": {"dtype": "F32", "shape": [numbers // 1024, 1024],
                               "data_offsets": [0, 4 * numbers]}}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        begin = out.tell()
        out.seek(begin + 3 * numbers)
        out.write(struct.pack("<4f", first, 2, 3, 4))
        out.truncate(begin + 4 * numbers)


def packed(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def nested_zip():
    content = packed([("x", bytes(10 << 20))])
    for _ in range(4):
        content = packed([("%d.zip" % i, content) for i in range(16)])
    return content


def zeros_gzip(mebibytes):
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as packer:
        for _ in range(mebibytes):
            packer.write(bytes(1 << 20))
    return out.getvalue()


def write(path, content):
    with open(path, "wb") as out:
        out.write(content)


class Bench:
    def __init__(self, program, folder, limit):
        self.program, self.folder, self.limit = os.path.abspath(program), folder, limit
        self.environment = dict(os.environ, HOME=folder, LC_ALL="C.UTF-8",
                                XDG_CONFIG_HOME=folder + "/config",
                                IMPOUND_HOME=folder + "/cases")

    def quiet(self, *arguments):
        subprocess.run([self.program, *arguments], cwd=self.folder, check=True,
                       env=self.environment, stdout=subprocess.DEVNULL)

    def row(self, what, *arguments, files=None):
        def limit():
            most = self.limit << 20
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        start = time.time()
        child = subprocess.Popen([self.program, *arguments], cwd=self.folder,
                                 env=self.environment, preexec_fn=limit,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print("| %s | `%s` | %d MiB | %.1f s | %.1f s | %d |" % (
            what, " ".join(arguments), used.ru_maxrss >> 10,
            used.ru_utime + used.ru_stime, time.time() - start, code), flush=True)


def case(bench):
    bench.quiet("examiner", "init", "--name", "Bench", "--org", "Bench", "--role", "responder")
    bench.quiet("case", "new", "B-1", "--title", "bounds")


def long_chain(database, entries):
    db = sqlite3.connect(database)
    line = json.loads(db.execute(
        "SELECT line FROM custody ORDER BY seq DESC LIMIT 1").fetchone()[0])
    first = line["seq"] + 1
    line["action"], line["detail"] = "note", {"text": "x" * 200}

    def rows():
        for seq in range(first, first + entries):
            line["seq"] = seq
            yield seq, json.dumps(line, separators=(",", ":")), "AAAA"
    db.executemany("INSERT INTO custody(seq, line, signature) VALUES (?, ?, ?)", rows())
    db.commit()


def scene_sparse(bench):
    f = bench.folder
    for side, place in (("a", 7_000_000_000), ("b", 7_000_000_001)):
        sparse(f + "/20g-%s.bin" % side, 20_000_000_000, place, b"data")
        sparse(f + "/15t-%s.bin" % side, 15 << 40, place, b"data")
        sparse_tensor(f + "/20g-%s.safetensors" % side, 5_000_000_512, 1.0 if side == "a" else 1.5)
    bench.row("two sparse files of 20 GB, a byte moved", "diff", "20g-a.bin", "20g-b.bin")
    bench.row("two sparse files of 15 TiB", "diff", "15t-a.bin", "15t-b.bin")
    bench.row("a tensor of 20 GB of holes, one number changed", "diff",
              "20g-a.safetensors", "20g-b.safetensors")


def scene_tensors(bench):
    for side in "ab":
        tensors(bench.folder + "/t-%s.safetensors" % side, 400_000, side == "b")
    bench.row("400 000 tensors, the same", "diff", "t-a.safetensors", "t-a.safetensors")
    bench.row("400 000 tensors, 57 143 changed", "diff", "t-a.safetensors", "t-b.safetensors")
    bench.row("the same as JSON", "diff", "t-a.safetensors", "t-b.safetensors", "--json")


def scene_bombs(bench):
    f = bench.folder
    os.makedirs(f + "/bombs", exist_ok=True)
    write(f + "/nested.zip", nested_zip())
    for i in range(10):
        shutil.copy(f + "/nested.zip", f + "/bombs/%d.zip" % i)
    write(f + "/streams.gz", zeros_gzip(1) + zeros_gzip(1500))
    write(f + "/wide.pkl", b"\x80\x04(" + b"K\x01" * 3_900_000 + b"t.")
    write(f + "/tokenizer.json", b'{"model":{"vocab":{' + b",".join(
        b'"t%d":%d' % (i, i) for i in range(1_500_000)) + b"}}}")
    bench.row("zips in zips, 18 kB that unpack to 687 GB", "scan", "nested.zip")
    bench.row("a folder of ten of them", "scan", "bombs")
    bench.row("the same, compared", "diff", "bombs", "bombs")
    bench.row("gzip of two streams, 1.5 MB that unpack to 1.6 GB", "scan", "streams.gz")
    bench.row("a pickle of 3.9 million values", "scan", "wide.pkl")
    bench.row("a tokenizer of 1.5 million tokens", "scan", "tokenizer.json")


def scene_record(bench):
    f = bench.folder
    case(bench)
    os.makedirs(f + "/model", exist_ok=True)
    write(f + "/d.toml", b'schema = 1\nname = "bench"\n[model]\npath = "model"\n')
    sparse(f + "/model/hole.bin", 1 << 40, 1 << 39, b"data")
    bench.row("a file of 1 TiB without blocks", "collect", "model-files",
              "--deployment", "d.toml", "--case", "B-1")
    os.remove(f + "/model/hole.bin")
    for i in range(100_000):
        if i % 1000 == 0:
            os.makedirs(f + "/model/%d" % (i // 1000))
        write(f + "/model/%d/%d" % (i // 1000, i), b"%d" % i)
    bench.row("100 000 files", "collect", "model-files", "--deployment", "d.toml", "--case", "B-1")
    bench.row("the exhibit of them", "exhibit", "verify", "E002", "--case", "B-1")
    bench.quiet("case", "new", "B-2", "--title", "long")
    long_chain(f + "/cases/B-2/case.db", 100_000)
    bench.row("a chain of 100 000 entries", "custody", "log", "--case", "B-2")
    bench.row("the same as JSON", "custody", "log", "--case", "B-2", "--json")


SCENES = {"sparse": scene_sparse, "tensors": scene_tensors, "bombs": scene_bombs,
          "record": scene_record}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", choices=sorted(SCENES))
    parser.add_argument("--limit", type=int, default=1024, help="MiB of address space")
    parser.add_argument("--scenes", help="folder for the scenes; else a temporary one")
    options = parser.parse_args()
    folder = options.scenes or tempfile.mkdtemp(prefix="impound-bounds-")
    os.makedirs(folder, exist_ok=True)
    bench = Bench(options.program, os.path.abspath(folder), options.limit)
    print("| what | command | peak memory | processor | clock | exit |")
    print("|---|---|---|---|---|---|")
    try:
        for name, scene in SCENES.items():
            if options.only in (None, name):
                scene(bench)
    finally:
        if not options.scenes:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
