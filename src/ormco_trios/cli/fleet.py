"""The commands for many practices."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ormco_trios.cli.common import ask_for_paste
from ormco_trios.cli.person import ask_for_task
from ormco_trios.cli.settings import (
    APPLICATION,
    configured_application,
    configured_store,
    demonstration_clock,
    needed_settings,
)
from ormco_trios.core.clock import Clock
from ormco_trios.core.environment import Environment
from ormco_trios.core.files import replace_file
from ormco_trios.core.pacing import AsyncPacer, Pacer, TokenBucket
from ormco_trios.fleet import (
    AsyncFleet,
    AsyncPracticeOpener,
    FleetPractice,
    FleetRecords,
    FleetStatus,
    Stage,
    read_practices,
)
from ormco_trios.fleet.async_forget import SIGN_IN, removed
from ormco_trios.oauth.stores import MemoryTokenStore
from ormco_trios.oauth.token import AsyncTokenStore, TokenStore
from ormco_trios.onboarding.repair import Disconnected, PlaceState

if TYPE_CHECKING:
    from ormco_trios.fleet.queue import FleetQueue
    from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
    from ormco_trios.onboarding.outcomes import NeedsPerson
    from ormco_trios.ormcodigital.tasks import TaskAnswer

T = TypeVar("T")

DATABASE = "ORMCO_TRIOS_FLEET_DATABASE"

_STYLES = {
    Stage.CONNECTED: "green",
    Stage.WAITING: "blue",
    Stage.NEEDS_AUTHORIZATION: "yellow",
    Stage.NEEDS_PERSON: "yellow",
    Stage.UNREACHABLE: "magenta",
    Stage.FAILED: "red",
    Stage.ENROLLED: "dim",
}
_BAR = 20

# --- one machine ----------------------------------------------------------------------------------


def run(
    practices: Path | None,
    sandbox: int | None,
    stay: bool,
    retry: bool,
    in_flight: int,
    rate: float,
    records: Path,
    report: Path | None,
    as_json: bool,
) -> None:
    if (practices is None) == (sandbox is None):
        raise click.UsageError("Give a LIST, or --sandbox with a number.")
    if practices is None:
        assert sandbox is not None
        status = asyncio.run(_run_sandbox(sandbox, in_flight, as_json))
    else:
        known = read_practices(practices)
        status = asyncio.run(_run(known, records, in_flight, rate, as_json, stay=stay, retry=retry))
    _finish(status, report, as_json)


def _offer_to_forget(gone: Sequence[str]) -> None:
    """Name the practices that something is kept of, and that are in the list no more."""
    if gone:
        few = ", ".join(gone[:8]) + (f" and {len(gone) - 8} more" if len(gone) > 8 else "")
        click.echo(
            f"No longer in the list, but their records are kept: {few}. "
            "`ormco-trios fleet forget ID` deletes what is kept of one.",
            err=True,
        )


async def _run(
    known: Mapping[str, FleetPractice],
    path: Path,
    in_flight: int,
    rate: float,
    as_json: bool,
    *,
    stay: bool,
    retry: bool,
) -> FleetStatus:
    opener = _opener(configured_store(os.environ), TokenBucket(rate, burst=5))
    async with AsyncFleet(known, opener.open, path, in_flight=in_flight) as practices:
        if retry:
            practices.retry()
        with _Display(practices.status, as_json) as display:
            async for _ in practices.run(until=None if stay else "people"):
                display.update()
        _offer_to_forget(practices.gone())
        return practices.status()


async def _run_sandbox(n: int, in_flight: int, as_json: bool) -> FleetStatus:
    """A simulated fleet: most are approved within hours, some never, one has a wrong password."""
    import random
    import tempfile

    from ormco_trios.sandbox import Approval, Practice, Sandbox

    rng = random.Random(n)  # noqa: S311 - a demonstration that is the same each time
    clock = demonstration_clock(watched=not as_json and Console().is_terminal)
    with tempfile.TemporaryDirectory() as folder, Sandbox(clock=clock) as sandbox:
        doctors: dict[str, Practice] = {}
        known: dict[str, FleetPractice] = {}
        for number, who in enumerate(sandbox.practices(n), 1):
            id = f"practice-{number:04}"
            doctors[id] = who
            hours = rng.lognormvariate(1.0, 0.8)
            gone = number % 17 == 5
            approval = Approval.removed_after if gone else Approval.after
            sandbox.world.set_approval(approval(3600 * hours), practice=who.email)
            known[id] = FleetPractice.model_validate(
                {
                    "id": id,
                    "portal_username": who.portal_username,
                    "portal_password": "wrong" if number % 23 == 7 else who.portal_password,
                }
            )
        opener = AsyncPracticeOpener(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            store=MemoryTokenStore(),
        )
        async with AsyncFleet(
            known, opener.open, Path(folder, "fleet.db"), in_flight=in_flight, clock=clock
        ) as practices:
            with _Display(practices.status, as_json) as display:
                async for status in practices.run():
                    if status.link is not None and rng.random() < 0.3:  # the others are busy
                        address = sandbox.authorize(
                            status.link, email=doctors[status.practice].email
                        )
                        await practices.authorized(status.practice, address)
                    display.update()
            return practices.status()


# --- both -----------------------------------------------------------------------------------------


def status(records: Path, report: Path | None, links: bool, as_json: bool) -> None:
    if DATABASE in os.environ:
        found = _with_queue(lambda queue: queue.status())
    elif records.exists():
        with FleetRecords(records) as known:
            found = FleetStatus.of(known, now=Clock().now())
    else:
        raise click.UsageError(f"There is no fleet yet: {records} does not exist.")
    if links:
        for link in found.links:
            click.echo(f"{link.practice}\t{link.url}")
        for task in found.tasks:
            click.echo(f"{task.practice}\t{task.title}")
        return
    _finish(found, report, as_json)


def authorize(practice: str, practices: Path | None, records: Path) -> None:
    if DATABASE not in os.environ and practices is None:
        raise click.UsageError("Name the list of practices with --list.")
    if DATABASE not in os.environ and not records.exists():
        raise click.UsageError(f"There is no fleet yet: {records} does not exist.")
    known = {} if practices is None else read_practices(practices)
    pasted = ask_for_paste("Address")
    try:
        needed = _answer(known, records, practice, pasted)
        if needed is not None:
            said = ask_for_task(needed.task, checked_at=needed.checklist.looked_at)
            _answer(known, records, practice, said, id=needed.task.id)
    except LookupError:
        raise click.UsageError("There is no such practice in this fleet.") from None
    click.echo("Accepted. The run goes on with this practice by itself.")


def _answer(
    known: Mapping[str, FleetPractice],
    path: Path,
    practice: str,
    answer: TaskAnswer | str,
    *,
    id: str | None = None,
) -> NeedsPerson | None:
    async def take(fleet: AsyncFleet[FleetPractice] | FleetQueue) -> NeedsPerson | None:
        if isinstance(answer, str):
            return await fleet.authorized(practice, answer)
        return await fleet.finish_task(practice, answer, id=id)

    async def alone() -> NeedsPerson | None:
        opener = _opener(configured_store(os.environ), None)
        async with AsyncFleet(known, opener.open, path) as practices:
            return await take(practices)

    return _with_queue(take) if DATABASE in os.environ else asyncio.run(alone())


def forget(
    practice: str,
    take_back: bool,
    practices: Path | None,
    records: Path,
    report: Path | None,
    as_json: bool,
) -> None:
    try:
        if DATABASE in os.environ:
            places, status = _with_queue(lambda queue: _forget_on_queue(queue, practice, take_back))
        else:
            known = {} if practices is None else read_practices(practices)
            if not records.exists() and practice not in known:
                raise click.UsageError(f"There is no fleet yet: {records} does not exist.")
            places, status = asyncio.run(_forget(known, records, practice, take_back))
    except LookupError:
        raise click.UsageError("There is no such practice in this fleet.") from None
    if report is not None:
        replace_file(report, status.to_html().encode())
    if as_json:
        rows = [{"place": each.name, "state": each.state.value} for each in places.places]
        print(json.dumps(rows, indent=2))
    else:
        click.echo(str(places))
    states = {each.state for each in places.places}
    sys.exit(6 if PlaceState.FAILED in states else 4 if PlaceState.NEEDS_PERSON in states else 0)


async def _forget(
    known: Mapping[str, FleetPractice], path: Path, practice: str, take_back: bool
) -> tuple[Disconnected, FleetStatus]:
    opener = _opener(configured_store(os.environ), None)
    # Only this one: the others are not enrolled by forgetting it.
    known = {id: each for id, each in known.items() if id == practice}
    if take_back and not known:
        raise click.UsageError("To take access back, name the list that it is in with --list.")
    async with AsyncFleet(known, opener.open, path) as practices:
        forgotten = await practices.forget(practice, take_back=take_back)
    if not known:
        sign_in = removed(SIGN_IN, await opener.forget_sign_in(practice))
        forgotten = Disconnected((sign_in, *forgotten.places[1:]))
    with FleetRecords(path) as left:
        return forgotten, FleetStatus.of(left, now=Clock().now())


async def _forget_on_queue(
    queue: FleetQueue, practice: str, take_back: bool
) -> tuple[Disconnected, FleetStatus]:
    return await queue.forget(practice, take_back=take_back), await queue.status()


# --- many machines --------------------------------------------------------------------------------


def key() -> None:
    from ormco_trios.fleet.encryption import Encryption

    click.echo(Encryption.new_key())


def migrate() -> None:
    version = _with_queue(lambda queue: queue.migrate(), checked=False)
    click.echo(f"The fleet's tables are at version {version}.")


def enroll(practices: Path, priority: int) -> None:
    known = read_practices(practices)

    async def enroll_all(queue: FleetQueue) -> int:
        from ormco_trios.fleet.postgres import PostgresPractices

        stored = PostgresPractices(queue.database)
        await stored.save(*known.values())
        _offer_to_forget([each for each in await stored.ids() if each not in known])
        return await queue.enroll(*known, priority=priority)

    click.echo(f"New: {_with_queue(enroll_all)} of {len(known)}.")


def worker(concurrency: int, rate: float) -> None:
    _with_queue(lambda queue: queue.work(concurrency=concurrency), rate=rate)


def pause() -> None:
    _with_queue(lambda queue: queue.pause())


def resume() -> None:
    _with_queue(lambda queue: queue.resume())


def retry(practices: tuple[str, ...]) -> None:
    count = _with_queue(lambda queue: queue.retry(practices or None))
    click.echo(f"Tried again: {count}.")


def reseal() -> None:
    done = _with_queue(lambda queue: queue.database.reseal())
    click.echo(f"{done.count} secrets are sealed with the first key.")
    for each in done.unreadable:
        click.echo(f"No key opens the secret of {each}; it is left as it is.", err=True)
    if done.unreadable:
        sys.exit(6)


def _with_queue(
    do: Callable[[FleetQueue], Awaitable[T]], *, rate: float = 10.0, checked: bool = True
) -> T:
    async def inside() -> T:
        async with _queue(rate) as queue:
            if checked:
                await queue.database.check()
            return await do(queue)

    # Not Windows' default, in which psycopg does not work.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(inside())


@asynccontextmanager
async def _queue(rate: float) -> AsyncGenerator[FleetQueue]:
    meanings = {
        "FLEET_DATABASE": "where the fleet's PostgreSQL is",
        "FLEET_KEYS": "what secrets are sealed with; `ormco-trios fleet key` makes one",
    }
    conninfo = needed_settings(os.environ, meanings | APPLICATION)[0]
    from ormco_trios.fleet.encryption import Encryption
    from ormco_trios.fleet.postgres import (
        FleetDatabase,
        PostgresPacer,
        PostgresPractices,
        PostgresTokenStore,
    )
    from ormco_trios.fleet.queue import FleetQueue

    # The pool says to standard error what `FleetDatabase` says better.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    encryption = Encryption.from_env()
    async with FleetDatabase(conninfo, encryption) as database:
        practices = PostgresPractices(database)
        opener = _opener(PostgresTokenStore(database), PostgresPacer(database, rate, burst=5))

        async def open_practice(practice: str) -> AsyncOnboarding:
            return opener.open(await practices.load(practice))

        async with FleetQueue(database, open_practice) as queue:
            yield queue


# --- shared ---------------------------------------------------------------------------------------


def _opener(
    store: TokenStore | AsyncTokenStore, pacer: Pacer | AsyncPacer | None
) -> AsyncPracticeOpener:
    environment = Environment.from_env()
    return AsyncPracticeOpener(
        environment if pacer is None else environment.paced(pacer),
        **configured_application(os.environ),
        store=store,
    )


def _finish(status: FleetStatus, report: Path | None, as_json: bool) -> NoReturn:
    if report is not None:
        # It holds links that are for one practice each, so only its owner can read it.
        replace_file(report, status.to_html().encode())
    if as_json:
        print(status.model_dump_json(indent=2))
    else:
        console = Console()
        console.print(_table(status))
        for problem, names in _grouped(status).items():
            console.print(Text(f"\n{problem}"))
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            console.print(Text(f"  {', '.join(names[:8])}{more}", style="dim"))
        if status.links:
            console.print(
                Text(
                    f"\nPractices that have to open a link: {len(status.links)}. "
                    "`ormco-trios fleet status --links` lists them."
                )
            )
        if status.tasks:
            console.print(
                Text(
                    f"\nPractices that have to go to OrmcoDigital: {len(status.tasks)}. "
                    "`ormco-trios fleet status --report FILE` says what to do there."
                )
            )
    sys.exit(_exit_code(status))


def _grouped(status: FleetStatus) -> dict[str, list[str]]:
    """The failed practices by what happened to them."""
    groups: dict[str, list[str]] = {}
    for failure in status.failures:
        groups.setdefault(failure.problem, []).append(failure.practice)
    return groups


def _exit_code(status: FleetStatus) -> int:
    if status.stages[Stage.CONNECTED] == status.total:
        return 0
    for stage, code in {
        Stage.WAITING: 3,
        Stage.NEEDS_AUTHORIZATION: 4,
        Stage.NEEDS_PERSON: 4,
        Stage.FAILED: 6,
    }.items():
        if status.stages[stage]:
            return code
    return 7


def _table(status: FleetStatus) -> Table:
    """Counts by stage, as numbers and as bars, and who has to act."""
    view = Table(box=None, show_header=False, pad_edge=False)
    view.add_column()
    view.add_column(justify="right")
    view.add_column(width=_BAR)
    view.add_column(style="dim")
    for stage, style in _STYLES.items():
        n = status.stages[stage]
        if n:
            bar = "█" * max(1, round(_BAR * n / status.total))
            actor = "" if stage is Stage.CONNECTED else stage.actor.value
            view.add_row(Text(stage.title), Text(str(n)), Text(bar, style=style), Text(actor))
    notes = ", ".join(f"{name[0].lower()}{name[1:]}: {value}" for name, value in status.notes())
    view.caption = Text(notes[0].upper() + notes[1:], style="dim")
    view.caption_justify = "left"
    return view


class _Display:
    """The status while it changes: redrawn on a terminal, silent elsewhere."""

    def __init__(self, look: Callable[[], FleetStatus], as_json: bool) -> None:
        self._look = look
        self._clock = Clock()
        console = Console()
        self._live = (
            Live(console=console, transient=True, auto_refresh=False)
            if console.is_terminal and not as_json
            else None
        )
        self._next = 0.0

    def __enter__(self) -> _Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        """Look again, unless that was just done: for many practices it takes a while."""
        began = self._clock.monotonic()
        if self._live is not None and began >= self._next:
            self._live.update(_table(self._look()), refresh=True)
            now = self._clock.monotonic()
            self._next = now + max(0.25, 10 * (now - began))
