"""Cases: read page by page from the right server, and their files, written as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.practices import signed_in

from ormco_trios import Environment, errors
from ormco_trios.communicate import case_flows
from ormco_trios.communicate.case_sync import EVERY_PRACTICE
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import Case, CasePage
from ormco_trios.communicate.operations import ME
from ormco_trios.core.effects import Call, Emit
from ormco_trios.sandbox import Sandbox

EVIL = [
    "https://evil.example/metadata-eu",
    "evil.example",
    "https://sandbox.example@evil.example",
    "https://sandbox.example.evil.example",
    "http://sandbox.example/metadata-eu",
    "//evil.example",
    "https://sandbox.example\\@evil.example",
    "https://sandbox.example:8443/metadata-eu",
    "file:///etc/passwd",
]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


def cases_of(both: Any, sandbox: Sandbox, **options: Any) -> Any:
    return signed_in(both, sandbox, **options).communicate.cases


def lab_cases(both: Any, sandbox: Sandbox) -> Any:
    lab = sandbox.world.user(sandbox.practice.lab_email)
    practice = signed_in(both, sandbox)
    practice.oauth.sign_in_with_password(lab.email, lab.password)
    return practice.communicate.cases


# --- reading -------------------------------------------------------------------------------------


def test_every_case_newest_first_with_as_few_requests_as_pages(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    sandbox.journal.clear()
    found = list(cases.list())
    assert len(found) == 12
    assert sorted((c.created for c in found), reverse=True) == [c.created for c in found]
    assert sandbox.journal.count("cases.list") == 2
    assert sandbox.journal.count("users.me") == 1
    list(cases.list())
    assert sandbox.journal.count("users.me") == 1, "its server is looked up once"


def test_no_page_is_fetched_before_it_is_wanted(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    sandbox.journal.clear()
    found = cases.list()
    for _ in range(10):
        next(found)
    found.close()
    assert sandbox.journal.count("cases.list") == 1


def test_times_are_aware_however_they_come(both: Any, sandbox: Sandbox) -> None:
    case = next(iter(cases_of(both, sandbox).list()))
    for moment in (case.created, case.updated_on, case.received_on):
        assert moment.utcoffset() == timedelta(0)
    # The sandbox writes one without decimals, one with two, one with three.
    assert abs(case.created - case.received_on) < timedelta(seconds=0.01)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2025-12-30T10:00:00", datetime(2025, 12, 30, 10, tzinfo=UTC)),
        ("2025-12-30T10:00:00.5Z", datetime(2025, 12, 30, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2025-12-30T10:00:00.123", datetime(2025, 12, 30, 10, 0, 0, 123000, tzinfo=UTC)),
        ("2025-12-30T10:00:00+02:00", datetime(2025, 12, 30, 8, tzinfo=UTC)),
        ("0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
    ],
)
def test_times(text: str, kind: datetime | None) -> None:
    body = f'{{"Id": "1", "Created": "{text}"}}'
    if kind is None:
        with pytest.raises(ValueError, match="Created"):
            Case.model_validate_json(body)
    else:
        assert Case.model_validate_json(body).created == kind


def test_spans(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    # An hour east of Greenwich: on the wire it is the hour before.
    east = datetime(2025, 12, 20, 1, tzinfo=timezone(timedelta(hours=1)))
    found = list(cases.list(since=east, until=datetime(2025, 12, 22, tzinfo=UTC)))
    assert len(found) == 2
    assert len(cases.updated(datetime(2025, 12, 28, 0, 0, 0, 999, tzinfo=UTC))) == 4
    assert len(cases.updated(datetime.min.replace(tzinfo=UTC))) == 12
    assert cases.updated(east, until=east) == []


def test_a_time_without_a_zone_is_refused(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    naive = datetime(2025, 12, 20)  # noqa: DTZ001 - that is the point
    for call in (
        lambda: list(cases.list(since=naive)),
        lambda: list(cases.search("x", until=naive)),
        lambda: cases.updated(naive),
    ):
        with pytest.raises(errors.ConfigurationError, match="without a zone"):
            call()


def test_searching(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    assert len(list(cases.search("SANDBOX-0000"))) == 9
    assert len(list(cases.search("sandbox"))) == 12
    (found,) = cases.search("muster")
    assert "Muster" in found.patient_name
    assert list(cases.search("nobody & nothing=?")) == []


def test_one_case(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    first = next(iter(cases.list()))
    assert cases.get(first.id) == first
    with pytest.raises(errors.NotFound):
        cases.get("0f8fad5b-d9cb-469f-a165-70867728950e")
    stranger = cases_of(both, sandbox, who=sandbox.practices(1)[0])
    with pytest.raises(errors.PermissionDenied):
        stranger.get(first.id)


def test_versions_increments_and_comments(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox)
    case = next(iter(cases.list()))
    record = sandbox.world.state.cases[case.id]
    sandbox.clock.advance(60)
    cases.approve(case)
    approved = cases.get(case.id)
    assert (approved.version, approved.state_flag) == (2, "Approved")
    assert cases.version(case.id, 1) == case
    sandbox.clock.advance(60)
    cases.reject(case.id)
    assert cases.get(case.id).state_flag == "Rejected"
    assert cases.version(case.id, 2) == approved
    assert approved.updated_on - case.updated_on > timedelta(seconds=60)
    with pytest.raises(errors.NotFound):
        cases.version(case.id, 4)
    assert cases.increment(record.increments[0]).model_extra["Version"] == 3
    with pytest.raises(errors.NotFound):
        cases.increment(case.id)
    (comment,) = case.comments
    assert cases.comment(case, comment.id) == cases.comment(case.id, comment.id)
    assert "bite" in cases.comment(case, comment.id)
    with pytest.raises(errors.NotFound):
        cases.comment(case, case.id)


def test_an_approval_whose_answer_was_lost_is_sent_again(both: Any, sandbox: Sandbox) -> None:
    """It changes the state, and a second time nothing."""
    cases = cases_of(both, sandbox)
    case = next(iter(cases.list()))
    sandbox.fault("cases.set_state", network="reset", when="after")
    cases.approve(case)
    assert sandbox.journal.count("cases.set_state") == 2
    assert cases.get(case.id).state_flag == "Approved"


def test_nothing_of_a_patient_is_printed(both: Any, sandbox: Sandbox) -> None:
    case = next(iter(cases_of(both, sandbox).list()))
    assert repr(case) == str(case) == "Case(version=1)"
    assert {repr(file) for file in case.files} == {
        f"CaseFile(file_type={kind!r})" for kind in ("dcm", "png", "stl")
    }
    assert repr(case.patient) == "Patient()"


def test_a_case_that_arrives_meanwhile_moves_the_pages_and_nothing_comes_twice(
    both: Any, sandbox: Sandbox
) -> None:
    cases = cases_of(both, sandbox)
    found = cases.list()
    ids = [next(found).id for _ in range(10)]
    state = sandbox.world.state
    there = {case.id for case in state.cases.values() if case.server == "eu"}
    old = next(iter(state.cases.values()))
    for _ in range(13):
        new = replace(old, id=state.new_id(), created=old.created + 1e7)
        state.cases[new.id] = new
    ids += [case.id for case in found]
    assert len(ids) == len(set(ids))
    assert there <= set(ids)


def pages(*answers: CasePage) -> tuple[list[str], str]:
    """What is emitted if the service answers like this, and which pages were asked for."""
    flow = case_flows.list_cases(
        Home(Environment.production(), "https://x.example"),
        since=None,
        until=None,
        practice=EVERY_PRACTICE,
    )
    emitted: list[str] = []
    asked = ""
    reply: Any = None
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration:
            return emitted, asked
        if isinstance(effect, Emit):
            assert isinstance(effect.item, Case)
            emitted.append(effect.item.id)
            reply = None
        else:
            assert isinstance(effect, Call)
            assert [*effect.query] == ["page"]
            reply = answers[min(len(asked), len(answers) - 1)]
            asked += effect.query["page"]


def page(*ids: str, count: int | None) -> CasePage:
    return CasePage(cases=[Case(id=id) for id in ids], count=count)


@pytest.mark.parametrize(
    ("answers", "emitted", "asked"),
    [
        ([page(count=0)], "", "0"),
        ([page(count=None)], "", "0"),
        ([CasePage()], "", "0"),
        ([page("a", count=1)], "a", "0"),
        ([page("a", count=None), page(count=None)], "a", "01"),
        ([page("a", "b", count=3), page("b", count=3)], "ab", "01012012012"),
        # It says there are more, and then there are not.
        ([page("a", count=9), page(count=9)], "a", "01"),
        (
            [page("a", "b", count=4), page("a", "b", count=5), page("c", count=5)],
            "abc",
            "012012340123401234",
        ),
    ],
)
def test_where_the_pages_end(answers: list[CasePage], emitted: str, asked: str) -> None:
    assert pages(*answers) == (list(emitted), asked)


def test_cases_that_are_said_to_be_there_and_are_not_are_no_empty_list() -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="holds none"):
        pages(CasePage(count=3))


class Changing:
    """A list of cases, two on a page and the newest first, that changes between two pages."""

    def __init__(self, cases: str) -> None:
        self.cases = cases
        self.asked = 0

    def read(self, changes: dict[int, str]) -> list[str]:
        """What is emitted if the list becomes ``changes[n]`` after the n-th page."""
        flow = case_flows.list_cases(
            Home(Environment.production(), "https://x.example"),
            since=None,
            until=None,
            practice=EVERY_PRACTICE,
        )
        emitted: list[str] = []
        reply: Any = None
        with contextlib.suppress(StopIteration):
            while True:
                effect = flow.send(reply)
                reply = None
                if isinstance(effect, Emit):
                    assert isinstance(effect.item, Case)
                    emitted.append(effect.item.id)
                    continue
                assert isinstance(effect, Call)
                first = 2 * int(effect.query["page"])
                reply = page(*self.cases[first : first + 2], count=len(self.cases))
                self.asked += 1
                self.cases = changes.get(self.asked, self.cases)
        return emitted


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, 4),
        # One that was not read yet is changed, and so is the newest now.
        ({1: "gabcdefh"}, 5),
        ({2: "hgabcdef"}, 5),
        # So many that a whole page comes again.
        ({1: "hgabcdef"}, 5),
        ({1: "hgfeabcd"}, 5),
        # One that was read already comes before it.
        ({2: "adchbefg"}, 6),
        # One is gone, and all others move to the page before.
        ({1: "bcdefgh"}, 8),
        ({2: "acdefgh"}, 8),
        # One arrives.
        ({1: "xabcdefgh"}, 6),
        ({1: "xabcdefgh", 2: "yxabcdefgh", 3: "zyxabcdefgh"}, 8),
        # One is gone as another one arrives.
        ({1: "xbcdefgh"}, 4),
    ],
)
def test_no_case_is_missed_because_another_one_moves(changes: dict[int, str], asked: int) -> None:
    service = Changing("abcdefgh")
    emitted = service.read(changes)
    assert len(emitted) == len(set(emitted))
    assert set("abcdefgh") & set(service.cases) <= set(emitted)
    assert service.asked == asked


@given(
    st.dictionaries(
        st.integers(1, 9),
        st.tuples(st.sampled_from(["arrives", "changes", "is gone"]), st.integers(0, 20)),
        max_size=3,
    )
)
def test_nothing_is_missed_whatever_changes_now_and_then(plan: dict[int, tuple[str, int]]) -> None:
    cases, new = "abcdefgh", iter("xyz")
    changes: dict[int, str] = {}
    for asked, (what, place) in sorted(plan.items()):
        case = cases[place % len(cases)]
        front = {"arrives": "", "changes": case, "is gone": ""}[what]
        cases = next(new) + cases if what == "arrives" else front + cases.replace(case, "")
        changes[asked] = cases
    service = Changing("abcdefgh")
    emitted = service.read(changes)
    assert len(emitted) == len(set(emitted))
    assert set("abcdefgh") & set(cases) <= set(emitted)


def test_a_list_that_never_rests_is_read_a_few_times() -> None:
    rests_never = {n: "abcdefgh"[n % 8 :] + "abcdefgh"[: n % 8] for n in range(1, 1000)}
    service = Changing("abcdefgh")
    assert len(set(service.read(rests_never))) >= 6
    assert service.asked < 40


def test_pages_that_repeat_for_ever_end() -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="same cases again"):
        pages(page("a", "b", count=10**9))


# --- the right server, and no other --------------------------------------------------------------


@pytest.mark.parametrize("template", ["{url}", "{place}", None, ""])
def test_where_the_account_is_at_home(both: Any, sandbox: Sandbox, template: str | None) -> None:
    sandbox.world.user(sandbox.practice.email).region_uri = template
    assert len(list(cases_of(both, sandbox).list())) == 12


def test_another_region_is_another_server(both: Any, sandbox: Sandbox) -> None:
    cases = cases_of(both, sandbox, who=sandbox.practice_in("am"))
    assert len(list(cases.list())) == 3
    assert sandbox.journal[-1].route.startswith("/metadata-{server}")


@pytest.mark.parametrize("evil", EVIL)
def test_a_hostile_region_gets_nothing(both: Any, sandbox: Sandbox, evil: str) -> None:
    sandbox.world.user(sandbox.practice.email).region_uri = evil
    sandbox.switch(services="404", servers="404")
    cases = cases_of(both, sandbox)
    case = "0f8fad5b-d9cb-469f-a165-70867728950e"
    for call in (
        lambda: list(cases.list()),
        lambda: list(cases.search("x")),
        lambda: cases.updated(datetime(2026, 1, 1, tzinfo=UTC)),
        lambda: cases.get(case),
    ):
        before = len(sandbox.journal)
        with pytest.raises(errors.UntrustedHost):
            call()
        seen = {e.operation for e in list(sandbox.journal)[before:]}
        assert seen <= {ME.name, "services.default", "servers.list"}
