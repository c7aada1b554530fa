"""OrmcoDigital on its own: the profile, the code with its *Update*, and a draft that is lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.practices import clients, signed_in

from ormco_trios import AuthorizationCode, errors
from ormco_trios.sandbox import Approval, Sandbox


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
