"""The command and its commands, each of which is loaded when it is called."""

from __future__ import annotations

import importlib

import click

from ormco_trios._version import __version__

_COMMANDS = {
    "approve": "lab",
    "cases": "cases",
    "check": "practice",
    "code": "code",
    "connect": "practice",
    "disconnect": "practice",
    "doctor": "practice",
    "first-contact": "first_contact",
    "fleet": "fleet",
    "repair": "practice",
    "sandbox": "simulator",
}
"""In which module each is; its function there has the same name."""


class _LoadedWhenCalled(click.Group):
    """Imports a command's module when that command is called, or shown in the list of all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        home = _COMMANDS.get(cmd_name)
        if home is None:
            return None
        module = importlib.import_module(f"ormco_trios.cli.commands.{home}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found


@click.group(cls=_LoadedWhenCalled, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ormco-trios")
def cli() -> None:
    """Connect a practice's 3Shape TRIOS account to Ormco.

    OrmcoDigital has no published API, so you do its part yourself and are told what to do;
    'ormco-trios code' only makes an address into what its field wants, and needs no settings.

    Without --sandbox the commands read ORMCO_TRIOS_CLIENT_ID, _CLIENT_SECRET, _REDIRECT_URI,
    _DIALECT and _ENVIRONMENT; where there is an API of the portal, _ORMCODIGITAL_URL,
    _PORTAL_USERNAME and _PORTAL_PASSWORD as well.  No secret is ever an argument.

    \b
    Exit codes: 0 connected, 1 error, 2 wrong usage, 3 waiting for Ormco,
    4 a person has to do something, 5 steps are missing, 6 broken,
    7 not known, 130 interrupted.
    """  # noqa: D301 - click wants the character, not the two
