# SPDX-License-Identifier: Apache-2.0
"""Every command over hostile words; see screens_test.sh. usage: screens.py WORK"""

import base64
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import unicodedata

work = sys.argv[1]
program = os.environ["IMPOUND"]
home = os.environ["IMPOUND_HOME"]

# What a terminal would obey, and a line that would pass for one of ours.
POISON = "\x1b[2J\x1b]0;t\x07\x9b31m\u202e\u200b\x7f\r\nFORGED line\x1b[A"
# Where a name may hold any byte but '/' and NUL.
POISON_BYTES = POISON.encode() + b"\xff\xc3"
BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

failures = []
runs = 0
seen = set()
reached = 0


def run(*words, case=None, stdin=b""):
    """Runs one command; its whole output is looked at."""
    global runs, reached
    env = dict(os.environ)
    if case:
        env["IMPOUND_CASE"] = case
    command = [program, *words]
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, timeout=60)
    runs += 1
    for name, output in (("stdout", done.stdout), ("stderr", done.stderr)):
        try:
            text = output.decode()
        except UnicodeDecodeError as error:
            failures.append((words, name, "no UTF-8: %r" % output[max(0, error.start - 40):error.end + 20]))
            continue
        found = BAD.search(text)
        if found:
            failures.append((words, name, "%r" % text[max(0, found.start() - 60):found.end() + 20]))
        if any(line.startswith("FORGED") for line in text.split("\n")):
            failures.append((words, name, "a forged line: %r" % text[-300:]))
        if "FORGED" in text:
            reached += 1
    seen.add(" ".join(w for w in words if isinstance(w, str) and re.fullmatch(r"[a-z-]+", w))[:60])
    if done.returncode < 0 or done.returncode > 5:
        failures.append((words, "exit", str(done.returncode)))
    return done


# --- The commands, as the program lists them ---

def leaves(*group):
    text = subprocess.run([program, *group, "--help"], capture_output=True, text=True).stdout
    # Commands have lower-case names and a sentence, options begin with a hyphen.
    names = re.findall(r"^  ([a-z][a-z-]*)  +\S", text, re.M)
    if not names:
        return [" ".join(group)]
    return [leaf for name in names for leaf in leaves(*group, name)]


commands = leaves()
assert len(commands) > 30, commands


# --- A case file whose entries are validly signed ---

def find_key():
    for folder, _, files in os.walk(os.environ["XDG_CONFIG_HOME"]):
        for name in files:
            path = os.path.join(folder, name)
            if b"PRIVATE KEY" in open(path, "rb").read():
                return path
    raise SystemExit("no private key found")


def make_signer(path):
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        return load_pem_private_key(open(path, "rb").read(), None).sign
    except ImportError:
        def sign(message):
            with open(work + "/message", "wb") as file:
                file.write(message)
            return subprocess.run(
                ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", path, "-in", work + "/message"],
                capture_output=True, check=True).stdout
        return sign


sign = make_signer(find_key())
STRUCTURE = {"v", "case", "seq", "prev", "id", "auth"}


def poison(value, chosen, key=""):
    """`value` with POISON behind each text that stands under a chosen key."""
    if isinstance(value, dict):
        return {k: poison(v, chosen, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poison(v, chosen, key) for v in value]
    if isinstance(value, str) and key not in STRUCTURE and chosen(key):
        return value + POISON
    return value


def keys_of(value, key=""):
    if isinstance(value, dict):
        return set().union(set(), *(keys_of(v, k) for k, v in value.items()))
    if isinstance(value, list):
        return set().union(set(), *(keys_of(v, key) for v in value))
    return {key} if isinstance(value, str) and key not in STRUCTURE else set()


def hostile_case(name, chosen):
    """A copy of IR-1, poisoned, with links and signatures that are right."""
    folder = os.path.join(home, name)
    shutil.copytree(os.path.join(home, "IR-1"), folder)
    db = sqlite3.connect(folder + "/case.db")
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
    for trigger, _ in triggers:
        db.execute("DROP TRIGGER " + trigger)
    rows = db.execute("SELECT line FROM custody ORDER BY seq").fetchall()
    prev = "0" * 64
    for seq, (line,) in enumerate(rows, 1):
        entry = poison(json.loads(line), chosen)
        entry["prev"] = prev
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=seq % 2 == 0)
        line = line.replace("\x7f", "\\u007f")
        signed = (line + "\n").encode()
        prev = hashlib.sha256(signed).hexdigest()
        db.execute("UPDATE custody SET line=?, signature=? WHERE seq=?",
                   (line, base64.b64encode(sign(signed)).decode(), seq))
    db.execute("DELETE FROM heads")
    for n, call, answer in db.execute("SELECT rowid, call, answer FROM journal").fetchall():
        fresh = [json.dumps(poison(json.loads(text), chosen), ensure_ascii=False) if text else text
                 for text in (call, answer)]
        db.execute("UPDATE journal SET call=?, answer=? WHERE rowid=?", (*fresh, n))
    for _, sql in triggers:
        db.execute(sql)
    db.commit()
    db.close()
    return folder


original = sqlite3.connect(os.path.join(home, "IR-1", "case.db"))
lines = [json.loads(line) for (line,) in original.execute("SELECT line FROM custody ORDER BY seq")]
original.close()
keys = set().union(*(keys_of(line) for line in lines))
assert {"name", "title", "outcome", "path", "reason"} <= keys, sorted(keys)

READING = [
    ("case", "list"), ("case", "show"), ("case", "signer", "list"), ("status",), ("exhibit", "list"), ("exhibit", "show", "E001"),
    ("custody", "log"), ("custody", "verify"), ("custody", "gaps"), ("custody", "prove", "3"),
]
ACTING = [
    ("case", "check", "--dry-run"), ("case", "note", "x"), ("exhibit", "verify"),
    ("exhibit", "extract", "E001", "--out", work + "/out-{}"), ("exhibit", "cat", "E001/1"),
    ("custody", "head"), ("resume", "R001"), ("resume", "R001", "--yes"), ("approve", "R001", "--step", "ask"),
    ("deny", "R001"), ("answer", "R001", "who", "me" + POISON), ("abort", "R001"), ("release",),
    ("release", "--run", "R001"), ("contain", "process", "--deployment", "d/d.toml"),
    ("collect", "model-files", "--deployment", "d/d.toml"), ("run", "./look", "--deployment", "d/d.toml"),
    ("scan", "E001"), ("diff", "E001", "d/model"), ("baseline", "create", "E001", "--name", "x", "-o", work + "/b-{}.json"),
    ("baseline", "verify", "d/base.json", "E001"),
    ("case", "export", "--out", work + "/export-{}"), ("case", "close", "--reason", "done"),
    ("case", "new", "IR-1", "--title", "again"),
]

shown = 0
for number, key in enumerate([None, *sorted(keys)]):
    name = "H%d" % number
    folder = hostile_case(name, (lambda k: True) if key is None else (lambda k, key=key: k == key))
    before = reached
    for words in READING:
        run(*words, case=name)
        if key is None or key in ("name", "title", "outcome"):
            run(*words, "--json", case=name)
    if reached > before:
        shown += 1
    if key is None or key in ("title", "reason", "path", "name", "state", "text"):
        for words in ACTING:
            words = [word.format(number) for word in words]
            run(*words, case=name)
            run(*words, "--json", case=name)
    shutil.rmtree(folder)
# The poison must have come to the screen, else nothing was tried.
assert shown > 8, shown

# --- A playbook ---

source = open("look/playbook.lua").read()
lua_poison = "".join("\\u{%x}" % ord(c) for c in POISON)
texts = re.findall(r'"[^"\n]*"', source)
variants = {"syntax": source + "\n\x1b[2J = (\n", "raise": source + '\nerror("%s")\n' % lua_poison,
            "raw": source.replace("A look", POISON.replace("\n", "\\n").replace("\r", "\\r")),
            "bytes": source.replace("A look", "\\xff\\xc3\\x9b")}
for number, text in enumerate(dict.fromkeys(texts)):
    variants["text%d" % number] = source.replace(text, text[:-1] + lua_poison + '"')
for name, text in variants.items():
    os.makedirs("pb-" + name)
    open("pb-%s/playbook.lua" % name, "w").write(text)
    open("pb-%s/test.lua" % name, "w").write('error("%s")\n' % lua_poison)
    for words in (("show",), ("plan", "--deployment", "d/d.toml"), ("doc",), ("check",), ("test",)):
        run("playbook", words[0], "./pb-" + name, *words[1:])
        run("playbook", words[0], "./pb-" + name, *words[1:], "--json")
    run("run", "./pb-" + name, "--deployment", "d/d.toml", case="IR-1")
odd = b"pb" + POISON_BYTES
os.makedirs(odd)
shutil.copy(b"look/playbook.lua", odd)
for words in ("show", "doc", "check", "test", "plan"):
    run("playbook", words, b"./" + odd)
os.environ["IMPOUND_PLAYBOOKS"] = work
run("playbook", "list")
run("playbook", "list", "--json")
run("playbook", "new", "x" + POISON, "--in", work)
run("playbook", "new", "fresh", "--in", work + "/" + POISON)

# --- A descriptor, a baseline, a model ---

toml_poison = "".join("\\u%04x" % ord(c) for c in POISON)
descriptor = open("d/d.toml").read()
for number, text in enumerate(dict.fromkeys(re.findall(r'"[^"\n]*"', descriptor))):
    path = "d/t%d.toml" % number
    open(path, "w").write(descriptor.replace(text, text[:-1] + toml_poison + '"'))
    for words in (("deployment", "check", path), ("collect", "model-files", "--deployment", path),
                  ("collect", "prompt-log", "--deployment", path), ("contain", "process", "--deployment", path),
                  ("playbook", "plan", "weights-tampering", "--deployment", path),
                  ("release", "--deployment", path), ("run", "./look", "--deployment", path)):
        run(*words, case="IR-1")
open("d/raw.toml", "wb").write(descriptor.encode().replace(b"small", POISON_BYTES))
run("deployment", "check", "d/raw.toml")

baseline = json.load(open("d/base.json"))
for number, key in enumerate([None, *sorted(keys_of(baseline))]):
    path = "d/b%d.json" % number
    json.dump(poison(baseline, lambda k: key is None or k == key), open(path, "w"))
    for words in (("baseline", "show", path), ("baseline", "verify", path, "d/model"), ("diff", path, "d/model")):
        run(*words, case="IR-1")
run("baseline", "list", "d")
run("baseline", "list", case="IR-1")

os.makedirs(b"m/" + POISON_BYTES)
os.makedirs("m2")
model = open("d/model/model.safetensors", "rb").read()
size = int.from_bytes(model[:8], "little")
header = json.loads(model[8:8 + size])
header = {name + POISON: tensor for name, tensor in header.items()} | {"__metadata__": {"k" + POISON: POISON}}
text = json.dumps(header).encode()
open(b"m/model" + POISON_BYTES + b".safetensors", "wb").write(len(text).to_bytes(8, "little") + text + model[8 + size:])
open("m2/model.safetensors", "wb").write(len(text).to_bytes(8, "little") + text + model[8 + size:-1] + b"x")
for folder in (b"m", b"m/" + POISON_BYTES, b"m2"):
    settings = {"model_type": "x" + POISON, "auto_map": {"AutoModel": "code" + POISON + "--x.Y"}, "a" + POISON: POISON}
    json.dump(settings, open(folder + b"/config.json", "w"))
    json.dump({"chat_template": "{{ '%s' }} {%% if %s %%}" % (POISON, POISON)}, open(folder + b"/tokenizer_config.json", "w"))
    open(folder + b"/code" + POISON_BYTES + b".py", "wb").write(b"import os\nos.system('" + POISON_BYTES + b"')\n")
    open(folder + b"/x" + POISON_BYTES + b".pkl", "wb").write(b"cos\nsystem\x1b[2J\n(S'\\x1b[2J\x1b[2J'\ntR.")
name = ("k" + POISON).encode()
gguf = (b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
        + len(name).to_bytes(8, "little") + name + (8).to_bytes(4, "little") + len(name).to_bytes(8, "little") + name)
open(b"m/g" + POISON_BYTES + b".gguf", "wb").write(gguf)
for words in (("scan", "m"), ("scan", "m2"), ("scan", b"m/" + POISON_BYTES), ("diff", "m", "m2"), ("diff", "d/model", "m"),
              ("diff", "m2", "d/model"), ("baseline", "create", "m", "--name", "x", "-o", "mb.json"),
              ("baseline", "show", "mb.json"), ("baseline", "verify", "mb.json", "m2"), ("gguf-hash", b"m/g" + POISON_BYTES + b".gguf"),
              ("gguf-hash", "--metadata", "-c", b"m/x" + POISON_BYTES + b".pkl", b"m/g" + POISON_BYTES + b".gguf"),
              ("signature", "digest", "m"), ("signature", "sign", "m", "-o", "m.sig"), ("signature", "show", "m.sig"),
              ("signature", "verify", "m"), ("signature", "verify", "m", "--signature", "m.sig"),
              ("signature", "show", b"m/x" + POISON_BYTES + b".pkl")):
    run(*words, case="IR-1")
    run(*words, "--json", case="IR-1")

# --- The command line itself, of every command there is ---

for leaf in commands:
    words = leaf.split()
    run(*words, "--help")
    for odd in (POISON, POISON_BYTES, b"/" + POISON_BYTES, "--" + POISON):
        run(*words, odd, case="IR-1")
        run(*words, odd, odd, case="IR-1")
        run(*words, odd, "--json", case="IR-1")
        run(*words, "--case", odd)
        run(*words, "--key", odd)
        run(*words, "--deployment", odd, case="IR-1")
run(POISON)
run("examiner", "show")
run("examiner", "init", "--name", "Ada" + POISON, "--org", "x" + POISON, "--role", POISON, "--key", work + "/k" + POISON)
for folder, _, files in os.walk(os.environ["XDG_CONFIG_HOME"]):
    for name in files:
        path = os.path.join(folder, name)
        text = open(path, "rb").read()
        if b"Ada" in text:
            open(path, "wb").write(text.replace(b"Ada", b"Ada" + toml_poison.encode()))
run("examiner", "show")
run("examiner", "show", "--json")
os.makedirs(os.path.join(home.encode(), b"IR" + POISON_BYTES))
open(os.path.join(home.encode(), b"IR" + POISON_BYTES, b"case.db"), "wb").write(b"no database")
run("case", "list")
run("case", "show")

tried = {leaf for leaf in commands if any(s == leaf or s.startswith(leaf + " ") for s in seen)}
for missing in sorted(set(commands) - tried):
    failures.append((missing, "", "is tried by no line of screens.py"))
print("screens: %d commands, %d runs, %d showed hostile words, %d failures"
      % (len(commands), runs, reached, len(failures)))
for words, where, what in failures[:25]:
    print("FAILED:", where, what[-260:], "of", ascii(words)[:160])
sys.exit(1 if failures else 0)
