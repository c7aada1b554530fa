"""Many onboardings through a sandbox server where everything goes wrong at random.

A *shard* is one server and one worker process at a time.  The server spoils answers at random in
every way it knows; the worker, which onboards one practice after the other, sync or async, is
killed at random requests and started again with nothing but its token files, and sometimes its
saved progress; it is interrupted at random moments and goes on with the same clients; and it is
forked at random requests, and both processes go on with them.  Every other practice signs in the
newer way, in which a refresh spends its token, and tokens live so shortly that many a request needs
one.  In the end every practice is connected: one connection request, no code used twice, no token
lost.  The same seed makes the same trouble, but for what depends on how fast the machine is.

``python -m tests.trust.chaos --practices 500 --seed 7`` runs the long form; ``nox -s chaos`` too.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn, get_args
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]

RATE = 0.01
"""Share of the requests that each single kind of fault hits."""

STATUSES = (401, 408, 429, 500, 502, 503, 504)
TOKENS_LIVE = 61
"""Seconds; the library renews a token a minute before it ends."""

KILLS = 0.4
"""Share of the onboardings whose worker is killed in the middle, and again with that chance."""

FORKS = 0.4
"""Share of the onboardings whose worker is forked in the middle."""

INTERRUPTED_WITHIN = 0.5
"""Seconds of an attempt in which it may be interrupted, as a person does with Ctrl-C."""


@dataclass(frozen=True)
class Job:
    """What a worker is told."""

    base_url: str
    folder: str
    seed: int
    client_id: str
    client_secret: str
    account_client_id: str
    redirect_uri: str
    practices: list[dict[str, str]]


@dataclass
class Result:
    """What became of a shard."""

    connected: int
    kills: int
    interrupted: int
    forks: int
    faults: int
    problems: list[str]
    digest: str


_USED: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()
"""The bearer tokens that each World was shown, while `watching`."""


@contextmanager
def watching() -> Iterator[None]:
    """Note every bearer token that a World is shown, for all shards of the process."""
    from ormco_trios.sandbox import Dispatcher, WireReply, WireRequest

    handle = Dispatcher.handle

    def noting(self: Dispatcher, request: WireRequest) -> WireReply:
        shown = request.header("authorization") or ""
        _USED[self.world].add(shown.removeprefix("Bearer "))
        return handle(self, request)

    with mock.patch.object(Dispatcher, "handle", noting):
        yield


def shard(seed: int, practices: int, folder: Path) -> Result:
    """Run one shard to its end while `watching`, and look at what is left."""
    from ormco_trios.core.clock import Clock
    from ormco_trios.sandbox import Approval, Sandbox

    sandbox = Sandbox(
        server=True,
        clock=Clock(),
        approval=Approval.after_polls(1 + seed % 2),
        token_lifetime=TOKENS_LIVE,
        seed=seed,
    )
    used: set[str] = set()
    _USED[sandbox.world] = used
    with sandbox:
        everyone = sandbox.practices(practices)
        planned = _plan(sandbox, seed)
        job = Job(
            base_url=sandbox.base_url,
            folder=str(folder),
            seed=seed,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            account_client_id=sandbox.account_client_id,
            redirect_uri=sandbox.redirect_uri,
            practices=[
                {
                    "email": who.email,
                    "doctor": who.password,
                    "username": who.portal_username,
                    "password": who.portal_password,
                }
                for who in everyone
            ],
        )
        kills, interrupted, forks = _work(job)
        sandbox.world.faults.clear()
        lost = [why for index in range(practices) if (why := _lost(sandbox, job, index, used))]
        told = "\n".join(f"{e.operation} {e.status} {e.broken}" for e in sandbox.journal)
        return Result(
            connected=sum(_is_connected(job, index) for index in range(practices)),
            kills=kills,
            interrupted=interrupted,
            forks=forks,
            faults=sum(fault.fired for fault in planned),
            problems=[*lost, *_problems(sandbox, practices)],
            digest=hashlib.sha256(told.encode()).hexdigest()[:16],
        )


def _plan(sandbox: Any, seed: int) -> list[Any]:
    """Every kind of fault there is, each with its own random requests."""
    from ormco_trios.sandbox.dispatch.table import TABLE
    from ormco_trios.sandbox.wire.mangling import Mangle
    from ormco_trios.sandbox.wire.messages import Network

    kinds: list[dict[str, Any]] = [{"status": s, "when": "before"} for s in STATUSES]
    kinds += [{"status": 503, "when": "after"}, {"status": 429, "retry_after": 2}]
    kinds += [{"status": 500, "body": "<html>down</html>"}, {"status": 200, "body": "<html>"}]
    kinds += [{"network": n, "when": "before"} for n in get_args(Network)]
    kinds += [{"network": "reset", "when": "after"}]
    kinds += [{"mangle": m} for m in get_args(Mangle)]
    # The pages are left alone: the doctor's browser has more patience than this has time.
    operations = sorted(
        {r.operation for r in TABLE if r.area in {"communicate", "oauth", "portal"}}
    )
    plan = [(operation, kind) for operation in operations for kind in kinds]
    return [
        sandbox.fault(operation, times=None, rate=RATE, seed=seed * 10000 + number, **kind)
        for number, (operation, kind) in enumerate(plan)
    ]


def _work(job: Job) -> tuple[int, int, int]:
    """Start workers until every practice is done; how many were killed, interrupted and forked."""
    index = kills = deaths = interrupted = forks = 0
    while index < len(job.practices):
        done = subprocess.run(
            [sys.executable, "-m", "tests.trust.chaos", "--worker", f"{index}", f"{deaths}"],
            input=json.dumps(asdict(job)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        told = done.stdout.split()
        interrupted += told.count("interrupted")
        forks += told.count("forked")
        finished = [word for word in told if word.isdecimal()]
        if done.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"seed {job.seed}, practice {index}: {done.stderr[-4000:]}")
        if finished:
            deaths = 0
        index += len(finished)
        if done.returncode != 0:
            kills += 1
            deaths += 1
    return kills, interrupted, forks


def _lost(sandbox: Any, job: Job, index: int, used: set[str]) -> str:
    """Whether the library ever had a newer token in use than the one on disk.

    One that was issued and never used is none that it lost: its answer did not arrive, or the
    worker was killed while it did.
    """
    from ormco_trios import FileTokenStore

    token = FileTokenStore(job.folder).load(f"practice-{index}")
    if token is None:
        return f"practice {index} has no token"
    state = sandbox.world.state
    user = sandbox.world.user(job.practices[index]["email"]).id
    issued = [
        value
        for value, known in state.tokens.items()
        if known.kind == "access"
        and state.grants[known.grant].user == user
        and state.grants[known.grant].client in (job.client_id, job.account_client_id)
    ]
    newer = issued[issued.index(token.access_token.get_secret_value()) + 1 :]
    return f"practice {index} used a token that is not saved" if used & {*newer} else ""


def _is_connected(job: Job, index: int) -> bool:
    """With the token on disk, and nothing else, everything is found in place.

    Where a refresh spends its token, and the answer to the last one was lost, the sign-in is
    missing, and nothing but that.
    """
    from tests.conftest import SyncOrAsync

    both = SyncOrAsync("sync")
    try:
        onboarding = _clients(both, job, index, hook=None, hurried=False)
        if index % 2 and onboarding.check().state.value == "needs_authorization":
            onboarding.run(authorize=_doctor(job, index))
        return bool(onboarding.check().state.value == "connected")
    finally:
        both.close()


def _doctor(job: Job, index: int) -> Callable[[Any], str]:
    """Opens the link in a browser, signs in, and allows access."""
    from ormco_trios.testing import RemoteSandbox

    who = job.practices[index]

    def doctor(needed: Any) -> str:
        with RemoteSandbox(job.base_url) as sandbox:
            return sandbox.authorize(needed.url, email=who["email"], password=who["doctor"])

    return doctor


def _problems(sandbox: Any, practices: int) -> list[str]:
    journal = sandbox.journal
    made = [e for e in journal.find("connections.request") if e.wrote]
    problems = [f"{e.operation}: {e.explain}" for e in journal if "used before" in e.explain]
    if len(made) != practices:
        problems.append(f"{len(made)} connection requests for {practices} practices")
    if len(sandbox.world.connections()) != practices:
        problems.append(f"{len(sandbox.world.connections())} connections")
    return problems


# --- the worker ----------------------------------------------------------------------------------


def work(job: Job, first: int, deaths: int) -> None:
    """Onboard the practices from ``first`` on; a line on standard output for each."""
    from tests.conftest import SyncOrAsync

    for index in range(first, len(job.practices)):
        rng = random.Random(f"{job.seed}/{index}/{deaths}")
        both = SyncOrAsync(rng.choice(["sync", "async"]))
        trouble = _Trouble(
            rng.randint(1, 30) if rng.random() < KILLS else 0,
            rng.randint(1, 30) if rng.random() < FORKS else 0,
            job.practices[index]["email"],
        )
        try:
            _onboard(both, job, index, rng, trouble)
        finally:
            both.close()
            trouble.end()
        print(index, flush=True)
        deaths = 0


@dataclass
class _Trouble:
    """A hook that kills the process after its n-th request, and forks it after another.

    Attributes:
        clients: Those that were made for this practice; the last are in use.
    """

    until_kill: int
    until_fork: int
    email: str
    clients: list[Any] = field(default_factory=list)
    children: list[int] = field(default_factory=list)

    def __call__(self, event: object) -> None:
        self.until_kill -= 1
        self.until_fork -= 1
        if self.until_kill == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.until_fork == 0:
            print("forked", flush=True)
            self.children.append(self._fork())

    def _fork(self) -> int:
        child = os.fork()
        if not child:
            self.until_kill = 0  # it is not killed on top of it
            _go_on(self.clients[-1], self.email)
        return child

    def end(self) -> None:
        """Make sure that what was forked ended well."""
        for child in self.children:
            _, status = os.waitpid(child, 0)
            if status:
                raise RuntimeError(f"a forked process ended with {status}")


def _go_on(onboarding: Any, email: str) -> NoReturn:
    """A forked process goes on with the clients it has inherited.

    It ends well unless it gets another account's answer, or an error that is none of ours.
    """
    from ormco_trios import errors

    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    inside = getattr(onboarding, "_target", onboarding)

    def use() -> None:
        try:
            seen = inside.check()
            if asyncio.iscoroutine(seen):
                seen = asyncio.run(seen)
            account = inside.progress.account
            if account is not None and account.email != email:
                ended.append("another account's answer")
        except errors.OrmcoTriosError:
            pass  # as every request may fail here
        except BaseException as error:  # noqa: BLE001 - whatever it is
            ended.append(repr(error))

    ended: list[str] = []
    thread = threading.Thread(target=use)  # which has no event loop yet
    thread.start()
    thread.join()
    if ended:
        print(*ended, file=sys.stderr, flush=True)
    os._exit(1 if ended else 0)


def _interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def _onboard(both: Any, job: Job, index: int, rng: random.Random, trouble: _Trouble) -> None:
    """Try until it is connected, as a queue would: what has failed is tried again.

    What was interrupted goes on with the same clients.
    """
    import httpx

    from ormco_trios import Connected, Progress, errors
    from ormco_trios.sandbox import JourneyFailed

    doctor = _doctor(job, index)
    saved = Path(job.folder, f"{index}.progress")
    problem: BaseException | None = None
    signal.signal(signal.SIGALRM, _interrupt)

    for _ in range(60):
        progress = None
        if rng.random() < 0.5 and saved.exists():
            progress = Progress.from_json(saved.read_text())
        if not isinstance(problem, KeyboardInterrupt):
            trouble.clients.append(_clients(both, job, index, hook=trouble, progress=progress))
        onboarding = trouble.clients[-1]
        problem = None
        if rng.random() < 0.3:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, INTERRUPTED_WITHIN))
        try:
            if rng.random() < 0.5:
                outcome = onboarding.run(authorize=both.callback(doctor))
            else:
                outcome = onboarding.advance()
                whole = saved.with_suffix(".new")  # an interrupt here leaves the file before it
                whole.write_text(onboarding.progress.to_json())
                whole.replace(saved)
                if hasattr(outcome, "url"):
                    onboarding.finish_authorization(doctor(outcome))
            if isinstance(outcome, Connected):
                return
        except (errors.OrmcoTriosError, JourneyFailed, httpx.HTTPError) as error:
            problem = error
        except KeyboardInterrupt as error:
            problem = error
            print("interrupted", flush=True)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    raise RuntimeError("it never came about") from problem


def _clients(
    both: Any, job: Job, index: int, *, hook: Any, progress: Any = None, hurried: bool = True
) -> Any:
    from ormco_trios import AuthorizationServer, Clock, Environment, FileTokenStore, Timeout
    from ormco_trios.core.clock import HurriedClock

    who = job.practices[index]
    common: dict[str, Any] = {
        "environment": Environment.sandbox(job.base_url),
        "clock": HurriedClock(3600) if hurried else Clock(),
        "timeout": Timeout(connect=5, read=0.3, total=1),
        "on_event": hook,
    }
    application: dict[str, Any] = {
        "client_id": job.client_id,
        "client_secret": job.client_secret,
    }
    if index % 2:
        application = {
            "client_id": job.account_client_id,
            "server": AuthorizationServer.account(),
        }
    oauth = both.oauth(
        **application,
        redirect_uri=job.redirect_uri,
        store=FileTokenStore(job.folder),
        account=f"practice-{index}",
        **common,
    )
    return both.onboarding(
        communicate=both.communicate(auth=oauth.auth, **common),
        ormco=both.ormcodigital(username=who["username"], password=who["password"], **common),
        oauth=oauth,
        progress=progress,
    )


def main() -> None:
    """The long form, or a worker of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--practices", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--worker", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(Job(**json.load(sys.stdin)), *options.worker)
        return
    # What the server says of answers that it was told to spoil.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    each = -(-options.practices // options.shards)
    with (
        watching(),
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(options.shards) as threads,
    ):
        folders = [Path(folder, str(n)) for n in range(options.shards)]
        seeds = [options.seed * 100 + n for n in range(options.shards)]
        for path in folders:
            path.mkdir()
        failed = False
        results = threads.map(shard, seeds, [each] * len(seeds), folders)
        for seed, result in zip(seeds, results, strict=True):
            print(f"seed {seed}: {result}", flush=True)
            failed = failed or result.connected != each or bool(result.problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
