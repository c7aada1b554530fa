"""The whole guide: from a practice that nobody knows to one that is connected."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.practices import HOUR, clients

from ormco_trios import Connected, NeedsAuthorization, Progress, Source, Waiting, errors
from ormco_trios.core.clock import HurriedClock
from ormco_trios.onboarding.checklist import OverallState, StepName, StepState
from ormco_trios.onboarding.outcomes import Purpose
from ormco_trios.sandbox import Approval, Sandbox

GUIDE = [
    "oauth.consent",  # for this library
    "oauth.token",
    "users.me",
    "users.get",
    "connections.request",
    "users.me",  # polls …
    "users.me",
    "session.create",
    "trios.authorization",
    "oauth.consent",  # for Ormco
    "trios.submit_code",
    "profile.update",  # the code and the submission method, as the guide's one Update
    "trios.status",
]


def in_order(wanted: list[str], seen: list[str]) -> bool:
    rest = iter(seen)
    return all(operation in rest for operation in wanted)


@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
@pytest.mark.parametrize("server", [False, True], ids=["in process", "server"])
def test_a_new_practice_ends_up_connected(both: Any, server: bool, account_dialect: bool) -> None:
    clock = HurriedClock(36_000)
    with Sandbox(server=server, clock=clock, approval=Approval.after(6 * 3600)) as sandbox:
        practice = clients(both, sandbox, account_dialect=account_dialect)
        seen: list[OverallState] = []
        connected = practice.run(on_update=lambda checklist: seen.append(checklist.state))

        assert connected.checklist.state is OverallState.CONNECTED
        seen_done = {s.name for s in connected.checklist.steps if s.state is StepState.DONE}
        assert seen_done == {*StepName} - {StepName.CASE_ARRIVED}
        assert connected.source is Source.PORTAL
        assert connected.consent_seen
        assert in_order(GUIDE, sandbox.journal.operations())
        assert sandbox.journal.count("connections.request") == 1
        changes = [new for old, new in pairwise([None, *seen]) if new is not old]
        assert changes == [
            OverallState.NEEDS_AUTHORIZATION,
            OverallState.INCOMPLETE,
            OverallState.WAITING,
            OverallState.NEEDS_AUTHORIZATION,
            OverallState.CONNECTED,
        ]


def test_running_it_again_changes_nothing(both: Any) -> None:
    with Sandbox() as sandbox:
        clients(both, sandbox).run()
        sandbox.journal.clear()
        clients(both, sandbox).run()
        assert not {e.operation for e in sandbox.journal if e.wrote} - {
            "session.create",
            "oauth.sign_in",
            "oauth.consent",
            "oauth.token",
        }


def test_advance_says_what_comes_next_and_never_waits(both: Any) -> None:
    with Sandbox(approval=Approval.after(5 * 3600)) as sandbox:
        practice = clients(both, sandbox).onboarding
        began = sandbox.clock.now()

        needed = practice.advance()
        assert isinstance(needed, NeedsAuthorization)
        assert needed.purpose is Purpose.SIGN_IN
        practice.finish_authorization(sandbox.authorize(needed.url))

        waiting = practice.advance()
        assert isinstance(waiting, Waiting)
        assert waiting.since == began == sandbox.clock.now()
        step = waiting.checklist[StepName.APPROVAL]
        assert (step.state, step.since, step.until) == (
            StepState.WAITING,
            waiting.since,
            waiting.until,
        )
        sandbox.clock.advance_to(waiting.until)
        assert isinstance(practice.advance(), Waiting)

        sandbox.clock.advance(5 * 3600)
        needed = practice.advance()
        assert needed.purpose is Purpose.ORMCO
        again = practice.advance()
        assert again.url == needed.url, "a link that a person may have open stays good"
        practice.finish_authorization(sandbox.authorize(needed.url))
        assert isinstance(practice.advance(), Connected)


def test_a_poll_is_one_request(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = clients(both, sandbox)
        practice.onboarding.finish_authorization(
            sandbox.authorize(practice.onboarding.advance().url)
        )
        practice.onboarding.advance()
        sandbox.journal.clear()
        practice.onboarding.advance()
        assert sandbox.journal.operations() == ["users.me"]


def test_another_process_goes_on_with_what_was_remembered(both: Any) -> None:
    with Sandbox() as sandbox:
        first = clients(both, sandbox)
        needed = first.onboarding.advance()
        saved = first.onboarding.progress.to_json()
        pasted = sandbox.authorize(needed.url)

        second = clients(both, sandbox, progress=Progress.from_json(saved))
        second.onboarding.finish_authorization(pasted)
        assert isinstance(second.onboarding.advance(), Waiting)
        assert second.onboarding.progress.pending is None


def test_a_day_without_approval_ends_with_what_to_do(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = clients(both, sandbox)
        with pytest.raises(errors.ApprovalTimeout, match="Nothing is lost") as caught:
            practice.run()
        assert isinstance(caught.value, TimeoutError)
        assert sandbox.clock.monotonic() == pytest.approx(24 * 3600)
        # 76 by the schedule, which has a test of its own; the rest is jitter and the first looks.
        assert sandbox.journal.count("users.me") <= 90

        sandbox.approve()
        connection = caught.value.wait.resume(practice.communicate)
        assert connection.state.value == "active"
        practice.run()


def test_a_bad_paste_is_asked_for_again_and_the_link_stays_good(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = clients(both, sandbox)
        shown: list[NeedsAuthorization] = []

        def clumsy(needed: NeedsAuthorization) -> str:
            shown.append(needed)
            if needed.problem is None:
                return "https://ormco.com/?code=KY-s%2521IAAA"
            return sandbox.authorize(needed.url)

        practice.onboarding.run(authorize=both.callback(clumsy))
        assert [needed.problem is None for needed in shown] == [True, False] * 2
        assert shown[0].url == shown[1].url
        assert "Copy the address again" in str(shown[1].problem)


def test_a_code_that_came_too_late_is_asked_for_anew(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = clients(both, sandbox)
        asked: list[str | None] = []

        def slow(needed: NeedsAuthorization) -> str:
            pasted = sandbox.authorize(needed.url)
            if needed.problem is None:
                sandbox.clock.advance(200)
            asked.append(needed.problem)
            return pasted

        practice.onboarding.run(authorize=both.callback(slow))
        assert [problem is None for problem in asked] == [True, False] * 2


def test_without_a_person_to_ask_it_says_so(both: Any) -> None:
    with Sandbox() as sandbox:
        with pytest.raises(errors.AuthorizationNeeded, match="advance"):
            clients(both, sandbox).onboarding.run()
        with pytest.raises(errors.AuthorizationNeeded, match="cannot be used"):
            clients(both, sandbox).onboarding.finish_authorization("anything")


def test_check_changes_nothing_and_survives_an_outage(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = clients(both, sandbox)
        assert practice.onboarding.check().state is OverallState.NEEDS_AUTHORIZATION
        practice.oauth.sign_in_with_password(sandbox.practice.email, sandbox.practice.password)
        sandbox.fault("profile.get", status=503, times=None)
        sandbox.fault("users.me", status=503, times=None)
        sandbox.journal.clear()
        checklist = practice.onboarding.check()
        assert {step.state for step in checklist.steps} == {StepState.UNKNOWN}
        assert not [e for e in sandbox.journal if e.wrote and e.operation != "session.create"]


def test_a_wait_that_is_cut_short_keeps_its_deadline(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox, pytest.raises(errors.ApprovalTimeout):
        clients(both, sandbox).run(timeout=2 * HOUR)
    assert sandbox.clock.monotonic() == pytest.approx(timedelta(hours=2).total_seconds())
