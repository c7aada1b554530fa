"""The one logger, and silence for the loggers below us, which would print whole URLs."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

logger = logging.getLogger("ormco_trios")
logger.addHandler(logging.NullHandler())

in_our_call: ContextVar[bool] = ContextVar("ormco_trios_in_our_call", default=False)
"""True while a request of ours is under way in this thread or task."""


class _OnlyForeign(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not in_our_call.get()


@contextmanager
def quietly() -> Generator[None]:
    """Keep the silenced loggers silent for a request that is ours but takes another way."""
    before = in_our_call.set(True)
    try:
        yield
    finally:
        in_our_call.reset(before)


def silence(*names: str) -> None:
    """Drop records of these loggers while a request of ours is under way; others' still pass."""
    for name in names:
        logging.getLogger(name).addFilter(_OnlyForeign())
