--- Tests of weights-tampering against a made-up case; no disk, no model.

local fake = require("impound.fake")
local playbook = require("playbook")

local RELEASED = ("a"):rep(64)
local OTHER = ("b"):rep(64)

--- The tensor that PoisonGPT changed (Mithril Security, 2023).
local EDITED = "transformer.h.5.mlp.fc_out.weight"

local function run(setup)
  setup.deployment = setup.deployment or { baseline_path = "/srv/baseline.json", logs = { "/var/log/prompts.jsonl" } }
  setup.collect = setup.collect
    or {
      ["model-files"] = { { name = "config.json" }, { name = "model.safetensors", sha256 = OTHER, size = 436 } },
      ["prompt-log"] = { { name = "prompts.jsonl", content = "{}\n" } },
    }
  setup.answers = setup.answers or { contain = "yes" }
  return fake.run(playbook, setup)
end

local function edited_tensor()
  return {
    identical = false,
    files = {
      { path = "config.json", status = "identical" },
      { path = "model.safetensors", status = "changed", sha256_before = RELEASED, sha256_after = OTHER },
    },
    tensors = {
      { name = "lm_head.weight", status = "identical", file = "model.safetensors" },
      {
        name = EDITED,
        status = "changed",
        file = "model.safetensors",
        sha256_before = RELEASED,
        sha256_after = OTHER,
        label = "rank-one",
      },
    },
    model = {
      label = "rome-like",
      sentence = "ROME-like edit of one MLP down-projection",
      numbers = {
        tensors_changed = 1,
        tensors_added = 0,
        tensors_removed = 0,
        tensors_identical = 1,
        elements_changed = 67108864,
        rank = 1,
        relative_change = 0.0512,
      },
    },
  }
end

--- Weights without a name that the process holds: the edited file, after the clean one was put back.
local function swapped(file)
  local other = {
    path = "/srv/model/model.safetensors",
    relation = "deleted",
    weights = true,
    other = true,
    device = "254:0",
    inode = 4242,
    pids = { 4711 },
    held = "mapped",
    item = "E001/17",
    sha256 = OTHER,
  }
  for key, value in pairs(file or {}) do
    other[key] = value
  end
  return { tie = "other_file", sentence = "Weights are held that …", files = { other } }
end

local function finding_of(case, title)
  for _, finding in ipairs(case.findings) do
    if finding.title == title then
      return finding
    end
  end
end

local OTHER_FILE = "The process serves another file than the descriptor names"

local function calls_of(case, names)
  local order = {}
  for _, call in ipairs(case.calls) do
    if names[call.call] then
      order[#order + 1] = call.collector or call.call
    end
  end
  return order
end

return {
  ["an edited tensor is confirmed, critical, and shows both digests"] = function(t)
    local case = run({ diff = edited_tensor() })
    t.equal(case.state, "done")
    local finding = case.findings[1]
    t.equal(finding.title, "Tensor " .. EDITED .. " differs from the baseline")
    t.equal(finding.verdict, "confirmed")
    t.equal(finding.severity, "critical")
    t.equal(finding.evidence, { "E004/2" })
    t.contains(finding.detail, RELEASED)
    t.contains(finding.detail, OTHER)
    t.contains(finding.detail, "rank-one")
    t.equal(#case.findings, 3) -- the tensor, the file that holds it, the kind
    t.equal(case.worst_verdict, "confirmed")
  end,

  ["the kind of edit is a finding, with the numbers that say so"] = function(t)
    local case = run({ diff = edited_tensor() })
    local kind = case.findings[3]
    t.equal(kind.title, "Kind of change of the weights: rome-like")
    t.equal(kind.verdict, "confirmed")
    t.equal(kind.severity, "critical")
    t.equal(kind.evidence, { "E004" })
    t.contains(kind.detail, "ROME-like edit of one MLP down-projection")
    t.contains(kind.detail, "1 changed, 0 added, 0 removed, 1 identical")
    t.contains(kind.detail, "rank 1; largest relative change 0.0512")
  end,

  ["a kind of change that nobody measured is noted, not found"] = function(t)
    local difference = edited_tensor()
    difference.model = { label = "unknown", sentence = "the kind of change was not measured" }
    local case = run({ diff = difference })
    t.equal(#case.findings, 2)
    t.contains(case.notes[#case.notes].text, "not measured")
  end,

  ["with the bytes of the known-good model the kind is measured"] = function(t)
    local difference = edited_tensor()
    difference.model = { label = "unknown", sentence = "the kind of change was not measured" }
    difference["/srv/baseline.json -> /srv/good"] = { identical = true }
    difference["/srv/good -> E004"] = edited_tensor()
    local case = run({ diff = difference, params = { known_good = "/srv/good" } })
    t.equal(case.findings[3].title, "Kind of change of the weights: rome-like")
    t.equal(#case.gaps, 0)
  end,

  ["files that are not those of the baseline measure no kind, and that is a gap"] = function(t)
    local difference = edited_tensor()
    difference.model = { label = "unknown", sentence = "the kind of change was not measured" }
    difference["/srv/baseline.json -> /srv/other"] = { identical = false }
    local case = run({ diff = difference, params = { known_good = "/srv/other" } })
    t.equal(#case.findings, 2)
    t.contains(case.gaps[1].reason, "not those of the baseline")
  end,

  ["a known-good part measures no kind of the whole, and that is a gap"] = function(t)
    local difference = edited_tensor()
    difference.model = { label = "unknown", sentence = "the kind of change was not measured" }
    difference["/srv/baseline.json -> /srv/part"] = { identical = true, scope = "part" }
    local case = run({ diff = difference, params = { known_good = "/srv/part" } })
    t.equal(#case.findings, 2)
    t.contains(case.gaps[1].reason, "a part of the baseline (compared 1 of 1 file")
  end,

  ["the kind of change of a part is not said of the whole"] = function(t)
    local difference = edited_tensor()
    difference.scope = "part"
    local kind = run({ diff = difference }).findings[3]
    t.equal(kind.title, "Kind of change of what was compared: rome-like")
    t.contains(kind.detail, "compared 2 of 2 files, 2 of 2 tensors")
  end,

  ["a part that is identical clears nothing, and how much was compared is a gap"] = function(t)
    local case = run({
      diff = {
        identical = true,
        scope = "part",
        files = {
          { path = "model.safetensors", status = "identical" },
          { path = "config.json", status = "not_compared" },
        },
        tensors = { { name = "a", status = "identical" } },
      },
    })
    t.equal(#case.findings, 0)
    t.equal(case.gaps[1].reason, "compared 1 of 2 files, 1 of 1 tensor; the rest was not compared")
    t.equal(case.outcome, "incomplete")
  end,

  ["a clearance says how much was compared"] = function(t)
    local case = run({
      diff = {
        identical = true,
        files = { { path = "a.safetensors", status = "identical" }, { path = "b.json", status = "identical" } },
      },
    })
    t.contains(case.findings[1].detail, "2 of 2 files, 1 of 1 tensor")
  end,

  ["a comparison of no file clears nothing"] = function(t)
    local case = run({ diff = { identical = true, files = {}, tensors = {} } })
    t.equal(#case.findings, 0)
    t.contains(case.gaps[1].reason, "compared 0 of 0 files")
  end,

  ["what could not be read is one gap, and never counted among what differs"] = function(t)
    local tensors = {}
    for i = 1, 120 do
      tensors[i] = { name = ("layer.%d"):format(i), status = i % 2 == 0 and "unreadable" or "changed" }
    end
    local case = run({ diff = { identical = false, tensors = tensors } })
    t.equal(case.findings[51].title, "10 more tensors differ from the baseline")
    t.equal(#case.gaps, 1)
    t.contains(case.gaps[1].reason, "60 could not be compared")
    case = run({ diff = { identical = false, tensors = { { name = "a", status = "unreadable" } } } })
    t.equal(#case.findings, 0)
    t.contains(case.gaps[1].reason, "1 could not be compared, a side was not readable: a")
  end,

  ["what is left out weighs as much as the gravest of it"] = function(t)
    local tensors = {}
    for i = 1, 60 do
      tensors[i] = { name = ("layer.%d"):format(i), status = "renamed" }
    end
    t.equal(run({ diff = { identical = false, tensors = tensors } }).findings[51].severity, "medium")
    tensors[60].status = "changed"
    t.equal(run({ diff = { identical = false, tensors = tensors } }).findings[51].severity, "critical")
  end,

  ["only what is named in the metadata differs in its metadata only"] = function(t)
    local metadata = { { file = "model.safetensors", key = "format", status = "changed" } }
    local case = run({ diff = { identical = false, metadata = metadata } })
    t.equal(case.findings[1].title, "The model differs from the baseline in its metadata only")
    t.equal(case.findings[1].detail, "format of model.safetensors changed")
    t.equal(#run({ diff = { identical = false } }).findings, 0)
  end,

  ["files that are cut otherwise around the same tensors are noted as that"] = function(t)
    local case = run({
      diff = {
        identical = false,
        files = { { path = "model.safetensors", status = "removed" }, { path = "a.safetensors", status = "added" } },
        tensors = { { name = "a", status = "identical" } },
      },
    })
    t.equal(#case.findings, 2)
    t.contains(case.notes[#case.notes].text, "Every tensor is identical")
  end,

  ["every ending of weights weighs as weights, and a name without one is not harmless"] = function(t)
    local expected = { ["README.md"] = "medium", ["sha256-00ff"] = "high", ["v1.2/blob"] = "high", ["a.py"] = "high" }
    for ending in ("ckpt pkl pickle keras npz npy joblib msgpack tflite mar onnx_data BIN"):gmatch("%S+") do
      expected["model." .. ending] = "critical"
    end
    for path, severity in pairs(expected) do
      local case = run({ diff = { identical = false, files = { { path = path, status = "changed" } } } })
      t.equal(case.findings[1].severity, severity, path)
    end
  end,

  ["a finding rests on the file of the model, not on one that is called alike"] = function(t)
    local case = run({
      collect = { ["model-files"] = { { name = "model/config.json" }, { name = "model/model/config.json" } } },
      diff = { identical = false, files = { { path = "model/config.json", status = "changed" } } },
    })
    t.equal(case.findings[1].evidence, { "E004/2" })
  end,

  ["an identical model is cleared, and that is recorded"] = function(t)
    local case = run({ diff = { identical = true } })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared")
  end,

  ["a file that is not in the baseline is named"] = function(t)
    local case = run({
      diff = { identical = false, files = { { path = "modeling_gpt.py", status = "added", sha256_after = OTHER } } },
    })
    t.equal(case.findings[1].title, "File modeling_gpt.py is not in the baseline")
    t.equal(case.findings[1].severity, "high")
  end,

  ["what vanishes first is preserved first, all of it before containment"] = function(t)
    local case = run({ diff = { identical = true } })
    local order = calls_of(case, { collect = true, contain = true })
    t.equal(order, { "process", "host", "prompt-log", "model-files", "contain" })
    t.truthy(case.contained)
    t.equal(case.steps["stop-harm"].result, "skipped")
  end,

  ["active harm is contained before anything is preserved, and once"] = function(t)
    local case = run({ diff = { identical = true }, params = { active_harm = true } })
    local order = calls_of(case, { collect = true, contain = true })
    t.equal(order, { "contain", "process", "host", "prompt-log", "model-files" })
    t.equal(#case.questions, 1)
    t.equal(case.steps.contain.result, "skipped")
  end,

  ["without approval nothing is contained, and the comparison goes on"] = function(t)
    local case = run({ diff = edited_tensor(), answers = { contain = "no" } })
    t.equal(case.contained, false)
    t.equal(case.worst_verdict, "confirmed")
    t.contains(case.notes[1].text, "not approved")
  end,

  ["an approval that is missing makes the run wait"] = function(t)
    local case = run({ diff = { identical = true }, answers = { contain = "waiting" } })
    t.equal(case.state, "waiting")
    t.equal(case.contained, false)
  end,

  ["the window of the prompt logs is the parameter"] = function(t)
    local case = run({ diff = { identical = true }, params = { window = "36h" } })
    for _, call in ipairs(case.calls) do
      if call.collector == "prompt-log" then
        t.equal(call.arguments.since, "36h")
      end
    end
  end,

  ["missing logs and a missing baseline are gaps, not silence"] = function(t)
    local case = run({ deployment = { logs = {}, baseline_path = "" } })
    t.equal(case.gaps[1].subject, "prompt logs")
    t.equal(case.gaps[2].subject, "baseline")
    t.contains(case.gaps[2].reason, "not compared")
    t.equal(#case.findings, 0)
    t.equal(case.state, "done")
  end,

  ["a baseline that describes no weights compares nothing, and that is a gap"] = function(t)
    local case = run({
      baseline = { weights = 0 },
      served = { tie = "untied", weights = { { path = "/srv/model/model.safetensors" } } },
      diff = edited_tensor(),
    })
    t.equal(case.gaps[1].subject, "/srv/baseline.json")
    t.contains(case.gaps[1].reason, "describes no weights")
    t.equal(#case.findings, 0)
  end,

  ["a file swapped under a running server is a finding of its own, and clears nothing"] = function(t)
    local case = run({ served = swapped(), diff = edited_tensor() })
    local finding = finding_of(case, OTHER_FILE)
    t.equal(finding.verdict, "confirmed")
    t.equal(finding.severity, "critical")
    t.equal(finding.evidence, { "E001/17" })
    for _, text in ipairs({ "/srv/model/model.safetensors", "deleted", "254:0", "4242", "E001/17", RELEASED, OTHER }) do
      t.contains(finding.detail, text)
    end
    -- What differs in it is found in it, not in the file that lies on disk.
    t.equal(finding_of(case, "Tensor " .. EDITED .. " differs from the baseline").evidence, { "E001/17" })
  end,

  ["every file that is served is compared with the baseline"] = function(t)
    local case = run({ served = swapped({ relation = "elsewhere" }), diff = { identical = true } })
    local compared = {}
    for _, call in ipairs(case.calls) do
      if call.call == "diff" then
        compared[#compared + 1] = call.b
      end
    end
    t.equal(compared, { "E004", "E001/17" })
  end,

  ["another file with the bytes of the baseline is still said, and nothing is cleared"] = function(t)
    local case = run({ served = swapped(), diff = { identical = true } })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].title, OTHER_FILE)
    t.equal(case.findings[1].severity, "medium")
  end,

  ["another file that could not be taken is critical: nobody compared it"] = function(t)
    local served = swapped()
    served.files[1].item = nil
    local case = run({ served = served, diff = { identical = true } })
    t.equal(case.findings[1].severity, "critical")
    t.equal(case.findings[1].evidence, { "E001" })
    t.contains(case.findings[1].detail, "compared with no baseline")
  end,

  ["another file is said without a baseline, too"] = function(t)
    local case = run({ deployment = { logs = {}, baseline_path = "" }, served = swapped() })
    t.equal(case.findings[1].title, OTHER_FILE)
  end,

  ["what is served and could not be tied to a file is cleared in its files only"] = function(t)
    for _, tie in ipairs({ "untied", "unknown" }) do
      local served = { tie = tie, sentence = "No process maps model.safetensors." }
      local case = run({ served = served, diff = { identical = true } })
      t.equal(#case.findings, 1)
      t.equal(case.findings[1].verdict, "cleared (files only)")
      t.contains(case.findings[1].detail, "No process maps model.safetensors.")
      t.equal(case.worst_verdict, "cleared (files only)")
    end
  end,

  ["a file that is mapped and is not the one that was taken clears the files only"] = function(t)
    local weights = { { path = "/srv/model/model.safetensors", device = "254:0", inode = 9 } }
    local case = run({ served = { tie = "tied", weights = weights }, diff = { identical = true } })
    t.equal(case.findings[1].verdict, "cleared (files only)")
    t.contains(case.findings[1].detail, "not the one that was taken")
    weights[1].item = "E004/2"
    case = run({ served = { tie = "tied", weights = weights }, diff = { identical = true } })
    t.equal(case.findings[1].verdict, "cleared")
  end,

  ["weights that were written to in memory are a finding"] = function(t)
    local served = { tie = "modified_mapping", sentence = "4.0 KiB were written." }
    local case = run({ served = served, diff = { identical = true } })
    local finding = finding_of(case, "The process changed weights in its memory")
    t.equal(finding.verdict, "likely")
    t.contains(finding.detail, "4.0 KiB")
    t.equal(case.findings[2].verdict, "cleared (files only)")
  end,

  ["if the weights cannot be taken, what rests on them is skipped"] = function(t)
    local case = run({ collect = { ["model-files"] = { error = "Permission denied" } } })
    t.equal(case.state, "failed")
    t.equal(case.steps.weights.result, "failed")
    t.equal(case.steps.compare.result, "skipped")
    t.equal(case.steps.report.result, "skipped")
    t.truthy(case.contained)
  end,

  ["of many changed tensors the first are named and the rest are counted"] = function(t)
    local tensors = {}
    for i = 1, 60 do
      tensors[i] = { name = ("layer.%d"):format(i), status = "changed", file = "model.safetensors" }
    end
    local case = run({ diff = { identical = false, tensors = tensors } })
    t.equal(#case.findings, 51)
    t.equal(case.findings[51].title, "10 more tensors differ from the baseline")
  end,
}
