"""A day of waiting on a queue: what a worker's memory does, and what two workers ask in all.

``python -m tests.fleet.waiting --practices 10000`` is the long form; ``nox -s fleet`` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.chaos import ROOT, Job, enroll_all, open_fleet, told_to_a_worker

DAY = 86_400.0


@dataclass
class Result:
    """What was measured.

    Attributes:
        polls: Looks at the waiting connections in all.
        by_worker: How many of the requests each worker sent.
        memory: Largest resident memory of each worker, in MiB.
        spacing: The shortest time between two turns of the workers, in units of what the rate
            allows.
        early: The most by which a request came before its turn and the burst, in seconds.
        excess: By how many requests the fullest stretch of time exceeded the rate; a burst is
            allowed, and how late a request arrives depends on the machine.
    """

    practices: int
    polls: int
    by_worker: list[int]
    memory: list[float]
    spacing: float
    early: float
    excess: float
    stages: dict[str, int]

    @property
    def keeps_its_rate(self) -> bool:
        """Whether no turn came too early, and no request before its turn."""
        return self.spacing >= 1 - 1e-3 and self.early <= 0


async def wait_a_day(
    practices: int,
    conninfo: str,
    *,
    rate: float,
    burst: int,
    interval: float,
    scale: float,
    length: float | None = DAY,
) -> Result:
    """Practices that only wait, two workers, and a rate for both; all in the fleet's own time.

    Args:
        length: Seconds of that time; None for as long as it takes each worker to send ten requests,
            and both to look at each practice twice and more.
    """
    from ormco_trios.core.clock import ScaledClock
    from ormco_trios.sandbox import Approval, Sandbox
    from ormco_trios.sandbox.world.seeds import LAB_EMAILS

    clock = ScaledClock(scale)
    with (
        Sandbox(server=True, clock=clock, approval=Approval.held()) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        lab = sandbox.world.user(LAB_EMAILS[sandbox.practice.server])
        tokens = {}
        known = []
        for number, who in enumerate(sandbox.practices(practices)):
            id = f"p{number:05}"
            user = sandbox.world.user(who.email)
            sandbox.world.new_connection(user, lab)
            tokens[id] = access_token(sandbox, user)
            known.append({"id": id})  # the portal by hand: nothing is sent there
        job = Job.in_sandbox(
            sandbox,
            form="queue",
            folder=folder,
            conninfo=conninfo,
            rate=rate,
            burst=burst,
            interval=interval,
            practices=known,
        )
        async with open_fleet(job) as (fleet, _):
            await enroll_all(job, fleet)
            await fill(job, fleet, tokens)
            workers = [await start(job) for _ in range(2)]
            try:
                if length is not None:
                    await clock.sleep_async(length)
                else:
                    for worker in workers:
                        assert worker.stdout is not None
                        assert await worker.stdout.readline()
                    while sandbox.journal.count("users.me") < 2.5 * practices:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
            finally:
                for worker in workers:
                    worker.terminate()
                told = [(await worker.communicate())[0] for worker in workers]
            reports = [json.loads(text.splitlines()[-1]) for text in told]
            status = await fleet.status()
        times = sorted(entry.time for entry in sandbox.journal)
        turns = sorted(turn for report in reports for turn in report["turns"])
        assert len(turns) >= len(times)
        burst_ahead = (burst - 1) / rate
        return Result(
            practices=practices,
            polls=sandbox.journal.count("users.me"),
            by_worker=[report["requests"] for report in reports],
            memory=[round(report["peak"] / 1024, 1) for report in reports],
            spacing=round(min(b - a for a, b in itertools.pairwise(turns)) * rate, 4),
            early=round(max(t - burst_ahead - a for t, a in zip(turns, times, strict=False)), 3),
            excess=excess(times, rate),
            stages={stage.value: n for stage, n in status.stages.items() if n},
        )


def access_token(sandbox: Any, user: Any) -> str:
    """One that lasts longer than the day, as if the practice had signed in."""
    from ormco_trios.sandbox.world.state import TokenRecord

    state, now = sandbox.world.state, sandbox.world.clock.time()
    grant = sandbox.world.grant(user, state.clients[sandbox.client_id])
    token: str = state.new_secret()
    state.tokens[token] = TokenRecord(
        "access", "classic", grant.id, grant.id, "", now, now + 10 * DAY
    )
    return token


async def fill(job: Job, fleet: Any, tokens: dict[str, str]) -> None:
    """Put the tokens where the workers find them."""
    from pydantic import SecretStr

    from ormco_trios import Token
    from ormco_trios.fleet import FleetPractice
    from ormco_trios.fleet.postgres import PostgresTokenStore

    store = PostgresTokenStore(fleet.database)
    for practice in map(FleetPractice.model_validate, job.practices):
        token = Token(SecretStr(tokens[practice.id]))
        await store.save(f"sandbox:{job.client_id}:{practice.id}", token)


def excess(times: list[float], rate: float) -> float:
    """The most by which a stretch of time of whatever length holds more than its rate allows."""
    # A stretch from the i-th request to the j-th holds j - i + 1 of them, and rate * its length are
    # allowed: so the most is a difference between two values of one sequence.
    worst, lowest = 0.0, float("inf")
    for number, moment in enumerate(times):
        level = number - rate * moment
        lowest = min(lowest, level)
        worst = max(worst, level - lowest + 1)
    return round(worst, 1)


async def start(job: Job) -> asyncio.subprocess.Process:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fleet.waiting", "--worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert worker.stdin is not None
    worker.stdin.write(told_to_a_worker(job))
    worker.stdin.write_eof()
    return worker


async def work(job: Job) -> None:
    """A worker that says what it has asked, and how much memory it has taken at most."""
    requests = 0
    turns: list[float] = []

    def count(_: object) -> None:
        nonlocal requests
        requests += 1
        if requests == 10:
            print("ten", flush=True)

    async with open_fleet(job, on_event=count, turns=turns) as (fleet, _):
        await fleet.work(concurrency=job.concurrency, polling=0.2)
    print(json.dumps({"requests": requests, "peak": peak(), "turns": turns}))


def peak() -> int:
    """Most memory this process has had resident, in KiB; ru_maxrss would know its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """The long form, or a worker of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--practices", type=int, default=10_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work(Job(**json.load(sys.stdin))))
        return
    from tests.postgres import new_database, postgres

    results = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres())
        for n in (options.practices // 10, options.practices):
            # As many looks for each practice in as much of its time, and as many a real second.
            rate = n / 20_000
            result = asyncio.run(
                wait_a_day(
                    n,
                    new_database(server, f"waiting_{n}"),
                    rate=rate,
                    burst=5,
                    interval=8 * 3600.0,
                    scale=1_440_000 / n,
                )
            )
            print(result, flush=True)
            results.append(result)
    small, large = (max(result.memory) for result in results)
    print(f"memory of a worker, ten times as many practices: {large / small:.2f}")
    kept = all(result.keeps_its_rate for result in results)
    print(f"the rate was {'kept' if kept else 'exceeded'}")
    sys.exit(0 if kept and large <= 1.15 * small else 1)


if __name__ == "__main__":
    main()
