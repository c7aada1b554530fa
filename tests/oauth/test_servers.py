"""The same flow against two servers that nobody here wrote: `nox -s oauth-servers`.

One is django-oauth-toolkit, over Python's oauthlib, the other the npm package oidc-provider, which
is certified by the OpenID Foundation.  Each runs in a process of its own on 127.0.0.1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import SecretStr

from ormco_trios import AuthorizationCode, AuthorizationServer, CodeShape, Environment, errors

pytestmark = pytest.mark.socket

HERE = Path(__file__).with_name("servers")
REDIRECT = "https://practice.example/back"
SCOPES = ("openid", "api", "offline_access")
SECRET = "s+e%c/r:e t"
RFC_8414 = "/.well-known/oauth-authorization-server"
NODE_MODULES = os.environ.get("OAUTH_SERVERS_NODE_MODULES", "")


@dataclass
class Server:
    issuer: str
    dialect: AuthorizationServer

    @property
    def environment(self) -> Environment:
        return Environment(
            name="elsewhere",
            communicate=self.issuer,
            metadata=self.issuer,
            auth_classic=self.issuer,
            auth_account=self.issuer,
            ormcodigital=self.issuer,
        )

    def described(self, what: str) -> str:
        address: str = httpx.get(f"{self.issuer}/.well-known/openid-configuration").json()[what]
        return address

    def who(self, access_token: SecretStr) -> int:
        """The status that the user-info endpoint answers to a token."""
        headers = {"Authorization": f"Bearer {access_token.get_secret_value()}"}
        return httpx.get(self.described("userinfo_endpoint"), headers=headers).status_code


@contextmanager
def running(*command: str) -> Iterator[Server]:
    with subprocess.Popen([*command, REDIRECT], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.stdout.readline().strip(), AuthorizationServer.account())
        finally:
            process.kill()


SERVERS: dict[str, list[str]] = {}
if find_spec("oauth2_provider") is not None:
    SERVERS["django-oauth-toolkit"] = [sys.executable, str(HERE / "django_toolkit.py")]
if NODE_MODULES and shutil.which("node") is not None:
    SERVERS["oidc-provider"] = ["node", str(HERE / "oidc_provider.mjs"), NODE_MODULES]
if not SERVERS:
    pytest.skip("no server is installed; see `nox -s oauth-servers`", allow_module_level=True)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    command = SERVERS[request.param]
    with running(*command) as server:
        assert server.issuer.startswith("http://127.0.0.1:")
        if request.param == "django-oauth-toolkit":
            # Its other description leaves the revocation endpoint out.
            server.dialect = replace(server.dialect, discovery=RFC_8414)
        yield server


def browse(url: str, *, allow: bool = True) -> str:
    """Press through the pages as a person would; the address they are sent back to."""
    with httpx.Client(timeout=30) as browser:
        answer = browser.get(url)
        for _ in range(12):
            if answer.is_redirect:
                url = urljoin(str(answer.url), answer.headers["location"])
                if url.startswith(REDIRECT):
                    return url
                answer = browser.get(url)
                continue
            assert answer.status_code == 200, answer.text
            page = answer.text
            away = re.search(r'href="([^"]*/abort)"', page)
            if away and not allow:
                answer = browser.get(urljoin(str(answer.url), unescape(away[1])))
                continue
            fields = dict(form_fields(page))
            if "login" in fields:
                fields |= {"login": "mira", "password": "for this test only"}
            if "allow" in fields and not allow:
                del fields["allow"]
            action = re.search(r'<form[^>]* action="([^"]*)"', page)
            target = urljoin(str(answer.url), unescape(action[1]) if action else "")
            headers = {"Referer": str(answer.url)}
            answer = browser.post(target or str(answer.url), data=fields, headers=headers)
    raise AssertionError("the pages did not lead back")


def form_fields(page: str) -> Iterator[tuple[str, str]]:
    for tag in re.findall(r"<input[^>]*>", page):
        named = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if named:
            yield named[1], unescape(value[1]) if value else ""


def client(both: Any, server: Server, **options: Any) -> Any:
    options = {"client_id": "public", "server": server.dialect, **options}
    oauth = both.oauth(environment=server.environment, redirect_uri=REDIRECT, **options)
    oauth.discover()
    return oauth


def sign_in(oauth: Any) -> tuple[Any, Any]:
    """A request, and the code that came of it."""
    request = oauth.authorization_request(scopes=SCOPES)
    return request, request.finish(browse(request.url))


CLIENTS = pytest.mark.parametrize(
    "options",
    [{}, {"client_id": "confidential", "client_secret": SECRET}],
    ids=["public", "confidential"],
)


@CLIENTS
def test_the_whole_life_of_a_token(both: Any, server: Server, options: Any) -> None:
    oauth = client(both, server, **options)
    assert oauth.application.server.names_issuer
    request, code = sign_in(oauth)
    assert (code.issuer, code.state_checked, code.recognised) == (server.issuer, True, True)

    first = oauth.exchange(code, request)
    assert first.expires_at is not None
    assert first.refresh_token is not None
    assert server.who(first.access_token) == 200

    second = oauth.refresh(first)
    assert second.refresh_token not in (None, first.refresh_token)
    assert server.who(second.access_token) == 200
    third = oauth.refresh(second)
    assert oauth.token() == third

    assert oauth.revoke() is True
    assert oauth.token() is None
    with pytest.raises(errors.GrantRevoked):
        oauth.refresh(third)


def test_an_old_refresh_token_is_no_good(both: Any, server: Server) -> None:
    oauth = client(both, server)
    request, code = sign_in(oauth)
    first = oauth.exchange(code, request)
    oauth.refresh(first)
    with pytest.raises(errors.GrantRevoked, match="Authorize again"):
        client(both, server).refresh(first)


def test_a_code_is_good_once(both: Any, server: Server) -> None:
    oauth = client(both, server)
    request, code = sign_in(oauth)
    oauth.exchange(code, request)
    again = AuthorizationCode(code.reveal("canonical"), shape=CodeShape.opaque())
    with pytest.raises(errors.CodeRefused):
        oauth.exchange(again, request)


def test_a_code_that_was_changed(both: Any, server: Server) -> None:
    oauth = client(both, server)
    request, code = sign_in(oauth)
    changed = AuthorizationCode(f"{code.reveal('canonical')}x", shape=CodeShape.opaque())
    with pytest.raises(errors.CodeRefused):
        oauth.exchange(changed, request)


def test_another_verifier(both: Any, server: Server) -> None:
    oauth = client(both, server)
    request, code = sign_in(oauth)
    with pytest.raises(errors.CodeRefused):
        oauth.exchange(code, replace(request, code_verifier=SecretStr("x" * 64)))


def test_another_callback(both: Any, server: Server) -> None:
    oauth = client(both, server)
    request, code = sign_in(oauth)
    with pytest.raises(errors.CodeRefused):
        oauth.exchange(code, replace(request, redirect_uri="https://elsewhere.example/"))


@pytest.mark.parametrize(
    "options",
    [{"client_id": "nobody"}, {"client_id": "confidential", "client_secret": "wrong"}],
    ids=["unknown", "wrong secret"],
)
def test_another_client(both: Any, server: Server, options: Any) -> None:
    request, code = sign_in(client(both, server))
    request = replace(request, client_id=options["client_id"])
    with pytest.raises(errors.ClientRefused, match="client_secret"):
        client(both, server, **options).exchange(code, request)


def test_cancel(both: Any, server: Server) -> None:
    request = client(both, server).authorization_request(scopes=SCOPES)
    with pytest.raises(errors.ConsentDenied):
        request.finish(browse(request.url, allow=False))


def test_an_answer_without_its_issuer(both: Any, server: Server) -> None:
    request = client(both, server).authorization_request(scopes=SCOPES)
    address = browse(request.url)
    with pytest.raises(errors.IssuerMismatch):
        request.finish(re.sub(r"[?&]iss=[^&]*", "", address))
