# Generated from async_round.py by tools/mirror.py; edit that file.
"""One round of one practice: the same for a fleet on one machine and for a queue."""

from __future__ import annotations

from collections.abc import Callable

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.core._lanes import Lane
from ormco_trios.core.clock import Clock
from ormco_trios.fleet._metrics import count_round
from ormco_trios.fleet.standing import Standing
from ormco_trios.onboarding.onboarding import Onboarding
from ormco_trios.onboarding.outcomes import Outcome

SCHEDULE = PollSchedule()
"""When to look again at what a person has to do, or at what could not be reached."""


def do_round(
    standing: Standing,
    open_practice: Callable[[], Onboarding],
    *,
    lane: Lane,
    clock: Clock,
) -> Standing:
    """Do what can be done for a practice now; a failure is where it stands, not an error."""
    answer: Outcome | Exception
    try:
        onboarding = _opened(standing, open_practice, lane)
        answer = onboarding.advance()
    except Exception as error:  # noqa: BLE001 - one practice's failure stops no other
        answer = error
    after = standing.after(answer, now=clock.now(), schedule=SCHEDULE)
    count_round(after.stage)
    return after


def take_authorization(
    standing: Standing, pasted: str, open_practice: Callable[[], Onboarding]
) -> None:
    """Use what a practice came back with, at once; ``standing.progress`` knows of it afterwards."""
    lane = Lane("httpx")
    try:
        onboarding = _opened(standing, open_practice, lane)
        onboarding.finish_authorization(pasted)
    finally:
        lane.close()


def _opened(standing: Standing, open_practice: Callable[[], Onboarding], lane: Lane) -> Onboarding:
    """The practice, as far as it has come, over the lane's connections."""
    onboarding = open_practice()
    onboarding.progress = standing.progress
    onboarding.lane = lane
    return onboarding
