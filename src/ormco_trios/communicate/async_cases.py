"""``communicate.cases``"""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path

from ormco_trios.communicate import case_flows
from ormco_trios.communicate.case_flows import Home
from ormco_trios.communicate.case_sync import EVERY_PRACTICE, OVERLAP, CaseCursor, CaseWindow
from ormco_trios.communicate.models import Case, CaseFile, CaseIncrement
from ormco_trios.core.async_runner import AsyncRunner
from ormco_trios.core.environment import Service
from ormco_trios.core.shield import Shielded


class AsyncCases(Shielded):
    """``communicate.cases``: patients' data, so nothing of it is printed or logged.

    They are read from the server that the account's ``RegionUri`` names [doc], which is looked up
    once for each client; a server outside the environment raises `UntrustedHost`.

    A lab's account sees the cases of every practice that it is connected with.  Where a method
    takes ``practice``, the id that was stored for a practice (``user.id``), it gives that
    practice's cases only: those that it created, or that name it among their actors by this id
    [doc].  A filter that is no id, such as None or an e-mail, raises `ConfigurationError`.
    """

    __slots__ = ("_home", "_runner")

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner
        environment = runner.channels[Service.METADATA].environment
        self._home = Home(environment.base_url(Service.METADATA))

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        practice: str = EVERY_PRACTICE,
    ) -> AsyncGenerator[Case, None]:
        """The account's cases, newest first; pages of ten are fetched as you go on [doc].

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
    ) -> AsyncGenerator[Case, None]:
        """As `list`, only those that match ``text``: a patient's name or an order number [doc].

        The text stands in the address that is requested, so a proxy of yours may log it; this
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

    async def updated(
        self, since: datetime, *, until: datetime | None = None, practice: str = EVERY_PRACTICE
    ) -> builtins.list[Case]:
        """Every case that changed since a moment, in one answer [doc].

        `sync` does the same with a position that it keeps for you.

        Args:
            since: From this moment on, with a zone, in whole seconds.
            until: Up to this moment, likewise; it may be ignored [assumed].
            practice: Only this practice's, by its id.

        Raises:
            ConfigurationError: A time without a zone.
        """
        return await self._runner.run(
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
    ) -> AsyncGenerator[CaseWindow, None]:
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

    async def get(self, id: str, *, practice: str = EVERY_PRACTICE) -> Case:
        """The latest version of a case [doc].

        Args:
            id: The case's id.
            practice: The practice for which it is read, by its id.

        Raises:
            NotFound: The account's server has no such case, or it is not one of this practice.
            PermissionDenied: The account takes no part in it.
        """
        return await self._runner.run(case_flows.get(self._home, id, practice=practice))

    async def version(self, id: str, number: int, *, practice: str = EVERY_PRACTICE) -> Case:
        """One version of a case; every change saves one [doc].

        Args:
            id: The case's id.
            number: The version, from 1 on.
            practice: The practice for which it is read, by its id.

        Raises:
            NotFound: There is no such case or version, or it is not one of this practice.
            PermissionDenied: The account takes no part in it.
        """
        return await self._runner.run(case_flows.version(self._home, id, number, practice=practice))

    async def increment(self, id: str) -> CaseIncrement:
        """A case increment, by its own id [doc].

        Raises:
            NotFound: There is none with this id.
        """
        return await self._runner.run(case_flows.increment(self._home, id))

    async def comment(self, case: Case | str, id: str) -> str:
        """The text of a comment [doc]; patients' data.

        Args:
            case: The case, or its id.
            id: The comment's id.

        Raises:
            NotFound: The case has no such comment.
        """
        return await self._runner.run(case_flows.comment(self._home, _id(case), id))

    async def approve(self, case: Case | str) -> None:
        """Set a case's state to *approved*, which saves a new version of it [doc].

        Args:
            case: The case, or its id.

        Raises:
            NotFound: The account's server has no such case.
            PermissionDenied: The account takes no part in it.
        """
        await self._runner.run(case_flows.set_state(self._home, _id(case), "approved"))

    async def reject(self, case: Case | str) -> None:
        """Set a case's state to *rejected*; as `approve`."""
        await self._runner.run(case_flows.set_state(self._home, _id(case), "rejected"))

    async def download(self, attachment: CaseFile, to: str | os.PathLike[str]) -> Path:
        """Write a file of a case to ``to`` and return its path.

        The file appears as a whole and replaces another as a whole, readable by its owner alone;
        it is checked against its SHA-1 first.  Files of up to 64 MiB are taken.

        Args:
            attachment: One of ``case.files``: an attachment, a scan or a design.
            to: The file's path, in a folder that exists; never a name that the service chose.

        Raises:
            PermissionDenied: A practice gets STL files only if 3Shape has agreed [doc].
            UntrustedHost: The file is said to be outside the environment; nothing was sent.
            AnswerTooLarge: It is larger than 64 MiB; nothing was written.
            UnexpectedAnswer: It has another SHA-1 than the case says; nothing was written.
            OSError: It could not be written.
        """
        return await self._runner.run(case_flows.download(attachment, Path(to)))


def _id(case: Case | str) -> str:
    return case if isinstance(case, str) else case.id
