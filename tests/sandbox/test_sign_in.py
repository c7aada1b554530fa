"""Sign-in pages, codes and tokens in both dialects: the contract's sections 1 and 4."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from ormco_trios.sandbox import JourneyFailed, Switches

VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
SCOPES = "openid api offline_access communicate.connections.manage data.users.read_only"


def parameters(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


# --- the pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "mark"), [(0, "!"), (1, "%21"), (2, "%2521"), (3, "%252521")])
def test_the_address_bar_shows_the_code_in_layers(make, layers, mark) -> None:
    call = make(switches=Switches(code_layers=layers))
    address = call.sandbox.authorize(call.link(state="a b&c"))
    base, _, query = address.partition("?code=")
    code, _, state = query.partition("&")
    assert base == call.sandbox.redirect_uri
    assert code[4:].startswith(mark + "IAAAA")
    assert state == "state=a%20b%26c"


def test_the_portals_link_is_the_guides(call) -> None:
    path = "/ormcodigital/api/integrations/3shape/authorization"
    url = call.json(call.post(path, token=call.session()))["authorization_url"]
    assert parameters(url) == {
        "client_id": "ormco",
        "redirect_uri": f"{call.sandbox.base_url}/ormco/",
        "response_type": "code",
    }
    address = call.sandbox.authorize(url)
    assert address.startswith(f"{call.sandbox.base_url}/ormco/?code=")
    assert "%2521IAAAA" in address
    assert "state" not in address


def test_cancel(call) -> None:
    address = call.sandbox.authorize(call.link(state="s"), allow=False)
    assert parameters(address) == {"error": "access_denied", "state": "s"}
    assert not call.world.state.grants


def test_a_wrong_password_leads_nowhere(call) -> None:
    with pytest.raises(JourneyFailed, match="No account") as caught:
        call.sandbox.authorize(call.link(), password="guess")
    assert caught.value.status == 400
    assert call.sandbox.journal.count("oauth.consent") == 0


@pytest.mark.parametrize(
    ("change", "explain"),
    [
        ({"client_id": "nobody"}, "client_id"),
        ({"client_id": "sandbox-practice-app-account"}, "classic dialect"),
        ({"redirect_uri": "https://practice.example/"}, "redirect_uri"),
        ({"redirect_uri": "https://sandbox.example/practice-app/x"}, "redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1:8000/"}, "redirect_uri"),
        ({"prompt": "none"}, "'prompt'"),
    ],
)
def test_what_the_pages_do_not_accept_is_not_redirected(call, change, explain) -> None:
    query = {**parameters(call.link()), **change}
    reply = call.get("/auth/oauth/authorise", query=query)
    assert reply.status == 400
    assert reply.header("content-type").startswith("text/html")
    assert explain in reply.header("x-sandbox-explain")


def test_what_the_application_did_wrong_goes_back_to_it(call) -> None:
    query = {**parameters(call.link(state="s")), "response_type": "token"}
    reply = call.get("/auth/oauth/authorise", query=query)
    assert reply.status == 302
    assert parameters(reply.header("location")) == {
        "error": "unsupported_response_type",
        "state": "s",
    }


def test_forms_need_their_own_session(call) -> None:
    query = urlsplit(call.link()).query
    page = call.get("/auth/oauth/authorise", query=query)
    cookie = page.header("set-cookie").partition(";")[0]
    for attribute in ("HttpOnly", "SameSite=Lax", "Secure"):
        assert attribute in page.header("set-cookie")
    user = call.world.user(call.sandbox.practice.email)
    form = {"csrf": call.csrf(page), "email": user.email, "password": user.password}
    path = "/auth/oauth/sign-in"
    for cookies, sent, status in [
        ({}, form, 403),
        ({"Cookie": "sandbox_3shape=nothing"}, form, 403),
        ({"Cookie": cookie}, {**form, "csrf": "x"}, 403),
        ({"Cookie": cookie}, {**form, "more": "x"}, 400),
        ({"Cookie": cookie}, form, 303),
    ]:
        reply = call.post(path, query=query, form=sent, headers=cookies)
        assert reply.status == status
    # Signing in starts another session: the old cookie does not become a signed-in one.
    assert reply.header("set-cookie").partition(";")[0] != cookie
    assert (
        'type="password"'
        in call.get("/auth/oauth/authorise", query=query, headers={"Cookie": cookie}).text
    )


def test_pages_escape_and_leak_nothing(call) -> None:
    query = urlsplit(call.link(state='"><script>')).query
    page = call.get("/auth/oauth/authorise", query=query)
    cookie = page.header("set-cookie").partition(";")[0]
    form = {"csrf": call.csrf(page), "email": '"><script>', "password": "guess"}
    again = call.post("/auth/oauth/sign-in", query=query, form=form, headers={"Cookie": cookie})
    for reply in (page, again):
        assert "<script" not in reply.text
        assert "guess" not in reply.text
        assert reply.header("referrer-policy") == "no-referrer"
        assert reply.header("cache-control") == "no-store"
        assert "default-src 'none'" in reply.header("content-security-policy")


# --- classic tokens -------------------------------------------------------------------------


def test_a_code_for_tokens(call) -> None:
    reply = call.classic(
        grant_type="authorization_code", code=call.code(), redirect_uri=call.sandbox.redirect_uri
    )
    answer = call.json(reply)
    assert answer.keys() == {
        "access_token", "token_type", "expires_in", "refresh_token", "scope",
    }  # fmt: skip
    assert reply.header("cache-control") == "no-store"
    for name in ("access_token", "refresh_token"):
        assert answer[name].startswith("sandbox-")
    assert call.me(answer["access_token"])["Email"] == call.sandbox.practice.email


def test_a_refresh_keeps_the_old_refresh_token(call) -> None:
    user = call.world.user(call.sandbox.practice.email)
    first = call.json(
        call.classic(grant_type="password", username=user.email, password=user.password)
    )
    for _ in range(2):
        again = call.json(
            call.classic(grant_type="refresh_token", refresh_token=first["refresh_token"])
        )
        assert "refresh_token" not in again
        assert call.me(again["access_token"])


def exchange(call, code, **more):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": call.sandbox.redirect_uri,
        **more,
    }
    return call.classic(**form)


def refused(call, reply) -> tuple[int, str, str | None]:
    answer = call.json(reply)
    assert answer.keys() <= {"error", "error_description"}
    return reply.status, answer["error"], answer.get("error_description")


def test_a_code_works_once(call) -> None:
    code = call.code()
    assert exchange(call, code).status == 200
    assert refused(call, exchange(call, code)) == (400, "invalid_request", None)


@pytest.mark.parametrize(("seconds", "status"), [(179, 200), (180, 400)])
def test_a_code_lives_three_minutes(call, seconds, status) -> None:
    code = call.code()
    call.sandbox.clock.advance(seconds)
    assert exchange(call, code).status == status


@pytest.mark.parametrize(
    "damage",
    [
        lambda code: code.replace("!", "%21"),
        lambda code: code.replace("!", ""),
        lambda code: code[:-4],
        lambda code: code[:30] + ("A" if code[30] != "A" else "B") + code[31:],
    ],
    ids=["still encoded", "no mark", "cut", "changed"],
)
def test_damaged_codes_are_invalid_requests_and_not_spent(call, damage) -> None:
    code = call.code()
    assert refused(call, exchange(call, damage(code))) == (400, "invalid_request", None)
    assert exchange(call, code).status == 200


def test_a_payload_that_is_not_base64_is_a_page(call) -> None:
    code = call.code()
    reply = exchange(call, code[:30] + "." + code[31:])
    assert reply.status == 500
    assert reply.header("content-type").startswith("text/html")
    assert exchange(call, code).status == 200


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"secret": "guess"}, (401, "invalid_client", "The client secret was incorrect.")),
        ({"redirect_uri": "https://sandbox.example/ormco/"}, (400, "invalid_request", None)),
    ],
)
def test_a_wrong_attempt_spends_the_code(call, wrong, expected) -> None:
    code = call.code()
    reply = exchange(call, code, **wrong)
    assert refused(call, reply) == expected
    assert (reply.header("www-authenticate") is not None) is (expected[0] == 401)
    assert refused(call, exchange(call, code)) == (400, "invalid_request", None)


def test_a_wrong_secret_in_the_form_is_400(call) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": call.code(),
        "redirect_uri": call.sandbox.redirect_uri,
        "client_id": call.sandbox.client_id,
        "client_secret": "guess",
    }
    reply = call.post("/auth/oauth/token", form=form)
    assert refused(call, reply) == (400, "invalid_client", "The client secret was incorrect.")


def test_another_applications_code(call) -> None:
    code = call.portal_code(call.session())
    reply = exchange(call, code, redirect_uri=f"{call.sandbox.base_url}/ormco/")
    assert refused(call, reply) == (400, "invalid_client", None)


def test_a_withdrawn_access(call) -> None:
    code = call.code()
    assert call.world.revoke(call.sandbox.practice.email, call.sandbox.client_id)
    assert refused(call, exchange(call, code)) == (400, "invalid_grant", None)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type", None)),
        ({"grant_type": "refresh_token"}, (400, "invalid_request", None)),
        (
            {"grant_type": "refresh_token", "refresh_token": "sandbox-nothing"},
            (400, "invalid_grant", None),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "more": "x"},
            (400, "invalid_request", None),
        ),
    ],
)
def test_other_refusals(call, form, expected) -> None:
    assert refused(call, call.classic(**form)) == expected


@pytest.mark.parametrize(
    ("position", "status", "kind"),
    [
        ("empty", 401, None),
        ("invalid_grant", 401, "application/json"),
        ("400", 400, "application/json"),
        ("html", 401, "text/html"),
    ],
)
def test_a_wrong_password_in_the_password_grant(call, position, status, kind) -> None:
    call.sandbox.switch(password_refused=position)
    form = {"grant_type": "password", "username": "x@clinic.example", "password": "x"}
    reply = call.classic(**form)
    assert reply.status == status
    if kind is None:
        assert reply.body == b""  # as documented
    else:
        assert reply.header("content-type").startswith(kind)


def test_a_classic_refresh_token_may_need_a_scope(call) -> None:
    call.sandbox.switch(offline_access="needed")
    assert "refresh_token" not in call.json(exchange(call, call.code()))
    assert "refresh_token" in call.json(exchange(call, call.code(scope="offline_access")))
    assert call.get("/auth/oauth/authorise", query={
        **parameters(call.link()), "scope": "api",
    }).header("location").endswith("error=invalid_scope")  # fmt: skip


def test_the_token_endpoint_takes_forms(call) -> None:
    reply = call.post("/auth/oauth/token", body={"grant_type": "password"})
    assert reply.status == 400
    assert call.json(reply)["error"] == "invalid_request"


def test_token_info(call) -> None:
    token = call.token()
    answer = call.json(call.get("/auth/oauth/token", query={"access_token": token}))
    assert answer == {
        "User": "practice.eu@clinic.example",
        "Client": "Sandbox Practice App",
        "ClientType": "Confidential",
        "LifeTime": 3600,
        "UtcIssued": "2026-01-01T00:00:00.000Z",
    }
    call.sandbox.clock.advance(3600)
    reply = call.get("/auth/oauth/token", query={"access_token": token})
    assert (reply.status, call.json(reply)) == (500, "An error has occurred.")


# --- account --------------------------------------------------------------------------------


class Account:
    def __init__(self, call) -> None:
        self.call = call
        self.client = call.sandbox.account_client_id

    def link(self, **change: str) -> str:
        query = {
            "client_id": self.client,
            "redirect_uri": self.call.sandbox.redirect_uri,
            "response_type": "code",
            "scope": SCOPES,
            "state": "s",
            "nonce": "n",
            "code_challenge": CHALLENGE.decode(),
            "code_challenge_method": "S256",
            "response_mode": "query",
            **change,
        }
        query = {name: value for name, value in query.items() if value}
        return f"{self.call.sandbox.base_url}/identity/connect/authorize?{urlencode(query)}"

    def code(self, **change: str) -> str:
        return parameters(self.call.sandbox.authorize(self.link(**change)))["code"]

    def token(self, **change: str):
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": self.call.sandbox.redirect_uri,
            "client_id": self.client,
            "code_verifier": VERIFIER,
            **change,
        }
        return self.call.post("/identity/connect/token", form=form)

    def refresh(self, token: str):
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client}
        return self.call.post("/identity/connect/token", form=form)


@pytest.fixture
def account(call) -> Account:
    return Account(call)


def test_an_account_sign_in(call, account) -> None:
    address = call.sandbox.authorize(account.link())
    found = parameters(address)
    assert found["state"] == "s"
    assert found["iss"] == f"{call.sandbox.base_url}/identity"
    assert "!" not in found["code"]
    answer = call.json(account.token(code=found["code"]))
    assert answer["scope"] == SCOPES
    assert call.me(answer["access_token"])["Email"] == call.sandbox.practice.email
    claims = answer["access_token"].split(".")[1]
    exp = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
    assert exp == call.sandbox.clock.time() + answer["expires_in"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
    ],
)
def test_account_requests_that_go_back(call, account, change, error) -> None:
    found = parameters(call.sandbox.authorize(account.link(**change)))
    assert found == {
        "error": error, "state": "s", "iss": f"{call.sandbox.base_url}/identity",
    }  # fmt: skip


def test_pkce_is_required(call, account) -> None:
    with pytest.raises(JourneyFailed, match="code_challenge"):
        call.sandbox.authorize(account.link(code_challenge=""))


@pytest.mark.parametrize(
    ("redirect", "allowed"),
    [
        ("http://127.0.0.1:51234/callback", True),
        ("http://localhost:1/", True),
        ("http://[::1]:65535/callback", True),
        ("http://127.0.0.1/", True),
        ("http://127.0.0.1:51234", True),
        ("http://127.0.0.1:51234/a/b", False),
        ("http://localhost:1/callback/", False),
        ("https://127.0.0.1:51234/callback", False),
        ("http://127.0.0.1.example:51234/", False),
        ("http://127.0.0.1:51234/?x=1", False),
        ("http://practice.example/", False),
    ],
)
def test_only_the_port_of_a_loopback_address_is_free(call, account, redirect, allowed) -> None:
    if allowed:
        assert call.sandbox.authorize(account.link(redirect_uri=redirect)).startswith(redirect)
        return
    with pytest.raises(JourneyFailed):
        call.sandbox.authorize(account.link(redirect_uri=redirect))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "b" * 43},
        {"redirect_uri": "http://127.0.0.1:1/"},
        {"code": "sandbox-nothing"},
    ],
)
def test_account_codes_are_checked(call, account, wrong) -> None:
    code = account.code()
    assert refused(call, account.token(**{"code": code, **wrong}))[:2] == (400, "invalid_grant")
    expected = 200 if "code" in wrong else 400
    assert account.token(code=code).status == expected


def test_account_codes_expire_and_work_once(call, account) -> None:
    code = account.code()
    assert account.token(code=code).status == 200
    assert refused(call, account.token(code=code))[1] == "invalid_grant"
    code = account.code()
    call.sandbox.clock.advance(180)
    assert refused(call, account.token(code=code))[1] == "invalid_grant"


def test_refresh_tokens_rotate(call, account) -> None:
    first = call.json(account.token(code=account.code()))["refresh_token"]
    second = call.json(account.refresh(first))["refresh_token"]
    assert first != second
    assert refused(call, account.refresh(first)) == (400, "invalid_grant", None)
    assert account.refresh(second).status == 200


def test_no_offline_access_no_refresh_token(call, account) -> None:
    answer = call.json(account.token(code=account.code(scope="openid api")))
    assert "refresh_token" not in answer


def test_scopes_are_enforced(call, account) -> None:
    token = call.json(account.token(code=account.code(scope="openid api")))["access_token"]
    reply = call.connect(token)
    assert reply.status == 400
    assert "communicate.connections.manage" in reply.header("x-sandbox-explain")


def test_a_confidential_account_client(call, account) -> None:
    account.client = call.sandbox.account_confidential_client_id
    code = account.code()
    assert refused(call, account.token(code=code))[1] == "invalid_client"
    pair = f"{account.client}:{call.sandbox.account_client_secret}"
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": call.sandbox.redirect_uri,
        "client_id": account.client,
        "code_verifier": VERIFIER,
    }
    reply = call.post(
        "/identity/connect/token",
        form=form,
        headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
    )
    assert reply.status == 200


def test_revocation(call, account) -> None:
    answer = call.json(account.token(code=account.code()))
    path = "/identity/connect/revocation"
    form = {"client_id": account.client, "token": "sandbox-nothing"}
    assert call.post(path, form=form).status == 200
    assert call.me(answer["access_token"])
    form = {**form, "token": answer["refresh_token"], "token_type_hint": "refresh_token"}
    assert call.post(path, form=form).status == 200
    assert call.get("/communicate/api/users/me", token=answer["access_token"]).status == 401
    assert refused(call, account.refresh(answer["refresh_token"]))[1] == "invalid_grant"


def test_userinfo_and_discovery(call, account) -> None:
    token = call.json(account.token(code=account.code()))["access_token"]
    answer = call.json(call.get("/identity/connect/userinfo", token=token))
    assert answer["email"] == call.sandbox.practice.email
    assert call.get("/identity/connect/userinfo", token=call.token()).status == 403
    found = call.json(call.get("/identity/.well-known/openid-configuration"))
    assert found["issuer"] == f"{call.sandbox.base_url}/identity"
    assert found["code_challenge_methods_supported"] == ["S256"]


# --- whose account --------------------------------------------------------------------------


def links(call, account) -> dict[str, str]:
    return {"classic": call.link(), "account": account.link()}


@pytest.mark.parametrize("dialect", ["classic", "account"])
def test_a_browser_answers_for_whom_it_is_signed_in(call, account, dialect) -> None:
    """The guide's first trouble: the second practice's link, opened where the first signed in."""
    link = links(call, account)[dialect]
    first, second = call.sandbox.practice.email, call.sandbox.practice_in("am").email
    browser = call.sandbox.browser()
    for asked in (first, second):
        browser.authorize(link, email=asked)
        assert browser.account == first
    browser.clear()
    browser.authorize(link, email=second)
    assert browser.account == second
    assert [call.world.state.users[g.user].email for g in call.world.state.grants.values()] == [
        first, second,
    ]  # fmt: skip


def test_the_two_sign_ins_are_at_two_domains(call, account) -> None:
    first, second = call.sandbox.practice.email, call.sandbox.practice_in("am").email
    browser = call.sandbox.browser()
    browser.authorize(call.link(), email=first)
    browser.authorize(account.link(), email=second)
    assert browser.account == second
    browser.authorize(call.link())
    assert browser.account == first


def test_an_application_can_ask_for_a_fresh_sign_in(call, account) -> None:
    first, second = call.sandbox.practice.email, call.sandbox.practice_in("am").email
    browser = call.sandbox.browser()
    browser.authorize(account.link(), email=first)
    browser.authorize(account.link(prompt="login", login_hint=second), email=second)
    assert browser.account == second


def test_a_hint_fills_in_the_sign_in_page(call, account) -> None:
    query = account.link(login_hint='"><script>@practice.example').partition("?")[2]
    page = call.get("/identity/connect/authorize", query=query)
    assert 'value="&#34;&gt;&lt;script&gt;@practice.example"' in page.text


@pytest.mark.parametrize(
    ("prompt", "signed_in", "error"),
    [
        ("none", False, "login_required"),
        ("none", True, "interaction_required"),
        ("create", False, "invalid_request"),
    ],
)
def test_what_cannot_be_done_without_a_person(call, account, prompt, signed_in, error) -> None:
    browser = call.sandbox.browser()
    if signed_in:
        browser.authorize(account.link())
    assert parameters(browser.authorize(account.link(prompt=prompt)))["error"] == error


@pytest.mark.parametrize(
    "path",
    [
        "/identity/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/identity",
        "/identity/.well-known/oauth-authorization-server",
    ],
)
def test_discovery_is_where_each_of_the_two_standards_has_it(call, path) -> None:
    found = call.json(call.get(path))
    assert found["issuer"] == f"{call.sandbox.base_url}/identity"
    assert found["revocation_endpoint"] == f"{call.sandbox.base_url}/identity/connect/revocation"


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token", "password"])
def test_a_fault_can_be_for_one_grant(call, grant) -> None:
    """By the names that the library's errors and events have."""
    code = call.code()
    call.sandbox.fault(f"oauth.{grant}", status=503, times=None)
    who = call.sandbox.practice
    statuses = {
        "authorization_code": exchange(call, code).status,
        "refresh_token": call.classic(grant_type="refresh_token", refresh_token="x").status,
        "password": call.classic(
            grant_type="password", username=who.email, password=who.password
        ).status,
    }
    assert {name for name, status in statuses.items() if status == 503} == {grant}
