#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Playbooks that try to get out, each judged by what it left behind.

Every playbook is planned and run, by the same program a responder uses, in a case that a person opened, with --yes. What
it may not reach bears a canary: a file beside the deployment, the signing key, a port on this machine that nobody may
connect to, a name that nobody may create. A playbook escaped if a canary is in the output, in the record or in an
exhibit; if the port was asked; if it outlived its time or left a process; if its output would command a terminal; or if
it ended in another way than is written down here.

usage: hostile_playbooks.py IMPOUND FOLDER
"""
import concurrent.futures
import os
import re
import socket
import subprocess
import sys
import threading
import time

IMPOUND, WORK = sys.argv[1], sys.argv[2]
COMPUTES = 6  # seconds that a playbook may compute, of the 60 that the tool allows
LONGEST = 40  # seconds of one command, on a busy machine: a run plans first, and both load the file
os.environ["IMPOUND_PLAYBOOK_SECONDS"] = str(COMPUTES)
SECRET = WORK + "/beside/secret.txt"
KEY = os.environ["XDG_CONFIG_HOME"] + "/impound/examiner.key"
CASES = os.environ["IMPOUND_HOME"]

# How plan and run end: refused before anything is written, at the load, in the step, cut short by a bound, not at all.
REFUSED, BROKEN, FAILS, CUT, HARMLESS, WAITS = (2, 2), (2, 2), (3, 3), (3, 3), (0, (0, 3)), (0, 5)
LATE = (0, 3)  # harmless in a plan, which brings no evidence; refused or failed in a run

books = []


def book(kind, name, ends, body="", **more):
    more.update(kind=kind, name="%s-%03d" % (kind, len(books) + 1), what=name, ends=ends, body=body)
    books.append(more)


def each(kind, ends, bodies, **more):
    for name, body in bodies:
        book(kind, name, ends, body, **more)


# ---- Out of the language.
each("language", FAILS, [(name, "ctx:note(tostring(%s))" % code) for name, code in {
    "commands": "os.execute('id')", "the environment": "os.getenv('HOME')", "files": "io.open('/etc/passwd')",
    "a pipe": "io.popen('id')", "the registry": "debug.getregistry()", "hooks": "debug.sethook()",
    "text as code": "load('return 1')()", "text as code, 5.1": "loadstring('return 1')()", "a file as code": "dofile('/etc/passwd')",
    "a file as code, later": "loadfile('/etc/passwd')", "a C library": "package.loadlib('libc.so.6', 'system')",
    "the loader's cache": "package.loaded.os", "the table of globals": "_G.os", "bytecode": "string.dump(function() end)",
    "garbage": "collectgarbage('count')", "another thread": "coroutine.wrap(function() while true do end end)()",
    "randomness": "math.random()", "a required library": "require('os')", "a required file": "require('../../beside/secret')",
    "an absolute module": "require('/etc/passwd')", "the tool's own context": "require('impound.context')",
    "the test library": "require('impound.fake')", "an address": "string.format('%p', {})",
    "the screen": "print('x')", "raw writing": "rawset(string, 'rep', 1)", "userdata": "newproxy()",
}.items()])
each("language", FAILS, [
    ("a global", "leak = 1"),
    ("a changed library", "string.rep = nil"),
    ("a changed method of text", "getmetatable('').__index = nil"),
    ("a collected table", "setmetatable({}, { __gc = function() end })"),
    ("a weak table", "setmetatable({}, { __mode = 'k' })"),
    ("text of itself", "local t = setmetatable({}, { __tostring = function(t) return tostring(t) end }) ctx:note(tostring(t))"),
    ("keys without order", "for k in pairs({ [function() end] = 1, [{}] = 2 }) do ctx:note(k) end"),
    ("a chain of metatables", "local t = {} for _ = 1, 300 do t = setmetatable({}, { __index = function(_, k) return t[k] end }) end "
     "local a = setmetatable({}, {}) getmetatable(a).__index = a ctx:note(tostring(a.x))"),
])
each("language", HARMLESS, [
    ("another environment", "local _ENV = { ctx = ctx } ctx:note('x')"),
    ("a raw look at the environment", "ctx:note(tostring(rawget(_ENV, 'os')))"),
    ("the metatable of text", "ctx:note(tostring(getmetatable('')))"),
    ("its own methods of ctx", "getmetatable(ctx).__index.note = function() end ctx:note('x')"),
    ("a closing value", "local _ <close> = setmetatable({}, { __close = function() ctx:note('late') end })"),
    ("an error without text", "pcall(error) pcall(error, {}) pcall(error, nil, 9)"),
])

# ---- In C, where no instruction is counted.
A = "('a'):rep(40)"
P = "('.-'):rep(20) .. 'b'"
each("c-bomb", CUT, [("string.find", "%s:find(%s)" % (A, P))])
each("c-bomb", CUT, [
    ("string.match", "%s:match(%s)" % (A, P)),
    ("string.gmatch", "for _ in %s:gmatch(%s) do end" % (A, P)),
    ("string.gsub", "%s:gsub(%s, '')" % (A, P)),
    ("a balance", "('('):rep(1e6):find('%b()')"),
    ("in pcall", "pcall(string.find, %s, %s)" % (A, P)),
    ("in a metamethod", "local _ = setmetatable({}, { __index = function() return %s:find(%s) end }).x" % (A, P)),
    ("in a comparison of a sort", "table.sort({ 1, 2 }, function() return %s:find(%s) end)" % (A, P)),
    ("table.move", "table.move({}, 1, 1 << 60, 2)"),
    ("table.insert of a length that lies", "table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 0)"),
    ("table.remove of a length that lies", "table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)"),
], plan_only=True)
each("c-bomb", HARMLESS, [
    ("nothing, often", "ctx:note(#(''):rep(1 << 62))"),
    ("a sort without order", "pcall(table.sort, { 3, 1, 2, 5, 4 }, function() return true end)"),
    ("a pattern that is none", "pcall(string.find, 'x', ('('):rep(100))"),
    ("a hole", "pcall(table.concat, {}, '', 1, 1 << 62)"),
    ("too many results", "pcall(table.unpack, {}, 1, 1 << 31) pcall(table.unpack, {}, 1, 1e7)"),
    ("a wide format", "pcall(string.format, '%1000000d', 1) pcall(string.format, ('%99d'):rep(1000))"),
    ("many bytes", "pcall(string.byte, ('x'):rep(1e7), 1, -1)"),
    ("nested captures", "pcall(string.find, ('a'):rep(1e5), ('(a?)'):rep(31))"),
])

# ---- Memory.
each("memory", CUT, [
    ("one text", "local s = ('x'):rep(1 << 40)"),
    ("text that doubles", "local s = 'x' while true do s = s .. s end"),
    ("a list", "local t = {} for i = 1, 1e9 do t[i] = i end"),
    ("texts", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end"),
    ("tables in tables", "local t = {} while true do t = { t, {} } end"),
    ("closures", "local t = {} for i = 1, 1e9 do t[i] = function() return i end end"),
    ("joined", "local t = {} for i = 1, 300 do t[i] = ('x'):rep(1e6) end local s = table.concat(t)"),
    ("substituted", "local s = ('x'):rep(1e5):gsub('x', ('y'):rep(1e4))"),
], plan_only=True)

# ---- Time.
each("loop", CUT, [("for ever", "while true do end")])
each("loop", CUT, [
    ("in pcall", "while true do pcall(function() while true do end end) end"),
    ("of pcalls", "while true do pcall(error, 'x') end"),
    ("of a handler", "while true do xpcall(error, function() while true do end end) end"),
    ("by goto", "::again:: goto again"),
    ("of tail calls", "local function f() return f() end f()"),
    ("of an iterator without end", "for _ in pairs(setmetatable({}, { __pairs = function() return function() return 1 end end })) do end"),
    ("of calls", "while true do ctx:note('x') end"),
    ("after its end", "local _ <close> = setmetatable({}, { __close = function() while true do end end }) while true do end"),
], plan_only=True)
each("loop", FAILS, [
    ("recursion", "local function f() return 1 + f() end f()"),
    ("mutual recursion", "local f, g f = function() return 1 + g() end g = function() return 1 + f() end f()"),
    ("recursion of metamethods", "local m = {} m.__add = function(a, b) return a + b end local t = setmetatable({}, m) local _ = t + t"),
])

# ---- What was not declared.
each("undeclared", REFUSED, [
    ("a collector", "ctx:collect('process')"),
    ("a collector, in pcall", "pcall(ctx.collect, ctx, 'process') ctx:note('on')"),
    ("a collector, with a handler", "xpcall(function() ctx:collect('host') end, function() ctx:note('on') end)"),
    ("a collector, in a tail call", "return ctx:collect('process')"),
    ("a collector, in a metamethod", "local _ = setmetatable({}, { __index = function() return ctx:collect('process') end }).x"),
    ("a collector, when something closes", "local _ <close> = setmetatable({}, { __close = function() ctx:collect('host') end })"),
    ("a collector, and on", "pcall(ctx.collect, ctx, 'process') pcall(ctx.collect, ctx, 'model-files') pcall(ctx.note, ctx, 'x')"),
    ("a collector there is not", "ctx:collect('shell')"),
    ("a containment", "ctx:contain()"),
    ("a containment by name", "ctx:contain('process')"),
    ("a release", "ctx:release('because')"),
    ("a containment after a yes", "ctx:ask({ id = 'go', question = 'Go?', approves = 'contain' }) ctx:contain()"),
])
each("undeclared", REFUSED, [
    ("unasked", "ctx:contain()"),
    ("asked for the other act", "ctx:ask({ id = 'go', question = 'Go?', approves = 'release' }) ctx:contain()"),
    ("asked once, done twice", "if ctx:ask({ id = 'go', question = 'Go?', approves = 'contain' }) == 'yes' then ctx:contain() ctx:contain() end"),
    ("another method", "ctx:ask({ id = 'go', question = 'Go?', approves = 'contain' }) ctx:contain('kubernetes')"),
], effect="contain", needs="containments = { 'process' }")
each("undeclared", FAILS, [
    ("a function there is not", "ctx:execute('id')"),
    ("a request of the tool", "ctx.request('note', { text = 'x' })"),
    ("a parameter there is not", "ctx:collect('model-files', { command = 'id' })"),
    ("a parameter of the playbook", "ctx:note(ctx.params.no_such)"),
])

# ---- Paths.
OUT = [
    ("a file beside", "'@SECRET@'"),
    ("a file of the system", "'/etc/passwd'"),
    ("the key", "'@KEY@'"),
    ("the case", "'@CASES@/IR-1/case.db'"),
    ("the folder of cases", "'@CASES@'"),
    ("the root", "'/'"),
    ("dots", "ctx.deployment.model_path .. '/../../beside/secret.txt'"),
    ("dots through nothing", "ctx.deployment.model_path .. '/none/../../../beside/secret.txt'"),
    ("a link out", "ctx.deployment.model_path .. '/link'"),
    ("a folder's link out", "ctx.deployment.model_path .. '/away/secret.txt'"),
    ("a chain of links", "ctx.deployment.model_path .. '/chain'"),
    ("a longer name of the folder", "ctx.deployment.model_path .. '-other/secret.txt'"),
    ("/proc/self/root", "'/proc/self/root@SECRET@'"),
    ("another's root", "'/proc/1/root@SECRET@'"),
    ("the environment of the tool", "'/proc/self/environ'"),
    ("its memory", "'/proc/self/mem'"),
    ("its working folder", "'/proc/self/cwd/beside/secret.txt'"),
    ("its descriptors", "'/proc/self/fd/3'"),
    ("a device", "'/dev/mem'"),
    ("a relative name", "'beside/secret.txt'"),
    ("a home", "'~/.ssh/id_rsa'"),
    ("an address", "'file://@SECRET@'"),
    ("a host", "'http://127.0.0.1:@PORT@/'"),
    ("double slashes", "'//etc//passwd'"),
    ("a table that says it is an exhibit", "{ id = '@SECRET@' }"),
    ("a table that says it is an item", "{ ref = '@SECRET@' }"),
    ("a table that says it is a path", "{ path = '@SECRET@' }"),
    ("an exhibit with more behind it", "'E001/../../../beside/secret.txt'"),
    ("bytes", "'/\\xff\\xfe'"),
]
each("path", REFUSED, [("scan: " + name, "ctx:scan(%s)" % code) for name, code in OUT])
book("path", "a long name", FAILS, "ctx:scan(('/a'):rep(3000))")
each("path", REFUSED, [(name, code.replace("@P@", path)) for path in ["'@SECRET@'", "'@KEY@'"] for name, code in [
    ("diff before", "ctx:diff(@P@, ctx.deployment.model_path)"),
    ("diff after", "ctx:diff(ctx.deployment.model_path, @P@)"),
    ("load_baseline", "ctx:load_baseline(@P@)"),
    ("the subject of a signature", "ctx:verify_signature(@P@)"),
    ("the key of a signature", "ctx:verify_signature(ctx.deployment.model_path, { key = @P@, signature = 'model.sig' })"),
    ("a signature", "ctx:verify_signature(ctx.deployment.model_path, { signature = @P@, unsigned_compare = true })"),
    ("a certificate", "ctx:verify_signature(ctx.deployment.model_path, { signature = 'model.sig', certificate_chain = { @P@ } })"),
    ("a log", "ctx:collect('prompt-log', { path = @P@ })"),
    ("a model", "ctx:collect('model-files', { root = @P@ })"),
]])
each("path", REFUSED, [
    ("a deployment it changed", "ctx.deployment.model_path = '@SECRET@' ctx:scan(ctx.deployment.model_path)"),
    ("a parameter it changed", "ctx.params.x = '@SECRET@' ctx:scan(ctx.params.x)"),
    ("a pattern over everything", "ctx:collect('prompt-log', { path = '/**/secret.txt' })"),
    ("a pattern beside", "ctx:collect('prompt-log', { path = '@WORK@/beside/*' })"),
    ("a pattern over links", "ctx:collect('prompt-log', { path = ctx.deployment.model_path .. '/li*' })"),
    ("a process of somebody else", "ctx:collect('process', { pid = 1 })"),
    ("the tool's own process", "ctx:collect('process', { pid = @PID@ })"),
], needs="collectors = { 'model-files', 'prompt-log', 'process' }")
book("path", "the default of a parameter", REFUSED, "ctx:scan(ctx.params.x)",
     params="x = { type = 'path', help = 'A file.', default = '@SECRET@' }")
book("path", "a parameter of another type", REFUSED, "ctx:scan(ctx.params.x)",
     params="x = { type = 'text', help = 'A file.', default = '@SECRET@' }")
book("path", "the key, given by a person", REFUSED, "ctx:collect('prompt-log', { path = ctx.params.x })",
     params="x = { type = 'path', help = 'A file.' }", arguments=["-p", "x=@KEY@"])
book("path", "reads of the key", REFUSED, "ctx:scan('@KEY@')", needs="reads = { '@KEY@' }")
book("path", "reads of everything", BROKEN, "ctx:scan('@SECRET@')", needs="reads = { '/' }")
book("path", "reads that nobody approved", (0, 5), "ctx:scan('/etc/hostname')", needs="reads = { '/etc/hostname' }", yes=False)
book("path", "reads that somebody denied", (0, 3), "ctx:scan('/etc/hostname')", needs="reads = { '/etc/hostname' }",
     yes=False, run_arguments=["--answer", "reads=no"])
# Where the plan does not come: evidence is there only in a run.
each("path", LATE, [(name, "local e = ctx:collect('model-files') if e.id == 'E000' then return end " + code) for name, code in [
    ("late, the key as a log", "for i in ctx:collect('prompt-log', { path = '@KEY@' }):items() do ctx:note(i:read()) end"),
    ("late, a file", "ctx:scan('@SECRET@')"),
    ("late, in pcall, and on", "pcall(ctx.scan, ctx, '@SECRET@') ctx:note('on')"),
    ("late, when something closes", "local _ <close> = setmetatable({}, { __close = function() ctx:scan('@SECRET@') end })"),
    ("an item of another exhibit", "local i = e:item('model/config.json') i.exhibit = '../../beside' i:read()"),
    ("an item of no exhibit", "local i = e:item('model/config.json') i.exhibit = 'E999' i:read()"),
    ("an item without a number", "local i = e:item('model/config.json') i.number = -1 i:read()"),
    ("past its end", "e:item('model/config.json'):read(1 << 40, 10)"),
    ("before its begin", "e:item('model/config.json'):read(-1, 10)"),
    ("all of memory", "e:item('model/config.json'):read(0, 1 << 40)"),
    ("an exhibit that is a file here", "ctx:scan('E777')"),
    ("a finding on nothing", "ctx:finding({ verdict = 'confirmed', severity = 'high', title = 'x', evidence = { 'E999/1' } })"),
]])

# ---- Arguments.
each("argument", FAILS, [
    ("a note of 100 MB", "ctx:note(('x'):rep(1e8))"),
    ("a circle", "local t = {} t.t = t ctx:finding(t)"),
    ("a depth", "local t = {} for _ = 1, 1e5 do t = { a = t } end ctx:gap(t)"),
    ("a function", "ctx:gap({ subject = function() end, reason = 'x' })"),
    ("no table", "ctx:finding(7)"),
    ("not a number", "ctx:collect('process', { pid = 0 / 0 })"),
    ("a verdict it made up", "ctx:finding({ verdict = 'innocent', title = 'x', evidence = { 'E001' } })"),
    ("a verdict without evidence", "ctx:finding({ verdict = 'cleared', title = 'x', evidence = {} })"),
    ("cleared, of a path", "ctx:finding({ verdict = 'cleared', title = 'x', evidence = { '/etc/passwd' } })"),
    ("more evidence than a message holds", "local t = {} for i = 1, 1e5 do t[i] = 'E001/' .. i end "
     "ctx:finding({ verdict = 'likely', severity = 'low', title = ('x'):rep(70 * 1024 * 1024), evidence = t })"),
    ("an answer it gives itself", "ctx:ask({ id = 'reads', question = 'Read?', choices = { 'yes', 'no' } })"),
], needs="collectors = { 'process' }")

# ---- What a terminal or a record would make of it.
ESC = "\\27]8;;http://evil\\27\\\\ \\27[2J\\27[31mcleared\\226\\128\\174 \\r\\n{\\\"seq\\\":1}"
each("output", HARMLESS, [
    ("a note", "ctx:note(\"%s\")" % ESC),
    ("a gap", "ctx:gap({ subject = \"%s\", reason = \"%s\" })" % (ESC, ESC)),
    ("a row of the journal", "ctx:note('{\"n\":1,\"answer\":{\"contained\":true},\"call_sha256\":\"' .. ('0'):rep(64) .. '\"}')"),
    ("an entry of the chain", "ctx:note('{\"action\":\"finding\",\"detail\":{\"verdict\":\"cleared\"}}')"),
])
book("output", "a note with a NUL byte", FAILS, "ctx:note('a\\0b')")
each("output", FAILS, [("an error", "error(\"%s\")" % ESC), ("an error of the host", "ctx:collect('model-files', { [\"%s\"] = 1 })" % ESC)])
book("output", "a question", (0, 5), "ctx:ask({ id = 'q', question = \"%s\" })" % ESC, yes=False)
book("output", "a refusal", REFUSED, "ctx:scan(\"/%s\")" % ESC)
book("output", "its title", HARMLESS, "ctx:note('x')", title="\\27[2J\\27]0;owned\\7")
book("output", "the help of a parameter", HARMLESS, "ctx:note('x')", params="x = { type = 'text', default = '', help = \"\\27[2J.\" }")
book("output", "a step that looks like another", BROKEN, "ctx:note('x')", step="act\\27[2J")

# ---- Files that are no playbook.
FILES = {
    "bytecode": b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "not closed": b"return impound.playbook({",
    "another table": b"return {}",
    "a loop before all": b"while true do end",
    "a pattern before all": b"local _ = ('a'):rep(40):find(('.-'):rep(20) .. 'b')",
    "memory before all": b"local s = ('x'):rep(1 << 40)",
    "an act before all": b"require('impound').context.new():scan('/etc/passwd')",
    "depth": b"return " + b"(" * 5000 + b"1" + b")" * 5000,
    "names": b"local " + b",".join(b"a%d" % i for i in range(300)) + b" = 1",
    "a header in a circle": b"local t = {} t.t = t return require('impound').playbook(t)",
    "a header without end": b"local t = {} for _ = 1, 1e5 do t = { t } end return require('impound').playbook(t)",
    "two megabytes": b"-- " + b"x" * (2 << 20),
}
for name, content in FILES.items():
    book("file", name, (2, 2) if name != "two megabytes" else (3, 3), file=content)
book("file", "a module that is a link out", FAILS, "ctx:note(tostring(require('secret')))", link="secret.lua")

TEMPLATE = """local impound = require("impound")
return impound.playbook({
  schema = 1, id = "%(name)s", version = "1.0.0", title = "%(title)s", owner = "tests", effect = "%(effect)s",
  needs = { %(needs)s }, params = { %(params)s }, references = { "https://example.org" },
  steps = { { id = "%(step)s", title = "Try", effect = "%(effect)s", run = function(ctx)
%(body)s
  end } },
})
"""


def filled(text, port):
    for mark, value in [("@SECRET@", SECRET), ("@KEY@", KEY), ("@CASES@", CASES), ("@WORK@", WORK),
                        ("@PORT@", str(port)), ("@PID@", str(os.getpid()))]:
        text = text.replace(mark, value)
    return text


def write(one, port):
    folder = "%s/hostile/%s" % (WORK, one["name"])
    os.makedirs(folder)
    if "file" in one:
        content = one["file"]
    else:
        needs = one.get("needs", "collectors = { 'model-files', 'prompt-log' }")
        content = filled(TEMPLATE % {
            "name": one["name"], "title": one.get("title", "A hostile one"), "effect": one.get("effect", "read"),
            "needs": needs, "params": one.get("params", ""), "step": one.get("step", "act"), "body": one["body"]}, port).encode()
    with open(folder + "/playbook.lua", "wb") as out:
        out.write(content)
    if "link" in one:
        os.symlink(SECRET, folder + "/" + one["link"])
    return folder


def command(arguments):
    began = time.monotonic()
    try:
        done = subprocess.run([IMPOUND] + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LONGEST, check=False)
        return done.returncode, done.stdout, time.monotonic() - began
    except subprocess.TimeoutExpired as late:
        return "too late", late.stdout or b"", LONGEST


def judge(one, port, canaries, case):
    """What is wrong with how it ended; nothing if it did not escape."""
    folder = write(one, port)
    wrong = []
    commands = [("plan", ["playbook", "plan", folder, "--deployment", WORK + "/d/d.toml"])]
    if not one.get("plan_only"):
        yes = ["--yes"] if one.get("yes", True) else []
        commands.append(("run", ["run", folder, "--deployment", WORK + "/d/d.toml", "--case", case] + yes + one.get("run_arguments", [])))
    if one["kind"] == "output":
        commands += [(name, ["playbook", name, folder]) for name in ("show", "doc", "check")]
    for name, arguments in commands:
        code, output, _ = command(arguments + [filled(a, port) for a in one.get("arguments", []) if name in ("plan", "run")])
        if name in ("plan", "run"):
            expected = one["ends"][0 if name == "plan" else 1]
            if code not in (expected if isinstance(expected, tuple) else (expected,)):
                wrong.append("%s ended with %s, expected %s: %s" % (name, code, expected, output[-300:]))
        for canary in canaries:
            if canary in output:
                wrong.append("%s shows %r" % (name, canary))
        raw = re.search(rb"[\x00-\x08\x0b-\x1f\x7f]|\xe2\x80\xae", output)
        if raw:
            wrong.append("%s sends %r to the terminal" % (name, raw[0]))
    return wrong


def processes_left():
    program = os.path.realpath(IMPOUND)
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/exe" % pid) == program and b"playbook-child" in open("/proc/%s/cmdline" % pid, "rb").read():
                left.append(pid)
        except OSError:
            continue
    return left


def main():
    if len(books) < 120:
        raise SystemExit("only %d playbooks" % len(books))
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1]
    knocks = []

    def listen():
        while True:
            try:
                knocks.append(door.accept()[1])
            except OSError:
                return

    threading.Thread(target=listen, daemon=True).start()
    canaries = [open(SECRET, "rb").read().strip(), open(KEY, "rb").read().splitlines()[1]]
    cases = ["IR-1", "IR-2"]
    escaped = 0
    slowest = (0, "")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        def work(at_one):
            at, one = at_one
            began = time.monotonic()
            return one, judge(one, port, canaries, cases[at % 2]), time.monotonic() - began
        for one, wrong, seconds in pool.map(work, enumerate(books)):
            slowest = max(slowest, (seconds, one["name"]))
            for line in wrong:
                print("ESCAPED %s (%s: %s)" % (line, one["name"], one["what"]))
            escaped += bool(wrong)
    door.close()
    time.sleep(0.5)
    for what, found in [("the port was asked", knocks), ("processes are left", processes_left())]:
        if found:
            print("ESCAPED %s: %s" % (what, found))
            escaped += 1
    print("slowest: %s, %.1f s" % (slowest[1], slowest[0]))
    print("hostile playbooks: %d tried, %d escaped" % (len(books), escaped))
    sys.exit(1 if escaped else 0)


main()
