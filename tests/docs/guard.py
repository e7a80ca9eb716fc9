#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What papers and comments name exists.

usage: guard.py PROGRAM TREE      everything
       guard.py --links FOLDER    only the links of the Markdown files below FOLDER (an installed copy)

Every complaint is a line FILE:LINE: what is wrong. Exit code 1 if there is one.
"""

import glob
import os
import re
import shlex
import subprocess
import sys

from command_tree import read_commands
import make_commands

README_WORDS = 600
WIDTH = 100

# Folders at the root of the tree: what begins with one of them is a path.
TOP = ("core", "collectors", "containment", "lua", "playbooks", "tests", "cases", "docs", "cmake", r"\.ci")
PATH = re.compile(r"(?<![\w./<>…$~\\-])(?:" + "|".join(TOP) + r")/[\w./<>*{},-]*[\w>*}]")
# A file of ours by its name alone, or by the end of its path.
FILE_NAME = re.compile(r"(?<![\w./<>*…$=-])(?:[\w.-]+/)*[\w-]+\.(?:hpp|cpp|md)\b(?!\.)")
# What others call by such a name.
FOREIGN_FILES = {
    "llama.cpp",  # the project of that name
}
# Words that a digest begins with, and no commands.
FOREIGN_COMMANDS = ("impound entry ", "impound journal row")
NUMBER_OF_ISSUE = re.compile(r"\bissues?\s+#?\d+\b|(?<![\w&/#])#\d+\b", re.IGNORECASE)
INVARIANT = re.compile(r"\[(I\d+)\]")
LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")

HASH = r"(?<!\S)#.*"
COMMENT = {
    ".cpp": r"//.*", ".hpp": r"//.*", ".lua": r"--.*", ".sh": HASH, ".cmake": HASH,
    ".py": HASH + r'|"""(?:.|\n)*?"""',
}


def tracked(tree):
    """Files of the tree, relative; of a copy without git, all that are no build."""
    done = subprocess.run(["git", "-C", tree, "ls-files", "-co", "--exclude-standard"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    if done.returncode == 0:
        names = done.stdout.decode().splitlines()
        return sorted(name for name in names if os.path.exists(os.path.join(tree, name)))
    found = []
    for folder, folders, files in os.walk(tree):
        folders[:] = [one for one in folders if not one.startswith("build") and one not in (".git", "out")]
        found += [os.path.relpath(os.path.join(folder, file), tree) for file in files]
    return sorted(found)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank(match):
    """The same number of lines, without the words."""
    return re.sub(r"[^\n]", " ", match.group(0))


FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(r"^<!--.*?-->$", re.MULTILINE | re.DOTALL)


def anchors(text):
    """Names of the headings, as GitHub makes them."""
    names = set()
    for heading in re.findall(r"^#+\s+(.*)$", FENCE.sub(blank, text), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        names.add(name)
    return names


def broken_links(path, text, read):
    """Links of a page that lead nowhere. `read(path)` is the text of a file that a reader of an installed copy
    has as well, or None."""
    plain = SPAN.sub(blank, HIDDEN.sub(blank, FENCE.sub(blank, text)))
    for match in LINK.finditer(plain):
        target = match[1] or match[2]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        content = text if not name else read(there)
        if content is None:
            yield line_of(text, match.start()), f"the link {target} leads to no page or picture"
        elif anchor and anchor not in anchors(content):
            yield line_of(text, match.start()), f"the link {target}: there is no such heading"


def as_glob(path):
    """A path with <placeholders> and {a,b} as patterns."""
    patterns = [re.sub(r"<[^>]*>", "*", path)]
    while any("{" in pattern for pattern in patterns):
        split = []
        for pattern in patterns:
            match = re.search(r"\{([^{}]*)\}", pattern)
            if not match:
                return [path]
            split += [pattern[:match.start()] + one + pattern[match.end():] for one in match[1].split(",")]
        patterns = split
    return patterns


def missing_paths(text, tree, names):
    """Paths and file names in `text` that the tree has not."""
    for match in PATH.finditer(text):
        for pattern in as_glob(match[0].rstrip(".,")):
            if not glob.glob(os.path.join(glob.escape(tree), pattern)):
                yield match.start(), f"there is no {match[0]}"
    for match in FILE_NAME.finditer(text):
        name = match[0]
        if PATH.match(name) or name.startswith("../") or name in FOREIGN_FILES:
            continue
        if not any(one == name or one.endswith("/" + name) for one in names):
            yield match.start(), f"no file of the tree is called {name}"


def words_of(line):
    """The words of a command, up to what the shell would take for itself."""
    line = re.split(r"\s#|[|;>]|&&|\$\(", line, maxsplit=1)[0] if "'" not in line and '"' not in line else line
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    for number, word in enumerate(words):
        if word in ("|", ">", ";", "&&", "||", "2>&1") or word.startswith(">"):
            return words[:number]
    return words


def wrong_command(line, commands):
    """What is wrong with a command line that begins with impound; None if nothing is."""
    words, here, options, at_end = words_of(line)[1:], (), set(commands[()].option_names()), False
    takes_value = lambda name: any(  # noqa: E731
        commands[here[:depth]].takes_value(name) for depth in range(len(here) + 1))
    skip = False
    for word in words:
        if skip:
            skip = False
            continue
        if word == "--":
            break
        if re.match(r"--?[A-Za-z]", word):
            name = word.split("=")[0].rstrip(".,")
            if name not in options:
                return f"impound {' '.join(here)} has no option {name}".replace("  ", " ")
            skip = takes_value(name) and "=" not in word
            continue
        if at_end or not commands[here].subcommands:
            at_end = True
            continue
        names = [one for one, _ in commands[here].subcommands]
        if word in names:
            here += (word,)
            options |= commands[here].option_names()
        elif re.fullmatch(r"[a-z][a-z-]*", word):
            return f"there is no command impound {' '.join(here + (word,))}"
        else:
            at_end = True  # a placeholder
    return None


def commands_in_page(text):
    """(offset, line) of each command line of a page: in fences, indented blocks and spans."""
    visible = HIDDEN.sub(blank, text)
    for match in re.finditer(r"^[ \t]*(?:\$ |expect \d )?(impound [^\n]*(?:\\\n[^\n]*)*)", visible, re.MULTILINE):
        inside = any(fence.start() < match.start() < fence.end() for fence in FENCE.finditer(visible))
        if inside or match[0].startswith("    "):
            yield match.start(1), match[1].replace("\\\n", " ")
    for match in SPAN.finditer(FENCE.sub(blank, visible)):
        code = " ".join(match[2].split())
        if code.startswith("impound "):
            yield match.start(), code


def short_commands(text, commands):
    """(offset, line) of spans that name a command without the program: `custody verify`, `scan --rules`."""
    groups = {words[0]: command for words, command in commands.items() if len(words) == 1}
    for match in SPAN.finditer(FENCE.sub(blank, HIDDEN.sub(blank, text))):
        words = match[2].split()
        if len(words) > 1 and words[0] in groups and (words[1].startswith("--") or groups[words[0]].subcommands):
            yield match.start(), "impound " + " ".join(words)


def commands_in_comment(text):
    for match in re.finditer(r"([`'\"])(impound [a-z][^`'\"]*)\1", text):
        yield match.start(), " ".join(match[2].split())


def commands_in_messages(text):
    """What the program itself tells a person to run: 'impound case new' inside of its strings."""
    joined = re.sub(r'"\s*\n\s*"', lambda match: "\0" * match[0].count("\n"), text)
    for literal in re.finditer(r'"(?:[^"\\\n]|\\.)*"', joined):
        for match in re.finditer(r"'(impound[ \0]+[a-z][^']*)'", literal[0].replace('\\"', " ")):
            yield literal.start(), match[1].replace("\0", "")


def comments_of(path, text):
    """The comments of a source, everything else blanked, so that offsets stay."""
    suffix = os.path.splitext(path)[1]
    if os.path.basename(path) == "CMakeLists.txt":
        suffix = ".cmake"
    elif not suffix and text.startswith("#!"):
        suffix = ".py" if "python" in text.split("\n", 1)[0] else ".sh"
    pattern = COMMENT.get(suffix)
    if pattern is None:
        return None
    kept, end = [], 0
    for match in re.finditer(pattern, text):
        kept.append(re.sub(r"[^\n]", " ", text[end:match.start()]))
        # The marks of a comment are no part of it: a sentence goes on in the next line.
        kept.append(re.sub(r"^(///?<?|--+|#+)", lambda mark: " " * len(mark[0]), match[0]))
        end = match.end()
    kept.append(re.sub(r"[^\n]", " ", text[end:]))
    return "".join(kept)


def wide_lines(text):
    plain = HIDDEN.sub(blank, FENCE.sub(blank, text))
    for number, line in enumerate(plain.splitlines(), 1):
        if len(line) > WIDTH and not line.startswith("|") and not line.startswith("    ") and " " in line.strip():
            yield number, f"{len(line)} columns, at most {WIDTH} are read well"


def room_tables(design, test):
    """The rooms of docs/design.md and of layering_test.cpp: name → what it may include."""
    short = lambda path: path.rstrip("/").replace("core/", "").replace("lua/host", "lua/host")  # noqa: E731
    page = {}
    for name, uses in re.findall(r"^\| `([a-z/]+)/` \|[^|]*\| ([^|]*) \|", design, re.MULTILINE):
        page[short(name)] = {one.strip() for one in uses.split(",")} - {"–"}
    below = re.search(r"kBelowEngine\{(.*?)\}", test, re.DOTALL)
    table = test[test.index("kRooms{"):]
    table = table[:table.index("return kRooms")]
    rooms = {}
    for name, uses in re.findall(r'\{"([a-z/]+)/",\s*(\{[^{}]*\}|kBelowEngine)', table):
        text = below[1] if uses == "kBelowEngine" else uses
        rooms[short(name)] = {short(one) for one in re.findall(r'"([a-z/]+)/"', text)}
    return page, rooms


def built_rooms(tree):
    """What CMake links a room with: name → rooms."""
    built = {}
    for name in ("core", "collectors", "containment", "lua"):
        with open(os.path.join(tree, name, "CMakeLists.txt"), encoding="utf-8") as file:
            for room, rest in re.findall(r"^(?:core|impound)_room\((\w+)([^)]*)\)", file.read(), re.MULTILINE):
                links = re.findall(r"\bimpound_(\w+)", rest)
                built["lua/host" if room == "lua" else room] = {"lua/host" if one == "lua" else one for one in links}
    return built


def room_complaints(design, test, tree):
    page, rooms = room_tables(design, test)
    for name, links in built_rooms(tree).items():
        if links != rooms.get(name):
            yield (f"the room {name} is linked with {', '.join(sorted(links))} by CMake, and may include "
                   f"{', '.join(sorted(rooms.get(name, ()))) or 'nothing'} by layering_test.cpp")
    if len(rooms) < 10:
        yield f"only {len(rooms)} rooms were found in layering_test.cpp"
    for name in sorted(set(page) | set(rooms)):
        if name not in page or name not in rooms:
            yield f"the room {name} is not in {'the table' if name not in page else 'layering_test.cpp'}"
        elif page[name] != {"all of them"} and page[name] != rooms[name]:
            yield (f"the room {name} may include {', '.join(sorted(rooms[name])) or 'nothing'} by layering_test.cpp, "
                   f"{', '.join(sorted(page[name])) or 'nothing'} by this page")


def functions_of(stubs):
    return set(re.findall(r"^function \w+[:.](\w+)\(", stubs, re.MULTILINE))


def check_tree(program, tree):
    """(file, line, complaint)"""
    names = tracked(tree)
    text_of = {}
    for name in names:
        try:
            with open(os.path.join(tree, name), encoding="utf-8") as file:
                text_of[name] = file.read()
        except (UnicodeDecodeError, IsADirectoryError):
            pass
    commands = read_commands(program)
    pages = [name for name in names if name.endswith(".md")]
    readable = {name: text_of[name] for name in pages}
    readable.update({name: text_of[name] for name in names if re.fullmatch(r"docs/[^/]+\.svg", name)})

    scripts = "".join(text for name, text in text_of.items()
                      if name.startswith(("tests/", "cases/")) and not name.endswith(".md"))
    known_options = {option for command in commands.values() for option in command.option_names()}
    invariants = set(re.findall(r"^\* \*\*(I\d+)\*\*", text_of.get("docs/design.md", ""), re.MULTILINE))
    asked = functions_of(text_of.get("lua/api/context.lua", ""))
    shared = functions_of(text_of.get("lua/api/response.lua", ""))

    for name, text in text_of.items():
        # This guard and its test hold samples of what is wrong.
        if name.startswith(("tests/docs/guard", "tests/mutation/faults/")):
            continue
        is_page = name.endswith(".md")
        said = text if is_page else comments_of(name, text)
        if said is None:
            continue
        for offset, complaint in missing_paths(said, tree, names):
            yield name, line_of(said, offset), complaint
        for match in NUMBER_OF_ISSUE.finditer(said):
            yield name, line_of(said, match.start()), f"cites {match[0]}, which no reader can open"
        for match in INVARIANT.finditer(said):
            if match[1] not in invariants:
                yield name, line_of(said, match.start()), f"docs/design.md has no invariant {match[1]}"
        found = list(commands_in_page(text)) + list(short_commands(text, commands)) if is_page \
            else list(commands_in_comment(said))
        if name.endswith(".cpp") and not name.startswith("tests/"):
            found += commands_in_messages(text)
        # A changelog tells of what was.
        for offset, line in found if name != "CHANGELOG.md" else ():
            wrong = None if line.startswith(FOREIGN_COMMANDS) else wrong_command(line, commands)
            if wrong:
                yield name, line_of(said, offset), wrong
        if not is_page:
            continue
        for line, complaint in broken_links(name, text, readable.get):
            yield name, line, complaint
        if name == "CHANGELOG.md":
            continue
        for match in SPAN.finditer(FENCE.sub(blank, HIDDEN.sub(blank, text))):
            if not match[2].startswith("--"):
                continue
            for option in OPTION.findall(match[2]):
                if option not in known_options and option not in scripts:
                    yield name, line_of(text, match.start()), f"nothing here has an option {option}"
        # Code of the tutorial is run, not read.
        for match in re.finditer(r"\b(ctx:|response\.)(\w+)\b(?!\.\w)", FENCE.sub(blank, text)):
            if match[2] not in (asked if match[1] == "ctx:" else shared):
                yield name, line_of(text, match.start()), f"there is no {match[0]}"
        if "/" not in name or name.startswith("docs/"):
            for line, complaint in wide_lines(text):
                yield name, line, complaint

    words = len(text_of["README.md"].split())
    if words > README_WORDS:
        yield "README.md", 1, f"{words} words, at most {README_WORDS} are read"

    for complaint in room_complaints(text_of["docs/design.md"], text_of["tests/unit/house/layering_test.cpp"], tree):
        yield "docs/design.md", 1, complaint

    examples = make_commands.read_examples()
    for number, line in examples:
        wrong = wrong_command("impound " + line, commands)
        if wrong:
            yield "tests/docs/examples.txt", number, wrong
    for at, command in commands.items():
        if at and not command.subcommands and not make_commands.example_of(at, examples, command):
            yield "tests/docs/examples.txt", 1, f"there is no example of impound {' '.join(at)}"
    if text_of.get("docs/commands.md") != make_commands.page(program):
        yield "docs/commands.md", 1, ("is not what the program says now: "
                                      "python3 tests/docs/make_commands.py build/impound >docs/commands.md")


def check_links(folder):
    """The links of an installed copy: what they lead to was installed as well."""
    def read(path):
        try:
            with open(os.path.join(folder, path), encoding="utf-8") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError):
            return None

    pages = [os.path.relpath(path, folder) for path in glob.glob(os.path.join(folder, "**/*.md"), recursive=True)]
    if not pages:
        yield folder, 0, "there is no page"
    for page in sorted(pages):
        for line, complaint in broken_links(page, read(page), read):
            yield page, line, complaint


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    complaints = sorted(set(check_links(arguments[1]) if arguments[0] == "--links"
                            else check_tree(os.path.abspath(arguments[0]), arguments[1])))
    for name, line, complaint in complaints:
        print(f"{name}:{line}: {complaint}")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
