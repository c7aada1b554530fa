"""What a real terminal shows of 80 columns: nothing is cut, and NO_COLOR is heeded."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import struct
import subprocess
import sys
import termios
import unicodedata

import pytest

from ormco_trios.cli.common import harmless

pytestmark = pytest.mark.socket

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])m")


COMMANDS = [
    "--help",
    "check",
    "check --sandbox",
    "doctor --sandbox --verbose",
    "approve --sandbox",
    "approve --sandbox --yes *",
    "cases list --sandbox",
    "cases list --sandbox --patients",
    "cases --help",
]
END = "\x1e"

# One process for all of them: to start one takes longer than to run it.
SCRIPT = f"""
import contextlib, sys
from ormco_trios.cli import main
for command in sys.argv[1:]:
    sys.argv = ["ormco-trios", *command.split()]
    with contextlib.suppress(SystemExit):
        main()
    print(end={END!r}, flush=True)
"""


@functools.cache
def on_a_terminal(**environ: str) -> dict[str, str]:
    """What each command shows."""
    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        inherited = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR"}}
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *COMMANDS],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**inherited, "TERM": "xterm-256color", **environ},
        ) as command:
            os.close(theirs)
            theirs = -1
            seen = b""
            # A terminal whose last user is gone answers with an error, not with an end.
            with contextlib.suppress(OSError):
                while piece := os.read(ours, 65536):
                    seen += piece
            command.wait(60)
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    return dict(zip(COMMANDS, seen.decode().split(END), strict=False))


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def words(text: str) -> list[str]:
    """What it says, without the time at which it does."""
    return re.sub(r"\d", "0", ESCAPE.sub("", text)).split()


@pytest.mark.parametrize("command", COMMANDS)
def test_80_columns_with_and_without_colour(command: str) -> None:
    shown = on_a_terminal()[command]
    plain = on_a_terminal(NO_COLOR="1")[command]
    assert COLOUR.search(plain) is None
    assert words(shown) == words(plain)
    if command != "check":  # a message of one sentence is left to the terminal to wrap
        assert max(columns(line) for line in ESCAPE.sub("", shown).splitlines()) <= 80
    else:
        assert COLOUR.search(shown) is not None, "or the above would prove nothing"


def test_a_name_cannot_move_the_cursor() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07Clinic\u202eevil\r\n\x9b1A"
    shown = harmless(hostile).plain
    assert "Clinic" in shown
    assert shown.isprintable()
