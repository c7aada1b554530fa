# Generated from async_many.py by tools/mirror.py; edit that file.
"""Waiting for many approvals at once, with many accounts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from ormco_trios.communicate.approval import NO_RETRY, ApprovalWait
from ormco_trios.communicate.models import User
from ormco_trios.communicate.operations import ME
from ormco_trios.communicate.rounds import ApprovalOutcome, Rounds, WaitProgress
from ormco_trios.core._acompat import Closing
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call
from ormco_trios.core.environment import Service
from ormco_trios.core.runner import Runner
from ormco_trios.core.transport import HttpLibrary

if TYPE_CHECKING:
    from ormco_trios.communicate.client import CommunicateClient
    from ormco_trios.core._lanes import Lane

K = TypeVar("K")


class Approvals(Closing, Generic[K]):
    """The outcomes of many waits, as they come; ``CommunicateClient.wait_for_many`` makes it.

    Ends when every wait has an outcome.  Leaving the ``with`` block, or a cancelled task, stops all
    of it at once; what had not ended is in `remaining`, which can be waited for again.
    """

    def __init__(
        self,
        waits: Iterable[tuple[K, CommunicateClient, ApprovalWait]],
        *,
        in_flight: int,
        per_host: int,
        transport: HttpLibrary,
        on_progress: Callable[[WaitProgress], None] | None,
    ) -> None:
        # Here, since it needs asyncio, which takes longer to import than all of this library.
        from ormco_trios.core._lanes import work_through

        waits = iter(waits)
        first = list(itertools.islice(waits, 1))
        clock = first[0][1].channel.clock if first else Clock()
        self._rounds: Rounds[K, CommunicateClient] = Rounds(
            itertools.chain(first, waits), clock=clock, host_of=_host_of, per_host=per_host
        )
        self._on_progress = on_progress
        self._outcomes = work_through(
            self._rounds, self._ask, clock=clock, lanes=in_flight, library=transport
        )

    @property
    def progress(self) -> WaitProgress:
        """How far it has come."""
        return self._rounds.progress()

    def remaining(self) -> list[tuple[K, CommunicateClient, ApprovalWait]]:
        """The waits without an outcome: give them to ``wait_for_many``, now or after a restart.

        Each `ApprovalWait` serialises to JSON and goes on by its age, not from its beginning.
        """
        return list(self._rounds.remaining())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ApprovalOutcome[K]:
        outcome = next(self._outcomes)
        self._rounds.claim(outcome)
        if self._on_progress is not None:
            self._on_progress(self.progress)
        return outcome

    def close(self) -> None:
        """Stop; nothing is left running."""
        self._outcomes.close()

    def _ask(self, account: int, lane: Lane) -> User:
        channel = self._rounds.client(account).channel
        runner = Runner(dict.fromkeys(Service, channel), channel.clock, lane)
        return runner.run(Call(ME, retry=NO_RETRY))


def _host_of(client: CommunicateClient) -> str:
    return client.environment.communicate
