"""Three practices and one lab: no filter ever shows another practice's case."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.practices import signed_in

from ormco_trios import errors
from ormco_trios.sandbox import Practice, Sandbox, Switches

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["named", "unnamed"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Actors with their e-mails and names, and without."""
    with Sandbox(switches=Switches(actors=request.param)) as made:
        yield made


@pytest.fixture
def practices(sandbox: Sandbox) -> list[Practice]:
    """The second is a second practice of the first one's patients, too."""
    lab = sandbox.practice.lab_email
    found = sandbox.practices(3)
    for number, each in enumerate(found, 1):
        sandbox.world.new_connection(sandbox.world.user(each.email), sandbox.world.user(lab))
        sandbox.approve()
        for _ in range(number):
            sandbox.world.add_case(each.email, patient=("Same", "Name"), sent_to=lab)
    shared = next(
        c for c in sandbox.world.state.cases.values() if c.creator == id_of(sandbox, found[0])
    )
    shared.actors += (id_of(sandbox, found[1]),)
    *_, case = sandbox.world.state.cases.values()
    case.creator = ""
    case.actors = (sandbox.world.user(lab).id,)
    return found


def id_of(sandbox: Sandbox, practice: Practice) -> str:
    return sandbox.world.user(practice.email).id


def lab(both: Any, sandbox: Sandbox) -> Any:
    clients = signed_in(both, sandbox)
    who = sandbox.world.user(sandbox.practice.lab_email)
    clients.oauth.sign_in_with_password(who.email, who.password)
    return clients.communicate


def given(cases: Any, practice: str) -> dict[str, list[str]]:
    """Ids of the cases that each way gives for a filter."""
    windows = list(cases.sync(practice=practice))
    return {
        "list": [case.id for case in cases.list(practice=practice)],
        "search": [case.id for case in cases.search("", practice=practice)],
        "updated": [case.id for case in cases.updated(LONG_AGO, practice=practice)],
        "sync": [case.id for window in windows for case in window.cases],
    }


def test_each_practice_gets_its_own_cases(
    both: Any, sandbox: Sandbox, practices: list[Practice]
) -> None:
    client = lab(both, sandbox)
    state = sandbox.world.state.cases
    first, second, third = (id_of(sandbox, each) for each in practices)
    expected = {first: 1, second: 3, third: 2, third.upper(): 2}
    for practice, count in expected.items():
        for way, ids in given(client.cases, practice).items():
            assert len(ids) == count, way
            for id in ids:
                assert practice.lower() in (state[id].creator, *state[id].actors)
    everything = {case.id for case in client.cases.list()}
    assert len(everything) == 11 + 6
    nobodys = {id for id in everything if not state[id].creator}
    assert len(nobodys) == 1
    me = client.users.me()
    assert all(case.sent_to(me) for case in client.cases.list() if case.id not in nobodys)


def test_one_case_is_shown_to_its_practice_alone(
    both: Any, sandbox: Sandbox, practices: list[Practice]
) -> None:
    client = lab(both, sandbox)
    first, _, third = (id_of(sandbox, each) for each in practices)
    (case,) = client.cases.list(practice=first)
    assert client.cases.get(case.id, practice=first) == client.cases.get(case.id)
    assert client.cases.version(case.id, 1, practice=first).version == 1
    for read in (client.cases.get, lambda id, **of: client.cases.version(id, 1, **of)):
        with pytest.raises(errors.NotFound, match="not one of this practice"):
            read(case.id, practice=third)


@pytest.mark.parametrize("wrong", [None, "", "anna@praxis.example", "0" * 32])
def test_what_is_no_id_shows_nothing(both: Any, sandbox: Sandbox, wrong: Any) -> None:
    client = lab(both, sandbox)
    id = next(iter(client.cases.list())).id
    before = len(sandbox.journal)
    for read in (
        lambda: list(client.cases.list(practice=wrong)),
        lambda: list(client.cases.search("a", practice=wrong)),
        lambda: client.cases.updated(LONG_AGO, practice=wrong),
        lambda: list(client.cases.sync(practice=wrong)),
        lambda: client.cases.get(id, practice=wrong),
        lambda: client.cases.version(id, 1, practice=wrong),
    ):
        with pytest.raises(errors.ConfigurationError, match="not the id"):
            read()
    assert len(sandbox.journal) == before, "nothing was asked"
