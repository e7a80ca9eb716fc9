# SPDX-License-Identifier: Apache-2.0
# A case on write-protected media is read without a key: checked, shown, copied
# from, scanned and compared; what cannot be recorded says so.
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
  code 0 look custody verify --case "$at"
  code 0 look custody log --case "$at"
  code 0 look custody gaps --case "$at"
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

# Where it can be written and nobody is set up, the reason is another one.
cp -r "$IMPOUND_HOME/IR-1" free/open
code 0 env -u IMPOUND_CASE XDG_CONFIG_HOME="$work/none" "$IMPOUND" exhibit verify --case "$work/free/open"
says "nobody is set up as examiner here"
# A key that cannot be used is no reason to look without one.
chmod 644 "$XDG_CONFIG_HOME"/impound/examiner.key
code 2 impound exhibit verify --case IR-1
says "others may use it"
