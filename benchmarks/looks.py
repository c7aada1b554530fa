"""What a look at a waiting practice costs: CPU relative to a bare ``advance()``, and memory.

Every practice waits for Ormco.  A bare loop has all of them open and calls ``advance()``, over real
sockets; the fleet does the same looks, from its records, when they are due.  The server is another
process and is not counted.  ``python benchmarks/looks.py`` fails if a promise does not hold.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from harness import table, versions, without_proxies
from pydantic import SecretStr
from server import serving

from ormco_trios import Environment, MemoryTokenStore, PollSchedule, Region, Token
from ormco_trios.fleet import AsyncFleet, AsyncPracticeOpener, FleetPractice, Stage

ROUNDS = 7
MOST_CPU = 1.3
MOST_KIB = 1.0

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
            self.store.save(f"sandbox:bench:{each.account}", Token(SecretStr("token")))


async def bare(practices: Practices, looks: int) -> float:
    """CPU seconds of one look at a practice that is open; nothing is kept."""
    opened = [practices.opener.open(each) for each in practices.known.values()]
    # They share connections, as a fleet's practices do; or each would open one of its own.
    from ormco_trios.core.transport import AsyncHttpConnections

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
        for _ in range(ROUNDS):
            cpu = {name: asyncio.run(_awaited(work)) for name, work in contenders.items()}
            peer = next(iter(cpu.values()))
            for name, seconds in cpu.items():
                results.setdefault(name, []).append((1e6 * seconds, seconds / peer))
    return [
        (name, *(statistics.median(column) for column in zip(*rows, strict=True)))
        for name, rows in results.items()
    ]


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
    ratio = rows[1][2]
    assert isinstance(ratio, float)
    print(f"a look of AsyncFleet: {ratio:.2f} of a bare advance() (at most {MOST_CPU})")
    return 0 if kib <= MOST_KIB and ratio <= MOST_CPU else 1


if __name__ == "__main__":
    sys.exit(main())
