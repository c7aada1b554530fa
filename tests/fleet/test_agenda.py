"""What is due when: nobody early, nobody forgotten, whoever else writes the records meanwhile."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
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
from ormco_trios.core.wheel import TICK
from ormco_trios.fleet import FleetRecords, FleetStatus, Stage, Standing
from ormco_trios.fleet.agenda import GLANCE, FleetAgenda

EXACT = 1e-5
"""Seconds; a moment in the records is kept in microseconds."""

PEOPLE = st.sampled_from([f"p{n}" for n in range(6)])


class Agenda(RuleBasedStateMachine):
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
        self.agenda = FleetAgenda(self.records, self.ids, self.clock)
        self.taken: set[str] = set()
        self.due = dict.fromkeys(self.ids, self.clock.monotonic())
        self.unread: dict[str, float] = {}

    @rule()
    def take(self) -> None:
        job = self.agenda.take()
        now = self.clock.monotonic()
        for who, due in self.unread.items():
            self.due[who] = min(due, self.due.get(who, math.inf))
        self.unread.clear()
        if job is None:
            # In whole ticks: never early, and at most one late.
            assert all(due + TICK > now for due in self.due.values())
        else:
            assert self.due.pop(job) <= now
            self.taken.add(job)

    @rule(after=st.one_of(st.none(), st.floats(0, 500)))
    def settle(self, after: float | None) -> None:
        if self.taken:
            job = min(self.taken)
            self.taken.remove(job)
            due = None if after is None else self.clock.now() + timedelta(seconds=after)
            before = self.records.load(job)
            standing = replace(before, stage=Stage.WAITING, due=due)
            assert self.records.save(standing)
            assert list(self.agenda.settle(job, standing)) == [standing]
            if after is not None:
                self.due[job] = self.clock.monotonic() + after - EXACT

    @rule(seconds=st.floats(0, 300))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.floats(-3600, 0))
    def the_wall_clock_is_set_back(self, seconds: float) -> None:
        self.clock.shift_wall(seconds)
        for who in self.unread:
            self.unread[who] -= seconds

    @rule(who=PEOPLE)
    def somebody_else_makes_it_due(self, who: str) -> None:
        if who not in self.taken:
            self.elsewhere.change(who, lambda it: it.due_at(self.clock.now()))
            self.unread[who] = self.clock.monotonic()

    @invariant()
    def it_rests_only_as_long_as_nothing_is_due(self) -> None:
        rest = self.agenda.rest()
        assert rest is not None
        assert 0 <= rest <= GLANCE

    @invariant()
    def it_ends_when_nothing_is_left(self) -> None:
        if self.agenda.finished:
            assert not self.taken

    def teardown(self) -> None:
        self.records.close()
        self.elsewhere.close()
        self.folder.cleanup()


Agenda.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestAgenda = Agenda.TestCase


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
    before = Standing.enrolled("p", NOW)
    after = before.after(failure, now=NOW, schedule=PollSchedule(), jitter=lambda: 0.0)
    assert after.stage is stage
    assert after.due == (None if due is None else NOW + timedelta(seconds=due))
    assert "anna" not in str(after.problem)


def test_an_outage_is_looked_at_ever_more_rarely() -> None:
    standing: Standing = Standing.enrolled("p", NOW)
    now, looks = NOW, 0
    while now < NOW + timedelta(days=1):
        standing = standing.after(
            NotDelivered("down"), now=now, schedule=PollSchedule(), jitter=lambda: 0.0
        )
        assert standing.since == NOW
        assert standing.due is not None
        now, looks = standing.due, looks + 1
    assert looks < 80


def test_an_empty_fleet_has_a_status() -> None:
    status = FleetStatus.of([], now=NOW)
    assert status.done
    assert FleetStatus.model_validate_json(status.model_dump_json()) == status
    for form in (str(status), status.to_html(), repr(status)):
        assert "0" in form


def test_an_odd_answer(tmp_path: Path) -> None:
    """When the records cannot be written, going on would do everything again and again."""
    records = FleetRecords(tmp_path / "fleet.db")
    records.enroll(["p"], NOW)
    agenda = FleetAgenda(records, ["p"], CLOCK)
    job: Any = agenda.take()
    with pytest.raises(OSError, match="full"):
        list(agenda.settle(job, OSError("disk full")))
