"""Small servers on the loopback interface: one that says what it is told, one that is a proxy."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Speak = Callable[[socket.socket], None]
"""Answers one connection; the first request has been read."""


def read_head(connection: socket.socket) -> bytes:
    """All bytes up to the empty line."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            break
        head += piece
    return head


class Server:
    """Accepts connections until the end of the block; ``heads`` are the requests it saw."""

    def __init__(self, speak: Speak, *, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self._speak, self._tls = speak, tls
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A client that goes away in the middle is what many tests are about.
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            head = read_head(connection)
            if head:
                self.heads.append(head)
                self._speak(connection)
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def saying(*pieces: bytes) -> Speak:
    """Send these, and close."""

    def speak(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return speak


def json_answer(body: bytes, *headers: bytes, kind: bytes = b"application/json") -> Speak:
    head = [b"HTTP/1.1 200 OK", b"Content-Type: " + kind, b"Content-Length: %d" % len(body)]
    return saying(b"\r\n".join([*head, *headers, b"Connection: close", b"", body]))


@contextlib.contextmanager
def proxy() -> Iterator[Server]:
    """A forward proxy: CONNECT for https, and plain forwarding for http, to this machine alone."""

    def speak(connection: socket.socket) -> None:
        method, target, _ = server.heads[-1].split(b" ", 2)
        if method == b"CONNECT":
            port = int(target.rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as there:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _pump(connection, there)
            return
        place = target.removeprefix(b"http://")
        host, _, path = place.partition(b"/")
        with socket.create_connection(("127.0.0.1", int(host.rpartition(b":")[2]))) as there:
            rest = server.heads[-1].partition(b"\r\n")[2]
            there.sendall(b"%s /%s HTTP/1.1\r\n%s" % (method, path, rest))
            _pump(connection, there)

    server = Server(speak)
    with server:
        yield server


def _pump(one: socket.socket, other: socket.socket) -> None:
    def copy(source: socket.socket, goal: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                goal.sendall(piece)
            goal.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(5)
