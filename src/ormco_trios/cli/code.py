"""From an address to what OrmcoDigital's field wants: no account, no network, no settings."""

from __future__ import annotations

import json
import sys
import warnings

import click

from ormco_trios.cli.common import ask_for_paste, complain, is_terminal, piped
from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.oauth.code import AuthorizationCode, UnrecognisedCodeWarning
from ormco_trios.oauth.paste import MAX_PASTE

_STEPS = """\
1. Paste it into the field Enter Code of OrmcoDigital, as it is: nothing has to be removed.
2. Press Ok, and then Update at the end of the page. Without Update nothing is saved.
"""

_TOO_OLD = 'Probably too old now. If OrmcoDigital refuses it, click its link "here" again.'


def code(as_json: bool, copy: bool) -> None:
    clock = Clock()
    found = _read(clock)
    text = found.reveal("portal")
    if copy:
        _copy(text)
    if as_json:
        until = None if found.expires_at is None else found.expires_at.isoformat()
        print(json.dumps({"text": text, "until": until, "recognised": found.recognised}))
        return
    click.echo(text)
    click.echo(f"\n{'It is in the clipboard. ' if copy else ''}{_STEPS}", err=True)
    if is_terminal() and sys.stderr.isatty():
        _count_down(found, clock)


def _read(clock: Clock) -> AuthorizationCode:
    if is_terminal():
        click.echo(
            "Copy the ENTIRE address of the page that you were sent to, and paste it here. It is "
            "not shown while you paste.\n",
            err=True,
        )
        pasted = ask_for_paste("Address")
    else:
        pasted = piped(4 * MAX_PASTE + 1)
    with warnings.catch_warnings(record=True) as odd:
        warnings.simplefilter("always", UnrecognisedCodeWarning)
        found = AuthorizationCode.from_pasted(pasted, clock=clock)
    if odd:
        complain(odd[0].message)
    return found


def _count_down(found: AuthorizationCode, clock: Clock) -> None:
    """How long it works at the most: it began to age with *Allow access*, a little earlier."""
    if found.expires_at is None:
        return
    while (left := (found.expires_at - clock.now()).total_seconds()) > 0:
        minutes, seconds = divmod(int(left), 60)
        said = f"\rAt most {minutes}:{seconds:02d} left; Ctrl-C ends this. "
        click.echo(said, nl=False, err=True)
        clock.sleep(min(1.0, left))
    click.echo(f"\r{_TOO_OLD}", err=True)


def _copy(text: str) -> None:
    try:
        import pyperclip

        pyperclip.copy(text)
    except (ImportError, RuntimeError):  # pyperclip's own error is a RuntimeError
        raise ConfigurationError(
            "This machine's clipboard cannot be reached.",
            advice="Leave --copy out and copy the text from the terminal; pip install pyperclip "
            "adds the clipboard, which on Linux needs xclip, xsel or wl-clipboard as well.",
        ) from None
