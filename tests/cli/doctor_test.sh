# SPDX-License-Identifier: Apache-2.0
# doctor measures, says what measured it, and answers about the acts there are.
. "$(dirname "$0")/harness.sh"

# Nobody can sign: something is missing, and that is the answer.
code 1 impound doctor --json
json 'd["ok"] is False'
json '[c["state"] for c in d["checks"] if c["name"] == "examiner"] == ["no"]'
says "impound examiner init"
code 1 impound doctor
says "Missing to: record an act in a case"

examiner
"$IMPOUND" doctor --json >out 2>err
got=$?
[ "$got" = 0 ] || [ "$got" = 1 ] || fail "exit $got: $(cat err)"
json '{c["name"] for c in d["checks"]} >= {"root", "freezer", "nftables", "podman", "kubectl", "clock", "GPU", "disk", "sandbox"}'
json 'all(c["state"] in ("yes", "partly", "no", "unknown") and c["measured"] for c in d["checks"])'
json 'd["ok"] == (not any(c["missing"] for c in d["checks"])) and '"$got"' == (0 if d["ok"] else 1)'
json '[c["state"] for c in d["checks"] if c["name"] == "examiner"] == ["yes"]'
# The process of a playbook was really started, and says itself what it gave up.
json '"gave up system calls" in [c["measured"] for c in d["checks"] if c["name"] == "sandbox"][0]'
# A tool is found where it is, and only there.
mkdir tools
printf '#!/bin/false\n' >tools/nft
chmod +x tools/nft
PATH=$work/tools:$PATH "$IMPOUND" doctor --json >out 2>err
json '[c["measured"] for c in d["checks"] if c["name"] == "nftables"][0].startswith("'"$work"'/tools/nft")'
# A folder that cannot be written is measured, for the user who asks.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
  chmod 755 "$work"
  code 1 setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_CONFIG_HOME=/nonexistent "$IMPOUND" doctor --json
  json '[c["state"] for c in d["checks"] if c["name"] == "disk"] == ["no"]'
  json '[c["state"] for c in d["checks"] if c["name"] == "root"] == ["no"]'
fi
# Nothing was left: no case, no file in the home.
[ -z "$(find "$IMPOUND_HOME" "$HOME" -type f 2>/dev/null)" ] || fail "doctor left something"
