"""An account's cases, without their patients unless they are asked for."""

from __future__ import annotations

from pathlib import Path

import click

from ormco_trios.cli.common import F, in_a_folder, json_option, runs_in

_patients = click.option(
    "--patients", is_flag=True, help="Show names, and order numbers, which may hold them."
)
_to = click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    required=True,
    help="Where the files go, under names of our own.",
)


def _common(command: F) -> F:
    for option in (
        json_option,
        click.option(
            "--practice",
            default="*",
            metavar="ID",
            help="Only the cases of this practice, by the id of its account: for a lab.",
        ),
        click.option(
            "--sandbox",
            is_flag=True,
            help="Use a simulator in this process: nothing real is touched. You are its sample "
            "practice, or with --practice its lab.",
        ),
    ):
        command = option(command)
    return command


def _files(command: F) -> F:
    for option in (
        click.option(
            "--type",
            "types",
            multiple=True,
            metavar="EXT",
            help="Only files of this type, such as stl.",
        ),
        click.option("--as-ply", is_flag=True, help="Only scans, converted to PLY."),
        click.option(
            "--max-bytes",
            type=click.IntRange(min=1),
            metavar="N",
            help="Fetch no file with more bytes.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def cases() -> None:
    """Read an account's cases, and fetch their files.

    The account is a practice's or a lab's. Patients' names are shown only with --patients.
    """


@cases.command("list")
@click.option(
    "--search", is_flag=True, help="Ask for a text, such as an order number, and find its cases."
)
@click.option(
    "--since",
    type=click.DateTime(),
    metavar="TIME",
    help="No case before this, such as 2026-01-31T08:00:00; in UTC.",
)
@click.option("--until", type=click.DateTime(), metavar="TIME", help="No case after this; in UTC.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="The most cases to show.",
)
@_patients
@_common
@runs_in("cases")
def list_() -> None:
    """List the account's cases, newest first.

    What to search for is asked for, or read from standard input: arguments show in the list of
    processes.
    """


@cases.command()
@click.argument("id")
@click.option("--version", type=click.IntRange(min=1), help="This version, not the latest.")
@_patients
@_common
@runs_in("cases")
def get() -> None:
    """Show one case and its files."""


@cases.command()
@click.argument("id")
@_to
@_files
@click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
@_common
@runs_in("cases")
def download() -> None:
    """Fetch the files of a case, whatever their size.

    A file appears as a whole, once its SHA-1 was compared; one whose SHA-1 the case does not name
    is marked. A file that is there already and is the same is not fetched again.
    """


@cases.command()
@click.option(
    "--cursor",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    metavar="FILE",
    required=True,
    help="The file that remembers how far it has come; it is made if it is missing.",
)
@click.option(
    "--since",
    type=click.DateTime(),
    metavar="TIME",
    help="Where to begin without a cursor, such as 2026-01-31T08:00:00; in UTC.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Fetch the files of each case as well, into a folder of its own in this one.",
)
@_files
@_patients
@_common
@runs_in("cases")
def sync() -> None:
    """Show what is new or changed since last time, and remember it.

    Whenever it is interrupted, nothing is lost: what was shown last may be shown once more. With
    --json there is a line for each group of cases.
    """
