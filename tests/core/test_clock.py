"""The clocks, and the deadline over them."""

from __future__ import annotations

import asyncio
import random

import pytest

from ormco_trios.core.clock import Clock, Deadline, HurriedClock, ManualClock, ScaledClock


def test_sleeping_moves_a_manual_clock() -> None:
    clock = ManualClock()
    before = clock.time()
    clock.sleep(86_400)
    assert (clock.time() - before, clock.monotonic()) == (86_400, 86_400)
    with pytest.raises(ValueError, match="only advances"):
        clock.advance(-1)


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


@pytest.mark.parametrize("clock", [HurriedClock(1e6), ScaledClock(1e6)])
def test_fast_clocks_wait_less(clock: Clock) -> None:
    before = clock.time(), clock.monotonic()
    clock.sleep(3600)
    asyncio.run(clock.sleep_async(3600))
    assert clock.time() - before[0] >= 7200
    assert clock.monotonic() - before[1] >= 7200


def test_two_processes_agree_on_a_scaled_clock() -> None:
    one = ScaledClock(3600)
    two = ScaledClock(3600, start=one.start, origin=one.origin)
    assert one.time() == pytest.approx(two.time(), abs=3600)


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
    deadline = Deadline(clock, clock.time() + 100)
    clock.shift_wall(-1000)
    clock.advance(60)
    assert deadline.left() == 40
    clock.shift_wall(2000)
    assert deadline.left() < 0
