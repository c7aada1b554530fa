"""The lab's side: who asks for a connection, and accepting it."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ormco_trios.cli.common import confirm, harmless
from ormco_trios.cli.settings import Account, configured_account, sandbox_account
from ormco_trios.communicate.emails import folded
from ormco_trios.communicate.models import Connection
from ormco_trios.core.errors import NotFound, OrmcoTriosError


def approve(who: tuple[str, ...], yes: bool, as_json: bool, sandbox: bool) -> None:
    console = Console(stderr=as_json)
    with sandbox_account(lab=True) if sandbox else configured_account() as lab:
        waiting = lab.use(lab.communicate.connections.incoming)
        if not who:
            if as_json:
                print(json.dumps({"waiting": [_as_json(request) for request in waiting]}))
            else:
                _show(console, waiting)
            return
        chosen = [request for request in waiting if any(_is(request, each) for each in who)]
        unknown = [each for each in who if not any(_is(request, each) for request in waiting)]
        if unknown:
            raise NotFound(
                f"{len(unknown)} of {len(who)} name no account that waits; nothing was approved.",
                operation="connections.approve",
                status=200,
                advice="See who waits with: ormco-trios approve",
            )
        if not yes:
            _show(console, chosen)
            confirm("Let these send you their cases?")
        _approve(lab, console, chosen, as_json)


def _approve(lab: Account, console: Console, chosen: list[Connection], as_json: bool) -> None:
    """Accept each; one that fails does not keep the others waiting."""
    failed: dict[str, OrmcoTriosError] = {}
    for request in chosen:
        try:
            lab.communicate.connections.approve(request.id)
        except OrmcoTriosError as error:
            failed[request.id] = error
    if as_json:
        approved = [_as_json(request) for request in chosen if request.id not in failed]
        problems = [
            {**_as_json(request), "error": type(failed[request.id]).__name__}
            for request in chosen
            if request.id in failed
        ]
        print(json.dumps({"approved": approved, "failed": problems}))
    else:
        for request in chosen:
            problem = failed.get(request.id)
            mark, style = ("✔ ", "green") if problem is None else ("✘ ", "bold red")
            said = "approved" if problem is None else problem.message
            console.print(Text(mark, style=style) + harmless(f"{_name(request)}: {said}"))
    sys.exit(1 if failed else 0)


def _is(request: Connection, wanted: str) -> bool:
    wanted = folded(wanted)
    return folded(request.id) == wanted or fnmatchcase(folded(request.inviter.email or ""), wanted)


def _name(request: Connection) -> str:
    return request.inviter.email or request.id


def _show(console: Console, requests: list[Connection]) -> None:
    if not requests:
        console.print("No request waits for approval.")
        return
    view = Table(box=None, pad_edge=False, header_style="dim")
    view.add_column("Practice")
    view.add_column("E-mail, or id where none is shown", overflow="fold")
    for request in requests:
        view.add_row(harmless(request.inviter_user_name), harmless(_name(request)))
    console.print(view)


def _as_json(request: Connection) -> dict[str, str | None]:
    return {
        "id": request.id,
        "name": request.inviter_user_name,
        "email": request.inviter.email,
    }
