# Generated from async_closing.py by tools/mirror.py; edit that file.
"""What is used in a ``with`` block and closed at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Closing(Protocol):
    """Closes itself at the end of a ``with`` block."""

    def close(self) -> None:
        """Give back what it holds."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
