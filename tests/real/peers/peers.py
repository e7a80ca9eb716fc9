#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs impound, and each peer that is installed, over folders of samples.

usage: peers.py IMPOUND [--expect FILE] FOLDER…   (README.md tells how)

Downloads nothing: FOLDER is the corpus of a peer (picklescan's test data,
modelscan's, fickling's) or any other folder of samples that lies here already.
Prints a table file x scanner. With --expect, each line of FILE is

    VERDICT  PATH            attack | honest | one of impound's verdicts

PATH below one of the folders; `attack` wants needs-review or malicious,
`honest` anything but malicious. Exit 1: an expectation is not met, or a peer
raises an alarm about a file that impound passes. A peer that is not installed
is "not tried"; a file that a peer did not report on is "-".
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

ALARMS = ("needs-review", "malicious")
SECONDS = 120


def ours(program, folder):
    done = subprocess.run([program, "scan", "--json", folder],
                          capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"impound scan {folder}: {done.stderr.strip()}")
    return {file["path"]: file["verdict"] for file in json.loads(done.stdout)["files"]}


def output_of(command):
    """Exit code and output of a peer; none where it takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def picklescan(path):
    code, _ = output_of(["picklescan", "--path", path])
    return {0: "clean", 1: "alarm", 2: "error"}.get(code, "-")


def modelscan(path):
    code, _ = output_of(["modelscan", "-p", path])
    return {0: "clean", 1: "alarm", 2: "error", 3: "-"}.get(code, "-")


def fickling(path):
    code, text = output_of(["fickling", "--check-safety", path])
    if code is None:
        return "-"
    if "LIKELY_SAFE" in text or "Failed to detect" in text:
        return "clean"
    return "alarm" if code == 1 and "Traceback" not in text else "-"


PEERS = {"picklescan": picklescan, "modelscan": modelscan, "fickling": fickling}


def expectations(name):
    wanted = {}
    with open(name, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = line.split(None, 1)
            if len(parts) != 2:
                sys.exit(f"{name}:{number}: wanted 'VERDICT PATH', found '{line}'")
            wanted[parts[1]] = parts[0]
    return wanted


def is_met(wanted, verdict):
    if wanted == "attack":
        return verdict in ALARMS
    if wanted == "honest":
        return verdict != "malicious"
    return wanted == verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("impound")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--expect")
    options = parser.parse_args()
    peers = {name: run for name, run in PEERS.items() if shutil.which(name)}
    for name in PEERS:
        if name not in peers:
            print(f"{name}: not tried, it is not installed here")
    wanted = expectations(options.expect) if options.expect else {}
    seen = set()
    passed = unmet = total = 0
    counts = {}
    print("\t".join(["file", "impound", *peers, "expected"]))
    for folder in options.folders:
        if not os.path.isdir(folder):
            print(f"{folder}: not tried, it is not there")
            continue
        for path, verdict in sorted(ours(options.impound, folder).items()):
            total += 1
            counts[verdict] = counts.get(verdict, 0) + 1
            row = {name: run(os.path.join(folder, path)) for name, run in peers.items()}
            expected = wanted.get(path, "")
            seen.add(path)
            notes = []
            if expected and not is_met(expected, verdict):
                unmet += 1
                notes.append("NOT MET")
            if "alarm" in row.values() and verdict not in ALARMS and expected != "honest":
                passed += 1
                notes.append("A PEER SEES MORE")
            print("\t".join([path, verdict, *row.values(), expected or "-", *notes]))
    for path in sorted(set(wanted) - seen):
        unmet += 1
        print(f"{path}\tnot there\texpected {wanted[path]}\tNOT MET")
    print(f"{total} files: " + ", ".join(f"{n} {v}" for v, n in sorted(counts.items())))
    print(f"{unmet} expectations not met, {passed} files that a peer sees and impound passes")
    return 1 if unmet or passed else 0


sys.exit(main())
