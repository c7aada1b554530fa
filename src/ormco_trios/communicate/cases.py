# Generated from async_cases.py by tools/mirror.py; edit that file.
"""``communicate.cases``"""

from __future__ import annotations

import builtins
import os
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path

from ormco_trios.communicate import case_files, case_flows
from ormco_trios.communicate.case_files import Download, OnProgress
from ormco_trios.communicate.case_sync import EVERY_PRACTICE, OVERLAP, CaseCursor, CaseWindow
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import Case, CaseFile, CaseIncrement
from ormco_trios.core.environment import Service
from ormco_trios.core.runner import Runner
from ormco_trios.core.shield import Shielded


class Cases(Shielded):
    """``communicate.cases``: patients' data, so nothing of it is printed or logged.

    They are read from the server of the account's region [doc WF2], which is looked up once for
    each client.  A server that is not known gets no token and raises `UntrustedHost`.

    A lab's account sees the cases of every practice that it is connected with.  Where a method
    takes ``practice``, the id that was stored for a practice (``user.id``), it gives that
    practice's cases only: those that it created, or that name it among their actors by this id
    [doc WF3].  A filter that is no id, such as None or an e-mail, raises `ConfigurationError`.
    """

    __slots__ = ("_home", "_runner")

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._home = Home(runner.channels[Service.METADATA].environment)

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        practice: str = EVERY_PRACTICE,
    ) -> Generator[Case, None]:
        """The account's cases, newest first; pages of ten are fetched as you go on [doc M2.3].

        Each comes once, also if others arrive meanwhile.  To keep up with changes, use `sync`.

        Args:
            since: Only those from this moment on, with a zone, in whole seconds.
            until: Only those up to this moment, likewise.
            practice: Only this practice's, by its id; all the same, every page is fetched.
        """
        return self._runner.iterate(
            case_flows.list_cases(self._home, since=since, until=until, practice=practice)
        )

    def search(
        self,
        text: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        practice: str = EVERY_PRACTICE,
    ) -> Generator[Case, None]:
        """As `list`, only those that match ``text`` [doc M2.5].

        What it is looked for in is not documented: a patient's name or an order number [assumed].

        The text is in the address that is requested, so a proxy of yours may log it; this
        library does not.

        Args:
            text: What to look for.
            since: Only those from this moment on, with a zone, in whole seconds.
            until: Only those up to this moment, likewise.
            practice: Only this practice's, by its id.
        """
        return self._runner.iterate(
            case_flows.search(self._home, text, since=since, until=until, practice=practice)
        )

    def updated(
        self, since: datetime, *, until: datetime | None = None, practice: str = EVERY_PRACTICE
    ) -> builtins.list[Case]:
        """Every case that changed since a moment, in one answer [doc M2.4].

        `sync` does the same with a position that it keeps for you.

        Args:
            since: From this moment on, with a zone, in whole seconds.
            until: Up to this moment, likewise; it may be ignored [assumed].
            practice: Only this practice's, by its id.

        Raises:
            ConfigurationError: A time without a zone.
        """
        return self._runner.run(
            case_flows.updated(self._home, since=since, until=until, practice=practice)
        )

    def sync(
        self,
        cursor: CaseCursor | None = None,
        *,
        since: datetime | None = None,
        practice: str = EVERY_PRACTICE,
        overlap: timedelta = OVERLAP,
        size: int = 500,
        every_version: bool = False,
    ) -> Generator[CaseWindow, None]:
        """What is new or changed since ``cursor``, in windows; ends when it has caught up.

        Keep the cases of a window, then store its ``cursor.to_json()``, and give that cursor next
        time, in this process or another.  Nothing is lost, whatever happens in between, and no
        version of a case comes twice, except that after an interruption the last window comes
        again.  Without changes there is no window, and the cursor you have stays good.

        One request is made, whose answer holds all that has changed [doc].

        Args:
            cursor: That of the last window; without one it begins at ``since``.
            since: Where to begin, with a zone, in whole seconds; by default before every case.
            practice: Only this practice's cases, by its id; a cursor belongs to one filter.
            overlap: How far before its position each look begins, for changes that the service
                lists late.
            size: Most cases of a window.
            every_version: Also give the versions that were replaced before they were looked for;
                takes a request for each of them, and one more for each changed case.

        Raises:
            ConfigurationError: The cursor is another account's or another filter's, or lies in the
                future; nothing was read.
            AnswerTooLarge: More has changed than is read at once, which is 64 MiB.
        """
        return self._runner.iterate(
            case_flows.sync(
                self._home,
                cursor,
                since=since,
                practice=practice,
                overlap=overlap,
                size=size,
                every_version=every_version,
                clock=self._runner.clock,
            )
        )

    def get(self, id: str, *, practice: str = EVERY_PRACTICE) -> Case:
        """The latest version of a case [doc M2.1].

        Args:
            id: The case's id.
            practice: The practice for which it is read, by its id.

        Raises:
            NotFound: The account's server has no such case, or it is not one of this practice.
            PermissionDenied: The account takes no part in it.
        """
        return self._runner.run(case_flows.get(self._home, id, practice=practice))

    def version(self, id: str, number: int, *, practice: str = EVERY_PRACTICE) -> Case:
        """One version of a case; every change saves one [doc M2.2].

        Args:
            id: The case's id.
            number: The version, from 1 on.
            practice: The practice for which it is read, by its id.

        Raises:
            NotFound: There is no such case or version, or it is not one of this practice.
            PermissionDenied: The account takes no part in it.
        """
        return self._runner.run(case_flows.version(self._home, id, number, practice=practice))

    def increment(self, id: str) -> CaseIncrement:
        """A case increment, by its own id [doc M2.6].

        Raises:
            NotFound: There is none with this id.
        """
        return self._runner.run(case_flows.increment(self._home, id))

    def comment(self, case: Case | str, id: str) -> str:
        """The text of a comment [doc M3.4]; patients' data.

        Args:
            case: The case, or its id.
            id: The comment's id.

        Raises:
            NotFound: The case has no such comment.
        """
        return self._runner.run(case_flows.comment(self._home, _id(case), id))

    def approve(self, case: Case | str) -> None:
        """Set a case's state to *approved* [doc M4.4], which saves a new version of it [inferred].

        Args:
            case: The case, or its id.

        Raises:
            NotFound: The account's server has no such case.
            PermissionDenied: The account takes no part in it.
            UnexpectedAnswer: The answer has another id than was asked for.
        """
        self._runner.run(case_flows.set_state(self._home, _id(case), "approved"))

    def reject(self, case: Case | str) -> None:
        """Set a case's state to *rejected*; as `approve`."""
        self._runner.run(case_flows.set_state(self._home, _id(case), "rejected"))

    def download(
        self,
        file: CaseFile,
        to: str | os.PathLike[str],
        *,
        limit: int | None = None,
        as_ply: bool = False,
        overwrite: bool = True,
        progress: OnProgress | None = None,
    ) -> Download:
        """Write a file of a case to ``to``, whatever its size: it goes there block by block.

        It appears as a whole, once its SHA-1 was compared, readable by its owner alone.  Whatever
        fails or is interrupted leaves nothing behind, and a file that was there before unchanged.
        If it breaks off, it begins again, as often as the client's ``retry`` says.

        The time limit is one for progress: 512 KiB may take ``Timeout.total``, and the pause
        between two pieces ``Timeout.read``.

        Args:
            file: One of ``case.files``.
            to: The file's path, in a folder that exists; never a name that the service chose.
            limit: Most bytes to take.
            as_ply: Have the service convert a scan to PLY [seen]; its SHA-1 is not known then.
            overwrite: Whether to replace a file that is there already.
            progress: Called at the beginning and after each block with the bytes so far, and those
                in all, or None if that is not known.  What it raises ends the download.

        Returns:
            Where it is, its size, its SHA-1, and whether the case names that SHA-1.

        Raises:
            PermissionDenied: A practice's sign-in gets no STL files [doc WF2].
            UntrustedHost: The file is said to be outside the environment; nothing was sent.
            AnswerTooLarge: It is larger than ``limit``.
            DownloadInterrupted: It stopped coming; ``error.received`` says how far it was.
            UnexpectedAnswer: It has another SHA-1 than the case says.
            FileExistsError: ``to`` exists and is not to be replaced.
            OSError: It could not be written: there is no such folder, or the disk is full.
        """
        return self._runner.run(
            case_files.download(
                self._home,
                file,
                Path(to),
                limit=limit,
                as_ply=as_ply,
                overwrite=overwrite,
                progress=progress,
            )
        )

    def open(
        self, file: CaseFile, *, limit: int | None = None, as_ply: bool = False
    ) -> Generator[bytes, None]:
        """The content of a file in blocks of about 512 KiB, if you store it elsewhere.

        The SHA-1 is compared after the last block: what you have is good only once the iteration
        has ended without an error.  To stop early, close the iterator; that frees the connection.

        Args:
            file: One of ``case.files``.
            limit: Most bytes to take.
            as_ply: Have the service convert a scan to PLY [seen].

        Raises:
            DownloadInterrupted: It stopped coming; begin again, since blocks are not given twice.
            UnexpectedAnswer: It has another SHA-1 than the case says.
            AnswerTooLarge: It is larger than ``limit``.
        """
        return self._runner.iterate(case_files.read(self._home, file, limit=limit, as_ply=as_ply))


def _id(case: Case | str) -> str:
    return case if isinstance(case, str) else case.id
