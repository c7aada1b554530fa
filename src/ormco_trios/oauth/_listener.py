"""The little web server on this machine that a browser is sent back to (RFC 8252, 7.3).

It answers with two fixed pages: nothing of a request is ever shown, logged or kept, except the one
address that was waited for.  Once it has been told the state, that is the only kind it keeps, so no
number of other requests pushes the true one out.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import socketserver
import sys
import threading
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler
from typing import cast
from urllib.parse import parse_qs, urlsplit

from ormco_trios.core.errors import ConfigurationError, NobodyCameBack

_HOSTS = ("127.0.0.1", "localhost")
_MAX_LENGTH = 8 * 1024
_MAX_WAITING = 8

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<body style="font-family: sans-serif; margin: 3em"><h1>{title}</h1><p>{text}</p></body></html>
"""
_DONE = _PAGE.format(
    title="You can close this window",
    text="The answer has reached the program that asked for it; go back to that program.",
).encode()
_OTHER = _PAGE.format(
    title="Nothing here",
    text="This address waits for the answer of a sign-in, and for nothing else.",
).encode()


class Listener:
    """Waits on a loopback address for a browser with a code or an error.

    Args:
        redirect_uri: The registered address; without a port in it, any free one is taken.

    Attributes:
        redirect_uri: The same with its port.
    """

    def __init__(self, redirect_uri: str) -> None:
        parts = urlsplit(redirect_uri)
        if (
            parts.scheme != "http"
            or parts.hostname not in _HOSTS
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ConfigurationError(
                "A browser can only be received at an address such as http://127.0.0.1/callback.",
                advice="Register such an address with 3Shape, or let the person paste the address.",
            )
        self._addresses = queue.Queue[str | None](_MAX_WAITING)
        self._states: set[str] = set()
        try:
            self._server = _Server(("127.0.0.1", parts.port or 0), _Handler)
        except OSError:
            raise ConfigurationError(
                "The port of the redirect address is taken by another program.",
                advice="End that program, or let the person paste the address.",
            ) from None
        port: int = self._server.server_address[1]
        self._base = f"http://{parts.hostname}:{port}"
        self.redirect_uri = f"{self._base}{parts.path}"
        self._path = parts.path or "/"
        self._hosts = {f"{host}:{port}" for host in _HOSTS}
        self._server.listener = self
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(0.05,),
            name="ormco-trios-redirect",
            daemon=True,
        )
        self._thread.start()

    def expect(self, state: str) -> None:
        """Keep what carries this state, or another one that was expected, and nothing else."""
        self._states.add(state)
        with self._addresses.mutex:
            waiting = [each for each in self._addresses.queue if each is None or self._fits(each)]
            self._addresses.queue.clear()
            self._addresses.queue.extend(waiting)

    def wait(self, timeout: float) -> str:
        """The address that the browser asked for, code and all.

        Raises:
            NobodyCameBack: Not in time, or it was closed meanwhile.
        """
        with contextlib.suppress(queue.Empty):
            address = self._addresses.get(timeout=timeout)
            if address is not None:
                return address
        raise NobodyCameBack("The browser was not sent back to this machine in time.")

    def close(self) -> None:
        """Stop listening; safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with contextlib.suppress(queue.Full):
            self._addresses.put_nowait(None)

    def take(self, host: str | None, target: str) -> bool:
        """Whether this request is a browser with an answer; keep its address if so."""
        path = target.partition("?")[0]
        expected = (
            path == self._path
            and host in self._hosts  # not under another name that leads here
            and len(target) <= _MAX_LENGTH
            and self._fits(target)
        )
        if expected:
            with contextlib.suppress(queue.Full):
                self._addresses.put_nowait(self._base + target)
        return expected

    def _fits(self, target: str) -> bool:
        """Whether this can be the answer; a program that finds the port may send others."""
        parameters = parse_qs(target.partition("?")[2])
        if {"code", "error"}.isdisjoint(parameters):
            return False
        states = parameters.get("state", [])
        same = [
            compare_digest(state.encode(), expected.encode())
            for state in states
            for expected in self._states
        ]
        return any(same) or not self._states


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    listener: Listener

    def server_bind(self) -> None:
        """Take the port, and share it with nobody."""
        if sys.platform == "win32":
            # There the other option would let two programs listen, and this one forbids it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Skips the wait after a restart, and no more.
            self.allow_reuse_address = True
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that goes away is no news, and a traceback could hold a code."""


class _Handler(BaseHTTPRequestHandler):
    # Browsers open connections in advance and send nothing on them.
    timeout = 5

    def do_GET(self) -> None:
        taken = cast(_Server, self.server).listener.take(self.headers.get("Host"), self.path)
        self._answer(200 if taken else 404)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The fixed page: the standard one repeats the request."""
        self._answer(code)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: the request line holds the code."""

    def _answer(self, status: int) -> None:
        page = _DONE if status == 200 else _OTHER
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(page))),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)
