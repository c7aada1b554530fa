"""The commands for many practices."""

from __future__ import annotations

from pathlib import Path

import click

from ormco_trios.cli.common import in_a_folder, json_option, runs_in

_LIST = click.Path(exists=True, dir_okay=False, path_type=Path)

_records = click.option(
    "--records",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("fleet.db"),
    show_default=True,
    help="The file that remembers the status of each practice.",
)


def _a_number(_: click.Context, parameter: click.Parameter, value: float) -> float:
    if value != value:
        raise click.BadParameter("it is not a number", param=parameter)
    return value


_rate = click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    callback=_a_number,
    default=10.0,
    show_default=True,
    help="Most requests a second to each host.",
)


_report = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Write the status as a page, with plots and with the links to send.",
)


@click.group(
    epilog="Exit codes of run and status: 0 all connected, 3 waiting for Ormco, 4 only people can "
    "go on, 6 a person has to decide, 7 not known."
)
def fleet() -> None:
    """Connect many practices.

    LIST is a CSV file with the columns id, region, account, portal, portal_username and
    portal_password, all but the first as needed; or JSON lines.  The application is the one that
    ORMCO_TRIOS_CLIENT_ID and so on describe.

    On one machine: run, status, authorize, forget.

    On many machines: key, migrate, enroll, worker, status, authorize, pause, resume, retry, reseal,
    forget; with ORMCO_TRIOS_FLEET_DATABASE and ORMCO_TRIOS_FLEET_KEYS, and the extra fleet.
    """


@fleet.command()
@click.argument("practices", type=_LIST, metavar="[LIST]", required=False)
@click.option(
    "--sandbox",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Instead of a list: N practices of a simulator, whose doctors are played.",
)
@click.option("--stay", is_flag=True, help="Do not end when only people can go on: wait for them.")
@click.option("--retry", is_flag=True, help="Try the failed practices again.")
@click.option("--in-flight", type=click.IntRange(1, 256), default=32, show_default=True)
@_rate
@_records
@_report
@json_option
@runs_in("fleet")
def run() -> None:
    """Do everything that is missing for every practice.

    Safe to interrupt and to repeat: it goes on from the status of each practice.
    """


@fleet.command()
@_records
@_report
@click.option("--links", is_flag=True, help="Print only the links to send, each with its practice.")
@json_option
@runs_in("fleet")
def status() -> None:
    """Show the status of the practices.

    Of those in the database if there is one, or else of --records.
    """


@fleet.command()
@click.argument("practice")
@click.option("--list", "practices", type=_LIST, help="The list of practices; on one machine only.")
@_records
@runs_in("fleet")
def authorize() -> None:
    """Take the address that a practice was redirected to.

    Paste it within three minutes of the practice's 'Allow access'.  Where the portal's part is done
    by hand, the code to enter there is shown then, and you are asked what the portal said.
    """


@fleet.command()
@click.argument("practice")
@click.option(
    "--take-back",
    is_flag=True,
    help="Take back what the practice had agreed to, too: Ormco's access and the connection.",
)
@click.option("--list", "practices", type=_LIST, help="The list of practices; on one machine only.")
@_records
@_report
@json_option
@runs_in("fleet")
def forget() -> None:
    """Delete what is kept of a practice.

    It says what became of each place.  On one machine, with --list if it is still in it.  Take its
    line out of the list yourself, or the next run begins with it again; with --report the page is
    written again without it.
    """


@fleet.command()
@runs_in("fleet")
def key() -> None:
    """Print a new key for ORMCO_TRIOS_FLEET_KEYS.

    To change keys: append the new one on every machine and restart; move it to the front on every
    machine and restart; 'ormco-trios fleet reseal'; then drop the old one.
    """


@fleet.command()
@runs_in("fleet")
def migrate() -> None:
    """Make the tables, or bring them up to date.

    Workers of the version before go on.
    """


@fleet.command()
@click.argument("practices", type=_LIST, metavar="LIST")
@click.option("--priority", default=0, show_default=True, help="Higher goes first.")
@runs_in("fleet")
def enroll() -> None:
    """Add the practices of a list.

    Of those that are there already, what has changed is taken over.
    """


@fleet.command()
@click.option("--concurrency", type=click.IntRange(1, 256), default=16, show_default=True)
@_rate
@runs_in("fleet")
def worker() -> None:
    """Do what is due, until stopped.

    Start as many as you like, on any machine.  The rate is that of all workers together, so give it
    to each alike.
    """


@fleet.command()
@runs_in("fleet")
def pause() -> None:
    """Let no round begin until 'resume'."""


@fleet.command()
@runs_in("fleet")
def resume() -> None:
    """Go on after 'pause'."""


@fleet.command()
@click.argument("practices", nargs=-1, metavar="[PRACTICE]...")
@runs_in("fleet")
def retry() -> None:
    """Try practices again that have failed: these, or all.

    One whose request Ormco's lab has removed asks for the connection again.
    """


@fleet.command()
@runs_in("fleet")
def reseal() -> None:
    """Seal every secret with the first of the keys.

    The others can be dropped afterwards.
    """
