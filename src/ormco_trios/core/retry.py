"""Which failures may be repeated: a table over what the failure proves."""

from __future__ import annotations

from dataclasses import dataclass

from ormco_trios.core.errors import (
    AnswerTooLarge,
    NotDelivered,
    OrmcoTriosError,
    OutcomeUnknown,
    RateLimited,
    ServerError,
)
from ormco_trios.core.operation import Safety

_REPEATABLE = frozenset({Safety.READ, Safety.IDEMPOTENT})
_TRANSIENT = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently one call is repeated.

    Attributes:
        attempts: Requests in all, at least 1; 1 turns retrying off.
        initial: Seconds before the second attempt; doubles from there, with jitter.
        maximum: Longest pause of our own choice, in seconds.
        retry_after_cap: A ``Retry-After`` longer than this many seconds is not waited for: the
            error is raised at once and carries the delay.
    """

    attempts: int = 4
    initial: float = 0.5
    maximum: float = 8.0
    retry_after_cap: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")
        if min(self.initial, self.maximum, self.retry_after_cap) < 0:
            raise ValueError("pauses must not be negative")

    @classmethod
    def never(cls) -> Retry:
        """One attempt, no more."""
        return cls(attempts=1)

    def allows(self, safety: Safety, failure: OrmcoTriosError) -> bool:
        """Whether a request of this safety may be sent again after this failure.

        What was never delivered was not carried out, and neither was what the service answered
        with 429: those are repeated whatever they hold.
        """
        if isinstance(failure, NotDelivered):
            return True
        if isinstance(failure, RateLimited):
            return (failure.retry_after or 0.0) <= self.retry_after_cap
        if isinstance(failure, OutcomeUnknown):
            return safety in _REPEATABLE and not isinstance(failure, AnswerTooLarge)
        if isinstance(failure, ServerError):
            return (
                safety in _REPEATABLE
                and failure.status in _TRANSIENT
                and (failure.retry_after or 0.0) <= self.retry_after_cap
            )
        return False
