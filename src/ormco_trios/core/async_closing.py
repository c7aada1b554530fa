"""What is used in a ``with`` block and closed at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class AsyncClosing(Protocol):
    """Closes itself at the end of a ``with`` block."""

    async def aclose(self) -> None:
        """Give back what it holds."""
        ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
