"""The limits every call runs under."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ormco_trios.core.retry import Retry
from ormco_trios.core.transport import Timeout


@dataclass(frozen=True, slots=True)
class Options:
    """Per-attempt time-outs and the retry policy, by the constructor's names."""

    timeout: Timeout = Timeout()
    retry: Retry = Retry()

    def but(self, *, timeout: Timeout | None = None, retry: Retry | None = None) -> Options:
        """The same with what is given replaced."""
        return replace(self, timeout=timeout or self.timeout, retry=retry or self.retry)
