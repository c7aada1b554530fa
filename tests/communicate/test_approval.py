"""Waiting for approval: the schedule, the deadline, and what is left when it is cut short."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.practices import HOUR, signed_in

from ormco_trios import ApprovalWait, ConnectionState, PollSchedule, Region, errors
from ormco_trios.communicate.approval import FAILURE_BUDGET, await_approval, begin_wait
from ormco_trios.communicate.models import Connection, User
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.effects import Call, Emit, Flow, Pause
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


def test_a_wait_is_held_before_it_begins_and_goes_on_after_an_interruption(both: Any) -> None:
    with Sandbox(approval=Approval.after(5 * 3600)) as sandbox:
        communicate, connection = pending(both, sandbox)
        wait = communicate.connections.begin_wait(connection, timeout=8 * HOUR)

        def interrupt(update: Any) -> None:
            if update.waited > 2 * HOUR:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            communicate.connections.resume(wait, on_update=interrupt)
        assert wait.polls > 10
        saved = ApprovalWait.model_validate_json(wait.model_dump_json())
        assert saved == wait
        sandbox.clock.advance(3600)
        sandbox.journal.clear()
        assert saved.resume(communicate).state is ConnectionState.ACTIVE
        assert sandbox.journal.count("users.me") < 15
        assert sandbox.clock.monotonic() < 5 * 3600 * 1.065


def test_a_round_does_not_retry_by_itself(both: Any) -> None:
    with Sandbox(approval=Approval.held(), token_lifetime=1e6) as sandbox:
        communicate, connection = pending(both, sandbox)
        sandbox.journal.clear()
        sandbox.fault("users.me", status=503, times=None)
        with pytest.raises(errors.ServerError):
            communicate.connections.wait_until_active(connection)
        assert sandbox.journal.count("users.me") == FAILURE_BUDGET + 1


def test_a_delay_given_as_a_moment_is_obeyed(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        communicate, connection = pending(both, sandbox)
        moment = sandbox.clock.now() + timedelta(hours=2)
        sandbox.fault("users.me", status=429, retry_after=format_datetime(moment, usegmt=True))
        communicate.connections.wait_until_active(connection)
        assert 7200 <= sandbox.clock.monotonic() <= 7200 * 1.1 + 1


def test_an_unknown_state_is_waited_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    wait = begin_wait("1", clock=clock)
    flow = await_approval(wait, clock=clock)
    odd = User(id="me", connections=[Connection(id="1", connection_accepted="Perhaps")])
    silent = User(id="me")
    active = User(id="me", connections=[Connection(id="1", connection_accepted=True)])
    with pytest.raises(StopIteration) as stop:
        play(flow, clock, [odd, odd, silent, odd, active])
    assert stop.value.value.state is ConnectionState.ACTIVE
    assert len(caplog.records) == 1


def test_a_code_in_doubt_is_not_sent_again() -> None:
    clock = ManualClock()
    flow = await_approval(begin_wait("1", clock=clock), clock=clock)
    with pytest.raises(errors.CodeOutcomeUnknown):
        play(flow, clock, [errors.CodeOutcomeUnknown("lost")])


def play(
    flow: Flow[Connection], clock: ManualClock, answers: list[User | errors.OrmcoTriosError]
) -> None:
    """Play the runner, and a service that gives these answers."""
    result: Any = None
    error: Exception | None = None
    while True:
        effect = flow.throw(error) if error is not None else flow.send(result)
        result, error = None, None
        if isinstance(effect, Pause):
            clock.advance(effect.seconds)
        elif isinstance(effect, Call):
            answer = answers.pop(0)
            if isinstance(answer, User):
                result = answer
            else:
                error = answer


class WaitMachine(RuleBasedStateMachine):
    """One wait, whatever the service, the clocks and the user do."""

    @initialize(timeout=st.floats(10, 86_400), schedule=schedules)
    def begin(self, timeout: float, schedule: PollSchedule) -> None:
        self.clock = ManualClock()
        self.wait = begin_wait(
            "1", clock=self.clock, timeout=timedelta(seconds=timeout), schedule=schedule
        )
        self.latest = self.clock.monotonic() + timeout
        self.ended = False
        self.start()

    def start(self) -> None:
        self.flow = await_approval(self.wait, clock=self.clock, jitter=lambda: 0.0)
        effect: Any = next(self.flow)
        assert isinstance(effect, Call), "it looks at once"
        self.failures = 0

    def look(
        self, answer: User | errors.OrmcoTriosError, hint: float = 0.0
    ) -> BaseException | None:
        """Give an answer, and let the pause pass until the next look."""
        assert self.clock.monotonic() <= self.latest + 1e-3, "it looked past its deadline"
        try:
            if isinstance(answer, User):
                effect: Any = self.flow.send(answer)
            else:
                effect = self.flow.throw(answer)
            assert isinstance(effect, Emit)
            effect = next(self.flow)
        except (StopIteration, errors.OrmcoTriosError) as error:
            self.ended = True
            return error
        assert isinstance(effect, Pause)
        _, left = self.wait.age_and_left(self.clock)
        left = min(left, self.latest - self.clock.monotonic())
        assert effect.seconds > 0
        assert effect.seconds <= left + 1e-3, "it would miss its deadline"
        soonest = max(self.wait.schedule.floor, hint)
        assert effect.seconds >= min(soonest, left) - 1e-3, "early"
        self.clock.advance(effect.seconds)
        assert isinstance(next(self.flow), Call)
        return None

    @precondition(lambda self: self.ended)
    @rule()
    def another(self) -> None:
        self.begin(3600.0, PollSchedule())

    @precondition(lambda self: not self.ended)
    @rule()
    def pending(self) -> None:
        self.failures = 0
        waiting = User(id="me", connections=[Connection(id="1", connection_accepted=None)])
        error = self.look(waiting)
        assert error is None or isinstance(error, errors.ApprovalTimeout)

    @precondition(lambda self: not self.ended)
    @rule(hint=st.one_of(st.none(), st.floats(0, 20_000)))
    def fails_in_passing(self, hint: float | None) -> None:
        self.failures += 1
        failure = errors.RateLimited("slow", operation="users.me", status=429, retry_after=hint)
        error = self.look(failure, hint or 0.0)
        if self.failures > FAILURE_BUDGET:
            assert error is failure
        else:
            assert error is None or isinstance(error, errors.ApprovalTimeout)

    @precondition(lambda self: not self.ended)
    @rule()
    def approved(self) -> None:
        active = User(id="me", connections=[Connection(id="1", connection_accepted=True)])
        assert isinstance(self.look(active), StopIteration), "an approval is never overlooked"

    @precondition(lambda self: not self.ended)
    @rule()
    def removed(self) -> None:
        assert isinstance(self.look(User(id="me", connections=[])), errors.ConnectionRemoved)

    @precondition(lambda self: not self.ended)
    @rule(away=st.floats(0, 40_000))
    def interrupted_and_resumed(self, away: float) -> None:
        self.flow.close()
        self.wait = ApprovalWait.model_validate_json(self.wait.model_dump_json())
        self.clock.advance(away)
        # One that comes back too late still looks once.
        self.latest = max(self.latest, self.clock.monotonic())
        self.start()

    @precondition(lambda self: not self.ended)
    @rule(seconds=st.floats(0, 40_000))
    def wall_clock_jumps_forwards(self, seconds: float) -> None:
        self.clock.shift_wall(seconds)


TestWait = WaitMachine.TestCase
TestWait.settings = settings(max_examples=60, stateful_step_count=40)
