# SPDX-License-Identifier: Apache-2.0
# A changed bundle never verifies, and the list of whole items is exact.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
head -c 30000000 /dev/urandom >d/model/z-last.bin
code 0 impound collect model-files --deployment d/d.toml
bundle=$IMPOUND_HOME/IR-1/evidence/E001.tar.zst
cp -a "$bundle" whole
chmod u+w "$bundle"

flip() { # OFFSET
  python3 - "$bundle" "$1" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1); f.seek(-1, 1); f.write(bytes([b[0] ^ 0x40]))
PY
}
size=$(stat -c %s "$bundle")
for at in 0 100 $((size / 2)) $((size - 20)) $((size - 1)); do
  flip "$at"
  code 4 impound exhibit verify E001 --json
  json 'not d["ok"] and d["problems"]'
  cp whole "$bundle"
done
flip $((size / 2))
code 4 impound exhibit verify E001 --json
json 'len(d["items"]["damaged"]) == 1 and len(d["items"]["whole"]) >= 2'
cp whole "$bundle"
for cut in 0 1 1000 $((size / 2)) $((size - 1)); do
  head -c "$cut" whole >"$bundle"
  code 4 impound exhibit verify E001
done
cp whole "$bundle"
echo "one more byte" >>"$bundle"
code 4 impound exhibit verify E001
cp whole "$bundle"
code 0 impound exhibit verify E001
# Another bundle in its place is not read as it, also where it verifies by itself.
code 0 impound collect model-files --deployment d/d.toml
other=$IMPOUND_HOME/IR-1/evidence/E002
cp "$other.tar.zst" "$bundle"
chmod u+w "${bundle%.tar.zst}.seal.json"
cp "${bundle%.tar.zst}.seal.json" seal
cp "$other.seal.json" "${bundle%.tar.zst}.seal.json"
for read in "exhibit cat E001/1" "exhibit extract E001 --out out" "exhibit show E001" "scan E001" "diff E001 E002" "exhibit verify E001"; do
  # shellcheck disable=SC2086
  code 4 impound $read
done
says "E001"
cp seal "${bundle%.tar.zst}.seal.json"
cp whole "$bundle"
rm "$bundle"
code 1 impound case check
says "lost"
