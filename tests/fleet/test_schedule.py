"""What is due when: nothing early, nothing forgotten, also if another process writes records."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.errors import (
    CodeOutcomeUnknown,
    ConnectionRemoved,
    NotDelivered,
    RateLimited,
    ServerError,
)
from ormco_trios.fleet import FleetRecords, FleetStatus, PracticeStatus, Stage
from ormco_trios.fleet.schedule import INTERVAL, TICK, FleetSchedule

pytestmark = pytest.mark.usefixtures("sqlite_is_closed")

EXACT = 1e-5
"""Seconds; a moment in the records is kept in microseconds."""

PEOPLE = st.sampled_from([f"p{n}" for n in range(6)])


class Schedule(RuleBasedStateMachine):
    """One run and one other process, over one file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "fleet.db")
        self.clock = ManualClock()
        self.records = FleetRecords(path)
        self.elsewhere = FleetRecords(path)
        self.ids = [f"p{n}" for n in range(6)]
        self.records.enroll(self.ids, self.clock.now())
        self.schedule = FleetSchedule(self.records, self.ids, self.clock)
        self.taken: set[str] = set()
        self.due = dict.fromkeys(self.ids, self.clock.monotonic())

    @rule()
    def take(self) -> None:
        # As the workers do: first it is looked whether others have written anything.
        assert not self.schedule.is_finished() or not (self.due or self.taken)
        practice = self.schedule.take()
        now = self.clock.monotonic()
        if practice is None:
            assert all(due + TICK > now for due in self.due.values()), "starved"
        else:
            assert practice not in self.taken, "looked at twice at once"
            assert self.due.pop(practice) <= now, "early"
            self.taken.add(practice)

    @rule(after=st.one_of(st.none(), st.floats(0, 500)))
    def settle(self, after: float | None) -> None:
        if self.taken:
            practice = min(self.taken)
            self.taken.remove(practice)
            due = None if after is None else self.clock.now() + timedelta(seconds=after)
            before = self.records.load(practice)
            status = replace(before, stage=Stage.WAITING, due=due)
            assert self.records.save(status)
            self.schedule.settle(status)
            if after is not None:
                self.due[practice] = self.clock.monotonic() + after - EXACT

    @rule(seconds=st.floats(0, 300))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def rest(self) -> None:
        self.clock.advance(self.schedule.rest())

    @rule(seconds=st.floats(-3600, 0))
    def the_wall_clock_is_set_back(self, seconds: float) -> None:
        self.schedule.is_finished()  # what is written by now is due by the clock of now
        self.clock.shift_wall(seconds)

    @rule(who=PEOPLE, later=st.sampled_from([0.0, 60.0]))
    def another_process_changes_when_it_is_due(self, who: str, later: float) -> None:
        if who not in self.taken:
            moment = self.clock.now() + timedelta(seconds=later)
            self.elsewhere.change(who, lambda it: it.due_at(moment))
            self.due[who] = self.clock.monotonic() + later - EXACT
            self.clock.advance(TICK)  # by then it is noticed

    @invariant()
    def it_rests_only_as_long_as_nothing_is_due(self) -> None:
        assert 0 <= self.schedule.rest() <= INTERVAL

    def teardown(self) -> None:
        self.records.close()
        self.elsewhere.close()
        self.folder.cleanup()


Schedule.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestSchedule = Schedule.TestCase


@settings(max_examples=25)
@given(moments=st.lists(st.integers(0, 1000), max_size=50))
def test_the_practice_that_is_due_first_is_first(moments: list[int]) -> None:
    clock = ManualClock()
    with tempfile.TemporaryDirectory() as folder, FleetRecords(Path(folder, "f.db")) as records:
        ids = [f"p{n}" for n in range(len(moments))]
        records.enroll(ids, clock.now())
        for practice, after in zip(ids, moments, strict=True):
            due = clock.now() + timedelta(seconds=after + 0.5)
            records.save(records.load(practice).due_at(due))
        schedule = FleetSchedule(records, ids, clock)
        clock.advance(2000)
        taken = [schedule.take() for _ in ids]
        assert schedule.take() is None
    assert sorted(map(str, taken)) == sorted(ids)
    order = [moments[ids.index(str(practice))] for practice in taken]
    assert order == sorted(order)


def test_a_moment_that_no_longer_counts_is_not_waited_for(tmp_path: Path) -> None:
    clock = ManualClock()
    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(["p"], clock.now() + timedelta(hours=1))
        schedule = FleetSchedule(records, ["p"], clock)
        schedule.settle(records.load("p").due_at(clock.now()))
        assert schedule.take() == "p"
        schedule.settle(replace(records.load("p"), due=None))
        assert schedule.rest() <= INTERVAL
        assert schedule.is_finished()


# --- what an authorization costs a run -----------------------------------------------------------


def steps_of_one_change(folder: Path, practices: int) -> int:
    """Steps of SQLite's machine when one practice of so many has answered."""
    clock = ManualClock()
    with FleetRecords(folder / f"{practices}.db") as records:
        ids = [f"p{n:05}" for n in range(practices)]
        records.enroll(ids, clock.now())
        schedule = FleetSchedule(records, ids, clock)
        while schedule.take():
            pass
        for practice in ids:
            status = replace(
                records.load(practice), stage=Stage.WAITING, due=clock.now() + timedelta(hours=1)
            )
            records.save(status)
            schedule.settle(status)
        schedule.is_finished()
        with FleetRecords(records.path) as elsewhere:
            elsewhere.change(ids[practices // 2], lambda it: it.due_at(clock.now()))
        clock.advance(TICK)
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        records._database.set_progress_handler(step, 1)
        assert not schedule.is_finished()
        records._database.set_progress_handler(None, 1)
        with mock.patch.object(records, "announced", wraps=records.announced) as read:
            assert schedule.take() == ids[practices // 2]
            assert schedule.take() is None
            assert not schedule.is_finished()
        assert not read.called, "what was read is not read again"
    return steps


def test_one_authorization_is_no_more_work_in_a_large_fleet(tmp_path: Path) -> None:
    few, many = steps_of_one_change(tmp_path, 20), steps_of_one_change(tmp_path, 2000)
    assert 0 < many <= few + 10


def test_a_run_asks_once_a_tick_while_nobody_writes(tmp_path: Path) -> None:
    clock = ManualClock()
    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(["p"], clock.now())
        schedule = FleetSchedule(records, ["p"], clock)
        statements: list[str] = []
        records._database.set_trace_callback(statements.append)
        for _ in range(3):
            for _ in range(10):
                assert not schedule.is_finished()
            clock.advance(TICK)
        records._database.set_trace_callback(None)
    assert statements == ["pragma data_version"] * 3


def test_what_this_process_changes_is_noticed_at_once(tmp_path: Path) -> None:
    clock = ManualClock()
    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(["p"], clock.now() + timedelta(hours=1))
        schedule = FleetSchedule(records, ["p"], clock)
        assert not schedule.is_finished()
        assert schedule.take() is None
        records.change("p", lambda it: it.due_at(clock.now()))
        assert not schedule.is_finished()
        assert schedule.take() == "p"


def test_a_run_does_not_end_before_it_has_asked(tmp_path: Path) -> None:
    clock = ManualClock()
    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(["p"], clock.now())
        schedule = FleetSchedule(records, ["p"], clock)
        assert schedule.take() == "p"
        assert not schedule.is_finished()
        with FleetRecords(records.path) as elsewhere:
            elsewhere.change("p", lambda it: it.due_at(clock.now()))
        schedule.settle(replace(records.load("p"), due=None))
        assert not schedule.is_finished()
        assert schedule.take() == "p"


def test_a_waiting_practice_takes_little_memory(tmp_path: Path) -> None:
    """Beyond what the caller keeps: at most a KiB, and it is a quarter of that."""
    n = 2000
    clock = ManualClock()
    ids = [f"p{n:05}" for n in range(n)]
    with FleetRecords(tmp_path / "fleet.db") as records:
        records.enroll(ids, clock.now() + timedelta(hours=1))
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        schedule = FleetSchedule(records, dict.fromkeys(ids), clock)
        gc.collect()
        used, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert not schedule.is_finished()
    assert used - before <= 300 * n
    assert peak - before <= 1024 * n


CLOCK = ManualClock()
NOW = CLOCK.now()


@pytest.mark.parametrize(
    ("failure", "stage", "due"),
    [
        (NotDelivered("down"), Stage.UNREACHABLE, 30),
        (ServerError("x", operation="o", status=503), Stage.UNREACHABLE, 30),
        (RateLimited("x", operation="o", status=429, retry_after=600), Stage.UNREACHABLE, 600),
        (CodeOutcomeUnknown("x"), Stage.UNREACHABLE, 30),
        (ConnectionRemoved("gone"), Stage.FAILED, None),
        (ValueError("anna@clinic.example"), Stage.FAILED, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_failure_means_for_the_next_round(
    failure: Exception, stage: Stage, due: float | None
) -> None:
    before = PracticeStatus.enrolled("p", NOW)
    after = before.after(failure, now=NOW, schedule=PollSchedule(), jitter=lambda: 0.0)
    assert after.stage is stage
    assert after.due == (None if due is None else NOW + timedelta(seconds=due))
    assert "anna" not in str(after.problem)


def test_an_outage_is_looked_at_ever_more_rarely() -> None:
    each: PracticeStatus = PracticeStatus.enrolled("p", NOW)
    now, looks = NOW, 0
    while now < NOW + timedelta(days=1):
        each = each.after(
            NotDelivered("down"), now=now, schedule=PollSchedule(), jitter=lambda: 0.0
        )
        assert each.since == NOW
        assert each.due is not None
        now, looks = each.due, looks + 1
    assert looks < 80


def test_an_empty_fleet_has_a_status() -> None:
    status = FleetStatus.of([], now=NOW)
    assert status.done
    assert FleetStatus.model_validate_json(status.model_dump_json()) == status
    for form in (str(status), status.to_html(), repr(status)):
        assert "0" in form
