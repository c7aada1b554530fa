"""The lab's side: connection requests that others made to this account."""

from __future__ import annotations

from datetime import timedelta

from ormco_trios.communicate.approval import (
    NO_RETRY,
    TRANSIENT,
    Jitter,
    PollSchedule,
    hint_in,
    may_pass,
    random_jitter,
)
from ormco_trios.communicate.flows import connection_of, withdraw
from ormco_trios.communicate.models import Connection, ConnectionState, User
from ormco_trios.communicate.operations import ME, REMOVE
from ormco_trios.core.clock import Clock, Deadline
from ormco_trios.core.effects import Call, Emit, Flow, Pause
from ormco_trios.core.errors import InvalidRequest


def list_incoming() -> Flow[list[Connection]]:
    """The requests that wait for this account to accept them."""
    return incoming_of((yield from Call(ME)))


def incoming_of(me: User) -> list[Connection]:
    """The requests in an answer of ``users/me`` that wait for that account."""
    return [c for c in me.connections or () if waits_for(me, c)]


def waits_for(me: User, connection: Connection) -> bool:
    """Whether it is a request that this account has to accept."""
    asked = connection.remote
    return connection.state is not ConnectionState.ACTIVE and (
        asked.is_user(me.id) or asked.is_user(me.email or "")
    )


def reject(id: str) -> Flow[None]:
    """Turn down a request that waits for this account; nothing else is removed."""
    me = yield from Call(ME)
    connection = connection_of(me, id)
    if connection not in incoming_of(me):
        raise InvalidRequest(
            "No request with this id waits for this account; nothing was removed.",
            operation="connections.reject",
            status=200,
            advice="Use connections.remove(id) to end a connection or to withdraw an own request.",
        )
    yield from withdraw(REMOVE, {"user": me.id, "connection": connection.id})


def watch_incoming(
    *,
    clock: Clock,
    timeout: timedelta,
    schedule: PollSchedule,
    jitter: Jitter = random_jitter,
) -> Flow[None]:
    """Emit each waiting request once, those that wait already first; one call a round.

    The age the schedule goes by is that of the last new request: while there are some it looks
    often, and seldom when there are none.
    """
    deadline = Deadline(clock, clock.time() + timeout.total_seconds())
    seen: set[str] = set()
    last_news = clock.monotonic()
    failures = 0
    while True:
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
            waiting = {connection.id.casefold(): connection for connection in incoming_of(me)}
            for key, connection in waiting.items():
                if key not in seen:
                    last_news = clock.monotonic()
                    yield from Emit(connection)
            # What is no longer listed is forgotten, so a watch of months does not grow.
            seen = set(waiting)
        left = deadline.left()
        if left <= 0:
            return
        pause = schedule.next(clock.monotonic() - last_news, hint, jitter())
        yield from Pause(min(pause, left))
