"""What a fleet remembers between rounds, in one file on one machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.fleet.practice_status import UNREADABLE, PracticeStatus, Stage
from ormco_trios.fleet.practices import check_id, check_known
from ormco_trios.onboarding.outcomes import Progress

_ENROLL = "insert or ignore into practice_status values (?, ?, ?, ?, ?, ?, ?, ?)"
_SAVE = """
update practice_status set stage = ?, since = ?, due = ?, rounds = ?, problem = ?, progress = ?,
    version = version + 1 where practice = ? and version = ?
"""
_LOAD = "select * from practice_status where practice = ?"
_PAGE = "select * from practice_status where practice > ? order by practice limit 500"
_FAILED = "select practice from practice_status where stage = ? order by practice"
_FORGET = "delete from practice_status where practice = ?"
_ANNOUNCE = "insert or ignore into announced values (?)"
_ANNOUNCED = "select practice_status.* from announced join practice_status using (practice)"

_SCHEMA = """
create table if not exists practice_status (
    practice text primary key,
    stage text not null,
    since real not null,
    due real,
    rounds integer not null,
    problem text,
    progress text not null,
    version integer not null default 0
) without rowid;
create table if not exists announced (practice text primary key) without rowid;
"""
"""`announced` are those that were changed outside of a round, for the run to read them again."""


_OPEN: weakref.WeakSet[FleetRecords] = weakref.WeakSet()
_INHERITED: set[sqlite3.Connection] = set()
"""What a process had when this one was forked from it: not used here, and not even closed, which
would end the other's locks on the file."""


def _after_a_fork() -> None:
    for records in _OPEN:
        records.after_fork()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_a_fork)


class FleetRecords:
    """The status of each practice, in an SQLite file that only its owner can read.

    Losing it does no harm, since the services know the truth: the next run looks at every practice
    again, and links that nobody has opened yet are replaced.

    Args:
        path: Made if absent.  One run at a time may use it; reading it meanwhile is fine.

    Attributes:
        announced_here: Whether this process has `change`d something since `changed` was asked.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            # Made here, so that nobody else can ever open it; SQLite's own files take its mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise ConfigurationError(
                f"The fleet's record cannot be made ({type(error).__name__}).",
                advice="Name a file in a folder that exists and that you can write to.",
            ) from None
        self.announced_here = False
        self._lock = threading.Lock()
        self._connection = self._connect()
        self._version = self._data_version()
        _OPEN.add(self)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("pragma journal_mode = wal")
            # A killed process loses nothing; a power cut the last rounds, which are done again.
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma secure_delete = on")
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError:
            connection.close()
            raise ConfigurationError(
                "The fleet's record cannot be opened: it is in use, or cannot be written.",
                advice="End the program that uses it, or check who may write to its folder.",
            ) from None
        except sqlite3.DatabaseError:
            connection.close()
            raise ConfigurationError(
                "This file is not a fleet's record.", advice="Name another file, or a new one."
            ) from None
        return connection

    def after_fork(self) -> None:
        """Leave to the process that this one was forked from what is its own; called by itself."""
        self._lock = threading.Lock()  # the thread that held the other stayed behind
        _INHERITED.add(self._connection)

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection in _INHERITED:
            self._connection = self._connect()
        return self._connection

    def enroll(self, practices: Iterable[str], now: datetime) -> None:
        """Add those that are not there yet, as due now.

        Raises:
            ConfigurationError: One of the ids is none; nobody was added.
        """
        new = (_row(PracticeStatus.enrolled(check_id(practice), now)) for practice in practices)
        with self._lock, self._transaction() as database:
            database.executemany(_ENROLL, new)

    def load(self, practice: str) -> PracticeStatus:
        """The status of a practice.

        Raises:
            LookupError: It is not enrolled.
        """
        with self._lock:
            row = self._database.execute(_LOAD, (check_known(practice),)).fetchone()
        if row is None:
            raise LookupError("this practice is not enrolled")
        return _status(row)

    def save(self, status: PracticeStatus) -> bool:
        """Replace what it was made of; False if something else was written meanwhile."""
        practice, *values, version = _row(status)
        with self._lock:
            found = self._database.execute(_SAVE, (*values, practice, version))
        return found.rowcount > 0

    def change(
        self, practice: str, how: Callable[[PracticeStatus], PracticeStatus]
    ) -> PracticeStatus:
        """Replace it by what ``how`` makes of it, which a run that is under way notices.

        Returns:
            What it was before.

        Raises:
            LookupError: The practice is not enrolled.
        """
        while True:
            before = self.load(practice)
            _, *values, version = _row(how(before))
            with self._lock, self._transaction() as database:
                if database.execute(_SAVE, (*values, practice, version)).rowcount:
                    database.execute(_ANNOUNCE, (practice,))
                    self.announced_here = True
                    return before

    def forget(self, practice: str) -> bool:
        """Delete the record of a practice, and overwrite it in the file; whether it was there."""
        with self._lock, self._transaction() as database:
            database.execute("delete from announced where practice = ?", (check_known(practice),))
            found = database.execute(_FORGET, (practice,)).rowcount
        with self._lock:
            # What was written lately is still in a file beside this one.
            self._database.execute("pragma wal_checkpoint(truncate)").fetchall()
        return found > 0

    def __iter__(self) -> Iterator[PracticeStatus]:
        """All of them, in the order of their ids."""
        last = ""
        while True:
            with self._lock:
                rows = self._database.execute(_PAGE, (last,)).fetchall()
            if not rows:
                return
            yield from map(_status, rows)
            last = rows[-1][0]

    def failed(self) -> list[str]:
        """The ids of those that a person has to decide about."""
        with self._lock:
            rows = self._database.execute(_FAILED, (Stage.FAILED.value,)).fetchall()
        return [row[0] for row in rows]

    def changed(self) -> bool:
        """Whether anything was written that a round did not; asking is as dear as a read."""
        with self._lock:
            before, self._version = self._version, self._data_version()
            announced, self.announced_here = self.announced_here, False
        return announced or before != self._version

    def announced(self) -> list[PracticeStatus]:
        """What was `change`d since this was last called, by whichever process."""
        with self._lock, self._transaction() as database:
            rows = database.execute(_ANNOUNCED).fetchall()
            if rows:
                database.execute("delete from announced")
        return [_status(row) for row in rows]

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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


def _row(status: PracticeStatus) -> tuple[Any, ...]:
    return (
        status.practice,
        status.stage.value,
        status.since.timestamp(),
        None if status.due is None else status.due.timestamp(),
        status.rounds,
        status.problem,
        status.progress.to_json(),
        status.version,
    )


def _status(row: tuple[Any, ...]) -> PracticeStatus:
    practice, stage, since, due, rounds, problem, progress, version = row
    try:
        return PracticeStatus(
            practice=practice,
            stage=Stage(stage),
            since=datetime.fromtimestamp(since, UTC),
            due=None if due is None else datetime.fromtimestamp(due, UTC),
            rounds=rounds,
            problem=problem,
            progress=_progress(progress),
            version=version,
        )
    except (ValueError, TypeError, OverflowError, OSError):
        return PracticeStatus(
            practice,
            Stage.FAILED,
            since=datetime.fromtimestamp(0, UTC),
            due=None,
            problem=UNREADABLE,
            version=version,
        )


def _progress(text: str) -> Progress:
    """What was remembered; nothing if it cannot be read, which does no harm."""
    try:
        return Progress.from_json(text)
    except ConfigurationError:
        return Progress()
