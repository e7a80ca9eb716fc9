#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what a page of docs/ tells its reader to run, and compares what the page says comes out.

usage: run_blocks.py PAGE PROGRAM TREE

Of a page these blocks are taken, in order, in one new folder:

    ```sh run          commands that must end well; run=3: with that exit code
    ```text output     what the block before printed: every line in this order, `…` for anything
    ```lua file=PATH   a file, written as it stands
    ```cpp compile     a source of the tree: it must compile
    <!-- run           commands that a reader does not see: the scene
    -->

Any other block is not touched.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$|^<!-- run\n(?P<hidden>.*?)^-->$",
                   re.MULTILINE | re.DOTALL)

# Variables and folder live on from block to block, as they would in the reader's shell.
WRAPPED = """[ ! -f "$STATE" ] || . "$STATE"
trap '{ declare -p $(compgen -v | grep "^[a-z]") 2>/dev/null; printf "cd %q\\n" "$PWD"; } >"$STATE"' EXIT
set -eo pipefail
"""


def blocks(page):
    """(line, kind, argument, text) of each block that is meant for this program."""
    for match in BLOCK.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        if match["hidden"] is not None:
            yield line, "run", 0, match["hidden"]
            continue
        words = match["info"].split()
        for word in words[1:]:
            name, _, value = word.partition("=")
            if name == "run":
                yield line, "run", int(value or 0), match["body"]
            elif name == "file":
                yield line, "file", value, match["body"]
            elif name in ("output", "compile"):
                yield line, name, None, match["body"]


def missing_line(expected, printed):
    """The first line of `expected` that `printed` has not, in its order; None if it has all."""
    rest = iter(printed.splitlines())
    for line in expected.splitlines():
        line = line.rstrip()
        if not line or line == "…":
            continue
        # Blanks are columns of a table: as many as the widest cell asks for.
        pattern = ".*".join(map(re.escape, re.sub(r"\s+", " ", line).split("…")))
        if not any(re.fullmatch(pattern, re.sub(r"\s+", " ", found.rstrip())) for found in rest):
            return line
    return None


def main(page_path, program, tree):
    with open(page_path, encoding="utf-8") as file:
        page = file.read()
    work = tempfile.mkdtemp(prefix="impound-docs-")
    folder = os.path.join(work, "here")
    os.makedirs(os.path.join(work, "bin"))
    os.makedirs(folder)
    os.symlink(os.path.abspath(program), os.path.join(work, "bin/impound"))
    environment = {
        "PATH": os.path.join(work, "bin") + ":" + os.environ["PATH"],
        "HOME": os.path.join(work, "home"),
        "IMPOUND_RUN": os.path.join(work, "run"),
        "IMPOUND_PLAYBOOKS": os.path.join(os.path.abspath(tree), "playbooks"),
        "TREE": os.path.abspath(tree),
        "STATE": os.path.join(work, "state"),
        "LC_ALL": "C.UTF-8",
    }
    os.makedirs(environment["HOME"])
    printed, count = "", 0
    try:
        for line, kind, argument, text in blocks(page):
            where = f"{page_path}:{line}"
            if kind == "file":
                path = os.path.join(folder, argument)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            elif kind == "compile":
                count += 1
                done = subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra",
                                       "-Werror", "-I", tree, "-x", "c++", "-"],
                                      input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if done.returncode != 0:
                    sys.exit(f"{where}: does not compile\n{done.stdout.decode()}")
            elif kind == "output":
                lacking = missing_line(text, printed)
                if lacking is not None:
                    sys.exit(f"{where}: the commands before do not print\n  {lacking}\nbut\n{printed}")
            else:
                count += 1
                done = subprocess.run(["bash", "-c", WRAPPED + text], cwd=folder, env=environment, timeout=300,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                printed = done.stdout.decode("utf-8", "replace")
                if done.returncode != argument:
                    sys.exit(f"{where}: exit code {done.returncode}, the page says {argument}\n{text}\n{printed}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if count == 0:
        sys.exit(f"{page_path}: has no block that is run")
    print(f"{page_path}: {count} blocks ran as the page says")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
