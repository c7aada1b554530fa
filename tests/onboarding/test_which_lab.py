"""Which lab is asked and which server has the cases, whatever an account shows of itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from allpairspy import AllPairs
from tests.conftest import SyncOrAsync
from tests.practices import clients

from ormco_trios import Address, Region, errors
from ormco_trios.onboarding.checklist import OverallState, StepName
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.world.state import Server

LISTS = ["served", "html", "other_shape", "403", "404", "500", "retired", "foreign", "null"]
SWITCHES: dict[str, list[Any]] = {
    "services": LISTS,
    "servers": LISTS,
    "region_uri": ["published", "v1.5", "address", "null", "absent", "unknown", "foreign"],
    "region": ["whole", "name", "null", "absent", "unknown"],
    "roles": ["shown", "absent", "null", "empty", "text", "renamed"],
    "user_types": ["shown", "null", "renamed"],
    "applications": ["served", "html", "other_shape", "403", "404", "500"],
}
WHERE: list[tuple[Server, str, Region | None]] = [
    ("eu", "DE", Region.EUROPE),
    ("am", "us", Region.NORTH_AMERICA),
    ("as", "AU", Region.ASIA_PACIFIC),
    # Nothing is published for these: the account's own region decides.
    ("am", "BR", None),
    ("as", "AE", None),
    ("eu", "EG", None),
]
LABS: dict[Server, Region] = {
    "eu": Region.EUROPE,
    "am": Region.NORTH_AMERICA,
    "as": Region.ASIA_PACIFIC,
}
PAIRS = [
    (mode, where, dict(zip(SWITCHES, values, strict=True)))
    for mode, where, *values in AllPairs([["sync", "async"], WHERE, *SWITCHES.values()])
]
"""Few of all combinations, in which any two values come together; `test_worlds` has more."""


def says(switches: dict[str, Any]) -> set[bool]:
    """Of what the account says of its region, whether it is understood."""
    understood = {"published", "v1.5", "address", "whole", "name"}
    said = {switches["region_uri"], switches["region"]} - {"null", "absent"}
    return {position in understood for position in said}


@pytest.fixture
def both(mode: Any) -> Iterator[SyncOrAsync]:
    made = SyncOrAsync(mode)
    yield made
    made.close()


@pytest.mark.parametrize(("mode", "where", "switches"), PAIRS)
def test_every_two_unknowns(
    both: Any, where: tuple[Server, str, Region | None], switches: dict[str, Any]
) -> None:
    server, country, clear = where
    with Sandbox(approval=Approval.after(3600)) as sandbox:
        sandbox.switch(**switches)
        who = sandbox.practice_in(server)
        sandbox.world.user(who.email).fields["Country"] = country
        practice = clients(both, sandbox, who=who, account=who.email)

        def authorize(needed: Any) -> Address:
            # The page shows which account it is, and the person says so.
            address = sandbox.authorize(needed.url, email=who.email)
            return Address(address, account_shown=who.email)

        def run() -> Any:
            return practice.onboarding.run(authorize=both.callback(authorize))

        unclear = clear is None and True not in says(switches)
        if unclear:
            with pytest.raises(errors.RegionUnclear):
                run()
        elif switches["roles"] == "text":
            with pytest.raises(errors.UnexpectedAnswer, match="Roles"):
                run()
        else:
            checklist = run().checklist
            assert checklist.state is OverallState.CONNECTED
            step = checklist[StepName.CONNECTION]
            assert LABS[server].label in step.evidence
            assert ("inferred" in step.evidence) is (clear is None)
            assert "account not checked" not in checklist[StepName.AUTHORIZATION].evidence
            (connection,) = sandbox.world.connections()
            assert sandbox.world.state.users[connection.remote].email.lower() == who.lab_email
            shown = switches["user_types"] != "null" or switches["roles"] in ("shown", "renamed")
            assert ("not shown" not in step.evidence) is shown
        if unclear or switches["roles"] == "text":
            assert sandbox.journal.count("connections.request") == 0
            assert sandbox.world.connections() == []
        the_cases_are_found_or_nothing_is_asked(practice, sandbox, server, switches)


def the_cases_are_found_or_nothing_is_asked(
    practice: Any, sandbox: Sandbox, server: Server, switches: dict[str, Any]
) -> None:
    there = sum(case.server == server for case in sandbox.world.state.cases.values())
    lists = [switches["services"], switches["servers"]]
    if says(switches) == {True} or {"served", "retired"} & set(lists):
        assert len(list(practice.communicate.cases.list())) == there > 0
        return
    expected: type[Exception] = errors.ConfigurationError
    if "500" in lists:
        expected = errors.ServerError
    with pytest.raises(expected):
        list(practice.communicate.cases.list())
    assert sandbox.journal.count("cases.list") == 0


def test_the_pairs_are_all_there() -> None:
    assert len(PAIRS) < 120
    for (name, values), (other, others) in combinations(SWITCHES.items(), 2):
        seen = {(switches[name], switches[other]) for _, _, switches in PAIRS}
        assert seen == {(one, two) for one in values for two in others}
