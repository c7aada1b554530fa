"""Cases: on which server they are, page after page, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ormco_trios.communicate.case_sync import (
    EVERY_PRACTICE,
    CaseCursor,
    begin,
    changed_at,
    check_filter,
    digest_of,
    passes,
    windows,
)
from ormco_trios.communicate.flows import check_id
from ormco_trios.communicate.home import Home, find_home
from ormco_trios.communicate.models import Case, CaseIncrement, CasePage
from ormco_trios.communicate.operations import (
    CASE,
    CASES,
    COMMENT,
    INCREMENT,
    ME,
    SEARCH,
    SET_STATE,
    UPDATED,
    VERSION,
)
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Emit, Flow
from ormco_trios.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    UnexpectedAnswer,
)
from ormco_trios.core.model import in_utc
from ormco_trios.core.operation import Operation


def list_cases(
    home: Home,
    *,
    since: datetime | None,
    until: datetime | None,
    practice: str = EVERY_PRACTICE,
) -> Flow[None]:
    """Emit the account's cases, newest first."""
    yield from _pages(home, CASES, _span(since, until), practice)


def search(
    home: Home, text: str, *, since: datetime | None, until: datetime | None, practice: str
) -> Flow[None]:
    """Emit the cases that match ``text``, newest first."""
    yield from _pages(home, SEARCH, {"searchString": text, **_span(since, until)}, practice)


def updated(
    home: Home, *, since: datetime, until: datetime | None, practice: str
) -> Flow[list[Case]]:
    """The cases that changed; one answer holds them all."""
    query, of = _span(since, until), check_filter(practice)
    base = yield from find_home(home)
    cases = yield from Call(UPDATED, query=query, base_url=base)
    return [case for case in cases if passes(case, of)]


def sync(
    home: Home,
    cursor: CaseCursor | None,
    *,
    since: datetime | None,
    practice: str,
    overlap: timedelta,
    size: int,
    every_version: bool,
    clock: Clock,
) -> Flow[None]:
    """Emit what is new or changed, in windows."""
    if size < 1 or overlap < timedelta(0):
        raise ConfigurationError("A window has at least one case, and an overlap is not negative.")
    of = check_filter(practice)
    _span(since, None)  # a time without a zone is refused before anything is sent
    me = yield from Call(ME)  # each time, since another account may have signed in
    base = yield from find_home(home, me)
    now = clock.now()
    cursor, start = begin(cursor, account=me.id, practice=of, since=since, overlap=overlap, now=now)
    try:
        cases = yield from Call(UPDATED, query={"from": _moment(start)}, base_url=base)
    except AnswerTooLarge as error:
        raise AnswerTooLarge(
            error.happened,
            advice="Begin again with since=, a later moment, and read the cases before it with "
            "cases.list(until=...).",
        ) from None
    if every_version:
        listed = [case for case in cases if passes(case, of)]
        cases += yield from _passed_over(base, listed, cursor, start)
    for window in windows(cases, cursor, start=start, overlap=overlap, now=now, size=size):
        yield from Emit(window)


def _passed_over(
    base: str, cases: Sequence[Case], cursor: CaseCursor, start: datetime
) -> Flow[list[Case]]:
    """The versions between those that were given and the latest ones, which alone are listed."""
    found: list[Case] = []
    for latest in cases:
        number = latest.version or 0
        while digest_of(latest, number) not in cursor.given and (number := number - 1) > 0:
            path = {"case": latest.id, "version": str(number)}
            try:
                case = yield from Call(VERSION, path=path, base_url=base)
            except (NotFound, PermissionDenied):
                # From before the account took part in the case.
                break
            check_id(case.id, latest.id, VERSION.name)
            if case.version != number or changed_at(case) < start.timestamp():
                break
            found.append(case)
    return found


def get(home: Home, id: str, *, practice: str) -> Flow[Case]:
    """The latest version of a case."""
    return (yield from _one(home, CASE, {"case": id}, practice))


def version(home: Home, id: str, number: int, *, practice: str) -> Flow[Case]:
    """One version of a case."""
    return (yield from _one(home, VERSION, {"case": id, "version": str(number)}, practice))


def _one(
    home: Home, operation: Operation[Case], path: Mapping[str, str], practice: str
) -> Flow[Case]:
    of = check_filter(practice)
    base = yield from find_home(home)
    case = yield from Call(operation, path=path, base_url=base)
    check_id(case.id, path["case"], operation.name)
    if not passes(case, of):
        raise NotFound(
            "The case is not one of this practice.",
            operation=operation.name,
            status=200,
            advice="Show the practice its own cases only; cases.list(practice=...) lists them.",
        )
    return case


def increment(home: Home, id: str) -> Flow[CaseIncrement]:
    """A case increment."""
    base = yield from find_home(home)
    # Which id such an object has, the increment's or its case's, is not known.
    return (yield from Call(INCREMENT, path={"increment": id}, base_url=base))


def comment(home: Home, case: str, comment: str) -> Flow[str]:
    """The text of a comment."""
    base = yield from find_home(home)
    return (yield from Call(COMMENT, path={"case": case, "comment": comment}, base_url=base))


def set_state(home: Home, case: str, state: str) -> Flow[None]:
    """Approve or reject a case."""
    base = yield from find_home(home)
    yield from Call(SET_STATE, path={"case": case, "state": state}, base_url=base)


def _pages(
    home: Home, operation: Operation[CasePage], query: Mapping[str, str], practice: str
) -> Flow[None]:
    """Emit each case once, although the list may change while it is read.

    A case that arrives or changes comes to the front.  If it was not read before, the others move
    on by one, and one of them comes again: as many as came again are looked for at the front.  A
    case that is gone moves others to the page before and hides one: then all of it is read again.
    """
    of = check_filter(practice)
    base = yield from find_home(home)
    last = _Reading()
    seen: set[str] = set()
    for _ in range(_READINGS):
        last = yield from _read_through(operation, query, base, of, seen, last)
        if not (last.again or last.gone):
            return


_READINGS = 4
"""How often a list that changes is read; one that changes all the time is for `sync`."""

_IDLE = 3
"""Pages without anything new; more of them, and the service does not heed the page's number."""


@dataclass(slots=True)
class _Reading:
    """What a list did while it was read.

    Attributes:
        again: How many cases came again.
        gone: Whether cases have gone, so that any other one may have been missed.
        count: How many there were at the end.
    """

    again: int = 0
    gone: bool = True
    count: int = 0


def _read_through(
    operation: Operation[CasePage],
    query: Mapping[str, str],
    base: str,
    practice: str,
    seen: set[str],
    last: _Reading,
) -> Flow[_Reading]:
    """Read page after page, and emit what was not ``seen``, as far as the ``last`` reading asks."""
    here: set[str] = set()
    this = _Reading(gone=False, count=last.count)
    wanted = last.again
    number = shown = found = idle = 0
    while True:
        page = yield from Call(operation, query={**query, "page": str(number)}, base_url=base)
        cases = page.cases or []
        fresh = [case for case in cases if case.id not in seen]
        for case in fresh:
            seen.add(case.id)
            if passes(case, practice):
                yield from Emit(case)
        ids = {case.id for case in cases}
        grown = (page.count or 0) - this.count
        if not number:
            wanted += max(grown, 0)  # these are at the front as well
        found += len(fresh)
        shown += len(cases)
        this.again += len(ids & here)
        this.gone |= page.count is not None and grown < 0
        this.count = page.count or 0
        if not shown and page.cases is None and page.count:
            raise _odd(operation, "There are cases, and the answer holds none.")
        over = not cases or (page.count is not None and shown >= page.count)
        if over or (found >= wanted and not last.gone):
            return this
        idle = 0 if grown > 0 or not ids <= here else idle + 1
        if idle > _IDLE:
            raise _odd(operation, "The next pages hold the same cases again.")
        here |= ids
        number += 1


def _odd(operation: Operation[CasePage], happened: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(happened, operation=operation.name, status=200)


def _span(since: datetime | None, until: datetime | None) -> dict[str, str]:
    named = {"from": since, "to": until}
    span = {name: _moment(value) for name, value in named.items() if value is not None}
    if since is not None and until is not None and since > until:
        raise ConfigurationError(
            "The time to begin with is after the time to end with.", advice="Exchange the two."
        )
    return span


def _moment(value: datetime) -> str:
    """As the documentation writes times: UTC, in whole seconds [doc]."""
    if value.tzinfo is None:
        raise ConfigurationError(
            "A time without a zone could be any of several moments.",
            advice="Use an aware datetime, such as datetime.now(UTC).",
        )
    try:
        moment = in_utc(value)
    except ValueError:
        raise ConfigurationError("A time is outside the calendar.") from None
    # Not strftime, whose years before 1000 have fewer digits on some systems.
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
