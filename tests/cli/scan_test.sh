# SPDX-License-Identifier: Apache-2.0
# What would run if it were loaded: verdicts, exit codes, the three ways to say
# it, and every kind of packing that libarchive knows.
. "$(dirname "$0")/harness.sh"

# evil.pkl calls os.system; good.pkl is a dictionary.
printf '\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.' >evil.pkl
printf '\x80\x02}X\x01\x00\x00\x00aK\x01s.' >good.pkl

code 0 impound scan good.pkl
says "weights-only-ok"
code 1 impound scan evil.pkl --json
json 'd["verdict"] == "malicious"'
json 'd["files"][0]["sha256"] == __import__("hashlib").sha256(open("evil.pkl","rb").read()).hexdigest()'
json '{"rule","severity","offset","member","message","evidence","atlas"} <= set(d["files"][0]["findings"][0])'
json "d[\"files\"][0][\"findings\"][0][\"evidence\"] == \"os.system('id')\""
code 1 impound scan evil.pkl --code-only --json
json 'd["verdict"] == "malicious" and d["files"][0]["sha256"] == ""'
code 2 impound scan
code 3 impound scan no-such-file

# Rules are data with a version; each has all that a report needs.
code 0 impound scan --rules --json
json 'd["version"] and len(d["rules"]) > 150'
json 'all(r["id"] and r["severity"] and r["title"] and r["why"] for r in d["rules"])'
json 'not [r["id"] for r in d["rules"] if r["severity"] in ("high", "critical") and not r["atlas"].startswith("AML.T")]'
json 'len(d["lists"]["tensorflow_only_computes"]) > 5 and d["lists"]["dangerous"]'

code 1 impound scan evil.pkl --sarif
json 'd["version"] == "2.1.0" and "sarif" in d["$schema"]'
json 'd["runs"][0]["tool"]["driver"]["name"] == "impound"'
json '{r["ruleId"] for r in d["runs"][0]["results"]} <= {r["id"] for r in d["runs"][0]["tool"]["driver"]["rules"]}'
json 'all(r["level"] in ("none","note","warning","error") and r["message"]["text"] and r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in d["runs"][0]["results"])'

# Packed whole and in archives, whatever the name says (nullifAI: a 7z named .pt).
mkdir packed && cp evil.pkl packed/model.bin
(cd packed && tar cf ../a.tar model.bin && python3 - <<'PY'
import bz2, gzip, lzma, zipfile
data = open("model.bin", "rb").read()
open("../b.pt", "wb").write(bz2.compress(data))
open("../c.pt", "wb").write(lzma.compress(data))
open("../d.pt", "wb").write(lzma.compress(data, lzma.FORMAT_ALONE))
open("../e.pt", "wb").write(gzip.compress(data))
with zipfile.ZipFile("../f.pt", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("x/y", data)
PY
)
zstd -q packed/model.bin -o g.pt
for each in a.tar b.pt c.pt d.pt e.pt f.pt g.pt; do
  code 1 impound scan "$each" --json
  json 'd["verdict"] == "malicious" and d["complete"]' || fail "$each"
done
if command -v bsdtar >/dev/null; then
  for kind in 7zip iso9660 cpio ar xar mtree; do
    [ $kind = mtree ] && continue
    bsdtar --format $kind -cf "h-$kind.pt" -C packed model.bin 2>/dev/null || continue
    code 1 impound scan "h-$kind.pt" --json
    json 'd["verdict"] == "malicious"'
  done
fi

# What stands behind the end of a packed tar, or behind the packed data, is not
# passed over.
python3 - <<'PY'
import bz2, lzma, tarfile
evil = open("evil.pkl", "rb").read()
with tarfile.open("tail.tar", "w") as tar: tar.add("good.pkl")
open("tail.tar.bz2", "wb").write(bz2.compress(open("tail.tar", "rb").read() + b"x" + evil))
open("behind.xz", "wb").write(lzma.compress(b"{}") + evil)
PY
code 1 impound scan tail.tar.bz2 --json
json 'd["verdict"] == "malicious"'
code 1 impound scan behind.xz
says "promises an xz file, and it cannot be read to its end"

# Eight levels are followed; what lies deeper is said not to have been read.
cp evil.pkl inner
for level in 1 2 3 4 5 6 7 8 9 10; do
  python3 -c 'import sys,zipfile
with zipfile.ZipFile(sys.argv[1],"w") as z: z.write("inner","m")' "level$level.zip"
  cp "level$level.zip" inner
done
code 1 impound scan level7.zip --json
json 'd["verdict"] == "malicious"'
code 1 impound scan level10.zip --json
json 'd["verdict"] == "needs-review" and not d["complete"]'

# A folder, and what could not be read.
mkdir m && cp good.pkl m/
code 0 impound scan m
cp evil.pkl m/weights.safetensors
code 1 impound scan m --json
json '{f["path"]: f["verdict"] for f in d["files"]} == {"good.pkl": "weights-only-ok", "weights.safetensors": "malicious"}'
head -c 200 c.pt >cut.xz; head -c 40 c.pt >m2.xz
code 1 impound scan m2.xz

# What a name promises and nobody can read is no file without code.
for each in a.bin b.safetensors c.gguf d.onnx e.h5 f.npy g.pb config.json; do
  printf '\xff\xfe no format at all' >"$each"
  code 1 impound scan "$each" --json
  json 'd["verdict"] == "needs-review" and not d["complete"] and not d["files"][0]["read_to_end"]' || fail "$each"
done
printf '\xff\xfe no format at all' >notes
code 0 impound scan notes

# An import far behind the head, in a spelling that only C takes.
python3 - <<'PY'
open("far.pkl", "wb").write(b"(" + b"I010\n" * 30000 + b"1cos\nsystem\n(S'id'\ntR.")
PY
code 1 impound scan far.pkl --json
json 'd["verdict"] == "malicious" and "pickle-loaders-differ" in {f["rule"] for f in d["files"][0]["findings"]}'

# An exhibit is scanned as it lies in its bundle, and the scan is on record.
examiner; new_case
deployment d
printf '\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.' >d/model/extra.bin
code 0 impound collect model-files --deployment d/d.toml
code 1 impound scan E001 --json
json 'd["verdict"] == "malicious"'
json '[f["sha256"] for f in d["files"] if f["path"].endswith("extra.bin")][0] == __import__("hashlib").sha256(open("d/model/extra.bin","rb").read()).hexdigest()'
code 0 impound custody log --json
json '"scan of E001" in json.dumps(d)' 2>/dev/null || { impound custody log | grep -q scan || fail "the scan is not on record"; }
echo ok
