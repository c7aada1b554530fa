"""Whom to ask next, and what the answers mean, for very many waits: pure, and in columns.

One `ApprovalWait` each would be a kilobyte and more; here a wait is a row of numbers, and an
account a row of others.  An account is asked once a round however many connections it waits for.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from ormco_trios.communicate.approval import (
    ApprovalWait,
    Jitter,
    PollSchedule,
    hint_in,
    look_up,
    may_pass,
    random_jitter,
    removed,
    timed_out,
    warn_unknown,
)
from ormco_trios.communicate.models import Connection, ConnectionState, User
from ormco_trios.core.clock import Clock
from ormco_trios.core.wheel import Wheel

K = TypeVar("K")
C = TypeVar("C")

_WAITING = ConnectionState.PENDING
_NONE = -1


@dataclass(frozen=True, slots=True)
class ApprovalOutcome(Generic[K]):
    """What became of one wait: an active connection, or an error.

    Attributes:
        key: What the caller calls this wait.
        connection: The active connection, or None.
        error: Why there is none; `ApprovalTimeout` carries how to go on.
    """

    key: K
    connection: Connection | None = None
    error: Exception | None = None

    def result(self) -> Connection:
        """The active connection; raises ``error`` if there is none."""
        if self.connection is None:
            assert self.error is not None
            raise self.error
        return self.connection


@dataclass(frozen=True, slots=True)
class WaitProgress:
    """How far many waits have come.

    Attributes:
        total: Waits in all.
        approved: Those that ended with an active connection.
        failed: Those that ended with an error.
        polls: Requests so far.
    """

    total: int
    approved: int
    failed: int
    polls: int

    @property
    def waiting(self) -> int:
        """Waits that have not ended."""
        return self.total - self.approved - self.failed


class _Host:
    __slots__ = ("busy", "ready")

    def __init__(self) -> None:
        self.ready: deque[int] = deque()
        self.busy = 0


class Rounds(Generic[K, C]):
    """An agenda of accounts to ask, for `core._lanes`.

    Args:
        waits: Who waits with which account for what; read once, nothing of it but the keys, the
            accounts and the connections' ids is kept.
        host_of: The host an account is asked at.
        per_host: Most requests in flight to one host.
    """

    def __init__(
        self,
        waits: Iterable[tuple[K, C, ApprovalWait]],
        *,
        clock: Clock,
        host_of: Callable[[C], str],
        per_host: int,
        jitter: Jitter = random_jitter,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._per_host = per_host
        self._wheel = Wheel()
        self._approved = self._failed = self._polls = self._queued = 0
        self._warned = False
        # By the identity of an outcome that is on its way to the caller.
        self._unclaimed: dict[int, tuple[K, C, int]] = {}
        # One row for each wait.
        self._keys: list[Any] = []  # of K; None once it has ended
        self._ids: list[str] = []
        self._schedules: list[PollSchedule] = []
        self._born = array("d")
        self._until = array("d")
        self._looks = array("I")
        self._unknown = bytearray()  # whether its state is
        self._next = array("i")  # the account's next wait
        # One row for each account.
        self._accounts: list[C | None] = []
        self._first = array("i")  # its first wait
        self._failures = bytearray()
        self._host = array("I")
        self._hosts: list[_Host] = []
        self._turn: deque[_Host] = deque()
        # The wall clock's lead over the monotonic one: it grows when the machine has slept.
        now = clock.monotonic()
        self._lead = clock.time() - now
        self._read(waits, now, host_of)

    def _read(
        self, waits: Iterable[tuple[K, C, ApprovalWait]], now: float, host_of: Callable[[C], str]
    ) -> None:
        accounts: dict[int, int] = {}
        hosts: dict[str, int] = {}
        schedules: dict[PollSchedule, PollSchedule] = {}
        for key, client, wait in waits:
            account = accounts.setdefault(id(client), len(self._accounts))
            if account == len(self._accounts):
                host = hosts.setdefault(host_of(client), len(self._hosts))
                if host == len(self._hosts):
                    self._hosts.append(_Host())
                self._accounts.append(client)
                self._first.append(_NONE)
                self._failures.append(0)
                self._host.append(host)
                self._wheel.put(account, now)
            age, left = wait.standing(self._clock)
            self._next.append(self._first[account])
            self._first[account] = len(self._keys)
            self._keys.append(key)
            self._ids.append(wait.connection_id)
            self._schedules.append(schedules.setdefault(wait.schedule, wait.schedule))
            self._born.append(now - age)
            self._until.append(now + left)
            self._looks.append(wait.polls)
            self._unknown.append(wait.last_state is ConnectionState.UNKNOWN)
        self._turn.extend(self._hosts)

    # --- for the lanes ----------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether every wait has ended."""
        return self._approved + self._failed == len(self._keys)

    @property
    def pressing(self) -> bool:
        """Whether somebody is due and not being asked yet."""
        return self._queued > 0

    def rest(self) -> float | None:
        """Seconds until somebody is due."""
        when = self._wheel.next()
        return None if when is None else max(0.0, when - self._clock.monotonic())

    def take(self) -> int | None:
        """The account to ask next: first come, first served, and the hosts take turns."""
        now = self._clock.monotonic()
        if (when := self._wheel.next()) is not None and when <= now:
            for account in self._wheel.due(now):
                self._hosts[self._host[account]].ready.append(account)
                self._queued += 1
        for _ in self._hosts:
            host = self._turn[0]
            self._turn.rotate(-1)
            if host.ready and host.busy < self._per_host:
                host.busy += 1
                self._queued -= 1
                return host.ready.popleft()
        return None

    def client(self, account: int) -> C:
        """Whom that number stands for."""
        client = self._accounts[account]
        assert client is not None
        return client

    def settle(self, job: int, answer: User | Exception) -> Sequence[ApprovalOutcome[K]]:
        """Note an account's answer, and when to ask it again; the waits that it ends."""
        self._hosts[self._host[job]].busy -= 1
        self._polls += 1
        now = self._clock.monotonic()
        me, hint, fatal = self._judge(job, answer)
        slept = self._clock.time() - now - self._lead
        over = now + slept if slept > 0.0 else now
        jitter = self._jitter()
        soonest = math.inf
        ended: list[ApprovalOutcome[K]] = []
        before, row = _NONE, self._first[job]
        while row != _NONE:
            following = self._next[row]
            self._looks[row] += 1
            connection = None
            state = _WAITING
            if me is not None:
                state, connection = look_up(me, self._ids[row])
                if state is ConnectionState.UNKNOWN or self._unknown[row]:
                    self._note(row, state)
            left = self._until[row] - over
            ends = state is ConnectionState.ACTIVE or state is ConnectionState.REMOVED
            if ends or left <= 0.0 or fatal is not None:
                if before == _NONE:
                    self._first[job] = following
                else:
                    self._next[before] = following
                ended.append(self._end(job, row, state, connection, fatal, now))
            else:
                pause = self._schedules[row].next(now - self._born[row], hint, jitter)
                if pause > left:
                    pause = left
                if pause < soonest:
                    soonest = pause
                before = row
            row = following
        if before != _NONE:
            self._wheel.put(job, now + soonest)
        else:
            self._accounts[job] = None
        return ended

    # --- for the caller ---------------------------------------------------------------------

    def progress(self) -> WaitProgress:
        """How far it has come."""
        return WaitProgress(len(self._keys), self._approved, self._failed, self._polls)

    def claim(self, outcome: ApprovalOutcome[K]) -> None:
        """Note that the caller has this outcome."""
        del self._unclaimed[id(outcome)]

    def remaining(self) -> Iterator[tuple[K, C, ApprovalWait]]:
        """The waits whose outcome the caller does not have, in the form in which they came."""
        for key, owner, row in self._unclaimed.values():
            yield key, owner, self._wait(row)
        for account, client in enumerate(self._accounts):
            row = self._first[account]
            while client is not None and row != _NONE:
                yield self._keys[row], client, self._wait(row)
                row = self._next[row]

    # --- inside -----------------------------------------------------------------------------

    def _judge(
        self, account: int, answer: User | Exception
    ) -> tuple[User | None, float | None, Exception | None]:
        """The answer, or the delay the failure asks for, or what ends the account's waits."""
        if isinstance(answer, User):
            self._failures[account] = 0
            return answer, None, None
        self._failures[account] += 1
        if may_pass(answer, self._failures[account]):
            return None, hint_in(answer), None
        return None, None, answer

    def _note(self, row: int, state: ConnectionState) -> None:
        self._unknown[row] = state is ConnectionState.UNKNOWN
        if state is ConnectionState.UNKNOWN and not self._warned:
            self._warned = True
            warn_unknown()

    def _end(
        self,
        job: int,
        row: int,
        state: ConnectionState,
        connection: Connection | None,
        fatal: Exception | None,
        now: float,
    ) -> ApprovalOutcome[K]:
        error: Exception | None = None
        if fatal is not None:
            error = fatal
        elif state is ConnectionState.REMOVED:
            error = removed()
        elif state is not ConnectionState.ACTIVE:
            error = timed_out(self._wait(row), now - self._born[row])
        if error is None:
            self._approved += 1
        else:
            self._failed += 1
            connection = None
        key: K = self._keys[row]
        outcome = ApprovalOutcome(key, connection, error)
        self._unclaimed[id(outcome)] = (key, self.client(job), row)
        self._keys[row] = None
        return outcome

    def _wait(self, row: int) -> ApprovalWait:
        return ApprovalWait(
            connection_id=self._ids[row],
            began=datetime.fromtimestamp(self._born[row] + self._lead, UTC),
            deadline=datetime.fromtimestamp(self._until[row] + self._lead, UTC),
            schedule=self._schedules[row],
            polls=self._looks[row],
            last_state=ConnectionState.UNKNOWN if self._unknown[row] else _WAITING,
        )
