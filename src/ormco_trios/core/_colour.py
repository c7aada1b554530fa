"""What differs between the two colours beyond ``async`` and ``await``."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

Ask = Callable[[Any], str]
"""Shows a prompt to a person and returns what they paste."""

AsyncAsk = Callable[[Any], Awaitable[str]]
"""As `Ask`, awaitable."""


def call_local(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a plain function."""
    return function(*arguments)


async def call_local_async(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a plain function, or await a coroutine function."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    return function(*arguments)


def call_blocking(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Call a function that takes its time."""
    function(*arguments)


async def call_blocking_async(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Call a function that takes its time, in a thread; a cancelled task waits for its end.

    So nothing that it uses, such as a file, is taken away under it.
    """
    # Here, since threads do without it.
    import asyncio

    running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise
