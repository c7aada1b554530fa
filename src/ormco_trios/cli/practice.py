"""One practice: connect, check, repair, disconnect, doctor."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.console import Console

from ormco_trios.cli.common import confirm, is_terminal, needed_now, verbose
from ormco_trios.cli.display import (
    Display,
    Lines,
    LiveTable,
    Silent,
    print_diagnosis,
    print_result,
)
from ormco_trios.cli.person import ask_for_account, ask_for_address, ask_for_task
from ormco_trios.cli.settings import (
    APPROVAL_HOURS,
    SPEED,
    Practice,
    configured_practice,
    sandbox_practice,
)
from ormco_trios.communicate.regions import Region
from ormco_trios.onboarding.checklist import Checklist, OverallState
from ormco_trios.onboarding.outcomes import (
    Authorize,
    NeedsAuthorization,
    NeedsPerson,
    Person,
    Purpose,
    Repair,
)
from ormco_trios.ormcodigital.portal import PortalWay
from ormco_trios.ormcodigital.tasks import Address, Task, TaskAnswer

EXIT_CODES = {
    OverallState.CONNECTED: 0,
    OverallState.WAITING: 3,
    OverallState.NEEDS_AUTHORIZATION: 4,
    OverallState.NEEDS_PERSON: 4,
    OverallState.INCOMPLETE: 5,
    OverallState.BROKEN: 6,
    OverallState.UNKNOWN: 7,
}
"""0 connected, 1 error, 2 wrong usage, 3 to 7 by state, 130 interrupted."""


def connect(as_json: bool, show_requests: bool, **which: Any) -> None:
    console = Console()
    display = _display(console, as_json)
    watched = isinstance(display, LiveTable)
    with _practice(**which, watched=watched) as practice:
        with display:
            if practice.sandbox is not None:
                pace = f"goes {SPEED:.0f} times faster" if watched else "takes no time"
                display.say(
                    f"Sandbox: waiting {pace}; Ormco approves after {APPROVAL_HOURS:.0f} hours."
                )
            connected = practice.onboarding.run(
                authorize=_authorize(practice, display),
                person=_person(practice, display),
                on_update=_update(practice, display),
            )
        if show_requests and practice.sandbox is not None:
            for entry in practice.sandbox.journal:
                click.echo(f"{entry.status} {entry.method:6} {entry.route}", err=True)
        _finish(console, connected.checklist, as_json)


def check(as_json: bool, **which: Any) -> None:
    with _practice(**which) as practice:
        _finish(Console(), practice.onboarding.check(), as_json)


def repair(as_json: bool, extent: str, **which: Any) -> None:
    chosen = Repair[extent.upper().replace("-", "_")]
    console = Console()
    with _practice(**which, lived=True) as practice:
        with _display(console, as_json) as display:
            repaired = practice.onboarding.repair(
                extent=chosen,
                authorize=_authorize(practice, display),
                person=_person(practice, display),
                on_update=_update(practice, display),
            )
        if not as_json and repaired.interruption is not None:
            click.echo(str(repaired.interruption))
        _finish(console, repaired.checklist, as_json)


def disconnect(as_json: bool, sign_out: bool, yes: bool, **which: Any) -> None:
    if not (yes or which["sandbox"]):
        confirm("Scans can no longer be sent afterwards. Disconnect?")
    with _practice(**which, lived=True) as practice:
        asks = practice.play is not None or is_terminal()
        done = practice.onboarding.disconnect(
            person=_person(practice, Silent()) if asks else None, sign_out=sign_out
        )
        if as_json:
            places = [
                {"name": p.name, "state": p.state.name.lower(), "remark": p.remark}
                for p in done.places
            ]
            print(json.dumps({"complete": done.complete, "places": places}))
        else:
            print(done)
        sys.exit(0 if done.complete else 1)


def doctor(as_json: bool, **which: Any) -> None:
    with _practice(**which) as practice:
        diagnosis = practice.onboarding.doctor()
        if as_json:
            findings = [
                {
                    "subject": f.subject,
                    "verdict": f.verdict.value,
                    "said": f.said,
                    "advice": f.advice,
                    "detail": f.detail,
                }
                for f in diagnosis.findings
            ]
            print(json.dumps({"healthy": diagnosis.healthy, "findings": findings}))
        else:
            print_diagnosis(Console(), diagnosis, verbose=verbose())
        sys.exit(0 if diagnosis.healthy else 1)


@contextmanager
def _practice(
    *,
    sandbox: bool,
    region: str | None,
    account: str | None,
    portal: str | None,
    lived: bool = False,
    watched: bool = False,
) -> Generator[Practice]:
    chosen = None if region is None else Region(region)
    way = None if portal is None else PortalWay(portal)
    with (
        sandbox_practice(chosen, account, way, lived=lived, watched=watched)
        if sandbox
        else configured_practice(chosen, account, way)
    ) as practice:
        try:
            yield practice
        finally:
            practice.remember()


def _display(console: Console, as_json: bool) -> Display:
    if as_json:
        return Silent()
    return LiveTable(console) if console.is_terminal else Lines(console)


def _update(practice: Practice, display: Display) -> Callable[[Checklist], None]:
    def update(checklist: Checklist) -> None:
        # Before what comes next is done, so that a killed process can be gone on from.
        practice.remember()
        display.update(checklist)

    return update


def _authorize(practice: Practice, display: Display) -> Authorize:
    def ask(needed: NeedsAuthorization) -> str | Address:
        if practice.play is not None:
            display.say("The sandbox plays the doctor: signs in to 3Shape and allows access.")
            return practice.play.authorize(needed)
        practice.remember()
        display.pause()
        needed_now(
            {
                "state": OverallState.NEEDS_AUTHORIZATION.value,
                "link": needed.url,
                "explanation": needed.purpose.explanation,
                "hint": needed.hint,
            }
        )
        pasted = ask_for_address(
            needed.request,
            needed.purpose.explanation,
            hint=needed.hint,
            problem=needed.problem,
            receiver=practice.receiver,
        )
        if needed.purpose is Purpose.SIGN_IN:
            return pasted
        return Address(pasted, account_shown=ask_for_account())

    return ask


def _person(practice: Practice, display: Display) -> Person:
    def ask(needed: NeedsPerson) -> TaskAnswer:
        if practice.play is not None:
            display.say(f"The sandbox plays the doctor: {needed.task.title}.")
            return practice.play.do(needed)
        practice.remember()
        display.pause()
        needed_now({"state": OverallState.NEEDS_PERSON.value, "task": _as_json(needed.task)})
        return ask_for_task(needed.task, checked_at=needed.checklist.looked_at)

    return ask


def _as_json(task: Task) -> dict[str, object]:
    return {
        "kind": task.kind.value,
        "title": task.title,
        "steps": task.steps,
        "text": None if task.text is None else task.text.get_secret_value(),
        "until": None if task.until is None else task.until.isoformat(),
        "question": task.question,
        "asks_account": task.asks_account,
        "problem": task.problem,
    }


def _finish(console: Console, checklist: Checklist, as_json: bool) -> NoReturn:
    if as_json:
        print(checklist.model_dump_json(indent=2))
    else:
        print_result(console, checklist)
    sys.exit(EXIT_CODES[checklist.state])
