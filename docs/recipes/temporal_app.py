"""Temporal: an activity does one round, the workflow waits for its time or for a signal."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from practices import Round, do_round


@activity.defn
def advance(id: str) -> Round:
    """One round.  An activity that was cut off is done again: it looks first."""
    return do_round(id)


@workflow.defn
class Connect:
    """Rounds until it is connected or a person has to decide.  Start it with the practice's id."""

    def __init__(self) -> None:
        self._awake = False

    @workflow.signal
    def wake(self) -> None:
        """Go on at once; send it after `practices.authorized`."""
        self._awake = True

    @workflow.run
    async def run(self, id: str) -> str:
        """What there is to decide; empty when it is connected."""
        for _ in range(500):
            # Longer than the requests of a round and their repetitions take.
            result = await workflow.execute_activity(
                advance, id, start_to_close_timeout=timedelta(minutes=10)
            )
            if result.again_in is None:
                return result.problem
            self._awake = False
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._awake, timeout=timedelta(seconds=result.again_in)
                )
        return workflow.continue_as_new(id)
