"""What the commands share: options, the prompt for a paste, and how they fail."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

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
    """Text from outside, without what could move the cursor or turn the text."""
    # Here, since rich takes longer to import than `ormco-trios code` takes in all.
    from rich.text import Text

    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or ""))


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

_VERBOSE = "ormco_trios.verbose"


def _keep(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_VERBOSE] = value


verbose_option = click.option(
    "--verbose", is_flag=True, expose_value=False, callback=_keep, help="With details for support."
)


def verbose() -> bool:
    """Whether the command that runs was called with ``--verbose``."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_VERBOSE))


def runs_in(module: str) -> Callable[[Callable[[], None]], Callable[..., None]]:
    """What a command does: the function of its name in that module of ``ormco_trios.cli``.

    The module is loaded when the command is called, so that ``--help`` waits for nothing.
    """

    def decorate(declared: Callable[[], None]) -> Callable[..., None]:
        @verbose_option
        @wraps(declared)
        def run(**given: Any) -> None:
            with reporting(bool(given.get("as_json"))):
                work = import_module(f"ormco_trios.cli.{module}")
                getattr(work, declared.__name__)(**given)

        return run

    return decorate


class NobodyAnswered(click.Abort):
    """Standard input has ended where a person has to answer."""


@contextmanager
def _answering() -> Generator[None]:
    """Tell the end of standard input from Ctrl-C, which click does not."""
    try:
        if sys.stdin:  # Python has none at all if it was closed
            yield
            return
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
    click.echo(err=True)
    raise NobodyAnswered


def prompt(question: str, **options: Any) -> str:
    """Ask on standard error.

    Raises:
        NobodyAnswered: Standard input has ended.
    """
    with _answering():
        answer: str = click.prompt(question, err=True, **options)
        return answer


def confirm(question: str) -> None:
    """Ask on standard error whether to go on; no is the end.

    Raises:
        NobodyAnswered: Standard input has ended.
    """
    with _answering():
        click.confirm(question, abort=True, err=True)


def in_a_folder(_: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    """Say that a folder is missing before a day's work, not after it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise click.BadParameter("its folder does not exist", param=parameter)
    return path


_NEEDED = "ormco_trios.needed"


def needed_now(document: dict[str, object]) -> None:
    """What ``--json`` tells a program, if nobody answers the question that comes now."""
    if context := click.get_current_context(silent=True):
        context.meta[_NEEDED] = document


@contextmanager
def reporting(as_json: bool) -> Generator[None]:
    """Turn the library's errors and an interruption into a message and an exit code."""
    try:
        yield
    except OrmcoTriosError as error:
        advice = _ADVICE.get(type(error), error.advice)
        detail = f" [{error.detail}]" if error.detail and verbose() else ""
        message = f"{advice} ({error.happened}){detail}"
        _fail(as_json, type(error).__name__, message, code=exit_code(type(error)))
    except NobodyAnswered:
        context = click.get_current_context(silent=True)
        document: dict[str, Any] = {} if context is None else context.meta.get(_NEEDED, {})
        _fail(as_json, "NobodyAnswered", _NOBODY_ANSWERED, code=4, **document)
    except click.UsageError as error:
        if not as_json:
            raise
        _fail(as_json, "UsageError", error.format_message(), code=2)
    except (KeyboardInterrupt, click.Abort) as stop:
        message = "Interrupted. Nothing is lost: run the same command again and it goes on."
        message = " ".join([message, *getattr(stop, "__notes__", ())])
        _fail(as_json, "Interrupted", message, code=130)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # click ends quietly when nobody reads what it prints
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        message = f"{where}{error.strerror or type(error).__name__}. Correct this and try again."
        _fail(as_json, type(error).__name__, message, code=1)


_NOBODY_ANSWERED = (
    "Run this on a terminal, or write the answer to its standard input: a person has to answer, "
    "and standard input has ended. Nothing is lost."
)

_ADVICE: dict[type[OrmcoTriosError], str] = {
    RegionUnclear: "Say which of Ormco's labs is meant: --region north_america, --region "
    "asia_pacific or --region europe.",
    ApprovalTimeout: "Nothing is lost: run the same command again to wait on. Approval can take up "
    "to 24 hours; after that, call Ormco support.",
}
"""What to do on the command line, where it is not what a program would do."""


def _fail(as_json: bool, kind: str, message: str, *, code: int, **more: object) -> NoReturn:
    if as_json:
        print(json.dumps({"state": "error", **more, "error": {"type": kind, "message": message}}))
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
    # Without a terminal nothing is shown anyway, and getpass would warn that it might be.
    pasted = prompt(question, hide_input=is_terminal())
    return "\n".join((pasted, *_waiting_lines()))


def _waiting_lines() -> list[str]:
    """The lines that came with the same paste, and would else answer the next question."""
    lines: list[str] = []
    if sys.platform != "win32" and is_terminal():
        import select

        while select.select([sys.stdin], [], [], 0.05)[0] and (line := sys.stdin.readline()):
            lines.append(line.rstrip("\n"))
    return lines
