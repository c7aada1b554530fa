"""The witness that scans reach Ormco: a case received since the link was answered [doc].

Nothing of a case is kept or shown but when it was received.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ormco_trios.communicate.case_flows import list_cases
from ormco_trios.communicate.home import Home, find_home
from ormco_trios.communicate.models import Case, Connection, User, account_id
from ormco_trios.core.effects import Emit, Flow
from ormco_trios.core.errors import OrmcoTriosError

MOST_CASES = 30
"""How many cases are looked at: three pages."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a look for cases gave.

    Attributes:
        received: When the case that was found was received; None if there is none.
        since: From when on it was looked for.
    """

    received: datetime | None
    since: datetime


def look_for_a_case(
    home: Home, *, me: User, connection: Connection, since: datetime
) -> Flow[Arrival | None]:
    """Look among the newest cases for one that names the lab's account by its id.

    Returns:
        None if it cannot be told: the lab's id is not shown, or the cases cannot be read.
    """
    sides = (connection.inviter.id, connection.remote.id)
    lab = {id for id in map(account_id, sides) if id} - {account_id(me)}
    if not lab:
        return None

    def reached(case: Case) -> bool:
        received = case.received_on is not None and case.received_on > since
        return received and any(case.sent_to(id) for id in lab)

    try:
        yield from find_home(home, me)
        case = yield from _first(list_cases(home, since=since, until=None), reached)
    except OrmcoTriosError:
        return None  # a witness that says nothing is no trouble
    return Arrival(None if case is None else case.received_on, since)


def _first(cases: Flow[None], wanted: Callable[[Case], bool]) -> Flow[Case | None]:
    """The first wanted one of what ``cases`` emits, without the others leaving this function."""
    result: Any = None
    error: Exception | None = None
    left = MOST_CASES
    try:
        while left:
            effect = cases.send(result) if error is None else cases.throw(error)
            result = error = None
            if isinstance(effect, Emit):
                left -= 1
                if isinstance(effect.item, Case) and wanted(effect.item):
                    return effect.item
                continue
            try:
                result = yield effect
            except Exception as caught:  # noqa: BLE001 - handed to the flow, whatever it is
                error = caught
    except StopIteration:
        pass
    finally:
        cases.close()
    return None
