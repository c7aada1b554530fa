"""What one recorded walk through the real portal says about our assumptions."""

from __future__ import annotations

from pathlib import Path

import click

from ormco_trios.cli.common import in_a_folder, json_option, runs_in


@click.group(name="first-contact")
def first_contact() -> None:
    """Learn from one walk through the real portal.

    A recording of it says which of the library's assumptions hold.
    """


@first_contact.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path), callback=in_a_folder)
@click.option(
    "--portal",
    metavar="ADDRESS",
    required=True,
    envvar="ORMCO_TRIOS_PORTAL_PAGE",
    help="The page where you sign in to OrmcoDigital.",
)
@click.option(
    "--browser",
    metavar="FILE",
    help="Which browser to start; by default the Chromium, Chrome or Edge that is installed.",
)
@runs_in("first_contact")
def record() -> None:
    """Record one walk through the guide, for 'judge'.

    A browser opens for it. Only OrmcoDigital and 3Shape are recorded, in memory. What is written
    holds no value: every text that the guide does not print is a placeholder. If anything that you
    typed would be left, nothing is written. Close the browser's windows when you are done.
    """


@first_contact.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--portal", metavar="ADDRESS", help="The portal's address, if it cannot be told.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Write a page as well.",
)
@json_option
@runs_in("first_contact")
def judge() -> None:
    """Hold each assumption against a recording.

    FILE is what 'record' wrote, or a browser's HAR export. The latter holds passwords and patients'
    data: it is redacted in memory before it is read, and nothing of it is kept; delete it
    afterwards. On a terminal the user name and the password that were typed are asked for, since a
    script may send them under any name.
    """
