"""Many small questions to a database, asked together."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

_MOST = 500


class Grouped(Generic[Q, A]):
    """Asks what many tasks want to know in one go.

    One group is under way at a time; what is asked meanwhile makes the next.  So a question that
    is alone waits for nothing, and under load a group holds as many as there are tasks.

    Args:
        ask: Answers a group, in the order of the questions.
    """

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, question: Q) -> A:
        """The answer; raises what asking for the group raised."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return await answer

    async def _ask_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            try:
                answers = await self._ask([question for question, _ in group])
            except BaseException as error:
                for _, answer in group:
                    if not answer.done():
                        answer.set_exception(copy.copy(error))  # raised in several tasks
                if not isinstance(error, Exception):
                    raise
            else:
                for (_, answer), value in zip(group, answers, strict=True):
                    if not answer.done():
                        answer.set_result(value)
