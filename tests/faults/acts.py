# SPDX-License-Identifier: Apache-2.0
"""The acts that are disturbed, and what must hold afterwards.

An act is made in a case that is put back before each point. Whatever was done to it, then without a fault: `case check`
repairs, the record verifies, every sealed exhibit verifies, every file below evidence/ is one that the record names, the
act can be made again, and in the end the case holds what it holds after an undisturbed act.
"""
import hashlib
import os
import re
import shutil
import subprocess

from scene import CASE, summary

# What an error has to say of the cause, in the words of the system or of SQLite. OpenSSL has no others for a digest that
# it could not allocate.
CAUSES = re.compile(r"input/output error|i/o error|no space left|disk is full|unable to open database|"
                    r"only be opened read-only|out of memory|cannot allocate memory|OpenSSL refused EVP_MD_fetch|"
                    r"OpenSSL refused EVP_DigestInit_ex: initialization error", re.I)
SEALED = (".tar.zst", ".tar.zst.sha256", ".VERIFY.txt", ".seal.json")


class Broken(Exception):
    """What does not hold. `kind`: lost, stuck, crashed, unclear or differs."""

    def __init__(self, kind, what):
        super().__init__(what)
        self.kind = kind


def expect(holds, kind, what):
    if not holds:
        raise Broken(kind, what)


def shown(result):
    return "exit %s: %s" % (result.code, " | ".join(result.text().split("\n"))[-700:])


class Act:
    name = ""
    codes = (0, 3)  # how the disturbed command may end
    done = 0        # how it ends undisturbed
    is_frozen_before = False
    # How many points of each kind the spread takes: calls that fail, losses of power, memory that is refused.
    spread = (0, 0, 0)

    def prepare(self, scene):
        """Makes the state from which the act starts; kept under the name of the act."""
        scene.must("case", "new", CASE, "--title", "a test")

    def begin(self, scene):
        """What the folders cannot hold: the state of processes."""

    def command(self, scene):
        raise NotImplementedError

    def watched(self, scene):
        return [scene.case]

    def is_untouched(self, scene):
        """True if neither a file nor the server is other than before: what follows is then the undisturbed act."""
        return scene.is_as(self.name) and scene.is_frozen() == self.is_frozen_before

    def facts(self, scene):
        """What the act came to; the same of every act that ended well."""
        return summary(scene.chain())

    def recover(self, scene, first, reference):
        """From whatever is there to the end. `first` is the result of the disturbed command."""
        self.check(scene)
        if self.facts(scene) != reference:
            expect(first.code != self.done, "lost",
                   "it ended as if all was done, and is not: %s" % self.missing(scene, reference))
            again = scene.impound(*self.command(scene))
            expect(again.code == self.done, "stuck", "made again: " + shown(again))
        self.settle(scene, reference)

    def settle(self, scene, reference):
        self.check(scene, is_last=True)
        self.expect_same(scene, reference)

    def expect_same(self, scene, reference):
        expect(self.facts(scene) == reference, "differs", self.missing(scene, reference))

    def missing(self, scene, reference):
        found = self.facts(scene)
        return "; ".join("%s: undisturbed %.300s, here %.300s" % (key, reference[key], found[key])
                         for key in reference if reference[key] != found[key])

    def check(self, scene, is_last=False):
        """A check verifies the chain before it repairs, so the last one verifies what the first one wrote."""
        result = scene.impound("case", "check")
        expect(result.code != 4, "lost", "case check: " + shown(result))
        expect(result.code in ((0,) if is_last else (0, 1)), "stuck", "case check: " + shown(result))
        check_record(scene)
        if is_last and any(line["action"] == "bundle.seal" for line in scene.chain()):
            result = scene.impound("exhibit", "verify")
            expect(result.code == 0, "lost", "exhibit verify: " + shown(result))


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check_record(scene):
    """Nothing of the evidence is lost or changed, and nothing lies there that no entry names."""
    chain = scene.chain()
    seals = {line["item"]: line for line in chain if line["action"] == "bundle.seal"}
    sealed = set(seals)
    evidence = os.path.join(scene.case, "evidence")
    wanted = {exhibit + ending for exhibit in sealed for ending in SEALED}
    found = set(os.listdir(evidence)) - {"aside"}
    expect(not wanted - found, "lost", "not in evidence/: %s" % sorted(wanted - found))
    for exhibit, seal in seals.items():
        for ending, digest in ((".tar.zst", seal["object"]["sha256"]), (".seal.json", seal["detail"]["seal_sha256"]),
                               (".VERIFY.txt", seal["detail"]["verify_txt_sha256"])):
            expect(sha256_of(os.path.join(evidence, exhibit + ending)) == digest, "lost",
                   "%s%s is not what was sealed" % (exhibit, ending))
    locks = {name for name in found if name.endswith(".lock")}
    expect(not locks, "stuck", "nobody holds %s and it stays" % sorted(locks))
    expect(not found - wanted, "lost", "no entry names %s" % sorted(found - wanted))
    aside = os.path.join(evidence, "aside")
    said = "\n".join(str(line["detail"]) for line in chain)
    for name in os.listdir(aside) if os.path.isdir(aside) else []:
        expect(name in said, "lost", "no entry names aside/" + name)


class ExaminerInit(Act):
    name = "examiner-init"
    spread = (40, 15, 10)

    def prepare(self, scene):
        shutil.rmtree(scene.config)
        os.makedirs(scene.config)

    def watched(self, scene):
        return [scene.config]

    def command(self, scene):
        return ["examiner", "init", "--name", "Ada Example", "--org", "Example Corp", "--role", "responder"]

    def facts(self, scene):
        folder = os.path.join(scene.config, "impound")
        return {"shown": scene.impound("examiner", "show").code,
                "files": sorted(os.listdir(folder)) if os.path.isdir(folder) else []}

    def recover(self, scene, first, reference):
        if first.code != 0:
            again = scene.impound(*self.command(scene))
            # What could not even be taken back, or was not told to anybody, is whole.
            is_there = again.code == 2 and scene.impound("examiner", "show").code == 0
            expect(again.code == 0 or is_there, "stuck", "made again: " + shown(again))
        self.expect_same(scene, reference)
        signs = scene.impound("case", "new", CASE, "--title", "signed by the new key")
        expect(signs.code == 0, "stuck", "case new: " + shown(signs))
        self.check(scene, is_last=True)


class CaseNew(Act):
    name = "case-new"
    spread = (230, 40, 10)
    # SQLite leaves the last two to whoever reads next.
    files = {"case.db", "evidence", "reports", "case.db-wal", "case.db-shm"}

    def prepare(self, scene):
        os.makedirs(scene.cases, exist_ok=True)

    def watched(self, scene):
        return [scene.cases]

    def command(self, scene):
        return ["case", "new", CASE, "--title", "a test"]

    def recover(self, scene, first, reference):
        is_taken = False
        if first.code != 0:
            again = scene.impound(*self.command(scene))
            # What could not even be taken back is a whole case, and said to be one.
            is_taken = again.code == 2 and "holds a case already" in again.err
            expect(again.code == 0 or is_taken, "stuck", "made again: " + shown(again))
        self.settle(scene, reference)
        left = {name for name in set(os.listdir(scene.case)) - self.files
                if not (is_taken and name.startswith("case.db.partial"))}
        expect(not left, "differs", "left behind: %s" % sorted(left))
        note = scene.impound("case", "note", "it can be written to")
        expect(note.code == 0, "stuck", "case note: " + shown(note))


class Note(Act):
    name = "note"
    spread = (100, 12, 10)

    def prepare(self, scene):
        super().prepare(scene)
        scene.must("collect", "model-files", "--deployment", "d/d.toml")

    def command(self, scene):
        return ["case", "note", "hello"]


class Collect(Note):
    """The second exhibit of its case: the first must not suffer."""
    name = "collect"
    spread = (260, 60, 10)

    def command(self, scene):
        return ["collect", "prompt-log", "--deployment", "d/d.toml"]


class Close(Note):
    name = "close"
    spread = (130, 30, 10)

    def command(self, scene):
        return ["case", "close", "--reason", "all done"]


class Export(Note):
    name = "export"
    spread = (100, 30, 10)

    def watched(self, scene):
        return [scene.case, scene.exports]

    def command(self, scene):
        return ["case", "export", "--out", scene.out]

    def recover(self, scene, first, reference):
        self.check(scene)
        self.judge_left(scene, must_be_whole=first.code == 0)
        whole = scene.out
        if first.code != 0:
            whole = os.path.join(scene.exports, "again")
            again = scene.impound("case", "export", "--out", whole)
            expect(again.code == 0, "stuck", "made again: " + shown(again))
        verified = scene.impound("custody", "verify", "--case", whole)
        expect(verified.code == 0, "lost", "custody verify of the export: " + shown(verified))
        self.settle(scene, reference)

    def judge_left(self, scene, must_be_whole):
        """An export is whole, or nobody takes it for one: its script is written last, and what lies there without it
        does not verify. A copy of case.db alone is a case, and no export."""
        left = set(os.listdir(scene.out)) if os.path.isdir(scene.out) else set()
        if must_be_whole or "VERIFY.sh" in left:
            expect(verifies(scene.out), "lost", "VERIFY.sh does not call it whole")
        elif left - {"case.db", "case.db-journal"}:
            verified = scene.impound("custody", "verify", "--case", scene.out)
            expect(verified.code != 0, "lost", "half an export verifies: " + shown(verified))


def verifies(folder):
    checked = subprocess.run(["sh", os.path.join(folder, "VERIFY.sh")], capture_output=True, text=True,
                             errors="replace")
    return checked.returncode == 0 and "ALL OK" in checked.stdout


class Contain(Act):
    name = "contain"
    spread = (30, 0, 10)

    def watched(self, scene):
        return [scene.case, scene.marks]

    def command(self, scene):
        return ["contain", "--deployment", "d/d.toml", "-p", "method=stop"]

    def recover(self, scene, first, reference):
        self.expect_named(scene)
        self.check(scene)
        again = scene.impound(*self.command(scene))
        expect(again.code == self.done, "stuck", "made again: " + shown(again))
        expect(scene.is_frozen(), "differs", "contained, and not frozen")
        self.check(scene)
        # What an attempt left was undone first, so one is contained.
        self.expect_same(scene, reference)
        self.give_back(scene)

    def expect_named(self, scene):
        """Before anything repairs: whoever finds the service down finds out why."""
        if not scene.is_frozen():
            return
        is_named = any(line["action"].startswith("isolate.") for line in scene.chain()) or (
            os.path.isdir(scene.marks) and any(name.endswith(".hold.json") for name in os.listdir(scene.marks)))
        expect(is_named, "stuck", "frozen, and neither the record nor a mark says by whom")

    def give_back(self, scene):
        result = scene.impound("release")
        expect(result.code == 0, "stuck", "release: " + shown(result))
        expect(scene.answers(), "stuck", "released, and silent")
        self.check(scene, is_last=True)
        states = summary(scene.chain())["containments"]
        expect(set(states) <= {"release"}, "differs", "after the release: %s" % states)


class Release(Contain):
    name = "release"
    spread = (30, 0, 10)

    def prepare(self, scene):
        super().prepare(scene)
        scene.must("contain", "--deployment", "d/d.toml", "-p", "method=stop")

    is_frozen_before = True

    def begin(self, scene):
        scene.freeze()

    def command(self, scene):
        return ["release"]

    def recover(self, scene, first, reference):
        if first.code == 0:
            expect(scene.answers(), "lost", "it says that it is released, and is silent")
        self.expect_named(scene)
        self.check(scene)
        self.give_back(scene)
        self.expect_same(scene, reference)


class Run(Contain):
    name = "run"
    spread = (25, 0, 10)
    codes = (0, 1, 3)
    done = 1  # it has a finding
    answer = ("--answer", "contain=yes")

    def command(self, scene):
        return ["run", "./small", "--deployment", "d/d.toml", *self.answer]

    def recover(self, scene, first, reference):
        self.expect_named(scene)
        self.check(scene)
        again = self.go_on(scene, scene.chain())
        expect(again is None or again.code == self.done, "stuck", "gone on with: " + (shown(again) if again else ""))
        self.check(scene)
        self.expect_same(scene, reference)
        self.give_back(scene)

    def go_on(self, scene, chain):
        """As a person would: a run that ended is over, one that began is resumed, else it is begun."""
        ends = [line["detail"]["state"] for line in chain if line["action"] == "playbook.end"]
        if not any(line["action"] == "playbook.start" for line in chain):
            return scene.impound(*self.command(scene))
        if not ends or ends[-1] != "done":
            return scene.impound("resume", "R001", *self.answer)
        failed = [line["step"] for line in chain
                  if line["action"] == "playbook.step" and line["detail"].get("result") in ("failed", "incomplete")]
        return scene.impound("resume", "R001", "--retry", failed[0], *self.answer) if failed else None


class Resume(Run):
    name = "resume"
    spread = (20, 0, 10)

    def prepare(self, scene):
        super().prepare(scene)
        scene.must("run", "./small", "--deployment", "d/d.toml", code=5)

    def command(self, scene):
        return ["resume", "R001", *self.answer]


# By what a point takes.
ACTS = [ExaminerInit(), Note(), Close(), CaseNew(), Collect(), Export(), Release(), Contain(), Resume(), Run()]
