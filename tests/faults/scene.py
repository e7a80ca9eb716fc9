# SPDX-License-Identifier: Apache-2.0
"""Where one worker lives: a home, an examiner, a model that is served, and a case that is put back before each point."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time

# No command of this size takes a tenth of it, and a probe gives up after PROBE_MS.
LIMIT_S = 60
PROBE_MS = 250
CASE = "IR-1"

SERVER = """
import ctypes, http.server, mmap, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that is killed leaves no server
with open(sys.argv[2], "rb") as f:
    model = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def log_message(self, *a): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
open(sys.argv[1] + ".new", "w").write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
"""

DESCRIPTOR = """schema = 1
name = "small"
[model]
path = "model"
[[logs]]
path = "logs/*.jsonl"
timestamp = "ts"
[process]
port = {port}
[containment]
method = "process"
[[probe]]
name = "root"
url = "http://127.0.0.1:{port}/"
timeout_ms = {ms}
"""

PLAYBOOK = """--- Collects, scans, contains, and says what it did. Changes: the deployment is out of service.
local impound = require("impound")
local response = require("impound.response")

local function look(ctx)
  local scanned = response.scan_weights(ctx)
  ctx:note("The scan says " .. scanned.verdict)
end

--- By a method that is gone with its process: no control group outlives a scene.
local function contain(ctx)
  local answer = ctx:ask({ id = "contain", question = "Contain it?", default = "no", approves = "contain" })
  if answer == "yes" then
    ctx.facts.containment = ctx:contain(nil, { method = "stop" })
  end
end

local function report(ctx)
  ctx:finding({
    verdict = "confirmed",
    severity = "low",
    title = "The model was taken",
    evidence = { ctx.facts.weights },
    detail = "Nothing else is meant by it.",
  })
end

return impound.playbook({
  schema = 1,
  id = "small",
  version = "1.0.0",
  title = "Take, look, contain, report",
  owner = "tests",
  effect = "contain",
  needs = { collectors = { "model-files" }, containments = { "deployment" } },
  references = { "https://example.com" },
  params = {},
  steps = {
    { id = "take", title = "Take the model", run = response.preserve_weights },
    { id = "look", title = "Scan it", run = look },
    { id = "contain", title = "Take it out of service", effect = "contain", run = contain },
    { id = "report", title = "Report", run = report },
  },
})
"""


class Unusable(Exception):
    """The scene itself does not work: nothing can be judged in it."""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def text(self):
        return (self.out + "\n" + self.err).strip()


class Scene:
    """What the acts share. Everything lies below `folder`, which is real (no link leads to it)."""

    def __init__(self, folder, impound, library, source):
        self.folder, self.program, self.library = folder, impound, library
        self.cases, self.config, self.marks = (os.path.join(folder, n) for n in ("cases", "config", "run"))
        self.case = os.path.join(self.cases, CASE)
        self.exports = os.path.join(folder, "exports")
        self.out = os.path.join(self.exports, "out")
        self.log = os.path.join(folder, "calls")
        self.kept = os.path.join(folder, "kept")
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": os.path.join(folder, "home"),
            "XDG_CONFIG_HOME": self.config, "IMPOUND_HOME": self.cases, "IMPOUND_RUN": self.marks,
            "IMPOUND_CASE": CASE, "IMPOUND_PLAYBOOKS": os.path.join(source, "playbooks")}
        for name in (self.environment["HOME"], self.kept):
            os.makedirs(name)
        self.server = None
        self.must("examiner", "init", "--name", "Ada Example", "--org", "Example Corp", "--role", "responder")
        self.make_deployment()

    def impound(self, *arguments, fault=None):
        """Runs the program; with `fault`, a dictionary of FAULTS_… variables, with the library loaded."""
        environment = dict(self.environment)
        if fault is not None:
            environment.update(fault, LD_PRELOAD=self.library)
        try:
            done = subprocess.run([self.program, *arguments], env=environment, cwd=self.folder, timeout=LIMIT_S,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        except subprocess.TimeoutExpired as slow:
            return Result(None, "", "%r" % slow)
        return Result(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments, code=0):
        result = self.impound(*arguments)
        if result.code != code:
            raise Unusable("%s: exit %s, expected %d: %s" % (" ".join(arguments), result.code, code, result.text()))
        return result

    # ---- the model that is served

    def make_deployment(self):
        model, logs = os.path.join(self.folder, "d", "model"), os.path.join(self.folder, "d", "logs")
        os.makedirs(model)
        os.makedirs(logs)
        data = bytes((i * 7919 + (i >> 8) * 104729) % 251 for i in range(64 * 1024))
        header = json.dumps({"a.weight": {"dtype": "BF16", "shape": [128, 256], "data_offsets": [0, 65536]}}).encode()
        header += b" " * (-len(header) % 8)
        with open(os.path.join(model, "model.safetensors"), "wb") as weights:
            weights.write(struct.pack("<Q", len(header)) + header + data)
        with open(os.path.join(model, "config.json"), "w") as config:
            config.write('{"model_type": "gptj"}\n')
        with open(os.path.join(logs, "a.jsonl"), "w") as log:
            for i in range(50):
                log.write(json.dumps({"ts": "2026-11-%02dT10:00:00Z" % (1 + i % 20), "prompt": "hello %d" % i}) + "\n")
        os.makedirs(os.path.join(self.folder, "small"))
        with open(os.path.join(self.folder, "small", "playbook.lua"), "w") as playbook:
            playbook.write(PLAYBOOK)
        self.serve()

    def serve(self):
        port_file = os.path.join(self.folder, "d", "port")
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER, port_file, os.path.join(self.folder, "d", "model", "model.safetensors")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.exists(port_file):
                break
            time.sleep(0.05)
        else:
            raise Unusable("the server does not start")
        with open(port_file) as text:
            self.port = int(text.read())
        with open(os.path.join(self.folder, "d", "d.toml"), "w") as descriptor:
            descriptor.write(DESCRIPTOR.format(port=self.port, ms=PROBE_MS))

    def answers(self):
        """True if the server answers now. A thawed one may need a moment."""
        for timeout in (0.5, 2.0):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout) as link:
                    link.settimeout(timeout)
                    link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    if link.recv(1):
                        return True
            except OSError:
                pass
        return False

    def is_frozen(self):
        with open("/proc/%d/stat" % self.server.pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] in "Tt"

    def freeze(self):
        os.kill(self.server.pid, signal.SIGSTOP)
        while not self.is_frozen():
            time.sleep(0.002)

    def thaw(self):
        os.kill(self.server.pid, signal.SIGCONT)

    def end(self):
        if self.server is not None:
            self.thaw()
            self.server.kill()
            self.server.wait()

    # ---- states that are kept and put back

    def keep(self, name):
        target = os.path.join(self.kept, name)
        for part in (self.cases, self.marks, self.config):
            if os.path.isdir(part):
                shutil.copytree(part, os.path.join(target, os.path.basename(part)))

    def put_back(self, name):
        for part in (self.cases, self.marks, self.config, self.exports):
            shutil.rmtree(part, ignore_errors=True)
        os.makedirs(self.exports)
        source = os.path.join(self.kept, name)
        for part in (self.cases, self.marks, self.config):
            kept = os.path.join(source, os.path.basename(part))
            if os.path.isdir(kept):
                shutil.copytree(kept, part)

    def is_as(self, name):
        """True if every file is what it was when the state was put back."""
        source = os.path.join(self.kept, name)
        return all(tree(part) == tree(os.path.join(source, os.path.basename(part)))
                   for part in (self.cases, self.marks, self.config)) and not tree(self.exports)

    # ---- what a case holds

    def chain(self):
        """Lines of the case, parsed; none where there is no case."""
        path = os.path.join(self.case, "case.db")
        if not os.path.exists(path):
            return []
        with looked_at(path, os.path.join(self.folder, "looked-at")) as database:
            return [json.loads(line) for (line,) in database.execute("SELECT line FROM custody ORDER BY seq")]


def tree(folder):
    """Everything below: names, modes and bytes."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            if name in folders:
                found[os.path.relpath(path, folder)] = (mode, None)
                continue
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = (mode, file.read())
    return found


class looked_at:
    """Read through a copy: to look must not repair what a crash left."""

    def __init__(self, path, copy):
        self.path, self.copy = path, copy

    def __enter__(self):
        for end in ("", "-wal", "-journal"):
            if os.path.exists(self.path + end):
                shutil.copyfile(self.path + end, self.copy + end)
        self.database = sqlite3.connect(self.copy)
        return self.database

    def __exit__(self, *_):
        self.database.close()
        for end in ("", "-wal", "-shm", "-journal"):
            if os.path.exists(self.copy + end):
                os.remove(self.copy + end)


def summary(chain):
    """What a chain comes to: what must be the same whether or not something was tried twice."""
    items, sealed, findings, notes = {}, set(), [], set()
    steps, run_states, contained, closed = {}, {}, {}, False
    gaps = set()
    for line in chain:
        action, detail, item = line["action"], line["detail"], line["item"] or ""
        exhibit = item.split("/")[0]
        if action == "acquire.file" and detail.get("gap"):
            gaps.add(exhibit)
        elif action == "acquire.file":
            # Where a model came from names the scene, of which every worker has one of its own.
            is_of_scene = detail["name"].endswith("/source.json")
            what = () if is_of_scene else (line["object"]["sha256"], line["object"]["size"])
            name = re.sub("impound-faults-[^/]*/[0-9]+/", "scene/", detail["name"])
            items.setdefault(exhibit, []).append((name, *what, line["outcome"]))
        elif action == "bundle.seal":
            sealed.add(exhibit)
        elif action == "note" and detail.get("kind") == "finding":
            findings.append((detail["verdict"], detail["title"]))
        elif action == "note" and "kind" not in detail and line["outcome"] == "ok":
            notes.add(detail["text"])
        elif action == "playbook.step" and detail["phase"] == "end":
            steps[line["step"]] = detail["result"]
        elif action == "playbook.end":
            run_states[line["run"]] = detail["state"]
        elif action == "isolate.apply" and detail["phase"] == "before":
            contained[line["id"]] = "intended"
        elif action == "isolate.verify" and detail.get("intent"):
            contained[detail["intent"]] = "contained" if detail["contained"] else "not contained"
        elif action == "isolate.undo" and detail.get("phase") != "before":
            is_back = detail.get("released") or detail.get("rolled_back")
            contained[detail["intent"]] = (detail["kind"] if is_back else "still open")
        elif action == "case.close":
            closed = True
    whole = {tuple(sorted(items.get(exhibit, []))) for exhibit in sealed if exhibit not in gaps}
    return {"exhibits": whole, "findings": sorted(findings), "notes": notes, "steps": steps,
            "runs": sorted(set(run_states.values())),
            "containments": sorted(state for state in contained.values() if state != "rollback"), "closed": closed}
