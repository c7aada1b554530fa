"""A worker whose machine is cut off from the database without a word, and its practices.

It lives in a network namespace of its own, with one link to the database and one to the services.
While it holds practices, every packet of the former is dropped; later the link comes back.  Another
worker goes on meanwhile.  Needs root, `ip` and `tc`: ``python -m tests.fleet.vanished``; ``nox -s
fleet`` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from tests.fleet.chaos import ROOT, Job, enroll_all, open_fleet, told_to_a_worker
from tests.fleet.waiting import access_token, fill
from tests.postgres import PORT, new_database, postgres

NAMESPACE = "ormco-trios-fleet"
DATABASE_LINK = ("otf-db", "10.77.0.1", "10.77.0.2")
SERVICE_LINK = ("otf-sv", "10.78.0.1", "10.78.0.2")


@dataclass
class Result:
    """What was measured.

    Attributes:
        held: How many practices the worker had when it was cut off.
        taken_over: Seconds until the other worker had looked at all of them.
        noticed: Seconds until the one that was cut off gave up its connections.
        requests: Connection requests, which must be as many as there are practices.
    """

    practices: int
    held: int
    taken_over: float | None
    noticed: float | None
    requests: int


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def another_machine() -> Iterator[None]:
    """A network namespace with two links to this one."""
    ip("netns", "add", NAMESPACE)
    try:
        ip("-n", NAMESPACE, "link", "set", "lo", "up")
        for name, here, there in (DATABASE_LINK, SERVICE_LINK):
            ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", NAMESPACE)
            ip("addr", "add", f"{here}/24", "dev", name)
            ip("link", "set", name, "up")
            ip("-n", NAMESPACE, "addr", "add", f"{there}/24", "dev", name)
            ip("-n", NAMESPACE, "link", "set", name, "up")
        yield
    finally:
        ip("netns", "del", NAMESPACE)


def cut(link: str) -> None:
    """Drop every packet, in both directions and without a word."""
    drop = ("qdisc", "add", "dev", link, "root", "tbf", "rate", "8bit", "burst", "1", "limit", "1")
    subprocess.run(["tc", *drop], check=True)
    subprocess.run(["tc", "-n", NAMESPACE, *drop], check=True)


def mend(link: str) -> None:
    for where in ([], ["-n", NAMESPACE]):
        subprocess.run(["tc", *where, "qdisc", "del", "dev", link, "root"], check=True)


async def relay(listen: tuple[str, int], to: tuple[str, int]) -> asyncio.Server:
    """Hand every byte on; clients speak to loopback addresses only, without TLS."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*to)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    return await asyncio.start_server(connected, *listen)


@asynccontextmanager
async def worker(job: Job, *, elsewhere: bool) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker on this machine, or on the other one."""
    prefix = ["ip", "netns", "exec", NAMESPACE] if elsewhere else []
    mode = ["tests.fleet.vanished", "--worker"] if elsewhere else ["tests.fleet.chaos", "--worker"]
    process = await asyncio.create_subprocess_exec(
        *prefix,
        *(sys.executable, "-m", *mode, "never"),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(told_to_a_worker(job))
    process.stdin.write_eof()
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def work_elsewhere() -> None:
    """In the namespace: the services on this loopback address, and a worker beside them."""
    import json

    from tests.fleet.chaos import work

    job = Job(**json.load(sys.stdin))
    port = urlsplit(job.base_url).port
    assert port is not None
    async with await relay(("127.0.0.1", port), (SERVICE_LINK[1], port)):
        await work(job, "never")


async def vanish(practices: int, stalled_after: float) -> Result:
    """Cut a worker off while it holds practices, and bring it back."""
    from ormco_trios.core.clock import ScaledClock
    from ormco_trios.sandbox import Approval, Sandbox

    with (
        another_machine(),
        postgres("10.77.0.0/24") as server,
        Sandbox(server=True, clock=ScaledClock(1), approval=Approval.held()) as sandbox,
    ):
        conninfo = new_database(server, "vanished")
        known, tokens = [], {}
        for number, who in enumerate(sandbox.practices(practices)):
            known.append({"id": f"p{number}"})
            tokens[f"p{number}"] = access_token(sandbox, sandbox.world.user(who.email))
        job = Job.in_sandbox(
            sandbox,
            form="queue",
            folder="",
            conninfo=conninfo,
            rate=10.0,
            practices=known,
            stalled_after=stalled_after,
        )
        port = urlsplit(job.base_url).port
        assert port is not None
        # Over TCP, and without the library's own hurry: its defaults are what is tried.
        there = replace(
            job, conninfo=f"host={DATABASE_LINK[1]} port={PORT} user=fleet dbname=vanished"
        )
        now = asyncio.get_running_loop().time
        async with (
            open_fleet(job) as (fleet, _),
            await relay((SERVICE_LINK[1], port), ("127.0.0.1", port)),
        ):
            await enroll_all(job, fleet)
            await fill(job, fleet, tokens)
            async with worker(there, elsewhere=True):
                while sandbox.journal.count("connections.request", wrote=True) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                cut(DATABASE_LINK[0])
                began = now()
                held = await claims(fleet, "claimed_until > now()")
                async with worker(job, elsewhere=False):
                    noticed = taken_over = None
                    left = dict(held)
                    while left or noticed is None:
                        await asyncio.sleep(0.5)
                        if noticed is None and not connections():
                            noticed = now() - began
                        found = await claims(fleet, "stage = 'waiting'")
                        left = {id: n for id, n in left.items() if found.get(id, 0) <= n}
                        if not left and taken_over is None:
                            taken_over = now() - began
                    mend(DATABASE_LINK[0])
                    while len(await claims(fleet, "stage = 'waiting'")) < practices:  # noqa: ASYNC110
                        await asyncio.sleep(0.5)
                    await asyncio.sleep(10)
        return Result(
            practices=practices,
            held=len(held),
            taken_over=taken_over and round(taken_over, 1),
            noticed=noticed and round(noticed, 1),
            requests=sandbox.journal.count("connections.request", wrote=True),
        )


async def claims(fleet: Any, where: str) -> dict[str, int]:
    return dict(
        await fleet.database.rows(
            f"select practice, claim from ormco_trios_practice_status where {where}"
        )
    )


def connections() -> bool:
    """Whether the other machine still has connections that it had before it was cut off."""
    done = subprocess.run(
        ["ip", "netns", "exec", NAMESPACE, "cat", "/proc/net/tcp"],
        capture_output=True,
        text=True,
        check=True,
    )
    return any(f":{PORT:04X} 01 " in line for line in done.stdout.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--practices", type=int, default=60)
    parser.add_argument("--stalled-after", type=float, default=120.0)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work_elsewhere())
        return
    if os.geteuid() != 0:
        sys.exit("It needs root, for a network namespace.")
    result = asyncio.run(vanish(options.practices, options.stalled_after))
    print(result)
    sys.exit(0 if result.requests == result.practices else 1)


if __name__ == "__main__":
    main()
