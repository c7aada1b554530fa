"""Waiting for the lab's approval: up to 24 hours, with few requests.

One answer of ``users/me`` holds every connection of an account, so a round costs one request
however many connections wait.  `PollSchedule` says when, `ApprovalWait` is all there is to
remember, and `await_approval` is the flow over both.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal, Protocol, TypeAlias, TypeGuard, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ormco_trios.communicate.models import Connection, ConnectionState, User
from ormco_trios.communicate.operations import ME
from ormco_trios.communicate.regions import DAY
from ormco_trios.core.clock import Clock, Deadline
from ormco_trios.core.effects import Call, Emit, Flow, Pause
from ormco_trios.core.errors import (
    ApiError,
    ApprovalTimeout,
    CodeOutcomeUnknown,
    ConnectionRemoved,
    OrmcoTriosError,
    RateLimited,
    ServerError,
    TransportError,
    UnexpectedAnswer,
)
from ormco_trios.core.log import logger
from ormco_trios.core.retry import Retry

R = TypeVar("R", covariant=True)

JITTER = 0.1
"""Largest deviation from the planned interval, as a fraction: spreads a fleet's polls."""

FAILURE_BUDGET = 12
"""Rounds in a row that may fail in passing before the wait gives up; a wait outlives an outage."""

Jitter: TypeAlias = Callable[[], float]


def random_jitter() -> float:
    """A number between -1 and 1."""
    return 2.0 * random.random() - 1.0  # noqa: S311 - spreads load, guards nothing


class PollSchedule(BaseModel):
    """When to look again, as a function of how long one has waited already.

    The default grows with the square root of the age: nobody knows how approval times are
    distributed, and this stays near the theoretical bound for very different ones.  It asks at
    most 76 times in 24 hours and notices an approval after 2 to 6 % of the wait.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["sqrt", "fixed", "exponential"] = "sqrt"
    scale: Annotated[float, Field(gt=0)] = 8.0
    floor: Annotated[float, Field(gt=0)] = 30.0
    ceiling: Annotated[float, Field(gt=0)] = 24 * 3600.0

    @classmethod
    def sqrt(cls, scale: float = 8.0, *, floor: float = 30.0) -> PollSchedule:
        """``scale * sqrt(age)`` seconds, at least ``floor``."""
        return cls(kind="sqrt", scale=scale, floor=floor)

    @classmethod
    def fixed(cls, seconds: float) -> PollSchedule:
        """Every ``seconds``."""
        return cls(kind="fixed", floor=seconds)

    @classmethod
    def exponential(
        cls, initial: float = 30.0, *, factor: float = 2.0, ceiling: float = 900.0
    ) -> PollSchedule:
        """Intervals that grow by ``factor`` from ``initial`` up to ``ceiling`` seconds."""
        return cls(kind="exponential", scale=factor - 1.0, floor=initial, ceiling=ceiling)

    def next(self, age: float, hint: float | None = None, jitter: float = 0.0) -> float:
        """Seconds until the next poll.

        Args:
            age: Seconds waited so far.
            hint: Seconds the service asked to wait in its last answer; never undercut.
            jitter: Between -1 and 1; moves the interval by at most 10 %.
        """
        # It runs once for each look of a fleet: comparisons cost less than min() and max().
        if self.kind == "sqrt":
            planned = self.scale * math.sqrt(age) if age > 0.0 else 0.0
        elif self.kind == "fixed":
            planned = self.floor
        else:
            # After n polls the age is initial * (factor^n - 1) / (factor - 1), so the next
            # interval, initial * factor^n, follows from the age alone.
            planned = self.floor + self.scale * age
        if planned > self.ceiling:
            planned = self.ceiling
        if planned < self.floor:
            planned = self.floor
        if jitter > 1.0:
            jitter = 1.0
        elif jitter < -1.0:
            jitter = -1.0
        jitter *= JITTER
        planned *= 1.0 + jitter
        if hint is None:
            return planned
        # A hint is not undercut: many clients that were told the same spread out after it.
        return max(planned, hint * (1.0 + abs(jitter)))


class ResumesWaits(Protocol[R]):
    """The part of a client that can go on with a wait."""

    @property
    def connections(self) -> _Resumer[R]: ...


class _Resumer(Protocol[R]):
    def resume(self, wait: ApprovalWait) -> R: ...


class ApprovalWait(BaseModel):
    """A wait for one approval, as far as it has come: serialises with ``model_dump_json()``.

    Get one from ``connections.begin_wait(...)`` or from `ApprovalTimeout`.  It is kept up to date
    while it is waited for, so after Ctrl-C or a cancelled task it says how to go on.

    Attributes:
        connection_id: The connection that is waited for.
        began: When waiting began; the schedule goes on from this age after a restart.
        deadline: When to give up, by the wall clock.
        polls: Rounds so far.
        last_state: What the last round saw.
    """

    model_config = ConfigDict(validate_assignment=True, defer_build=True)

    connection_id: str
    began: AwareDatetime
    deadline: AwareDatetime
    schedule: PollSchedule = Field(default_factory=PollSchedule)
    polls: int = 0
    last_state: ConnectionState = ConnectionState.PENDING

    def age_and_left(self, clock: Clock) -> tuple[float, float]:
        """Seconds waited so far, and seconds left; the latter is not positive once it is over.

        A wall clock that was set back since makes a wait younger, but not longer than it was.
        """
        now = clock.time()
        whole = (self.deadline - self.began).total_seconds()
        return (
            max(0.0, now - self.began.timestamp()),
            min(whole, self.deadline.timestamp() - now),
        )

    def resume(self, client: ResumesWaits[R]) -> R:
        """Go on waiting with ``client``, with the same schedule and deadline.

        With an asynchronous client the result is to be awaited.
        """
        return client.connections.resume(self)

    def extended(self, timeout: timedelta) -> ApprovalWait:
        """The same wait with a deadline that much later."""
        return self.model_copy(update={"deadline": self.deadline + timeout})


class ApprovalUpdate(BaseModel):
    """What one round of a wait saw."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    connection: Connection | None = None
    state: ConnectionState
    waited: timedelta
    polls: int
    next_in: timedelta | None = None
    """Until the next round; None when this was the last."""


def begin_wait(
    connection_id: str,
    *,
    clock: Clock,
    timeout: timedelta = DAY,
    schedule: PollSchedule | None = None,
) -> ApprovalWait:
    """A wait that begins now."""
    now = clock.now()
    return ApprovalWait(
        connection_id=connection_id,
        began=now,
        deadline=now + timeout,
        schedule=schedule or PollSchedule(),
    )


def await_approval(
    wait: ApprovalWait, *, clock: Clock, jitter: Jitter = random_jitter
) -> Flow[Connection]:
    """Look until the connection is active; emits an `ApprovalUpdate` each round.

    ``wait`` is kept up to date, so its holder can go on after an interruption.

    Raises:
        ApprovalTimeout: The deadline passed; ``error.wait`` is ``wait``.
        ConnectionRemoved: The request is no longer listed.
    """
    age_then, left_then = wait.age_and_left(clock)
    deadline = Deadline(clock, clock.time() + left_then)
    failures = 0
    warned = False
    while True:
        connection: Connection | None = None
        hint: float | None = None
        try:
            me = yield from Call(ME, retry=NO_RETRY)
        except TRANSIENT as error:
            failures += 1
            if not may_pass(error, failures):
                raise
            hint = hint_in(error)
        else:
            failures = 0
            wait.last_state, connection = look_up(me, wait.connection_id)
        wait.polls += 1
        age = age_then + deadline.passed()
        left = deadline.left()
        ended = wait.last_state in ENDED or left <= 0
        pause = None if ended else min(wait.schedule.next(age, hint, jitter()), left)
        yield from Emit(
            ApprovalUpdate(
                connection=connection,
                state=wait.last_state,
                waited=timedelta(seconds=age),
                polls=wait.polls,
                next_in=None if pause is None else timedelta(seconds=pause),
            )
        )
        if connection is not None and wait.last_state is ConnectionState.ACTIVE:
            return connection
        if wait.last_state is ConnectionState.REMOVED:
            raise removed()
        if pause is None:
            raise ApprovalTimeout(
                f"The lab had not approved the connection after {describe(age)} and "
                f"{wait.polls} looks.",
                wait=wait,
            )
        if wait.last_state is ConnectionState.UNKNOWN and not warned:
            warned = True
            logger.warning("a connection is in a state this version does not know; waiting on")
        yield from Pause(pause)


NO_RETRY = Retry.never()
"""For a round's request: the next round is its retry."""

TRANSIENT = (TransportError, ServerError, RateLimited, UnexpectedAnswer)
"""Failures that may pass: outages, limits, and the page a proxy shows during maintenance."""


def may_pass(error: Exception, failures: int) -> TypeGuard[OrmcoTriosError]:
    """Whether to go on after a round that failed, the ``failures``-th of them in a row.

    `CodeOutcomeUnknown` is transient by its class, but no round may repeat it: a refresh token
    that may be spent would be sent again.
    """
    return (
        isinstance(error, TRANSIENT)
        and not isinstance(error, CodeOutcomeUnknown)
        and failures <= FAILURE_BUDGET
    )


ENDED = frozenset({ConnectionState.ACTIVE, ConnectionState.REMOVED})


def look_up(me: User, connection_id: str) -> tuple[ConnectionState, Connection | None]:
    """The state of the connection in an answer of ``users/me``.

    An answer without the list at all says nothing about it; one without the connection, that it is
    gone.
    """
    for connection in me.connections or ():
        # Mostly they are the same, which is quicker to see.
        if connection.id == connection_id or connection.id.casefold() == connection_id.casefold():
            return connection.state, connection
    if "connections" not in me.model_fields_set:
        return ConnectionState.UNKNOWN, None
    return ConnectionState.REMOVED, None


def hint_in(error: OrmcoTriosError) -> float | None:
    """Seconds the service asked to wait, if it did."""
    return error.retry_after if isinstance(error, ApiError) else None


def removed() -> ConnectionRemoved:
    """The error for a request that is no longer listed."""
    return ConnectionRemoved(
        "The connection request is no longer listed: it was rejected by the lab, or withdrawn."
    )


def describe(seconds: float) -> str:
    """A duration for people: ``45 s``, ``12 min``, ``5.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
