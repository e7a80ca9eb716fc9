# SPDX-License-Identifier: Apache-2.0
# A case on write-protected media is read without a key: checked, shown, copied
# from, scanned, compared and exported; what cannot be recorded says so.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
code 0 impound collect model-files --deployment d/d.toml
code 0 impound case note "seen"
code 0 impound case export --out export
chmod 755 "$work"
mkdir media
cp -r "$IMPOUND_HOME/IR-1" media/case
cp -r export media/export
chmod -R a+rX,a-w media
mkdir -m 777 free
cp -r d/model free/model
chmod -R a+rX free

# Root may write where the mode forbids it, so somebody else looks.
as_nobody=(env -u IMPOUND_CASE)
[ "$(id -u)" != 0 ] || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env -u IMPOUND_CASE)
cp "$IMPOUND" free/impound
look() { "${as_nobody[@]}" HOME=/nonexistent XDG_CONFIG_HOME=/nonexistent IMPOUND_HOME="$work/media" "$work/free/impound" "$@"; }
look --version >/dev/null 2>"$work/err" || skip "nobody cannot start the program: $(cat "$work/err")"
before=$(cd media && find . -type f -print0 | sort -z | xargs -0 sha256sum)

for folder in case export; do
  at="$work/media/$folder"
  code 0 look verify "$at"
  code 0 look custody verify --case "$at"
  code 0 look custody log --case "$at"
  code 0 look custody gaps --case "$at"
  code 0 look custody prove 3 --case "$at"
  code 0 look case show --case "$at"
  code 0 look exhibit list --case "$at"
  code 0 look exhibit show E001 --case "$at"
  code 0 look exhibit verify --case "$at"
  code 0 look exhibit cat E001/2 --case "$at"
  says "NOT RECORDED in case IR-1"
  rm -rf free/out
  code 0 look exhibit extract E001 --out "$work/free/out" --case "$at"
  says "NOT RECORDED in case IR-1"
  cmp "$(find free/out -name model.safetensors)" d/model/model.safetensors || fail "the copy differs"
  (cd free
    code 0 look scan E001 --json --case "$at"
    json 'd["recorded"] is False and d["not_recorded"]'
    code 0 look diff E001 model --json --case "$at"
    json 'd["recorded"] is False and d["identical"] is True') || exit 1
done
code 0 look exhibit verify E001 --json --case "$work/media/case"
json 'd["ok"] and d["recorded"] is False and "Permission denied" in d["not_recorded"] or "Read-only" in d["not_recorded"]'
equal "$(cd media && find . -type f -print0 | sort -z | xargs -0 sha256sum)" "$before"

# An export is made, and says in it and of it that it stands in no record.
unsigned() { # FOLDER: whole as far as anything covers it, and never called whole
  code 1 look verify "$1"
  says "UNSIGNED"
  code 1 look verify "$1" --json
  json 'd["ok"] is False and d["custody"]["export_signature"] == "unsigned" and not d["custody"]["problems"]'
  code 1 look custody verify --case "$1"
  says "UNSIGNED"
  code 2 sh "$1/VERIFY.sh"
  equal "$(tail -n 1 "$work/out" | cut -c1-10)" "UNSIGNED: "
  grep -qx "ALL OK" "$work/out" && fail "an unsigned export is called whole"
  code 1 /usr/bin/python3 "$IMPOUND_SOURCE/tests/compat/verify_export.py" "$1"
}
code 0 look case export --out "$work/free/unsigned" --recipient "counsel" --case "$work/media/case"
says "NOT RECORDED in case IR-1"
says "UNSIGNED"
grep -q "stands in no record: .*cannot be written here" free/unsigned/NOT-RECORDED.txt || fail "the export does not say why"
grep -q "counsel" free/unsigned/NOT-RECORDED.txt || fail "the export forgets for whom it was made"
for f in export.sig checkpoint.note signer.pub.pem; do [ ! -e "free/unsigned/$f" ] || fail "there is $f"; done
unsigned "$work/free/unsigned"
code 0 look case export --out "$work/free/bare" --without-exhibits --json --case "$work/media/case"
json 'd["recorded"] is False and d["not_recorded"] and d["signed"] is False'
unsigned "$work/free/bare"
# Whatever neither an entry nor a seal covers may be changed in it; nothing else may.
cp -r free/unsigned free/changed
chmod -R u+w,a+rX free/changed
flip free/changed/exhibits/E001.tar.zst 100
code 4 look verify "$work/free/changed"
code 1 sh free/changed/VERIFY.sh
# Nobody can pass a signed export off as one that could not be recorded.
cp -r export free/stripped
rm free/stripped/export.sig
cp free/unsigned/NOT-RECORDED.txt free/stripped
chmod -R a+rX free/stripped
code 4 look verify "$work/free/stripped"
code 2 look case export --out "$work/free/again" --case "$work/media/export"
says "is an export"
equal "$(cd media && find . -type f -print0 | sort -z | xargs -0 sha256sum)" "$before"

# Where it can be written and nobody is set up, the reason is another one.
cp -r "$IMPOUND_HOME/IR-1" free/open
code 0 env -u IMPOUND_CASE XDG_CONFIG_HOME="$work/none" "$IMPOUND" exhibit verify --case "$work/free/open"
says "nobody is set up as examiner here"
code 0 env -u IMPOUND_CASE XDG_CONFIG_HOME="$work/none" "$IMPOUND" case export --out "$work/free/keyless" --case "$work/free/open"
says "nobody is set up as examiner here"
chmod -R a+rX free/keyless
unsigned "$work/free/keyless"
# Nothing of it went into the case, whose next export is recorded and signed again.
equal "$(sqlite3 free/open/case.db "SELECT count(*) FROM custody WHERE json_extract(line,'\$.action')='export.disclose'")" 1
# A key that cannot be used is no reason to look without one.
chmod 644 "$XDG_CONFIG_HOME"/impound/examiner.key
code 2 impound exhibit verify --case IR-1
says "others may use it"
