"""What a fleet remembers between rounds, in one file on one machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.fleet.practices import check_id
from ormco_trios.fleet.standing import Stage, Standing
from ormco_trios.onboarding.outcomes import Progress

_ENROLL = "insert or ignore into standing values (?, ?, ?, ?, ?, ?, ?)"
_SAVE = "insert or replace into standing values (?, ?, ?, ?, ?, ?, ?)"
_LOAD = "select * from standing where practice = ?"
_ALL = "select * from standing order by practice"

_SCHEMA = """
create table if not exists standing (
    practice text primary key,
    stage text not null,
    since real not null,
    due real,
    rounds integer not null,
    problem text,
    progress text not null
) without rowid
"""


class FleetRecords:
    """Where each practice stands, in an SQLite file that only its owner can read.

    Losing it does no harm, since the services know the truth: the next run looks at every practice
    anew, and links that nobody has opened yet are replaced.

    Args:
        path: Made if absent.  One run at a time may use it; reading it meanwhile is fine.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with contextlib.suppress(FileExistsError):
            # Made here, so that nobody else can ever open it; SQLite's own files take its mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        self._lock = threading.Lock()
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            self._database.execute("pragma journal_mode = wal")
            # A killed process loses nothing; a power cut the last rounds, which are looked at anew.
            self._database.execute("pragma synchronous = normal")
            self._database.execute(_SCHEMA)
        except sqlite3.DatabaseError:
            self._database.close()
            raise ConfigurationError(
                "This file is not a fleet's record.", advice="Name another file, or a new one."
            ) from None
        self._version = self._data_version()
        self._announced = False

    def enroll(self, practices: Iterable[str], now: datetime) -> None:
        """Add those that are not there yet, as due now.

        Raises:
            ConfigurationError: One of the ids is none; nobody was added.
        """
        new = (_row(Standing.enrolled(check_id(practice), now)) for practice in practices)
        with self._lock, self._transaction() as database:
            database.executemany(_ENROLL, new)

    def load(self, practice: str) -> Standing:
        """Where a practice stands.

        Raises:
            LookupError: It is not enrolled.
        """
        with self._lock:
            row = self._database.execute(_LOAD, (practice,)).fetchone()
        if row is None:
            raise LookupError("this practice is not enrolled")
        return _standing(row)

    def save(self, standing: Standing) -> None:
        """Replace what was known."""
        with self._lock:
            self._database.execute(
                _SAVE,
                _row(standing),
            )

    def announce(self, standing: Standing) -> None:
        """As `save`, for what a run that is under way has to notice."""
        self.save(standing)
        self._announced = True

    def __iter__(self) -> Iterator[Standing]:
        """All of them, in the order of their ids."""
        with self._lock:
            rows = self._database.execute(_ALL).fetchall()
        return map(_standing, rows)

    def changed(self) -> bool:
        """Whether something is due that was not `save`d here; asking costs next to nothing."""
        with self._lock:
            before, self._version = self._version, self._data_version()
            announced, self._announced = self._announced, False
        return announced or before != self._version

    @contextlib.contextmanager
    def one_run(self) -> Generator[None]:
        """Keep a second run out for as long as this block lasts; it ends with the process.

        Raises:
            ConfigurationError: There is one already.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(f"{self.path}.lock", timeout=0, thread_local=False, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise ConfigurationError(
                "Another process is running this fleet.", advice="Wait for it, or stop it."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._database.execute("begin immediate")
        with self._database:
            yield self._database

    def _data_version(self) -> int:
        version: int = self._database.execute("pragma data_version").fetchone()[0]
        return version


def _row(standing: Standing) -> tuple[Any, ...]:
    return (
        standing.practice,
        standing.stage.value,
        standing.since.timestamp(),
        None if standing.due is None else standing.due.timestamp(),
        standing.rounds,
        standing.problem,
        standing.progress.to_json(),
    )


def _standing(row: tuple[Any, ...]) -> Standing:
    practice, stage, since, due, rounds, problem, progress = row
    return Standing(
        practice=practice,
        stage=Stage(stage),
        since=datetime.fromtimestamp(since, UTC),
        due=None if due is None else datetime.fromtimestamp(due, UTC),
        rounds=rounds,
        problem=problem,
        progress=Progress.from_json(progress),
    )
