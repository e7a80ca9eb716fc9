# SPDX-License-Identifier: Apache-2.0
# impound gguf-hash: lines, manifests and exit codes as those of llama.cpp's
# gguf-hash, and the hash of what it leaves out.
. "$(dirname "$0")/harness.sh"

gguf() { # OUT NAME VALUE: two tensors, one key
  python3 - "$@" <<'PY'
import struct, sys
out, name, value = sys.argv[1:4]
text = lambda s: struct.pack("<Q", len(s)) + s.encode()
align = lambda b: b + b"\0" * (-len(b) % 32)
data = [struct.pack("<f", 100) * 1344, struct.pack("<f", 101) * 420]
infos = text(name) + struct.pack("<IQIQ", 1, 1344, 0, 0) + text("tensor_1") + struct.pack("<IQIQ", 1, 420, 0, len(align(data[0])))
head = b"GGUF" + struct.pack("<IQQ", 3, 2, 1) + text("general.name") + struct.pack("<I", 8) + text(value)
open(out, "wb").write(align(head + infos) + align(data[0]) + align(data[1]))
open("tensors", "wb").write(b"".join(data))
PY
}
gguf test.gguf tensor_0 test

# The first line of the example in gguf-hash's documentation.
code 0 impound -q gguf-hash test.gguf
equal "$(head -1 out)" "xxh64     f66e9cd66a4396a0  test.gguf:tensor_0"
equal "$(sed -n 2p out)" "xxh64     7d3a1f9ac04d0537  test.gguf:tensor_1"
equal "$(wc -l <out)" 3
code 0 impound -q gguf-hash --sha256 --sha1 --no-layer test.gguf
equal "$(cat out)" "sha1      $(sha1sum <tensors | cut -c1-40)  test.gguf
sha256    $(sha256sum <tensors | cut -c1-64)  test.gguf"
code 0 impound -q gguf-hash --uuid test.gguf
equal "$(cut -c11-46 out)" "$(python3 -c '
import hashlib, uuid
space = uuid.UUID("ef001206-dadc-5f6d-a15f-3359e577d4e5").bytes
print(uuid.UUID(bytes=hashlib.sha1(space + open("tensors", "rb").read()).digest()[:16], version=5))')"

code 0 impound -q gguf-hash --all --metadata test.gguf
cp out manifest
equal "$(wc -l <manifest)" 13
code 0 impound -q gguf-hash --check manifest test.gguf
equal "$(head -1 out)" "manifest  manifest  sha256  sha1  xxh64  xxh3  metadata"
says "test.gguf:tensor_1  -  Ok"
says "Verification results for manifest - Success"
equal "$(grep -c '^sha256' out)" 3

# One byte of one tensor, and a name: who notices what.
cp test.gguf good.gguf
flip test.gguf $(($(stat -c %s test.gguf) - 1000))
code 1 impound -q gguf-hash --check manifest test.gguf
says "test.gguf:tensor_0  -  Ok"
says "test.gguf:tensor_1  -  Mismatch"
says "manifest - Failure"
says "$(grep metadata manifest)  -  Ok"
gguf test.gguf tensor_0 fest
code 1 impound -q gguf-hash --check manifest test.gguf
says "test.gguf  -  Ok"
grep -q '^metadata .*Mismatch' out || fail "other metadata is not noticed"
grep -v metadata manifest >tensors-only
code 0 impound -q gguf-hash --check tensors-only test.gguf

# Exit codes of gguf-hash.
code 3 impound -q gguf-hash --check manifest good.gguf
says "Manifest Missing Entry"
echo "md5 0 test.gguf" >unknown
code 4 impound -q gguf-hash --check unknown test.gguf
code 5 impound -q gguf-hash --check nowhere test.gguf
says "cannot open manifest"
code 3 impound gguf-hash manifest
says "no GGUF file"

code 0 impound gguf-hash good.gguf --json
json '[h["hash"] for h in d["hashes"]] == ["xxh64", "xxh64", "xxh64", "metadata"]'
json 'd["hashes"][0]["tensor"] == "tensor_0" and d["hashes"][2]["tensor"] is None'
cp good.gguf test.gguf
code 0 impound gguf-hash test.gguf --check manifest --json
json 'd["result"] == "Success" and all(h["manifest"] == "Ok" for h in d["hashes"])'
