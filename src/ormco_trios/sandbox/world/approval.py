"""When Ormco's lab accepts a connection request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Approval:
    """A policy, evaluated against World time whenever the World is looked at.

    Use the constructors below, not the fields.
    """

    kind: Literal["immediately", "after_polls", "after", "held", "removed_after"]
    polls: int = 0
    seconds: float = 0.0

    @classmethod
    def immediately(cls) -> Approval:
        """Accepted with the request."""
        return cls("immediately")

    @classmethod
    def after_polls(cls, n: int) -> Approval:
        """The first ``n`` answers of users/me still show it waiting, the next one active."""
        if n < 0:
            raise ValueError("n must not be negative")
        return cls("after_polls", polls=n)

    @classmethod
    def after(cls, seconds: float) -> Approval:
        """Accepted ``seconds`` of World time after the request."""
        return cls("after", seconds=_positive(seconds))

    @classmethod
    def held(cls) -> Approval:
        """Never accepted, until a test or the lab's own account does it."""
        return cls("held")

    @classmethod
    def removed_after(cls, seconds: float) -> Approval:
        """The row disappears ``seconds`` of World time after the request, never accepted."""
        return cls("removed_after", seconds=_positive(seconds))


def _positive(seconds: float) -> float:
    if not 0 <= seconds < math.inf:
        raise ValueError("seconds must not be negative, and not boundless")
    return seconds
