# Generated from async_round.py by tools/mirror.py; edit that file.
"""One round of one practice: the same for a fleet on one machine and for a queue."""

from __future__ import annotations

from collections.abc import Callable

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.core.clock import Clock
from ormco_trios.core.connections import HttpConnections
from ormco_trios.core.errors import TakenOver, TaskOver
from ormco_trios.fleet._metrics import count_round
from ormco_trios.fleet.practice_status import PracticeStatus
from ormco_trios.onboarding.onboarding import Onboarding
from ormco_trios.onboarding.outcomes import NeedsPerson, Outcome
from ormco_trios.ormcodigital.tasks import Address, TaskAnswer

SCHEDULE = PollSchedule()
"""When to look again at what a person has to do, or at what could not be reached."""


def do_round(
    status: PracticeStatus,
    open_practice: Callable[[], Onboarding],
    *,
    connections: HttpConnections,
    clock: Clock,
) -> PracticeStatus:
    """Do what can be done for a practice now; a failure is a status, not an error.

    Raises:
        TakenOver: Another worker has it meanwhile; nothing is to be kept of this round.
    """
    answer: Outcome | Exception
    try:
        onboarding = _opened(status, open_practice, connections)
        answer = onboarding.advance()
    except TakenOver:
        raise
    except Exception as error:  # noqa: BLE001 - one practice's failure stops no other
        answer = error
    after = status.after(answer, now=clock.now(), schedule=SCHEDULE)
    count_round(after.stage)
    return after


def take_answer(
    status: PracticeStatus,
    answer: TaskAnswer,
    open_practice: Callable[[], Onboarding],
    *,
    id: str | None,
) -> NeedsPerson | None:
    """Use what a person came back with, at once; ``status.progress`` knows of it afterwards.

    Returns:
        The second task, if the portal's part is done by hand: it has the code in it.
    """
    connections = HttpConnections("httpx")
    try:
        onboarding = _opened(status, open_practice, connections)
        if status.progress.pending is None:
            onboarding.finish_task(answer, id=id)
        elif isinstance(answer, Address):
            onboarding.finish_authorization(answer.text, account_shown=answer.account_shown)
        else:
            raise TaskOver("This practice has a link to open, and is asked for its address.")
        if not isinstance(answer, Address) or status.progress.task is None:
            return None
        # The code is in this object and nowhere else.
        outcome = onboarding.advance()
        return outcome if isinstance(outcome, NeedsPerson) else None
    finally:
        connections.close()


def _opened(
    status: PracticeStatus,
    open_practice: Callable[[], Onboarding],
    connections: HttpConnections,
) -> Onboarding:
    """The practice, as far as it has come, over these connections."""
    onboarding = open_practice()
    onboarding.progress = status.progress
    onboarding.http_connections = connections
    return onboarding
