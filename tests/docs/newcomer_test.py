#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The paths that CONTRIBUTING gives to newcomers are as short as it says.

A dummy of each kind (a collector, the one of docs/adding-a-collector.md; a containment; a model format;
a command; a function of ctx; a playbook) is added to a copy of the lines that its page names, compiled,
and linked with what was built: nothing else may be needed for the program to know it.

usage: newcomer_test.py BUILD TREE        exit code 77 where the build is none of Ninja's
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

CONTAINMENT = """// SPDX-License-Identifier: Apache-2.0
/// A method that does nothing, and says so.

#include "core/evidence/containment.hpp"

namespace impound {
namespace {

Json nothing(const Target&) { return Json::object(); }
Json nothing_done(const Target&, const Json&) { return Json::object(); }
MeasuredState nobody_knows(const Target&, const Json&) {
  return {.why = "it measures nothing"};
}
std::vector<std::string> no_things(const Json&) { return {}; }
std::string says(const Target&) { return "Does nothing."; }

}  // namespace

extern const Containment kDummyContainment;
constinit const Containment kDummyContainment{
    .name = "dummy",
    .summary = "Does nothing.",
    .parameters = {},
    .before = nothing,
    .apply = nothing_done,
    .undo = nothing_done,
    .state = nobody_knows,
    .things = no_things,
    .describe = says,
    .effects = {.keeps = {.weights = Kept::kept,
                          .kv = Kept::kept,
                          .inflight = Kept::kept,
                          .process = Kept::kept},
                .undo = UndoPromise::exact},
    .tried = Tried::documentation,
    .tried_with = "nothing: it is a sample",
};

}  // namespace impound
"""

FORMAT = {
    "core/formats/dummy/dummy.cpp": """// SPDX-License-Identifier: Apache-2.0
/// A format that begins with its name.

#include "core/formats/recognise.hpp"

namespace impound {

std::string_view why_dummy(const FormatSubject& subject) {
  return as_text(subject.head).starts_with("DUMMY") ? "begins with DUMMY" : "";
}

}  // namespace impound
""",
    "core/scan/dummy_scanner.cpp": """// SPDX-License-Identifier: Apache-2.0
/// Nothing of this format runs.

#include "core/scan/scanners.hpp"

namespace impound {

void scan_dummy(ScanContext&, const Subject&) {}

}  // namespace impound
""",
    "core/view/view_dummy.cpp": """// SPDX-License-Identifier: Apache-2.0
/// Its tensors are not told yet.

#include "core/view/tensor_format.hpp"

namespace impound {

void view_dummy(const WeightsFile&, FoundTensors& found) {
  found.add_text("said", "text", "by its view");
}

}  // namespace impound
""",
}

# What reads the list of formats.
READ_FORMATS = ("core/formats/recognise.cpp", "core/scan/scanners.cpp", "core/view/tensor_format.cpp")

COMMAND = """// SPDX-License-Identifier: Apache-2.0
/// impound dummy: says a word.

#include "core/cli/command.hpp"

namespace impound {

void add_dummy(CLI::App& app, Globals& globals, Run& run) {
  CLI::App* command = add_command(app, Group::look, "dummy", "Says a word.",
                                  "impound" " dummy");
  command->callback([&globals, &run] {
    run = [&globals] {
      print_text(globals, "a word\\n");
      return ExitCode::clean;
    };
  });
}

}  // namespace impound
"""


ROW = """      {.function = F::weather,
       .name = "weather",
       .effect = CallEffect::measure,
       .arguments = {words("place")},
       .takes = none,
       .stand_in = [](const Json&) { return Json{{"sky", "grey"}}; },
       .sentence =
           [](const Json& arguments) {
             return "Would look at the sky of " + said(arguments, "place") + ".";
           },
       .made_up = {.key = "weather"}},"""

HANDLER = """    case F::weather:
      return {{"sky", "blue over " + text_or(arguments, "place", "")}};"""

FUNCTION = """function Context:weather(place)
  return host.request("weather", { place = place })
end
"""

PLAYBOOK = """--- Which sky is over us?
local impound = require("impound")

local function look(ctx)
  local weights = ctx:collect("model-files")
  ctx:finding({
    verdict = "cleared",
    title = ctx:weather("the server").sky,
    evidence = { weights },
    detail = "It was looked at.",
  })
end

return impound.playbook({
  schema = 1,
  id = "weather",
  version = "0.1.0",
  title = "Look at the sky",
  owner = "newcomers",
  effect = "read",
  needs = { collectors = { "model-files" } },
  references = { "https://example.org" },
  steps = { { id = "look", title = "Look at the sky", run = look } },
})
"""

PLAYBOOK_TEST = """local fake = require("impound.fake")
local playbook = require("playbook")
return {
  ["the sky is the one of the setup"] = function(t)
    t.equal(fake.run(playbook, { weather = { sky = "red" } }).findings[1].title, "red")
  end,
}
"""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Newcomer:
    """A folder with the few files that a newcomer writes or changes, in front of the tree."""

    def __init__(self, build, tree, work):
        self.build, self.tree, self.work = build, tree, work
        self.sources = []
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = json.load(file)

    def write(self, name, text):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if name.endswith(".cpp"):
            self.sources.append(name)

    def add_lines(self, name, *lines):
        """Each of `lines` is (the line in front of it, the line)."""
        text = read(os.path.join(self.tree, name))
        for before, line in lines:
            if text.count(before) != 1:
                sys.exit(f"{name}: not once there: {before}")
            text = text.replace(before, before + line + "\n")
        self.write(name, text)

    def add_lua(self, name, *lines):
        """The same of a module of lua/lib, which is built into the program."""
        library = os.path.join(self.work, "lua/lib")
        shutil.copytree(os.path.join(self.tree, "lua/lib"), library)
        self.add_lines("lua/lib/" + name, *lines)
        modules = sorted(os.path.join(folder, one) for folder, _, names in os.walk(library) for one in names)
        out = os.path.join(self.work, "lua/host/lua_library_modules.cpp")
        subprocess.run(["cmake", f"-DOUT={out}", f"-DROOT={library}", f"-DFILES={';'.join(modules)}", "-P",
                        os.path.join(self.tree, "cmake/EmbedLua.cmake")], check=True)
        self.sources.append("lua/host/lua_library_modules.cpp")

    def compile(self, name):
        # As a file of the same folder is, or of the one above where the folder is new.
        folder = os.path.dirname(name)
        while not (beside := [one for one in self.commands if one["file"].startswith(f"{self.tree}/{folder}/")]):
            folder = os.path.dirname(folder)
        like = beside[0]
        words, kept = shlex.split(like["command"]), []
        skip = False
        for word in words:
            if skip or word in ("-o", "-c"):
                skip = not skip
                continue
            kept.append(word)
        target = os.path.join(self.work, name + ".o")
        kept[1:1] = ["-I", self.work]
        kept += ["-O0", "-U_FORTIFY_SOURCE"]  # it runs once
        subprocess.run([*kept, "-o", target, "-c", os.path.join(self.work, name)], cwd=like["directory"], check=True)
        return target

    def link(self):
        """The program with the newcomer's objects in front: what they define is not taken from elsewhere."""
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", "impound"], stdout=subprocess.PIPE,
                                  check=True).stdout.decode().splitlines()
        line = next(one for one in reversed(commands) if re.search(r"-o \S*impound(\s|$)", one))
        line = line.split("&&")[1].strip()
        program = os.path.join(self.work, "bin/impound")
        os.makedirs(os.path.dirname(program), exist_ok=True)
        objects = " ".join(shlex.quote(self.compile(name)) for name in self.sources)
        head, tail = re.split(r"-o \S*impound(?=\s)", line, maxsplit=1)
        compiler, _, rest = head.partition(" ")
        if os.path.basename(compiler) == "ccache":
            compiler, _, rest = rest.partition(" ")
        subprocess.run(f"{compiler} {objects} {rest} -Wl,--allow-multiple-definition -o {shlex.quote(program)} {tail}",
                       shell=True, cwd=self.build, check=True)
        return program


def says(program, environment, *words):
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode()
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{text}")
    return text


def main(build, tree):
    build, tree = os.path.abspath(build), os.path.abspath(tree)
    if not os.path.exists(os.path.join(build, "build.ninja")):
        print("skipped: the build is none of Ninja's")
        sys.exit(77)
    work = tempfile.mkdtemp(prefix="impound-newcomer-")
    try:
        newcomer = Newcomer(build, tree, work)
        page = read(os.path.join(tree, "docs/adding-a-collector.md"))
        newcomer.write("collectors/server_settings.cpp", re.search(r"^```cpp compile\n(.*?)^```$", page,
                                                                   re.MULTILINE | re.DOTALL)[1])
        newcomer.add_lines("collectors/registry.cpp",
                           ("extern const Collector kPromptLog;\n", "extern const Collector kServerSettings;"),
                           ("      &kModelFiles,\n", "      &kServerSettings,"))
        newcomer.write("containment/dummy.cpp", CONTAINMENT)
        newcomer.add_lines("containment/registry.cpp",
                           ("extern const Containment kProcessContainment;\n",
                            "extern const Containment kDummyContainment;"),
                           ("      &kProcessContainment,\n", "      &kDummyContainment,"))
        newcomer.write("core/cli/cmd_dummy.cpp", COMMAND)
        newcomer.add_lines("core/cli/command.hpp",
                           ("void add_custody(CLI::App& app, Globals& globals, Run& run);\n",
                            "void add_dummy(CLI::App& app, Globals& globals, Run& run);"))
        newcomer.add_lines("core/cli/commands.cpp", ("  add_custody(app, globals, run);\n",
                                                     "  add_dummy(app, globals, run);"))
        for name, text in FORMAT.items():
            newcomer.write(name, text)
        last = next(line for line in reversed(read(os.path.join(tree, "core/formats/formats.inc")).splitlines())
                    if line.startswith("IMPOUND_FORMAT("))
        newcomer.add_lines("core/formats/formats.inc",
                           (last + "\n", 'IMPOUND_FORMAT(dummy, "dummy", unknown, weights, view, "Dummy", 15)'))
        for name in READ_FORMATS:
            newcomer.write(name, read(os.path.join(tree, name)))
        newcomer.add_lines("lua/host/calls.hpp", ("  gap,\n  ask,\n", "  weather,"))
        newcomer.add_lines("lua/host/calls.cpp", ("       .check = check_question},\n", ROW))
        newcomer.add_lines("core/run/engine_host.cpp", ("      return gap(arguments);\n", HANDLER))
        newcomer.add_lua("impound/context.lua", ("function Context:probe()\n  return host.request(\"probe\", {})\nend\n",
                                                 "\n" + FUNCTION))
        program = newcomer.link()

        environment = {"PATH": os.environ["PATH"], "HOME": work, "LC_ALL": "C.UTF-8",
                       "IMPOUND_RUN": os.path.join(work, "run")}
        listed = says(program, environment, "collect", "--list")
        assert "server-settings" in listed and "-p file=<path>" in listed, listed
        assert "dummy" in says(program, environment, "contain", "--list")
        assert "dummy" in says(program, environment, "--help")
        assert says(program, environment, "dummy") == "a word\n"

        newcomer.write("model.dummy", "DUMMY and no more\n")
        scanned = json.loads(says(program, environment, "scan", "--json", os.path.join(work, "model.dummy")))
        assert "dummy" in [one["format"] for one in scanned["files"]], scanned

        # And the collector takes what it says.
        newcomer.write("d.toml", 'schema = 1\nname = "small"\n[model]\npath = "model"\n')
        newcomer.write("model/server.yaml", "threads: 8\n")
        os.chdir(work)
        says(program, environment, "examiner", "init", "--name", "Ada", "--org", "Example", "--role", "newcomer")
        says(program, environment, "case", "new", "IR-1", "--title", "a first collector")
        says(program, environment, "collect", "server-settings", "--deployment", "d.toml", "-p",
             "file=model/server.yaml")
        shown = says(program, environment, "exhibit", "show", "E001")
        assert "server-settings/server.yaml" in shown, shown

        # The function is planned, made up in a test, and called.
        newcomer.write("weather/playbook.lua", PLAYBOOK)
        newcomer.write("weather/test.lua", PLAYBOOK_TEST)
        says(program, environment, "playbook", "check", "weather")
        says(program, environment, "playbook", "test", "weather")
        assert "sky of the server" in says(program, environment, "playbook", "plan", "weather", "--deployment", "d.toml")
        ran = says(program, environment, "run", "weather", "--deployment", "d.toml", "--case", "IR-1")
        assert "blue over the server" in ran, ran

        # A playbook is a folder where impound looks.
        says(program, environment, "playbook", "new", "my-incident", "--in", "playbooks")
        assert "my-incident" in says(program, environment, "playbook", "list")
    finally:
        os.chdir("/")
        shutil.rmtree(work, ignore_errors=True)
    print("a collector, a containment, a format, a command, a function of ctx and a playbook were added by the lines that "
          "their pages name")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
