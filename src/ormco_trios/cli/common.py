"""What the commands share: options, the prompt for a paste, and how they fail."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from ormco_trios.core.errors import (
    ApprovalTimeout,
    AuthorizationNeeded,
    ConfigurationError,
    OrmcoTriosError,
    PersonNeeded,
    RateLimited,
    RegionUnclear,
    ServerError,
    TransportError,
)

if TYPE_CHECKING:
    from rich.text import Text

F = TypeVar("F", bound=Callable[..., object])

_EXIT_CODES: tuple[tuple[type[OrmcoTriosError], int], ...] = (
    (ConfigurationError, 2),
    (ApprovalTimeout, 3),
    (AuthorizationNeeded, 4),
    (PersonNeeded, 4),
    (TransportError, 7),
    (RateLimited, 7),
    (ServerError, 7),
)


def exit_code(kind: type[OrmcoTriosError]) -> int:
    """What the command ends with after an error of this class."""
    return next((code for base, code in _EXIT_CODES if issubclass(kind, base)), 1)


def complain(message: object) -> None:
    """Say in red what is wrong, on standard error; click does not heed NO_COLOR by itself."""
    click.secho(str(message), fg=None if os.environ.get("NO_COLOR") else "red", err=True)


def harmless(text: str | None) -> Text:
    """What somebody else has written, without what could move the cursor or turn the text."""
    # Here, since rich takes longer to import than `ormco-trios code` takes in all.
    from rich.text import Text

    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or ""))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@contextmanager
def reporting(as_json: bool) -> Generator[None]:
    """Turn the library's errors and an interruption into a message and an exit code."""
    try:
        yield
    except OrmcoTriosError as error:
        message: object = error
        if isinstance(error, RegionUnclear):
            message = f"{_REGION_ADVICE} ({error.happened})"
        _fail(as_json, type(error).__name__, message, code=exit_code(type(error)))
    except (KeyboardInterrupt, click.Abort) as interruption:
        again = "Interrupted. Nothing is lost: run the same command again and it goes on."
        message = " ".join([again, *getattr(interruption, "__notes__", ())])
        _fail(as_json, "Interrupted", message, code=130)


_REGION_ADVICE = (
    "Say which of Ormco's labs is meant: --region north_america, --region asia_pacific or "
    "--region europe."
)


def _fail(as_json: bool, kind: str, message: object, *, code: int) -> NoReturn:
    if as_json:
        print(json.dumps({"state": "error", "error": {"type": kind, "message": str(message)}}))
    else:
        complain(message)
    sys.exit(code)


def is_terminal() -> bool:
    """Whether a person can be asked; Python has no standard input at all if it was closed."""
    return bool(sys.stdin) and sys.stdin.isatty()


def piped(most: int) -> str:
    """What comes on standard input, up to ``most`` bytes, whatever its encoding."""
    return sys.stdin.buffer.read(most).decode("utf-8", "replace") if sys.stdin else ""


def ask_for_paste(question: str) -> str:
    """Take a paste, which is not shown; of several lines, all of them."""
    pasted: str = click.prompt(question, hide_input=True, err=True)
    return "\n".join((pasted, *_waiting_lines()))


def _waiting_lines() -> list[str]:
    """The lines that came with the same paste, and would else answer the next question."""
    lines: list[str] = []
    if sys.platform != "win32" and is_terminal():
        import select

        while select.select([sys.stdin], [], [], 0.05)[0] and (line := sys.stdin.readline()):
            lines.append(line.rstrip("\n"))
    return lines
