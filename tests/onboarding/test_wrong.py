"""What can be wrong on the way: each gives its own error, which says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.practices import clients, signed_in

from ormco_trios import AuthorizationCode, Region, Repair, errors
from ormco_trios.onboarding.checklist import StepName, StepState
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.world.seeds import LOOK_ALIKE_EMAIL

EUROPE = "insignia.supporteurope@ormco.com"


def country_and_region_disagree(sandbox: Sandbox) -> None:
    sandbox.world.user(sandbox.practice.email).fields["Country"] = "au"


def no_lab(sandbox: Sandbox) -> None:
    sentence = "No user with Id x could be found"
    sandbox.fault("users.get", status=400, body=sentence, times=None)


def renamed_lab(sandbox: Sandbox) -> None:
    sandbox.world.user(EUROPE).email = "elsewhere@lab.example"


def clinic_instead_of_lab(sandbox: Sandbox) -> None:
    sandbox.world.user(EUROPE).roles = ("Clinic",)


def another_lab(sandbox: Sandbox) -> None:
    sandbox.world.misdirect(EUROPE, LOOK_ALIKE_EMAIL)


@pytest.mark.parametrize(
    ("wrong", "error", "advice"),
    [
        (
            country_and_region_disagree,
            errors.RegionUnclear,
            "Name the region.*Region.NORTH_AMERICA.*ASIA_PACIFIC.*EUROPE",
        ),
        (no_lab, errors.LabNotFound, "Check the region"),
        (clinic_instead_of_lab, errors.NotALab, "Do not connect"),
        (renamed_lab, errors.WrongLab, "Do not connect"),
        (another_lab, errors.LabRefused, "Do not connect"),
    ],
)
def test_the_lab(
    both: Any, wrong: Callable[[Sandbox], None], error: type[Exception], advice: str
) -> None:
    with Sandbox() as sandbox:
        wrong(sandbox)
        with pytest.raises(error, match=f"^{advice}"):
            clients(both, sandbox).run()
        assert sandbox.journal.count("connections.request") == 0, "no lab was asked"


def test_an_explicit_region_settles_it(both: Any) -> None:
    with Sandbox() as sandbox:
        country_and_region_disagree(sandbox)
        clients(both, sandbox, region=Region.ASIA_PACIFIC).run()
        (connection,) = sandbox.world.connections()
        assert sandbox.world.state.users[connection.remote].email.lower().endswith("asia@ormco.com")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403},
        {"status": 404, "body": "<html>"},
        {"status": 302},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": '{"Email": "anna@praxis.example"}'},
        {"status": 200, "body": '{"Id": " "}'},
        {"status": 200, "body": '{"Id": ".."}'},
        {"status": 200, "body": '{"Id": "00000000-0000-0000-0000-000000000000"}'},
        {"status": 200, "body": '{"Id": "1", "Roles": "Clinic"}'},
    ],
)
def test_an_odd_answer_of_communicate_is_shown_and_the_portal_is_still_cleaned(
    both: Any, answer: dict[str, Any]
) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = clients(both, sandbox)
        practice.run()
        sandbox.fault("users.me", times=None, **answer)
        onboarding = practice.onboarding
        checklist = onboarding.check()
        assert checklist[StepName.SIGN_IN].state is StepState.UNKNOWN
        assert checklist[StepName.AUTHORIZATION].state is StepState.DONE
        assert onboarding.doctor().checklist[StepName.SIGN_IN].state is StepState.UNKNOWN
        with pytest.raises(errors.ApiError):
            onboarding.advance()
        done = onboarding.disconnect()
        assert [place.state.value for place in done.places] == ["failed", "removed", "failed"]


@pytest.mark.parametrize("answer", [{"status": 500}, {"status": 403}, {"status": 200, "body": "<"}])
def test_a_lab_that_cannot_be_looked_up_hides_nothing_else(
    both: Any, answer: dict[str, Any]
) -> None:
    """A connection without e-mails is told by the lab's id, for which the lab is looked up."""
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox)
        connection = {"Id": "c", "ConnectionAccepted": True, "RemoteUserId": "somebody"}
        me: dict[str, Any] = {"Id": "1", "Country": "de", "Connections": [connection]}
        sandbox.fault("users.me", times=None, status=200, body=me)
        sandbox.fault("users.get", times=None, **answer)
        checklist = practice.onboarding.check()
        assert checklist[StepName.SIGN_IN].state is StepState.DONE
        assert checklist[StepName.CONNECTION].state is StepState.UNKNOWN
        with pytest.raises(errors.ApiError):
            practice.onboarding.advance(repair=Repair.CONNECT_AGAIN)
        repair = practice.onboarding.progress.repair
        assert repair is not None
        assert repair.connection is None, "what it removes is not decided yet"
        assert practice.onboarding.disconnect().places[2].state.value == "failed"


def test_a_wrong_portal_password(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = clients(both, sandbox, password="sandbox-wrong")
        with pytest.raises(errors.PortalSignInRefused, match=r"^Check the OrmcoDigital user name"):
            practice.run()
        checklist = practice.onboarding.check()
        assert "OrmcoDigital refused" in str(checklist)
        clients(both, sandbox).run()


def test_consent_denied(both: Any) -> None:
    with Sandbox() as sandbox:
        with pytest.raises(errors.ConsentDenied, match="choose Allow access"):
            clients(both, sandbox, allow=False).run()
        clients(both, sandbox).run()


def test_a_damaged_paste_reaches_nobody(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        link = practice.ormco.trios.authorization_request().authorization_url
        pasted = sandbox.authorize(link)
        sandbox.journal.clear()
        with pytest.raises(errors.CodeIncomplete, match=r"^Copy the address again"):
            AuthorizationCode.from_pasted(pasted[:-20])
        assert len(sandbox.journal) == 0
