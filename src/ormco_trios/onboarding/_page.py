"""A page on this machine, for one person: it shows what they have to do, and takes their answers.

What it shows can hold a code, so it is given to nobody but who knows its address, which cannot be
guessed, and it is neither kept nor logged.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qs

from ormco_trios.core.errors import ConfigurationError, NobodyCameBack
from ormco_trios.onboarding.forms import SCRIPT, STYLE, read_answer
from ormco_trios.ormcodigital.tasks import TaskAnswer

_LARGEST = 256 * 1024

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Connect 3Shape TRIOS to Ormco</title>
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}
<style>:root{{color-scheme:light dark}}body{{margin:1.2em}}{style}</style></head>
<body>{body}<script nonce="{nonce}">{script}</script></body></html>
"""
_NOTHING = (
    '<section class="trios" aria-live="polite"><h2>Nothing to do at the moment</h2>'
    "<p>This page shows the next step as soon as there is one.</p></section>"
)
_REFRESH = '<noscript><meta http-equiv="refresh" content="2"></noscript>'
_LOOK_AGAIN = """
setTimeout(() => fetch(location.href).then(() => location.reload(), () => {
  document.querySelector("h2").textContent = "That is all";
  document.querySelector("p").textContent = "The program has ended. You can close this page.";
}), 2000);
"""
"""For a page without a form; the program may have ended by then."""


class PageServer:
    """Serves the page until it is closed.

    Attributes:
        url: The page's address.
    """

    def __init__(self, port: int) -> None:
        self._secret = f"/{secrets.token_urlsafe(24)}"
        self._form = ""
        self._question = 0
        self._lock = threading.Lock()
        self._answers = queue.Queue[TaskAnswer | None]()
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError:
            raise ConfigurationError(
                "The port of the page is taken by another program.",
                advice="Name another one, or 0.",
            ) from None
        taken: int = self._server.server_address[1]
        self._origins = {f"http://{host}:{taken}" for host in ("127.0.0.1", "localhost")}
        self.url = f"http://127.0.0.1:{taken}{self._secret}"
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="ormco-trios-page", daemon=True
        )
        self._thread.start()

    def ask(self, form: str, timeout: float) -> TaskAnswer:
        """Show ``form`` and wait for its answer.

        Raises:
            NobodyCameBack: Not in time, or the page was closed meanwhile.
        """
        with self._lock:
            self._form = form
        answer: TaskAnswer | None = None
        try:
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=timeout)
        finally:
            with self._lock:
                self._form = ""
                self._question += 1
                if answer is None:
                    # One that came at the last moment answers this form, and not the next one.
                    with contextlib.suppress(queue.Empty):
                        answer = self._answers.get_nowait()
        if answer is not None:
            return answer
        raise NobodyCameBack(
            "Nobody has answered on the page in time.",
            advice="Run it again: it goes on, and shows the page's address again.",
        )

    def close(self) -> None:
        """Take the page away; safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._answers.put(None)

    def page(self, host: str | None, path: str) -> bytes | None:
        """The page as it is now; None if it is not asked for by its own address."""
        if not self._is_here(host, path):
            return None
        with self._lock:
            form, question = self._form, self._question
        nonce = secrets.token_urlsafe(12)
        body = form.replace("</form>", f'<input type="hidden" name="q" value="{question}"></form>')
        return _PAGE.format(
            refresh="" if form else _REFRESH,
            style=STYLE,
            body=body or _NOTHING,
            nonce=nonce,
            script=SCRIPT if form else _LOOK_AGAIN,
        ).encode()

    def take(self, host: str | None, path: str, origin: str | None, body: str) -> bool:
        """Keep an answer that was sent from the page; one that is late answers nothing."""
        if not self._is_here(host, path) or origin not in self._origins:
            return False
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        with self._lock:
            if self._form and fields.get("q") == str(self._question):
                self._form = ""
                self._question += 1
                self._answers.put(read_answer(fields))
        return True

    def _is_here(self, host: str | None, path: str) -> bool:
        # Not under another name that leads here.
        return f"http://{host}" in self._origins and secrets.compare_digest(path, self._secret)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: PageServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser that goes away is no news, and a traceback could hold a code."""


class _Handler(BaseHTTPRequestHandler):
    # Browsers open connections in advance and send nothing on them.
    timeout = 5

    @property
    def _owner(self) -> PageServer:
        return cast(_Server, self.server).owner

    def do_GET(self) -> None:
        page = self._owner.page(self.headers.get("Host"), self.path)
        self._answer(404 if page is None else 200, page or b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            self._answer(413)
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        headers = self.headers
        taken = self._owner.take(headers.get("Host"), self.path, headers.get("Origin"), body)
        self._answer(303 if taken else 403)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Nothing but the status: the standard page repeats the request."""
        self._answer(code)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: the address of the page is a secret."""

    def _answer(self, status: int, page: bytes = b"") -> None:
        self.send_response_only(status)
        nonce = page.partition(b'<script nonce="')[2].partition(b'"')[0].decode()
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
            f"script-src 'nonce-{nonce}'; connect-src 'self'; "
            "frame-ancestors http://localhost:* http://127.0.0.1:*"
        )
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(page))),
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
            *([("Location", self.path)] if status == 303 else []),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)
