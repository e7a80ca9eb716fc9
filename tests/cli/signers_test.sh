# SPDX-License-Identifier: Apache-2.0
# Nobody signs for somebody else: a key is let in by the one who opened the case,
# and entries of a key that nobody vouched for make every check fail.
. "$(dirname "$0")/harness.sh"

as() { XDG_CONFIG_HOME=$work/$1 "$IMPOUND" "${@:2}"; }
fingerprint() { as "$1" examiner show --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["fingerprint"])'; }
for who in "ada:Ada Example" "bob:Bob Second" "eve:Eve Third"; do
  code 0 as "${who%%:*}" examiner init --name "${who#*:}" --org "Example Corp" --role responder
done
says "impound case signer add CARD --fingerprint $(fingerprint eve)"
ada=$(fingerprint ada) bob=$(fingerprint bob) eve=$(fingerprint eve)
deployment d
export IMPOUND_CASE=IR-1
code 0 as ada case new IR-1 --title "a test case"
says "Opened by key $ada"
# export NAME: by Ada; its VERIFY.sh must end with STATUS and say TEXT, and custody verify must agree.
checked() {
  local out=$1 who=$2 status=$3 text=$4 want=0
  shift 4
  code 0 as "$who" case export --out "$work/$out"
  [ "$status" = 0 ] || want=4
  code "$status" sh "$work/$out/VERIFY.sh" "$@"
  says "$text"
  code "$want" impound custody verify --case "$work/$out" "$@"
  [ "$want" = 0 ] || says "BROKEN"
}

# The attack: case.db cut back to its first entry, a fresh key under the same name, another story.
code 0 as ada case note "the weights were edited"
cp -R "$IMPOUND_HOME/IR-1" "$work/stolen"
python3 - "$work/stolen/case.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
for name, _ in triggers: db.execute(f"DROP TRIGGER {name}")
db.execute("DELETE FROM custody WHERE seq>1")
db.execute("DELETE FROM heads")
for _, text in triggers: db.execute(text)
db.commit()
PY
code 0 as mallory examiner init --name "Ada Example" --org "Example Corp" --role responder
mallory=$(fingerprint mallory)
IMPOUND_CASE=$work/stolen code 0 as mallory collect model-files --deployment d/d.toml
says "Nobody vouched for your key in case IR-1"
says "impound case signer vouch $mallory --case IR-1"
IMPOUND_CASE=$work/stolen code 0 as mallory case export --out "$work/forged"
code 4 impound custody verify --case "$work/stolen"
says "\"Ada Example\", key $mallory, for whom nobody did, in entries 2-"
says "2 keys carry the name \"Ada Example\" and are 2 people"
code 4 impound custody verify --case "$work/forged"
says "key $mallory"
code 1 sh "$work/forged/VERIFY.sh"
says "nobody vouched for key $mallory of \"Ada Example\""
says "2 keys carry the name"
denied=$(tail -n 1 "$work/out")
[[ $denied = FAIL:* ]] || fail "VERIFY.sh ends with $denied"

# Cut back and nothing put in its place: only what left the machine can tell.
head=$(sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT line FROM custody WHERE seq=2" | sha256sum | cut -c1-64)
code 0 impound custody verify --head "$head" --signer "$ada"
says "that of entry 2; 0 entries follow it"
code 4 impound custody verify --case "$work/stolen" --head "$head"
says "what it covered is not here"

# An unknown examiner at 3 a.m.: preserves, is named by every check, and approves nothing.
code 0 as bob case note "called in the night"
code 0 as bob collect model-files --deployment d/d.toml
code 4 impound custody verify
says "\"Bob Second\", key $bob, for whom nobody did, in entries 3-"
code 1 as ada case signer list
says "wait for a voucher"
code 1 impound status --case IR-1
says "NOBODY VOUCHED FOR"
says "Key $bob of \"Bob Second\""
says "impound case signer vouch $bob"
code 0 impound case show
says "Key $bob of \"Bob Second\""
code 2 as bob case signer vouch "$eve"
says "no entry of this case brings in key $eve"
code 2 as bob case signer add "$work/eve/impound/examiner.json" --fingerprint "$eve"
says "is not vouched for, and the right introduce is needed"
checked unvouched ada 1 "nobody vouched for key $bob"
code 0 as ada case signer vouch "$bob" --rights act
says "vouched for by"
code 0 impound custody verify
code 0 impound case show
! grep -qF "NOBODY VOUCHED FOR" "$work/out" || fail "says that nobody vouched, after somebody did"
checked vouched ada 0 "ALL OK" --signer "$ada"

# Let in beforehand: the card and the fingerprint must be of one key.
code 2 as ada case signer add "$work/eve/impound/examiner.json" --fingerprint "$bob"
says "this is not the key whose fingerprint you were given"
code 2 as ada case signer add "$work/eve/impound/examiner.json" --fingerprint "$eve" --rights everything
says "introduce,approve,release,act"
code 0 as ada case signer add "$work/eve/impound/examiner.json" --fingerprint "$eve" --rights approve --json
json 'd["rights"] == "approve" and d["standing"] == "vouched for" and d["introduction"] == "added"'
code 2 as eve collect model-files --deployment d/d.toml
says "holds approve, and the right act is needed"
code 2 as bob case signer add "$work/mallory/impound/examiner.json" --fingerprint "$mallory"
says "holds act, and the right introduce is needed"

# A new key of the same person, then the old one, and a key that was lost.
code 0 as ada examiner renew
says "impound case signer rotate --key"
old=$work/ada/impound/examiner.key
code 2 as ada case signer rotate
says "--key"
code 0 as ada case signer rotate --key "$old"
says "takes the place of"
code 2 as ada case note "with the old one" --key "$old"
says "was rotated in entry"
code 0 as ada case note "with the new one"
code 0 as ada case signer revoke "$bob" --reason "laptop stolen"
code 2 as bob case note "from the laptop"
says "was revoked in entry"
code 2 as ada case signer revoke "$(fingerprint ada)" --reason "oops"
says "the last one that may introduce"
code 0 as ada case signer list --json
json 'len(d["signers"]) == 4 and d["same_name"] == []'
checked rotated ada 0 "rotated in entry" --signer "$ada"
says "The key that was written down opened the case"
code 1 sh "$work/rotated/VERIFY.sh" --signer "$(fingerprint ada)"
says "was opened by key $ada"
code 2 impound custody verify --signer ada
says "64 hexadecimal digits"
