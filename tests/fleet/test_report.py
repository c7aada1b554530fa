"""A fleet's status in its forms: each says the same, and only the page has the links."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from ormco_trios import AuthorizationRequest, Progress
from ormco_trios.fleet import FleetStatus, PracticeStatus, Stage
from ormco_trios.fleet.report import _nice
from ormco_trios.onboarding.outcomes import Purpose

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINK = "https://sandbox.example/authorize?client_id=a&state=state-sentinel&redirect_uri=b"


def each(number: int, stage: Stage, hours: float, problem: str | None = None) -> PracticeStatus:
    progress = Progress()
    if stage is Stage.NEEDS_AUTHORIZATION:
        progress = Progress(pending=(Purpose.ORMCO, AuthorizationRequest.from_url(LINK)))
    since = NOW - timedelta(hours=hours)
    due = None if stage in (Stage.CONNECTED, Stage.FAILED) else NOW
    return PracticeStatus(f"p{number}", stage, since, due, problem=problem, progress=progress)


FLEET = [
    *(each(n, Stage.CONNECTED, n / 4) for n in range(10)),
    *(each(n, Stage.WAITING, n) for n in range(10, 14)),
    each(20, Stage.NEEDS_AUTHORIZATION, 1),
    each(21, Stage.FAILED, 2, "Check <the> password & try again."),
    each(22, Stage.UNREACHABLE, 3),
    each(23, Stage.ENROLLED, 0),
]
STATUS = FleetStatus.of(FLEET, now=NOW)


class Page(HTMLParser):
    """A page's text, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "line", "rect", "polyline", "polygon"}:
            self._open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_numbers_are_those_of_the_fleet() -> None:
    assert STATUS.total == 18
    assert STATUS.stages[Stage.CONNECTED] == 10
    assert STATUS.connected_lately == 5
    assert STATUS.oldest_waiting == "p13"
    assert not STATUS.done
    assert not STATUS.waits_for_people_only
    assert [link.practice for link in STATUS.links] == ["p20"]
    people = [each for each in FLEET if each.rests]
    assert FleetStatus.of(people, now=NOW).waits_for_people_only


def test_each_form_says_the_same() -> None:
    assert FleetStatus.model_validate_json(STATUS.model_dump_json()) == STATUS
    page = Page(STATUS.to_html())
    for name, value in STATUS.summary():
        assert re.search(rf"{re.escape(name)}\s+{re.escape(value)}", str(STATUS))
        assert name in page.text
        assert value.split(" (")[0] in page.text
    assert "Check <the> password & try again." in page.text


def test_only_the_page_and_the_data_have_the_links() -> None:
    assert Page(STATUS.to_html()).links == [LINK]
    assert "state-sentinel" not in str(STATUS)
    assert "state-sentinel" not in repr(STATUS)
    assert "state-sentinel" not in repr(FLEET)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = STATUS.to_html()
    assert not re.search(r"<(script|link|img|iframe)\b|@import|url\(", page)
    assert "no-referrer" in page


@given(st.integers(1, 10**6))
def test_an_axis_ends_near_its_values(value: int) -> None:
    top = _nice(value)
    assert value <= top <= max(2, 4 * value)
    assert top % 2 == 0
