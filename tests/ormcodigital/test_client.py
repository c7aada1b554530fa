"""OrmcoDigital on its own: the profile, the code with its *Update*, and a draft that is lost."""

from __future__ import annotations

from typing import Any

import pytest
from tests.practices import clients, signed_in

from ormco_trios import AuthorizationCode, SubmissionMethod, errors
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


def test_a_profile_that_was_saved_elsewhere(both: Any) -> None:
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


def test_the_submission_method_is_saved_only_when_it_changes(both: Any) -> None:
    with Sandbox() as sandbox:
        methods = signed_in(both, sandbox).ormco.submission_method
        assert SubmissionMethod.trios() in methods.choices()
        assert methods.set(SubmissionMethod.trios()) == methods.get() == SubmissionMethod.trios()
        methods.set(SubmissionMethod.trios())
        assert sandbox.journal.count("profile.update") == 1


@pytest.mark.parametrize("others", [1, 2, 3])
def test_a_method_is_set_though_others_save_meanwhile(both: Any, others: int) -> None:
    """It is read and set again; after three times in vain that is said."""
    with Sandbox() as sandbox:
        methods = signed_in(both, sandbox).ormco.submission_method
        sandbox.fault("profile.update", status=412, times=others)
        if others == 3:
            with pytest.raises(errors.ProfileChanged):
                methods.set(SubmissionMethod.trios())
        else:
            methods.set(SubmissionMethod.trios())
        assert (methods.get() == SubmissionMethod.trios()) is (others < 3)
        assert sandbox.journal.count("profile.update") == min(others + 1, 3)


def test_a_code_whose_answer_is_lost_is_looked_for_and_not_sent_again(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        sandbox.fault("trios.submit_code", network="reset", when="after")
        assert submit(practice).state.value == "connected"
        assert sandbox.journal.count("trios.submit_code") == 1


def test_a_code_that_did_not_arrive_is_in_doubt(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        sandbox.fault("trios.submit_code", network="reset")
        with pytest.raises(errors.CodeOutcomeUnknown):
            submit(practice)
        assert sandbox.journal.count("trios.submit_code") == 1
        assert practice.ormco.trios.status().state.value == "not_connected"


def test_what_is_not_connected_can_be_disconnected(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        submit(practice)
        for _ in range(2):
            practice.ormco.trios.disconnect()
            assert practice.ormco.trios.status().state.value == "not_connected"
