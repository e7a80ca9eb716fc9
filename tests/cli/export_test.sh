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

# What a disclosure needs is looked at before it is recorded.
before=$(entries)
mv "$IMPOUND_HOME/IR-1/evidence/E001.tar.zst" hidden
code 3 impound case export --out out6
says "E001.tar.zst"
equal "$(entries)" "$before"
mv hidden "$IMPOUND_HOME/IR-1/evidence/E001.tar.zst"
# An export that fails after that is withdrawn in the chain.
mkdir out7 && touch out7/x
code 2 impound case export --out out7
equal "$(entries)" "$before"
mkdir small
if mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
  clean_up() { umount "$work/small" 2>/dev/null; }
  code 3 impound case export --out small/out --without-exhibits
  equal "$(field export.disclose '$.outcome')" failed
  code 3 impound case export --out small/more
  says "the disk has"
  umount small
else
  echo "skipped: an export to a full disk: no right to mount one here"
fi

# A signed export is an export even if its files are gone but for its folders.
mkdir stripped && cp -r out1/case.db out1/exhibits stripped/
code 4 impound --case stripped/ custody verify
code 2 impound --case stripped/ case note "one more"

# Exhibits that were put into an export made without any.
cp -r out2 planted && chmod -R u+w planted && cp -r out1/exhibits planted/
code 4 impound --case planted/ exhibit verify
says "made without exhibits"

# A seal that is a link is none of this export.
cp -r out1 linked && chmod -R u+w linked
mv linked/exhibits/E001.seal.json elsewhere.json
ln -s "$work/elsewhere.json" linked/exhibits/E001.seal.json
code 4 impound --case linked/ exhibit verify
says "symlink"

# What lies there and is no part of the record is counted in the verdict.
cp -r out1 beside && echo x >beside/REPORT.txt
code 0 impound --case beside/ custody verify
says "; 1 file here is not part of the record"

# A time stamp by the certificates beside it: VERIFY.sh and impound say the same.
cp -r out1 stamped && chmod -R u+w stamped
cat >tsa.cnf <<'CNF'
[tsa]
default_tsa = one
[one]
serial = serial
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
signer_digest = sha256
ess_cert_id_alg = sha256
CNF
echo 01 >serial
openssl req -x509 -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.pem -days 2 -subj /CN=tsa.example \
  -addext 'extendedKeyUsage=critical,timeStamping' 2>/dev/null || fail "no certificate for a time stamp"
sed '/^$/,$d' stamped/checkpoint.note >body
openssl ts -query -data body -sha256 -cert -out query 2>/dev/null
openssl ts -reply -config tsa.cnf -queryfile query -signer tsa.pem -inkey tsa.key -out stamped/checkpoint.tsr 2>/dev/null \
  || fail "no time stamp"
both() { # CODE WHAT: VERIFY.sh and impound end alike
  code "$1" sh stamped/VERIFY.sh
  if [ "$1" = 0 ]; then code 0 impound --case stamped/ custody verify; else code 4 impound --case stamped/ custody verify; fi
}
both 1  # its certificates are missing
cp tsa.pem stamped/tsa-chain.pem
both 0
says "a time stamp says that the head existed at"
printf '\0' >>stamped/checkpoint.tsr
both 1  # a byte behind it
openssl ts -query -data tsa.cnf -sha256 -cert -out query 2>/dev/null
openssl ts -reply -config tsa.cnf -queryfile query -signer tsa.pem -inkey tsa.key -out stamped/checkpoint.tsr 2>/dev/null
both 1  # of other text

# Nothing that is done to an export reaches the sealed original.
sealed=$IMPOUND_HOME/IR-1/evidence/E001.tar.zst
chmod 0400 "$sealed"
digest=$(sha256sum <"$sealed")
code 0 impound case export --out apart
equal "$(stat -c %a apart/exhibits/E001.tar.zst)" 400
[ "$(stat -c %d:%i apart/exhibits/E001.tar.zst)" != "$(stat -c %d:%i "$sealed")" ] || fail "the export shares the file"
chmod 0666 apart/exhibits/*
printf x | dd of=apart/exhibits/E001.tar.zst conv=notrunc 2>/dev/null
equal "$(sha256sum <"$sealed")" "$digest"
equal "$(stat -c %a "$sealed")" 400
code 1 sh apart/VERIFY.sh
code 0 impound case export --out linked2 --link
equal "$(stat -c %d:%i linked2/exhibits/E001.tar.zst)" "$(stat -c %d:%i "$sealed")"
code 0 impound case export --help
says "does so to the evidence"
