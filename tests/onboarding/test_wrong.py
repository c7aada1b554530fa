"""What can be wrong on the way: each gives its own error, which says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.practices import clients, signed_in

from ormco_trios import AuthorizationCode, Region, errors
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
        assert sandbox.journal.count("connections.request") == 0, "nothing was asked of anybody"


def test_an_explicit_region_settles_it(both: Any) -> None:
    with Sandbox() as sandbox:
        country_and_region_disagree(sandbox)
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
