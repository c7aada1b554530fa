"""Cases: on which server they are, page after page, and their files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from ormco_trios.communicate.flows import check_id
from ormco_trios.communicate.home import Home, find_home
from ormco_trios.communicate.models import Case, CaseFile, CasePage
from ormco_trios.communicate.operations import CASE, CASES, FILE, SEARCH, UPDATED
from ormco_trios.core.effects import Blocking, Call, Emit, Flow
from ormco_trios.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    UnexpectedAnswer,
    UntrustedHost,
)
from ormco_trios.core.files import replace_file
from ormco_trios.core.operation import Operation

_HREF = re.compile(
    r"(?P<base>https?://[^?#\\]*)/api/cases/(?P<case>[^/?#]+)/attachments/(?P<hash>[^/?#]+)",
    re.IGNORECASE,
)


def list_cases(home: Home, *, since: datetime | None, until: datetime | None) -> Flow[None]:
    """Emit the account's cases, newest first."""
    yield from _pages(home, CASES, _span(since, until))


def search(home: Home, text: str, *, since: datetime | None, until: datetime | None) -> Flow[None]:
    """Emit the cases that match ``text``, newest first."""
    yield from _pages(home, SEARCH, {"searchString": text, **_span(since, until)})


def updated(home: Home, *, since: datetime, until: datetime | None) -> Flow[list[Case]]:
    """The cases that changed; one answer holds them all."""
    query = _span(since, until)
    base = yield from find_home(home)
    return (yield from Call(UPDATED, query=query, base_url=base))


def get(home: Home, id: str) -> Flow[Case]:
    """The latest version of a case."""
    base = yield from find_home(home)
    case = yield from Call(CASE, path={"case": id}, base_url=base)
    check_id(case.id, id, CASE.name)
    return case


def _pages(home: Home, operation: Operation[CasePage], query: Mapping[str, str]) -> Flow[None]:
    """Emit each case once: one that arrives meanwhile moves the others to the next page."""
    base = yield from find_home(home)
    seen: set[str] = set()
    known = number = shown = 0
    while True:
        page = yield from Call(operation, query={**query, "page": str(number)}, base_url=base)
        cases = page.cases or []
        fresh = [case for case in cases if case.id not in seen]
        for case in fresh:
            seen.add(case.id)
            yield from Emit(case)
        shown += len(cases)
        if not cases or (page.count is not None and shown >= page.count):
            return
        # Ten at once may have arrived; otherwise it would go on like this for ever.
        if not fresh and (page.count or 0) <= known:
            raise UnexpectedAnswer(
                "The next page holds the same cases again.", operation=operation.name, status=200
            )
        known = page.count or 0
        number += 1


def _span(since: datetime | None, until: datetime | None) -> dict[str, str]:
    named = {"from": since, "to": until}
    return {name: _moment(value) for name, value in named.items() if value is not None}


def _moment(value: datetime) -> str:
    """As the documentation writes times: UTC, in whole seconds [doc]."""
    if value.tzinfo is None:
        raise ConfigurationError(
            "A time without a zone could be any of several moments.",
            advice="Use an aware datetime, such as datetime.now(UTC).",
        )
    # Not strftime, whose years before 1000 have fewer digits on some systems.
    return value.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def download(home: Home, file: CaseFile, to: Path) -> Flow[Path]:
    """Write a file of a case to ``to``, once all of it is there and is what it should be."""
    where = _HREF.fullmatch(file.href or "")
    base = None if where is None else home.server(where["base"])
    if where is None or base is None:
        raise UntrustedHost(
            "The file's address is not that of a case's file on one of the known servers.",
            advice="Read the case again; if its files still have no such address, the service "
            "may have changed.",
        )
    try:
        body = yield from Call(
            FILE,
            path={"case": unquote(where["case"]), "hash": unquote(where["hash"])},
            headers={"Accept": "application/octet-stream, application/stl"},
            base_url=base,
        )
    except AnswerTooLarge as error:
        raise AnswerTooLarge(
            error.happened,
            advice="Nothing was written; fetch a file of this size on Communicate's own page.",
        ) from None
    if not _is_whole(file, body):
        raise UnexpectedAnswer(
            "What arrived is not the file that the case names: its SHA-1 differs. "
            "Nothing was written.",
            operation=FILE.name,
            status=200,
            advice="Read the case again and download the file anew; it may have been replaced.",
        )
    yield from Blocking(replace_file, (to, body))
    return to


def _is_whole(file: CaseFile, body: bytes) -> bool:
    """Whether ``body`` has the announced SHA-1, if one was announced."""
    announced = (file.hash or "").casefold()
    if re.fullmatch(r"[0-9a-f]{40}", announced) is None:
        return True
    return hashlib.sha1(body, usedforsecurity=False).hexdigest() == announced
