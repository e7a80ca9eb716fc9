#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/commands.md, made from the program's own --help: make_commands.py PROGRAM >docs/commands.md"""

import os
import re
import sys
import textwrap

from command_tree import read_commands

HERE = os.path.dirname(os.path.abspath(__file__))


def read_examples():
    """(line, text) of each example."""
    with open(os.path.join(HERE, "examples.txt"), encoding="utf-8") as file:
        return [(number, line.strip()) for number, line in enumerate(file, 1)
                if line.strip() and not line.startswith("#")]


def example_of(words, examples, command):
    """The example whose command this is: of the help itself, else of the list."""
    front = " ".join(words)
    listed = [line.removeprefix("impound ") for line in command.examples()] + [text for _, text in examples]
    return next((text for text in listed if text == front or text.startswith(front + " ")), None)


def wrap(text, first="", rest=""):
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)


def prose(text):
    """Text of the program as Markdown: nothing in it is markup."""
    return text.replace("<", "\\<").replace("*", "\\*")


def entries(pairs):
    return "\n".join(wrap(f"`{head}`" + (f": {prose(text)}" if text else ""), "* ", "  ") for head, text in pairs)


def own_options(command):
    return [pair for pair in command.options if not pair[0].startswith("-h,")]


def page(program):
    commands = read_commands(program)
    examples = read_examples()
    top = commands[()]
    parts = ["# Commands", wrap("Made from `impound --help` by `tests/docs/make_commands.py`; do not edit it by hand. "
                                "The test `docs` compares it with the program.")]
    parts.append("## Every command")
    parts.append(wrap("These stand on each command, before or behind its name:"))
    parts.append(entries([pair for pair in own_options(top) if pair[0] != "--version"]))
    parts.append("```text\n" + "\n".join(filter(None, (top.sentence, without_example(top.footer)))) + "\n```")
    for words, command in sorted(commands.items(), key=lambda pair: order(commands, pair[0])):
        if not words:
            continue
        parts.append(("## " if len(words) == 1 else "### ") + "impound " + " ".join(words))
        parts.append(wrap(prose(command.sentence)))
        command.footer = without_example(command.footer)
        above = without_example(commands[words[:-1]].footer)
        footer = "" if command.footer == above else command.footer
        if command.subcommands:  # which follow
            if footer:
                parts.append("```text\n" + footer + "\n```")
            continue
        parts.append(f"```sh\nimpound {example_of(words, examples, command)}\n```")
        listed = command.positionals + own_options(command)
        if listed:
            parts.append(entries(listed))
        if footer:
            parts.append("```text\n" + footer + "\n```")
    return "\n\n".join(parts) + "\n"


def without_example(footer):
    """A footer without what the page shows already, and without the line that stands under every help."""
    footer = re.sub(r"^Examples?:?\n(?:  .*\n?)+", "", footer, flags=re.MULTILINE)
    return re.sub(r"^Every command also takes .*?\.$", "", footer, flags=re.MULTILINE | re.DOTALL).strip("\n")


def order(commands, words):
    """Place of a command: as --help lists them, a group in front of its own."""
    place = []
    for depth in range(len(words)):
        names = [name for name, _ in commands[words[:depth]].subcommands]
        place.append(names.index(words[depth]))
    return place


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(page(sys.argv[1]))
