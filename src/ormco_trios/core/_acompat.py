"""What differs between the sync and the async modules beyond ``async`` and ``await``.

Each name has a sync and an async form here; `tools/mirror.py` turns one into the other.  asyncio is
imported where it is used: it takes 8 ms, and a program without an event loop does not need it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Ask = Callable[[Any], object]
"""Shows a prompt to a person and returns what they paste."""

AsyncAsk = Callable[[Any], Awaitable[object]]
"""As `Ask`, awaitable."""


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


def call_local(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a plain function."""
    return function(*arguments)


async def call_local_async(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a plain function, or await a coroutine function."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    return function(*arguments)


def call_blocking(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that takes its time."""
    return function(*arguments)


async def call_blocking_async(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that takes its time, in a thread; a cancelled task waits for its end.

    So nothing that it uses, such as a file, is taken away under it.
    """
    import asyncio

    running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            # A task group of anyio cancels again and again.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise


def call_apart(function: Callable[[], T]) -> T:
    """Call a function that has to come to its end."""
    return function()


async def call_apart_async(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Await a function in a task of its own, which goes on if this is cancelled.

    A task group of anyio, as web frameworks use it, cancels again and again until its tasks have
    ended: after a cancel, whatever is awaited without this is not done.
    """
    import asyncio

    return await asyncio.shield(kept(asyncio.create_task(function())))


_KEPT: set[asyncio.Task[Any]] = set()


def kept(task: asyncio.Task[T]) -> asyncio.Task[T]:
    """A task that nobody else may hold until its end; an event loop does not."""
    _KEPT.add(task)
    task.add_done_callback(_KEPT.discard)
    return task


def run_together(first: Callable[[], Any], *others: Callable[[], Any]) -> list[Any]:
    """Call all of them at once: the first in this thread, since some things belong to one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(others) or 1) as pool:
        beside = [pool.submit(other) for other in others]
        return [first(), *(each.result() for each in beside)]


async def run_together_async(
    first: Callable[[], Awaitable[Any]], *others: Callable[[], Awaitable[Any]]
) -> list[Any]:
    """Await all of them at once; if one fails, the others are finished first."""
    import asyncio

    results = await asyncio.gather(*(each() for each in (first, *others)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
