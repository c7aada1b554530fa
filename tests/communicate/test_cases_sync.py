"""``cases.sync``: nothing lost and nothing twice, whatever is interrupted, changes or is odd."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios import Environment, errors
from ormco_trios.communicate import case_flows
from ormco_trios.communicate.case_sync import (
    EVERY_PRACTICE,
    OVERLAP,
    CaseCursor,
    CaseWindow,
    begin,
    check_filter,
    windows,
)
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import Actor, Case, User
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Call, Emit, Flow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAB = "1ab00000-0000-4000-8000-000000000001"
ANNA, BERT, CARL = (f"c11c0000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
Key = tuple[str, int | None]


def case(id: str, version: int | None = 1, changed: datetime | None = NOW, **fields: Any) -> Case:
    return Case(id=id, version=version, updated_on=changed, **fields)


def hours(n: float) -> datetime:
    return NOW - timedelta(hours=n)


def look(
    answer: list[Case],
    cursor: CaseCursor | None = None,
    *,
    practice: str = EVERY_PRACTICE,
    overlap: timedelta = OVERLAP,
    size: int = 500,
    now: datetime = NOW,
    since: datetime | None = None,
) -> list[CaseWindow]:
    """The windows of one look, whose cursor is a stored one; only what was asked for is listed."""
    stored = cursor and CaseCursor.from_json(cursor.to_json())
    here, start = begin(
        stored, account=LAB, practice=practice, since=since, overlap=overlap, now=now
    )
    return list(windows(answer, here, start=start, overlap=overlap, now=now, size=size))


def keys(given: list[CaseWindow]) -> list[Key]:
    return [(each.id, each.version) for window in given for each in window.cases]


# --- one look after another ----------------------------------------------------------------------


def test_oldest_first_in_windows_each_with_its_cursor() -> None:
    given = look([case("c", changed=hours(1)), case("a", changed=hours(3)), case("b")], size=2)
    assert [[each.id for each in window.cases] for window in given] == [["a", "c"], ["b"]]
    assert [window.cursor.position for window in given] == [hours(1), NOW]


def test_what_was_given_does_not_come_again_and_what_changes_does() -> None:
    (first,) = look([case("a"), case("b", changed=hours(0.5))])
    assert look([case("a"), case("b", changed=hours(0.5))], first.cursor) == []
    again = look([case("a", 2, NOW + timedelta(minutes=1)), case("b")], first.cursor)
    assert keys(again) == [("a", 2)]


def test_a_change_that_is_listed_late_comes_all_the_same() -> None:
    (first,) = look([case("a")])
    assert keys(look([case("a"), case("late", changed=hours(0.9))], first.cursor)) == [("late", 1)]


def test_nothing_new_gives_no_window() -> None:
    assert look([]) == []
    (first,) = look([case("a")])
    assert look([], first.cursor) == []


def test_ten_thousand_cases_with_one_time_stamp() -> None:
    answer = [case(f"{n:05}") for n in range(10_000)]
    given = look(answer)
    assert len(given) == 20
    assert len(set(keys(given))) == 10_000
    # From the middle of them on, nothing comes twice and nothing is missing.
    rest = look(answer, given[7].cursor)
    assert sorted(keys(given[:8]) + keys(rest)) == sorted(keys(given))
    assert look(answer, given[-1].cursor) == []


def test_cases_without_any_time_come_once() -> None:
    answer = [case("a", changed=None), case("b", None, None), case("c")]
    (first,) = look(answer)
    assert len(first.cases) == 3
    later = NOW + timedelta(days=3)
    assert look(answer, first.cursor, now=later) == []
    (second,) = look([*answer, case("d", changed=later)], first.cursor, now=later)
    assert keys([second]) == [("d", 1)]
    # The cursor does not keep what is no longer listed.
    (third,) = look([case("e", changed=later)], second.cursor, now=later)
    assert len(third.cursor.given) == 2


def test_a_case_from_the_future_does_not_take_the_position_with_it() -> None:
    odd = case("odd", changed=NOW + timedelta(days=36_500))
    (first,) = look([odd, case("a")])
    assert first.cursor.position == NOW
    later = NOW + timedelta(hours=5)
    (second,) = look([odd, case("b", changed=hours(-4))], first.cursor, now=later)
    assert keys([second]) == [("b", 1)]
    assert look([odd], second.cursor, now=later) == []


def test_a_service_that_lists_more_than_it_was_asked_for_repeats_it_once_at_most() -> None:
    answer = [case(f"{n}", changed=hours(n)) for n in range(9)]
    cursor = None
    counted: Counter[Key] = Counter()
    for _ in range(5):
        for window in look(answer, cursor):
            counted.update(keys([window]))
            cursor = window.cursor
    assert set(counted) == {(f"{n}", 1) for n in range(9)}
    assert max(counted.values()) == 2


def test_the_same_version_twice_in_an_answer_comes_once() -> None:
    assert keys(look([case("a"), case("A"), case("a", 2)])) == [("A", 1), ("a", 2)]


def test_a_version_that_is_not_numbered_is_told_by_its_time() -> None:
    (first,) = look([case("a", None, hours(0.5))])
    assert look([case("a", None, hours(0.5))], first.cursor) == []
    assert len(look([case("a", None, NOW)], first.cursor)) == 1


# --- a cursor that does not fit ------------------------------------------------------------------


def test_a_cursor_is_plain_json_without_ids_of_cases() -> None:
    secret = "0f8fad5b-d9cb-469f-a165-70867728950e"
    (window,) = look([case(secret, patient_name="Muster, Max")])
    text = window.cursor.to_json()
    assert isinstance(json.loads(text), dict)
    assert CaseCursor.from_json(text) == window.cursor == CaseCursor.from_json(text.encode())
    for part in (secret, secret[:8], "Muster"):
        assert part not in text
        assert part not in repr(window.cursor)


GOOD = {
    "format": 1,
    "account": "a",
    "practice": "*",
    "position": "2026-01-01T00:00:00Z",
    "given": {"x": 1.5, "y": None},
}


WRONG: list[dict[str, Any]] = [
    {"format": 2},
    {"account": 7},
    {"position": "2026-01-01T00:00:00"},
    {"position": "soon"},
    {"position": None},
    {"position": "0001-01-01T00:00:00+14:00"},
    {"given": {"x": "y"}},
    {"given": ["x"]},
    {"given": []},
]


def test_a_cursor_that_was_stored_is_read() -> None:
    assert CaseCursor.from_json(json.dumps(GOOD)).given == {"x": 1.5, "y": -math.inf}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"cursor"',
        *(json.dumps(GOOD | wrong) for wrong in WRONG),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="not a saved cursor"):
        CaseCursor.from_json(text)


@given(st.text() | st.binary())
def test_any_text_is_a_cursor_or_refused(text: str | bytes) -> None:
    with pytest.raises(errors.ConfigurationError):
        CaseCursor.from_json(text)


def test_another_accounts_cursor_and_one_from_the_future_are_refused() -> None:
    (window,) = look([case("a")])
    cursor = window.cursor
    for wrong, words in [
        (replace(cursor, account="somebody"), "another account"),
        (replace(cursor, practice="11"), "another filter"),
        (replace(cursor, position=NOW + timedelta(hours=2)), "future"),
        (replace(cursor, position=datetime.max.replace(tzinfo=UTC)), "future"),
    ]:
        with pytest.raises(errors.ConfigurationError, match=words):
            look([case("b")], wrong)
    with pytest.raises(errors.ConfigurationError, match="not both"):
        look([], cursor, since=NOW)
    # Two machines' clocks may differ by less than the overlap.
    assert look([], replace(cursor, position=NOW + timedelta(minutes=50))) == []
    assert keys(look([case("b")], replace(cursor, position=datetime.min.replace(tzinfo=UTC))))


@pytest.mark.parametrize(
    "practice",
    [
        *(None, "", " ", "anna@praxis.example", "00000000-0000-0000-0000-000000000000", "{}"),
        # These would all be read as the filter that lets every practice's cases pass.
        *(" *", "{*}", "-*-", "* "),
    ],
)
def test_a_filter_that_is_no_id_is_refused(practice: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="not the id of a Communicate account"):
        check_filter(practice)


# --- interrupted at every effect, over a service that changes ------------------------------------


@dataclass
class Service:
    """What the metadata service knows: every version of every case, and when it is listed."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    versions: dict[str, list[Case]] = field(default_factory=dict)

    def change(self, random: Random) -> None:
        """A case more, or a version more of one, perhaps with a stamp of a while ago."""
        id = f"case-{random.randrange(40)}"
        kept = self.versions.setdefault(id, [])
        now = self.clock.now()
        lag = timedelta(seconds=random.choice([0, 0, 0, 20, 3000]))
        stamp = max([now - lag, *(each.updated_on or now for each in kept)])
        kept.append(
            case(id, len(kept) + 1, stamp, creator_id=random.choice([ANNA, BERT]), actors=None)
        )

    def answer(self, call: Call[Any]) -> Any:
        name, path = call.operation.name, call.path
        if name == "users.me":
            return User(id=LAB)
        if name == "cases.version":
            kept = self.versions[path["case"]]
            return kept[int(path["version"]) - 1]
        assert name == "cases.updated"
        start = datetime.fromisoformat(call.query["from"])
        latest = [kept[-1] for kept in self.versions.values()]
        return [each for each in latest if each.updated_on and each.updated_on >= start]


@dataclass
class Store:
    """What a program keeps: the windows as they came, and the last cursor."""

    windows: list[list[Key]] = field(default_factory=list)
    cursor: str | None = None
    settled: set[Key] = field(default_factory=set)

    def keep(self, window: CaseWindow) -> Iterator[None]:
        """Store the cases, and then the cursor, after which no version of them comes again."""
        new = keys([window])
        assert len(set(new)) == len(new)
        assert not self.settled & set(new)
        self.windows.append(new)
        yield
        self.cursor = window.cursor.to_json()
        self.settled |= set(new)


def run(
    flow: Flow[None],
    service: Service,
    store: Store,
    meanwhile: Callable[[], None],
    steps: int,
) -> int:
    """Drive a sync and stop after ``steps`` steps, each an effect or a part of storing."""

    def walk() -> Iterator[None]:
        reply: Any = None
        while True:
            try:
                effect = flow.send(reply)
            except StopIteration:
                return
            yield
            meanwhile()
            if isinstance(effect, Call):
                reply = service.answer(effect)
                continue
            assert isinstance(effect, Emit)
            window, reply = effect.item, None
            assert isinstance(window, CaseWindow)
            yield from store.keep(window)

    taken = 0
    for _ in walk():
        taken += 1
        if taken == steps:
            break
    flow.close()
    return taken


def sync(service: Service, store: Store, **options: Any) -> Flow[None]:
    settings: dict[str, Any] = {
        "since": None,
        "practice": EVERY_PRACTICE,
        "overlap": OVERLAP,
        "size": 4,
        "every_version": True,
    }
    return case_flows.sync(
        Home(Environment.production(), "https://x.example"),
        None if store.cursor is None else CaseCursor.from_json(store.cursor),
        clock=service.clock,
        **settings | options,
    )


@pytest.mark.parametrize("seed", range(20))
def test_interrupted_at_every_effect_while_everything_changes(seed: int) -> None:
    random, service, store = Random(seed), Service(), Store()

    def meanwhile() -> None:
        service.clock.advance(random.choice([0, 1, 700]))
        if random.random() < 0.3:
            service.change(random)

    # Where it is interrupted moves on by one step each time, from the first effect to the last.
    for steps in range(1, 40):
        for _ in range(random.randrange(4)):
            service.change(random)
        run(sync(service, store), service, store, meanwhile, steps)
        service.clock.advance(random.choice([0, 60, 9000]))
    run(sync(service, store), service, store, lambda: None, 10**6)
    there = {(id, each.version) for id, kept in service.versions.items() for each in kept}
    assert {key for window in store.windows for key in window} == there, (
        "every version at least once, and none invented"
    )


def test_without_every_version_only_the_latest_comes() -> None:
    service, store = Service(), Store()
    service.versions["a"] = [case("a", n, hours(9 - n)) for n in (1, 2, 3)]
    run(sync(service, store, every_version=False), service, store, lambda: None, 10**6)
    assert store.windows == [[("a", 3)]]
    service.versions["a"] += [case("a", n, hours(9 - n)) for n in (4, 5)]
    run(sync(service, store, every_version=True), service, store, lambda: None, 10**6)
    assert store.windows[1:] == [[("a", 4), ("a", 5)]]


def test_more_than_is_read_at_once_says_what_to_do() -> None:
    flow = sync(Service(), Store())
    next(flow)
    flow.send(User(id=LAB))
    with pytest.raises(errors.AnswerTooLarge, match="Begin again with since="):
        flow.throw(errors.AnswerTooLarge("The answer is longer."))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"overlap": timedelta(seconds=-1)}])
def test_a_window_and_an_overlap_have_a_least_size(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="at least one case"):
        next(sync(Service(), Store(), **wrong))


# --- three practices and one lab -----------------------------------------------------------------


def test_a_filter_gives_one_practices_cases_and_the_position_of_all() -> None:
    answer = [
        case("by anna", changed=hours(5), creator_id=ANNA),
        case("anna takes part", changed=hours(4), actors=[Actor(id=LAB), Actor(id=ANNA.upper())]),
        case("of bert", creator_id=BERT, actors=[Actor(id=LAB), Actor(email="anna@x.example")]),
        case("of nobody", actors=None),
    ]
    (window,) = look(answer, practice=check_filter(ANNA))
    assert [each.id for each in window.cases] == ["by anna", "anna takes part"]
    assert window.cursor.position == NOW
    (window,) = look(answer, practice=check_filter(CARL))
    assert window.cases == ()
    assert window.cursor.position == NOW
    assert look(answer, window.cursor, practice=check_filter(CARL)) == []
