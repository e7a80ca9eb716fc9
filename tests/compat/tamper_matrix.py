# SPDX-License-Identifier: Apache-2.0
"""Every change of an export is told by VERIFY.sh and by impound alike.

    tamper_matrix.py IMPOUND

Rows are generated: each file of the export times each way to spoil it, each
object of case.db, places inside a bundle, names that are added. Every row goes
through `impound custody verify`, `impound exhibit verify` and VERIFY.sh. A row
on which they disagree, or that both let pass without a reason stated here, is
printed and fails the test.

Rows called "insider" are made by somebody who holds the exporter's key and signs
the list of files anew: then only the deeper checks are left.
"""
import base64
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

IMPOUND = sys.argv[1]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="impound-matrix-"))
ENV = dict(os.environ, HOME=str(WORK / "home"), LC_ALL="C.UTF-8",
           XDG_CONFIG_HOME=str(WORK / "config"), IMPOUND_HOME=str(WORK / "cases"))
ENV.pop("IMPOUND_CASE", None)
KEY = WORK / "config/impound/examiner.key"
EXPORT = WORK / "export"

# Changes that both let pass, and why that does no harm. Anything else that
# passes is a false OK.
HARMLESS = {
    "insider journal row added": "the journal proves nothing and is not signed (SCHEMA.md); only "
                                 "the list covered it, which the insider signed anew",
}
# Names that are added beside the record: told, not refused.
FOREIGN = "foreign"


def run(*arguments, **options):
    return subprocess.run(arguments, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **options)


def must(*arguments):
    done = run(*arguments, cwd=WORK)
    if done.returncode not in (0, 1):
        sys.exit(f"{arguments}: exit {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done


def make_export():
    """One small case: a model, its baseline, two exhibits with a redaction, one comparison."""
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
    must(IMPOUND, "examiner", "init", "--name", "Ada Example", "--org", "Example Corp",
         "--role", "responder")
    must(IMPOUND, "case", "new", "IR-1", "--title", "a test case")
    must(IMPOUND, "baseline", "create", "d/model", "--name", "small", "--out", "d/base.json")
    (model / "model.safetensors").write_bytes(weights + b"\x01" * 16)
    must(IMPOUND, "collect", "model-files", "--deployment", "d/d.toml")
    must(IMPOUND, "collect", "host", "--deployment", "d/d.toml")
    must(IMPOUND, "diff", "d/base.json", "E001")
    must(IMPOUND, "custody", "head")
    must(IMPOUND, "case", "export", "--out", str(EXPORT), "--recipient", "counsel")


def sign_list(folder):
    """What an insider does: the list as the files are now, signed with the key."""
    lines = []
    for name in sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()):
        if name in ("export.list", "export.sig"):
            continue
        lines.append(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n")
    (folder / "export.list").write_text("".join(lines))
    signature = WORK / f"sig.{folder.name}"
    done = run("openssl", "pkeyutl", "-sign", "-inkey", str(KEY), "-rawin",
               "-in", str(folder / "export.list"), "-out", str(signature))
    if done.returncode != 0:
        sys.exit(f"cannot sign as an insider: {done.stderr.decode()}")
    (folder / "export.sig").write_bytes(base64.b64encode(signature.read_bytes()) + b"\n")


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


def by_symlink(name):
    def act(folder):
        target = WORK / f"elsewhere.{folder.name}"
        shutil.copy(folder / name, target)
        (folder / name).unlink()
        (folder / name).symlink_to(target)
    return act


def spoil(name, other):
    """Each way to spoil one file."""
    def cut(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:len(content) // 2])

    def append(folder):
        with open(folder / name, "ab") as file:
            file.write(b"x")

    yield "a byte flipped", flip(name)
    yield "cut in half", cut
    yield "emptied", lambda folder: (folder / name).write_bytes(b"")
    yield "removed", lambda folder: (folder / name).unlink()
    yield f"replaced by {other}", lambda folder: shutil.copy(folder / other, folder / name)
    yield "a byte added", append


def rows():
    """(name, act, expected): expected is "fail" or FOREIGN."""
    files = sorted(str(p.relative_to(EXPORT)) for p in EXPORT.rglob("*") if p.is_file())
    for at, name in enumerate(files):
        for what, act in spoil(name, files[(at + 1) % len(files)]):
            yield f"{name}: {what}", act, "fail"
    for name in ("case.db", "custody.jsonl", "export.list", "exhibits/E001.tar.zst"):
        yield f"{name}: replaced by a link to its copy", by_symlink(name), "fail"

    # Names that were added.
    bundle = (EXPORT / "exhibits/E001.tar.zst").read_bytes()
    for name in ("exhibits/E005.tar.zst", "exhibits/E005.seal.json", "exhibits/REPORT.txt",
                 "exhibits/.hidden", "exhibits/E001.tar.zst.partial", "reports/finding.json",
                 "keys/" + "0" * 64 + ".pem", "case.db-wal", "case.db-journal"):
        yield f"{name}: added", put(name, bundle), "fail"
    for name in ("REPORT.txt", ".DS_Store", "E005.tar.zst", "findings.csv", "with blank and '"):
        yield f"{name}: added", put(name), FOREIGN
    yield "a folder with a file: added", put("notes/a.txt"), FOREIGN
    yield "a name with a line break: added", put("x\ncase.db"), FOREIGN
    yield "an empty folder: added", lambda folder: (folder / "more").mkdir(), FOREIGN
    yield "a cosignature nobody vouches for: added", lambda folder: open(
        folder / "checkpoint.note", "ab").write("— w.example ".encode() + base64.b64encode(
            b"\x01" * 76) + b"\n"), FOREIGN
    yield "a witness who did not sign: added", lambda folder: shutil.copy(
        folder / "signer.pub.pem", folder / "witness.pub.pem"), "fail"

    # case.db, by its objects.
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
        "an entry deleted": "DELETE FROM custody WHERE seq=3",
        "two entries swapped": "UPDATE custody SET seq=1000 WHERE seq=3; UPDATE custody SET seq=3 "
                               "WHERE seq=4; UPDATE custody SET seq=4 WHERE seq=1000",
        "the last entry dropped": f"DELETE FROM custody WHERE seq={last}",
        "a signature of another entry": "UPDATE custody SET signature=(SELECT signature FROM custody "
                                        "WHERE seq=2) WHERE seq=3",
        "an entry called version 1": "UPDATE custody SET line='{\"v\":1,'||substr(line,8) WHERE seq=2",
        "all heads deleted": "DELETE FROM heads",
        "the first head deleted": "DELETE FROM heads WHERE size=(SELECT min(size) FROM heads)",
        "the head of the export deleted": "DELETE FROM heads WHERE size=(SELECT max(size) FROM heads)",
        "a head under another size": "UPDATE heads SET size=2 WHERE size=(SELECT min(size) FROM heads)",
        "a word of a head changed": "UPDATE heads SET note=replace(note,'Example','Exemple')",
        "a head of another size added": "INSERT INTO heads SELECT 3, note, frontier, signed_at FROM heads LIMIT 1",
        "signed_at of a head changed": "UPDATE heads SET signed_at='2020-01-01T00:00:00.000000Z'",
        "journal row added": "INSERT INTO journal VALUES('R009',1,'0','{}','{}')",
    }
    for what, statements in changes.items():
        yield f"case.db: {what}", sql(statements), "fail"
        again = both(sql(statements), derive) if "custody" in statements else sql(statements)
        yield f"insider {what}", both(again, sign_list), "fail"
    for kind, name in objects:
        if kind == "trigger":
            yield f"case.db: the trigger {name} dropped", lambda folder, name=name: sqlite3.connect(
                folder / "case.db").executescript(f"DROP TRIGGER {name}"), "fail"

    # Inside a bundle: over all its length, ends and joints included.
    for part in range(1, 12):
        at = len(bundle) * part // 12
        yield f"E001: byte {at} flipped", flip("exhibits/E001.tar.zst", at), "fail"
    for at in (0, len(bundle) - 1):
        yield f"E001: byte {at} flipped", flip("exhibits/E001.tar.zst", at), "fail"
    yield "E001: compressed again", lambda folder: (folder / "exhibits/E001.tar.zst").write_bytes(
        run("zstd", "-q", "-19", "-c", input=run("zstd", "-q", "-dc", str(
            EXPORT / "exhibits/E001.tar.zst")).stdout).stdout), "fail"
    for name in ("E001.seal.json", "E001.VERIFY.txt", "E001.tar.zst.sha256", "E001.tar.zst"):
        yield f"insider {name}: a byte flipped", both(flip("exhibits/" + name), sign_list), "fail"
    for name in ("E001.seal.json", "E001.VERIFY.txt", "E001.tar.zst"):
        yield f"insider {name}: removed", both(
            lambda folder, name=name: (folder / "exhibits" / name).unlink(), sign_list), "fail"
    for name in sorted(p.name for p in (EXPORT / "reports").iterdir()):
        kind = name.split("-")[0]
        yield f"insider {kind} of the comparison: a byte flipped", both(
            flip("reports/" + name), sign_list), "fail"


def judge(number, name, act, expected):
    folder = WORK / f"row{number}"
    shutil.copytree(EXPORT, folder)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    act(folder)
    custody = run(IMPOUND, "--case", str(folder), "--json", "custody", "verify")
    exhibit = run(IMPOUND, "--case", str(folder), "exhibit", "verify")
    script = run("sh", str(folder / "VERIFY.sh"))
    last = (script.stdout.decode(errors="replace").splitlines() or [""])[-1]
    ours = "fail" if custody.returncode or exhibit.returncode else "ok"
    if ours == "ok" and json.loads(custody.stdout)["not_part_of_the_record"]:
        ours = FOREIGN
    theirs = "broken"
    if script.returncode == 0 and last == "ALL OK":
        theirs = "ok"
    elif script.returncode == 0 and last.startswith("THE RECORD IS OK; "):
        theirs = FOREIGN
    elif script.returncode == 1 and last.startswith("FAIL: "):
        theirs = "fail"
    elif name.startswith("VERIFY.sh: "):
        theirs = "fail"  # a spoilt script says nothing that could be trusted
    shutil.rmtree(folder)
    for left in WORK.glob(f"*.row{number}"):
        left.unlink()
    told = (f"custody verify {custody.returncode}, exhibit verify {exhibit.returncode}, "
            f"VERIFY.sh {script.returncode}: {last}")
    of_a_bundle = "E001" in name.split(":")[0] and ".tar.zst" in name and expected == "fail"
    problem = None
    if ours != theirs:
        problem = f"they disagree (impound: {ours}, VERIFY.sh: {theirs})"
    elif ours == "ok" and name not in HARMLESS:
        problem = "a false OK"
    elif ours != "ok" and ours != expected:
        problem = f"expected {expected}, found {ours}"
    elif of_a_bundle and exhibit.returncode == 0 and "insider" not in name:
        problem = "exhibit verify lets it pass"
    return name, ours, problem, told


def main():
    make_export()
    untouched = judge("untouched", "untouched", lambda folder: None, "ok")
    if untouched[1] != "ok" or untouched[2] != "a false OK":
        sys.exit(f"the export does not verify untouched: {untouched}")
    work = list(rows())
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda job: judge(*job), [(n, *row) for n, row in enumerate(work)]))
    counts = collections.Counter(result[1] for result in results)
    for name, ours, _, _ in results:
        if ours == "ok" and name in HARMLESS:
            print(f"accepted: {name}: {HARMLESS[name]}")
    bad = [result for result in results if result[2]]
    for name, _, problem, told in bad:
        print(f"NOT OK: {name}: {problem}\n    {told}")
    disagree = sum(problem.startswith("they disagree") for _, _, problem, _ in bad)
    false_ok = sum(problem == "a false OK" for _, _, problem, _ in bad)
    print(f"tamper rows: {len(results)} tried, {counts['fail']} caught, {counts[FOREIGN]} named as foreign, "
          f"{counts['ok']} accepted, {disagree} disagreements, {false_ok} false OK")
    if len(results) < 60:
        sys.exit("the matrix has fewer than 60 rows: the export lacks files")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":  # verify_export_test.py takes its rows
    try:
        main()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
