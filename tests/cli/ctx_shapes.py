#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a playbook that calls every function of lua/api/context.lua in every documented shape.

The shapes come from the stubs: each optional parameter and field absent and present, each alternative of a type, all
pairs of optional fields, and then values of types that nobody documented. Prints the number of shapes.

usage: ctx_shapes.py lua/api/context.lua FOLDER
"""
import itertools
import os
import re
import sys

# What a text or number is in a call that can succeed, by the name of the parameter or field.
SAMPLES = {
    "collector": ['"model-files"', '"process"', '"host"', '"prompt-log"'],
    "method": ['"process"'],
    "pid": ["ctx.params.pid"],
    "since": ['"7d"', '"2026-11-02T00:00:00Z"'],
    "until": ['"1h"'],
    "timestamp": ['"ts"'],
    "root": ["ctx.deployment.model_path"],
    "impound.CollectParameters.path": ["ctx.params.logs"],
    "impound.ContainParameters.method": ['"auto"'],
    # Of a command's programs none is run: only a descriptor may say them.
    "impound.ContainParameters.before": ['"/bin/false"'],
    "apply": ['"/bin/false"'],
    "probe": ['"/bin/false"'],
    "undo": ['"/bin/false"'],
    "keeps": ['"weights"'],
    "timeout_ms": ["100"],
    "socket": ["ctx.params.logs"],
    "containers": ['"web"'],
    "action": ['"pause"'],
    "scope": ['"ports"'],
    "ports": ['"8000"'],
    "allow": ['"192.0.2.1"'],
    "namespace": ["ctx.params.logs"],
    "config": ["ctx.params.logs"],
    "server_names": ['"model.example.org"'],
    "pid_file": ["ctx.params.logs"],
    "main": ["ctx.params.logs"],
    "old_workers": ['"end"'],
    "sockets": ['"127.0.0.1:9"'],
    "servers": ['"models/one"'],
    "reason": ['"a reason"'],
    "before": ["ctx.deployment.baseline_path"],
    "after": ["weights"],
    "path": ["ctx.deployment.baseline_path"],
    "exhibit": ["weights.id"],
    "subject": ["weights.id"],
    "key": ["ctx.params.key"],
    "signature": ["ctx.params.signature"],
    "certificate_chain": ["ctx.params.key"],
    "identity": ['"ada@example.org"'],
    "issuer": ['"https://example.org"'],
    "title": ['"A title"'],
    "detail": ['"two values"'],
    "evidence": ["weights.id"],
    "text": ['"a note"'],
    "id": ['"free"'],
    "question": ['"What now?"'],
    "choices": ['"a", "b"'],
    "default": ['"a"'],
    "pattern": ['"**/*.json"'],
    "name": ['"config.json"'],
    "offset": ["0", "1"],
    "length": ["0", "4"],
}
# Values of types that no stub promises. Text is left out where it would name something undeclared or a question that
# nobody answers: those end a run on purpose.
ODD = ["5", "-1", "2.5", "1e300", "0/0", "true", "{}", "{ {} }", "{ 1, 2 }", "{ a = { b = {} } }", '""', r'"\xff\0"']
ODD_NOT_TEXT = [value for value in ODD if not value.startswith('"')]
NAMES_SOMETHING = {"collector", "method", "id"}
NUMBERS_SOMETHING = {"pid"}  # a process of somebody else: ends a run on purpose
MAKES = {"impound.Exhibit": ["weights"], "impound.Item": ["item"]}


def odd_of(name):
    odd = ODD_NOT_TEXT if name in NAMES_SOMETHING else ODD
    return [value for value in odd if value != "5" or name not in NUMBERS_SOMETHING]


def parse(path):
    functions, classes, aliases, owners = {}, {}, {}, {}
    comment, inside = [], None
    for line in open(path, encoding="utf-8"):
        line = line.rstrip()
        if line.startswith("---@alias "):
            inside, name = aliases.setdefault(line.split()[1], []), None
        elif line.startswith("---@class "):
            inside = classes.setdefault(line.split()[1], [])
        elif line.startswith("---@field ") and isinstance(inside, list):
            name, rest = line[len("---@field "):].split(" ", 1)
            kind = type_at(rest)
            # "process: A process to take": whose parameter it is.
            owner = re.match(r" ([a-z-]+): ", rest[len(kind):])
            inside.append((name, kind))
            if owner:
                owners[name.rstrip("?")] = owner[1]
        elif line.startswith("---| "):
            inside.extend(re.findall(r'"[^"]*"', line))
        elif line.startswith("---@param "):
            name, rest = line[len("---@param "):].split(" ", 1)
            comment.append((name, type_at(rest)))
        else:
            found = re.match(r"function (Context|Exhibit|Item):(\w+)\((.*)\)", line)
            if found:
                functions[(found[1], found[2])] = comment
                named = [name.rstrip("?") for name, _ in comment]
                given = [name for name in found[3].replace(" ", "").split(",") if name]
                assert named == given, (found[2], named, given)
            if not line.startswith("---"):
                comment, inside = [], None
    return functions, classes, aliases, owners


def type_at(text):
    """The type at the beginning of a line; the rest of it is prose."""
    depth, end = 0, len(text)
    for i, c in enumerate(text):
        depth += (c in "({<") - (c in ")}>")
        if c == " " and depth == 0:
            end = i
            break
    return text[:end]


def alternatives(text):
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c in "({<") - (c in ")}>")
        if c == "|" and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    return parts + [part]


class Shapes:
    def __init__(self, classes, aliases):
        self.classes, self.aliases = classes, aliases

    def values(self, kind, name):
        found = []
        for one in alternatives(kind):
            found += self.values_of(one, name)
        return list(dict.fromkeys(found))

    def values_of(self, kind, name):
        if kind in MAKES:
            return MAKES[kind]
        if kind.endswith("[]"):
            inner = kind[:-2].strip("()")
            return ["{ %s }" % value for value in self.values(inner, name)]
        if kind.startswith('"'):
            return [kind]
        if kind in self.aliases:
            return self.aliases[kind]
        if kind in self.classes:
            return self.tables(self.classes[kind], kind + ".")
        if kind.startswith("{"):
            fields = re.findall(r'(\w+\??):\s*([^,}]+)', kind)
            return self.tables([(field, inner.strip()) for field, inner in fields])
        if kind == "boolean":
            return ["true", "false"]
        if kind == "any":
            return ['"text"', "5", "true", "weights", "{ a = 1 }"]
        if kind in ("string", "integer") or kind.startswith("table<"):
            return SAMPLES[name] if name in SAMPLES else SAMPLES[name.rsplit(".", 1)[-1]]
        raise SystemExit("ctx_shapes.py does not know the type %r of %s" % (kind, name))

    def tables(self, fields, prefix=""):
        """Required fields with each value, then the optional ones: none, each, pairs, all."""
        required = [(n, self.values(t, prefix + n)) for n, t in fields if not n.endswith("?")]
        optional = [(n[:-1], self.values(t, prefix + n[:-1])) for n, t in fields if n.endswith("?")]
        base = {name: values[0] for name, values in required}
        shapes = [base]
        shapes += [base | {name: value} for name, values in required for value in values[1:]]
        shapes += [base | {name: value} for name, values in optional for value in values]
        shapes += [
            base | {a[0]: a[1][0], b[0]: b[1][0]} for a, b in itertools.combinations(optional, 2)
        ]
        shapes.append(base | {name: values[0] for name, values in optional})
        for name, _ in required:  # each one missing
            shapes.append({other: value for other, value in base.items() if other != name})
        for name, _ in required + optional:
            shapes += [base | {name: value} for value in odd_of(name)]
        for shape in shapes:  # a question is answered by its id, so that it can be
            if shape.get("id") == '"free"' and shape.keys() & {"approves", "choices"}:
                shape["id"] = '"act"' if "approves" in shape else '"chosen"'
        return ["{ %s }" % ", ".join("[\"%s\"] = %s" % pair for pair in shape.items()) for shape in shapes]


def calls(shapes, owners, owner, function, parameters):
    required = [(n, shapes.values(t, n)) for n, t in parameters if not n.endswith("?")]
    optional = [(n[:-1], shapes.values(t, n[:-1])) for n, t in parameters if n.endswith("?")]
    lists = []
    firsts = [values[0] for _, values in required]
    lists.append(firsts)
    for i, (_, values) in enumerate(required):
        lists += [firsts[:i] + [value] + firsts[i + 1:] for value in values[1:]]
    for count in range(1, len(optional) + 1):
        head = firsts + [values[0] for _, values in optional[:count - 1]]
        lists += [head + [value] for value in optional[count - 1][1]]
    everything = required + optional
    full = firsts + [values[0] for _, values in optional]
    for i, (name, _) in enumerate(everything):
        lists += [full[:i] + [value] + full[i + 1:] for value in odd_of(name)]
        lists.append(full[:i] + ["nil"] + full[i + 1:])
    lists.append([])
    if function == "collect":  # each collector with its own parameters
        fields = shapes.classes["impound.CollectParameters"]
        for collector in SAMPLES["collector"]:
            own = [field for field in fields if '"%s"' % owners[field[0].rstrip("?")] == collector]
            lists += [[collector, table] for table in shapes.tables(own, "impound.CollectParameters.")]
    receiver = {"Context": "ctx", "Exhibit": "weights", "Item": "item"}[owner]
    for arguments in lists:
        yield "%s:%s(%s)" % (receiver, function, ", ".join(arguments))


HEAD = """--- Calls everything in every shape.
local impound = require("impound")
local ok_of, failed_of = {}, {}
local weights, item
local function try(ctx, name, act)
  local ok, why = pcall(act)
  local tally = ok and ok_of or failed_of
  tally[name] = (tally[name] or 0) + 1
  if not ok and (type(why) ~= "table" or why.code == "internal") then
    ctx:note("INTERNAL " .. name .. ": " .. tostring(why))
  end
end
local function allow(ctx, act)
  ctx:ask({ id = "go", question = "Now?", approves = act })
end
local function begin(ctx)
  weights = ctx:collect("model-files")
  item = weights:item("model/config.json") or weights
end
"""
TAIL = """local function finish(ctx)
  for name, count in pairs(ok_of) do
    ctx:note(("SHAPES %s %d ok"):format(name, count))
  end
end
return impound.playbook({
  schema = 1,
  id = "shapes",
  version = "1.0.0",
  title = "Every function in every shape",
  owner = "tests",
  effect = "contain",
  needs = { collectors = { "host", "process", "prompt-log", "model-files" }, containments = { "deployment" } },
  references = { "https://example.org" },
  params = {
    key = { type = "path", help = "A public key." },
    signature = { type = "path", help = "A signature." },
    logs = { type = "path", help = "Prompt logs." },
    pid = { type = "integer", help = "A process." },
  },
  steps = {
    { id = "begin", title = "Take a model", run = begin },
"""


def main():
    functions, classes, aliases, owners = parse(sys.argv[1])
    shapes = Shapes(classes, aliases)
    text, steps, count = HEAD, "", 0
    for (owner, function), parameters in functions.items():
        lines = []
        guarded = function if function in ("contain", "release") else None
        for call in calls(shapes, owners, owner, function, parameters):
            count += 1
            if guarded:
                lines.append('  allow(ctx, "%s")' % guarded)
            if function == "items":
                call = "for _ in %s do break end" % call
            else:
                call = "local _ = " + call
            lines.append('  try(ctx, "%s", function() %s end)' % (function, call))
        name = "%s_%s" % (owner.lower(), function)
        # A function of Lua holds at most 255 upvalues and constants for short jumps: cut into pieces.
        pieces = [lines[i:i + 100] for i in range(0, len(lines), 100)]
        for i, piece in enumerate(pieces):
            text += "local function %s_%d(ctx)\n%s\nend\n" % (name, i, "\n".join(piece))
            steps += '    { id = "%s-%d", title = "Call %s", effect = "contain", run = %s_%d },\n' % (
                name.replace("_", "-"), i, function, name, i)
    text += TAIL + steps + '    { id = "finish", title = "Say what worked", run = finish },\n  },\n})\n'
    os.makedirs(sys.argv[2], exist_ok=True)
    with open(os.path.join(sys.argv[2], "playbook.lua"), "w", encoding="utf-8") as out:
        out.write(text)
    print(count, " ".join(sorted({function for _, function in functions})))


main()
