#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole outputs, to be reviewed: tests/golden/<command>/<case>.in is a script, <case>.out what it prints.

usage: run.py PROGRAM TREE [--update] [COMMAND/CASE …]

A script begins with a comment that says what is shown, makes its scene, and runs impound. What goes to
standard output is compared, with the exit code; times, the folder of the scene, and keys are replaced
by words. --update writes the outputs anew: look at the difference before you commit it.
"""

import difflib
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

REPLACED = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"\bkey [0-9a-f]{64}"), "key KEY"),
    (re.compile(r"(?m)^(  path )\S*(?=/(?:scene|playbooks)/)"), r"\1"),
]


def produced(script, program, tree):
    work = tempfile.mkdtemp(prefix="impound-golden-")
    try:
        here = os.path.join(work, "scene")
        os.makedirs(here)
        os.makedirs(os.path.join(work, "bin"))
        os.symlink(program, os.path.join(work, "bin/impound"))
        environment = {"PATH": f"{work}/bin:{os.environ['PATH']}", "HOME": work, "LC_ALL": "C.UTF-8",
                       "IMPOUND_RUN": f"{work}/run", "IMPOUND_PLAYBOOKS": f"{tree}/playbooks",
                       "PYTHONPATH": f"{tree}/tests/golden", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(["bash", "-e", script], cwd=here, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        out = done.stdout.decode("utf-8", "replace").replace(os.path.realpath(work), "").replace(work, "")
        for pattern, word in REPLACED:
            out = pattern.sub(word, out)
        return out + f"exit code {done.returncode}\n", done.stderr.decode("utf-8", "replace")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main(arguments):
    update = "--update" in arguments
    arguments = [one for one in arguments if one != "--update"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    program, tree = os.path.abspath(arguments[0]), os.path.abspath(arguments[1])
    root = os.path.join(tree, "tests/golden")
    names = arguments[2:] or sorted(os.path.relpath(path, root)[:-3] for path in glob.glob(f"{root}/*/*.in"))
    if not names:
        sys.exit(f"{root}: there is no pair")
    known = {path for name in names for path in (f"{root}/{name}.in", f"{root}/{name}.out")}
    failed = [f"{path}: has no script" for path in sorted(glob.glob(f"{root}/*/*.out"))
              if path not in known and not arguments[2:]]
    for name in names:
        out, err = produced(f"{root}/{name}.in", program, tree)
        path = f"{root}/{name}.out"
        if update:
            with open(path, "w", encoding="utf-8") as file:
                file.write(out)
            continue
        expected = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        if out != expected:
            failed.append("".join(difflib.unified_diff(expected.splitlines(True), out.splitlines(True),
                                                       f"{name}.out", "what it prints now")) + err)
    for one in failed:
        print(one)
    print(f"{len(names)} pairs, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
