"""What waiting for approvals costs: requests and delay, memory and CPU time.

``python benchmarks/approvals.py`` prints three tables and fails if a promise of
docs/approvals.md does not hold; ``a``, ``b`` or ``c`` as arguments run only that one.

a. Schedules against the theoretical bound, for four distributions of approval times; with
   ``--plot FILE`` as a picture.
b. Memory for each waiting approval, and CPU time for each poll, against one asyncio task each, in
   real time; the service answers at once and without a socket, so it is the waiting that counts.
c. Ten thousand accounts due at once over real sockets, against httpx used directly.

Ratios come from one run on one machine; absolute numbers are only for scale.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import math
import random
import statistics
import sys
import time
import tracemalloc
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import httpx
from server import serving

from ormco_trios import ApprovalWait, AsyncCommunicateClient, Environment, PollSchedule
from ormco_trios.communicate.approval import look_up, random_jitter
from ormco_trios.communicate.models import Connection, ConnectionState, User
from ormco_trios.communicate.rounds import Rounds
from ormco_trios.core._lanes import AsyncLane, work_through_async
from ormco_trios.core.clock import Clock

DAY = 86_400.0
failures: list[str] = []


def promise(what: str, value: float, limit: float) -> None:
    """Print a promise beside what was measured, and note it if it does not hold."""
    holds = value <= limit
    print(f"  {'ok  ' if holds else 'MISS'} {what}: {value:.3g} (at most {limit:g})")
    if not holds:
        failures.append(what)


# --- a: schedules -------------------------------------------------------------------------------

N = 4000
NORMAL = statistics.NormalDist()

Quantile = Callable[[float], float]


def truncated(quantile: Quantile, below: float) -> Quantile:
    """The same distribution, given that it takes less than a day; ``below`` is that share."""
    return lambda u: quantile(u * below)


def log_normal(median: float, sigma: float) -> Quantile:
    within = NORMAL.cdf(math.log(DAY / median) / sigma)
    return truncated(lambda u: median * math.exp(sigma * NORMAL.inv_cdf(u)), within)


DISTRIBUTIONS: dict[str, Quantile] = {
    "exponential": truncated(lambda u: -4 * 3600 * math.log1p(-u), 1 - math.exp(-6)),
    "uniform": lambda u: u * DAY,
    "log-uniform": lambda u: 60.0 * (DAY / 60.0) ** u,
    "log-normal": log_normal(4 * 3600, 1.0),
}

SCHEDULES: dict[str, PollSchedule] = {
    "sqrt(age) x 8, floor 30 s (default)": PollSchedule(),
    "sqrt(age) x 4, floor 30 s": PollSchedule.sqrt(4.0),
    "every minute": PollSchedule.fixed(60),
    "every 15 minutes": PollSchedule.fixed(900),
    "doubling from 30 s up to 15 min": PollSchedule.exponential(),
    "doubling from 30 s": PollSchedule.exponential(ceiling=DAY),
    "10 % of the age, floor 30 s": PollSchedule.exponential(30, factor=1.1, ceiling=DAY),
}


def moments(schedule: PollSchedule, jitter: Callable[[], float] = lambda: 0.0) -> list[float]:
    """When it looks within a day, and once more at the end."""
    looks = [0.0]
    while looks[-1] < DAY:
        looks.append(min(DAY, looks[-1] + schedule.next(looks[-1], None, jitter())))
    return looks


def bound(quantile: Quantile) -> float:
    """The least polls x delay (s) that any schedule reaches.

    With density f, survival S and intervals g: polls = integral of S/g, delay = integral of f g/2;
    by Cauchy-Schwarz their product is at least half the square of the integral of sqrt(f S), which
    over quantiles is the integral of sqrt((1 - u) q'(u)).
    """
    edges = [i / N for i in range(N + 1)]
    inner = [min(max(u, 1e-9), 1 - 1e-9) for u in edges]
    q = [quantile(u) for u in inner]
    total = 0.0
    for i in range(N):
        slope = max(0.0, (q[i + 1] - q[i]) / (inner[i + 1] - inner[i]))
        total += math.sqrt((1 - (i + 0.5) / N) * slope) / N
    return total**2 / 2


def schedules() -> dict[str, dict[str, tuple[float, float, float]]]:
    """Polls, delay relative to the wait, and polls x delay relative to the bound."""
    print("\n(a) polls | mean delay in % of the wait | polls x delay relative to the bound")
    print(f"{'':38}{'a day':>6}" + "".join(f"{name:>22}" for name in DISTRIBUTIONS))
    table: dict[str, dict[str, tuple[float, float, float]]] = {}
    for name, schedule in SCHEDULES.items():
        looks = moments(schedule)
        row = table[name] = {}
        for kind, quantile in DISTRIBUTIONS.items():
            times = [quantile((i + 0.5) / N) for i in range(N)]
            seen = [bisect_left(looks, t) for t in times]
            # The look at age 0 sees nothing; what counts are those while it waits.
            polls = statistics.fmean(seen)
            delay = statistics.fmean(looks[k] - t for k, t in zip(seen, times, strict=True))
            row[kind] = (polls, delay / statistics.fmean(times), polls * delay / bound(quantile))
        cells = "".join(f"{p:9.0f}{100 * d:6.1f} %{b:5.1f}" for p, d, b in row.values())
        print(f"{name:38}{len(looks):6}{cells}")
    default = table["sqrt(age) x 8, floor 30 s (default)"]
    promise("requests in 24 hours, default", len(moments(PollSchedule())), 80)
    rng = random.Random(1)
    most = max(len(moments(PollSchedule(), lambda: rng.uniform(-1, 1))) for _ in range(1000))
    promise("requests in 24 hours, default with jitter, most of 1,000 days", most, 80)
    for kind, (_, delay, ratio) in default.items():
        promise(f"{kind}: mean delay, share of the wait", delay, 0.065)
        promise(f"{kind}: polls x delay relative to the bound", ratio, 2.1)
    return table


def plot(table: dict[str, dict[str, tuple[float, float, float]]], path: str) -> None:
    """Requests against delay, one panel for each distribution."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "ormco-trios"
    mpl.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 4, figsize=(13, 3.9), sharey=True)
    for panel, kind in zip(panels, DISTRIBUTIONS, strict=True):
        times = [DISTRIBUTIONS[kind]((i + 0.5) / N) for i in range(N)]
        mean = statistics.fmean(times)
        least = bound(DISTRIBUTIONS[kind])
        xs = [2.0 * 1.12**i for i in range(60)]
        ys = [100 * least / x / mean for x in xs]
        panel.fill_between(xs, ys, 1e-3, color="0.92", label="no schedule gets here")
        for mark, (name, row) in zip("os^vDPX", table.items(), strict=True):
            polls, delay, _ = row[kind]
            panel.plot(polls, 100 * delay, mark, label=name, markersize=8)
        panel.set(title=kind, xscale="log", yscale="log", xlim=(6, 1000), ylim=(0.1, 50))
        panel.set_xlabel("requests until it is noticed")
        panel.grid(True, which="major", color="0.9")
    panels[0].set_ylabel("mean delay, % of the wait")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    print(f"wrote {path}")


# --- b: many waits ------------------------------------------------------------------------------


WARM_UP = 3.0
WINDOW = 15.0
BRISK = PollSchedule.sqrt(0.4, floor=1.0)
"""As the default, 20 times as fast, so that a quarter of a minute shows enough."""

WAITING = User(id="p", connections=[Connection(id="c", connection_accepted=False)])


class Service:
    """Answers at once, and always that the request is pending."""

    polls = 0

    async def ask(self, account: int, lane: AsyncLane | None = None) -> User:
        self.polls += 1
        return WAITING


async def one_task_each(service: Service, clock: Clock, clients: list[object]) -> None:
    """The plainest that can be: no deadline, no failures, no grouping by account."""

    async def wait(number: int, age: float) -> None:
        began = clock.monotonic() - age
        while True:
            me = await service.ask(number)
            state, _ = look_up(me, "c")
            if state is ConnectionState.ACTIVE:
                return
            pause = BRISK.next(clock.monotonic() - began, None, random_jitter())
            await asyncio.sleep(pause)

    async with asyncio.TaskGroup() as group:
        for number, age in enumerate(ages(len(clients))):
            group.create_task(wait(number, age))


async def one_wheel(service: Service, clock: Clock, clients: list[object]) -> None:
    """What `wait_for_many` is made of, without the request."""
    now = clock.now()

    def waits() -> Iterator[tuple[int, object, ApprovalWait]]:
        for number, age in enumerate(ages(len(clients))):
            began = now - timedelta(seconds=age)
            deadline = began + timedelta(days=1)
            wait = ApprovalWait(connection_id="c", began=began, deadline=deadline, schedule=BRISK)
            yield number, clients[number], wait

    rounds = Rounds(waits(), clock=clock, host_of=lambda _: "", per_host=32)
    working = work_through_async(rounds, service.ask, clock=clock, lanes=32, library="httpx")
    async for _ in working:
        raise AssertionError("nothing is ever approved")


def ages(n: int) -> Iterator[float]:
    """How long each has waited already: up to six hours, in no particular order."""
    rng = random.Random(n)
    return (rng.uniform(0, 6 * 3600) for _ in range(n))


Way = Callable[[Service, Clock, "list[object]"], Coroutine[Any, Any, None]]


async def run_waits(way: Way, n: int, *, trace: bool) -> tuple[float, float]:
    """Polls a second and CPU seconds for each, or bytes for each wait; after the first round."""
    clients = [object() for _ in range(n)]
    service = Service()
    gc.collect()
    if trace:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    working = asyncio.create_task(way(service, Clock(), clients))
    while service.polls < n:  # noqa: ASYNC110 - the first round finds all of them due
        await asyncio.sleep(0.5)
    await asyncio.sleep(WARM_UP)
    gc.collect()
    result = 0.0, (tracemalloc.get_traced_memory()[0] - before) / n
    tracemalloc.stop()
    if not trace:
        began, polls = time.process_time(), service.polls
        await asyncio.sleep(WINDOW)
        polls = service.polls - polls
        result = polls / WINDOW, (time.process_time() - began) / polls
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return result


def many_waits() -> None:
    """CPU time of the waiting itself, in real time: nothing is sent."""
    print("\n(b) CPU us per poll | KiB per wait")
    print(f"{'waits':>8}{'a task each':>24}{'wait_for_many':>24}{'CPU':>8}{'polls/s':>10}")
    for n in (1_000, 10_000, 100_000):
        cells: list[tuple[float, float]] = []
        for way in (one_task_each, one_wheel):
            rate, cpu = asyncio.run(run_waits(way, n, trace=False))
            kib = asyncio.run(run_waits(way, n, trace=True))[1] / 1024
            cells.append((cpu * 1e6, kib))
        ratio = cells[1][0] / cells[0][0]
        text = "".join(f"{cpu:14.1f} us{kib:7.2f}" for cpu, kib in cells)
        print(f"{n:8}{text}{ratio:8.2f}{rate:10.0f}", flush=True)
    promise("100,000 waits: KiB each", cells[1][1], 0.3)
    promise("100,000 waits: CPU per poll relative to a task each", ratio, 0.15)


# --- c: due at once -----------------------------------------------------------------------------

BODY = (
    b'{"Id":"11111111-1111-4111-8111-111111111111","Email":"practice@clinic.example",'
    b'"Roles":["Orthodontist"],"Connections":[{"Id":"c","ConnectionAccepted":true,'
    b'"InviterUserId":"11111111-1111-4111-8111-111111111111",'
    b'"RemoteUserId":"22222222-2222-4222-8222-222222222222",'
    b'"RemoteUserEmail":"lab@lab.example"}]}'
)


async def by_hand(base: str, n: int, at_once: int | None) -> None:
    async with httpx.AsyncClient(headers={"Authorization": "Bearer t"}, timeout=600) as client:
        gate = asyncio.Semaphore(at_once or n)

        async def one() -> User:
            async with gate:
                answer = await client.get(f"{base}/communicate/api/users/me")
                return User.model_validate_json(answer.content)

        await asyncio.gather(*(one() for _ in range(n)))


async def library(base: str, n: int, **options: Any) -> None:
    environment = Environment.sandbox(base)
    # An account each, as in life; they are the caller's own.
    clients = [AsyncCommunicateClient(environment, token="t") for _ in range(n)]
    global caller
    caller = time.process_time() - caller
    waits = ((i, c, c.connections.begin_wait("c")) for i, c in enumerate(clients))
    approved = 0
    async with AsyncCommunicateClient.wait_for_many(waits, **options) as outcomes:
        async for outcome in outcomes:
            approved += outcome.result().state is ConnectionState.ACTIVE
    assert approved == n


caller = 0.0


def per_item(n: int, work: Callable[[], Any]) -> float:
    """CPU seconds of this process for each item, without what the caller does beforehand."""
    global caller
    gc.collect()
    began = caller = time.process_time()
    asyncio.run(work())
    after = time.process_time()
    made = caller if caller != began else 0.0
    return (after - began - made) / n


def due_at_once(n: int) -> None:
    print(f"\n(c) {n:,} accounts due at once: CPU us per item | relative to the semaphore")
    few = min(n, 1_000)
    with serving(BODY) as base:
        per_item(few, lambda: library(base, few))  # what is imported and built the first time
        rows = {
            "semaphore of 32, one httpx.AsyncClient": lambda: by_hand(base, n, 32),
            "wait_for_many": lambda: library(base, n),
            "wait_for_many, transport='aiohttp'": lambda: library(base, n, transport="aiohttp"),
        }
        cpu = dict.fromkeys(rows, math.inf)
        for _ in range(2):
            for name, work in rows.items():
                cpu[name] = min(cpu[name], per_item(n, work))
        peer, ours, ours_aiohttp = cpu.values()
        name = f"asyncio.gather over one httpx.AsyncClient ({few:,} items)"
        cpu[name] = per_item(few, lambda: by_hand(base, few, None))
    for name, seconds in cpu.items():
        print(f"  {name:60}{seconds * 1e6:8.0f} us{seconds / peer:8.2f}")
    promise("due at once, default install, relative to the semaphore", ours / peer, 0.45)
    promise("due at once, [aiohttp], relative to the semaphore", ours_aiohttp / peer, 0.25)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="a|b|c")
    parser.add_argument("--plot", help="write the picture of (a) to this file")
    parser.add_argument("-n", type=int, default=10_000, help="accounts in (c)")
    options = parser.parse_args()
    parts = options.parts or ["a", "b", "c"]
    print(f"Python {sys.version.split()[0]}, httpx {httpx.__version__}")
    if "a" in parts:
        table = schedules()
        if options.plot:
            plot(table, options.plot)
    if "b" in parts:
        many_waits()
    if "c" in parts:
        due_at_once(options.n)
    if failures:
        print("\nNot kept: " + "; ".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
