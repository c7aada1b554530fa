"""What can be wrong on the way: each gives its own error, which says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.practices import clients, signed_in

from ormco_trios import AuthorizationCode, Region, errors
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.seeds import LOOK_ALIKE_EMAIL

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
        assert sandbox.journal.count("connections.request") == 0, "nothing was asked of anybody"


def test_an_explicit_region_settles_an_unclear_country(both: Any) -> None:
    with Sandbox() as sandbox:
        unclear_country(sandbox)
        clients(both, sandbox, region=Region.ASIA_PACIFIC).run()
        (connection,) = sandbox.world.connections()
        assert sandbox.world.state.users[connection.remote].email.lower().endswith("asia@ormco.com")


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


def submit(practice: Any) -> Any:
    link = practice.ormco.trios.authorization_request().authorization_url
    return practice.ormco.trios.submit_code(
        AuthorizationCode.from_pasted(practice.sandbox.authorize(link))
    )


def test_a_lost_draft(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        # The code is entered, and the answer to Update never comes.
        sandbox.fault("profile.update", network="connect", times=None)
        with pytest.raises(errors.NotDelivered):
            submit(practice)
        assert practice.ormco.trios.status().state.value == "draft"
        sandbox.world.faults.clear()
        sandbox.world.drop_draft(sandbox.practice.portal_username)
        with pytest.raises(errors.DraftLost, match=r"^Nothing is connected yet"):
            practice.ormco.trios.save_draft()
        clients(both, sandbox).run()


def test_a_draft_that_was_never_saved_is_saved_without_another_code(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = signed_in(both, sandbox)
        sandbox.fault("profile.update", network="connect", times=None)
        with pytest.raises(errors.NotDelivered):
            submit(practice)
        sandbox.world.faults.clear()
        sandbox.journal.clear()
        practice.onboarding.run()
        assert "trios.submit_code" not in sandbox.journal.operations()


def test_a_profile_that_somebody_else_saved(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        mine = practice.ormco.profile.get()
        practice.ormco.profile.update(mine.model_copy(update={"phone": "555-0100"}))
        with pytest.raises(errors.ProfileChanged, match=r"^Read the profile again"):
            practice.ormco.profile.update(mine.model_copy(update={"phone": "555-0101"}))
        assert practice.ormco.profile.get().phone == "555-0100"


def test_a_code_that_the_portal_does_not_take(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        link = practice.ormco.trios.authorization_request().authorization_url
        code = AuthorizationCode.from_pasted(sandbox.authorize(link))
        sandbox.clock.advance(181)
        with pytest.raises(errors.CodeRefused, match=r"fresh code.*three minutes"):
            practice.ormco.trios.submit_code(code)
        with pytest.raises(errors.CodeSpent):
            practice.ormco.trios.submit_code(code)
