"""Where a server says that its endpoints are, and when it is not believed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.oauth.scripted import Scripted, reply
from tests.practices import clients

from ormco_trios import AuthorizationServer, Environment, errors
from ormco_trios.core.transport import Answer
from ormco_trios.sandbox import Sandbox

ISSUER = "http://127.0.0.1:9/identity"
SAYS: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/v2/authorize?tenant=x",
    "token_endpoint": f"{ISSUER}/v2/token",
    "revocation_endpoint": f"{ISSUER}/v2/revoke",
    "jwks_uri": f"{ISSUER}/keys",
    "authorization_response_iss_parameter_supported": True,
}


def account(both: Any, service: Scripted) -> Any:
    return both.oauth(
        environment=service.environment(),
        client_id="id",
        redirect_uri="https://practice.example/",
        server=AuthorizationServer.account(),
    )


def test_the_whole_journey_over_discovered_endpoints(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True).oauth
        server = oauth.discover()
        assert server.names_issuer
        assert server.token.startswith("http")
        request = oauth.authorization_request()
        token = oauth.exchange(request.finish(sandbox.authorize(request.url)), request)
        assert oauth.revoke(oauth.refresh(token))
        assert sandbox.journal.count("oauth.discovery") == 1


def test_other_endpoints_are_used(both: Any) -> None:
    service = Scripted(reply(**SAYS), reply(access_token="a"), Answer(200, {}, b""))
    oauth = account(both, service)
    oauth.discover()
    request = oauth.authorization_request()
    assert request.url.startswith(f"{ISSUER}/v2/authorize?tenant=x&client_id=id&")
    assert request.issuer == ISSUER
    code = request.finish(
        f"https://practice.example/?code=abc&iss={ISSUER}&state={request.state.get_secret_value()}"
    )
    oauth.exchange(code, request)
    oauth.revoke()
    assert [urlsplit(sent.url).path for sent in service.requests] == [
        "/identity/.well-known/openid-configuration",
        "/identity/v2/token",
        "/identity/v2/revoke",
    ]


def test_without_a_description_the_contract_holds(both: Any) -> None:
    oauth = account(both, Scripted(Answer(404, {}, b"<h1>Not found</h1>")))
    assert oauth.discover() == AuthorizationServer.account()
    assert "/identity/connect/authorize?" in oauth.authorization_request().url


def test_the_classic_dialect_has_none(both: Any) -> None:
    with Sandbox() as sandbox:
        assert clients(both, sandbox).oauth.discover() == AuthorizationServer.classic()
        assert sandbox.journal.operations() == []


def test_a_server_without_revocation(both: Any) -> None:
    says = {**SAYS}
    del says["revocation_endpoint"]
    oauth = account(both, Scripted(reply(**says)))
    assert oauth.discover().revocation is None


@pytest.mark.parametrize("slashes", ["", "/"])
def test_an_issuer_may_end_in_a_slash(both: Any, slashes: str) -> None:
    """As many do; the environment's address has none."""
    oauth = account(both, Scripted(reply(**{**SAYS, "issuer": ISSUER + slashes})))
    assert oauth.discover().authorize == SAYS["authorization_endpoint"]


@pytest.mark.parametrize("issuer", ["https://evil.example", f"{ISSUER}/x", ISSUER.upper(), ""])
def test_another_issuer_is_refused(both: Any, issuer: str) -> None:
    oauth = account(both, Scripted(reply(**{**SAYS, "issuer": issuer})))
    with pytest.raises(errors.IssuerMismatch, match="environment's address"):
        oauth.discover()
    assert oauth.application.server == AuthorizationServer.account()


@pytest.mark.parametrize(
    "endpoint", ["authorization_endpoint", "token_endpoint", "revocation_endpoint"]
)
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/token",
        "http://127.0.0.1:10/token",
        "http://user@127.0.0.1:9/token",
        "/token",
        "",
    ],
)
def test_an_endpoint_elsewhere_is_refused(both: Any, endpoint: str, address: str) -> None:
    oauth = account(both, Scripted(reply(**{**SAYS, endpoint: address})))
    with pytest.raises(errors.UntrustedHost):
        oauth.discover()
    assert oauth.application.server == AuthorizationServer.account()


def test_a_live_description_may_name_a_sister_host_but_not_plain_http(both: Any) -> None:
    live = Environment.production()
    live.check_trusted("https://login.3shape.com/connect/token")
    for address in ("http://identity.3shape.com/connect/token", "https://3shape.com.evil.example/"):
        with pytest.raises(errors.UntrustedHost):
            live.check_trusted(address)


@pytest.mark.parametrize(
    "answer",
    [Answer(200, {"content-type": "text/html"}, b"<html>"), reply(issuer=ISSUER)],
    ids=["page", "incomplete"],
)
def test_a_description_that_is_none(both: Any, answer: Answer) -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        account(both, Scripted(answer)).discover()
