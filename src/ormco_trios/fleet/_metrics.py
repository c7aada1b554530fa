"""How many rounds a fleet has done, for OpenTelemetry if its API is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ormco_trios.fleet.practice_status import Stage


@functools.cache
def counter() -> Callable[[str], None]:
    """What counts a round; one for the process."""
    try:
        from opentelemetry import metrics
    except ImportError:
        return lambda _: None

    rounds = metrics.get_meter("ormco_trios").create_counter(
        "ormco_trios.fleet.rounds",
        unit="{round}",
        description="Rounds of onboarding, by the stage that each ended in",
    )
    return lambda stage: rounds.add(1, {"stage": stage})


def count_round(stage: Stage) -> None:
    """Count one round, and where it led; never whose it was."""
    counter()(stage.value)
