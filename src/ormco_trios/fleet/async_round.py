"""One round of one practice: the same for a fleet on one machine and for a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.core._lanes import AsyncLane
from ormco_trios.core.clock import Clock
from ormco_trios.fleet._metrics import count_round
from ormco_trios.fleet.standing import Standing
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
from ormco_trios.onboarding.outcomes import Outcome

SCHEDULE = PollSchedule()
"""When to look again at what a person has to do, or at what could not be reached."""


async def do_round_async(
    standing: Standing,
    open_practice: Callable[[], Awaitable[AsyncOnboarding]],
    *,
    lane: AsyncLane,
    clock: Clock,
) -> Standing:
    """Do what can be done for a practice now; a failure is where it stands, not an error."""
    answer: Outcome | Exception
    try:
        onboarding = await _opened(standing, open_practice, lane)
        answer = await onboarding.advance()
    except Exception as error:  # noqa: BLE001 - one practice's failure stops no other
        answer = error
    after = standing.after(answer, now=clock.now(), schedule=SCHEDULE)
    count_round(after.stage)
    return after


async def take_authorization_async(
    standing: Standing, pasted: str, open_practice: Callable[[], Awaitable[AsyncOnboarding]]
) -> None:
    """Use what a practice came back with, at once; ``standing.progress`` knows of it afterwards."""
    lane = AsyncLane("httpx")
    try:
        onboarding = await _opened(standing, open_practice, lane)
        await onboarding.finish_authorization(pasted)
    finally:
        await lane.aclose()


async def _opened(
    standing: Standing, open_practice: Callable[[], Awaitable[AsyncOnboarding]], lane: AsyncLane
) -> AsyncOnboarding:
    """The practice, as far as it has come, over the lane's connections."""
    onboarding = await open_practice()
    onboarding.progress = standing.progress
    onboarding.lane = lane
    return onboarding
