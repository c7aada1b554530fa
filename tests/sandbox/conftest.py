"""A client for tests of the World: no library, no network, just requests and replies."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import pytest

from ormco_trios.sandbox import Practice, Sandbox, World
from ormco_trios.sandbox.wire.messages import WireReply, WireRequest


class Caller:
    """Talks to a World.  Every answer is checked for what every answer must have."""

    TRIOS: ClassVar = {"source": "IntraoralScanner", "scanner": "3Shape Trios"}

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world: World = sandbox.world
        self.dispatcher = sandbox.dispatcher

    def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        query: Mapping[str, str] | str = "",
        form: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> WireReply:
        sent = dict(headers or {})
        content = b""
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if form is not None:
            content = urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json; charset=utf-8")
        text = query if isinstance(query, str) else urlencode(query)
        reply = self.dispatcher.handle(
            WireRequest(method, path, text, tuple(sent.items()), content)
        )
        assert reply.header("x-request-id")
        if reply.status >= 400:
            explain = reply.header("x-sandbox-explain")
            assert explain
            assert explain.isprintable()
            assert explain.isascii()
        return reply

    def get(self, path: str, **options: Any) -> WireReply:
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> WireReply:
        return self.send("POST", path, **options)

    # --- Communicate ------------------------------------------------------------------------

    def token(self, email: str | None = None) -> str:
        """An access token, by the classic password grant."""
        user = self.world.user(email or self.sandbox.practice.email)
        reply = self.classic(grant_type="password", username=user.email, password=user.password)
        assert reply.status == 200
        return str(self.json(reply)["access_token"])

    def me(self, token: str) -> Any:
        return self.json(self.get("/communicate/api/users/me", token=token))

    def user(self, token: str, key: str) -> WireReply:
        return self.get(f"/communicate/api/users/{quote(key)}", token=token)

    def connect(self, token: str, email: str | None = None) -> WireReply:
        """Ask for a connection with the account of this e-mail; Ormco's lab by default."""
        lab = self.world.user(email or self.sandbox.practice.lab_email)
        me = self.json(self.get("/communicate/api/users/me", token=token))["Id"]
        return self.post(f"/communicate/api/users/{me}/requestconnection/{lab.id}", token=token)

    # --- sign-in ----------------------------------------------------------------------------

    def classic(self, *, secret: str | None = None, **form: str) -> WireReply:
        pair = f"{self.sandbox.client_id}:{secret or self.sandbox.client_secret}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        return self.post("/auth/oauth/token", form=form, headers={"Authorization": basic})

    def link(self, client: str | None = None, **more: str) -> str:
        query = {
            "client_id": client or self.sandbox.client_id,
            "redirect_uri": self.sandbox.redirect_uri,
            "response_type": "code",
            **more,
        }
        return f"{self.sandbox.base_url}/auth/oauth/authorise?{urlencode(query)}"

    def code(self, **more: str) -> str:
        """A canonical classic code for the practice application."""
        return self.canonical(self.sandbox.authorize(self.link(**more)))

    # --- portal -----------------------------------------------------------------------------

    def session(self, practice: Practice | None = None) -> str:
        who = practice or self.sandbox.practice
        body = {"username": who.portal_username, "password": who.portal_password}
        return str(self.json(self.post("/ormcodigital/api/session", body=body))["token"])

    def portal_code(self, session: str) -> str:
        """A canonical code for Ormco's application."""
        path = "/ormcodigital/api/integrations/3shape/authorization"
        url = self.json(self.post(path, token=session))["authorization_url"]
        return self.canonical(self.sandbox.authorize(url))

    def draft(self, session: str, code: str) -> WireReply:
        return self.post(
            "/ormcodigital/api/integrations/3shape/code", token=session, body={"code": code}
        )

    def profile(self, session: str) -> tuple[Any, str]:
        reply = self.get("/ormcodigital/api/profile", token=session)
        return self.json(reply), reply.header("etag") or ""

    def save(self, session: str, etag: str | None = None, **changes: Any) -> WireReply:
        """*Update*, with the present profile and ``changes``."""
        profile, present = self.profile(session)
        return self.send(
            "PUT",
            "/ormcodigital/api/profile",
            token=session,
            headers={"If-Match": present if etag is None else etag},
            body={**profile, **changes},
        )

    def state(self, session: str) -> str:
        reply = self.get("/ormcodigital/api/integrations/3shape", token=session)
        return str(self.json(reply)["state"])

    # --- reading ----------------------------------------------------------------------------

    @staticmethod
    def json(reply: WireReply) -> Any:
        return json.loads(reply.body)

    @staticmethod
    def canonical(address: str) -> str:
        """The code in an address, without any percent-encoding."""
        return unquote(unquote(unquote(parse_qs(urlsplit(address).query)["code"][0])))

    @staticmethod
    def csrf(reply: WireReply) -> str:
        found = re.search(r'name="csrf" value="([^"]*)"', reply.text)
        assert found
        return unescape(found[1])


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
def call(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


@pytest.fixture
def make() -> Callable[..., Caller]:
    """A caller for a sandbox with other options."""

    def make(**options: Any) -> Caller:
        return Caller(Sandbox(**options))

    return make
