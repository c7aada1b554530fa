"""From an address to what OrmcoDigital's field wants."""

from __future__ import annotations

import click

from ormco_trios.cli.common import json_option, runs_in


@click.command()
@click.option("--copy", is_flag=True, help="Put the text into the clipboard as well.")
@json_option
@runs_in("code")
def code() -> None:
    """Turn an address with a code into the text for OrmcoDigital.

    It asks for the address, or reads it from standard input, and sends nothing anywhere. The code
    works for at most three minutes from Allow access.
    """
