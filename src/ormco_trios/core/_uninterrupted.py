"""What must not be cut off: a single-use token on its way, until what came for it is saved.

In an event loop it goes on in a task of its own: a caller that is cancelled is let go at once, and
closing the client waits for what has not ended.  In threads Ctrl-C is held back until it has ended;
a second one ends it.  In a pause between two attempts nothing is under way, so there both end it.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Flow
from ormco_trios.core.errors import CodeOutcomeUnknown, TokenNotSaved
from ormco_trios.core.log import logger

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Unfinished:
    """What has not ended yet of what goes over one client's connections.

    Attributes:
        lost: Tokens that could not be saved when nobody waited any more.
    """

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self.lost: list[TokenNotSaved] = []


class _Pauses(Clock):
    """A clock in whose pauses a flow can be ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.asleep = False
        self.ending: type[BaseException] | None = None
        """What ends the flow in its next pause."""

    def time(self) -> float:
        return self._clock.time()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def in_reality(self, seconds: float) -> float:
        return self._clock.in_reality(seconds)

    def sleep(self, seconds: float) -> None:
        with self._pause():
            self._clock.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        with self._pause():
            await self._clock.sleep_async(seconds)

    @contextmanager
    def _pause(self) -> Generator[None]:
        if self.ending is not None:
            raise self.ending
        self.asleep = True
        try:
            yield
        finally:
            self.asleep = False


def uninterrupted(
    run: Callable[[Flow[T], Clock], T],
    flow: Flow[T],
    clock: Clock,
    unfinished: Iterable[Unfinished],  # noqa: ARG001 - it has ended when this has
) -> T:
    """Run ``flow`` to its end; then comes the Ctrl-C that came meanwhile."""
    pauses = _Pauses(clock)
    with _ctrl_c_held_back(pauses):
        return run(flow, pauses)


async def uninterrupted_async(
    run: Callable[[Flow[T], Clock], Coroutine[Any, Any, T]],
    flow: Flow[T],
    clock: Clock,
    unfinished: Iterable[Unfinished],
) -> T:
    """Run ``flow`` to its end, also if this is cancelled."""
    import asyncio

    pauses = _Pauses(clock)
    task = asyncio.create_task(run(flow, pauses))
    owners = tuple(unfinished)
    for owner in owners:
        owner.tasks.add(task)
        task.add_done_callback(owner.tasks.discard)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        pauses.ending = asyncio.CancelledError
        if pauses.asleep:
            task.cancel()
        task.add_done_callback(partial(_tell, owners))
        raise
    if task.cancelled():
        raise CodeOutcomeUnknown("The client was closed before the answer was there.")
    return task.result()


def _tell(owners: tuple[Unfinished, ...], task: asyncio.Task[Any]) -> None:
    """Say how a task has ended that nobody waits for."""
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    logger.warning(
        "a sign-in that went on after its caller was cancelled ended with %s", type(error).__name__
    )
    if isinstance(error, TokenNotSaved):
        owners[0].lost.append(error)


def finished(unfinished: Unfinished, seconds: float) -> None:
    """Nothing: in a thread it has ended."""


async def finished_async(unfinished: Unfinished, seconds: float) -> None:
    """Wait for what has not ended, at most ``seconds``; then it is cancelled.

    Raises:
        TokenNotSaved: One could not be saved, and nobody was there to be told.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    tasks = {task for task in unfinished.tasks if task.get_loop() is loop}
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    if unfinished.lost:
        raise unfinished.lost.pop()


@contextmanager
def _ctrl_c_held_back(pauses: _Pauses) -> Generator[None]:
    before = signal.getsignal(signal.SIGINT)
    if (
        threading.current_thread() is not threading.main_thread()
        or before is None  # a handler that is not Python's
        or before is signal.SIG_IGN
    ):
        yield
        return
    pressed = 0

    def hold(*_: object) -> None:
        nonlocal pressed
        pressed += 1
        pauses.ending = KeyboardInterrupt
        if pressed > 1 or pauses.asleep:
            pressed = 0
            signal.signal(signal.SIGINT, before)
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed and not isinstance(sys.exception(), KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
