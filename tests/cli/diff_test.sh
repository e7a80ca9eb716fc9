# SPDX-License-Identifier: Apache-2.0
# What changed: any two of exhibit, folder, file, baseline.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
code 0 impound baseline create d/model --name small -o small.json
code 2 impound baseline create d/model --name small -o small.json
says "is not replaced"
code 0 impound baseline verify small.json d/model
code 0 impound collect model-files --deployment d/d.toml
code 0 impound diff E001 small.json --json
json 'd["identical"] is True'
code 0 impound diff d/model small.json

cp -r d/model changed
python3 - <<'PY'
with open("changed/model.safetensors", "r+b") as f:
    f.seek(-10, 2); f.write(b"\xff")
PY
mv changed/config.json changed/settings.json
echo new >changed/extra.py
code 1 impound diff d/model changed --json
json '[t["name"] for t in d["tensors"] if t["status"] == "changed"] == ["b.weight"]'
json '{f["path"]: f["status"] for f in d["files"]}["extra.py"] == "added"'
json '{f["path"]: f["status"] for f in d["files"]}["settings.json"] == "renamed"'
code 1 impound diff E001 changed
says "b.weight"
code 1 impound diff changed small.json --json
json '{f["path"]: f["status"] for f in d["files"]}["extra.py"] == "added"'
code 1 impound baseline verify small.json changed

# A baseline that was edited says so.
sed 's/"small"/"smell"/' small.json >edited.json
code 4 impound baseline show edited.json
code 3 impound diff d/model no-such-thing
code 0 impound custody verify
