"""What differs between the two colours beyond ``async`` and ``await``."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

Ask = Callable[[Any], object]
"""Shows a prompt to a person and returns what they paste."""

AsyncAsk = Callable[[Any], Awaitable[object]]
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
    """Call a function that takes its time, in a thread."""
    # Here, since threads do without it.
    import asyncio

    await asyncio.to_thread(function, *arguments)
