"""What callers call: no secret stays behind in a traceback, and nothing that works is pickled.

Crash reporters, and `traceback.TracebackException(capture_locals=True)`, print the local variables
of every frame of a traceback.  A method that is given a password has it in such a variable, and so
have the layers below it.  So every public method of a `Shielded` class empties the frames below
the caller's before an exception leaves the library; their files, lines and names stay.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from types import FunctionType, TracebackType
from typing import Any, NoReturn, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_EMPTIED = frozenset(
    (
        "ormco_trios httpx httpcore h11 h2 httpx_aiohttp aiohttp anyio pydantic tenacity keyring"
    ).split()
)
"""The packages whose frames are emptied; a callback's frames are the caller's own."""


_WRAPPERS: tuple[Any, ...] = (classmethod, staticmethod)


def empty_frames(error: BaseException) -> None:
    """Drop the local variables of the library's finished frames, of ``error`` and its causes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        here = waiting.pop()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        waiting += [here.__cause__, here.__context__]
        if isinstance(here, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", here).exceptions
        _empty(here.__traceback__)


def _empty(trace: TracebackType | None) -> None:
    while trace is not None:
        frame = trace.tb_frame
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _EMPTIED:
            # One that still runs cannot be emptied: that is left to the shield above it.
            with contextlib.suppress(RuntimeError):
                frame.clear()
        trace = trace.tb_next


def shielded(function: F) -> F:
    """``function``, which may be a coroutine function, leaving nothing behind when it fails."""
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except BaseException as error:
                del args, kwargs
                empty_frames(error)
                raise

        shield: Any = call_async
    else:

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                del args, kwargs
                empty_frames(error)
                raise

        shield = call
    if function.__name__ == "__init__":
        # Containers for dependency injection read it here and do not look below.
        shield.__signature__ = inspect.signature(function)
    shield.__shielded__ = True
    return cast(F, shield)


class Shielded:
    """The base of what callers hold: clients, their namespaces, onboarding."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        members: dict[str, Any] = dict(vars(cls))
        for name, member in members.items():
            if name.startswith("_") and name != "__init__":
                continue
            wrapper = next((kind for kind in _WRAPPERS if isinstance(member, kind)), None)
            if wrapper is not None:
                if not hasattr(member.__func__, "__shielded__"):
                    setattr(cls, name, wrapper(shielded(member.__func__)))
            elif isinstance(member, FunctionType) and not hasattr(member, "__shielded__"):
                setattr(cls, name, shielded(member))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError(
            f"{type(self).__name__} cannot be copied or pickled: it holds connections and secrets. "
            "Make a new one from the same settings where you need it."
        )
