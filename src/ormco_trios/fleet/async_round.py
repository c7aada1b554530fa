"""One round of one practice: the same for a fleet on one machine and for a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.errors import TakenOver
from ormco_trios.fleet._metrics import count_round
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
from ormco_trios.onboarding.outcomes import Outcome

SCHEDULE = PollSchedule()
"""When to look again at what a person has to do, or at what could not be reached."""


async def do_round_async(
    status: PracticeStatus,
    open_practice: Callable[[], Awaitable[AsyncOnboarding]],
    *,
    connections: AsyncHttpConnections,
    clock: Clock,
) -> PracticeStatus:
    """Do what can be done for a practice now; a failure is where it stands, not an error.

    Raises:
        TakenOver: Another worker has it meanwhile; nothing is to be kept of this round.
    """
    answer: Outcome | Exception
    try:
        onboarding = await _opened(status, open_practice, connections)
        answer = await onboarding.advance()
    except TakenOver:
        raise
    except Exception as error:  # noqa: BLE001 - one practice's failure stops no other
        answer = error
    after = status.after(answer, now=clock.now(), schedule=SCHEDULE)
    count_round(after.stage)
    return after


async def take_authorization_async(
    status: PracticeStatus, pasted: str, open_practice: Callable[[], Awaitable[AsyncOnboarding]]
) -> None:
    """Use what a practice came back with, at once; ``status.progress`` knows of it afterwards."""
    connections = AsyncHttpConnections("httpx")
    try:
        onboarding = await _opened(status, open_practice, connections)
        await onboarding.finish_authorization(pasted)
    finally:
        await connections.aclose()


async def _opened(
    status: PracticeStatus,
    open_practice: Callable[[], Awaitable[AsyncOnboarding]],
    connections: AsyncHttpConnections,
) -> AsyncOnboarding:
    """The practice, as far as it has come, over these connections."""
    onboarding = await open_practice()
    onboarding.progress = status.progress
    onboarding.http_connections = connections
    return onboarding
