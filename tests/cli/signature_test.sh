# SPDX-License-Identifier: Apache-2.0
# Signatures of models: made here and verified by stock openssl, made with a
# chain by stock openssl and verified here, and everything that may be wrong.
. "$(dirname "$0")/harness.sh"

openssl ecparam -name secp384r1 -genkey -noout -out key.pem
openssl pkey -in key.pem -pubout -out pub.pem
openssl ecparam -name prime256v1 -genkey -noout -out other.pem
openssl pkey -in other.pem -pubout -out other-pub.pem
mkdir -p m/a m/.git
printf 'weights of a model' >m/model.safetensors
printf '{}' >m/config.json
printf 'b' >m/a/b
printf 't' >m/a.txt
printf 'x' >m/.git/HEAD

verify() { impound signature verify "$@"; }

# --- signing: the bytes that stock openssl verifies
code 0 impound signature sign m --key key.pem -o m/model.sig --json
json 'd["resources"] == 4 and d["model"] == "m" and d["root"].startswith("sha256:")'
json "d['key_hint'] == '$(sha256sum <pub.pem | cut -c1-64)'"
python3 - <<'PY' || fail "the bundle is not laid out as it must be"
import base64, hashlib, json
text = open("m/model.sig").read()
d = json.loads(text)
assert "\n" not in text and list(d) == ["mediaType", "verificationMaterial", "dsseEnvelope"]
assert d["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
e = d["dsseEnvelope"]
payload = base64.b64decode(e["payload"], validate=True)
open("pae", "wb").write(b"DSSEv1 %d %s %d " % (len(e["payloadType"]), e["payloadType"].encode(), len(payload)) + payload)
open("sig", "wb").write(base64.b64decode(e["signatures"][0]["sig"], validate=True))
s = json.loads(payload)
names = [r["name"] for r in s["predicate"]["resources"]]
assert names == ["a/b", "a.txt", "config.json", "model.safetensors"], names
root = hashlib.sha256()
for r in s["predicate"]["resources"]:
    digest = hashlib.sha256(open("m/" + r["name"], "rb").read()).digest()
    assert r["digest"] == digest.hex()
    root.update(digest)
assert s["subject"] == [{"name": "m", "digest": {"sha256": root.hexdigest()}}]
assert s["predicate"]["serialization"]["ignore_paths"] == [".git", ".gitattributes", ".github", ".gitignore", "model.sig"]
open("root", "w").write("sha256:%s\n" % root.hexdigest())
PY
openssl dgst -sha384 -verify pub.pem -signature sig pae >/dev/null || fail "openssl does not verify it"
printf x >>pae
openssl dgst -sha384 -verify pub.pem -signature sig pae >/dev/null && fail "openssl verifies anything"
impound -q signature digest m --ignore-path model.sig | cmp - root || fail "digest"
impound -q signature digest m --ignore-path "$PWD/m/model.sig" | cmp - root || fail "digest, absolute path"
code 2 impound signature sign m --key key.pem -o m/model.sig
says "not replaced"
code 0 impound signature sign m --key key.pem -o m/model.sig --replace

# --- verifying
code 0 verify m --signature m/model.sig --key pub.pem
says "VERIFIED: 4 files are as signed"
code 0 verify m --signature model.sig --key pub.pem --json
json 'd["verdict"] == "verified" and d["unsigned_files"] == [".git/HEAD"] and d["mismatch"] == []'
(cd m && code 0 verify . --signature model.sig --key ../pub.pem) || exit 1
cp m/model.sig elsewhere.sig
code 0 verify m --signature elsewhere.sig --key pub.pem
cp -r m renamed
code 0 verify renamed --signature renamed/model.sig --key pub.pem
code 4 verify m --signature m/model.sig --key other-pub.pem
says "Key mismatch"
code 1 verify m --signature m/model.sig --unsigned-compare
says "NOT checked"
code 0 impound signature show m/model.sig --json
json 'd["model"] == "m" and [r["name"] for r in d["resources"]][0] == "a/b"'
code 0 impound signature show m/model.sig
says "nothing was verified"

# --- each part changed
tampered() { rm -rf t; cp -r m t; }
tampered; printf 'Weights of a model' >t/model.safetensors
code 4 verify t --signature t/model.sig --key pub.pem
says "Hash mismatch for 'model.safetensors': Expected '"
code 4 verify t --signature t/model.sig --unsigned-compare
tampered; printf 1 >t/evil.py
code 4 verify t --signature t/model.sig --key pub.pem
says "Extra files found in model 't': evil.py"
code 0 verify t --signature t/model.sig --key pub.pem --ignore-unsigned-files --json
json '"evil.py" in d["unsigned_files"]'
code 0 verify t --signature t/model.sig --key pub.pem --ignore-path evil.py
code 0 verify t --signature t/model.sig --key pub.pem --ignore-path t/evil.py
code 0 verify t --signature t/model.sig --key pub.pem --ignore-path "$PWD/t/evil.py"
code 4 verify t --signature t/model.sig --key pub.pem --ignore-path "$PWD/evil.py"
tampered; rm t/a.txt
code 4 verify t --signature t/model.sig --key pub.pem
says "Missing files in model 't': a.txt"
tampered; ln -s config.json t/link
code 4 verify t --signature t/model.sig --key pub.pem
says "Cannot use 'link'"
change() { # EXPRESSION over d (bundle) and s (statement)
  tampered
  python3 - "$1" <<'PY'
import base64, json, sys
d = json.load(open("t/model.sig"))
e = d["dsseEnvelope"]
s = json.loads(base64.b64decode(e["payload"]))
exec(sys.argv[1])
json.dump(d, open("t/model.sig", "w"))
PY
}
keep='e["payload"] = base64.b64encode(json.dumps(s).encode()).decode()'
change "s['predicate']['resources'].pop(); $keep"
code 4 verify t --signature t/model.sig --key pub.pem
says "not this key's over this payload"
code 4 verify t --signature t/model.sig --unsigned-compare
says "Manifest is inconsistent"
change 'e["signatures"][0]["sig"] = base64.b64encode(open("sig", "rb").read()[:-1] + b"\x00").decode()'
code 4 verify t --signature t/model.sig --key pub.pem
change 'e["signatures"] *= 2'
code 4 verify t --signature t/model.sig --key pub.pem
says "exactly one"
change 'd["mediaType"] += "x"'
code 4 verify t --signature t/model.sig --key pub.pem
says "Invalid sigstore bundle"
echo 'no JSON' >t/model.sig
code 3 verify t --signature t/model.sig --key pub.pem
code 3 impound signature show t/model.sig
code 3 verify m --signature m/model.sig --key m/config.json
code 2 verify m --signature m/no.sig --key pub.pem
code 2 verify m --signature m/model.sig
code 2 verify m --signature m/model.sig --key pub.pem --unsigned-compare

# --- shards: which bytes differ, and what they do not see
head -c 250 /dev/zero >m/big.bin
: >m/empty.txt
code 0 impound signature sign m --key key.pem -o shards.sig --method shards --shard-size 100 --ignore-path model.sig
says "an empty file has no shard: empty.txt"
code 0 verify m --signature shards.sig --key pub.pem
says "empty-file-unsigned"
tampered; flip t/big.bin 120
code 4 verify t --signature shards.sig --key pub.pem
says "Hash mismatch for 'big.bin:100:200'"
says "big.bin: 1 of 3 shards differ: bytes 100–199"
code 0 impound signature sign m --key key.pem -o blake.sig --hash blake2b --ignore-path model.sig
code 0 verify m --signature blake.sig --key pub.pem

# --- a model of one file; a baseline is signed the same way
code 0 impound signature sign m/big.bin --key other.pem -o one.sig
code 0 verify m/big.bin --signature one.sig --key other-pub.pem
code 4 verify m --signature one.sig --key other-pub.pem
says "name that file as the model"

# --- a signature that protects nothing says so
code 0 impound signature sign m --key key.pem -o hole.sig --ignore-path model.safetensors --ignore-path m/model.sig
says "not signed, though loaders read it: model.safetensors"
code 1 verify m --signature hole.sig --key pub.pem
says "ignored-model-file"
rm m/big.bin m/empty.txt

# --- keys: encrypted, of another kind
openssl pkcs8 -topk8 -in key.pem -out locked.pem -v2 aes-256-cbc -passout pass:secret
code 2 impound signature sign m --key locked.pem -o x.sig
says "IMPOUND_SIGNING_PASSPHRASE"
IMPOUND_SIGNING_PASSPHRASE=wrong code 2 impound signature sign m --key locked.pem -o x.sig
IMPOUND_SIGNING_PASSPHRASE=secret code 0 impound signature sign m --key locked.pem -o x.sig --ignore-path model.sig
echo secret >pass
code 0 impound signature sign m --key locked.pem -o x.sig --replace --passphrase-file pass --ignore-path model.sig
code 0 verify m --signature x.sig --key pub.pem
openssl genpkey -algorithm ed25519 -out ed.pem 2>/dev/null
code 3 impound signature sign m --key ed.pem -o y.sig
says "Only elliptic curve keys are supported"

# --- certificates, made by stock openssl; the bundle put together by hand
subject() { openssl req -new -key "$1" -subj "/CN=$2" -out "$2.csr"; }
for name in root sub leaf; do openssl ecparam -name prime256v1 -genkey -noout -out $name.key; done
openssl req -x509 -new -key root.key -subj /CN=root -days 30 -addext basicConstraints=critical,CA:TRUE -out root.pem
subject sub.key sub; subject leaf.key leaf
printf 'basicConstraints=critical,CA:TRUE\n' >sub.ext
printf 'keyUsage=digitalSignature\nsubjectAltName=email:me@example.com\n1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://idp.example\n' >leaf.ext
printf 'keyUsage=keyAgreement\n' >none.ext
openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -set_serial 2 -days 30 -extfile sub.ext -out sub.pem 2>/dev/null
openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -set_serial 3 -days 30 -extfile leaf.ext -out leaf.pem 2>/dev/null
openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -set_serial 4 -days 30 -extfile none.ext -out none.pem 2>/dev/null
code 0 impound signature sign m --key leaf.key -o key.sig --ignore-path model.sig
with_chain() { # OUT CERTIFICATE…
  python3 - "$@" <<'PY'
import base64, json, ssl, sys
d = json.load(open("key.sig"))
raw = [{"rawBytes": base64.b64encode(ssl.PEM_cert_to_DER_cert(open(p).read())).decode()} for p in sys.argv[2:]]
d["verificationMaterial"] = {"x509CertificateChain": {"certificates": raw}}
if sys.argv[1].startswith("keyless"):
    d["verificationMaterial"] = {"certificate": raw[0], "tlogEntries": [{"logIndex": "7", "kindVersion": {"kind": "dsse"}}]}
json.dump(d, open(sys.argv[1], "w"))
PY
}
with_chain chain.sig leaf.pem sub.pem
code 0 verify m --signature chain.sig --certificate-chain root.pem --enforce-time --json
json 'd["chain"] == ["CN=leaf", "CN=sub", "CN=root"] and d["certificate"]["expired_now"] is False'
json "d['signer'] == '$(openssl x509 -in leaf.pem -outform DER | sha256sum | cut -c1-64)'"
with_chain short.sig leaf.pem
code 4 verify m --signature short.sig --certificate-chain root.pem
says "unable to get local issuer certificate"
code 0 verify m --signature short.sig --certificate-chain root.pem --certificate-chain sub.pem
with_chain none.sig none.pem sub.pem
code 4 verify m --signature none.sig --certificate-chain root.pem
says "cannot be used for signing"
openssl req -x509 -new -key root.key -subj /CN=another -days 30 -out another.pem
code 4 verify m --signature chain.sig --certificate-chain another.pem
code 4 verify m --signature key.sig --certificate-chain root.pem
says "verify it with a key"
with_chain keyless.sig leaf.pem
code 1 verify m --signature keyless.sig --sigstore
says "chain, transparency log: NOT verified"
says "holder identified by https://idp.example"
code 1 verify m --signature keyless.sig --sigstore --identity me@example.com --issuer https://idp.example --json
json 'd["signer"] == "email:me@example.com" and d["not_verified"] == ["certificate chain", "transparency log"]'
code 1 verify m --signature keyless.sig --sigstore --certificate-chain root.pem --certificate-chain sub.pem --json
json 'd["not_verified"] == ["transparency log"]'
code 4 verify m --signature keyless.sig --sigstore --identity you@example.com
code 4 verify m --signature keyless.sig --sigstore --certificate-chain another.pem

# --- a baseline keeps who signed its model; a wrong signature makes none
examiner
code 0 impound baseline create m --name m -o base.json --model-signature m/model.sig --model-key pub.pem
code 0 impound baseline show base.json --json
json "d['provenance']['model_signature']['signer'] == '$(sha256sum <pub.pem | cut -c1-64)' and d['provenance']['model_signature']['verdict'] == 'verified'"
code 0 impound baseline verify base.json m
code 0 impound baseline show base.json
says "of a model whose signature verified"
code 4 impound baseline create m --name m -o no.json --model-signature m/model.sig --model-key other-pub.pem
[ ! -e no.json ] || fail "a baseline of a model that does not verify"
code 0 impound baseline create m --name m -o plain.json
code 0 impound baseline show plain.json --json
json 'd["provenance"] is None'
code 0 impound signature sign base.json --key key.pem -o base.sig
code 0 verify base.json --signature base.sig --key pub.pem

# --- evidence: an exhibit is verified where it lies, and the check is recorded
new_case
cat >d.toml <<TOML
schema = 1
name = "small"
[model]
path = "m"
[process]
pid = 1
TOML
code 0 impound collect model-files --deployment d.toml
code 0 verify E001 --signature model.sig --key pub.pem --json
json 'd["verdict"] == "verified" and d["signature_state"] == "valid"'
code 4 verify E001 --signature model.sig --key other-pub.pem
code 0 impound custody log --json
json '[e["detail"]["verdict"] for e in d if e["action"] == "verify" and "model signature" in e["detail"]["what"]] == ["verified", "failed"]'
code 0 impound custody verify

# --- a playbook gets the same result as a table
export IMPOUND_PLAYBOOKS=$work/playbooks
mkdir -p playbooks/vendor-signature
cat >playbooks/vendor-signature/playbook.lua <<'LUA'
--- Is the model the one that its vendor signed?
local impound = require("impound")

local function verify(ctx)
  local weights = ctx:collect("model-files")
  local key = ctx.params.key ~= "" and ctx.params.key or nil
  local report = ctx:verify_signature(weights, { signature = "model.sig", key = key, unsigned_compare = key == nil })
  local plain = ctx:verify_signature(weights, { signature = weights:item("model.sig") or "model/model.sig", unsigned_compare = true })
  ctx:note(report.verdict .. " " .. plain.verdict .. " " .. plain.signature_state)
  ctx:finding({
    verdict = report.ok and "cleared" or "confirmed",
    severity = not report.ok and "high" or nil,
    title = report.reason,
    evidence = { weights },
  })
end

return impound.playbook({
  schema = 1,
  id = "vendor-signature",
  version = "1.0.0",
  title = "Is the model the one that its vendor signed?",
  owner = "tests",
  effect = "read",
  needs = { collectors = { "model-files" } },
  references = { "https://github.com/ossf/model-signing-spec" },
  params = { key = { type = "path", default = "", help = "The vendor's public key." } },
  steps = { { id = "verify", title = "Verify the signature of the model", run = verify } },
})
LUA
code 0 impound playbook check vendor-signature
code 0 impound run vendor-signature --deployment d.toml -p "key=$work/pub.pem"
code 0 impound custody log --json
json '[e["detail"]["text"] for e in d if e["action"] == "note" and "kind" not in e["detail"]] == ["verified findings not checked"]'
printf 'Weights of a model' >m/model.safetensors
code 1 impound run vendor-signature --deployment d.toml -p "key=$work/pub.pem"
says "the model is not what was signed: 1 changed"
code 0 impound custody verify
