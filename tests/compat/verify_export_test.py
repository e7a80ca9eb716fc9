# SPDX-License-Identifier: Apache-2.0
"""The third verifier reads what it was written for: exports of all kinds and ages.

    verify_export_test.py IMPOUND EXPORT_CASE_MAIN SIGNER_ATTACKS_MAIN

verify_export.py is written from the documents. Here it is run as a stranger runs
it; the rows of tamper_matrix.py go through it there, beside the two others.
"""
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import tamper_matrix as matrix

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE / "verify_export.py"
MAKER, ATTACKS = sys.argv[2:4]


def run(folder, *arguments):
    done = subprocess.run(["/usr/bin/python3", str(SCRIPT), str(folder), *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    last = (done.stdout.decode(errors="replace").splitlines() or [""])[-1]
    if done.returncode == 0 and last == "OK":
        return "ok", last
    if done.returncode == 0 and last.startswith("OK, not part of the record: "):
        return matrix.FOREIGN, last
    if done.returncode == 1 and last.startswith("UNSIGNED, "):
        return matrix.UNSIGNED, last
    if done.returncode == 4 and last.startswith("FAIL: "):
        return "fail", last
    return "broken", done.stdout.decode(errors="replace")


def main():
    matrix.make_export()
    failures = 0

    def check(what, found, wanted):
        nonlocal failures
        if found[0] != wanted:
            failures += 1
            print(f"NOT OK: {what}: {found[0]} instead of {wanted}: {found[1]}")

    spoilt = matrix.WORK / "spoilt"
    shutil.copytree(matrix.EXPORT, spoilt)
    matrix.flip("custody.jsonl")(spoilt)
    check("untouched", run(matrix.EXPORT), "ok")
    head = subprocess.run(["/usr/bin/python3", str(SCRIPT), str(matrix.EXPORT)],
                          stdout=subprocess.PIPE, check=False).stdout.decode().split("head ")[1].split()[0]
    check("its head", run(matrix.EXPORT, "--head", head), "ok")
    check("another head", run(matrix.EXPORT, "--head", "0" * 64), "fail")
    check("another signer", run(matrix.EXPORT, "--signer", "0" * 64), "fail")
    check("nobody's export", run(matrix.UNSIGNED_EXPORT), matrix.UNSIGNED)
    check("a spoilt one", run(spoilt), "fail")
    # Names that a careless check trips over, two signers, no exhibits, a case of format 1.
    made = matrix.WORK / "made"
    subprocess.run([MAKER, str(made)], check=True, stdout=subprocess.DEVNULL)
    check("awkward names", run(made / "export"), "ok")
    check("without exhibits", run(made / "bare"), "ok")
    old = matrix.WORK / "old"
    shutil.copytree(HERE / "format1", old / "evidence", ignore=shutil.ignore_patterns("case.sql"))
    database = sqlite3.connect(old / "case.db")
    database.executescript((HERE / "format1/case.sql").read_text())
    database.close()
    subprocess.run([MAKER, str(matrix.WORK / "old-export"), "old", str(old)], check=True,
                   stdout=subprocess.DEVNULL)
    check("a case of format 1", run(matrix.WORK / "old-export"), "ok")
    # Records that are validly signed and say a wrong thing of their signers.
    attacks = matrix.WORK / "attacks"
    attacks.mkdir()
    subprocess.run([ATTACKS, str(attacks)], check=True, stdout=subprocess.DEVNULL)
    forged = [line.split("\t") for line in (attacks / "list").read_text().splitlines()]
    for number, _, name in forged:
        check(name, run(attacks / number / "export"), "ok" if number == "0" else "fail")
    opener = (attacks / "0/fingerprint").read_text().strip()
    check("the key that opened the case", run(attacks / "0/export", "--signer", opener), "ok")
    if len(forged) < 20:
        failures += 1
        print("NOT OK: hardly any forged record was made")
    print(f"{len(forged)} records of signers; {failures} wrong")
    shutil.rmtree(matrix.WORK, ignore_errors=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
