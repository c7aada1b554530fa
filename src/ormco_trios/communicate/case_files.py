"""The files of cases: of any size, one block in memory at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from ormco_trios.communicate.home import Home
from ormco_trios.communicate.models import CaseFile
from ormco_trios.communicate.operations import FILE, FILE_AS_PLY
from ormco_trios.core.effects import Blocking, Call, Emit, Flow
from ormco_trios.core.errors import (
    AnswerTooLarge,
    DownloadInterrupted,
    TransportError,
    UnexpectedAnswer,
    UntrustedHost,
)
from ormco_trios.core.files import NewFile
from ormco_trios.core.transport import Answer

OnProgress: TypeAlias = Callable[[int, int | None], object]
"""Is told how many bytes have come, and how many it will be, if the service has said so."""

_HREF = re.compile(
    r"(?P<base>https?://[^?#\\]*)/api/cases/(?P<case>[^/?#]+)/attachments/(?P<hash>[^/?#]+)",
    re.IGNORECASE,
)
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was downloaded; ``repr`` leaves out what tells which.

    Attributes:
        path: Where it is.
        size: In bytes.
        sha1: Of what has come, in hexadecimal digits.
        verified: Whether the case names this SHA-1.  If not, it names none, or the file was
            converted on the way, and nobody knows whether it is what it should be.
    """

    path: Path = field(repr=False)
    size: int
    sha1: str = field(repr=False)
    verified: bool


def download(
    home: Home,
    file: CaseFile,
    to: Path,
    *,
    limit: int | None,
    as_ply: bool,
    overwrite: bool,
    progress: OnProgress | None,
) -> Flow[Download]:
    """Write a file of a case to ``to``, once all of it is there and is what it should be."""
    target = NewFile(to, overwrite=overwrite)
    body = _Body(home, file, limit=limit, as_ply=as_ply, target=target, progress=progress)
    try:
        yield from Blocking(target.open)
        yield from body.fetch()
        yield from Blocking(target.finish)
    except GeneratorExit:
        target.discard()
        raise
    except BaseException:
        yield from Blocking(target.discard)
        raise
    return Download(to, body.received, body.sha1, body.verified)


def read(home: Home, file: CaseFile, *, limit: int | None, as_ply: bool) -> Flow[None]:
    """Emit a file of a case in blocks."""
    yield from _Body(home, file, limit=limit, as_ply=as_ply).fetch()


class _Body:
    """A file's content as it comes: counted, hashed, and written to ``target`` or else emitted.

    Attributes:
        received: Bytes so far.
        expected: Bytes in all, if the service has said so.
    """

    def __init__(
        self,
        home: Home,
        file: CaseFile,
        *,
        limit: int | None,
        as_ply: bool,
        target: NewFile | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        announced = "" if as_ply else (file.hash or "").strip().casefold()
        self._href = _HREF.fullmatch(file.href or "")
        self._base = self._href and home.server(self._href["base"])
        self._operation = FILE_AS_PLY if as_ply else FILE
        self._announced = announced if _SHA1.fullmatch(announced) else None
        self._limit = limit
        self._target = target
        self._progress = progress
        self._hash = hashlib.sha1(usedforsecurity=False)
        self._begun = False
        self.received = 0
        self.expected: int | None = None

    @property
    def sha1(self) -> str:
        """Of what has come."""
        return self._hash.hexdigest()

    @property
    def verified(self) -> bool:
        """Whether it is the announced one."""
        return self.sha1 == self._announced

    def fetch(self) -> Flow[None]:
        """All of it, in as many attempts as a call may have."""
        if self._href is None or self._base is None:
            raise UntrustedHost(
                "The file's address is not that of a case's file on one of the known servers.",
                advice="Read the case again; if its files still have no such address, the service "
                "may have changed.",
            )
        try:
            yield from Call(
                self._operation,
                path={
                    "case": unquote(self._href["case"]),
                    "hash": unquote(self._href["hash"]),
                },
                headers={"Accept": "application/octet-stream, application/stl"},
                base_url=self._base,
                sink=self,
            )
        except TransportError as error:
            if not self._begun or isinstance(error, AnswerTooLarge):
                raise
            failure = DownloadInterrupted(
                f"It had got {self._so_far()}. {error.happened}",
                received=self.received,
                expected=self.expected,
            )
        except GeneratorExit:
            raise
        except BaseException as error:
            if self._begun:
                error.add_note(f"The download had got {self._so_far()}.")
            raise
        else:
            if self._announced is None or self.verified:
                return
            raise UnexpectedAnswer(
                "What arrived is not the file that the case names: its SHA-1 differs.",
                operation=self._operation.name,
                status=200,
                advice="Do not use it. Read the case again and fetch the file again: it may have "
                "been replaced.",
            )
        raise failure

    # --- as a sink --------------------------------------------------------------------------

    @property
    def repeatable(self) -> bool:
        """Until a block was emitted, which cannot be taken back."""
        return self._target is not None or not self.received

    def begin(self, answer: Answer) -> Flow[None]:
        """Begin again, if it is the whole file and the size allows it."""
        if answer.status != 200:
            raise UnexpectedAnswer(
                f"The answer is not a whole file, by its status {answer.status}.",
                operation=self._operation.name,
                status=answer.status,
            )
        length = answer.headers.get("content-length", "")
        self._begun = True
        self._hash = hashlib.sha1(usedforsecurity=False)
        self.received = 0
        self.expected = int(length) if length.isdecimal() else None
        self._check(self.expected or 0)
        if self._target is not None:
            yield from Blocking(self._target.clear)
        self._tell()

    def take(self, block: list[bytes]) -> Flow[None]:
        """Keep or emit a block."""
        size = sum(map(len, block))
        self._check(self.received + size)
        yield from Blocking(self._keep, (block,))
        self.received += size
        self._tell()
        if self._target is None:
            yield from Emit(b"".join(block))

    def _keep(self, block: list[bytes]) -> None:
        for piece in block:
            self._hash.update(piece)
            if self._target is not None:
                self._target.write(piece)

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise AnswerTooLarge(
                f"The file has more than {self._limit} bytes.",
                advice="Give a higher limit, or none, if you want a file of this size.",
            )

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.received, self.expected)

    def _so_far(self) -> str:
        of = "" if self.expected is None else f" of {self.expected}"
        return f"{self.received}{of} bytes"
