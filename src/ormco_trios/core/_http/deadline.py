"""A time limit for a whole request, in a thread."""

from __future__ import annotations

import threading
from time import monotonic as _now
from typing import Any

import httpcore


class _Deadline(threading.local):
    """When this thread's request has to be over, however slowly its answer comes."""

    deadline = 0.0


this_thread = _Deadline()


def _until_deadline(seconds: float | None) -> float:
    left = this_thread.deadline - _now()
    if left <= 0:
        raise httpcore.ReadTimeout("answer too slow")
    return left if seconds is None else min(seconds, left)


class PunctualBackend(httpcore.NetworkBackend):
    """Opens connections on which nothing takes longer than the deadline.

    httpcore's own time-out begins again with each piece it reads, and an answer's headers can come
    in any number of pieces.
    """

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner
        self._stream: httpcore.NetworkStream | None = None

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        self._stream = self._inner.connect_tcp(*args, **options)
        return _PunctualStream(self._stream)

    def close(self) -> None:
        """Close the last one, also if nobody else has got it."""
        if self._stream is not None:
            self._stream.close()


class _PunctualStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _until_deadline(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _until_deadline(timeout))

    def start_tls(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _PunctualStream(self._inner.start_tls(*args, **options))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
