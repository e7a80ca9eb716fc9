# SPDX-License-Identifier: Apache-2.0
# One command checks a whole folder: an export or a case, of whomever, without a key.
. "$(dirname "$0")/harness.sh"

examiner; new_case
deployment d
code 0 impound collect model-files --deployment d/d.toml
code 0 impound case export --out whole
code 0 impound case export --out bare --without-exhibits
case=$IMPOUND_HOME/IR-1

# As it was made: both kinds, and nothing is written.
before=$(entries)
code 0 impound verify whole
says "1 exhibit, and every other file of the record"
code 0 impound verify "$case"
code 0 impound verify bare
says "E001: NOT CHECKED: this export was made without its exhibits"
equal "$(entries)" "$before"
code 0 impound --json verify whole
json "d['ok'] and d['kind'] == 'export' and d['custody']['ok'] and d['exhibits'][0]['ok']"

# Without a key, and from a folder that nobody can write to.
cp -r whole protected && chmod -R a-w protected
mv "$XDG_CONFIG_HOME" away
code 0 impound verify protected
code 0 impound verify "$case"
mv away "$XDG_CONFIG_HOME"
chmod -R u+w protected

# What it is told of the key, the head and the witness is compared.
zeros=$(printf '%064d' 0)
code 4 impound verify whole --signer "$zeros"
code 4 impound verify whole --head "$zeros"
code 4 impound verify whole --witness "$zeros"
head=$(impound --json verify whole | python3 -c 'import json,sys; print(json.load(sys.stdin)["custody"]["head"])')
code 0 impound verify whole --head "$head"

# Each problem is named, in all parts of the folder.
for file in exhibits/E001.tar.zst exhibits/E001.seal.json custody.jsonl custody.sig checkpoint.note VERIFY.sh export.list export.sig; do
  rm -rf copy && cp -r whole copy && chmod -R u+w copy
  flip "copy/$file" $(($(stat -c %s "copy/$file") / 2))
  code 4 impound verify copy
  says "${file##*/}"
done
rm -rf copy && cp -r "$case" copy
flip copy/evidence/E001.tar.zst 100
code 4 impound verify copy
says "E001"
rm -rf copy && cp -r "$case" copy
rm copy/evidence/E001.tar.zst
code 4 impound verify copy
cp -r "$case" planted
cp planted/evidence/E001.tar.zst planted/evidence/E009.tar.zst
code 4 impound verify planted
says "evidence/E009.tar.zst"

# What is outside the record is named, and said with the verdict.
cp -r whole beside
echo x >"$(printf 'beside/a\nb')"
code 0 impound verify beside
says "; 1 file here is not part of it"
says 'outside the record, not checked: a\x0ab'
cp -r "$case" mine
echo x >mine/notes.txt
echo x >mine/reports/mine.json
code 0 impound verify mine
says "notes.txt"
says "reports/mine.json"

# What is no case at all is an error, not a verdict.
code 3 impound verify "$work/nowhere"
