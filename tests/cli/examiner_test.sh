# SPDX-License-Identifier: Apache-2.0
# An examiner has one key, which nobody else can read.
. "$(dirname "$0")/harness.sh"

code 2 impound examiner show
says "examiner init"
examiner
says "SHA-256"
equal "$(stat -c %a "$XDG_CONFIG_HOME/impound/examiner.key")" 600
openssl pkey -in "$XDG_CONFIG_HOME/impound/examiner.key" -noout || fail "openssl cannot read the key"
code 0 impound examiner show --json
json 'd["name"] == "Ada Example" and len(d["fingerprint"]) == 64'
code 2 impound examiner init --name x --org y --role z
says "is not replaced"

# A renewed key is another one; the old one stays for the hand-over.
before=$(stat -c %i "$XDG_CONFIG_HOME/impound/examiner.key")
code 0 impound examiner renew --json
json 'd["name"] == "Ada Example" and d["key_file"].endswith(".key") and "examiner-" in d["key_file"]'
equal "$(stat -c %i "$XDG_CONFIG_HOME/impound/examiner.key")" "$before"
code 0 impound case new IR-0 --title t
rm -r "$XDG_CONFIG_HOME/impound"
examiner

chmod 644 "$XDG_CONFIG_HOME/impound/examiner.key"
code 2 impound case new IR-1 --title t
says "expected 0600"

# An encrypted key asks for its passphrase, and says when it is wrong.
rm -r "$XDG_CONFIG_HOME"
echo "correct horse" >pass; echo "wrong" >bad
code 0 impound examiner init --name x --org y --role z --passphrase-file pass --key "$work/elsewhere.pem"
grep -q ENCRYPTED elsewhere.pem || fail "the key is not encrypted"
code 0 impound case new IR-1 --title t --passphrase-file pass
code 2 impound case note hello --passphrase-file bad
says "passphrase"
code 2 impound case note hello </dev/null
says "--passphrase-file"
