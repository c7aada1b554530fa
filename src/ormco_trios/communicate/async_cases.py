"""``communicate.cases``"""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

from ormco_trios.communicate import case_flows
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import Case, CaseFile
from ormco_trios.core.async_runner import AsyncRunner
from ormco_trios.core.environment import Service
from ormco_trios.core.shield import Shielded


class AsyncCases(Shielded):
    """``communicate.cases``: patients' data, so nothing of it is printed or logged.

    They are read from the server of the account's region [doc], which is looked up once for each
    client.  A server that is not known gets no token and raises `UntrustedHost`.
    """

    __slots__ = ("_home", "_runner")

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner
        self._home = Home(runner.channels[Service.METADATA].environment)

    def list(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncGenerator[Case, None]:
        """The account's cases, newest first; pages of ten are fetched as you go on [doc].

        Each comes once, also if others arrive meanwhile.  To keep up with changes, use `updated`.

        Args:
            since: Only those from this moment on, with a zone, in whole seconds.
            until: Only those up to this moment, likewise.
        """
        return self._runner.iterate(case_flows.list_cases(self._home, since=since, until=until))

    def search(
        self, text: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncGenerator[Case, None]:
        """As `list`, only those that match ``text``: a patient's name or an order number [doc].

        The text stands in the address that is requested, so a proxy of yours may log it; this
        library does not.

        Args:
            text: What to look for.
            since: Only those from this moment on, with a zone, in whole seconds.
            until: Only those up to this moment, likewise.
        """
        return self._runner.iterate(case_flows.search(self._home, text, since=since, until=until))

    async def updated(
        self, since: datetime, *, until: datetime | None = None
    ) -> builtins.list[Case]:
        """Every case that changed since a moment, in one answer [doc].

        Args:
            since: From this moment on, with a zone, in whole seconds.
            until: Up to this moment, likewise.

        Raises:
            ConfigurationError: A time without a zone.
        """
        return await self._runner.run(case_flows.updated(self._home, since=since, until=until))

    async def get(self, id: str) -> Case:
        """The latest version of a case [doc].

        Raises:
            NotFound: The account's server has no such case.
            PermissionDenied: The account takes no part in it.
            UnexpectedAnswer: The answer has another id than was asked for.
        """
        return await self._runner.run(case_flows.get(self._home, id))

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
        return await self._runner.run(case_flows.download(self._home, attachment, Path(to)))
