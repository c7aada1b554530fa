"""What the commands share: options, the prompt for a paste, and how they fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import click
from rich.console import Console
from rich.text import Text

from ormco_trios.communicate.regions import Region
from ormco_trios.core.errors import (
    ApprovalTimeout,
    AuthorizationNeeded,
    ConfigurationError,
    NobodyCameBack,
    OrmcoTriosError,
    RateLimited,
    RegionUnclear,
    ServerError,
    TransportError,
)
from ormco_trios.oauth.receiver import RedirectReceiver
from ormco_trios.oauth.request import AuthorizationRequest

F = TypeVar("F", bound=Callable[..., object])

_EXIT_CODES: tuple[tuple[type[OrmcoTriosError], int], ...] = (
    (ConfigurationError, 2),
    (ApprovalTimeout, 3),
    (AuthorizationNeeded, 4),
    (TransportError, 7),
    (RateLimited, 7),
    (ServerError, 7),
)


def exit_code(kind: type[OrmcoTriosError]) -> int:
    """What the command ends with after an error of this class."""
    return next((code for base, code in _EXIT_CODES if issubclass(kind, base)), 1)


def complain(message: object) -> None:
    """Say in red what is wrong, on standard error; rich heeds NO_COLOR, and click does not."""
    Console(stderr=True).print(Text(str(message), style="red"), soft_wrap=True)


def harmless(text: str | None) -> Text:
    """What somebody else has written, without what could move the cursor or turn the text."""
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
    except (KeyboardInterrupt, click.Abort):
        message = "Interrupted. Nothing is lost: run the same command again and it goes on."
        _fail(as_json, "Interrupted", message, code=130)


_REGION_ADVICE = (
    f"Say which of Ormco's labs is meant: {', '.join(f'--region {r.value}' for r in Region)}."
)


def _fail(as_json: bool, kind: str, message: object, *, code: int) -> NoReturn:
    if as_json:
        print(json.dumps({"state": "error", "error": {"type": kind, "message": str(message)}}))
    else:
        complain(message)
    sys.exit(code)


def ask_for_address(
    request: AuthorizationRequest,
    explanation: str,
    *,
    hint: str,
    problem: str | None,
    receiver: RedirectReceiver | None,
) -> str:
    """Show the link and take the answer, on standard error: --json keeps standard output."""
    if problem:
        complain(problem)
    click.echo(
        f"\n{explanation}\n\n"
        f"1. Open this link, sign in to 3Shape, and choose Allow access:\n\n   {request.url}\n\n"
        f"   {hint}\n",
        err=True,
    )
    if receiver is not None and request.redirect_uri == receiver.redirect_uri:
        click.echo("2. Your browser comes back here by itself. Waiting for it ...\n", err=True)
        try:
            return receiver.wait()
        except NobodyCameBack as error:
            complain(error)
    click.echo(
        "2. Copy the ENTIRE address of the page you are sent to, even if it shows an error,\n"
        "   and paste it here within three minutes. It is not shown while you paste.\n",
        err=True,
    )
    pasted: str = click.prompt("Address", hide_input=True, err=True)
    return pasted


def ask_for_account() -> str:
    """Ask which account the consent page showed, on standard error; empty if nobody saw it."""
    question = "Which e-mail did 3Shape's page show? (Enter, if it showed none)"
    try:
        said: str = click.prompt(question, default="", show_default=False, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        return ""  # a program that writes the address alone says nothing more
    return said
