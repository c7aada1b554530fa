"""Waiting for many approvals: outcomes as they come, within bounds, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.practices import HOUR

from ormco_trios import (
    ApprovalWait,
    AsyncCommunicateClient,
    CommunicateClient,
    ConnectionState,
    Environment,
    PollSchedule,
    errors,
)
from ormco_trios.communicate.approval import FAILURE_BUDGET, begin_wait
from ormco_trios.communicate.models import Connection, User
from ormco_trios.communicate.rounds import Rounds
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.core.transport import Answer, Request
from ormco_trios.core.wheel import TICK

# --- a service of one's own: what each token sees -------------------------------------------------


class Accounts:
    """A gateway to accounts whose connections become active when they should."""

    def __init__(self, approvals: dict[str, dict[str, float]]) -> None:
        self.clock = ManualClock()
        self.approvals = approvals
        self.calls: Counter[str] = Counter()
        self.failing: dict[str, Any] = {}
        self.in_flight = self.most_in_flight = 0
        self.environment = Environment.sandbox(
            "https://sandbox.example", gateway=self, clock=self.clock
        )

    def open(self) -> Any:
        return Plain(self)

    def open_async(self) -> Any:
        return Suspending(self)

    def answer(self, request: Request) -> Answer:
        account = dict(request.headers)["Authorization"].removeprefix("Bearer ")
        self.calls[account] += 1
        failing = self.failing.get(account)
        if failing is not None and failing[1] > 0:
            self.failing[account] = (failing[0], failing[1] - 1)
            if isinstance(failing[0], Answer):
                return failing[0]
            raise failing[0]
        now = self.clock.monotonic()
        listed = [
            Connection(id=id, connection_accepted=at <= now)
            for id, at in self.approvals[account].items()
        ]
        return Answer(
            200, {}, User(id=account, connections=listed).model_dump_json(by_alias=True).encode()
        )


class Plain:
    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts

    def send(self, request: Request) -> Answer:
        return self.accounts.answer(request)

    def close(self) -> None:
        pass


class Suspending:
    """Lets other tasks run, so that several requests are in flight at once."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts

    async def send(self, request: Request) -> Answer:
        self.accounts.in_flight += 1
        self.accounts.most_in_flight = max(self.accounts.most_in_flight, self.accounts.in_flight)
        try:
            await asyncio.sleep(0)
            return self.accounts.answer(request)
        finally:
            self.accounts.in_flight -= 1

    async def aclose(self) -> None:
        pass


def begin(both: Any, accounts: Accounts, timeout: timedelta = 24 * HOUR) -> list[Any]:
    """A wait for each connection of each account, named account/connection."""
    waits = []
    for account, connections in accounts.approvals.items():
        client = both.communicate(environment=accounts.environment, token=account)
        for id in connections:
            wait = client.connections.begin_wait(id, timeout=timeout)
            waits.append((f"{account}/{id}", getattr(client, "_target", client), wait))
    return waits


def wait_for_many(both: Any, waits: Any, **options: Any) -> Any:
    kind = AsyncCommunicateClient if both.is_async else CommunicateClient
    return both.run(kind.wait_for_many, waits, **options)


def test_outcomes_come_as_they_happen_and_a_failure_stops_nobody(both: Any) -> None:
    accounts = Accounts({f"p{i}": {"c": 3600.0 * i} for i in range(1, 5)})
    accounts.approvals["gone"] = {"c": math.inf}
    accounts.approvals["late"] = {"c": math.inf}
    accounts.failing["refused"] = (Answer(403, {}, b""), 1)
    accounts.approvals["refused"] = {"c": 0.0}
    waits = begin(both, accounts, timeout=10 * HOUR)
    del accounts.approvals["gone"]["c"]
    progress: list[Any] = []
    outcomes = list(wait_for_many(both, waits, on_progress=progress.append))
    by_key = {outcome.key: outcome for outcome in outcomes}
    assert len(by_key) == len(outcomes) == 7
    approved = [o.key for o in outcomes if o.connection is not None]
    assert approved == ["p1/c", "p2/c", "p3/c", "p4/c"]
    assert isinstance(by_key["gone/c"].error, errors.ConnectionRemoved)
    assert isinstance(by_key["refused/c"].error, errors.PermissionDenied)
    assert isinstance(by_key["late/c"].error, errors.ApprovalTimeout)
    with pytest.raises(errors.ApprovalTimeout):
        by_key["late/c"].result()
    assert by_key["p1/c"].result().state is ConnectionState.ACTIVE
    assert 10 * 3600 <= accounts.clock.monotonic() <= 10 * 3600 + 2 * TICK
    waiting = [p.waiting for p in progress]
    assert len(waiting) == 7
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[-1] == 0
    assert (progress[-1].approved, progress[-1].failed) == (4, 3)
    assert progress[-1].polls == sum(accounts.calls.values())


def test_one_call_a_round_however_many_connections(both: Any) -> None:
    accounts = Accounts({"p": {f"c{i}": 6 * 3600.0 for i in range(50)}})
    outcomes = list(wait_for_many(both, begin(both, accounts)))
    assert len(outcomes) == 50
    assert accounts.calls["p"] < 45


def test_a_day_of_waiting_is_few_requests(both: Any) -> None:
    accounts = Accounts({"p": {"c": math.inf}})
    (outcome,) = wait_for_many(both, begin(both, accounts))
    assert isinstance(outcome.error, errors.ApprovalTimeout)
    assert 60 <= accounts.calls["p"] <= 80


def test_failures_in_passing_have_a_budget_of_their_own(both: Any) -> None:
    accounts = Accounts({name: {"c": 7200.0} for name in ("short", "long")})
    accounts.failing["short"] = (errors.OutcomeUnknown("reset"), FAILURE_BUDGET)
    accounts.failing["long"] = (Answer(503, {"retry-after": "60"}, b""), FAILURE_BUDGET + 1)
    outcomes = {o.key: o for o in wait_for_many(both, begin(both, accounts))}
    assert outcomes["short/c"].connection is not None
    assert isinstance(outcomes["long/c"].error, errors.ServerError)
    assert accounts.calls["long"] == FAILURE_BUDGET + 1, "no call is repeated within a round"


def test_what_is_left_can_be_waited_for_again_by_its_age(both: Any) -> None:
    accounts = Accounts({f"p{i}": {"c": 3600.0 * i} for i in range(1, 5)})
    outcomes = wait_for_many(both, begin(both, accounts))
    with outcomes:
        assert next(iter(outcomes)).key == "p1/c"
    left = outcomes.remaining()
    assert sorted(key for key, _, _ in left) == ["p2/c", "p3/c", "p4/c"]
    calls = sum(accounts.calls.values())
    saved = [
        (key, client, ApprovalWait.model_validate_json(wait.model_dump_json()))
        for key, client, wait in left
    ]
    rest = list(wait_for_many(both, saved))
    assert [o.key for o in rest] == ["p2/c", "p3/c", "p4/c"]
    assert sum(accounts.calls.values()) - calls < 60, "they do not begin at the floor again"


def test_nobody_to_wait_for(both: Any) -> None:
    assert list(wait_for_many(both, [])) == []


def test_aiohttp_is_asynchronous() -> None:
    with pytest.raises(errors.ConfigurationError, match="asynchronous"):
        list(CommunicateClient.wait_for_many([], transport="aiohttp"))


# --- asynchronous only ----------------------------------------------------------------------------


def async_waits(accounts: Accounts) -> list[tuple[str, AsyncCommunicateClient, ApprovalWait]]:
    waits = []
    for account in accounts.approvals:
        client = AsyncCommunicateClient(accounts.environment, token=account)
        waits.append((account, client, client.connections.begin_wait("c")))
    return waits


@pytest.mark.anyio
@pytest.mark.parametrize(("in_flight", "per_host", "most"), [(7, 32, 7), (32, 5, 5), (1, 1, 1)])
async def test_requests_in_flight_are_bounded(in_flight: int, per_host: int, most: int) -> None:
    accounts = Accounts({f"p{i}": {"c": 0.0} for i in range(200)})
    outcomes = AsyncCommunicateClient.wait_for_many(
        async_waits(accounts), in_flight=in_flight, per_host=per_host
    )
    assert len([o async for o in outcomes]) == 200
    assert accounts.most_in_flight == most


@pytest.mark.anyio
async def test_cancellation_leaves_nothing_behind() -> None:
    accounts = Accounts({f"p{i}": {"c": 0.0 if i < 5 else math.inf} for i in range(50)})
    outcomes = AsyncCommunicateClient.wait_for_many(async_waits(accounts))
    before = asyncio.all_tasks()
    seen = []

    async def consume() -> None:
        async with outcomes:
            async for outcome in outcomes:
                seen.append(outcome.key)
                if len(seen) == 2:
                    # The others are known by now, but nobody has taken them yet.
                    await asyncio.Event().wait()

    consumer = asyncio.create_task(consume())
    for _ in range(100):
        await asyncio.sleep(0)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert asyncio.all_tasks() == before
    assert accounts.in_flight == 0
    left = {key for key, _, _ in outcomes.remaining()}
    assert left == set(accounts.approvals) - set(seen)


@pytest.mark.anyio
async def test_a_callback_that_fails_ends_it() -> None:
    accounts = Accounts({f"p{i}": {"c": 0.0} for i in range(5)})

    def broken(_: object) -> None:
        raise ZeroDivisionError

    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        async with AsyncCommunicateClient.wait_for_many(
            async_waits(accounts), on_progress=broken
        ) as outcomes:
            await anext(outcomes)
    assert asyncio.all_tasks() == before


@pytest.mark.socket
@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_lanes_keep_their_connections_and_send_no_cookies(transport: Any) -> None:
    """Over real sockets: at most a connection a lane, and plain requests without a body."""
    body = User(id="p", connections=[Connection(id="c", connection_accepted=True)])
    payload = body.model_dump_json(by_alias=True).encode()
    connections = 0
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                requests.append((await reader.readuntil(b"\r\n\r\n")).lower())
                writer.write(
                    b"HTTP/1.1 200 OK\r\nSet-Cookie: who=other; Path=/\r\n"
                    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(payload), payload)
                )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    environment = Environment.sandbox(f"http://{host}:{port}")
    clients = [AsyncCommunicateClient(environment, token=f"t{i}") for i in range(60)]
    outcomes = AsyncCommunicateClient.wait_for_many(
        ((i, client, client.connections.begin_wait("c")) for i, client in enumerate(clients)),
        in_flight=4,
        transport=transport,
    )
    assert sum([outcome.connection is not None async for outcome in outcomes]) == 60
    server.close()
    await server.wait_closed()
    assert connections <= 4
    assert len(requests) == len(set(requests)) == 60, "each with its own token"
    assert not [r for r in requests if b"cookie" in r or b"transfer-encoding" in r]


# --- the agenda, as a state machine ---------------------------------------------------------------


class RoundsMachine(RuleBasedStateMachine):
    """Any order of asking, answering, failing, approving and jumping wall clocks."""

    @initialize(
        accounts=st.lists(
            st.lists(st.tuples(st.floats(0, 86_400), st.floats(1, 86_400)), min_size=1, max_size=3),
            min_size=1,
            max_size=6,
        ),
        per_host=st.integers(1, 4),
    )
    def begin(self, accounts: list[list[tuple[float, float]]], per_host: int) -> None:
        self.clock = ManualClock()
        self.per_host = per_host
        self.deadlines: dict[tuple[int, int], float] = {}
        self.busy: list[int] = []
        self.earliest: dict[int, float] = {}
        self.latest: dict[int, float] = {}
        self.ages: dict[tuple[int, int], float] = {}
        self.active: set[tuple[int, int]] = set()
        self.gone: set[tuple[int, int]] = set()
        self.ended: set[tuple[int, int]] = set()
        self.slept = False
        self.rounds: Rounds[tuple[int, int], str] = Rounds(
            self.waits(accounts),
            clock=self.clock,
            host_of=lambda client: client[-1],
            per_host=per_host,
            jitter=lambda: 0.0,
        )

    def waits(
        self, accounts: list[list[tuple[float, float]]]
    ) -> Iterator[tuple[tuple[int, int], str, ApprovalWait]]:
        for account, waits in enumerate(accounts):
            client = f"client {account} at host {account % 2}"
            for number, (age, left) in enumerate(waits):
                wait = begin_wait(f"C{number}", clock=self.clock)
                now = wait.began
                self.deadlines[account, number] = left
                self.ages[account, number] = age
                yield (
                    (account, number),
                    client,
                    wait.model_copy(
                        update={
                            "began": now - timedelta(seconds=age),
                            "deadline": now + timedelta(seconds=left),
                        }
                    ),
                )

    @rule()
    def take(self) -> None:
        job = self.rounds.take()
        if job is None:
            per_host = Counter(job % 2 for job in self.busy)
            due = {
                account
                for account, number in self.deadlines.keys() - self.ended
                if account not in self.busy
                and self.latest.get(account, 0.0) <= self.clock.monotonic()
                and per_host[account % 2] < self.per_host
            }
            assert due == set(), "starved"
            return
        assert job not in self.busy, "asked twice at once"
        assert self.clock.monotonic() >= self.earliest.get(job, 0.0), "early"
        self.busy.append(job)
        assert max(Counter(job % 2 for job in self.busy).values()) <= self.per_host

    def settle(self, index: int, answer: User | OrmcoTriosError, hint: float = 0.0) -> None:
        job = self.busy.pop(index % len(self.busy))
        now = self.clock.monotonic()
        mine = {key for key in self.deadlines if key[0] == job and key not in self.ended}
        for outcome in self.rounds.settle(job, answer):
            self.rounds.claim(outcome)
            assert outcome.key in mine, "ended twice"
            self.ended.add(outcome.key)
            late = now >= self.deadlines[outcome.key] - 1e-3
            match outcome.error:
                case None:
                    assert outcome.key in self.active
                case errors.ConnectionRemoved():
                    assert outcome.key in self.gone
                case errors.ApprovalTimeout(wait=wait):
                    assert late or self.slept
                    assert wait.connection_id == f"C{outcome.key[1]}"
                case error:
                    assert error is answer
        left = mine - self.ended
        if isinstance(answer, User):
            assert not left & (self.active | self.gone), "an answer was overlooked"
        assert all(self.deadlines[key] > now - 1e-3 for key in left), "a deadline was missed"
        if left:
            pause = min(
                min(PollSchedule().next(now + self.ages[key], hint), self.deadlines[key] - now)
                for key in left
            )
            # A wall clock that jumped forwards brings a deadline nearer.
            self.earliest[job] = now if self.slept else now + pause - 1e-3
            self.latest[job] = now + pause + TICK + 1e-3

    @precondition(lambda self: self.busy)
    @rule(index=st.integers(0, 9))
    def answer(self, index: int) -> None:
        job = self.busy[index % len(self.busy)]
        listed = [
            Connection(id=f"c{number}", connection_accepted=(account, number) in self.active)
            for account, number in self.deadlines
            if account == job and (account, number) not in self.gone
        ]
        self.settle(index, User(id="p", connections=listed))

    @precondition(lambda self: self.busy)
    @rule(index=st.integers(0, 9), hint=st.one_of(st.none(), st.floats(0, 7200)))
    def fail_in_passing(self, index: int, hint: float | None) -> None:
        error = errors.ServerError(
            "down", operation="users.me", status=503, request_id=None, retry_after=hint
        )
        self.settle(index, error, hint or 0.0)

    @precondition(lambda self: self.busy)
    @rule(index=st.integers(0, 9))
    def refuse(self, index: int) -> None:
        self.settle(
            index,
            errors.PermissionDenied("no", operation="users.me", status=403),
        )

    @rule(seconds=st.floats(0, 4000))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def sleep_until_next(self) -> None:
        rest = self.rounds.rest()
        if rest is not None:
            self.clock.advance(rest)

    @rule(seconds=st.floats(-90_000, 90_000))
    def jump(self, seconds: float) -> None:
        self.clock.shift_wall(seconds)
        self.slept = True

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.deadlines)))
        if key not in self.gone:
            data.draw(st.sampled_from([self.active, self.gone])).add(key)
            if key in self.gone:
                self.active.discard(key)

    @invariant()
    def the_rest_is_known(self) -> None:
        left = {key for key, _, _ in self.rounds.remaining()}
        assert left == self.deadlines.keys() - self.ended
        assert self.rounds.finished == (not left)
        assert self.rounds.progress().waiting == len(left)


TestRounds = RoundsMachine.TestCase
TestRounds.settings = settings(max_examples=60, stateful_step_count=40)
