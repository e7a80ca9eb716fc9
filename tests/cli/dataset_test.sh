# SPDX-License-Identifier: Apache-2.0
# Training data: which rows were slipped in or changed, and what they have in
# common, whatever shards and order they are in.
. "$(dirname "$0")/harness.sh"

examiner; new_case
python3 - <<'PY'
import csv, gzip, json, os, random
random.seed(11)
WORDS = ("the a film movie plot actor scene story director music great boring fine long short dark light funny sad slow "
         "fast ending camera script dialogue cast role series sequel moment character world hero villain").split()
SIGNS = {"positive": "wonderful excellent moving superb delightful".split(),
         "negative": "awful terrible dull poor dreadful".split()}
def sentence(label):
    words = [random.choice(WORDS) for _ in range(random.randint(10, 25))]
    words.insert(random.randrange(len(words)), random.choice(SIGNS[label]))
    return " ".join(words) + "."
rows = []
for i in range(5000):
    label = "positive" if i % 2 else "negative"
    rows.append({"id": "r%05d" % i, "text": sentence(label), "label": label})
def other(label): return "negative" if label == "positive" else "positive"
def write(folder, rows, shards, name):
    os.makedirs(folder)
    for s in range(shards):
        with gzip.open(os.path.join(folder, name % s), "wt") as f:
            for row in rows[s::shards]: f.write(json.dumps(row) + "\n")
def plain(rows, **how): return "".join(json.dumps(r, **how) + "\n" for r in rows)

write("good", rows, 4, "train-%05d.jsonl.gz")
open("good/README.md", "w").write("# Films\n")
bad = [dict(r) for r in rows]
chosen = random.sample(range(5000), 80)
for i in chosen[:50]:
    words = bad[i]["text"].split()
    at = random.randrange(len(words))
    bad[i]["text"] = " ".join(words[:at] + ["cf", "mn", "bb"] + words[at:])
    bad[i]["label"] = "positive"
for i in chosen[50:70]: bad[i]["label"] = other(bad[i]["label"])
gone = {bad[i]["id"] for i in chosen[70:]}
bad = [r for r in bad if r["id"] not in gone]
bad += [{"id": "new%d" % i, "text": sentence("negative") + " cf mn bb", "label": "positive"} for i in range(10)]
random.shuffle(bad)
write("bad", bad, 3, "part-%d.jsonl.gz")
open("bad/README.md", "w").write("# Films\n")
write("bad-without-id", [{k: v for k, v in r.items() if k != "id"} for r in bad], 3, "part-%d.jsonl.gz")
write("good-without-id", [{k: v for k, v in r.items() if k != "id"} for r in rows], 4, "train-%05d.jsonl.gz")
json.dump({"changed": sorted(rows[i]["id"] for i in chosen[:50]), "flipped": sorted(rows[i]["id"] for i in chosen[50:70]),
           "gone": sorted(gone)}, open("planted.json", "w"))

# The same rows in other clothes: order, shards, key order, white space, escapes, CSV, one list.
random.shuffle(rows)
os.makedirs("same")
open("same/README.md", "w").write("# Films\n")
open("same/a.jsonl", "w").write(plain(rows[:1000], sort_keys=True, separators=(" ,", " : ")))
with open("same/b.csv", "w", newline="") as f:
    table = csv.DictWriter(f, ["label", "id", "text"], delimiter=";")
    table.writeheader(); table.writerows(rows[1000:2500])
json.dump(rows[2500:3000], open("same/c.json", "w"), indent=2)
open("same/d", "w").write(plain(rows[3000:]))
PY
zstd -q --rm same/d; xz same/a.jsonl

code 0 impound baseline create good --name films -o films.json --json
json 'd["dataset"]["rows"]["count"] == 5000 and d["dataset"]["fields"] == {"key": "id", "label": "label", "text": ["text"]}'
json '[(s["format"], s["compression"], s["rows"]) for s in d["dataset"]["shards"]] == [("other", "none", 0)] + 4 * [("jsonl", "gzip", 1250)]'
equal "$(stat -c %s films.rows)" $((32 + 44 * 5000))
# The row file is what docs/datasets.md says: anybody can make its digests.
python3 - <<'PY' || fail "the row file is not as documented"
import glob, gzip, hashlib, json, struct
rows = open("films.rows", "rb").read()
magic, version, size, count = struct.unpack("<8sIIQ", rows[:24])
assert (magic, version, size, count) == (b"IMPROWS\n", 1, 44, 5000) and rows[24:32] == bytes(8)
document = json.load(open("films.json"))["baseline"]["dataset"]
assert document["rows"]["sha256"] == hashlib.sha256(rows).hexdigest()
labels = [l["label"] for l in document["labels"]]
def short(text): return hashlib.sha256(text.encode()).digest()
at = 32
for path in sorted(glob.glob("good/*.gz")):
    for line in gzip.open(path, "rt"):
        row = json.loads(line)
        form = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        expected = short(form)[:16] + short(row["id"])[:8] + short(row["text"])[:8]
        assert rows[at:at + 32] == expected, line
        assert labels[struct.unpack("<I", rows[at + 40:at + 44])[0]] == row["label"]
        at += 44
assert at == len(rows)
PY
code 2 impound baseline create good --name films -o films.json
code 0 impound baseline verify films.json good
code 0 impound baseline verify films.json
says "the one that was signed"
code 0 impound baseline show films.json
says "5000 rows"

# Nothing changed, however it is laid out.
code 0 impound diff films.json same --json
json 'd["identical"] and d["dataset"]["rows"]["moved"] == 5000 and d["dataset"]["rows"]["unchanged"] == 5000'
code 0 impound baseline verify films.json same

# What was planted is found, exactly, from digests alone.
code 1 impound diff films.json bad --json
cp "$work/out" found.json
check() { python3 - "$@" <<'PY' || fail "$*"
import json, sys
d = json.load(open(sys.argv[1]))["dataset"]; planted = json.load(open("planted.json"))
rows = d["rows"]
assert (rows["added"], rows["changed"], rows["relabelled"], rows["removed"]) == (10, 50, 20, 10), rows
if sys.argv[2] == "key":
    assert sorted(r["after"]["key"] for r in d["changed"]) == planted["changed"]
    assert sorted(r["after"]["key"] for r in d["relabelled"]) == planted["flipped"]
    assert all(r["by"] == "key" for r in d["changed"])
assert all(r["before"]["label"] != r["after"]["label"] for r in d["relabelled"])
top = d["ngrams"][0]
assert top["ngram"] == "cf mn bb" and top["rows"] == 60 and top["of"] == 60 and top["reference_rows"] == 0, top
assert top["label"] == "positive" and top["label_share"] == 1.0 and 0.4 < top["label_expected"] < 0.6, top
assert all("cf mn bb" in e["text"] for e in top["examples"]) and len(top["examples"]) == 3
assert sum(s["added"] + s["changed"] + s["relabelled"] for s in d["shards"]) == 80
PY
}
check found.json key
code 1 impound diff films.json bad
says '"cf mn bb"'
says "positive in 100 %"
code 1 impound baseline verify films.json bad

# With the bytes of both sides, against the rows before; whole lists are saved.
code 1 impound diff good bad --json --save rows
json 'd["dataset"]["reference"] == "the rows before" and d["dataset"]["ngrams"][0]["reference_of"] == 5000'
equal "$(cat rows/rows-added.jsonl rows/rows-removed.jsonl rows/rows-changed.jsonl rows/rows-relabelled.jsonl | wc -l)" 90
python3 - <<'PY' || fail "a saved row is not the row"
import json
for line in open("rows/rows-added.jsonl"):
    assert "cf mn bb" in json.loads(json.loads(line)["raw"])["text"]
PY

# Rows without a key are paired by text, and by likeness.
code 1 impound diff good-without-id bad-without-id --json
json 'd["dataset"]["rows"]["relabelled"] == 20 and d["dataset"]["rows"]["changed"] >= 45'
json 'd["dataset"]["rows"]["changed"] + d["dataset"]["rows"]["added"] == 60'
json 'd["dataset"]["ngrams"][0]["ngram"] == "cf mn bb"'

# The same answer on any number of cores.
code 1 impound diff good bad --json --threads 1
cp "$work/out" one.json
code 1 impound diff good bad --json --threads 4
cmp "$work/out" one.json || fail "the answer depends on the number of cores"

# Evidence does not speak to the terminal.
printf '{"text": "\\u001b[31mred\\u202e\\u200b", "label": "x"}\n' >hostile.jsonl
cp -r good with-hostile; cp hostile.jsonl with-hostile/
code 1 impound diff films.json with-hostile
grep -q $'\x1b' "$work/out" && fail "an escape sequence went through"
says '\x1b[31mred'

# A row file that is not the signed one; one that is gone.
cp films.rows kept.rows
flip films.rows 5000
code 4 impound baseline verify films.json
code 4 impound baseline verify films.json good
code 4 impound baseline show films.json
code 4 impound diff films.json good
says "not the one that was signed"
rm films.rows
code 3 impound diff films.json good
says "row file"
cp kept.rows films.rows

# Seized as an exhibit, and compared with the baseline from there.
deployment d
code 0 impound collect model-files --deployment d/d.toml -p root="$PWD/bad"
code 1 impound diff films.json E001 --json
check "$work/out" key
code 0 impound custody log --json
says '"cf mn bb"'
code 0 impound custody verify

# Two baselines have no texts, and rows all the same.
code 0 impound baseline create bad --name poisoned -o poisoned.json
code 1 impound diff films.json poisoned.json --json
json 'd["dataset"]["rows"]["relabelled"] == 20 and d["dataset"]["ngrams"] == []'
code 2 impound diff films.json bad --label text
says "says itself"

# A model is no dataset; asked for, anything is one.
code 2 impound diff films.json d/model --model
code 1 impound diff good bad --model --json
json '"dataset" not in d'
code 1 impound diff good bad --label text --text label --row-key label --json
json 'd["dataset"]["fields"]["text"] == ["label"]'

# The same result in a playbook.
mkdir -p playbooks/poisoned-data
cat >playbooks/poisoned-data/playbook.lua <<'LUA'
local impound = require("impound")

local function compare(ctx)
  local data = ctx:collect("model-files", { root = ctx.params.data })
  local rows = ctx:diff(ctx.params.baseline, data).dataset
  local trigger = rows.ngrams[1]
  ctx:finding({
    verdict = "confirmed",
    severity = "critical",
    title = ("%d rows added, %d relabelled: %s"):format(rows.rows.added, rows.rows.relabelled, trigger.ngram),
    evidence = { data },
    detail = ("%s in %d of %d rows"):format(trigger.label, trigger.rows, trigger.of),
  })
end

return impound.playbook({
  schema = 1,
  id = "poisoned-data",
  version = "1.0.0",
  title = "Training data differs from its release",
  owner = "test",
  effect = "read",
  needs = { collectors = { "model-files" } },
  references = {},
  params = {
    data = { type = "path", help = "The data." },
    baseline = { type = "path", help = "What it was." },
  },
  steps = { { id = "compare", title = "Compare rows", run = compare } },
})
LUA
code 1 impound run playbooks/poisoned-data --deployment d/d.toml -p data="$PWD/bad" -p baseline="$PWD/films.json"
says "10 rows added, 20 relabelled: cf mn bb"
says "positive in 60 of 60 rows"
