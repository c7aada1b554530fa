"""What a look at a waiting practice costs: CPU relative to a bare ``advance()``, and memory.

Every practice waits for Ormco.  A bare loop has all of them open and calls ``advance()``, over real
sockets; the fleet does the same looks, from its records, when they are due; and the queue does the
first look at practices that were all enrolled at once, each request with a turn of the pacer's.
The server is another process and is not counted; the queue's PostgreSQL is.
``python benchmarks/looks.py`` fails if a promise does not hold.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from harness import table, versions, without_proxies
from pydantic import SecretStr
from server import serving

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.postgres import new_database, postgres

from ormco_trios import Clock, Environment, MemoryTokenStore, PollSchedule, Region, Token
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.fleet import AsyncFleet, AsyncPracticeOpener, FleetPractice, Stage

ROUNDS = 5
MOST_CPU = 1.3
MOST_KIB = 1.0
MOST_CPU_OF_QUEUE = 6.0
MOST_TRANSACTIONS = 3.0

BODY = json.dumps(
    {
        "Id": "5eed0000-0000-4000-8000-000000000001",
        "Email": "practice@example.com",
        "IsApproved": True,
        "Name": "Example Practice",
        "City": "Copenhagen",
        "Country": "DK",
        "Roles": ["Clinic"],
        "Connections": [
            {
                "Id": "c0ffee00-0000-4000-8000-000000000000",
                "ConnectionAccepted": False,
                "InviterUserId": "5eed0000-0000-4000-8000-000000000001",
                "InviterUserEmail": "practice@example.com",
                "InviterUserName": "Example Practice",
                "InviterUserType": "Clinic",
                "RemoteUserId": "1ab00000-0000-4000-8000-000000000000",
                "RemoteUserEmail": "insignia.supporteurope@ormco.com",
                "RemoteUserName": "Ormco",
                "RemoteUserType": "Lab",
            }
        ],
    }
).encode()


class Rush(NamedTuple):
    """Of one look: CPU seconds of the worker and of its PostgreSQL, and transactions."""

    worker: float
    postgres: float
    transactions: float


class Practices:
    """As many as you like, signed in, and waiting."""

    def __init__(self, n: int, base_url: str, *, interval: float = 0.001) -> None:
        self.store = MemoryTokenStore()
        self.opener = AsyncPracticeOpener(
            Environment.sandbox(base_url),
            client_id="bench",
            client_secret="secret",
            redirect_uri="https://here.example/",
            store=self.store,
            schedule=PollSchedule.fixed(interval),
        )
        self.known = {
            f"p{i:05}": FleetPractice(
                id=f"p{i:05}",
                region=Region.EUROPE,
                portal_username=f"user{i}",
                portal_password=SecretStr("password"),
            )
            for i in range(n)
        }
        for each in self.known.values():
            self.store.save(f"sandbox:bench:{each.id}", Token(SecretStr("token")))


async def bare(practices: Practices, looks: int) -> float:
    """CPU seconds of one look at a practice that is open; nothing is kept."""
    opened = [practices.opener.open(each) for each in practices.known.values()]
    # They share connections, as a fleet's practices do; or each would open one of its own.
    connections = AsyncHttpConnections("httpx")
    for each in opened:
        each.http_connections = connections
        await each.advance()
    gc.collect()
    began, done = time.process_time(), 0
    while done < looks:
        for each in opened:
            await each.advance()
            done += 1
    used = (time.process_time() - began) / done
    await connections.aclose()
    return used


async def fleet(practices: Practices, looks: int, **options: Any) -> float:
    """CPU seconds of one look by a fleet that is running, its records included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fleet.db")
        async with AsyncFleet(practices.known, practices.opener.open, path, **options) as running:
            began, done = 0.0, -len(practices.known)
            async with aclosing(running.run()) as statuses:
                async for status in statuses:
                    assert status.stage is Stage.WAITING, status
                    done += 1
                    if done == 0:  # everybody was looked at once
                        gc.collect()
                        began = time.process_time()
                    if done == looks:
                        break
            return (time.process_time() - began) / looks


class Postgres:
    """What a server of the benchmark's own has done: CPU seconds, and transactions."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        folder = conninfo.partition("host=")[2].partition(" ")[0]
        self._server = int(Path(folder, "data", "postmaster.pid").read_text().split()[0])

    def cpu(self) -> float:
        """Of the server, of the processes it has now, and of those that have ended."""
        ticks = sum(_ticks(self._server))
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self._server:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    async def transactions(self) -> int:
        """As its statistics say a second later; the asking itself is one."""
        async with await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True) as c:
            await asyncio.sleep(1.2)
            await c.execute("select pg_stat_clear_snapshot()")
            found = await c.execute(
                "select xact_commit + xact_rollback from pg_stat_database "
                "where datname = current_database()"
            )
            (count,) = await found.fetchone() or (0,)
            return int(count)


def _ticks(process: int) -> list[int]:
    fields = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]


async def rush(practices: Practices, server: Postgres, environment: Environment) -> Rush:
    """A fleet that is enrolled at once, with its tokens, until everybody was looked at."""
    from ormco_trios.fleet.encryption import Encryption
    from ormco_trios.fleet.postgres import (
        FleetDatabase,
        PostgresPacer,
        PostgresPractices,
        PostgresTokenStore,
    )
    from ormco_trios.fleet.queue import FleetQueue

    async with FleetDatabase(server.conninfo, Encryption([Encryption.new_key()])) as database:
        await database.migrate()
        stored, tokens = PostgresPractices(database), PostgresTokenStore(database)
        # Fast enough never to wait, but every request takes its turn.
        pacer = PostgresPacer(database, rate=100_000.0)
        opener = AsyncPracticeOpener(
            environment.paced(pacer),
            client_id="bench",
            client_secret="secret",
            redirect_uri="https://here.example/",
            store=tokens,
            schedule=PollSchedule.fixed(86_400),
        )

        async def open_practice(practice: str) -> Any:
            return opener.open(await stored.load(practice))

        async with FleetQueue(database, open_practice) as queue:
            await queue.migrate()
            await stored.save(*practices.known.values())
            for each in practices.known.values():
                await tokens.save(f"sandbox:bench:{each.id}", Token(SecretStr("token")))
            await queue.enroll(*practices.known)
            gc.collect()
            before = await server.transactions()
            own, theirs = time.process_time(), server.cpu()
            worker = asyncio.create_task(queue.work(install_signal_handlers=False))
            waiting = 0
            while waiting < len(practices.known):
                await Clock().sleep_async(1.0)
                ((waiting,),) = await database.rows(
                    "select count(*) from ormco_trios_practice_status where stage = 'waiting'"
                )
            own, theirs = time.process_time() - own, server.cpu() - theirs
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
            transactions = await server.transactions() - before
    n = len(practices.known)
    return Rush(own / n, theirs / n, transactions / n)


async def memory(practices: Practices) -> float:
    """KiB for each practice that waits, beyond what the caller keeps, as a look left it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fleet.db")
        async with AsyncFleet(practices.known, practices.opener.open, path) as running:
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            done = 0
            async with aclosing(running.run()) as statuses:
                async for _ in statuses:
                    done += 1
                    if done == len(practices.known):
                        break
                gc.collect()
                used = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            return used / len(practices.known) / 1024


def measure(practices: int = 200, looks: int = 1000) -> list[tuple[object, ...]]:
    """CPU of a look in microseconds, and relative to a bare ``advance()``; medians of rounds."""
    without_proxies()
    results: dict[str, list[tuple[float, float]]] = {}
    with serving(BODY) as base:
        contenders: dict[str, Callable[[], Awaitable[float]]] = {
            "`advance()`, all practices open": lambda: bare(Practices(practices, base), looks),
            "`AsyncFleet`": lambda: fleet(Practices(practices, base), looks),
            '`AsyncFleet(transport="aiohttp")`': lambda: fleet(
                Practices(practices, base), looks, transport="aiohttp"
            ),
        }
        with postgres() as server:
            for number in range(ROUNDS):
                cpu = {name: asyncio.run(_awaited(work)) for name, work in contenders.items()}
                conninfo = new_database(server, f"looks_{number}")
                each = asyncio.run(
                    rush(
                        Practices(5 * practices, base),
                        Postgres(conninfo),
                        Environment.sandbox(base),
                    )
                )
                cpu["`FleetQueue`, the worker"] = each.worker
                cpu["`FleetQueue`, with its PostgreSQL"] = each.worker + each.postgres
                transactions.append(each.transactions)
                peer = next(iter(cpu.values()))
                for name, seconds in cpu.items():
                    results.setdefault(name, []).append((1e6 * seconds, seconds / peer))
    return [
        (name, *(statistics.median(column) for column in zip(*rows, strict=True)))
        for name, rows in results.items()
    ]


transactions: list[float] = []
"""Of a look by the queue, for each round of `measure`."""


async def _awaited(work: Callable[[], Awaitable[float]]) -> float:
    return await work()


HEAD = ["a look at a waiting practice, over a socket", "CPU us", "relative"]


def main() -> int:
    rows = measure()
    print(versions("httpx", "httpx-aiohttp"))
    print(table(HEAD, rows))
    with serving(BODY) as base:
        kib = asyncio.run(memory(Practices(2000, base, interval=3600.0)))
    print(f"a waiting practice: {kib:.2f} KiB (at most {MOST_KIB})")
    ratios = {str(name): float(str(ratio)) for name, _, ratio in rows}
    alone, queue = ratios["`AsyncFleet`"], ratios["`FleetQueue`, with its PostgreSQL"]
    each = statistics.median(transactions)
    print(f"a look of AsyncFleet: {alone:.2f} of a bare advance() (at most {MOST_CPU})")
    print(f"a look of FleetQueue: {queue:.2f} (at most {MOST_CPU_OF_QUEUE})")
    print(f"transactions of a look: {each:.2f} (at most {MOST_TRANSACTIONS})")
    kept = (
        kib <= MOST_KIB,
        alone <= MOST_CPU,
        queue <= MOST_CPU_OF_QUEUE,
        each <= MOST_TRANSACTIONS,
    )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
