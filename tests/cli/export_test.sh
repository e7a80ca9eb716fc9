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
