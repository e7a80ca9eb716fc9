--- Tests of chat-template against a made-up case; no disk, no model.

local fake = require("impound.fake")
local playbook = require("playbook")

local RELEASED = ("a"):rep(64)
local SERVED = ("b"):rep(64)

local function run(setup)
  setup.deployment = setup.deployment or { baseline_path = "/srv/baseline.json", logs = { "/var/log/prompts.jsonl" } }
  local files = { { name = "config.json" }, { name = "tokenizer_config.json", sha256 = SERVED } }
  setup.collect = { ["model-files"] = files }
  setup.answers = setup.answers or { contain = "yes" }
  return fake.run(playbook, setup)
end

local function scanned(findings)
  return {
    complete = true,
    files = { { path = "tokenizer_config.json", verdict = "needs-review", read_to_end = true, findings = findings } },
  }
end

local TRIGGER = {
  rule = "template-content-trigger",
  severity = "high",
  offset = 0,
  member = "chat_template",
  message = "writes text of its own into the prompt because of what a message says (line 1)",
  evidence = "when a user message matches 'invoice', the template writes: pay to DE00",
}

--- The template as it was released, and what else is in `other`.
local function released(other)
  local difference = {
    identical = true,
    files = {
      { path = "config.json", status = "identical" },
      { path = "tokenizer_config.json", status = "identical" },
    },
  }
  for key, value in pairs(other or {}) do
    difference[key] = value
  end
  return difference
end

local function changed()
  return {
    identical = false,
    files = {
      { path = "README.md", status = "changed" },
      { path = "tokenizer_config.json", status = "changed", sha256_before = RELEASED, sha256_after = SERVED },
    },
  }
end

return {
  ["a trigger is confirmed, with what it writes, and so is the change since the release"] = function(t)
    local case = run({ scan = scanned({ TRIGGER }), diff = changed() })
    t.equal(case.state, "done")
    t.equal(#case.findings, 2)
    t.equal(case.findings[1].severity, "high")
    t.equal(case.findings[1].evidence, { "E004/2" })
    t.contains(case.findings[1].detail, "pay to DE00")
    t.contains(case.findings[2].title, "was changed since the release")
    t.contains(case.findings[2].detail, RELEASED)
    t.truthy(case.contained)
  end,

  ["a template that is released and quiet is cleared, of the files: what the server read is not known"] = function(t)
    local case = run({ scan = scanned({}), diff = released() })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared (files only)")
    t.contains(case.findings[1].detail, "tokenizer_config.json is read when the server starts")
  end,

  ["a template in a file that the process maps is cleared"] = function(t)
    local answer = scanned({})
    answer.files[1].path = "model.gguf"
    local case =
      run({ scan = answer, diff = { identical = true, files = { { path = "model.gguf", status = "identical" } } } })
    t.equal(case.findings[1].verdict, "cleared")
  end,

  ["findings about other things and remarks are not this playbook's"] = function(t)
    local other = { rule = "content-secret", severity = "high", offset = 0, message = "a key", evidence = "x" }
    local remark = { rule = "template-unknown-function", severity = "low", offset = 0, message = "m", evidence = "e" }
    local case = run({ scan = scanned({ other, remark }), diff = released() })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared (files only)")
  end,

  ["a change that nothing explains is still a finding, and clears nothing"] = function(t)
    local case = run({ scan = scanned({}), diff = changed() })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "confirmed")
  end,

  ["the bytes of a release are preferred to the baseline"] = function(t)
    local case = run({ scan = scanned({}), diff = released(), params = { released = "/srv/release" } })
    for _, call in ipairs(case.calls) do
      if call.call == "diff" then
        t.equal(call.a, "/srv/release")
      end
    end
  end,

  ["nothing to compare with is a gap, not a clearance"] = function(t)
    local case = run({ scan = scanned({}), deployment = { baseline_path = "", logs = {} } })
    t.equal(case.gaps[2].subject, "released template")
    t.equal(#case.findings, 0)
  end,

  ["without approval nothing is contained, and the reading goes on"] = function(t)
    local case = run({ scan = scanned({ TRIGGER }), diff = changed(), answers = { contain = "no" } })
    t.equal(case.contained, false)
    t.equal(#case.findings, 2)
  end,

  ["a template that was not compared is a gap, no finding, and clears nothing"] = function(t)
    local reasons = { not_compared = "the one file that was named is not it", unreadable = "could not be read" }
    for status, why in pairs(reasons) do
      local case = run({
        scan = scanned({}),
        diff = { identical = false, files = { { path = "tokenizer_config.json", status = status } } },
      })
      t.equal(#case.findings, 0)
      t.equal(case.gaps[1].subject, "tokenizer_config.json")
      t.contains(case.gaps[1].reason, why)
      t.equal(case.outcome, "incomplete")
    end
  end,

  ["one template that was not compared keeps the other from being cleared"] = function(t)
    local difference = released()
    difference.files[3] = { path = "chat_template.jinja", status = "not_compared" }
    local case = run({ scan = scanned({}), diff = difference })
    t.equal(#case.findings, 0)
    t.equal(#case.gaps, 1)
  end,

  ["a model without a file that carries templates has none that was released"] = function(t)
    local case = run({
      scan = { complete = true, files = { { path = "config.json", read_to_end = true, findings = {} } } },
      diff = { identical = true, files = { { path = "config.json", status = "identical" } } },
    })
    t.equal(#case.findings, 0)
    t.equal(case.gaps[1].subject, "chat template")
  end,

  ["a template that is new or gone is said as that"] = function(t)
    for status, title in pairs({ added = "is not in the release", removed = "is missing, the release has it" }) do
      local case = run({
        scan = scanned({}),
        diff = { identical = false, files = { { path = "chat_template.jinja", status = status } } },
      })
      t.contains(case.findings[1].title, title)
    end
  end,

  ["templates are not cleared while the process holds other files"] = function(t)
    local other = { path = "/srv/x", relation = "elsewhere", other = true, device = "0:1", inode = 1, pids = { 1 } }
    other.held, other.item = "mapped", "E001/9"
    local case = run({
      scan = { E004 = scanned({}), ["E001/9"] = { files = {}, complete = true } },
      diff = released(),
      served = { tie = "other_file", files = { other } },
    })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].title, "The process serves another file than the descriptor names")
  end,

  ["weights that were changed in memory are said beside the template"] = function(t)
    local served = { tie = "modified_mapping", sentence = "4.0 KiB were written." }
    local case = run({ scan = scanned({}), diff = released(), served = served })
    t.equal(case.findings[1].title, "The process changed weights in its memory")
    t.equal(case.findings[2].verdict, "cleared (files only)")
  end,
}
