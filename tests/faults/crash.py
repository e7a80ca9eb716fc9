# SPDX-License-Identifier: Apache-2.0
"""What a loss of power may leave: legal states of the disk between the calls of an act.

The recorder writes down each call with its bytes in the order in which they were made. Up to some call, what was made
durable is kept: the bytes of a file up to its last fsync, the names in a folder up to the folder's. What came later may
be there or not: each file loses all, none or some of its later writes, also half of one; the folders their later names,
in their order (a file system journals them). An fsync of a file does not keep its name, as POSIX has it, although most
file systems do.

The shared memory of SQLite (-shm) is left out: it is made anew after a crash.
"""
import hashlib
import os
import random
import shutil

import acts
from scene import Result, Unusable

# Acts whose processes change nothing but files: what a server does is not on the disk.
ACTS = {"examiner-init", "case-new", "note", "collect", "close", "export"}
# Ways to lose: what is kept of later names, what of later bytes.
WAYS = [("none", "none"), ("all", "none"), ("all", "all"), ("none", "all"), ("half", "all"), ("all", "some"),
        ("all", "torn"), ("half", "some")]
GONE = "gone"


class File:
    """An inode: its durable bytes, and the changes since."""

    def __init__(self, content=b""):
        self.base = content
        self.later = []  # (operation, offset, bytes)

    def apply(self, changes):
        content = bytearray(self.base)
        for operation, offset, data in changes:
            content.extend(b"\0" * (offset - len(content)))
            if operation == "truncate":
                del content[offset:]
            else:
                content[offset:offset + len(data)] = data
        return bytes(content)

    def sync(self):
        self.base, self.later = self.apply(self.later), []

    def after(self, way, chance):
        later = self.later
        if way == "none":
            later = []
        elif way == "some":
            later = [change for change in later if chance.random() < 0.5]
        elif way == "torn" and later:
            operation, offset, data = later[-1]
            later = later[:-1] + ([(operation, offset, data[:len(data) // 2])] if operation == "write" else [])
        return self.apply(later)


class Disk:
    """What the kernel was told, and what of it is durable."""

    def __init__(self, roots):
        self.names = {}   # path to File, None for a folder: as programs see it
        self.roots = set(roots)
        self.later = []   # (folder, names) not durable yet; names are [(path, File, None or GONE)]
        for root in roots:
            for folder, _, files in os.walk(root):
                self.names[folder] = None
                for name in files:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as content:
                        self.names[path] = File(content.read())
        self.durable = dict(self.names)

    def change(self, folder, names):
        apply_names(self.names, names)
        self.later.append((folder, names))

    def do(self, operation, path, other, offset, data):
        folder = os.path.dirname(path)
        if operation == "create":
            self.change(folder, [(path, File())])
        elif operation == "mkdir":
            self.change(folder, [(path, None)])
        elif operation in ("unlink", "rmdir"):
            self.change(folder, [(path, GONE)])
        elif operation == "rename":
            # Durable with its new folder, for whose fsync the program asks.
            self.change(os.path.dirname(other), [(path, GONE), (other, self.names[path])])
        elif operation == "link":
            # From outside of what is watched as well: those bytes are durable.
            if other not in self.names:
                with open(other, "rb") as content:
                    self.change(folder, [(path, File(content.read()))])
            else:
                self.change(folder, [(path, self.names[other])])
        elif operation == "cut":
            self.names[path].later.append(("truncate", 0, b""))
        elif operation in ("write", "truncate"):
            self.names[path].later.append((operation, offset, data))
        elif operation == "sync" and self.names.get(path) is None:
            for where, names in self.later:
                if where == path:
                    apply_names(self.durable, names)
            self.later = [(where, names) for where, names in self.later if where != path]
        elif operation == "sync":
            self.names[path].sync()
        elif operation != "open":
            raise Unusable("the recorder has %s of %s, which a replay does not know" % (operation, path))

    def after(self, names, content, chance):
        """What a machine that starts again finds: path to bytes, None for a folder."""
        found = dict(self.durable)
        keep = {"none": 0, "half": (len(self.later) + 1) // 2, "all": len(self.later)}[names]
        for _, changes in self.later[:keep]:
            apply_names(found, changes)
        state = {path: None if file is None else file.after(content, chance)
                 for path, file in found.items() if not path.endswith("-shm")}
        # A folder whose name was lost takes what is in it along.
        return {path: content for path, content in state.items() if self.has_way(path, state)}

    def has_way(self, path, state):
        while path not in self.roots:
            path = os.path.dirname(path)
            if path not in state or state[path] is not None:
                return False
        return True


def apply_names(names, changes):
    for path, file in changes:
        if file == GONE:
            names.pop(path, None)
        else:
            names[path] = file


def read_record(path):
    with open(path, "rb") as record:
        while head := record.readline():
            operation, name, other, offset, size = head.decode().rstrip("\n").split("\t")
            yield operation, name, other, int(offset), record.read(int(size))


class State:
    """One disk. Paths are below the scene: a worker has its own."""

    def __init__(self, act, number, way, files, is_end, watched, scene):
        self.act, self.number, self.way, self.files = act, number, way, files
        self.is_end, self.watched, self.recorded = is_end, watched, scene.folder
        self.kept = os.path.join(scene.kept, act.name)

    def __str__(self):
        return "%s, power lost after call %d (later names: %s, later bytes: %s)" % (
            self.act.name, self.number, self.way[0], self.way[1])

    def write(self, scene):
        for root in self.watched:
            shutil.rmtree(os.path.join(scene.folder, root), ignore_errors=True)
        config = os.path.relpath(scene.config, scene.folder)
        if config not in self.watched:
            self.take_examiner(scene, os.path.join(self.kept, config))
        for path in sorted(self.files):
            target, content = os.path.join(scene.folder, path), self.files[path]
            if content is None:
                os.makedirs(target, exist_ok=True)
                continue
            if path.endswith("examiner.json"):
                # Names its key by its whole path, which is that of the recorded scene.
                content = content.replace(self.recorded.encode(), scene.folder.encode())
            with open(target, "wb") as file:
                file.write(content)
            os.chmod(target, 0o700 if target.endswith(".sh") else 0o600)

    def take_examiner(self, scene, source):
        """The key that signed what was recorded: another one would be nobody's there."""
        shutil.rmtree(scene.config)
        shutil.copytree(source, scene.config)
        profile = os.path.join(scene.config, "impound", "examiner.json")
        with open(profile) as file:
            text = file.read()
        with open(profile, "w") as file:
            file.write(text.replace(self.recorded, scene.folder))


def states_of(worker, act):
    """Each state once, however many ways lead to it."""
    scene = worker.scene
    worker.reference(act)
    worker.start(act)
    record = os.path.join(scene.folder, "record")
    if os.path.exists(record):
        os.remove(record)
    watched = act.watched(scene)
    disk = Disk(watched)
    result = scene.impound(*act.command(scene), fault=worker.fault(act, FAULTS_RECORD=record))
    if result.code != act.done:
        raise Unusable("%s could not be recorded: %s" % (act.name, acts.shown(result)))
    relative = [os.path.relpath(path, scene.folder) for path in watched]
    calls = list(read_record(record))
    chance, seen, states = random.Random(act.name), set(), []
    for number in range(len(calls) + 1):
        if number > 0:
            disk.do(*calls[number - 1])
        for way in WAYS:
            files = {os.path.relpath(path, scene.folder): content
                     for path, content in disk.after(*way, chance).items()}
            digest = hashlib.sha256()
            for path in sorted(files):
                content = files[path]
                digest.update(b"%s\0%d\0" % (path.encode(), -1 if content is None else len(content)))
                digest.update(content or b"")
            is_end = number == len(calls)
            if (digest.digest(), is_end) in seen:
                continue
            seen.add((digest.digest(), is_end))
            states.append(State(act, number, way, files, is_end, relative, scene))
    chance.shuffle(states)
    return states


def walk(worker, state):
    """None, or what is broken. A process that lost its power told nobody that it was done, but at the very end."""
    act, scene = state.act, worker.scene
    reference, _ = worker.reference(act)
    worker.start(act)
    state.write(scene)
    try:
        act.recover(scene, Result(act.done if state.is_end else None, "", ""), reference)
        return None
    except acts.Broken as broken:
        return broken
