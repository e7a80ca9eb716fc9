#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The guard notices what it is there for. usage: guard_test.py PROGRAM TREE"""

import os
import sys
import tempfile
import unittest

import guard
import make_commands
import run_blocks
from command_tree import Command, read_commands

PROGRAM = TREE = None
NAMES = ["core/base/error.hpp", "core/evidence/FORMAT.md", "README.md"]

HELP = """Take evidence by hand.
Usage: /opt/build/impound collect [OPTIONS] [collectors...]

Positionals:
  collectors TEXT ...         Names.

Options:
  -h,--help                   Print this help message and exit
  -p,--param TEXT ...         Parameter of a collector, name=value.
  --a-very-long-option-name TEXT Needs: --param
                              Said in the next line.

Example:
  impound collect process
"""

GROUPED = """impound case: The case file.

Usage: impound case COMMAND

Respond
  new   Open a case.
Look
  show  Print one case: its findings, and what
        waits.

Arguments
  [COLLECTORS…]  Names.

Options
  -p, --param NAME=VALUE
          Parameter of a collector.
  --list  Print them.

Example
  impound case new IR-1 --title x

Every command also takes --json (impound help).
"""


def said(complaints):
    return [one[-1] for one in complaints]


class Names(unittest.TestCase):
    def missing(self, text):
        return said(guard.missing_paths(text, TREE, NAMES))

    def test_a_path_that_is_not_there_is_named(self):
        self.assertEqual(self.missing("see core/base/nothing.hpp."), ["there is no core/base/nothing.hpp"])
        self.assertEqual(self.missing("see core/base/error.hpp and core/base"), [])

    def test_placeholders_and_lists_are_patterns(self):
        self.assertEqual(self.missing("core/cli/cmd_<name>.cpp, core/base/{error,clock}.hpp"), [])
        self.assertEqual(self.missing("core/cli/nix_<name>.cpp"), ["there is no core/cli/nix_<name>.cpp"])
        self.assertEqual(self.missing("core/base/{error,nix}.hpp"), ["there is no core/base/{error,nix}.hpp"])

    def test_a_paper_that_is_not_in_the_tree_is_named(self):
        self.assertEqual(self.missing("custody.md 3.1"), ["no file of the tree is called custody.md"])
        self.assertEqual(self.missing("as FORMAT.md says, error.hpp too"), [])

    def test_what_lies_elsewhere_is_none_of_ours(self):
        self.assertEqual(self.missing("https://example.org/docs/gguf.md, /usr/share/impound/lua/api"), [])


class Links(unittest.TestCase):
    PAGES = {"docs/a.md": "# A page\n\n## Its end\n", "README.md": ""}

    def broken(self, text, path="docs/b.md"):
        return said(guard.broken_links(path, text, self.PAGES.get))

    def test_a_dead_link_and_a_dead_heading_are_named(self):
        self.assertEqual(self.broken("[a](a.md) [b](a.md#its-end) [c](../README.md) [d](https://x.org)"), [])
        self.assertEqual(len(self.broken("[a](nothing.md)")), 1)
        self.assertEqual(len(self.broken("[a](a.md#nothing)")), 1)
        self.assertEqual(len(self.broken("![a](nothing.svg)")), 1)

    def test_what_is_not_installed_is_no_place_to_lead_to(self):
        self.assertEqual(len(self.broken("[a](../core/base/error.hpp)")), 1)
        self.assertEqual(len(self.broken("[a](../docs)")), 1)


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = read_commands(PROGRAM)

    def wrong(self, line):
        return guard.wrong_command(line, self.commands)

    def test_what_the_program_has_passes(self):
        for line in ("impound case new IR-1 --title 'a title with --strange words'", "impound --json status",
                     "impound custody log --case IR-1 | head", "impound run PLAYBOOK -p name=value --yes",
                     "impound case signer add bob.json --fingerprint 5e91…", "impound case …", "impound status  # now"):
            self.assertIsNone(self.wrong(line), line)

    def test_a_command_that_is_not_there_is_named(self):
        self.assertIn("hunt", self.wrong("impound hunt E003"))
        self.assertIn("case burn", self.wrong("impound case burn"))

    def test_an_option_that_is_not_there_is_named(self):
        self.assertIn("--force", self.wrong("impound case close --force"))
        self.assertIn("--retry", self.wrong("impound run PLAYBOOK --retry STEP"))

    def test_commands_are_found_in_fences_spans_and_comments(self):
        page = "Say `impound hunt E1`.\n\n```sh\nimpound hunt E2\n```\n\n    impound hunt E3\n\n`custody burn`\n"
        found = [line for _, line in guard.commands_in_page(page)]
        self.assertEqual(sorted(found), ["impound hunt E1", "impound hunt E2", "impound hunt E3"])
        self.assertEqual([line for _, line in guard.short_commands(page, self.commands)], ["impound custody burn"])
        source = "int x;  // as 'impound hunt\nconst y = \"impound hunt\";\n/// `impound hunt` said\n"
        comments = guard.comments_of("core/x.cpp", source)
        self.assertEqual([line for _, line in guard.commands_in_comment(comments)], ["impound hunt"])
        self.assertEqual(len(comments), len(source) - len("int x;  // as 'impound hunt") +
                         len("int x;  // as 'impound hunt"))

    def test_commands_are_found_in_messages_that_are_broken_over_lines(self):
        source = 'throw Error("no case: make one with \'impound "\n      "hunt new\'");\n'
        self.assertEqual([line for _, line in guard.commands_in_messages(source)], ["impound hunt new"])

    def test_every_command_has_an_example(self):
        lacking = [words for words, command in self.commands.items() if words and not command.subcommands
                   and not make_commands.example_of(words, make_commands.read_examples(), command)]
        self.assertEqual(lacking, [])
        self.assertGreater(len(self.commands), 40)

    def test_help_in_groups_without_colons_is_read_as_well(self):
        command = Command(("case",), GROUPED)
        self.assertEqual(command.sentence, "The case file.")
        self.assertEqual(command.subcommands, [["new", "Open a case."], ["show", "Print one case: its findings, and what waits."]])
        self.assertEqual(command.positionals, [["[COLLECTORS…]", "Names."]])
        self.assertEqual(command.option_names(), {"-p", "--param", "--list"})
        self.assertTrue(command.takes_value("-p"))
        self.assertFalse(command.takes_value("--list"))
        self.assertEqual(command.examples(), ["impound case new IR-1 --title x"])

    def test_help_is_read_as_it_is_laid_out(self):
        command = Command(("collect",), HELP)
        self.assertEqual(command.sentence, "Take evidence by hand.")
        self.assertEqual(command.usage, "[OPTIONS] [collectors...]")
        self.assertEqual(command.options[1], ["-p,--param TEXT ...", "Parameter of a collector, name=value."])
        self.assertEqual(command.options[2][1], "Said in the next line.")
        self.assertIn("--param", command.option_names())
        self.assertEqual(command.footer, "Example:\n  impound collect process")


class Pages(unittest.TestCase):
    def test_numbers_of_issues_are_noticed(self):
        for text in ("as issue 12 says", "see #31", "issues 7 and 8"):
            self.assertTrue(guard.NUMBER_OF_ISSUE.search(text), text)
        for text in ("https://x.org/issues/702", "a.md#31", "&#31;", "# 31 pages", "an issue"):
            self.assertFalse(guard.NUMBER_OF_ISSUE.search(text), text)

    def test_wide_lines_are_noticed_where_they_are_prose(self):
        wide = "word " * 30
        self.assertEqual(len(list(guard.wide_lines(wide))), 1)
        self.assertEqual(list(guard.wide_lines(f"| {wide} |\n\n```\n{wide}\n```\n\n    {wide}\n")), [])

    def test_a_room_that_two_tables_see_differently_is_named(self):
        with open(os.path.join(TREE, "docs/design.md"), encoding="utf-8") as file:
            page = file.read()
        with open(os.path.join(TREE, "tests/unit/house/layering_test.cpp"), encoding="utf-8") as file:
            test = file.read()
        self.assertEqual(list(guard.room_complaints(page, test, TREE)), [])
        changed = page.replace("| base, formats, evidence | – |", "| base, formats | – |", 1)
        self.assertNotEqual(changed, page)
        self.assertEqual(len(list(guard.room_complaints(changed, test, TREE))), 1)


class Blocks(unittest.TestCase):
    def run_page(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".md", encoding="utf-8") as page:
            page.write(text)
            page.flush()
            try:
                run_blocks.main(page.name, PROGRAM, TREE)
            except SystemExit as end:
                return str(end)
        return ""

    def test_a_page_whose_commands_do_what_it_says_passes(self):
        self.assertEqual(self.run_page("```sh run\nx=7\n```\n\n```sh run=3\necho $x; impound --version; exit 3\n```\n\n"
                                       "```text output\n7\nimpound …\n```\n"), "")

    def test_another_exit_code_fails(self):
        self.assertIn("exit code 1", self.run_page("```sh run\nfalse\necho done\n```\n"))
        self.assertIn("exit code 0", self.run_page("```sh run=1\ntrue\n```\n"))

    def test_other_output_fails(self):
        self.assertIn("do not print", self.run_page("```sh run\necho one; echo two\n```\n\n```text output\ntwo\none\n```\n"))

    def test_a_page_without_a_block_fails(self):
        self.assertIn("no block", self.run_page("```sh\ntrue\n```\n"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    PROGRAM, TREE = map(os.path.abspath, sys.argv[1:])
    unittest.main(argv=sys.argv[:1])
