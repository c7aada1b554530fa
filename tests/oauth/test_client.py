"""The token endpoint of either dialect: what is sent, what comes of each answer, what is kept."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from tests.oauth.scripted import JSON, Scripted, reply
from tests.practices import clients, signed_in

from ormco_trios import (
    AuthorizationCode,
    AuthorizationRequest,
    AuthorizationServer,
    CallEvent,
    Environment,
    MemoryTokenStore,
    Progress,
    Retry,
    Token,
    errors,
)
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.transport import Answer
from ormco_trios.oauth.code import UnrecognisedCodeWarning
from ormco_trios.sandbox import Sandbox

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
CALLBACK = "https://practice.example/back"
SLOW_DOWN = Answer(429, {**JSON, "retry-after": "86400"}, b'{"error": "slow_down"}')
PAGE = Answer(500, {"content-type": "text/html; charset=utf-8"}, b"<h1>Runtime Error</h1>")


def signing_in(both: Any, sandbox: Sandbox, **options: Any) -> tuple[Any, Any, Any]:
    """A client, its request, and the code that came of it."""
    oauth = clients(both, sandbox, **options).oauth
    request = oauth.authorization_request()
    return oauth, request, request.finish(sandbox.authorize(request.url), clock=sandbox.clock)


def scripted(both: Any, service: Scripted, **options: Any) -> Any:
    options = {"client_id": "id", "client_secret": "s", "redirect_uri": CALLBACK, **options}
    return both.oauth(environment=service.environment(ManualClock(NOW)), **options)


def account(both: Any, service: Scripted, **options: Any) -> Any:
    options = {"client_secret": None, "server": AuthorizationServer.account(), **options}
    return scripted(both, service, **options)


def a_code() -> AuthorizationCode:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnrecognisedCodeWarning)
        return AuthorizationCode("a+code/with=odd%characters")


# --- what is sent ---------------------------------------------------------------------------


def test_the_classic_form(both: Any) -> None:
    server = Scripted(reply(access_token="a", token_type="bearer", expires_in=3600))
    oauth = scripted(both, server, client_id="the id", client_secret="s:ä%+")
    oauth.exchange(a_code(), oauth.authorization_request())
    (form,), (request,) = server.forms, server.requests
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:9/auth/oauth/token")
    assert form == {
        "grant_type": "authorization_code",
        "code": "a+code/with=odd%characters",
        "redirect_uri": CALLBACK,
    }
    headers = dict(request.headers)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    scheme, _, value = headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", "the id:s:ä%+")


@pytest.mark.parametrize("secret", [None, "s+ /%"], ids=["public", "confidential"])
def test_the_account_form(both: Any, secret: str | None) -> None:
    server = Scripted(
        reply(access_token="a", token_type="Bearer", expires_in=3600, refresh_token="r1"),
        reply(access_token="b", token_type="Bearer", expires_in=3600, refresh_token="r2"),
        Answer(200, {}, b""),
    )
    oauth = account(both, server, client_id="i/d", client_secret=secret)
    request = oauth.authorization_request()
    token = oauth.exchange(a_code(), request)
    token = oauth.refresh(token)
    assert oauth.revoke(token) is True
    exchange, refresh, revoke = server.forms
    verifier = exchange.pop("code_verifier")
    assert exchange == {
        "grant_type": "authorization_code",
        "client_id": "i/d",
        "code": "a+code/with=odd%characters",
        "redirect_uri": CALLBACK,
    }
    assert refresh == {"grant_type": "refresh_token", "client_id": "i/d", "refresh_token": "r1"}
    assert revoke == {"client_id": "i/d", "token": "r2"}
    for sent in server.requests:
        value = dict(sent.headers).get("Authorization")
        if secret is None:
            assert value is None
        else:
            assert base64.b64decode(str(value)[6:]) == b"i%2Fd:s%2B%20%2F%25"

    link = {name: value for name, (value,) in parse_qs(urlsplit(request.url).query).items()}
    digest = hashlib.sha256(verifier.encode()).digest()
    assert 43 <= len(verifier) <= 128
    assert link.pop("code_challenge") == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert len(link.pop("state")) >= 32
    assert len(link.pop("nonce")) >= 16
    assert link.pop("scope").split() == list(AuthorizationServer.account().scopes)
    assert link == {
        "client_id": "i/d",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize("password", ["p&w", SecretStr("p&w")], ids=["text", "secret"])
def test_the_password_form(both: Any, password: str | SecretStr) -> None:
    server = Scripted(reply(access_token="a"))
    oauth = scripted(both, server)
    oauth.sign_in_with_password("who@clinic.example", password)
    assert list(server.forms) == [
        {"grant_type": "password", "username": "who@clinic.example", "password": "p&w"}
    ]
    with pytest.raises(errors.ConfigurationError, match="classic"):
        account(both, Scripted()).sign_in_with_password("who@clinic.example", "p&w")


def test_what_an_authorization_asks_for_is_the_callers_choice(both: Any) -> None:
    oauth = account(both, Scripted())
    for scopes, asked in ((("openid", "api"), ["openid api"]), ((), None)):
        query = parse_qs(urlsplit(oauth.authorization_request(scopes=scopes).url).query)
        assert query.get("scope") == asked


def test_no_two_authorizations_are_alike(both: Any) -> None:
    oauth = account(both, Scripted())
    first, second = oauth.authorization_request(), oauth.authorization_request()
    assert first.state != second.state
    assert first.code_verifier != second.code_verifier


# --- what comes of each answer --------------------------------------------------------------

CODE_ERRORS: dict[str, tuple[Answer, type[errors.OrmcoTriosError], tuple[str, ...]]] = {
    # The contract's table, row by row
    "expired, used, cut, wrong callback": (
        reply(400, error="invalid_request"),
        errors.CodeRefused,
        ("three minutes", "expired", "already used", "cut", "percent-encoded", "another address"),
    ),
    "wrong secret": (
        reply(401, error="invalid_client", error_description="The client secret was incorrect."),
        errors.ClientRefused,
        ("client_id", "client_secret", "environment"),
    ),
    "wrong secret, in the form": (
        reply(400, error="invalid_client"),
        errors.ClientRefused,
        ("client_id", "client_secret", "another application"),
    ),
    "revoked": (reply(400, error="invalid_grant"), errors.CodeRefused, ("fresh code",)),
    "not base64": (PAGE, errors.AuthorizationServerFailed, ("fresh code", "error page")),
    # And what else there is
    "401 without a word": (Answer(401, {}, b""), errors.ClientRefused, ("client_id",)),
    "not allowed": (reply(400, error="unauthorized_client"), errors.ClientRefused, ("client_id",)),
    "scope": (reply(400, error="invalid_scope"), errors.AuthorizationRefused, ("scopes",)),
    "grant": (
        reply(400, error="unsupported_grant_type"),
        errors.AuthorizationRefused,
        ("dialect",),
    ),
    "new error": (reply(400, error="<b>secret</b>"), errors.AuthorizationRefused, ("dialect",)),
    "page of a proxy": (
        Answer(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"),
        errors.ServerError,
        (),
    ),
    "a failure that is no page": (Answer(500, {}, b"html"), errors.ServerError, ()),
    "too often": (
        Answer(429, {"retry-after": "86400"}, b""),
        errors.RateLimited,
        (),
    ),
    "down, and says so": (
        reply(503, error="temporarily_unavailable"),
        errors.ServerError,
        ("few minutes",),
    ),
    "too often, and says so": (SLOW_DOWN, errors.RateLimited, ()),
    "a success that is a page": (
        Answer(200, {"content-type": "text/html"}, b"<h1>secret</h1>"),
        errors.UnexpectedAnswer,
        ("text/html",),
    ),
    "a success without a token": (Answer(200, JSON, b"{}"), errors.UnexpectedAnswer, ()),
    "an error that is no text": (reply(400, error=[1]), errors.InvalidRequest, ()),
}


@pytest.mark.parametrize(("answer", "kind", "says"), CODE_ERRORS.values(), ids=CODE_ERRORS)
def test_every_answer_to_a_code(
    both: Any, answer: Answer, kind: type[errors.OrmcoTriosError], says: tuple[str, ...]
) -> None:
    server = Scripted(answer)
    oauth = scripted(both, server)
    code = a_code()
    with pytest.raises(errors.OrmcoTriosError) as caught:
        oauth.exchange(code, oauth.authorization_request())
    assert type(caught.value) is kind
    text = str(caught.value)
    assert [part for part in says if part not in text] == []
    assert "secret<" not in text
    assert caught.value.detail == f"POST /oauth/token: status {answer.status}"
    assert code.spent
    assert len(server.requests) == 1
    assert oauth.token() is None
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


@pytest.mark.parametrize(
    ("error", "known"),
    [("invalid_scope", True), ("unsupported_grant_type", True), ("made_up_s3cret", False)],
)
def test_only_rfc_6749s_words_are_repeated(both: Any, error: str, known: bool) -> None:
    oauth = scripted(both, Scripted(reply(400, error=error)))
    with pytest.raises(errors.AuthorizationRefused) as caught:
        oauth.sign_in_with_password("who@clinic.example", "p")
    assert caught.value.error == (error if known else "other")
    assert "s3cret" not in str(caught.value)


OLD = Token(SecretStr("a"), refresh_token=SecretStr("r"))
AGAIN = {
    # Which calls may be sent again after an answer that says nothing about the first
    "discovery": (lambda oauth: oauth.discover(), "GET /.well-known/openid-configuration", True),
    "revoke": (lambda oauth: oauth.revoke(OLD), "POST /connect/revocation", True),
    "refresh_token": (lambda oauth: oauth.refresh(OLD), "POST /connect/token", False),
    "authorization_code": (
        lambda oauth: oauth.exchange(a_code(), oauth.authorization_request()),
        "POST /connect/token",
        False,
    ),
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_is_sent_again(both: Any, name: str) -> None:
    use, sent, again = AGAIN[name]
    events: list[CallEvent] = []
    oauth = account(
        both,
        Scripted(*[Answer(503, {}, b"")] * 2),
        retry=Retry(attempts=2),
        on_event=events.append,
    )
    with pytest.raises(errors.ServerError):
        use(oauth)
    assert [(e.operation, f"{e.method} {e.route}", e.attempt) for e in events] == [
        (f"oauth.{name}", sent, attempt) for attempt in ((1, 2) if again else (1,))
    ]
    assert {e.service for e in events} == {"auth_account"}


def test_a_secret_of_the_sandbox_goes_to_no_live_server(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = both.oauth(
            environment=Environment.production(),
            client_id="id",
            client_secret=sandbox.client_secret,
            redirect_uri=CALLBACK,
        )
    with pytest.raises(errors.ConfigurationError, match="token of the sandbox"):
        oauth.sign_in_with_password("who@clinic.example", "p")


def test_a_token_says_what_it_is_for(both: Any) -> None:
    oauth = scripted(both, Scripted(reply(access_token="a", scope="openid api")))
    assert oauth.sign_in_with_password("who@clinic.example", "p").scope == "openid api"


class Busy(MemoryTokenStore):
    """Another process refreshes, for ever."""

    loads = 0

    def load(self, account: str) -> Token | None:
        self.loads += 1
        return super().load(account)

    def try_lock(self, account: str) -> bool:
        return False


def test_a_token_that_lasts_waits_for_nobody(both: Any) -> None:
    """Nor does each call look into the store, which may be a file or a database."""
    store = Busy()
    oauth = scripted(both, Scripted(reply(access_token="a", expires_in=3600)), store=store)
    token = oauth.sign_in_with_password("who@clinic.example", "p")
    looked = store.loads
    assert oauth.auth.current() == token.access_token
    assert store.loads == looked
    assert oauth.refresh(Token(SecretStr("older"))) == token


def test_a_refreshed_token_is_the_one_in_use(both: Any) -> None:
    oauth = scripted(both, Scripted(reply(access_token="b", expires_in=3600)))
    oauth.refresh(Token(SecretStr("a"), refresh_token=SecretStr("r")))
    assert oauth.auth.current().get_secret_value() == "b"


def test_a_password_is_not_sent_twice(both: Any) -> None:
    server = Scripted(Answer(503, {}, b""))
    with pytest.raises(errors.ServerError):
        scripted(both, server).sign_in_with_password("who@clinic.example", "p")
    assert len(server.requests) == 1


def test_a_refused_revocation_says_so(both: Any) -> None:
    oauth = account(both, Scripted(reply(400, error="invalid_client")))
    with pytest.raises(errors.ClientRefused):
        oauth.revoke(OLD)


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
def test_a_refused_refresh(both: Any, error: str) -> None:
    oauth = scripted(both, Scripted(reply(400, error=error)))
    with pytest.raises(errors.GrantRevoked, match=r"^Authorize again\. .*revoked.*Applications"):
        oauth.refresh(Token(SecretStr("a"), refresh_token=SecretStr("r")))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PAGE, errors.ServerError),
        (reply(503, error="server_error"), errors.ServerError),
        (SLOW_DOWN, errors.RateLimited),
    ],
    ids=["a page", "503", "429"],
)
def test_an_outage_takes_no_authorization_away(
    both: Any, answer: Answer, kind: type[errors.OrmcoTriosError]
) -> None:
    """It passes, so it must not look like something that a person has to mend."""
    server = Scripted(answer, reply(access_token="b", expires_in=60))
    oauth = scripted(both, server)
    held = Token(SecretStr("a"), refresh_token=SecretStr("r"))
    with pytest.raises(errors.OrmcoTriosError) as caught:
        oauth.refresh(held)
    assert type(caught.value) is kind
    assert len(server.requests) == 1, "a refresh token is sent once a call"
    assert oauth.refresh(held).access_token.get_secret_value() == "b"


def test_a_refused_password(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox).oauth
        with pytest.raises(errors.AuthorizationRefused, match="e-mail and password") as caught:
            oauth.sign_in_with_password(sandbox.practice.email, "wrong")
        assert caught.value.error in {"invalid_request", "invalid_grant"}


@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
def test_every_way_a_code_can_be_bad(both: Any, account_dialect: bool) -> None:
    with Sandbox() as sandbox:

        def fresh() -> tuple[Any, Any, Any]:
            return signing_in(both, sandbox, account_dialect=account_dialect)

        def bad(change: Callable[[str], str]) -> AuthorizationCode:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnrecognisedCodeWarning)
                return AuthorizationCode(change(code.reveal("canonical")))

        oauth, request, code = fresh()
        sandbox.clock.advance(181)
        with pytest.raises(errors.CodeRefused):
            oauth.exchange(code, request)

        oauth, request, code = fresh()
        again = bad(lambda text: text)
        oauth.exchange(code, request)
        with pytest.raises(errors.CodeRefused):
            oauth.exchange(again, request)

        oauth, request, code = fresh()
        with pytest.raises(errors.CodeRefused):
            oauth.exchange(bad(lambda text: text[:-8] + "AAAAAAAA"), request)

        oauth, request, code = fresh()
        elsewhere = oauth.authorization_request(redirect_uri="https://elsewhere.example/")
        with pytest.raises(errors.CodeRefused):
            oauth.exchange(code, elsewhere)

        if not account_dialect:
            oauth, request, code = fresh()
            with pytest.raises(errors.AuthorizationServerFailed):
                oauth.exchange(bad(lambda text: text[:5] + "*" + text[6:]), request)
            oauth, request, code = fresh()
            with pytest.raises(errors.CodeRefused):
                oauth.exchange(bad(lambda text: text.replace("!", "%21")), request)


# --- one code, one reader -------------------------------------------------------------------


def count(sandbox: Sandbox, operation: str) -> int:
    return sandbox.journal.count(operation)


def test_a_replay_is_never_sent(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox)
        oauth.exchange(code, request)
        with pytest.raises(errors.CodeSpent):
            oauth.exchange(code, request)
        assert count(sandbox, "oauth.token") == 1


def test_an_expired_code_is_sent_once(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox)
        sandbox.clock.advance(181)
        assert code.expires_at < sandbox.clock.now()
        for refusal in (errors.CodeRefused, errors.CodeSpent):
            with pytest.raises(refusal):
                oauth.exchange(code, request)
        assert count(sandbox, "oauth.token") == 1


@pytest.mark.parametrize("network", ["read_timeout", "reset"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_lost_answer_it_is_not_sent_again(both: Any, network: Any, when: Any) -> None:
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox)
        sandbox.fault("oauth.token", network=network, when=when)
        with pytest.raises(errors.CodeOutcomeUnknown, match="must not be sent twice"):
            oauth.exchange(code, request)
        with pytest.raises(errors.CodeSpent):
            oauth.exchange(code, request)
        assert count(sandbox, "oauth.token") == 1


def test_what_was_never_delivered_is_sent_again(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox)
        sandbox.fault("oauth.token", network="connect")
        oauth.exchange(code, request)
        assert count(sandbox, "oauth.token") == 2


def test_hand_over_and_exchange_exclude_each_other(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        before = count(sandbox, "oauth.token")

        # Ormco's own link: its code is not for this application at all.
        ormcos = practice.ormco.trios.authorization_request()
        request = AuthorizationRequest.from_url(ormcos.authorization_url)
        code = request.finish(sandbox.authorize(ormcos.authorization_url))
        with pytest.raises(errors.ConfigurationError, match="another application"):
            practice.oauth.exchange(code, request)
        assert not code.spent
        practice.ormco.trios.submit_code(code)
        mine = practice.oauth.authorization_request()
        with pytest.raises(errors.CodeSpent, match="OrmcoDigital"):
            practice.oauth.exchange(code, mine)
        assert count(sandbox, "oauth.token") == before

        code = mine.finish(sandbox.authorize(mine.url))
        practice.oauth.exchange(code, mine)
        handed = count(sandbox, "trios.submit_code")
        with pytest.raises(errors.CodeSpent, match="exchange"):
            practice.ormco.trios.submit_code(code)
        assert count(sandbox, "trios.submit_code") == handed
        assert count(sandbox, "oauth.token") == before + 1


# --- which server answered ------------------------------------------------------------------


def test_the_issuer_is_compared(both: Any) -> None:
    with Sandbox() as sandbox:
        oauth = clients(both, sandbox, account_dialect=True).oauth
        request = oauth.authorization_request()
        address = sandbox.authorize(request.url)
        assert "&iss=" in address
        assert request.finish(address).issuer == request.issuer
        wrong = address.replace("identity", "other-identity")
        for again in (request, AuthorizationRequest.from_json(request.to_json())):
            with pytest.raises(errors.IssuerMismatch):
                again.finish(wrong)
            assert again.finish(address.partition("&iss=")[0]).issuer is None
        assert AuthorizationRequest.from_url(request.url).issuer == request.issuer

        # A server that says it always names itself is held to that.
        oauth.discover()
        request = oauth.authorization_request()
        address = sandbox.authorize(request.url)
        for again in (request, AuthorizationRequest.from_json(request.to_json())):
            with pytest.raises(errors.IssuerMismatch, match="does not name"):
                again.finish(address.partition("&iss=")[0])
            assert again.finish(address)


# --- what is kept ---------------------------------------------------------------------------


class Failing(MemoryTokenStore):
    """A store that fails to save as often as it is told to."""

    failures = 0

    def save(self, account: str, token: Token) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is full")
        super().save(account, token)


def test_a_token_is_renewed_a_minute_early(both: Any) -> None:
    with Sandbox(token_lifetime=3600) as sandbox:
        practice = signed_in(both, sandbox)
        first = practice.oauth.token()
        sandbox.clock.advance(3600 - 61)
        practice.communicate.users.me()
        assert practice.oauth.token() == first
        sandbox.clock.advance(1)
        practice.communicate.users.me()
        second = practice.oauth.token()
        assert second.access_token != first.access_token
        # The classic server's answer has no refresh token: the old one stays good.
        assert second.refresh_token == first.refresh_token
        assert sandbox.journal.count("users.me", ok=False) == 0


def test_what_cannot_be_renewed_is_used_to_its_end(both: Any) -> None:
    server = Scripted(reply(access_token="a", expires_in=60), reply(Id="x"), reply(Id="x"))
    oauth = scripted(both, server)
    oauth.exchange(a_code(), oauth.authorization_request())
    clock = oauth.channel.clock
    communicate = both.communicate(environment=oauth.environment, auth=oauth.auth)
    clock.advance(59)
    communicate.users.me()
    clock.advance(1)
    with pytest.raises(errors.AuthorizationNeeded, match="cannot be refreshed"):
        communicate.users.me()


def test_a_rotated_token_is_saved_before_it_is_used(both: Any) -> None:
    store = Failing()
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox, account_dialect=True, store=store)
        communicate = both.communicate(environment=sandbox.environment, auth=oauth.auth)
        old = oauth.exchange(code, request)
        sandbox.clock.advance(3600)
        store.failures = 2
        with pytest.raises(errors.TokenNotSaved):
            communicate.users.me()
        with pytest.raises(errors.TokenNotSaved) as caught:
            communicate.users.me()
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.token.refresh_token != old.refresh_token
        assert sandbox.journal.count("users.me") == 0
        # One refresh: the only token that still works was not lost, and is saved now.
        communicate.users.me()
        assert oauth.token() == caught.value.token
        assert sandbox.journal.count("oauth.token") == 2


def test_a_token_that_was_not_saved_does_not_come_back(both: Any) -> None:
    store = Failing()
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox, account_dialect=True, store=store)
        old = oauth.exchange(code, request)
        store.failures = 1
        with pytest.raises(errors.TokenNotSaved):
            oauth.refresh(old)
        # A person signs in again; what was not saved then is of no interest any more.
        other = clients(both, sandbox, account_dialect=True, store=store).oauth
        again = other.authorization_request()
        newest = other.exchange(again.finish(sandbox.authorize(again.url)), again)
        assert oauth.refresh(old) == newest


def test_an_exchange_that_cannot_be_saved_hands_the_token_over(both: Any) -> None:
    store = Failing()
    store.failures = 1
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox, store=store)
        with pytest.raises(errors.TokenNotSaved) as caught:
            oauth.exchange(code, request)
        communicate = both.communicate(
            environment=sandbox.environment, token=caught.value.token.access_token
        )
        assert communicate.users.me().email == sandbox.practice.email


def test_a_new_sign_in_is_used_at_once(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        assert practice.communicate.users.me().email == sandbox.practice.email
        other = sandbox.practice_in("am")
        practice.oauth.sign_in_with_password(other.email, other.password)
        assert practice.communicate.users.me().email == other.email


@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
def test_revoked_is_forgotten(both: Any, account_dialect: bool) -> None:
    with Sandbox() as sandbox:
        oauth, request, code = signing_in(both, sandbox, account_dialect=account_dialect)
        communicate = both.communicate(environment=sandbox.environment, auth=oauth.auth)
        token = oauth.exchange(code, request)
        communicate.users.me()
        assert oauth.revoke() is account_dialect
        with pytest.raises(errors.AuthorizationNeeded):
            communicate.users.me()
        assert oauth.token() is None
        with pytest.raises(errors.AuthorizationNeeded, match="no token"):
            oauth.revoke()
        if account_dialect:
            with pytest.raises(errors.GrantRevoked):
                oauth.refresh(token)


def test_revoked_at_the_server(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = signed_in(both, sandbox)
        practice.communicate.users.me()
        for grant in sandbox.world.state.grants.values():
            grant.revoked = True
        with pytest.raises(errors.GrantRevoked):
            practice.communicate.users.me()


# --- to and from JSON, and never into sight -------------------------------------------------

TOKENS = [
    Token(SecretStr("an-access-token")),
    Token(SecretStr("an-access-token"), NOW, SecretStr("a-refresh-token"), "openid api"),
]


@pytest.mark.parametrize("token", TOKENS, ids=["least", "most"])
def test_a_token_survives_json(token: Token) -> None:
    assert Token.from_json(token.to_json()) == token
    assert json.loads(token.to_json())["access_token"] == "an-access-token"
    for shown in (repr(token), str(token), f"{token}"):
        assert "access-token" not in shown
        assert "refresh-token" not in shown


@pytest.mark.parametrize("server", [AuthorizationServer.classic(), AuthorizationServer.account()])
@pytest.mark.parametrize("expires_at", [None, NOW])
def test_a_request_survives_json(server: AuthorizationServer, expires_at: datetime | None) -> None:
    made = AuthorizationRequest.create(
        server, base_url="https://auth.example", client_id="id", redirect_uri=CALLBACK
    )
    assert AuthorizationRequest.from_json(made.to_json()) == made
    linked = AuthorizationRequest.from_url(made.url, expires_at=expires_at)
    assert AuthorizationRequest.from_json(linked.to_json()) == linked
    assert (linked.issuer, linked.client_id) == ("https://auth.example", "id")
    assert (linked.redirect_uri, linked.expires_at) == (CALLBACK, expires_at)
    assert (linked.state, linked.server.name) == (made.state, server.name)
    bare = AuthorizationRequest.from_url("https://a.example/?client_id=id&redirect_uri=x")
    assert (bare.issuer, bare.state, bare.code_verifier) == (None, None, None)
    assert AuthorizationRequest.from_json(bare.to_json()) == bare
    assert made.state is not None
    for secret in (made.state, made.code_verifier or made.state):
        assert secret.get_secret_value() not in f"{made!r}{made}"


@pytest.mark.parametrize("text", ["", "[]", "{}", "secret-text", '{"access_token": "secret-text"}'])
@pytest.mark.parametrize(
    "read",
    [Token.from_json, AuthorizationRequest.from_json, Progress.from_json],
    ids=["token", "request", "progress"],
)
def test_what_is_not_ours_is_refused_and_not_shown(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        read(text)
    assert "secret-text" not in everything(caught.value)


def test_a_link_that_is_none() -> None:
    with pytest.raises(errors.ConfigurationError, match="authorization link"):
        AuthorizationRequest.from_url("https://auth.example/?client_id=x")


def everything(error: BaseException) -> str:
    """An error with the locals of the library's frames, as an error reporter would send it."""
    shown = [str(error), repr(error), repr(vars(error))]
    while True:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown += [str(frame.locals) for frame in report.stack if "ormco_trios" in frame.filename]
        deeper = error.__cause__ or error.__context__
        if deeper is None:
            return "\n".join(shown)
        error = deeper


def test_no_traceback_shows_a_secret(both: Any) -> None:
    secrets = ["secret-code", "secret-of-app", "secret-access", "secret-refresh", "secret-password"]

    def exchange(*answers: Any, store: Any = None) -> Any:
        oauth = scripted(both, Scripted(*answers), client_secret="secret-of-app", store=store)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnrecognisedCodeWarning)
            code = AuthorizationCode("secret-code")
        return oauth, lambda: oauth.exchange(code, oauth.authorization_request())

    store = Failing()
    store.failures = 1
    good = reply(access_token="secret-access", refresh_token="secret-refresh", expires_in=1)
    token = Token(SecretStr("secret-access"), NOW - timedelta(1), SecretStr("secret-refresh"))
    refused = reply(400, error="invalid_grant")
    calls = [
        exchange(refused)[1],
        exchange(errors.OutcomeUnknown("lost"))[1],
        exchange(good, store=store)[1],
        lambda: exchange(refused)[0].refresh(token),
        lambda: exchange(refused)[0].revoke(token),
        lambda: exchange(refused)[0].sign_in_with_password("who", SecretStr("secret-password")),
    ]
    for number, call in enumerate(calls):
        try:
            call()
        except errors.OrmcoTriosError as error:
            shown = everything(error)
            assert [secret for secret in secrets if secret in shown] == [], number
        else:
            assert number == 4  # the classic dialect has no revocation

    oauth = account(both, Scripted())
    request = oauth.authorization_request()
    for paste in ("secret-code", f"https://a.example/?code=secret-code&state={'secret-state'}"):
        with pytest.raises(errors.PasteError) as caught:
            request.finish(paste)
        shown = everything(caught.value)
        assert "secret-" not in shown
        assert request.state.get_secret_value() not in shown


def test_a_token_is_its_owners(both: Any) -> None:
    """Also where two are kept under one name; and the name says nothing of the owner."""
    store = MemoryTokenStore()

    def client(owner: str | None) -> Any:
        server = Scripted(reply(access_token=f"of {owner}"))
        return both.oauth(
            environment=server.environment(),
            client_id="x",
            redirect_uri=CALLBACK,
            store=store,
            account="id-7",
            owner=owner,
        )

    mira, other, nobody = client("mira"), client("other"), client(None)
    kept = mira.sign_in_with_password("mira@clinic.example", "p")
    assert (kept.owner, "mira" in repr(kept)) == ("mira", False)
    assert mira.token() == kept
    assert Token.from_json(kept.to_json()) == kept
    for client_ in (other, nobody):
        assert client_.token() is None
        with pytest.raises(errors.AuthorizationNeeded):
            client_.revoke()
    # A store of one's own need not keep whose it is.
    store.save("id-7", replace(kept, owner=None))
    assert other.token() is not None


# --- odd replies --------------------------------------------------------------------------------


ODD: list[tuple[Any, float | None]] = [
    (None, None),
    (3600, 3600),
    ("3600", 3600),
    (3599.9, 3599),
    (1e300, 1e9),
    (10**400, 300),
    (0, 300),
    (-1, 300),
    (float("nan"), 300),
    (True, 300),
    (0.5, 300),
    ("soon", 300),
    ([3600], 300),
    ({}, 300),
]


@pytest.mark.parametrize(("expires_in", "lasts"), ODD, ids=range(len(ODD)))
def test_an_odd_lifetime_wastes_no_token(both: Any, expires_in: Any, lasts: float | None) -> None:
    """The refresh token that was sent for it works no more; it is due soon, and not at once."""
    clock = ManualClock()
    server = Scripted(reply(access_token="new", refresh_token="next", expires_in=expires_in))
    oauth = both.oauth(environment=server.environment(clock), client_id="x", redirect_uri=CALLBACK)
    token = oauth.refresh(Token(SecretStr("a"), refresh_token=SecretStr("b")))
    assert token == oauth.token()
    assert token.refresh_token.get_secret_value() == "next"
    left = token.expires_at and (token.expires_at - clock.now()).total_seconds()
    assert left == lasts
    assert oauth.auth.current() == token.access_token


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        ("a b", "a b"),
        (["a", "b", 1], "a b"),
        ([], None),
        ("", None),
        (7, None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_an_odd_scope_wastes_no_token(both: Any, scope: Any, kept: str | None) -> None:
    server = Scripted(reply(access_token="new", scope=scope, refresh_token=[1], id_token=0))
    oauth = both.oauth(environment=server.environment(), client_id="x", redirect_uri=CALLBACK)
    token = oauth.refresh(Token(SecretStr("a"), refresh_token=SecretStr("b")))
    assert token.scope == kept
    assert token.refresh_token.get_secret_value() == "b", "the old one, as if none had come"


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", " Bearer", None, ""])
def test_a_bearer_token(both: Any, kind: str | None) -> None:
    server = Scripted(reply(access_token="new", token_type=kind))
    oauth = both.oauth(environment=server.environment(), client_id="x", redirect_uri=CALLBACK)
    assert oauth.sign_in_with_password("x", "y").access_token.get_secret_value() == "new"


@pytest.mark.parametrize("kind", ["DPoP", "mac", "N_A", "Bearer2", ["Bearer"], 7, {}])
def test_a_token_of_another_kind_is_not_used(both: Any, kind: Any) -> None:
    """It would go over the wire as if its holder could use it (RFC 6749, 7.1)."""
    server = Scripted(reply(access_token="s3cret", token_type=kind))
    oauth = both.oauth(environment=server.environment(), client_id="x", redirect_uri=CALLBACK)
    with pytest.raises(errors.UnexpectedAnswer, match="token_type: ") as caught:
        oauth.sign_in_with_password("x", "y")
    assert "s3cret" not in everything(caught.value)
    assert oauth.token() is None


@pytest.mark.parametrize("access", [None, "", 7, ["a"]])
def test_a_reply_without_a_token(both: Any, access: Any) -> None:
    server = Scripted(reply(access_token=access, refresh_token="s3cret"))
    oauth = both.oauth(environment=server.environment(), client_id="x", redirect_uri=CALLBACK)
    with pytest.raises(errors.UnexpectedAnswer, match="access_token: ") as caught:
        oauth.sign_in_with_password("x", "y")
    assert "s3cret" not in everything(caught.value)
