"""The only module that knows tenacity: it decides how often and how long, and never sleeps.

A `Schedule` is made when a first attempt has failed, so a call that succeeds pays nothing, and it
belongs to one call, so nothing is shared between tasks.
"""

from __future__ import annotations

from typing import cast

from tenacity import (
    DoSleep,
    RetryCallState,
    Retrying,
    retry_always,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ormco_trios.core.errors import ApiError, OrmcoTriosError
from ormco_trios.core.retry import Retry


class Schedule:
    """The pauses between the attempts of one call."""

    def __init__(self, policy: Retry) -> None:
        backoff = wait_exponential(policy.initial, policy.maximum) + wait_random(0, policy.initial)

        def pause(state: RetryCallState) -> float:
            outcome = state.outcome
            failure = outcome.exception() if outcome is not None else None
            hint = failure.retry_after if isinstance(failure, ApiError) else None
            return backoff(state) if hint is None else hint

        self._retrying = Retrying(
            stop=stop_after_attempt(policy.attempts),
            wait=pause,
            retry=retry_always,
            retry_error_callback=lambda _: None,
        )
        self._retrying.begin()
        self._state = RetryCallState(self._retrying, None, (), {})

    def pause_after(self, failure: OrmcoTriosError) -> float | None:
        """Seconds until the next attempt, or None when there is none left."""
        self._state.set_exception((type(failure), failure, None))
        step = self._retrying.iter(self._state)
        if step is None:
            return None
        self._state.prepare_for_next_attempt()
        return float(cast(DoSleep, step))
