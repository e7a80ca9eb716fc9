# SPDX-License-Identifier: Apache-2.0
# Bills of material: written beside a baseline, checked against bytes.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
code 0 impound baseline create d/model --name small -o small.json --json
json 'd["mbom"] == "small.cdx.json" and len(d["mbom_sha256"]) == 64'
equal "$(python3 -c 'import json; print(json.load(open("small.cdx.json"))["specVersion"])')" 1.6
code 0 impound baseline verify small.json d/model --mbom small.cdx.json --json
json 'd["ok"] and d["mbom"] == "matches" and d["mbom_check"]["fails"] == 0'

# One digest for the folder that stock tools recompute.
stated=$(python3 -c 'import json; print([p["value"] for p in json.load(open("small.cdx.json"))["metadata"]["component"]["properties"] if p["name"] == "impound:files:sha256sum"][0])')
equal "$stated" "$(cd d/model && find -L . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64)"

# Against another model: what fails, and what nobody can check.
cp -r d/model changed
echo extra >changed/extra.py
code 1 impound baseline verify small.json changed --mbom small.cdx.json
says "not listed: extra.py"
says "cannot be checked against bytes"
code 0 impound baseline verify small.json --mbom small.cdx.json

# A supplier's document becomes provenance, or stops the baseline.
code 4 impound baseline create changed --name small -o changed.json --supplier-mbom small.cdx.json
says "contradicts the model"
[ ! -e changed.json ] || fail "a baseline was written although its bill of material contradicts it"
code 0 impound baseline create d/model --name small -o again.json --supplier-mbom small.cdx.json
code 0 impound collect model-files --deployment d/d.toml
code 0 impound diff E001 again.json
sqlite3 "$IMPOUND_HOME/IR-1/case.db" "SELECT line FROM custody" | grep '"baseline.diff"' | grep -q '"supplier_mbom"' || fail "custody does not say what vouched for the baseline"

# The signature of the baseline covers the bill of material.
echo >>small.cdx.json
code 4 impound baseline verify small.json
says "CHANGED since the baseline was signed"
rm small.cdx.json
code 0 impound baseline verify small.json
says "MISSING"
code 3 impound baseline verify small.json --mbom d/d.toml
says "d/d.toml"
