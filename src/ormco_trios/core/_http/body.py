"""An answer's body, within its limits: collected, or read in blocks."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from time import monotonic as _now
from typing import Any

import httpx

from ormco_trios.core._http.deadline import this_thread
from ormco_trios.core._http.messages import failure_of, failures
from ormco_trios.core.errors import AnswerTooLarge, TransportError
from ormco_trios.core.log import in_our_call
from ormco_trios.core.transport import BLOCK, Request

_ANY_ZLIB = 47
"""``wbits`` for gzip and deflate alike."""


class Body:
    """Collects an answer's body within the request's limits of size and time.

    We ask for no compression.  A body that is compressed all the same is unpacked here, and never
    beyond the limit: httpx's decoders would unpack a whole piece first.
    """

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._limit = request.max_body
        self._deadline = _now() + request.timeout.total
        self._pieces: list[bytes] = []
        self._size = 0
        self._unpack = _unpacker(response)

    def add(self, piece: bytes) -> None:
        if self._unpack is not None:
            piece = _unpacked(self._unpack, piece, self._limit - self._size + 1)
        self._size += len(piece)
        if self._size > self._limit:
            raise AnswerTooLarge(
                f"The answer is longer than {self._limit} bytes; the rest was not read."
            )
        if _now() > self._deadline:
            raise httpx.ReadTimeout("body too slow")
        self._pieces.append(piece)

    def whole(self) -> bytes:
        if self._unpack is not None and self._pieces and not self._unpack.eof:
            raise httpx.DecodingError("cut short")
        return b"".join(self._pieces)


class _Unread:
    """The body of an answer that is still on its way; see `Body` about compression."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        self._response = response
        self._whole = False
        self._total = request.timeout.total
        self._unpack = _unpacker(response)
        self._pieces: list[bytes] = []
        self._packed = b""
        self._failure: TransportError | None = None

    def _block(self) -> list[bytes]:
        """At most a block of what has come; what is not unpacked yet is kept."""
        pieces, self._pieces = self._pieces, []
        if self._unpack is None:
            return pieces
        piece = _unpacked(self._unpack, self._packed or b"".join(pieces), BLOCK)
        self._packed = self._unpack.unconsumed_tail
        return [piece] if piece else []

    def _last(self) -> list[bytes]:
        """What is left to unpack when nothing more comes."""
        if self._unpack is None:
            return []
        piece = self._unpack.flush()
        if not piece and not self._unpack.eof:
            raise httpx.DecodingError("cut short")
        return [piece] if piece else []

    def _end(self, failure: TransportError | None) -> list[bytes]:
        """Nothing at the end; what had come before a failure, which is then raised."""
        self._failure = self._failure or failure
        block = [] if self._unpack else self._block()
        if self._failure is not None and not block:
            raise self._failure
        return block


class BodyStream(_Unread):
    def __init__(self, request: Request, response: httpx.Response, pieces: Iterable[bytes]) -> None:
        super().__init__(request, response)
        self._body = iter(pieces)
        self.when_broken_off: Callable[[], None] | None = None
        self.when_closed: Callable[[], None] | None = None

    def read(self) -> list[bytes]:
        failure = None
        quiet = in_our_call.set(True)
        try:
            while self._failure is None and (self._packed or self._gather()):
                if block := self._block():
                    return block
            if self._failure is None and (block := self._last()):
                return block
        except httpx.RequestError as error:
            failure = failure_of(error)
        finally:
            in_our_call.reset(quiet)
        self.close()
        return self._end(failure)

    def _gather(self) -> bool:
        """Whether any pieces came: as many as make a block."""
        this_thread.deadline = _now() + self._total
        size = 0
        for piece in self._body:
            if _now() > this_thread.deadline:
                raise httpx.ReadTimeout("body too slow")
            self._pieces.append(piece)
            size += len(piece)
            if size >= BLOCK:
                break
        else:
            self._whole = True
        return bool(self._pieces)

    def close(self) -> None:
        try:
            self._response.close()
            broken, self.when_broken_off = self.when_broken_off, None
            if not self._whole and broken is not None:
                broken()
        finally:
            done, self.when_closed = self.when_closed, None
            if done is not None:
                done()


class AsyncBodyStream(_Unread):
    def __init__(
        self, request: Request, response: httpx.Response, pieces: AsyncIterable[bytes]
    ) -> None:
        super().__init__(request, response)
        self._body = aiter(pieces)
        self.when_broken_off: Callable[[], Awaitable[None]] | None = None
        self.when_closed: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> list[bytes]:
        failure = None
        quiet = in_our_call.set(True)
        try:
            while self._failure is None and (self._packed or await self._gather()):
                if block := self._block():
                    return block
            if self._failure is None and (block := self._last()):
                return block
        except TimeoutError:
            failure = failure_of(httpx.ReadTimeout("body too slow"))
        except failures() as error:
            failure = failure_of(error)
        finally:
            in_our_call.reset(quiet)
        await self.aclose()
        return self._end(failure)

    async def _gather(self) -> bool:
        """Whether any pieces came: as many as make a block."""
        import asyncio

        size = 0
        async with asyncio.timeout(self._total):
            async for piece in self._body:
                self._pieces.append(piece)
                size += len(piece)
                if size >= BLOCK:
                    break
            else:
                self._whole = True
        return bool(self._pieces)

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            try:
                broken, self.when_broken_off = self.when_broken_off, None
                if not self._whole and broken is not None:
                    await broken()
            finally:
                done, self.when_closed = self.when_closed, None
                if done is not None:
                    await done()


def _unpacker(response: httpx.Response) -> Any:
    """What unpacks the body, if it is compressed; httpx will not do it then."""
    if response.is_stream_consumed or "content-encoding" not in response.headers:
        return None
    packed = response.headers.pop("content-encoding").strip().lower()
    return None if packed == "identity" else zlib.decompressobj(_ANY_ZLIB)


def _unpacked(unpack: Any, piece: bytes, most: int) -> bytes:
    """At most ``most`` bytes.  Nothing may follow the end: it would be neither used nor counted."""
    try:
        if not unpack.eof:
            unpacked: bytes = unpack.decompress(piece, most)
            if not unpack.unused_data:
                return unpacked
    except zlib.error:
        pass
    raise httpx.DecodingError("compressed in a way that was not asked for")
