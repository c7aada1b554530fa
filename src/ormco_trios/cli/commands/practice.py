"""One practice: connect, check, repair, disconnect, doctor."""

from __future__ import annotations

import click

from ormco_trios.cli.common import F, json_option, runs_in


def _common(command: F) -> F:
    for option in (
        json_option,
        click.option(
            "--portal",
            type=click.Choice(["manual", "browser", "api"]),
            envvar="ORMCO_TRIOS_PORTAL",
            show_envvar=True,
            help="What does OrmcoDigital's part: you, following the steps that are shown; a "
            "browser that you watch; or an API of it. By default you do, unless "
            "ORMCO_TRIOS_ORMCODIGITAL_URL names an API.",
        ),
        click.option(
            "--region",
            type=click.Choice(["north_america", "asia_pacific", "europe"]),
            help="Which of Ormco's labs; by default what the account's country clearly says, or "
            "else its own region at 3Shape.",
        ),
        click.option(
            "--account",
            metavar="EMAIL",
            help="The 3Shape account that is meant; another one is refused before anything is "
            "asked for. Its sign-in is kept apart from other accounts'.",
        ),
        click.option(
            "--sandbox",
            is_flag=True,
            help="Use a simulator on this machine and play the doctor: nothing real is touched.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.option(
    "--requests", "show_requests", is_flag=True, help="List the requests that the sandbox saw."
)
@_common
@runs_in("practice")
def connect() -> None:
    """Do everything that is missing, until scans can be sent.

    Safe to interrupt and to repeat: it goes on from what is done already.
    """


@click.command()
@_common
@runs_in("practice")
def check() -> None:
    """Show the checklist and change nothing."""


@click.command()
@click.option(
    "--extent",
    type=click.Choice(["what-is-broken", "authorize-again", "connect-again"]),
    default="what-is-broken",
    show_default=True,
    help="A larger repair, when everything looks well and scans do not arrive.",
)
@_common
@runs_in("practice")
def repair() -> None:
    """Repair a connection that broke, with the least that helps.

    Safe to interrupt and to repeat: it goes on and takes nothing away twice.
    """


@click.command()
@click.option("--sign-out", is_flag=True, help="Forget this library's own sign-in as well.")
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@_common
@runs_in("practice")
def disconnect() -> None:
    """Take everything back: scans can no longer be sent.

    What only you can take back is asked for on a terminal, and named otherwise.
    """


@click.command()
@_common
@runs_in("practice")
def doctor() -> None:
    """Say what is wrong, from network to portal, and what to do."""
