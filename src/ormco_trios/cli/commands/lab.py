"""The lab's side: who asks for a connection, and accepting it."""

from __future__ import annotations

import click

from ormco_trios.cli.common import json_option, runs_in


@click.command()
@click.argument("who", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@json_option
@click.option(
    "--sandbox",
    is_flag=True,
    help="Use a simulator in this process and be Ormco's lab there: nothing real is touched.",
)
@runs_in("lab")
def approve() -> None:
    """List who asks this lab for a connection, or accept them.

    Without WHO it lists the practices and changes nothing. WHO is an e-mail, a pattern such as
    '*@clinic.example', or a connection's id; '*' is everybody.
    """
