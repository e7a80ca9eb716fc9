#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command at a terminal of its own and types when it is asked.

usage: at_terminal.py TEXT KEYS COMMAND...
KEYS are typed once, when the screen has shown TEXT; backslash escapes are understood.
"""
import os
import pty
import select
import sys
import time

DEADLINE_S = 240


def main():
    awaited, keys, command = sys.argv[1].encode(), sys.argv[2].encode().decode("unicode_escape").encode("latin-1"), sys.argv[3:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    screen = b""
    typed = False
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.5)
        if not ready:
            continue
        try:
            shown = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not shown:
            break
        screen += shown
        if not typed and awaited in screen:
            typed = True
            os.write(terminal, keys)
    else:
        os.kill(child, 9)
    sys.stdout.buffer.write(screen.replace(b"\r\n", b"\n"))
    sys.stdout.flush()
    if not typed:
        sys.stderr.write("at_terminal: the screen never showed %r\n" % awaited)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if typed else 99


sys.exit(main())
