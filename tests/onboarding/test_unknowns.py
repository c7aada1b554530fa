"""The main flows in every pair of positions of what nobody outside knows about Communicate."""

from __future__ import annotations

from typing import Any

import pytest
from allpairspy import AllPairs
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
    "pending": ["false", "null"],
    "sentences": ["text", "object"],
    "code_layers": [0, 1, 2, 3],
    "rotation": ["rotated", "kept", "omitted"],
    "iss": ["sent", "absent"],
    "password_refused": ["empty", "invalid_grant", "400", "html"],
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
    (where, dialect, dict(zip(SWITCHES, values, strict=True)))
    for where, dialect, *values in AllPairs([WHERE, ["classic", "account"], *SWITCHES.values()])
]


def says(switches: dict[str, Any]) -> set[bool]:
    """Of what the account says of its region, whether it is understood."""
    understood = {"published", "v1.5", "address", "whole", "name"}
    said = {switches["region_uri"], switches["region"]} - {"null", "absent"}
    return {position in understood for position in said}


@pytest.mark.parametrize(("where", "dialect", "switches"), PAIRS)
def test_the_main_flows(
    both: Any,
    where: tuple[Server, str, Region | None],
    dialect: str,
    switches: dict[str, Any],
) -> None:
    server, country, clear = where
    with Sandbox(approval=Approval.after(3600)) as sandbox:
        sandbox.switch(**switches)
        who = sandbox.practice_in(server)
        sandbox.world.user(who.email).fields["Country"] = country
        practice = clients(
            both, sandbox, who=who, account=who.email, account_dialect=dialect == "account"
        )

        if dialect == "classic":
            # A wrong password is the person's mistake, however it is refused.
            with pytest.raises(errors.AuthorizationRefused, match="password"):
                practice.oauth.sign_in_with_password(who.email, "wrong")

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
            shown = switches["user_types"] != "null"
            assert ("not shown" not in step.evidence) is (shown or switches["roles"] == "shown")
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
    assert len(PAIRS) < 200
    for place, (name, values) in enumerate(SWITCHES.items()):
        for other, others in list(SWITCHES.items())[place + 1 :]:
            seen = {(switches[name], switches[other]) for _, _, switches in PAIRS}
            assert seen == {(one, two) for one in values for two in others}
