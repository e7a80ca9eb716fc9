#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An export verifies untouched, and VERIFY.sh names every change of the
# tamper matrix: stranger_test.sh <export_case_main>. All ways to spoil a file:
# tamper_matrix.py.
set -u
here=$(cd "$(dirname "$0")" && pwd)
LC_ALL=C
export LC_ALL
maker=$1
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
failures=0

broken() {
  printf 'NOT OK: %s\n' "$*"
  failures=$((failures + 1))
}

"$maker" "$top/made" || { echo "cannot make the export"; exit 1; }

# fresh: a copy that may be spoilt, in $copy.
fresh() {
  copy=$top/copy
  rm -rf "$copy"
  cp -R "$top/made/export" "$copy"
  chmod -R u+w "$copy"
}

# passes WHAT FOLDER [ARGUMENT]
passes() {
  (cd / && sh "$2/VERIFY.sh" ${3+"$3"}) >"$top/out" 2>&1
  status=$?
  if [ "$status" = 0 ] && [ "$(tail -n 1 "$top/out")" = "ALL OK" ]; then
    echo "ok: $1"
  else
    broken "$1: exit $status, last line: $(tail -n 1 "$top/out")"
  fi
}

# refused WHAT PATTERN: VERIFY.sh of $copy must fail, its last line must match.
refused() {
  (cd / && sh "$copy/VERIFY.sh") >"$top/out" 2>&1
  status=$?
  last=$(tail -n 1 "$top/out")
  if [ "$status" != 1 ]; then
    broken "$1: exit $status instead of 1: $last"
  elif ! printf '%s\n' "$last" | grep -q "^FAIL: .*$2"; then
    broken "$1: last line \"$last\" does not speak of \"$2\""
  else
    echo "ok: $1 -> $last"
  fi
}

# In the database as an attacker edits it, who drops the triggers and puts them
# back.
database() { sqlite3 -batch -init /dev/null "$copy/case.db"; }
sql() {
  echo "SELECT sql || ';' FROM sqlite_master WHERE type='trigger'" | database >"$top/triggers"
  echo "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_master WHERE type='trigger'" \
    | database >"$top/drop"
  { cat "$top/drop"; echo "$1;"; cat "$top/triggers"; } | database || broken "sqlite3: $1"
}
# flip FILE OFFSET: that byte becomes another one, whatever it was.
flip() {
  byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
  printf "\\$(printf %o $((byte ^ 1)))" \
    | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null || broken "cannot flip a byte of $1"
}
# says WHAT PATTERN: the last run printed it.
says() {
  if grep -q -- "$2" "$top/out"; then echo "ok: $1"; else broken "$1: $(cat "$top/out")"; fi
}
# custody.jsonl and custody.sig made again from the database that was edited.
derive() {
  for column in line signature; do
    sqlite3 -batch -init /dev/null "$copy/case.db" \
      "SELECT $column FROM custody ORDER BY seq" >"$copy/$column"
  done
  mv "$copy/line" "$copy/custody.jsonl"
  mv "$copy/signature" "$copy/custody.sig"
}

passes "untouched" "$top/made/export"
says "the findings are printed from the lines" '^   F001 likely, high: One line ALL OK (entry'
says "the gaps are printed, harmless to a terminal" '^   E001 missing: /absent ?.31m: not there (entry'
says "an acquisition without a seal is told with the exhibits" '^   E003 was begun by entry [0-9]* and never sealed: failed'
[ "$(grep -c '^   E003 was begun' "$top/out")" = 2 ] || broken "an acquisition without a seal is no gap"
says "who signed is not proved" 'and whose that is nobody certified'
says "the clock is not proved" "of [0-9]* entries, [0-9]* were stamped by a clock"
says "no anchor is not hidden" 'no outside anchor is here'
[ "$(grep -n 'NOT prove' "$top/out" | cut -d : -f 1)" -gt "$(grep -n '^10\. ' "$top/out" | cut -d : -f 1)" ] \
  || broken "what is not proved does not stand in front of the last line"
passes "untouched, every signature" "$top/made/export" --all
passes "without exhibits" "$top/made/bare"
grep -q 'NOT CHECKED' "$top/out" || broken "exhibits left out are not mentioned"

fresh
sed '15s/a word/a  word/' "$copy/custody.jsonl" >"$copy/x" && mv "$copy/x" "$copy/custody.jsonl"
refused "a word in custody.jsonl" "do not hold the same record.*line 15"

fresh
sql "UPDATE custody SET line=replace(line,'a word','a lie') WHERE seq=15"
refused "a word in case.db" "do not hold the same record.*line 15"
derive
refused "a word in both" "breaks at entry 16"

fresh
sql "DELETE FROM custody WHERE seq=10"
derive
refused "an entry deleted" "breaks at entry 10"

fresh
sql "UPDATE custody SET seq=1000 WHERE seq=10; UPDATE custody SET seq=10 WHERE seq=11; UPDATE custody SET seq=11 WHERE seq=1000"
derive
refused "two entries swapped" "breaks at entry 10"

fresh
size=$(wc -c <"$copy/custody.jsonl")
head -c $((size - 40)) "$copy/custody.jsonl" >"$copy/x" && mv "$copy/x" "$copy/custody.jsonl"
refused "cut inside the last line" "torn"

fresh
sql "DELETE FROM custody WHERE seq=(SELECT max(seq) FROM custody)"
derive
refused "the last entry dropped" "checkpoint.note covers"

# The last entry is bound by nothing but its signature and the head.
fresh
sql "UPDATE custody SET line=replace(line,'a word','a lie') WHERE seq=(SELECT max(seq) FROM custody WHERE line LIKE '%a word%')"
derive
refused "the newest note edited" "FAIL\|breaks\|signature\|names the head"

fresh
sed '5{s/^A/B/;t
s/^./A/;}' "$copy/custody.sig" >"$copy/x" && mv "$copy/x" "$copy/custody.sig"
refused "a signature in custody.sig" "do not hold the same signatures.*line 5"
fresh
sql "UPDATE custody SET signature=(SELECT signature FROM custody WHERE seq=4) WHERE seq=5"
derive
refused "a signature of another entry" "entry 5: the signature does not fit"

fresh
sed '2s/.*/7/' "$copy/checkpoint.note" >"$copy/x" && mv "$copy/x" "$copy/checkpoint.note"
refused "the size in the note" "checkpoint.note: the signature"

fresh
openssl genpkey -algorithm ed25519 -out "$top/key.pem" 2>/dev/null
openssl pkey -in "$top/key.pem" -pubout -out "$copy/signer.pub.pem"
refused "another signer" "signature does not fit"
sed '/^$/,$d' "$copy/checkpoint.note" >"$top/body"
openssl pkeyutl -sign -inkey "$top/key.pem" -rawin -in "$top/body" -out "$top/sig"
{ cat "$top/body"; echo; printf '— %s %s\n' "$(head -n 1 "$top/body")" \
  "$( (printf 'abcd'; cat "$top/sig") | base64 -w 0)"; } >"$copy/checkpoint.note"
refused "a head signed with a stranger's key" "checkpoint.note: the signature does not fit"
# The same, with the key id of that key: then the record has the last word.
key_id=$({ printf '%s\n\001' "$(head -n 1 "$top/body")"
  openssl pkey -pubin -in "$copy/signer.pub.pem" -outform DER | tail -c 32; } | sha256sum | cut -c1-8)
{ cat "$top/body"; echo; printf '— %s %s\n' "$(head -n 1 "$top/body")" \
  "$( (printf '%s' "$key_id" | tr a-f A-F | basenc --base16 -d; cat "$top/sig") | base64 -w 0)"; } >"$copy/checkpoint.note"
refused "a head signed with a stranger's key and its id" "does not introduce"

fresh
size=$(wc -c <"$copy/exhibits/E001.tar.zst")
flip "$copy/exhibits/E001.tar.zst" $((size / 2))
refused "a byte of the bundle" "E001.tar.zst: its SHA-256"

fresh
head -c $((size / 2)) "$top/made/export/exhibits/E002.tar.zst" >"$copy/exhibits/E002.tar.zst"
refused "the bundle cut" "E002.tar.zst: its SHA-256"

fresh
mv "$copy/exhibits/E002.tar.zst" "$copy/exhibits/E001.tar.zst"
refused "another bundle" "E001.tar.zst: its SHA-256"

fresh
rm "$copy/exhibits/E002.tar.zst"
refused "a bundle missing" "E002.tar.zst is missing"

fresh
head -c 4096 "$top/made/export/case.db" >"$copy/case.db"
refused "a cut case.db" "case.db"

fresh
rm "$copy/custody.sig"
refused "a file missing" "custody.sig is missing"

# What the views and tables of case.db are: its schema, and its heads.
fresh
sql "DROP VIEW findings; CREATE VIEW findings AS SELECT 1 AS seq, 'cleared' AS verdict"
refused "a redefined view" "view findings is not one that impound makes"
fresh
sql "CREATE VIRTUAL TABLE extra USING fts5(a)"
refused "a virtual table" "case.db: the table extra.* is not one that impound makes"
fresh
sql "DELETE FROM heads WHERE size=(SELECT min(size) FROM heads)"
refused "a deleted head" "the head of [0-9]* entries that it names is not in case.db"
fresh
sql "UPDATE heads SET note=replace(note,'Example','Exemple') WHERE size=(SELECT max(size) FROM heads)"
refused "another head of the export" "the head of this export, checkpoint.note, is not in it"

# Every file is listed, or said to be no part of the record.
fresh
flip "$copy/exhibits/E001.seal.json" 100
refused "a byte of seal.json" "E001.seal.json is not the one that the record sealed"
fresh
flip "$copy/exhibits/E001.VERIFY.txt" 100
refused "a byte of VERIFY.txt" "E001.VERIFY.txt is not the one that the record sealed"
fresh
cp "$copy/exhibits/E001.tar.zst" "$copy/exhibits/E005.tar.zst"
refused "an exhibit that was added" "E005.tar.zst is not in export.list: it was added"
fresh
echo x >"$copy/case.db-wal"
refused "unfinished changes of case.db" "case.db-wal: it would change what case.db says"
fresh
echo "nothing was found" >"$copy/REPORT.txt"
(cd / && sh "$copy/VERIFY.sh") >"$top/out" 2>&1 || broken "a foreign file: exit $?"
says "a foreign file is named" '   not part of the record: REPORT.txt'
case "$(tail -n 1 "$top/out")" in
  "THE RECORD IS OK; not part of it, and not checked: 1 (named in step 9)") ;;
  *) broken "a foreign file: last line: $(tail -n 1 "$top/out")" ;;
esac

# Names that would read as two lines.
fresh
echo x >"$copy/a
case.db"
(cd / && sh "$copy/VERIFY.sh") >"$top/out" 2>&1 || broken "a name with a line break: exit $?"
says "a name with a line break is named" 'not part of the record: a?case.db'
says "and counted" '^THE RECORD IS OK; not part of it, and not checked: 1 '
fresh
echo x >"$copy/exhibits/E001
.tar.zst"
refused "a name with a line break in exhibits/" "exhibits/E001?.tar.zst is not in export.list"

# What others add is a file or nothing.
for name in witness.pub.pem checkpoint.tsr tsa-chain.pem; do
  fresh
  mkdir "$copy/$name"
  refused "a folder called $name" "$name is no file"
  fresh
  ln -s signer.pub.pem "$copy/$name"
  refused "a link called $name" "$name is no file"
done

# Base64 has one spelling.
fresh
sql "UPDATE custody SET signature=signature||' ' WHERE seq=4"
derive
refused "a blank behind a signature of an entry" "entry 4: its signature is not 64 bytes in base64"
fresh
sed 's/$/ /' "$copy/export.sig" >"$copy/x" && mv "$copy/x" "$copy/export.sig"
refused "a blank behind the signature of the list" "export.sig is not 64 bytes"

# Step 5: another key's signature, by hand as a witness does it.
fingerprint() { openssl pkey -pubin -in "$1" -outform DER | tail -c 32 | sha256sum | cut -c1-64; }
# cosign TIME, as 16 hexadecimal digits: adds a line of $top/key.pem.
cosign() {
  sed '/^$/,$d' "$copy/checkpoint.note" >"$top/body"
  { printf 'cosignature/v1\ntime %s\n' "$(printf '%u' "0x$1")"; cat "$top/body"; } >"$top/cosigned"
  openssl pkeyutl -sign -inkey "$top/key.pem" -rawin -in "$top/cosigned" -out "$top/sig"
  printf '— witness.example %s\n' "$( (printf 'abcd'
    printf '%s' "$1" | tr a-f A-F | basenc --base16 -d; cat "$top/sig") | base64 -w 0)" \
    >>"$copy/checkpoint.note"
}
now=$(printf '%016x' "$(($(date +%s) + 60))")
witnessed() { # by the key of $top/key.pem
  fresh
  openssl pkey -in "$top/key.pem" -pubout -out "$copy/witness.pub.pem"
  cosign "$1"
}
fresh
openssl pkey -in "$top/key.pem" -pubout -out "$copy/witness.pub.pem"
refused "a witness who did not sign" "no cosignature"
witnessed "$now"
passes "a key that nobody named signed" "$copy"
says "it is called another key" 'another key signed, [0-9a-f]\{64\}, and states the time [0-9-]*T[0-9:]*Z'
says "and is no anchor" 'no outside anchor is here'
finger=$(fingerprint "$copy/witness.pub.pem")
(cd / && sh "$copy/VERIFY.sh" --witness "$finger") >"$top/out" 2>&1 || broken "--witness: exit $?"
says "a witness that somebody named is an anchor" "the witness that you named, key $finger"
grep -q 'no outside anchor' "$top/out" && broken "a named witness is no anchor"
(cd / && sh "$copy/VERIFY.sh" --witness "$(printf '%064d' 0)") >"$top/out" 2>&1 && broken "another witness than was named passes"
says "another witness than was named" 'FAIL: witness.pub.pem: its key is'
(cd / && sh "$top/made/export/VERIFY.sh" --witness "$finger") >"$top/out" 2>&1 && broken "no witness where one was named"
says "no witness where one was named" 'FAIL: witness.pub.pem is missing'
cosign "$now"
(cd / && sh "$copy/VERIFY.sh") >"$top/out" 2>&1 || broken "a second further signature: exit $?"
says "a second further signature is named" 'not part of the record: 1 further signatures in checkpoint.note'
witnessed "0000000000000001"
refused "a cosignature older than the record" "before the record began"
witnessed "ffffffffffffffff"
refused "a time that no clock has" "the time of the cosignature is no time"
witnessed "$now"
sed '$s/$/ /' "$copy/checkpoint.note" >"$copy/x" && mv "$copy/x" "$copy/checkpoint.note"
refused "a blank behind a cosignature" "other lines behind its signature"
witnessed "$now"
cp "$copy/signer.pub.pem" "$copy/witness.pub.pem"
refused "a signer as the witness" "signs entries of this record"
witnessed "$now"
sed -i '2s/.*/7/' "$copy/checkpoint.note"
refused "a witness of another head" "signature"

# Bundles that were sealed dishonestly: the digest fits, the content does not.
# seal_foreign: seals what lies in $bag, as a bundle; the export is $copy.
digest() { sha256sum <"$1" | cut -c1-64; }
new_bag() {
  bag=$top/bag
  rm -rf "$bag"
  mkdir -p "$bag/data"
  echo a >"$bag/data/a"
  printf 'BagIt-Version: 1.0\n' >"$bag/bagit.txt"
  printf '%s  data/a\n' "$(digest "$bag/data/a")" >"$bag/manifest-sha256.txt"
}
seal_foreign() {
  (cd "$bag" && for file in bagit.txt manifest-sha256.txt; do
    printf '%s  %s\n' "$(digest "$file")" "$file"
  done) >"$top/tags"
  mv "$top/tags" "$bag/tagmanifest-sha256.txt"
  (cd "$bag" && tar --format=pax -cf - .) | zstd -q >"$top/foreign.tar.zst"
  rm -rf "$top/foreign"
  "$maker" "$top/foreign" 1 "$top/foreign.tar.zst" \
    "$(digest "$bag/manifest-sha256.txt")" \
    "$(digest "$bag/tagmanifest-sha256.txt")" || broken "cannot seal a bundle"
  rm -f "$top/foreign.tar.zst"
  copy=$top/foreign/export
}
new_bag
seal_foreign
passes "a bundle made by hand" "$copy"
new_bag
echo b >"$bag/data/b"
seal_foreign
refused "a member that no manifest lists" "E003.*differ: found .*data/b"
new_bag
printf '%s  data/b\n' "$(digest "$bag/data/a")" >>"$bag/manifest-sha256.txt"
seal_foreign
refused "a listed member that is absent" "E003.*differ: listed .*data/b"
new_bag
echo x >"$bag/data/a"
seal_foreign
refused "a member with other content" "E003.*differ: "
# One member whose name, printed, reads like two lines of the manifest.
new_bag
forged="data/a
$(echo c | sha256sum | cut -c1-64)  data"
mkdir -p "$bag/$forged"
mv "$bag/data/a" "$bag/$forged/c"
printf '%s  data/c\n' "$(echo c | sha256sum | cut -c1-64)" >>"$bag/manifest-sha256.txt"
seal_foreign
refused "a name that forges a second line" "E003.*differ: "

# A tool that is not there.
mkdir "$top/bin"
for tool in sh dirname openssl split sha256sum base64 sed awk sort cmp paste tail \
  head cut tr wc find xargs mktemp comm uniq od rm mkdir cat diff grep date tar tee zstd; do
  ln -s "$(command -v "$tool")" "$top/bin/$tool"
done
fresh
PATH=$top/bin sh "$copy/VERIFY.sh" >"$top/out" 2>&1
[ "$(tail -n 1 "$top/out")" = "FAIL: the tool sqlite3 is missing here" ] \
  || broken "a missing tool: $(tail -n 1 "$top/out")"

# A case of format 1, as it was made then: exported now, it verifies.
mkdir -p "$top/old/evidence"
cp "$here"/format1/E001.* "$top/old/evidence"
sqlite3 -batch -init /dev/null "$top/old/case.db" <"$here/format1/case.sql" \
  || broken "the old case cannot be made"
"$maker" "$top/old-export" old "$top/old" || broken "the old case cannot be exported"
passes "a case of format 1" "$top/old-export" --all
grep -q '"schema.upgrade"' "$top/old-export/custody.jsonl" || broken "no entry tells of the upgrade"
copy=$top/old-export
says "keys that introduced themselves are told" 'Bob Second", .*introduced by itself in entry'
says "and that nobody asked for more" 'asks nobody to vouch for a key'
sql "UPDATE custody SET line=replace(line,'\"outcome\":\"missing\"','\"outcome\":\"skipped\"') WHERE seq=6"
derive
refused "a word of version 2 in a line of version 1" "entry 6: a line of version 1 with a word"

# A long record: every signature, not a sample.
"$maker" "$top/long" 250 || broken "cannot make the long export"
passes "a long record" "$top/long/export"
says "every signature of a long record is checked" '   all 26[0-9] entries'
passes "a long record, every signature" "$top/long/bare" --all

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
