"""Waiting for approval: the schedule, the deadline, and what is left when it is cut short."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.practices import HOUR, signed_in

from ormco_trios import ApprovalWait, ConnectionState, PollSchedule, Region, errors
from ormco_trios.communicate.approval import await_approval, begin_wait
from ormco_trios.communicate.models import Connection, User
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Call, Flow, Pause
from ormco_trios.sandbox import Approval, Sandbox

ages = st.floats(0, 7 * 86_400)
schedules = st.one_of(
    st.just(PollSchedule()),
    st.builds(PollSchedule.fixed, st.floats(1, 3600)),
    st.builds(PollSchedule.exponential, st.floats(1, 60), factor=st.floats(1.1, 4)),
)


def pending(both: Any, sandbox: Sandbox) -> tuple[Any, Any]:
    communicate = signed_in(both, sandbox).communicate
    return communicate, communicate.connections.request(communicate.labs.find(Region.EUROPE))


@given(schedules, ages, st.floats(-1, 1), st.one_of(st.none(), st.floats(0, 1e5)))
def test_an_interval_is_positive_and_never_undercuts_the_hint(
    schedule: PollSchedule, age: float, jitter: float, hint: float | None
) -> None:
    interval = schedule.next(age, hint, jitter)
    assert interval > 0
    assert hint is None or interval >= hint
    if hint is None:
        assert interval >= schedule.floor * 0.9
        assert interval == pytest.approx(schedule.next(age), rel=0.11)


def test_the_default_asks_at_most_80_times_a_day() -> None:
    schedule, age, polls = PollSchedule(), 0.0, 1
    while age < 86_400:
        age += schedule.next(age)
        polls += 1
    assert 60 <= polls <= 80


def test_exponential_intervals_follow_from_the_age_alone() -> None:
    schedule = PollSchedule.exponential(30, factor=2, ceiling=900)
    age, intervals = 0.0, []
    for _ in range(8):
        intervals.append(schedule.next(age))
        age += intervals[-1]
    assert intervals == [30, 60, 120, 240, 480, 900, 900, 900]


def test_an_approval_ends_the_wait(both: Any) -> None:
    with Sandbox(approval=Approval.after(6 * 3600)) as sandbox:
        communicate, connection = pending(both, sandbox)
        updates: list[Any] = []
        active = communicate.connections.wait_until_active(connection, on_update=updates.append)
        assert active.state is ConnectionState.ACTIVE
        waited = sandbox.clock.monotonic()
        assert 6 * 3600 <= waited <= 6 * 3600 * 1.065 + 30
        assert [u.polls for u in updates] == list(range(1, len(updates) + 1))
        assert updates[-1].next_in is None


def test_watching_yields_each_look(both: Any) -> None:
    with Sandbox(approval=Approval.after_polls(3)) as sandbox:
        communicate, connection = pending(both, sandbox)
        states = [u.state.value for u in communicate.connections.watch(connection.id)]
        assert states[-1] == "active"
        assert set(states[:-1]) == {"pending"}


def test_removed_while_waiting(both: Any) -> None:
    with Sandbox(approval=Approval.removed_after(3600)) as sandbox:
        communicate, connection = pending(both, sandbox)
        with pytest.raises(errors.ConnectionRemoved, match=r"^Ask for the connection again"):
            communicate.connections.wait_until_active(connection)


def test_a_timeout_can_be_resumed_with_the_same_schedule(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        communicate, connection = pending(both, sandbox)
        with pytest.raises(errors.ApprovalTimeout) as caught:
            communicate.connections.wait_until_active(connection, timeout=6 * HOUR)
        assert sandbox.clock.monotonic() == pytest.approx(6 * 3600)

        wait = ApprovalWait.model_validate_json(caught.value.wait.model_dump_json())
        sandbox.journal.clear()
        with pytest.raises(errors.ApprovalTimeout):
            wait.extended(6 * HOUR).resume(communicate)
        assert sandbox.clock.monotonic() == pytest.approx(12 * 3600)
        assert sandbox.journal.count("users.me") < 25, "it does not begin at its floor again"
        sandbox.approve()
        assert wait.extended(12 * HOUR).resume(communicate).state is ConnectionState.ACTIVE


def test_an_outage_is_survived_and_its_delay_obeyed(both: Any) -> None:
    with Sandbox(approval=Approval.after(3600)) as sandbox:
        communicate, connection = pending(both, sandbox)
        sandbox.fault("users.me", status=503, retry_after=7200, times=1)
        active = communicate.connections.wait_until_active(connection)
        assert active.state is ConnectionState.ACTIVE
        assert sandbox.clock.monotonic() >= 7200


def test_a_fatal_answer_is_raised_at_once(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        communicate, connection = pending(both, sandbox)
        sandbox.fault("users.me", status=403, times=1)
        with pytest.raises(errors.PermissionDenied):
            communicate.connections.wait_until_active(connection)
        assert sandbox.clock.monotonic() == 0


def test_the_token_ends_during_the_wait(both: Any) -> None:
    with Sandbox(approval=Approval.after(10 * 3600), token_lifetime=3600) as sandbox:
        communicate, connection = pending(both, sandbox)
        communicate.connections.wait_until_active(connection)
        assert sandbox.journal.count("oauth.token", ok=True) > 3


@pytest.mark.parametrize("shift", [-86_400, -3600, 3600, 86_400])
def test_a_clock_that_jumps(shift: float) -> None:
    """Set back, it does not prolong the wait; set forward, as after a sleep, it ends it."""
    clock = ManualClock()
    wait = begin_wait("1", clock=clock, timeout=timedelta(hours=6))
    with pytest.raises(errors.ApprovalTimeout):
        drive(await_approval(wait, clock=clock, jitter=lambda: 0.0), clock, shift)
    assert clock.monotonic() <= 6 * 3600 + 1


def drive(flow: Flow[Connection], clock: ManualClock, shift: float) -> None:
    """Play runner and service: the request stays pending, and once the wall clock jumps."""
    waiting = User(id="me", connections=[Connection(id="1", connection_accepted=False)])
    result: Any = None
    for step in range(10_000):
        effect = flow.send(result)
        result = waiting if isinstance(effect, Call) else None
        if isinstance(effect, Pause):
            clock.advance(effect.seconds)
        if step == 20:
            clock.shift_wall(shift)
