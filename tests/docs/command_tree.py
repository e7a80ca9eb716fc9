# SPDX-License-Identifier: Apache-2.0
"""The commands of the program, read from its own --help."""

import concurrent.futures
import os
import re
import subprocess

# "  -p,--param TEXT ...         What it is for."; the text may stand in the next line.
ENTRY = re.compile(r"^  (?P<head>\S(?:.*?\S)?)(?:\s{2,}(?P<text>\S.*))?$")
OPTION_NAME = re.compile(r"(?<![\w=|-])--?[A-Za-z][A-Za-z0-9-]*")
EXAMPLE = re.compile(r"^Examples?\b")


class Command:
    """One command: `words` without the program's name, and what its help says."""

    def __init__(self, words, text):
        self.words = words
        self.sentence = ""     # what stands above "Usage:"
        self.usage = ""        # behind the command's name
        self.positionals = []  # (head, text)
        self.options = []
        self.subcommands = []  # (name, sentence)
        self.footer = ""
        self._read(text)

    def _read(self, text):
        before, usage, rest = text.partition("Usage:")
        self.sentence = before.strip()
        if self.words:
            name = "impound " + " ".join(self.words) + ": "
            self.sentence = self.sentence.removeprefix(name)
        line, _, rest = rest.partition("\n")
        self.usage = re.sub(r"^\s*\S+(?: " + " ".join(map(re.escape, self.words)) + ")?", "",
                            line, count=1).strip() if usage else ""
        lines, section, footer = rest.splitlines(), None, []
        for number, line in enumerate(lines):
            if footer:
                footer.append(line)
                continue
            if not line.strip():
                continue
            if not line.startswith(" "):
                # A heading of a list stands by itself, with entries behind it.
                behind = lines[number + 1] if number + 1 < len(lines) else ""
                section = self._section(line.rstrip(":")) if behind.startswith("  ") or not behind.strip() else None
                if section is None:
                    footer.append(line)
                continue
            entry = ENTRY.match(line) if section is not None else None
            if entry and not line.startswith("     "):
                section.append([entry["head"], entry["text"] or ""])
            elif section:
                section[-1][1] = (section[-1][1] + " " + line.strip()).strip()
            else:
                footer.append(line)
        self.footer = "\n".join(footer).strip("\n")

    def _section(self, heading):
        """The list that a heading begins; None if it begins none."""
        if heading in ("Positionals", "Arguments"):
            return self.positionals
        if heading.startswith("Options"):
            return self.options
        if EXAMPLE.match(heading) or len(heading.split()) > 4 or re.search(r"[.;,:]", heading):
            return None
        return self.subcommands  # in groups, each under a heading of its own

    def option_names(self):
        """Every spelling: --param, -p."""
        return {name for head, _ in self.options for name in OPTION_NAME.findall(head.split(" Needs:")[0])}

    def takes_value(self, name):
        for head, _ in self.options:
            names = OPTION_NAME.findall(head.split(" Needs:")[0])
            if name in names:
                return bool(OPTION_NAME.sub("", head.split(" Needs:")[0]).strip(" ,"))
        return False

    def examples(self):
        """Command lines that the help itself shows under "Example"."""
        lines = self.footer.splitlines()
        for number, line in enumerate(lines):
            if EXAMPLE.match(line):
                return [one.strip() for one in lines[number + 1:] if one.startswith("  impound ")]
        return []


def read_commands(program):
    """All commands by their words, the program itself under ()."""
    environment = dict(os.environ, COLUMNS="80", NO_COLOR="1")

    def ask(words):
        done = subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, env=environment, check=True)
        return Command(words, done.stdout.decode())

    commands, level = {}, [()]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while level:
            found = list(pool.map(ask, level))
            commands.update({command.words: command for command in found})
            level = [command.words + (name,) for command in found for name, _ in command.subcommands]
    return commands
