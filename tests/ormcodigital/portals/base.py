"""What every foreign portal has in common: a practice, its profile, and 3Shape behind it.

Nothing of the library is used here, and nothing of its contract: each portal is written from the
guide's words alone.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

from ormco_trios.sandbox import Sandbox

# What is different from what the library assumes, at every portal here that has nothing else to say.
TRUTH = {
    **dict.fromkeys(
        (
            *("sign_in.route", "sign_in.fields", "session.carrier", "profile.route"),
            *("profile.version", "profile.method", "link.route", "link.field"),
            *("redirect.address", "code.route", "code.field", "code.status"),
            *("update.route", "update.version"),
        ),
        "differs",
    ),
    **dict.fromkeys(
        (
            *("sign_in.by", "link.dialect", "link.state", "redirect.layers", "code.form"),
            "code.draft",
        ),
        "holds",
    ),
    "status.route": "not seen",
}

USERNAME = "praxis.seeblick"
PASSWORD = "Wolken&Kuckuck%7"
PATIENT = "Balthasar Quendelmeyer"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    @property
    def cookies(self) -> dict[str, str]:
        jar = SimpleCookie(self.headers.get("cookie", ""))
        return {name: morsel.value for name, morsel in jar.items()}


@dataclass
class Said:
    body: str | bytes = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def page(title: str, body: str, **options: Any) -> Said:
    return Said(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>{body}</html>",
        **options,
    )


def as_json(value: Any, status: int = 200, **headers: str) -> Said:
    return Said(json.dumps(value), status, "application/json", headers)


def go(where: str, **headers: str) -> Said:
    return Said(status=303, headers={"location": where, **headers})


_UPDATE = re.compile(
    r"<(button|a)\b[^<>]*>Update</(button|a)>|<input [^<>]*value=Update>", re.IGNORECASE
)


class Refused(Exception):
    """The portal does not take the code; its own words."""


class Portal:
    """A portal's own truth.

    Attributes:
        login: What the practice signs in with.
        tries: How often a password was sent.
        connected: Whether a code was redeemed at 3Shape.
        faults: What goes wrong, by name, for the tests of failures.
    """

    signs_in_with: ClassVar[str] = "Username"
    delay: ClassVar[float] = 0.0
    truth: ClassVar[dict[str, str]] = {}
    """The verdicts that a recording of it has to come to, where they are not those of `TRUTH`."""
    unsaid: ClassVar[frozenset[str]] = frozenset({"shipping_address"})
    """Words of the guide that are on none of its pages, by their names in the table."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.login = USERNAME if self.signs_in_with == "Username" else f"{USERNAME}@praxis.example"
        self.password = PASSWORD
        self.sessions: set[str] = set()
        self.method = "PVS"
        self.draft: str | None = None
        self.connected = False
        self.version = 7
        self.tries = 0
        self.updates = 0
        self.faults: set[str] = set()

    @classmethod
    def says(cls, words: str) -> str:
        """The verdict that a recording of it has to come to about words of the guide."""
        other = "email" if cls.signs_in_with == "Username" else "username"
        return "not seen" if words in {other, *cls.unsaid} else "holds"

    # --- what all of them do ----------------------------------------------------------------

    def sign_in(self, user: str, password: str) -> str | None:
        self.tries += 1
        if (user, password) != (self.login, self.password) or "wrong password" in self.faults:
            return None
        session = secrets.token_urlsafe(18)
        self.sessions.add(session)
        return session

    def link(self) -> str:
        world = self.sandbox.world
        query = {
            "client_id": world.portal_client,
            "redirect_uri": world.landing_address,
            "response_type": "code",
        }
        return f"{self.sandbox.base_url}/auth/oauth/authorise?{urlencode(query)}"

    def redeem(self, code: str) -> None:
        """Exchange the code at 3Shape, as Ormco would."""
        world = self.sandbox.world
        client = world.state.clients[world.portal_client]
        basic = b64encode(f"{client.id}:{client.secret}".encode()).decode()
        body = {
            "grant_type": "authorization_code",
            "code": code.replace("%21", "!"),
            "redirect_uri": world.landing_address,
        }
        request = UrlRequest(
            f"{self.sandbox.base_url}/auth/oauth/token",
            urlencode(body).encode(),
            {"authorization": f"Basic {basic}"},
        )
        try:
            with urlopen(request, timeout=10) as answer:
                json.load(answer)
        except HTTPError as error:
            error.close()
            raise Refused(
                "Ihr Code gilt nicht mehr."
                if "in German" in self.faults
                else "3Shape did not accept this code. Get a fresh one."
            ) from None
        self.connected = True

    def save(self, method: str, code: str | None) -> None:
        self.updates += 1
        self.method = method
        if code:
            self.redeem(code)
        self.version += 1

    def handle(self, asked: Asked) -> Said:
        raise NotImplementedError

    # --- serving ----------------------------------------------------------------------------

    @contextmanager
    def serve(self) -> Iterator[str]:
        answer: Callable[[Asked], Said] = self._answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                said = answer(
                    Asked(
                        self.command,
                        parts.path,
                        dict(parse_qsl(parts.query)),
                        self.headers,
                        self.rfile.read(length),
                    )
                )
                body = said.body.encode() if isinstance(said.body, str) else said.body
                self.send_response(said.status)
                self.send_header("content-type", said.kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("connection", "close")
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(self, asked: Asked) -> Said:
        if asked.path == "/favicon.ico":
            return Said(status=404)
        if "down" in self.faults:
            return page("Maintenance", "<h1>Back soon</h1><p>We are working on it.</p>", status=503)
        if self.delay and asked.method != "GET":
            time.sleep(self.delay)
        said = self.handle(asked)
        if isinstance(said.body, str) and "two matches" in self.faults:
            said = replace(said, body=_UPDATE.sub(r"\g<0> \g<0>", said.body))
        if isinstance(said.body, str) and "no Update" in self.faults:
            said = replace(said, body=_UPDATE.sub("", said.body))
        return said
