"""The only module that knows tenacity: it says how long a pause is, and never sleeps.

A `Schedule` is made when a first attempt has failed, so a call that succeeds pays nothing, and it
belongs to one call, so nothing is shared between tasks.
"""

from __future__ import annotations

import sys

try:
    from tenacity import RetryCallState, Retrying, wait_exponential, wait_random
except BaseException:
    # Interrupted in the middle, it would find its own parts later, and never be whole.
    for _name in [name for name in sys.modules if name.partition(".")[0] == "tenacity"]:
        del sys.modules[_name]
    raise

from ormco_trios.core.errors import ApiError, OrmcoTriosError
from ormco_trios.core.retry import Retry


class Schedule:
    """The pauses between the attempts of one call; how many there are is the caller's to count."""

    def __init__(self, policy: Retry) -> None:
        self._backoff = wait_exponential(policy.initial, policy.maximum) + wait_random(
            0, policy.initial
        )
        self._state = RetryCallState(Retrying(), None, (), {})

    def pause_after(self, failure: OrmcoTriosError) -> float:
        """Seconds until the next attempt: what the service asks for, or ever longer ones."""
        asked = failure.retry_after if isinstance(failure, ApiError) else None
        pause = self._backoff(self._state) if asked is None else asked
        self._state.prepare_for_next_attempt()
        return pause
