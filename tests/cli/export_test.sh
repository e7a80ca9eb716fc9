# SPDX-License-Identifier: Apache-2.0
# An export is checked by a stranger, with stock tools, and refuses every change.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
printf 'odd' >"d/model/$(printf 'new\nline')"
printf 'latin' >"d/model/$(printf 'caf\351')"
code 0 impound collect model-files prompt-log --deployment d/d.toml
code 0 impound case note "for the record"
code 0 impound case export --out out1 --recipient counsel
for f in VERIFY.sh case.db custody.jsonl custody.sig checkpoint.note; do [ -s "out1/$f" ] || fail "no $f"; done
code 0 sh out1/VERIFY.sh
equal "$(tail -n 1 "$work/out")" "ALL OK"
(cd / && sh "$work/out1/VERIFY.sh" >/dev/null) || fail "VERIFY.sh depends on where it is started"

try() { # NAME; the change was made in copy/
  sh copy/VERIFY.sh >"$work/out" 2>"$work/err" && fail "$1 was not noticed"
  grep -q "ALL OK" "$work/out" && fail "$1: said ALL OK"
  echo "$1: $(tail -n 1 "$work/out")"
}
fresh() { rm -rf copy; cp -r out1 copy; chmod -R u+w copy; }
fresh; sed -i 's/for the record/for the recorD/' copy/custody.jsonl; try "an edited word"
fresh; sed -i 3d copy/custody.jsonl; try "a deleted entry"
fresh; sed -i '$d' copy/custody.jsonl; try "a dropped last entry"
fresh
sqlite3 copy/case.db "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type='trigger'" >drop.sql
sqlite3 copy/case.db <drop.sql
sqlite3 copy/case.db "UPDATE custody SET line=replace(line,'for the record','for the recorD')"; try "an edited row"
fresh; sed -i '2s/.*/1/' copy/checkpoint.note; try "a changed note"
fresh; python3 - <<'PY'
import glob
p = glob.glob("copy/**/E001.tar.zst", recursive=True)[0]
b = bytearray(open(p, "rb").read()); b[len(b) // 2] ^= 1; open(p, "wb").write(b)
PY
try "a flipped byte"
fresh; f=$(find copy -name E001.tar.zst); truncate -s -5000 "$f"; try "a cut bundle"

code 0 impound case export --out out2 --without-exhibits
code 0 sh out2/VERIFY.sh
equal "$(tail -n 1 "$work/out")" "ALL OK"
grep -qi "without" "$work/out" || fail "does not say that exhibits are missing"
code 2 impound case export --out out1

# Redactions are counted from what the exhibits hold, with the basis.
python3 -c 'import time; time.sleep(300)' --api-key=0123456789abcdef &
children+=("$!")
sleep 0.3
impound collect host --deployment d/d.toml >/dev/null 2>&1
impound --json exhibit show E002 >ex.json || fail "E002 cannot be shown"
number=$(python3 -c 'import json; print([i["item"] for i in json.load(open("ex.json"))["item_list"] if i["name"] == "host/redaction.json"][0])')
impound exhibit cat "E002/$number" >redaction.json || fail "E002/$number cannot be read"
replaced=$(python3 -c 'import json; print(len(json.load(open("redaction.json"))["replaced"]))')
[ "$replaced" -ge 1 ] || fail "nothing was redacted: the test proves nothing"
code 0 impound exhibit show E002
says "secrets replaced: $replaced; looked into: 0 environment variables, "
says "; not looked into: environments of processes (not taken), the kernel's command line"
code 0 impound case export --out out3
disclosure() { grep '"export.disclose"' "$1/custody.jsonl" | tail -n 1 >"$work/out"; }
disclosure out3
json "d['detail']['redactions']['count'] == $replaced"
json "d['detail']['redactions']['items'] == [{'item': 'E002/$number', 'count': $replaced}]"
json "'redaction.json' in d['detail']['redactions']['basis']"

# A comparison is kept in full, with its baseline, and goes with the export.
code 0 impound baseline create d/model --name small --out base.json
impound diff base.json E001 >/dev/null 2>&1
code 0 impound --json custody log
python3 - "$work/out" <<'PY' || fail "the comparison was not kept"
import hashlib, json, os, sys
entry = [e for e in json.load(open(sys.argv[1])) if e["action"] == "baseline.diff"][-1]["detail"]
case = os.environ["IMPOUND_HOME"] + "/IR-1/"
for what in ("result", "baseline"):
    kept = open(case + entry[what + "_file"], "rb").read()
    assert hashlib.sha256(kept).hexdigest() == entry[what + "_sha256"], what
assert open("base.json", "rb").read() == open(case + entry["baseline_file"], "rb").read()
assert "tensors" in json.load(open(case + entry["result_file"]))
PY
code 0 impound case export --out out4
code 0 sh out4/VERIFY.sh
equal "$(tail -n 1 "$work/out")" "ALL OK"
says "1 with their full results and their baselines"
result=$(ls out4/reports/diff-*)
echo x >>"$result"
code 1 sh out4/VERIFY.sh
says "is not the one that entry"
code 4 impound --case out4/ custody verify

# An export is checked by impound as well, and never written to.
code 0 impound --case out3/ custody verify
code 0 impound --case out3/ exhibit verify
says "This is an export"
code 2 impound --case out3/ case note "one more"
code 0 sh out3/VERIFY.sh
equal "$(tail -n 1 "$work/out")" "ALL OK"
echo x >out3/exhibits/E009.tar.zst
code 4 impound --case out3/ exhibit verify
code 0 impound --case out2/ exhibit verify
says "NOT CHECKED"

# What cannot be counted is unknown, not none.
truncate -s 0 "$IMPOUND_HOME/IR-1/evidence/E002.tar.zst"
code 0 impound case export --out out5
disclosure out5
json "d['detail']['redactions']['count'] is None"
json "d['detail']['redactions']['unknown'][0]['item'] == 'E002'"
