"""The timer wheel: nothing early, nothing missed, nobody starved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ormco_trios.core.wheel import TICK, Wheel


class WheelMachine(RuleBasedStateMachine):
    """A wheel beside a dictionary of moments."""

    def __init__(self) -> None:
        super().__init__()
        self.wheel = Wheel()
        self.model: dict[int, float] = {}
        self.now = 0.0
        self.made = 0

    @rule(after=st.floats(-5, 5000), several=st.integers(1, 4))
    def put(self, after: float, several: int) -> None:
        for _ in range(several):
            self.made += 1
            self.model[self.made] = self.now + after
            self.wheel.put(self.made, self.now + after)

    @rule(seconds=st.floats(0, 700))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.take()

    @precondition(lambda self: self.model)
    @rule()
    def sleep_until_next(self) -> None:
        when = self.wheel.next()
        assert when is not None
        self.now = max(self.now, when)
        assert self.take(), "it said that something would be due"

    def take(self) -> list[int]:
        taken = list(self.wheel.due(self.now))
        for item in taken:
            assert self.model.pop(item) <= self.now, "early"
        assert all(when > self.now - TICK for when in self.model.values()), "missed"
        return taken

    @invariant()
    def it_knows_how_many_there_are(self) -> None:
        assert len(self.wheel) == len(self.model)

    def teardown(self) -> None:
        self.now += 10_000
        self.take()
        assert self.model == {}, "starved"


TestWheel = WheelMachine.TestCase


@given(st.lists(st.floats(0, 1000)))
def test_earlier_ticks_come_first(moments: list[float]) -> None:
    wheel = Wheel()
    for item, when in enumerate(moments):
        wheel.put(item, when)
    taken = list(wheel.due(2000))
    assert sorted(taken) == list(range(len(moments)))
    ticks = [-(-moments[item] // 1) for item in taken]
    assert ticks == sorted(ticks)
