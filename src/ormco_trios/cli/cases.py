"""An account's cases, without their patients unless they are asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice

import click
from rich.console import Console
from rich.table import Table

from ormco_trios.cli.common import harmless, json_option, reporting
from ormco_trios.cli.settings import configured_account, sandbox_account
from ormco_trios.communicate.models import Case


@click.command()
@click.option(
    "--search", is_flag=True, help="Ask for a text, such as an order number, and find its cases."
)
@click.option(
    "--since",
    type=click.DateTime(),
    metavar="TIME",
    help="From then on, such as 2026-01-31T08:00:00; in UTC.",
)
@click.option("--until", type=click.DateTime(), metavar="TIME", help="Up to then, likewise.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="At most so many.",
)
@click.option(
    "--patients", is_flag=True, help="Show names, and order numbers, which may hold them."
)
@json_option
@click.option(
    "--sandbox",
    is_flag=True,
    help="Use a simulator in this process and its sample practice: nothing real is touched.",
)
def cases(
    search: bool,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    patients: bool,
    as_json: bool,
    sandbox: bool,
) -> None:
    """List the account's cases, newest first.

    Patients' names are shown only with --patients. What to search for is asked for, or read from
    standard input: arguments show in the list of processes.
    """
    with reporting(as_json):
        text: str | None = click.prompt("Search for", err=True) if search else None
        with sandbox_account(lab=False) if sandbox else configured_account() as account:
            span = {"since": _utc(since), "until": _utc(until)}
            space = account.communicate.cases

            def read() -> list[Case]:
                found = space.list(**span) if text is None else space.search(text, **span)
                return list(islice(found, limit + 1))

            found = account.use(read)
        shown, more = found[:limit], len(found) > limit
        if as_json:
            listed = [_as_json(case, patients=patients) for case in shown]
            print(json.dumps({"cases": listed, "more": more}, indent=2))
        else:
            _show(Console(), shown, patients=patients)
            if more:
                click.echo(f"\nThere are more than {limit}: see more with --limit.")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _show(console: Console, found: list[Case], *, patients: bool) -> None:
    if not found:
        console.print("There are no such cases.")
        return
    view = Table(box=None, pad_edge=False, header_style="dim")
    view.add_column("Created", no_wrap=True)
    view.add_column("State")
    view.add_column("Files", justify="right")
    if patients:
        view.add_column("Order")
        view.add_column("Patient")
    else:
        view.add_column("Id", no_wrap=True)
    for case in found:
        own = (case.three_shape_order_no, case.patient_name) if patients else (case.id,)
        view.add_row(
            "" if case.created is None else f"{case.created:%Y-%m-%d %H:%M}",
            harmless(case.state),
            str(len(case.files)),
            *(harmless(value) for value in own),
        )
    console.print(view)


def _as_json(case: Case, *, patients: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": case.id,
        "version": case.version,
        "created": case.created and case.created.isoformat(),
        "updated": case.updated_on and case.updated_on.isoformat(),
        "state": case.state,
        "files": [{"type": f.type, "file_type": f.file_type} for f in case.files],
    }
    if patients:
        shown |= {"patient": case.patient_name, "order": case.three_shape_order_no}
    return shown
