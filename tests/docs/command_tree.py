# SPDX-License-Identifier: Apache-2.0
"""The commands of the program, read from its own --help."""

import concurrent.futures
import os
import re
import subprocess

SECTION = re.compile(r"^(Positionals|Options|Subcommands|[A-Z][A-Za-z ]*):$")
# "  -p,--param TEXT ...         What it is for."; the text may stand in the next line.
ENTRY = re.compile(r"^  (?P<head>\S(?:.*?\S)?)(?:\s{2,}(?P<text>\S.*))?$")


class Command:
    """One command: `words` without the program's name, and what its help says."""

    def __init__(self, words, text):
        self.words = words
        self.sentence = ""    # what stands above "Usage:"
        self.usage = ""       # behind the command's name
        self.positionals = []  # (head, text)
        self.options = []
        self.subcommands = []  # (name, sentence)
        self.footer = ""
        self._read(text)

    def _read(self, text):
        before, usage, rest = text.partition("Usage:")
        self.sentence = before.strip()
        line, _, rest = rest.partition("\n")
        self.usage = re.sub(r"^\s*\S+(?: " + " ".join(map(re.escape, self.words)) + ")?", "",
                            line, count=1).strip() if usage else ""
        section, footer = None, []
        for line in rest.splitlines():
            if footer:
                footer.append(line)
                continue
            match = SECTION.match(line)
            # The heading of a list; a footer may end a line with a colon as well.
            if match and match[1] in ("Positionals", "Options", "Subcommands"):
                section = match[1]
                continue
            if not line.strip():
                continue
            entry = ENTRY.match(line) if section else None
            if entry:
                self._list(section).append([entry["head"], entry["text"] or ""])
            elif section and line.startswith("    "):
                last = self._list(section)[-1]
                last[1] = (last[1] + " " + line.strip()).strip()
            else:
                footer.append(line)
        self.footer = "\n".join(footer).strip("\n")

    def _list(self, section):
        return {"Positionals": self.positionals, "Options": self.options, "Subcommands": self.subcommands}[section]

    def option_names(self):
        """Every spelling: --param, -p."""
        return {name for head, _ in self.options for name in re.findall(r"--?[A-Za-z][A-Za-z0-9-]*", head.split(" ")[0])}


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
