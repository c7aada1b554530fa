"""A fleet whose workers are killed while its practices live: approvals, doctors, removals, faults.

One process has the sandbox's server, with time that runs fast, and the people: doctors open the
links that the fleet's status shows, and the address they are sent to is handed over as a web
application would; the lab removes a request once the fleet has seen it.  Other processes do the
rounds, on a queue over PostgreSQL or on one machine without one, and are killed, stopped, cancelled
and forked in the middle, and lose their database sessions.  In the end each practice is where the
World says it is.  Nothing of that depends on how fast the machine is: codes and links live as long
by its own clock as in reality, and what people do follows from what the fleet shows.

``python -m tests.fleet.chaos queue --practices 1000`` is the long form; ``nox -s fleet`` runs it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]

Form = Literal["queue", "one-machine"]

# Where a worker is killed: right after its n-th answer of an operation, before anything is kept.
# Each dies three times, and the second does not come back from the last.
DEATHS = {
    0: ["connections.request:2", "users.me:15", "session.create:3"],
    1: ["connections.request:2", "users.me:10", "users.me:20"],
}
NOT_NOW = 75
"""What a worker ends with whose database was away when it started; it is started again."""

STALLED_AFTER = 3.0
"""Seconds after which a worker without a sign of life is taken for dead."""

FAULTS: list[dict[str, Any]] = [
    {"status": 503, "when": "before"},
    {"status": 503, "when": "after"},
    {"status": 429, "retry_after": 20},
    {"network": "reset", "when": "after"},
    {"network": "truncate"},
    {"status": 200, "body": "<html>maintenance</html>"},
]


@dataclass
class Job:
    """What a worker is told."""

    form: Form
    base_url: str
    folder: str
    conninfo: str
    key: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scale: float
    start: float
    origin: float
    rate: float
    practices: list[dict[str, str]]
    concurrency: int = 16
    interval: float = 0.0
    burst: int = 1
    stalled_after: float = STALLED_AFTER

    @classmethod
    def in_sandbox(cls, sandbox: Any, **what: Any) -> Job:
        """A job in a sandbox whose clock is a scaled one."""
        from ormco_trios.fleet.encryption import Encryption

        clock = sandbox.world.clock
        return cls(
            base_url=sandbox.base_url,
            key=Encryption.new_key(),
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            scale=clock.scale,
            start=clock.start,
            origin=clock.origin,
            **what,
        )


@dataclass
class Result:
    """What became of the fleet, and what must not have happened."""

    stages: dict[str, int]
    kills: dict[str, int]
    troubles: dict[str, int]
    faults: int
    seconds: float
    problems: list[str] = field(default_factory=list)


OPERATIONS = [
    "connections.request",
    "profile.get",
    "profile.update",
    "session.create",
    "oauth.token",
    "trios.authorization",
    "trios.status",
    "trios.submit_code",
    "users.me",
]

FATES = {"approved": 88, "removed": 5, "held": 4, "locked-out": 3}


# --- the fleet, as any of the processes opens it --------------------------------------------------


def clock_of(job: Job) -> Any:
    from ormco_trios.core.clock import ScaledClock

    return ScaledClock(job.scale, start=job.start, origin=job.origin)


@asynccontextmanager
async def open_fleet(
    job: Job, on_event: Any = None, turns: list[float] | None = None
) -> AsyncIterator[tuple[Any, Any]]:
    """The queue, or the fleet of one machine; and what opens a practice.

    Args:
        turns: Where a queue's pacer notes each turn that this process gets.
    """
    from ormco_trios import Environment, FileTokenStore, PollSchedule, Timeout
    from ormco_trios.core.pacing import TokenBucket
    from ormco_trios.fleet import AsyncFleet, AsyncPracticeOpener, FleetPractice

    clock = clock_of(job)
    practices = {each["id"]: FleetPractice.model_validate(each) for each in job.practices}
    environment = Environment.sandbox(job.base_url)

    def opener(store: Any, pacer: Any) -> AsyncPracticeOpener:
        return AsyncPracticeOpener(
            environment.paced(pacer) if job.rate else environment,
            client_id=job.client_id,
            client_secret=job.client_secret,
            redirect_uri=job.redirect_uri,
            store=store,
            schedule=PollSchedule.fixed(job.interval) if job.interval else None,
            timeout=Timeout(connect=20, read=20, total=30),
            clock=clock,
            on_event=on_event,
        )

    if job.form == "one-machine":
        records = Path(job.folder, "fleet.db")
        opens = opener(FileTokenStore(job.folder), TokenBucket(job.rate or 1, burst=job.burst))
        async with AsyncFleet(practices, opens.open, records, clock=clock) as fleet:
            yield fleet, lambda id: opens.open(practices[id])
        return

    from ormco_trios.fleet.encryption import Encryption
    from ormco_trios.fleet.postgres import (
        FleetDatabase,
        PostgresPacer,
        PostgresPractices,
        PostgresTokenStore,
    )
    from ormco_trios.fleet.queue import FleetQueue

    async with FleetDatabase(job.conninfo, Encryption([job.key])) as database:
        stored = PostgresPractices(database)
        pacer = PostgresPacer(database, job.rate or 1, burst=job.burst)
        if turns is not None:
            take, noted = pacer._take, turns

            async def taking(*what: Any) -> Any:
                taken = await take(*what)
                noted.extend(taken)
                return taken

            pacer._take = taking  # type: ignore[method-assign,assignment]
        sealed = opener(PostgresTokenStore(database), pacer)

        async def open_practice(practice: str) -> Any:
            return sealed.open(await stored.load(practice))

        async with FleetQueue(database, open_practice, clock=clock) as queue:
            yield queue, lambda id: sealed.open(practices[id])


async def enroll_all(job: Job, fleet: Any) -> None:
    """Put the practices where a queue's workers find them, and begin."""
    from ormco_trios.fleet import FleetPractice
    from ormco_trios.fleet.postgres import PostgresPractices

    await fleet.migrate()
    stored = PostgresPractices(fleet.database)
    for each in job.practices:
        await stored.save(FleetPractice.model_validate(each))
        assert await fleet.enroll(each["id"])
        assert not await fleet.enroll(each["id"])


def told_to_a_worker(job: Job) -> bytes:
    """On a queue a worker has no list: it loads the practice whose turn it is."""
    practices = [] if job.form == "queue" else job.practices
    return json.dumps({**asdict(job), "practices": practices}).encode()


async def status_of(fleet: Any) -> Any:
    """The fleet's status, also if its database has to be asked again."""
    from ormco_trios import errors

    while True:
        with contextlib.suppress(errors.StorageUnavailable):
            status = fleet.status()
            return await status if asyncio.iscoroutine(status) else status


# --- a worker -------------------------------------------------------------------------------------


async def work(job: Job, death: str) -> None:
    """Do rounds until killed, or until there is nothing left to do."""
    from ormco_trios import errors

    operation, _, count = death.partition(":")
    left = int(count or 0)

    def killer(event: Any) -> None:
        nonlocal left
        if event.operation == operation:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def rounds(fleet: Any) -> None:
        if job.form == "one-machine":
            async for _ in fleet.run():
                pass
        else:
            await fleet.work(
                concurrency=job.concurrency,
                polling=0.2,
                stalled_after=job.stalled_after,
                sweep="* * * * * *" if job.stalled_after < 60 else "* * * * *",
                install_signal_handlers=False,
            )

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked
    async with AsyncExitStack() as stack:
        try:
            fleet, opens = await stack.enter_async_context(open_fleet(job, on_event=killer))
        except errors.StorageUnavailable:
            sys.exit(NOT_NOW)
        while True:
            working = asyncio.ensure_future(rounds(fleet))
            # Cancelled in the middle, it begins again.
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, working.cancel)
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, fork, job, fleet, opens)
            await asyncio.wait([working])
            if not working.cancelled():
                return working.result()


def fork(job: Job, fleet: Any, open_practice: Any) -> None:
    """In the middle of rounds; the child uses what it has inherited, and says what was wrong."""
    from ormco_trios import errors

    if os.fork():
        return
    signal.alarm(60)

    async def use() -> None:
        if job.form == "queue":
            try:
                await fleet.status()
            except errors.ConfigurationError:
                return  # it says that it has to be opened again
            raise AssertionError("a forked process used another's connection to the database")
        assert (await status_of(fleet)).total == len(job.practices)
        practice = open_practice(job.practices[os.getpid() % len(job.practices)]["id"])
        with contextlib.suppress(errors.OrmcoTriosError):
            await practice.check()

    def run() -> None:
        try:
            asyncio.run(use())
        except BaseException as error:  # noqa: BLE001 - whatever it is
            Path(job.folder, f"fork-{os.getpid()}.problem").write_text(f"in a fork: {error!r}")

    thread = threading.Thread(target=run)  # which has no event loop yet
    thread.start()
    thread.join()
    os._exit(0)


def told_by_forks(folder: Path) -> list[str]:
    return [each.read_text() for each in folder.glob("*.problem")]


async def keep_working(
    job: Job, deaths: list[str], kills: Counter[str], alive: set[int], *, comes_back: bool
) -> None:
    """Start a worker, and again each time it has died."""
    left = [*deaths, *(["never"] if comes_back else [])]
    while left:
        death = left[0]
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.fleet.chaos", "--worker", death),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        alive.add(worker.pid)
        try:
            _, told = await worker.communicate(told_to_a_worker(job))
        finally:
            alive.discard(worker.pid)
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        if worker.returncode == NOT_NOW:
            continue
        left.pop(0)
        if worker.returncode == -signal.SIGKILL:
            kills[death] += 1
        elif worker.returncode == 0 and job.form == "one-machine":
            return
        else:
            raise RuntimeError(f"a worker ended with {worker.returncode}: {told.decode()[-4000:]}")


class Relay:
    """Between the workers and their database; loses what the database says, as a pooler may."""

    def __init__(self, conninfo: str, folder: str) -> None:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        self.conninfo = make_conninfo(conninfo, host=folder)
        parts = conninfo_to_dict(conninfo)
        self._here, self._there = (
            f"{where}/.s.PGSQL.{parts['port']}" for where in (folder, parts["host"])
        )
        self._open: set[asyncio.StreamWriter] = set()
        self._losing = False

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        async with await asyncio.start_unix_server(self._connected, self._here):
            yield
            await self.close_all()

    async def lose_answers(self) -> None:
        """What is under way is carried out, and nobody hears of it."""
        self._losing = True
        await asyncio.sleep(0.1)
        self._losing = False
        await self.close_all()

    async def close_all(self) -> None:
        for writer in list(self._open):
            writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pairs: list[asyncio.StreamWriter] = [writer]
        try:
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_unix_connection(self._there)
                pairs.append(back)
                self._open.update(pairs)
                copies = [
                    asyncio.ensure_future(self._copy(reader, back, answers=False)),
                    asyncio.ensure_future(self._copy(there, writer, answers=True)),
                ]
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
                for copy in copies:
                    copy.cancel()
        finally:
            for each in pairs:
                self._open.discard(each)
                each.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not (answers and self._losing):
                    writer.write(data)
                    await writer.drain()


async def trouble(
    job: Job, relay: Relay | None, alive: set[int], troubles: Counter[str], seed: int
) -> None:
    """What happens to workers short of being killed, again and again."""
    from tests.postgres import restart

    rng = random.Random(seed)
    kinds = ["stopped", "cancelled", "forked"]
    if relay is not None:
        kinds += ["sessions ended", "answers lost", "database restarted"]
    signals = {"cancelled": signal.SIGUSR1, "forked": signal.SIGUSR2}
    while True:
        await asyncio.sleep(rng.uniform(1.0, 3.0))
        kind = rng.choice(kinds)
        if kind == "sessions ended":
            await end_sessions(job.conninfo)
        elif kind == "answers lost" and relay is not None:
            await relay.lose_answers()
        elif kind == "database restarted":
            await asyncio.to_thread(restart, job.conninfo)
        elif not alive:
            continue
        elif kind in signals:
            # Not while it still starts, when the signal would end it.
            with contextlib.suppress(OSError):
                worker = rng.choice(sorted(alive))
                if not catches(worker, signals[kind]):
                    continue
                os.kill(worker, signals[kind])
        else:
            worker = rng.choice(sorted(alive))
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGSTOP)
            # Where there are others, long enough to be taken for dead in the middle of anything.
            await asyncio.sleep(0.5 if relay is None else 1.5 * STALLED_AFTER)
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)
        troubles[kind] += 1


def catches(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    for line in Path("/proc", str(process), "status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & (1 << (number - 1)))
    return False


async def end_sessions(conninfo: str) -> None:
    """As a restarted PostgreSQL, an administrator or a pooler does: everybody's, at once."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


# --- the practices --------------------------------------------------------------------------------


@dataclass
class Life:
    """Who there is, and what will become of each."""

    expected: dict[str, Any] = field(default_factory=dict)
    known: list[dict[str, str]] = field(default_factory=list)
    doctors: dict[str, tuple[str, str]] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)

    def over(self, status: Any) -> bool:
        """Whether everybody is where they end."""
        ends = Counter(self.expected.values())
        return not self.unwanted and all(status.stages[stage] == n for stage, n in ends.items())


async def records_of(fleet: Any) -> Any:
    return list(fleet._records) if hasattr(fleet, "run") else await fleet._records.all()


async def remove_unwanted(sandbox: Any, life: Life, fleet: Any) -> None:
    """As the lab: remove the requests that it does not want, once the fleet knows of them.

    One that is removed before is asked for again: nobody can tell it from what never arrived.
    """
    from ormco_trios.fleet import Stage

    for status in await records_of(fleet) if life.unwanted else ():
        if status.practice in life.unwanted and status.stage is Stage.WAITING:
            user = sandbox.world.user(life.doctors[status.practice][0])
            for connection in sandbox.world.connections():
                if connection.inviter == user.id:
                    sandbox.world.remove(connection.id)
            life.unwanted.discard(status.practice)


async def people(job: Job, life: Life, fleet: Any, sandbox: Any) -> None:
    """Open each link that is shown, some of them late, and hand over what comes of it."""
    import httpx

    from ormco_trios import errors
    from ormco_trios.sandbox import JourneyFailed
    from ormco_trios.testing import RemoteSandbox

    rng = random.Random(len(life.doctors))
    # When each may be asked again: not while it is being answered, nor right after.
    asked: dict[str, float] = {}
    now = asyncio.get_running_loop().time

    def open_link(link: Any) -> str:
        email, password = life.doctors[link.practice]
        with RemoteSandbox(job.base_url) as sandbox:
            return sandbox.authorize(link.url, email=email, password=password)

    async def answer(link: Any) -> None:
        try:
            address = await asyncio.to_thread(open_link, link)
            await fleet.authorized(link.practice, address)
        except (errors.OrmcoTriosError, JourneyFailed, httpx.HTTPError):
            asked[link.practice] = now()  # they try again

    while True:
        try:
            status = await status_of(fleet)
            await remove_unwanted(sandbox, life, fleet)
        except errors.StorageUnavailable:
            continue
        if life.over(status):
            return
        links = [
            link
            for link in status.links
            if asked.get(link.practice, 0.0) <= now() and rng.random() < 0.5
        ]
        asked.update((link.practice, now() + 10.0) for link in links)
        for start in range(0, len(links), 8):
            await asyncio.gather(*map(answer, links[start : start + 8]))
        await asyncio.sleep(0.3)


def populate(sandbox: Any, practices: int, rng: random.Random, minutes: float) -> Life:
    """Practices, each with a fate of its own."""
    from ormco_trios.fleet import Stage
    from ormco_trios.sandbox import Approval

    life = Life()
    for number, who in enumerate(sandbox.practices(practices)):
        id = f"p{number:05}"
        fate = rng.choices(list(FATES), list(FATES.values()))[0]
        time = 60 * minutes * rng.lognormvariate(0, 0.7)
        approval = Approval.held() if fate in {"removed", "held"} else Approval.after(time)
        sandbox.world.set_approval(approval, practice=who.email)
        if fate == "removed":
            life.unwanted.add(id)
        life.expected[id] = {"approved": Stage.CONNECTED, "held": Stage.WAITING}.get(
            fate, Stage.FAILED
        )
        life.known.append(
            {
                "id": id,
                "portal_username": who.portal_username,
                "portal_password": "wrong" if fate == "locked-out" else who.portal_password,
            }
        )
        life.doctors[id] = (who.email, who.password)
    return life


@contextlib.contextmanager
def lives_in_reality(scale: float) -> Iterator[None]:
    """Codes, links and drafts live as long by the machine's clock as they do in reality."""
    from ormco_trios.sandbox.services import portal, tokens
    from ormco_trios.sandbox.world import state

    with contextlib.ExitStack() as stack:
        for module, name in (
            (tokens, "CODE_LIFETIME"),
            (portal, "AUTHORIZATION_LIFETIME"),
            (portal, "DRAFT_LIFETIME"),
            (state, "DRAFT_LIFETIME"),
        ):
            life = getattr(module, name) * scale
            stack.enter_context(mock.patch.object(module, name, life))
        yield


async def live(
    form: Form,
    folder: Path,
    *,
    practices: int,
    conninfo: str = "",
    seed: int = 1,
    scale: float = 60.0,
    minutes: float = 10.0,
    fault_rate: float = 0.004,
    limit: float = 600.0,
) -> Result:
    """The life of a fleet.

    Args:
        scale: How fast its time goes.
        minutes: What an approval takes in the middle, in its time.
        fault_rate: Share of the requests that each kind of fault hits.
        limit: Seconds of real time, after which it is given up.
    """
    from ormco_trios.core.clock import ScaledClock
    from ormco_trios.sandbox import Sandbox

    for name in ("uvicorn.error", "psycopg"):  # which tell of the trouble that is made here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    clock = ScaledClock(scale)
    kills: Counter[str] = Counter()
    troubles: Counter[str] = Counter()
    with lives_in_reality(scale), Sandbox(server=True, clock=clock, seed=seed) as sandbox:
        life = populate(sandbox, practices, random.Random(seed), minutes)
        planned = [
            sandbox.fault(operation, times=None, rate=fault_rate, seed=seed + number, **kind)
            for number, (operation, kind) in enumerate(
                (operation, kind)
                for operation in OPERATIONS
                for kind in FAULTS
                # A portal that answers with a page is no interface of ours, and is left alone.
                if "body" not in kind or not operation.startswith(("profile", "session", "trios"))
            )
        ]
        job = Job.in_sandbox(
            sandbox,
            form=form,
            folder=str(folder),
            conninfo=conninfo,
            rate=0.0,
            practices=life.known,
        )
        began = asyncio.get_running_loop().time()
        async with AsyncExitStack() as stack:
            fleet, open_practice = await stack.enter_async_context(open_fleet(job))
            if form == "queue":
                await enroll_all(job, fleet)
                plan = [(deaths, number == 0) for number, deaths in DEATHS.items()]
            else:
                plan = [(DEATHS[0], True)]
            alive: set[int] = set()
            relay = None
            theirs = job
            if form == "queue":
                relay = Relay(conninfo, stack.enter_context(tempfile.TemporaryDirectory()))
                await stack.enter_async_context(relay())
                theirs = replace(job, conninfo=relay.conninfo)
            workers = [
                asyncio.create_task(keep_working(theirs, deaths, kills, alive, comes_back=back))
                for deaths, back in plan
            ]
            workers.append(asyncio.create_task(trouble(job, relay, alive, troubles, seed)))
            living = asyncio.create_task(people(job, life, fleet, sandbox))
            problems = await until_done(living, workers, limit)
            problems += told_by_forks(folder)
            seconds = asyncio.get_running_loop().time() - began
            sandbox.world.faults.clear()
            problems += judge(sandbox, life)
            problems += await compare(life, fleet, open_practice)
            status = await status_of(fleet)
        return Result(
            stages={stage.value: n for stage, n in status.stages.items() if n},
            kills=dict(kills),
            troubles=dict(troubles),
            faults=sum(fault.fired for fault in planned),
            seconds=round(seconds, 1),
            problems=problems,
        )


async def until_done(
    people: asyncio.Task[None], workers: list[asyncio.Task[None]], limit: float
) -> list[str]:
    """Wait for the doctors to have nothing left to do; what went wrong meanwhile."""
    deadline = asyncio.get_running_loop().time() + limit
    waiting = {people, *workers}
    while not people.done() and (left := deadline - asyncio.get_running_loop().time()) > 0:
        ended, waiting = await asyncio.wait(
            waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
        )
        if any(task.exception() for task in ended):
            break
    problems = [] if people.done() else ["it was not done in time"]
    for task in (people, *workers):
        task.cancel()
    ended_with = await asyncio.gather(people, *workers, return_exceptions=True)
    return problems + [f"{e!r}" for e in ended_with if isinstance(e, Exception)]


def judge(sandbox: Any, life: Life) -> list[str]:
    """What the World has seen that must not have happened."""
    journal = sandbox.journal
    problems = [f"{e.operation}: {e.explain}" for e in journal if "used before" in e.explain]
    made = journal.count("connections.request", wrote=True)
    if made != len(life.expected):
        problems.append(f"{made} connection requests for {len(life.expected)} practices")
    return problems


async def compare(life: Life, fleet: Any, open_practice: Any) -> list[str]:
    """With the tokens that were kept, and nothing else, all are found where they should be."""
    from ormco_trios.core.connections import AsyncHttpConnections
    from ormco_trios.fleet import Stage

    status = await status_of(fleet)
    failed = {each.practice for each in status.failures}
    problems = []
    connections = AsyncHttpConnections("httpx")
    for id, stage in life.expected.items():
        if stage is Stage.FAILED:
            found = "failed" if id in failed else "not failed"
        else:
            practice = open_practice(id)
            practice.http_connections = connections
            found = (await practice.check()).state.value
        if found != stage.value:
            problems.append(f"{id} is {found}, and should be {stage.value}")
    await connections.aclose()
    return problems


def main() -> None:
    """The long form, or a worker of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("form", nargs="?", choices=["queue", "one-machine"])
    parser.add_argument("--practices", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work(Job(**json.load(sys.stdin)), options.worker))
        return
    from tests.postgres import new_database, postgres

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        conninfo = ""
        if options.form == "queue":
            conninfo = new_database(stack.enter_context(postgres()), "fleet")
        result = asyncio.run(
            live(
                options.form,
                Path(folder),
                practices=options.practices,
                conninfo=conninfo,
                seed=options.seed,
                minutes=20.0,
                limit=3600.0,
            )
        )
    print(f"seed {options.seed}: {result}")
    sys.exit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
