"""Other people's clients, unmodified."""

from __future__ import annotations

import importlib.resources
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import hypothesis
import pytest
import schemathesis
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from hypothesis import HealthCheck
from hypothesis.errors import Unsatisfiable
from oauthlib.oauth2 import LegacyApplicationClient
from openapi_spec_validator import validate
from requests_oauthlib import OAuth2Session
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from tests.sandbox.conftest import Caller

from ormco_trios.sandbox import ControlledClock, Sandbox, Switches
from ormco_trios.sandbox.control.schema import ANSWERS, TAKES
from ormco_trios.sandbox.dispatch.table import TABLE

pytestmark = pytest.mark.socket

SCOPES = ["openid", "api", "offline_access", "communicate.connections.manage"]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # Both libraries insist on https, for any host, unless they are told otherwise.
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    with Sandbox(server=True, switches=Switches(code_layers=1)) as sandbox:
        yield sandbox


def places(sandbox: Sandbox, dialect: str) -> tuple[str, str]:
    environment = sandbox.environment
    if dialect == "classic":
        return (
            f"{environment.auth_classic}/oauth/authorise",
            f"{environment.auth_classic}/oauth/token",
        )
    return (
        f"{environment.auth_account}/connect/authorize",
        f"{environment.auth_account}/connect/token",
    )


def me(sandbox: Sandbox, client: Any) -> str:
    return str(client.get(f"{sandbox.environment.communicate}/api/users/me").json()["Email"])


# --- curl -----------------------------------------------------------------------------------


@pytest.fixture
def curl() -> Any:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, "--silent", "--show-error", "--noproxy", "*", *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return done.stdout

    return run


def test_curl_as_3shape_documents_it(served, curl) -> None:
    _, token_url = places(served, "classic")
    who = served.practice
    token = json.loads(
        curl(
            *("--user", f"{served.client_id}:{served.client_secret}"),
            *("--data", f"grant_type=password&username={who.email}&password={who.password}"),
            token_url,
        )
    )["access_token"]
    bearer = ("--header", f"Authorization: Bearer {token}")
    users = f"{served.environment.communicate}/api/users"
    myself = json.loads(curl(*bearer, f"{users}/me"))
    lab = json.loads(curl(*bearer, f"{users}/{who.lab_email}"))
    asked = json.loads(
        curl(*bearer, "--request", "POST", f"{users}/{myself['Id']}/requestconnection/{lab['Id']}")
    )
    assert (asked["RemoteUserId"], asked["RemoteUserType"]) == (lab["Id"], "Lab")
    cases = json.loads(curl(*bearer, f"{served.environment.metadata}/api/cases?page=0"))
    assert len(cases["Cases"]) == 10
    missing = curl(*bearer, "--include", f"{served.environment.metadata}/api/cases/none")
    assert missing.startswith("HTTP/1.1 400")
    assert "No case with Id none could be found" in missing


# --- Authlib and requests-oauthlib ----------------------------------------------------------


@pytest.mark.parametrize("dialect", ["classic", "account"])
def test_authlib(served, dialect) -> None:
    authorize, token_url = places(served, dialect)
    options: dict[str, Any] = {"token_endpoint_auth_method": "client_secret_basic"}
    ids = (served.client_id, served.client_secret)
    verifier: dict[str, str] = {}
    if dialect == "account":
        ids = (served.account_confidential_client_id, served.account_client_secret)
        options |= {"scope": " ".join(SCOPES), "code_challenge_method": "S256"}
        verifier = {"code_verifier": "v" * 50}
    with OAuth2Client(*ids, redirect_uri=served.redirect_uri, trust_env=False, **options) as client:
        url, state = client.create_authorization_url(authorize, **verifier)
        address = served.authorize(url)
        more = {"client_id": ids[0], **verifier} if dialect == "account" else {}
        token = client.fetch_token(token_url, authorization_response=address, state=state, **more)
        assert me(served, client) == served.practice.email
        again = {"client_id": ids[0]} if dialect == "account" else {}
        new = client.refresh_token(token_url, token["refresh_token"], **again)
        assert new["access_token"] != token["access_token"]
        assert me(served, client) == served.practice.email


def test_authlib_asynchronously(served) -> None:
    import asyncio

    authorize, token_url = places(served, "classic")

    async def main() -> None:
        async with AsyncOAuth2Client(
            served.client_id, served.client_secret, redirect_uri=served.redirect_uri,
            trust_env=False,
        ) as client:  # fmt: skip
            url, state = client.create_authorization_url(authorize)
            address = await asyncio.to_thread(served.authorize, url)
            await client.fetch_token(token_url, authorization_response=address, state=state)
            reply = await client.get(f"{served.environment.communicate}/api/users/me")
            assert reply.json()["Email"] == served.practice.email

    asyncio.run(main())


@pytest.mark.parametrize("dialect", ["classic", "account"])
def test_requests_oauthlib(served, dialect) -> None:
    authorize, token_url = places(served, dialect)
    ids = (served.client_id, served.client_secret)
    options: dict[str, Any] = {}
    if dialect == "account":
        ids = (served.account_confidential_client_id, served.account_client_secret)
        options = {"scope": SCOPES, "pkce": "S256"}
    with OAuth2Session(ids[0], redirect_uri=served.redirect_uri, **options) as client:
        url, _ = client.authorization_url(authorize)
        address = served.authorize(url)
        token = client.fetch_token(
            token_url,
            authorization_response=address,
            auth=ids,
            include_client_id=dialect == "account",
        )
        assert me(served, client) == served.practice.email
        again = {"client_id": ids[0]} if dialect == "account" else {}
        new = client.refresh_token(token_url, token["refresh_token"], auth=ids, **again)
        assert new["access_token"] != token["access_token"]
        assert me(served, client) == served.practice.email


def test_requests_oauthlib_with_a_password(served) -> None:
    _, token_url = places(served, "classic")
    who = served.practice
    with OAuth2Session(client=LegacyApplicationClient(served.client_id)) as client:
        client.fetch_token(
            token_url,
            username=who.email,
            password=who.password,
            auth=(served.client_id, served.client_secret),
        )
        assert me(served, client) == who.email


# --- Schemathesis ---------------------------------------------------------------------------


PORTAL = json.loads(
    importlib.resources.files("ormco_trios").joinpath("ormcodigital", "openapi.json").read_bytes()
)
SCHEMA = schemathesis.openapi.from_dict(PORTAL)
OPERATIONS: list[Any] = [found.ok() for found in cast(Any, SCHEMA.get_all_operations())]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.slow
@pytest.mark.parametrize("signed_in", [True, False], ids=["signed_in", "stranger"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_schemathesis_finds_nothing_undeclared(operation, mode, signed_in) -> None:
    with Sandbox(server=True) as sandbox:
        who, base = sandbox.practice, sandbox.environment.ormcodigital
        body = {"username": who.portal_username, "password": who.portal_password}
        token = httpx.post(f"{base}/api/session", json=body, trust_env=False).json()["token"]
        session = {"Authorization": f"Bearer {token}" if signed_in else "Bearer nobody"}

        examine(operation, mode, base_url=base, headers=session)


def examine(
    operation: Any, mode: GenerationMode, *, checks: list[Any] = CHECKS, **where: Any
) -> None:
    """Ask for one operation in many ways, and check each answer."""

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=25,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        database=None,
    )
    def run(case: Any) -> None:
        case.call_and_validate(checks=checks, **where)

    try:
        run()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is nothing to get wrong


def control_api() -> list[Any]:
    document = json.loads(Caller(Sandbox()).get("/sandbox/openapi.json").body)
    own = {
        path: {method: one for method, one in methods.items() if one["x-operation"] in ANSWERS}
        for path, methods in document["paths"].items()
    }
    validate(document)
    document["paths"] = {path: methods for path, methods in own.items() if methods}
    found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("operation", control_api(), ids=lambda operation: operation.label)
def test_schemathesis_finds_nothing_undeclared_in_the_control_api(operation, mode) -> None:
    with Sandbox(server=True, clock=ControlledClock(0)) as sandbox:
        caller = Caller(sandbox)
        caller.connect(caller.token())
        sandbox.fault("users.me", network="reset", times=None, nth=2)
        caller.get("/communicate/api/users/me")
        examine(operation, mode, base_url=sandbox.base_url)


SAID_BY_THE_CONTRACT = {"oauth.token", "oauth.token_info"}
"""What the real service, too, says 500 to [doc, dnoa]: a payload or a token that is none."""


def services() -> list[Any]:
    """3Shape's interfaces; what they answer is in the wire contract, and in no document."""
    document = json.loads(Caller(Sandbox()).get("/sandbox/openapi.json").body)
    for methods in document["paths"].values():
        for method, one in list(methods.items()):
            excused = one["x-operation"] in SAID_BY_THE_CONTRACT
            if excused or one["x-provenance"] in ("guide", "sandbox"):
                del methods[method]
    found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found]


@pytest.mark.slow
@pytest.mark.parametrize("operation", services(), ids=lambda operation: operation.label)
def test_schemathesis_finds_no_server_error(operation) -> None:
    with Sandbox(server=True, clock=ControlledClock(0)) as sandbox:
        session = {"Authorization": f"Bearer {Caller(sandbox).token()}"}
        where: Any = {"base_url": sandbox.base_url, "headers": session}
        examine(operation, GenerationMode.POSITIVE, checks=[not_a_server_error], **where)


def test_the_whole_control_api_is_described() -> None:
    own = [route for route in TABLE if route.area == "sandbox"]
    assert {route.operation for route in own} == ANSWERS.keys()
    assert {route.operation for route in own if route.body == "json"} == TAKES.keys()


def test_the_document_that_is_served_is_the_one_that_is_tested(served) -> None:
    served_one = httpx.get(f"{served.base_url}/ormcodigital/openapi.json", trust_env=False).json()
    assert served_one.pop("servers")[0]["url"] == served.environment.ormcodigital
    assert served_one == {name: value for name, value in PORTAL.items() if name != "servers"}


def test_every_operation_says_how_it_is_known(served) -> None:
    for path in ("/ormcodigital/openapi.json", "/sandbox/openapi.json"):
        document = httpx.get(f"{served.base_url}{path}", trust_env=False).json()
        operations = [one for methods in document["paths"].values() for one in methods.values()]
        assert len(operations) >= 7
        assert all(one["x-provenance"] for one in operations)
    login = f"{served.base_url}/ormcodigital/openapi.json?{urlencode({'x': 1})}"
    assert httpx.get(login, trust_env=False).status_code == 400
