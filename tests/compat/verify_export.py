#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A third verifier of an export, written from the documents alone.

    verify_export.py FOLDER [--head HASH] [--signer FINGERPRINT]... [--witness FINGERPRINT]

Written from core/casefile/SCHEMA.md and core/evidence/FORMAT.md and from nothing
else: not from the program, not from VERIFY.sh. Where it could not be written
from them, the documents were mended. Needs Python 3.9, python3-cryptography, the
command zstd, and openssl where somebody added a time stamp.

The last line is "OK", or "OK, not part of the record: N" (exit status 0),
"UNSIGNED" and the same count (exit status 1), or "FAIL: " and the first thing
that is wrong (exit status 4).
"""
import argparse
import base64
import datetime
import hashlib
import json
import os
import re
import sqlite3
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """What is wrong with the export, in one sentence."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def plain_base64(text, what):
    """Base64 as it is written, and nothing else: no blanks, no line breaks, no spare bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{what}: not base64") from None
    need(base64.b64encode(data) == (text if isinstance(text, bytes) else text.encode()),
         f"{what}: not base64 as it is written")
    return data


def fits(key, signature, data):
    try:
        key.verify(signature, data)
        return True
    except InvalidSignature:
        return False


def key_of(pem, what):
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        raise Wrong(f"{what}: no public key in PEM") from None
    need(isinstance(key, Ed25519PublicKey), f"{what}: no Ed25519 key")
    return key


def fingerprint(key):
    return sha256(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


HEX = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def microseconds(text, what):
    need(isinstance(text, str) and TIME.fullmatch(text), f"{what}: no time")
    try:
        moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        raise Wrong(f"{what}: no time") from None
    return (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)


# --- "The line": keys in their order, and what each must be
KEYS = ("v case seq prev id ts recorded_at late_reason clock actor host tool action item object "
        "purpose authority outcome detail run step refs").split()
WORDS = {1: set("ok partial short_read missing empty denied failed rolled_back".split())}
WORDS[2] = WORDS[1] | {"intended", "skipped", "incomplete"}
WORDS[3] = WORDS[2]
SIGNER_ACTIONS = {"signer.add", "signer.vouch", "signer.rotate", "signer.revoke"}

# --- "Signers"
RIGHTS = ["introduce", "approve", "release", "act"]
FREE = set("case.open correct head.sign head.timestamp head.witness export.disclose verify access "
           "signer.rotate".split())


def needed_right(entry, signer):
    """The right that an entry of `signer` needs; None if none."""
    action, detail = entry["action"], entry["detail"]
    if action in ("signer.add", "signer.vouch"):
        return "introduce"
    if action == "signer.revoke":
        return None if detail["fingerprint"] == signer else "introduce"
    if action in ("approval.grant", "approval.deny"):
        return "approve"
    if action == "isolate.undo" and detail.get("kind") == "release":
        return "release"
    if action in FREE or (action == "note" and detail.get("kind") != "finding"):
        return None
    return "act"


class Signer:
    """A key of the case, and what the entries so far say of it."""

    def __init__(self, key, name, rights, since, itself):
        self.key, self.name, self.rights = key, name, rights
        self.since, self.itself, self.vouched = since, itself, not itself
        self.closed = None     # the entry that rotated or revoked it
        self.pending = []      # (entry, right) that somebody has to vouch for


def rights_of(text, where):
    rights = text.split(",")
    need(rights == [right for right in RIGHTS if right in rights], f"{where}: no rights: {text}")
    return set(rights)


def read_actions(document):
    """The tables of SCHEMA.md: what each action's detail and fields must hold, and when."""
    rules = {}
    notes = {}
    section = document.split("## Actions", 1)[1].split("\n## ", 1)[0]
    for row in section.splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`"):
            name = cells[0].strip("`")
            # "`a` `b` or `c`": one of the two.
            keys = [re.findall(r"`([^`]+)`", part) for part in
                    re.findall(r"`[^`]+`(?: or `[^`]+`)*", cells[1])]
            rules[name] = (keys, re.findall(r"`([^`]+)`", cells[2]), cells[3] == "yes")
        elif len(cells) == 3 and (cells[0] == "none" or cells[0].startswith("`")):
            notes[cells[0].strip("`")] = re.findall(r"`([^`]+)`", cells[1])
    need("case.open" in rules and "signer.introduce" in notes, "SCHEMA.md has no table of actions")
    return rules, notes


def no_repeats(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key twice")
    return dict(pairs)


class Chain:
    """custody, line by line."""

    def __init__(self, rows, rules, notes):
        self.rules, self.notes = rules, notes
        self.signers = {}       # fingerprint -> Signer
        self.asks_for_vouchers = False
        self.lines, self.entries, self.links = [], [], []
        self.closed = False
        self.begun, self.seals = set(), {}
        self.diffs, self.with_exhibits = [], None  # None: no entry tells
        self.case = self.nonce = self.origin = None
        self.heads_named = []
        need(rows, "the record holds no entry")
        for number, (seq, line, signature) in enumerate(rows, 1):
            try:
                self.follow(number, seq, line, signature)
            except (KeyError, TypeError, AttributeError) as error:
                raise Wrong(f"entry {number}: not as SCHEMA.md says ({error!r})") from None

    def follow(self, number, seq, line, signature):
        where = f"entry {number}"
        need(seq == number, f"{where}: its number is {seq}")
        raw = line.encode()
        need(len(raw) <= 8 << 20 and b"\n" not in raw, f"{where}: no line")
        try:
            entry = json.loads(line, object_pairs_hook=no_repeats)
        except ValueError as error:
            raise Wrong(f"{where}: no JSON object ({error})") from None
        need(isinstance(entry, dict) and list(entry) == KEYS, f"{where}: other keys")
        need(line.count('"prev":"') == 1, f"{where}: more than one prev")
        version = entry["v"]
        need(version in WORDS and type(version) is int, f"{where}: version {version}")
        prev = sha256(self.lines[-1] + b"\n") if self.lines else "0" * 64
        if number == 1:
            self.case = entry["case"]
            need(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", self.case), f"{where}: no case id")
            self.nonce = entry["detail"]["nonce"]
        need(entry["case"] == self.case, f"{where}: of another case")
        need(entry["seq"] == number and entry["prev"] == prev,
             f"{where}: the chain breaks (prev or seq)")
        uuid = bytearray(hashlib.sha256(
            f"impound entry {self.nonce} {prev} {number}".encode()).digest()[:16])
        uuid[6] = uuid[6] & 0x0f | 0x80
        uuid[8] = uuid[8] & 0x3f | 0x80
        text = uuid.hex()
        text = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
        need(entry["id"] == text, f"{where}: its id is not made of nonce, prev and seq")
        # No blanks between tokens: the beginning is these bytes.
        need(line.startswith(f'{{"v":{version},"case":"{self.case}","seq":{number},'
                             f'"prev":"{prev}","id":"{text}",'), f"{where}: other bytes at its beginning")
        at, recorded = (microseconds(entry[key], f"{where}: {key}") for key in ("ts", "recorded_at"))
        need(recorded - at <= 60_000_000 or entry["late_reason"], f"{where}: late without a reason")
        need(at - recorded <= 60_000_000, f"{where}: happened after it was recorded")
        for key in ("clock", "actor", "host", "tool", "detail"):
            need(isinstance(entry[key], dict), f"{where}: {key}")
        for key in ("object", "authority"):
            need(entry[key] is None or isinstance(entry[key], dict), f"{where}: {key}")
        for key in ("late_reason", "item", "run", "step"):
            need(entry[key] is None or isinstance(entry[key], str), f"{where}: {key}")
        need(isinstance(entry["refs"], list), f"{where}: refs")
        need(entry["outcome"] in WORDS[version], f"{where}: outcome {entry['outcome']}")
        self.follow_clock(where, entry)
        self.follow_action(where, number, entry)
        match = re.search(r"key ([0-9a-f]{64})$", entry["actor"]["auth"])
        need(match, f"{where}: names no key")
        author = match.group(1)
        self.introduce(where, number, entry, author)
        signer = self.signers.get(author)
        need(signer, f"{where}: signed by a key that no earlier entry introduces")
        need(signer.closed in (None, number), f"{where}: signed by a key that was closed before")
        need(fits(signer.key, plain_base64(signature, f"{where}: signature"), raw + b"\n"),
             f"{where}: the signature does not fit")
        self.check_right(where, number, entry, author, signer)
        self.lines.append(raw)
        self.entries.append(entry)
        self.links.append(sha256(raw + b"\n"))

    def follow_clock(self, where, entry):
        clock = entry["clock"]
        counter = clock["monotonic_ns"]
        need(type(counter) is int and counter >= 0 and clock["boot_id"], f"{where}: clock")
        if self.entries:
            before = self.entries[-1]["clock"]
            if before["boot_id"] == clock["boot_id"]:
                need(counter >= before["monotonic_ns"], f"{where}: monotonic_ns goes back")

    def follow_action(self, where, number, entry):
        action, detail, item = entry["action"], entry["detail"], entry["item"]
        need(action in self.rules, f"{where}: no action {action}")
        keys, fields, when_closed = self.rules[action]
        if action == "note":
            kind = detail.get("kind", "none")
            keys = [[key] for key in self.notes.get(kind, self.notes["none"])]
        if "detail_commit" not in detail:
            for choice in keys:
                need(any(key in detail for key in choice), f"{where}: {action} without {choice}")
        for field in fields:
            may_lack = field == "item" and action == "acquire.file" and detail.get("gap") is True
            need(may_lack or entry[field], f"{where}: {action} without {field}")
        need((number == 1) == (action == "case.open"), f"{where}: {action}")
        is_finding = action == "note" and detail.get("kind") == "finding"
        need(not self.closed or (when_closed and not is_finding),
             f"{where}: {action} after the case was closed")
        if action == "case.open":
            org = re.sub(rb"[^A-Za-z0-9._-]", b"-", detail["org"].encode()).decode()
            self.origin = f"{org or 'no-organisation'}/{self.case}"
        elif action == "case.close":
            self.closed = True
        elif action == "acquire.begin":
            need(item not in self.begun, f"{where}: begins {item} again")
            self.begun.add(item)
        elif action == "bundle.seal":
            need(item in self.begun, f"{where}: seals {item}, which was not begun")
            need(item not in self.seals, f"{where}: seals {item} again")
            self.seals[item] = (entry["object"], detail, version_of(entry))
        elif action == "baseline.diff":
            self.diffs.append((where, detail))
        elif action == "export.disclose":
            self.with_exhibits = detail.get("with_exhibits", True)
        elif action == "head.sign":
            self.heads_named.append((where, number, entry))

    def introduce(self, where, number, entry, author):
        """What an entry says of keys, in the order of the table of SCHEMA.md."""
        action, detail = entry["action"], entry["detail"]
        is_introduction = action == "note" and detail.get("kind") == "signer.introduce"
        need(entry["v"] >= 3 or action not in SIGNER_ACTIONS, f"{where}: {action} in an older line")
        if number == 1:
            self.asks_for_vouchers = entry["v"] >= 3
            need(not self.asks_for_vouchers or detail.get("signers") == "vouched",
                 f"{where}: its signers are not to be vouched for")
            need(self.bring_in(where, number, detail["signer"], set(RIGHTS), False) == author,
                 f"{where}: signed by another key than it introduces")
        elif action == "signer.add":
            rights = rights_of(detail["signer"]["rights"], where)
            self.bring_in(where, number, detail["signer"], rights, False)
        elif is_introduction:
            added = self.bring_in(where, number, detail["signer"], set(), True)
            need(not self.asks_for_vouchers or added == author, f"{where}: introduces another key")
        elif action == "signer.vouch":
            whose, through = self.signers.get(detail["signer"]["fingerprint"]), detail["through"]
            need(whose and whose.closed is None, f"{where}: vouches for no key of this case")
            need(detail["signer"]["fingerprint"] != author, f"{where}: a key vouches for itself")
            need(type(through) is int and 1 <= through < number
                 and detail["head"] == self.links[through - 1], f"{where}: vouches for another chain")
            whose.rights = rights_of(detail["signer"]["rights"], where)
            whose.name = detail["signer"]["name"]
            if not whose.vouched:
                whose.vouched = True
                whose.pending = [(seq, right) for seq, right in whose.pending
                                 if seq > through or (right and right not in whose.rights)]
        elif action == "signer.rotate":
            old = self.signers.get(author)
            need(old and old.closed is None and (old.vouched or not self.asks_for_vouchers),
                 f"{where}: rotates a key that nobody vouched for")
            need(detail["signer"]["name"] == old.name, f"{where}: rotates to another person")
            if self.asks_for_vouchers:
                need(rights_of(detail["signer"]["rights"], where) == old.rights,
                     f"{where}: rotates to other rights")
            self.bring_in(where, number, detail["signer"], set(old.rights), False)
            old.closed = number
        elif action == "signer.revoke":
            whose = self.signers.get(detail["fingerprint"])
            need(whose and whose.closed is None, f"{where}: revokes no key of this case")
            whose.closed = number

    def bring_in(self, where, number, stated, rights, itself):
        key = key_of(stated["public_key"].encode(), where)
        found = fingerprint(key)
        need(stated["fingerprint"] == found, f"{where}: the fingerprint is not the key's")
        need(found not in self.signers or not self.asks_for_vouchers,
             f"{where}: brings in a key that is in the case")
        self.signers.setdefault(found, Signer(key, stated["name"], rights, number, itself))
        return found

    def check_right(self, where, number, entry, author, signer):
        if not self.asks_for_vouchers:
            return
        need(entry["actor"]["name"] == signer.name, f"{where}: the key speaks under another name")
        right = needed_right(entry, author)
        if signer.vouched:
            need(right is None or right in signer.rights, f"{where}: the right {right} is needed")
            return
        need(right in (None, "act"), f"{where}: the right {right} is needed")
        signer.pending.append((number, right))

    def check_vouchers(self):
        for found, signer in self.signers.items():
            if signer.pending:
                entries = ", ".join(str(number) for number, _ in signer.pending[:10])
                raise Wrong(f"nobody vouched for key {found} ({signer.name}), entries {entries}")

    def open_keys(self, size):
        """The keys that may sign a head of so many entries."""
        return [signer.key for signer in self.signers.values()
                if signer.since <= size and (signer.closed is None or signer.closed > size)]


def version_of(entry):
    return entry["v"]


# --- heads: C2SP signed notes of checkpoints
def merkle(leaves):
    """RFC 6962: the root over the lines without LF."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]

    def root(hashes):
        if len(hashes) == 1:
            return hashes[0]
        split = 1
        while split * 2 < len(hashes):
            split *= 2
        return hashlib.sha256(b"\1" + root(hashes[:split]) + root(hashes[split:])).digest()

    def frontier(hashes):
        out, rest = [], hashes
        while rest:
            size = 1 << (len(rest).bit_length() - 1)
            out.append(root(rest[:size]).hex())
            rest = rest[size:]
        return "".join(out)

    return root(level), frontier(level)


def parse_note(note, what):
    text, mark, signatures = note.partition("\n\n")
    need(mark and note.endswith("\n"), f"{what}: no signed note")
    text += "\n"
    parsed = []
    for line in signatures[:-1].split("\n"):
        match = re.fullmatch(r"— (\S+) (\S+)", line)
        need(match, f"{what}: a line that is no signature")
        data = plain_base64(match.group(2), what)
        need(len(data) > 4, f"{what}: a short signature")
        parsed.append((match.group(1), data[:4], data[4:]))
    lines = text.split("\n")
    need(len(lines) == 5 and re.fullmatch(r"[1-9]\d*", lines[1])
         and re.fullmatch(r"chain [0-9a-f]{64}", lines[3]), f"{what}: no checkpoint")
    root = plain_base64(lines[2], what)
    need(len(root) == 32, f"{what}: no root")
    return text, parsed, lines[0], int(lines[1]), root, lines[3][6:]


def check_note(note, what, chain, keys):
    text, signatures, origin, size, root, link = parse_note(note, what)
    need(1 <= size <= len(chain.lines), f"{what}: covers {size} entries of {len(chain.lines)}")
    need(origin == chain.origin, f"{what}: its origin is not {chain.origin}")
    need(link == chain.links[size - 1], f"{what}: names another chain")
    found, frontier = merkle(chain.lines[:size])
    need(root == found, f"{what}: names another root")
    good = False
    for name, key_id, signature in signatures:
        for key in keys:
            raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            expected = hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
            good = good or (name == origin and key_id == expected
                            and fits(key, signature, text.encode()))
    need(good, f"{what}: no key of the record signed it")
    return size, frontier, text, signatures


def check_heads(database, chain):
    heads = {}
    for size, note, frontier, signed_at in database.execute(
            "SELECT size, note, frontier, signed_at FROM heads ORDER BY size"):
        what = f"case.db: the head of {size} entries"
        found, expected, _, _ = check_note(note, what, chain, chain.open_keys(size))
        need(found == size and frontier == expected, f"{what}: size or frontier")
        heads[size] = (note, signed_at)
    for where, number, entry in chain.heads_named:
        detail = entry["detail"]
        need(number - 1 in heads, f"{where}: names a head that is not in case.db")
        note, signed_at = heads[number - 1]
        parsed = parse_note(note, where)
        need(detail["note_sha256"] == sha256(note.encode()), f"{where}: names another note")
        need(signed_at == entry["recorded_at"], f"{where}: its head has another time")
        need(detail["size"] == number - 1 and detail["head"] == entry["prev"]
             and base64.b64decode(detail["root"]) == parsed[4]
             and entry["actor"]["auth"].endswith(detail["signer"]),
             f"{where}: states another head than it signs")
    return heads


# --- the bundle
def frames_of(path):
    """Seek table and metadata pointer, as FORMAT.md says; (offset, stored, content) of each frame."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        need(size >= 57, "no bundle: too short")
        file.seek(size - 9)
        count, descriptor, magic = struct.unpack("<IBI", file.read(9))
        need(magic == 0x8F92EAB1 and descriptor == 0x80, "no seek table at its end")
        table = size - 9 - 12 * count - 8
        need(count >= 2 and table >= 40, "the seek table does not fit the file")
        file.seek(table)
        need(struct.unpack("<II", file.read(8)) == (0x184D2A5E, 9 + 12 * count), "no seek table")
        entries = [struct.unpack("<III", file.read(12)) for _ in range(count)]
        file.seek(table - 40)
        magic, length, name, version, first, offset, total = struct.unpack("<II8sIIQQ", file.read(40))
    need((magic, length, name) == (0x184D2A5D, 32, b"IMPOUND\0"), "no metadata pointer")
    need(version == 1, f"version {version}")
    need(entries[-1] == (40, 0, 0), "the metadata pointer is not the last frame")
    frames, at, tar_at = [], 0, 0
    for number, (stored, content, _) in enumerate(entries):
        need(content <= 4194304 and (content > 0 or number == count - 1), f"frame {number}: its size")
        if number == first:
            need(tar_at == offset, "the metadata begin elsewhere")
        frames.append((at, stored, content))
        at, tar_at = at + stored, tar_at + content
    need(at == table and tar_at == total and first < count - 1, "the frames do not fill the file")
    return frames, first, offset, total


def stored_name(name):
    return name.replace(b"\r", b"\\x0D").replace(b"\n", b"\\x0A")


def in_manifest(name):
    return name.replace(b"%", b"%25").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


def text_name(value):
    """A name in JSON: \\xnn for what is no text."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]),
                  value.encode("utf-8", "surrogateescape"))


FIXED = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "meta/files.jsonl",
         "meta/skipped.jsonl", "tagmanifest-sha256.txt")


def check_bundle(folder, item, sealed, case):
    name, detail = f"{item}.tar.zst", sealed[1]
    path = os.path.join(folder, name)
    need(file_sha256(path) == sealed[0]["sha256"], f"{name}: not the bundle that was sealed")
    try:
        check_content(path, item, sealed, case)
    except Wrong as error:
        raise Wrong(f"{name}: {error}") from None
    for ending, key in ((".seal.json", "seal_sha256"), (".VERIFY.txt", "verify_txt_sha256")):
        if key in detail:
            need(file_sha256(os.path.join(folder, item + ending)) == detail[key],
                 f"{item}{ending}: not the one that was sealed")
    beside = os.path.join(folder, name + ".sha256")
    need("seal_sha256" not in detail or os.path.isfile(beside), f"{name}.sha256: missing")
    need(not os.path.lexists(beside) or read(beside) == f"{sealed[0]['sha256']}  {name}\n".encode(),
         f"{name}.sha256: another text")


def check_content(path, item, sealed, case):
    frames, first, meta_offset, total = frames_of(path)
    with tempfile.TemporaryDirectory() as scratch:
        tar_path = os.path.join(scratch, "tar")
        with open(tar_path, "wb") as out:
            done = subprocess.run(["zstd", "-q", "-dc", path], stdout=out, stderr=subprocess.PIPE,
                                  check=False)
        need(done.returncode == 0, "zstd cannot decode it")
        need(os.path.getsize(tar_path) == total, "its tar has another size")
        check_tar(tar_path, item, sealed, case, meta_offset)
    check_seal(path, item, sealed, frames, first, meta_offset, total)


def check_tar(tar_path, item, sealed, case, meta_offset):
    detail = sealed[1]
    tags, payload, order = {}, {}, []
    with tarfile.open(tar_path, encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            name = os.fsencode(member.name)
            need(name.startswith(b"./"), "a member outside of ./")
            name = name[2:]
            need(name not in tags and name not in payload, "a member twice")
            digest = None
            if member.isreg():
                content = tar.extractfile(member)
                digest = hashlib.sha256()
                kept = bytearray()
                while block := content.read(1 << 20):
                    digest.update(block)
                    if not name.startswith(b"data/"):
                        kept += block
                digest = digest.hexdigest()
            if name.startswith(b"data/"):
                need(member.offset < meta_offset, "payload among the metadata")
                payload[name] = (member, digest)
                order.append(name)
            else:
                need(member.offset >= meta_offset and member.isreg(), "metadata among the payload")
                tags[name.decode()] = (bytes(kept), digest)
    for name in FIXED:
        need(name in tags, f"no {name}")
    need(tags["manifest-sha256.txt"][1] == detail["manifest_sha256"], "another manifest")
    need(tags["tagmanifest-sha256.txt"][1] == detail["tagmanifest_sha256"], "another tag manifest")
    expected = sorted((in_manifest(name), digest) for name, (member, digest) in payload.items()
                      if member.isreg())
    need(tags["manifest-sha256.txt"][0] == b"".join(
        digest.encode() + b"  " + name + b"\n" for name, digest in expected),
         "the manifest lists other files than there are")
    expected = sorted((in_manifest(name.encode()), digest) for name, (_, digest) in tags.items()
                      if name != "tagmanifest-sha256.txt")
    need(tags["tagmanifest-sha256.txt"][0] == b"".join(
        digest.encode() + b"  " + name + b"\n" for name, digest in expected),
         "the tag manifest lists other members than there are")
    need(tags["bagit.txt"][0] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
         "another bagit.txt")
    info = dict(line.split(": ", 1) for line in tags["bag-info.txt"][0].decode().splitlines())
    need(info["External-Identifier"] == f"{case}/{item}", "it is another exhibit's")
    files = [(member, digest) for member, digest in payload.values() if member.isreg()]
    need(info["Payload-Oxum"] == f"{sum(m.size for m, _ in files)}.{len(files)}", "Payload-Oxum")
    items = [json.loads(line) for line in tags["meta/files.jsonl"][0].decode().splitlines()]
    need([line["item"] for line in items] == list(range(1, len(items) + 1)), "items out of order")
    need(len(items) == len(payload), "items and members differ in number")
    stored = {}
    counts = {}
    for line, name in zip(items, order):
        member, digest = payload[name]
        true_name = text_name(line["name"])
        need(b"data/" + stored_name(true_name) == name, f"item {line['item']}: another name")
        need(line["member_offset"] == member.offset, f"item {line['item']}: another place")
        kind = ("hard" if line.get("hard_link") else line["kind"])
        found = ("hard" if member.islnk() else "symlink" if member.issym() else
                 "directory" if member.isdir() else "file" if member.isreg() else "?")
        need(kind == found, f"item {line['item']}: {found} in the tar, {kind} in files.jsonl")
        if kind == "file":
            need(line["sha256"] == digest and line["size_stored"] == member.size,
                 f"item {line['item']}: another content")
            stored[true_name] = line
        elif kind == "hard":
            target = text_name(line["link_target"])
            need(os.fsencode(member.linkname) == b"./data/" + stored_name(target)
                 and target in stored and line["sha256"] == stored[target]["sha256"],
                 f"item {line['item']}: a hard link to something else")
        elif kind == "symlink":
            need(os.fsencode(member.linkname) == text_name(line["link_target"]),
                 f"item {line['item']}: a link to something else")
        counts[line["outcome"]] = counts.get(line["outcome"], 0) + 1
    for line in tags["meta/skipped.jsonl"][0].decode().splitlines():
        outcome = json.loads(line)["outcome"]
        counts[outcome] = counts.get(outcome, 0) + 1
    need(detail["counts"] == counts, "the seal counts other outcomes")


def check_seal(path, item, sealed, frames, first, meta_offset, total):
    seal = json.loads(read(os.path.join(os.path.dirname(path), f"{item}.seal.json")),
                      object_pairs_hook=no_repeats)
    need((seal["format"], seal["version"], seal["exhibit"]) == ("impound-bundle", 1, item),
         f"{item}.seal.json: another exhibit")
    need(seal["bundle"] == {"name": f"{item}.tar.zst", "size": os.path.getsize(path),
                            "sha256": sealed[0]["sha256"]}, f"{item}.seal.json: another bundle")
    for key in ("manifest_sha256", "tagmanifest_sha256", "counts", "payload_bytes"):
        need(seal[key] == sealed[1][key], f"{item}.seal.json: {key}")
    need(seal["meta"] == {"first_frame": first, "tar_offset": meta_offset, "tar_size": total},
         f"{item}.seal.json: meta")
    need([tuple(frame[:3]) for frame in seal["frames"]] == frames, f"{item}.seal.json: frames")
    with open(path, "rb") as file:
        for at, stored, _, _, digest in seal["frames"]:
            file.seek(at)
            need(sha256(file.read(stored)) == digest, f"the frame at {at} has another digest")
    need(sha256(read(path[:-len("tar.zst")] + "VERIFY.txt")) == seal["verify_txt_sha256"],
         f"{item}.VERIFY.txt: not the one that the seal names")


# --- the export
RECORD_FOLDERS = ("exhibits", "keys", "reports")
SIDES = ("case.db-wal", "case.db-shm", "case.db-journal")
LATER = ("witness.pub.pem", "checkpoint.tsr", "tsa-chain.pem")
ALWAYS = ("VERIFY.sh", "case.db", "custody.jsonl", "custody.sig", "export.list")
SIGNED = ("checkpoint.note", "signer.pub.pem", "export.sig")
UNSIGNED = ("NOT-RECORDED.txt",)
ENDINGS = (".tar.zst", ".tar.zst.sha256", ".seal.json", ".VERIFY.txt")


def is_unsigned(folder):
    return os.path.lexists(os.path.join(folder, UNSIGNED[0]))


def places(chain, unsigned, with_exhibits):
    """Every name that a list may have: what the record says that there is."""
    names = {name for name in ALWAYS + (UNSIGNED if unsigned else SIGNED)
             if name not in ("export.list", "export.sig")}
    required = set(names)
    names |= {f"keys/{found}.pem" for found in chain.signers}
    if with_exhibits:
        names |= {f"exhibits/{item}{ending}" for item in chain.seals for ending in ENDINGS}
        names |= {detail.get(f"{what}_file") for _, detail in chain.diffs for what in ("result", "baseline")}
    return required, names


def check_list(folder, chain, unsigned):
    content = read(os.path.join(folder, "export.list"))
    signer = None if unsigned else check_list_signature(folder, chain, content)
    need(content.endswith(b"\n"), "export.list: its last line is torn")
    listed = {}
    for line in content.decode().splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._/-]*)", line)
        need(match and match.group(2) not in listed, "export.list: no digest and name, or a name twice")
        listed[match.group(2)] = match.group(1)
    return signer, listed


def check_list_signature(folder, chain, content):
    signer = key_of(read(os.path.join(folder, "signer.pub.pem")), "signer.pub.pem")
    known = chain.signers.get(fingerprint(signer))
    need(known, "signer.pub.pem: the record does not introduce it")
    need(known.closed is None, "signer.pub.pem: the record closes this key")
    signature = read(os.path.join(folder, "export.sig"))
    need(signature.endswith(b"\n"), "export.sig: no line")
    need(fits(signer, plain_base64(signature[:-1], "export.sig"), content),
         "export.sig does not fit export.list")
    return signer


def check_files(folder, chain, listed, unsigned, with_exhibits):
    """Every file of the folder, by the list; returns what is no part of the record."""
    foreign, here = set(), set()
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            short = os.path.relpath(path, folder)
            is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
            if not is_folder:
                here.add(short)
            if short in listed or short in ("export.list", "export.sig"):
                need(stat.S_ISREG(os.lstat(path).st_mode), f"{short}: no file")
                continue
            need(short not in SIDES, f"{short}: would change what case.db says")
            head = short.split("/")[0]
            if head in RECORD_FOLDERS and is_folder and short == head:
                continue
            need(head not in RECORD_FOLDERS, f"{short}: was added to the record")
            if short in LATER:
                need(stat.S_ISREG(os.lstat(path).st_mode), f"{short}: no file")
                # Certificates alone are certificates of nothing, and without a head there is
                # nothing that others could vouch for.
                alone = short == "tsa-chain.pem" and not os.path.lexists(os.path.join(folder, "checkpoint.tsr"))
                if not unsigned and not alone:
                    continue
            foreign.add(head)
    required, known = places(chain, unsigned, with_exhibits)
    for name in sorted(required):
        need(name in listed, f"export.list does not name {name}")
    for name in listed:
        need(name in known, f"export.list names {name}, which is no file of this record")
    for name, digest in listed.items():
        need(name in here, f"{name}: missing")
        data = os.path.join(folder, name)
        if name == "checkpoint.note":
            found = sha256(own_note(read(data).decode()).encode())
        else:
            found = file_sha256(data)
        need(found == digest, f"{name}: not as export.list says")
        if name.startswith("keys/"):
            need(read(data) == chain.signers[name[5:-4]].key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
                 f"{name}: not the key that the record has under this fingerprint")
    return foreign


def own_note(note):
    """The note as it was exported: whoever cosigns adds lines behind its first signature."""
    text, mark, signatures = note.partition("\n\n")
    return text + mark + signatures.split("\n", 1)[0] + "\n"


def check_stamp(folder, text, began):
    """A time stamp of the head, by the certificates beside it: openssl reads RFC 3161."""
    reply = os.path.join(folder, "checkpoint.tsr")
    certificates = os.path.join(folder, "tsa-chain.pem")
    need(os.path.isfile(certificates), "tsa-chain.pem: missing")
    shown = subprocess.run(["openssl", "ts", "-reply", "-in", reply, "-text"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=False).stdout.decode(errors="replace")
    found = re.search(r"^Time stamp: (.+) GMT$", shown, re.MULTILINE)
    need(found, "checkpoint.tsr: no time stamp")
    data = read(reply)
    need(data[:1] == b"\x30" and der_length(data) == len(data),
         "checkpoint.tsr: not one reply and nothing else")
    stamped = datetime.datetime.strptime(found.group(1).split(".")[0], "%b %d %H:%M:%S %Y")
    moment = int(stamped.replace(tzinfo=datetime.timezone.utc).timestamp())
    with tempfile.NamedTemporaryFile() as body:
        body.write(text.encode())
        body.flush()
        done = subprocess.run(["openssl", "ts", "-verify", "-data", body.name, "-in", reply, "-CAfile",
                               certificates, "-untrusted", certificates, "-attime", str(moment)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    need(done.returncode == 0, "checkpoint.tsr: no time stamp of this head by these certificates")
    need(moment >= began, "checkpoint.tsr: of a time before the record began")


def der_length(data):
    """Bytes of the first DER value, its own header included."""
    if len(data) < 2:
        return 0
    if data[1] < 0x80:
        return 2 + data[1]
    count = data[1] & 0x7f
    return 2 + count + int.from_bytes(data[2:2 + count], "big")


def check_head_of_export(folder, chain, heads, signer, known_witness=None):
    note = read(os.path.join(folder, "checkpoint.note")).decode()
    size, _, text, signatures = check_note(note, "checkpoint.note", chain, [signer])
    need(size == len(chain.lines), "checkpoint.note does not cover the whole record")
    need(size in heads and heads[size][0] == own_note(note), "checkpoint.note is not in case.db")
    began = microseconds(chain.entries[0]["ts"], "entry 1: ts") // 1_000_000
    further = len(signatures) - 1
    path = os.path.join(folder, "witness.pub.pem")
    if os.path.exists(path):
        witness = key_of(read(path), "witness.pub.pem")
        need(fingerprint(witness) not in chain.signers,
             "witness.pub.pem: a key of the record; nobody is a witness of their own acts")
        need(known_witness in (None, fingerprint(witness)), "witness.pub.pem: another key than --witness")
        need(further > 0 and len(signatures[1][2]) == 72, "checkpoint.note: no cosignature")
        moment = struct.unpack(">Q", signatures[1][2][:8])[0]
        need(moment < 1 << 63, "checkpoint.note: the time of the cosignature is no time")
        need(moment >= began, "checkpoint.note: cosigned before the record began")
        need(fits(witness, signatures[1][2][8:], f"cosignature/v1\ntime {moment}\n{text}".encode()),
             "checkpoint.note: the cosignature does not fit")
        further -= 1
    else:
        need(known_witness is None, "witness.pub.pem: missing, --witness asks for its key")
    if os.path.lexists(os.path.join(folder, "checkpoint.tsr")):
        check_stamp(folder, text, began)
    return 1 if further > 0 else 0


def check_case_file(folder):
    """case.db itself: its header, its objects; what it holds against the files beside it."""
    path = os.path.join(folder, "case.db")
    header = read(path)[:100]
    need(header[:16] == b"SQLite format 3\0", "case.db: no database")
    need(header[68:72] == b"IMPD", "case.db: no case file")
    version = struct.unpack(">I", header[60:64])[0]
    need(version in WORDS, f"case.db: format {version}")
    database = sqlite3.connect(f"file:{os.path.abspath(path)}?mode=ro&immutable=1", uri=True)
    need(database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok", "case.db: damaged")
    return database, version


def check_objects(database, version, document):
    """The schema, by the digest of its text that SCHEMA.md names."""
    rows = database.execute("SELECT type || '|' || name || '|' || tbl_name || '|' || coalesce(sql,'') "
                            "|| char(10) FROM sqlite_master ORDER BY type, name")
    expected = re.search(rf"`([0-9a-f]{{64}})` in version {version}\b", document)
    need(expected, f"SCHEMA.md names no digest of version {version}")
    need(sha256("".join(row[0] for row in rows).encode()) == expected.group(1),
         "case.db: other objects than SCHEMA.md knows")


def verify(folder, documents, head=None, signers=(), witness=None):
    schema = read(os.path.join(documents, "core/casefile/SCHEMA.md")).decode()
    unsigned = is_unsigned(folder)
    for name in SIGNED if unsigned else UNSIGNED:
        need(not os.path.lexists(os.path.join(folder, name)), f"{name}: contradicts what else is here")
    for name in ALWAYS + (UNSIGNED if unsigned else SIGNED):
        path = os.path.join(folder, name)
        need(os.path.isfile(path) and not os.path.islink(path), f"{name}: missing")
    database, version = check_case_file(folder)
    check_objects(database, version, schema)
    rows = list(database.execute("SELECT seq, line, signature FROM custody ORDER BY seq"))
    for column, name in ((1, "custody.jsonl"), (2, "custody.sig")):
        need(read(os.path.join(folder, name)) == "".join(row[column] + "\n" for row in rows).encode(),
             f"{name} and case.db differ")
    chain = Chain(rows, *read_actions(schema))
    heads = check_heads(database, chain)
    database.close()
    if head is not None:
        need(head in chain.links, f"the record does not contain the head {head}")
    for wanted in signers:
        need(wanted == next(iter(chain.signers)), f"the key {wanted} did not open this case")
    chain.check_vouchers()
    signer, listed = check_list(folder, chain, unsigned)
    if chain.with_exhibits is None or unsigned:  # no entry tells of this export
        chain.with_exhibits = any(name.startswith(("exhibits/", "reports/")) for name in listed)
    foreign = check_files(folder, chain, listed, unsigned, chain.with_exhibits)
    need(not unsigned or witness is None, "--witness: nobody signed this export")
    extra = 0 if unsigned else check_head_of_export(folder, chain, heads, signer, witness)
    exhibits = os.path.join(folder, "exhibits")
    if chain.with_exhibits:
        for item, sealed in sorted(chain.seals.items()):
            need(f"exhibits/{item}.tar.zst" in listed, f"exhibits/{item}.tar.zst: missing")
            check_bundle(exhibits, item, sealed, chain.case)
        for where, detail in chain.diffs:
            for what in ("result", "baseline"):
                name = detail.get(f"{what}_file")
                if name is None:
                    continue
                need(re.fullmatch(r"reports/[a-z0-9.-]+", name), f"{where}: names {name}")
                need(name in listed and listed[name] == detail[f"{what}_sha256"],
                     f"{name}: not the one that {where} names")
    return chain, len(foreign) + extra, unsigned


# What a spoilt file can make of the libraries below; anything else is a fault of this script.
ERRORS = (Wrong, OSError, sqlite3.Error, tarfile.TarError, struct.error, ValueError,
          KeyError, TypeError)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--head", help="a head that you got another way")
    parser.add_argument("--signer", action="append", default=[], help="the fingerprint of the key that opened the case")
    parser.add_argument("--witness", help="the fingerprint of a witness that you know")
    parser.add_argument("--documents", default=os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "../.."), help="where core/casefile/SCHEMA.md lies")
    options = parser.parse_args()
    try:
        chain, foreign, unsigned = verify(options.folder, options.documents, options.head, options.signer, options.witness)
    except ERRORS as error:
        text = str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error}"
        print("FAIL: " + "".join(c if c.isprintable() else "?" for c in text))
        return 4
    print(f"{len(chain.lines)} entries, head {chain.links[-1]}")
    for found, signer in chain.signers.items():
        how = "introduced by itself" if signer.itself else "vouched for"
        print(f"signer {found} {how}" + (f", closed by entry {signer.closed}" if signer.closed else ""))
    if unsigned:
        print(f"UNSIGNED, not part of the record: {foreign}")
        return 1
    print("OK" if foreign == 0 else f"OK, not part of the record: {foreign}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
