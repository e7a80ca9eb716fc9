# SPDX-License-Identifier: Apache-2.0
"""Every change of an export is told by impound, by VERIFY.sh and by a third verifier alike.

    tamper_matrix.py IMPOUND [PATTERN]

With PATTERN, a regular expression, only the rows whose names it finds. Rows are
generated from what an export consists of: each of its files times each way to
spoil it (flipped at many places, cut, emptied, removed, added to, replaced by a
link, a folder or another file, swapped with the same file of another case,
replayed from an older export), each again with the list signed anew by the
exporter and by a fresh key; each object and each line of case.db; names that are
added. Every row goes through `impound verify`, VERIFY.sh and verify_export.py. A
row on which they disagree, or that all let pass without a reason stated here, is
printed and fails the test.

Rows called "insider" are made by somebody who holds the exporter's key and signs
the list of files anew: then only the deeper checks are left. Rows called
"stranger" sign it with a key that the record does not know. Rows called
"stripped" take every signature of the whole away and call the rest an export that
could not be recorded; no verifier may call that whole, whatever is in it.

VERIFY.sh runs as it was made, on the folder as the row left it: whoever does not
trust the folder uses a script that came to them otherwise.
"""
import base64
import collections
import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import verify_export as third  # noqa: E402

DOCUMENTS = str(pathlib.Path(__file__).resolve().parents[2])
IMPOUND = sys.argv[1]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="impound-matrix-"))
ENV = dict(os.environ, HOME=str(WORK / "home"), LC_ALL="C.UTF-8",
           XDG_CONFIG_HOME=str(WORK / "config"), IMPOUND_HOME=str(WORK / "cases"))
ENV.pop("IMPOUND_CASE", None)
KEY = WORK / "config/impound/examiner.key"
FRESH = WORK / "fresh.key"
EXPORT = WORK / "export"
OLDER = WORK / "older"        # of the same case, earlier
FOREIGN_CASE = WORK / "other"  # a case of the same name and content, by other keys
UNSIGNED_EXPORT = WORK / "unsigned"

# What a verifier can say. "refused": not called whole, one way or the other.
FOREIGN = "foreign"  # whole, and names beside it that are no part of the record
UNSIGNED = "unsigned"

FLIPPED_UNREAD = "insider case.db: a byte flipped"

# Changes that all let pass, and why that does no harm. Anything else that
# passes is a false OK.
HARMLESS = {
    "insider journal row added": "the journal proves nothing by itself (SCHEMA.md); only the list "
                                 "covered it, which the insider signed anew",
    FLIPPED_UNREAD: "the byte lies where SQLite reads nothing: every object and every row of the "
                    "spoilt case.db is as it was (dumped and compared below)",
    "insider VERIFY.sh:": "the script is the exporter's word, like the list; whoever doubts the "
                         "exporter checks with impound or with a script that came otherwise",
    "insider keys/": "whoever checks takes the keys from the entries that brought them in; these "
                     "copies are for convenience",
    "replay: the whole older export": "it is a true record of an earlier day; --head tells, and is "
                                      "tried below",
    "swap: the whole export of the other case": "it is a true record of a case that another key "
                                                "opened; --signer tells, and is tried below",
}


def dumped(path):
    """All that SQLite reads of a database: its header's numbers, objects and rows."""
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    numbers = [database.execute(f"PRAGMA {one}").fetchone() for one in (
        "user_version", "application_id", "encoding", "integrity_check")]
    objects = [numbers, list(database.iterdump())]
    database.close()
    return objects


def is_unread(folder):
    """The byte that the row flips holds nothing that SQLite reads."""
    work = WORK / "flipped"
    work.mkdir(exist_ok=True)
    shutil.copy(folder / "case.db", work)
    before = dumped(work / "case.db")
    flip("case.db")(work)
    try:
        return dumped(work / "case.db") == before
    except sqlite3.DatabaseError:
        return False


def reason(name):
    if name == FLIPPED_UNREAD and not is_unread(EXPORT):
        return None
    return next((why for known, why in HARMLESS.items() if name == known
                 or known == "insider VERIFY.sh:" and name.startswith(known)
                 or known == "insider keys/" and name.startswith(known) and name.endswith(": removed")), None)


def run(*arguments, **options):
    return subprocess.run(arguments, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **options)


def must(*arguments, env=None):
    done = subprocess.run(arguments, env=env or ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, cwd=WORK)
    if done.returncode not in (0, 1):
        sys.exit(f"{arguments}: exit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done


def make_case(env, name):
    must(IMPOUND, "examiner", "init", "--name", name, "--org", "Example Corp", "--role", "responder",
         env=env)
    must(IMPOUND, "case", "new", "IR-1", "--title", "a test case", env=env)
    must(IMPOUND, "collect", "model-files", "--deployment", "d/d.toml", env=env)
    must(IMPOUND, "diff", "d/base.json", "E001", env=env)
    must(IMPOUND, "custody", "head", env=env)


def make_export():
    """One small case: a model, its baseline, an exhibit, a comparison, two signers."""
    (WORK / "home").mkdir()
    model = WORK / "d/model"
    model.mkdir(parents=True)
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    header += b" " * (-len(header) % 8)
    weights = len(header).to_bytes(8, "little") + header
    (model / "model.safetensors").write_bytes(weights + bytes(16))
    (model / "config.json").write_text('{"model_type": "gptj"}\n')
    (WORK / "d/d.toml").write_text(
        'schema = 1\nname = "small"\n[model]\npath = "model"\nbaseline = "base.json"\n'
        '[process]\npid = %d\n[containment]\nmethod = "process"\n' % os.getpid())
    others = dict(ENV, XDG_CONFIG_HOME=str(WORK / "config2"), IMPOUND_HOME=str(WORK / "cases2"))
    must(IMPOUND, "examiner", "init", "--name", "Ada Example", "--org", "Example Corp",
         "--role", "responder", env=dict(ENV, XDG_CONFIG_HOME=str(WORK / "config0")))
    must(IMPOUND, "baseline", "create", "d/model", "--name", "small", "--out", "d/base.json",
         env=dict(ENV, XDG_CONFIG_HOME=str(WORK / "config0")))
    (model / "model.safetensors").write_bytes(weights + b"\x01" * 16)
    make_case(ENV, "Ada Example")
    make_case(others, "Ada Example")
    card = json.loads(must(IMPOUND, "examiner", "show", "--json", env=others).stdout)
    must(IMPOUND, "case", "signer", "add", str(WORK / "config2/impound/examiner.json"),
         "--fingerprint", card["fingerprint"], "--rights", "act")
    must(IMPOUND, "case", "export", "--out", str(OLDER), "--recipient", "counsel")
    must(IMPOUND, "case", "note", "seen again")
    must(IMPOUND, "case", "export", "--out", str(EXPORT), "--recipient", "counsel")
    must(IMPOUND, "case", "export", "--out", str(FOREIGN_CASE), "--recipient", "counsel", env=others)
    must(IMPOUND, "case", "export", "--out", str(UNSIGNED_EXPORT),
         env=dict(ENV, XDG_CONFIG_HOME=str(WORK / "nobody")))
    must("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(FRESH))


def files_of(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")
                  if p.is_file() and not p.is_symlink())


def write_list(folder):
    lines = []
    for name in files_of(folder):
        if name in ("export.list", "export.sig"):
            continue
        content = (folder / name).read_bytes()
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (folder / "export.list").write_text("".join(lines))


def sign(folder, key, name, out):
    signature = WORK / f"sig.{folder.name}"
    done = run("openssl", "pkeyutl", "-sign", "-inkey", str(key), "-rawin",
               "-in", str(folder / name), "-out", str(signature))
    if done.returncode != 0:
        sys.exit(f"cannot sign: {done.stderr.decode()}")
    (folder / out).write_bytes(base64.b64encode(signature.read_bytes()) + b"\n")


def sign_list(folder):
    """What an insider does: the list as the files are now, signed with the key."""
    write_list(folder)
    sign(folder, KEY, "export.list", "export.sig")


def sign_fresh(folder):
    """What somebody without a key does: the list, signed with one of their own."""
    done = run("openssl", "pkey", "-in", str(FRESH), "-pubout")
    (folder / "signer.pub.pem").write_bytes(done.stdout)
    write_list(folder)
    sign(folder, FRESH, "export.list", "export.sig")


def strip(folder):
    """Every signature of the whole taken away, and the rest called unrecorded."""
    for name in ("export.sig", "checkpoint.note", "signer.pub.pem"):
        if (folder / name).exists():
            (folder / name).unlink()
    if not (folder / "NOT-RECORDED.txt").exists():
        (folder / "NOT-RECORDED.txt").write_text("the disk was write-protected\n")
    write_list(folder)


def sql(statements):
    """In case.db, as somebody edits it who drops the triggers and puts them back."""
    def act(folder):
        database = sqlite3.connect(folder / "case.db", isolation_level=None)
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        before = database.total_changes
        database.executescript(statements)
        if statements.startswith(("UPDATE", "DELETE", "INSERT")) and database.total_changes == before:
            sys.exit(f"a row of the matrix that changes nothing: {statements}")
        for _, text in triggers:
            try:
                database.execute(text)
            except sqlite3.Error:
                pass  # what they stood on is gone
        database.close()
    return act


def derive(folder):
    """custody.jsonl and custody.sig made again from the database."""
    database = sqlite3.connect(folder / "case.db")
    for column, name in (("line", "custody.jsonl"), ("signature", "custody.sig")):
        rows = database.execute(f"SELECT {column} FROM custody ORDER BY seq")
        (folder / name).write_text("".join(row[0] + "\n" for row in rows))
    database.close()


def flip(name, at=None):
    def act(folder):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2 if at is None else at] ^= 1
        (folder / name).write_bytes(content)
    return act


def both(*acts):
    def act(folder):
        for one in acts:
            one(folder)
    return act


def put(name, content=b"x\n"):
    def act(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return act


def drop(name):
    return lambda folder: (folder / name).unlink()


def take(name, source):
    """The file of another folder in the place of this one."""
    return lambda folder: shutil.copyfile(source, folder / name)


def by_symlink(name):
    def act(folder):
        target = WORK / f"elsewhere.{folder.name}"
        shutil.copy(folder / name, target)
        (folder / name).unlink()
        (folder / name).symlink_to(target)
    return act


def writable(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700)


def whole(source):
    def act(folder):
        shutil.rmtree(folder)
        shutil.copytree(source, folder)
        writable(folder)
    return act


# Places in a file where a byte is flipped, and more of them in what is large.
PLACES = 11
LARGE = 2048
PLACES_IN_LARGE = 33


def places(size):
    count = PLACES_IN_LARGE if size > LARGE else PLACES
    return sorted({(size - 1) * part // (count - 1) for part in range(count)}) if size else []


def spoil(name, other):
    """Each way to spoil one file: (what, act)."""
    content = (EXPORT / name).read_bytes()
    for at in places(len(content)):
        yield f"byte {at} flipped", flip(name, at)
    for what, spoilt in (("cut in half", content[:len(content) // 2]), ("emptied", b""),
                         ("its last byte cut off", content[:-1]), ("a byte added", content + b"x"),
                         ("a line break added", content + b"\n"), ("a zero byte added", content + b"\0"),
                         ("doubled", content * 2), ("only zeros", bytes(len(content))),
                         ("a byte put in front", b"\n" + content)):
        yield what, put(name, spoilt)
    yield "removed", drop(name)
    yield "replaced by a link to its copy", by_symlink(name)
    yield "replaced by a folder", both(drop(name), lambda folder: (folder / name).mkdir())
    yield "replaced by a pipe", both(drop(name), lambda folder: os.mkfifo(folder / name))

    def exchange(folder):
        (folder / name).write_bytes((EXPORT / other).read_bytes())
        (folder / other).write_bytes(content)
    yield f"exchanged with {other}", exchange
    yield f"replaced by {other}", take(name, EXPORT / other)


def same_file(folder, name):
    """The file of another export that stands for this one; reports and keys have digests as names."""
    if (folder / name).is_file():
        return folder / name
    parent, kind = pathlib.Path(name).parent, pathlib.Path(name).name.split("-")[0]
    found = sorted((folder / parent).glob(f"{kind}-*" if "-" in name else "*.pem")) \
        if (folder / parent).is_dir() and str(parent) in ("reports", "keys") else []
    return found[0] if found else None


def file_rows():
    files = files_of(EXPORT)
    for at, name in enumerate(files):
        for what, act in spoil(name, files[(at + 1) % len(files)]):
            yield f"{name}: {what}", act, "fail"
        for label, folder in (("swapped with the other case's", FOREIGN_CASE),
                              ("replayed from the older export", OLDER)):
            source = same_file(folder, name)
            if source is None or source.read_bytes() == (EXPORT / name).read_bytes():
                continue
            yield f"{name}: {label}", take(name, source), "fail"
            if name not in ("export.list", "export.sig"):
                yield f"insider {name}: {label}", both(take(name, source), sign_list), "fail"
                yield f"stranger {name}: {label}", both(take(name, source), sign_fresh), "fail"
                yield f"stripped {name}: {label}", both(take(name, source), strip), "refused"
        if name in ("export.list", "export.sig"):
            continue
        for label, act in (("a byte flipped", flip(name)), ("emptied", put(name, b"")),
                           ("removed", drop(name))):
            yield f"insider {name}: {label}", both(act, sign_list), "fail"
            yield f"stranger {name}: {label}", both(act, sign_fresh), "fail"
            yield f"stripped {name}: {label}", both(act, strip), "refused"
    yield "stranger: nothing else is changed", sign_fresh, "fail"
    yield "stripped: nothing else is changed", strip, UNSIGNED
    yield "replay: the whole older export", whole(OLDER), "ok"
    yield "swap: the whole export of the other case", whole(FOREIGN_CASE), "ok"
    for what in ("exhibits", "keys", "reports"):
        for label, source in (("the other case", FOREIGN_CASE), ("the older export", OLDER)):
            def mix(folder, what=what, source=source):
                shutil.rmtree(folder / what)
                shutil.copytree(source / what, folder / what)
            if not (source / what).is_dir() or files_of(source / what) == files_of(EXPORT / what) and all(
                    (source / what / n).read_bytes() == (EXPORT / what / n).read_bytes()
                    for n in files_of(EXPORT / what)):
                continue
            yield f"{what}/ of {label}", mix, "fail"
            yield f"insider {what}/ of {label}", both(mix, sign_list), "fail"


def unsigned_rows():
    """An export that nobody signed is never called whole; what is wrong with it is told."""
    def on_unsigned(act):
        return both(whole(UNSIGNED_EXPORT), act)
    yield "unsigned: as it was made", on_unsigned(lambda folder: None), UNSIGNED
    for name in files_of(UNSIGNED_EXPORT):
        yield f"unsigned {name}: a byte flipped", on_unsigned(flip(name)), "fail"
        yield f"unsigned {name}: removed", on_unsigned(drop(name)), "fail"
        if name != "export.list":
            yield f"unsigned {name}: a byte flipped, listed anew", on_unsigned(
                both(flip(name), write_list)), "refused"
    for name in ("export.sig", "checkpoint.note", "signer.pub.pem"):
        yield f"unsigned, with {name} of the signed one", on_unsigned(take(name, EXPORT / name)), "fail"
    yield "unsigned: signed by a stranger", on_unsigned(sign_fresh), "fail"
    yield "NOT-RECORDED.txt: added", put("NOT-RECORDED.txt"), "fail"
    yield "NOT-RECORDED.txt: added by an insider", both(put("NOT-RECORDED.txt"), sign_list), "fail"


def added_rows():
    bundle = (EXPORT / "exhibits/E001.tar.zst").read_bytes()
    for name in ("exhibits/E005.tar.zst", "exhibits/E005.seal.json", "exhibits/REPORT.txt",
                 "exhibits/.hidden", "exhibits/E001.tar.zst.partial", "reports/finding.json",
                 "keys/" + "0" * 64 + ".pem", "case.db-wal", "case.db-journal", "case.db-shm"):
        yield f"{name}: added", put(name, bundle), "fail"
        yield f"insider {name}: added", both(put(name, bundle), sign_list), "fail"
    for name in ("exhibits", "keys", "reports"):
        yield f"a folder in {name}/: added", lambda folder, name=name: (folder / name / "x").mkdir(), "fail"
        yield f"a link in {name}/: added", lambda folder, name=name: (folder / name / "x").symlink_to(
            "/etc/hostname"), "fail"
    for name in ("REPORT.txt", ".DS_Store", "E005.tar.zst", "findings.csv", "with blank and '"):
        yield f"{name}: added", put(name), FOREIGN
    yield "insider REPORT.txt: added", both(put("REPORT.txt"), sign_list), "fail"
    yield "a folder with a file: added", put("notes/a.txt"), FOREIGN
    yield "a name with a line break: added", put("x\ncase.db"), FOREIGN
    yield "an empty folder: added", lambda folder: (folder / "more").mkdir(), FOREIGN
    yield "a cosignature nobody vouches for: added", lambda folder: open(
        folder / "checkpoint.note", "ab").write("— w.example ".encode() + base64.b64encode(
            b"\x01" * 76) + b"\n"), FOREIGN
    yield "a witness who did not sign: added", take("witness.pub.pem", EXPORT / "signer.pub.pem"), "fail"
    yield "certificates of nothing: added", put("tsa-chain.pem"), FOREIGN
    yield "a time stamp that is none: added", both(put("checkpoint.tsr"), put("tsa-chain.pem")), "fail"
    for name in ("witness.pub.pem", "checkpoint.tsr", "tsa-chain.pem"):
        yield f"{name}: added as a folder", lambda folder, name=name: (folder / name).mkdir(), "fail"
        yield f"{name}: added as a link", lambda folder, name=name: (folder / name).symlink_to(
            "signer.pub.pem"), "fail"


def database_rows():
    database = sqlite3.connect(f"file:{EXPORT}/case.db?mode=ro", uri=True)
    objects = database.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    last = database.execute("SELECT max(seq) FROM custody").fetchone()[0]
    database.close()
    changes = {}
    for kind, name in objects:
        if kind == "view":
            changes[f"the view {name} redefined"] = (
                f"DROP VIEW {name}; CREATE VIEW {name} AS SELECT 'cleared' AS verdict, 1 AS seq")
    changes["the views findings and gaps say nothing"] = (
        "DROP VIEW findings; CREATE VIEW findings AS SELECT 1 AS seq WHERE 0;"
        "DROP VIEW gaps; CREATE VIEW gaps AS SELECT 1 AS seq WHERE 0")
    changes |= {
        "a view gone": "DROP VIEW timeline",
        "a table added": "CREATE TABLE extra(a)",
        "a table with an index of its own added": "CREATE TABLE extra(a UNIQUE)",
        "a view added": "CREATE VIEW extra AS SELECT 1",
        "an index added": "CREATE INDEX extra ON heads(note)",
        "an index over an expression added": "CREATE INDEX extra ON heads(size+1)",
        "a virtual table added": "CREATE VIRTUAL TABLE extra USING fts5(a)",
        "a trigger added": "CREATE TRIGGER extra AFTER INSERT ON heads BEGIN SELECT 1; END",
        "statistics added": "ANALYZE",
        "the table custody as a view": "CREATE TABLE c AS SELECT * FROM custody; DROP TABLE custody; "
                                       "CREATE VIEW custody AS SELECT * FROM c",
        "its format is 1": "PRAGMA user_version=1",
        "its format is 9": "PRAGMA user_version=9",
        "a word changed": "UPDATE custody SET line=replace(line,'a test case','a rest case') WHERE seq=1",
        "two entries swapped": "UPDATE custody SET seq=1000 WHERE seq=3; UPDATE custody SET seq=3 "
                               "WHERE seq=4; UPDATE custody SET seq=4 WHERE seq=1000",
        "an entry called version 1": "UPDATE custody SET line='{\"v\":1,'||substr(line,8) WHERE seq=2",
        "all heads deleted": "DELETE FROM heads",
        "the first head deleted": "DELETE FROM heads WHERE size=(SELECT min(size) FROM heads)",
        "the head of the export deleted": "DELETE FROM heads WHERE size=(SELECT max(size) FROM heads)",
        "a head under another size": "UPDATE heads SET size=2 WHERE size=(SELECT min(size) FROM heads)",
        "a word of a head changed": "UPDATE heads SET note=replace(note,'Example','Exemple')",
        "a head of another size added": "INSERT INTO heads SELECT 3, note, frontier, signed_at FROM heads LIMIT 1",
        "signed_at of a head changed": "UPDATE heads SET signed_at='2020-01-01T00:00:00.000000Z'",
        "the frontier of a head changed": "UPDATE heads SET frontier='00' WHERE size=(SELECT min(size) FROM heads)",
        "journal row added": "INSERT INTO journal VALUES('R009',1,'0','{}','{}')",
    }
    for seq in range(1, last + 1):
        changes[f"entry {seq} of custody deleted"] = f"DELETE FROM custody WHERE seq={seq}"
        changes[f"entry {seq} of custody says another time"] = (
            f"UPDATE custody SET line=replace(line,'\"ts\":\"20','\"ts\":\"19') WHERE seq={seq}")
        changes[f"entry {seq} of custody has another outcome"] = (
            f"UPDATE custody SET line=replace(line,'\"outcome\":\"','\"outcome\":\"x') WHERE seq={seq}")
        changes[f"entry {seq} of custody has the signature of another"] = (
            "UPDATE custody SET signature=(SELECT signature FROM custody WHERE "
            f"seq={seq % last + 1}) WHERE seq={seq}")
    for what, statements in changes.items():
        yield f"case.db: {what}", sql(statements), "fail"
        again = both(sql(statements), derive) if "custody" in statements else sql(statements)
        yield f"insider {what}", both(again, sign_list), "fail"
    for kind, name in objects:
        if kind == "trigger":
            yield f"case.db: the trigger {name} dropped", lambda folder, name=name: sqlite3.connect(
                folder / "case.db").executescript(f"DROP TRIGGER {name}"), "fail"


def bundle_rows():
    """Inside a bundle: over all its length, ends and joints included."""
    name = "exhibits/E001.tar.zst"
    size = (EXPORT / name).stat().st_size
    for part in range(64):
        at = (size - 1) * part // 63
        yield f"insider E001: byte {at} flipped", both(flip(name, at), sign_list), "fail"
    yield "E001: compressed again", put(name, run("zstd", "-q", "-19", "-c", input=run(
        "zstd", "-q", "-dc", str(EXPORT / name)).stdout).stdout), "fail"


def rows():
    """(name, act, expected): "fail", FOREIGN, UNSIGNED, "refused" or, with a reason in HARMLESS, "ok"."""
    yield from file_rows()
    yield from unsigned_rows()
    yield from added_rows()
    yield from database_rows()
    yield from bundle_rows()


def ask_impound(folder, *options):
    done = run(IMPOUND, "--json", "verify", str(folder), "--threads", "1", *options)
    # A case file that says it is of a newer program is not judged: that is not "whole" either.
    if done.returncode == 4 or done.returncode == 3 and b"format 9" in done.stderr:
        return "fail", ""
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return "broken", f"exit {done.returncode}: {done.stderr.decode(errors='replace')}"
    if done.returncode == 1 and report["custody"]["export_signature"] == "unsigned" and not report["ok"]:
        return UNSIGNED, ""
    if done.returncode == 0 and report["ok"]:
        return (FOREIGN if report["outside"] else "ok"), ""
    return "broken", f"exit {done.returncode}"


def ask_script(folder, script, *options):
    done = run("sh", "-c", script, str(folder / "VERIFY.sh"), *options)
    last = (done.stdout.decode(errors="replace").splitlines() or [""])[-1]
    if done.returncode == 0 and last == "ALL OK":
        return "ok", last
    if done.returncode == 0 and last.startswith("THE RECORD IS OK; "):
        return FOREIGN, last
    if done.returncode == 2 and last.startswith("UNSIGNED: "):
        return UNSIGNED, last
    if done.returncode == 1 and last.startswith("FAIL: "):
        return "fail", last
    return "broken", f"exit {done.returncode}: {last} {done.stderr.decode(errors='replace')}"


def ask_third(folder, *options):
    named = dict(zip(options[::2], options[1::2]))
    try:
        _, foreign, unsigned = third.verify(str(folder), DOCUMENTS, named.get("--head"),
                                            [named["--signer"]] if "--signer" in named else ())
    except third.ERRORS as error:
        return "fail", str(error)
    if unsigned:
        return UNSIGNED, ""
    return (FOREIGN if foreign else "ok"), ""


def script_for(folder):
    """The script as it was made for this kind of export; a spoilt one is never run."""
    if (folder / "NOT-RECORDED.txt").exists() and not (folder / "export.sig").exists():
        return SCRIPTS["unsigned"]
    lines = folder / "custody.jsonl"
    of_which = next((made for made in (OLDER, FOREIGN_CASE) if lines.is_file() and
                     lines.read_bytes() == (made / "custody.jsonl").read_bytes()), EXPORT)
    return SCRIPTS[of_which.name]


def ask_all(folder, *options):
    answers = {"impound": ask_impound(folder, *options),
               "VERIFY.sh": ask_script(folder, script_for(folder), *options),
               "third": ask_third(folder, *options)}
    told = "; ".join(f"{who}: {verdict} {said}".strip() for who, (verdict, said) in answers.items())
    return {verdict for verdict, _ in answers.values()}, told


def judge(number):
    name, act, expected = ROWS[number]
    folder = WORK / f"row{number}"
    shutil.copytree(EXPORT, folder)
    writable(folder)
    act(folder)
    verdicts, told = ask_all(folder)
    shutil.rmtree(folder)
    for left in WORK.glob(f"*.row{number}"):
        left.unlink()
    problem = None
    if len(verdicts) != 1:
        problem = "they disagree"
    elif verdicts == {"ok"} and reason(name) is None:
        problem = "a false OK"
    elif verdicts == {"ok"}:
        pass
    elif expected == "refused" and verdicts <= {"fail", UNSIGNED}:
        pass
    elif verdicts != {expected}:
        problem = f"expected {expected}"
    return name, verdicts.pop() if len(verdicts) == 1 else "disagreement", problem, told


ROWS = []
SCRIPTS = {}


def prepare():
    make_export()
    for made in (EXPORT, OLDER, FOREIGN_CASE, UNSIGNED_EXPORT):
        SCRIPTS[made.name] = (made / "VERIFY.sh").read_text()
    pattern = re.compile(sys.argv[2] if len(sys.argv) == 3 else "")
    ROWS.extend(row for row in rows() if pattern.search(row[0]))


def main():
    prepare()
    wrong = 0

    def check(what, answer, expected):
        nonlocal wrong
        if answer[0] != {expected}:
            wrong += 1
            print(f"NOT OK: {what}: expected {expected}\n    {answer[1]}")

    check("untouched", ask_all(EXPORT), "ok")
    check("the older export", ask_all(OLDER), "ok")
    check("nobody's export", ask_all(UNSIGNED_EXPORT), UNSIGNED)
    head = (EXPORT / "checkpoint.note").read_text().split("chain ")[1][:64]
    opener = json.loads(must(IMPOUND, "examiner", "show", "--json").stdout)["fingerprint"]
    check("untouched, --head and --signer", ask_all(EXPORT, "--head", head, "--signer", opener), "ok")
    check("the older export, --head", ask_all(OLDER, "--head", head), "fail")
    check("the other case, --signer", ask_all(FOREIGN_CASE, "--signer", opener), "fail")
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context) as pool:
        results = list(pool.map(judge, range(len(ROWS)), chunksize=4))
    counts = collections.Counter(verdict for _, verdict, _, _ in results)
    accepted = [name for name, verdict, _, _ in results if verdict == "ok" and reason(name)]
    for name in accepted:
        print(f"accepted: {name}: {reason(name)}")
    for name, _, problem, told in results:
        if problem:
            print(f"NOT OK: {name}: {problem}\n    {told}")
    wrong += sum(1 for result in results if result[2])
    if len({name for name, _, _ in ROWS}) != len(ROWS):
        wrong += 1
        print("NOT OK: two rows have one name")
    caught = len(results) - counts["ok"] - counts["disagreement"]
    false_ok = counts["ok"] - len(accepted)
    print(f"verdicts: {dict(counts)}; {wrong} wrong")
    print(f"tamper rows: {len(results)} tried, {caught} caught, {len(accepted)} accepted as harmless "
          f"(listed), {counts['disagreement']} disagreements, {false_ok} false OK")
    if len(results) < 1000 and len(sys.argv) == 2:
        sys.exit("the matrix has fewer than 1000 rows: the export lacks files")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":  # verify_export_test.py takes its exports
    try:
        main()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
