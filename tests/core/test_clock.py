"""The clocks, and the deadline over them."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ormco_trios.core import clock as clocks
from ormco_trios.core.clock import Clock, Deadline, HurriedClock, ManualClock, ScaledClock


def test_sleeping_moves_a_manual_clock() -> None:
    clock = ManualClock()
    before = clock.time()
    for seconds in (86_399.75, 0.25, 0.0, -5.0):
        clock.sleep(seconds)
    assert (clock.time() - before, clock.monotonic()) == (86_400, 86_400)
    with pytest.raises(ValueError, match="only advances"):
        clock.advance(-1)


def test_it_advances_to_a_moment() -> None:
    clock = ManualClock()
    before = clock.monotonic()
    moment = clock.now() + timedelta(hours=3)
    clock.advance_to(moment)
    assert clock.now() == moment
    assert clock.monotonic() - before == 3 * 3600


def test_a_thousand_sleepers_wake_in_order_and_at_their_moment() -> None:
    clock = ManualClock()
    woken: list[tuple[float, float]] = []

    async def sleeper(seconds: float) -> None:
        await clock.sleep_async(seconds)
        woken.append((clock.monotonic(), seconds))

    async def main() -> None:
        lengths = [random.Random(7).uniform(0, 86_400) for _ in range(300)]
        await asyncio.gather(*map(sleeper, lengths))

    asyncio.run(main())
    assert [now for now, _ in woken] == sorted(now for now, _ in woken)
    assert all(now == pytest.approx(wanted) for now, wanted in woken)


def test_sleepers_of_one_moment_wake_in_the_order_they_went_to_sleep() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep_async(seconds)
        woken.append((name, clock.monotonic()))

    async def main() -> None:
        await asyncio.gather(
            sleeper("a", 5), sleeper("b", 5), sleeper("c", 0.25), sleeper("d", -1), sleeper("e", 5)
        )

    asyncio.run(main())
    assert woken == [("d", 0.0), ("c", 0.25), ("a", 5.0), ("b", 5.0), ("e", 5.0)]


def test_a_cancelled_sleeper_leaves_nothing_behind() -> None:
    clock = ManualClock()

    async def main() -> None:
        long = asyncio.create_task(clock.sleep_async(1000))
        await asyncio.sleep(0)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        await clock.sleep_async(5)

    asyncio.run(main())
    assert clock.monotonic() == 5


class Machine:
    """The machine's own time, standing still: what the clocks read, and how long they slept."""

    def __init__(self) -> None:
        self.wall, self.up = 1_000_000.0, 500.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.up

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wall += seconds
        self.up += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clocks, "_time", machine)
    monkeypatch.setattr(clocks, "_sleep", machine.sleep_async)
    return machine


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("kind", "speed"), [(Clock, 1), (HurriedClock, 64), (HurriedClock, math.inf), (ScaledClock, 64)]
)
def test_what_a_sleep_takes(
    machine: Machine, kind: Callable[..., Clock], speed: float, asynchronous: bool
) -> None:
    clock = kind() if speed == 1 else kind(speed)
    for wanted, passes in ((3200.0, 3200.0), (0.5, 0.5), (0.0, 0.0), (-5.0, 0.0)):
        before = clock.time(), clock.monotonic()
        if asynchronous:
            asyncio.run(clock.sleep_async(wanted))
        else:
            clock.sleep(wanted)
        assert machine.slept.pop() == passes / speed
        assert (clock.time() - before[0], clock.monotonic() - before[1]) == (passes, passes)


def test_what_happens_while_nobody_sleeps(machine: Machine) -> None:
    plain, hurried, scaled = Clock(), HurriedClock(64), ScaledClock(64)
    before = [(clock.time(), clock.monotonic()) for clock in (plain, hurried, scaled)]
    assert [wall for wall, _ in before] == [1_000_000.0] * 3
    machine.sleep(2.0)
    after = [(clock.time(), clock.monotonic()) for clock in (plain, hurried, scaled)]
    passed = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, after, strict=True)]
    assert passed == [(2.0, 2.0), (2.0, 2.0), (128.0, 128.0)]
    assert plain.now() == datetime.fromtimestamp(1_000_002.0, UTC)


def test_two_processes_agree_on_a_scaled_clock(machine: Machine) -> None:
    one = ScaledClock(3600, start=7.0)
    machine.sleep(2.0)
    two = ScaledClock(3600, start=one.start, origin=one.origin)
    assert one.time() == two.time() == 7.0 + 2 * 3600


@pytest.mark.parametrize(
    ("kind", "speed"), [(HurriedClock, 0.99), (ScaledClock, 0), (ScaledClock, -1)]
)
def test_a_clock_does_not_stand_still_or_go_back(
    kind: Callable[[float], Clock], speed: float
) -> None:
    assert (HurriedClock(1).speed, ScaledClock(0.5).scale) == (1, 0.5)
    with pytest.raises(ValueError, match="must be"):
        kind(speed)


@pytest.mark.parametrize("length", [0.1, 1 / 3, 86_400.1, 1e6 + 1e-7])
def test_sleeping_for_what_is_left_ends(length: float) -> None:
    clock = ManualClock(1_767_225_600.123456)
    deadline = Deadline(clock, clock.time() + length)
    for _ in range(5):
        if (left := deadline.left()) <= 0:
            return
        clock.advance(left)
    pytest.fail("the deadline never comes")


def test_a_deadline_notices_a_sleeping_laptop_and_ignores_a_clock_set_back() -> None:
    clock = ManualClock()
    clock.advance(500)
    deadline = Deadline(clock, clock.time() + 100)
    clock.shift_wall(-1000)
    clock.advance(60)
    assert (deadline.left(), deadline.passed()) == (40, 60)
    clock.shift_wall(2000)
    assert deadline.left() < 0


@pytest.mark.parametrize(("moment", "left"), [(0.001, 0.001), (0.0009, 0.0), (0, 0), (-2, -2)])
def test_what_a_wall_clock_cannot_show_is_nothing(moment: float, left: float) -> None:
    assert Deadline(ManualClock(0.0), moment).left() == left
