"""An endpoint that the library has no method for: `client.call` with an operation of one's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import punq
import pytest
from pydantic import BaseModel

from ormco_trios import (
    AsyncCommunicateClient,
    AsyncOAuthClient,
    AsyncOrmcoDigitalClient,
    CommunicateClient,
    Environment,
    OAuthClient,
    OrmcoDigitalClient,
    errors,
)
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.transport import AsyncTransport, Request, Transport
from ormco_trios.operations import (
    Answer,
    Operation,
    PascalModel,
    Safety,
    Service,
    content,
    error_as,
    json_as,
    json_list_as,
    nothing,
)


class Chair(PascalModel):
    chair_name: str
    free_from: datetime | None = None


CHAIR = Operation(
    "chairs.get", Service.COMMUNICATE, "GET", "/api/users/{user}/chairs/{chair}", json_as(Chair)
)
ADD = Operation(
    "chairs.add", Service.COMMUNICATE, "POST", "/api/chairs", nothing, safety=Safety.WRITE
)
FOUND = b'{"ChairName": "left", "More": 1}'


class Canned:
    """Answers every request alike, and keeps it."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.answer = Answer(status, {}, body)
        self.requests: list[Request] = []

    def open(self) -> Transport:
        return _Sync(self)

    def open_async(self) -> AsyncTransport:
        return _Async(self)

    def take(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answer


class _Sync:
    def __init__(self, canned: Canned) -> None:
        self.canned = canned

    def send(self, request: Request) -> Answer:
        return self.canned.take(request)

    def close(self) -> None: ...


class _Async:
    def __init__(self, canned: Canned) -> None:
        self.canned = canned

    async def send(self, request: Request) -> Answer:
        return self.canned.take(request)

    async def aclose(self) -> None: ...


def environment(canned: Canned) -> Environment:
    return Environment.sandbox("http://127.0.0.1:9", gateway=canned, clock=ManualClock())


def client(both: Any, canned: Canned) -> Any:
    return both.communicate(environment=environment(canned), token="t0k")


def test_the_result_is_what_the_operation_makes_of_the_answer(both: Any) -> None:
    canned = Canned(body=FOUND)
    chair = client(both, canned).call(
        CHAIR, path={"user": "a/b", "chair": "7"}, query={"only": "x&y"}
    )
    assert chair == Chair(chair_name="left", More=1)  # type: ignore[call-arg]
    (request,) = canned.requests
    assert request.url.endswith("/communicate/api/users/a%2Fb/chairs/7?only=x%26y")
    assert ("Authorization", "Bearer t0k") in request.headers
    assert (request.method, request.body) == ("GET", b"")
    assert "Content-Type" not in dict(request.headers)


@pytest.mark.parametrize(
    ("parse", "body", "result"),
    [
        (content, b"\0\1", b"\0\1"),
        (nothing, b"whatever", None),
        (json_list_as(list[Chair]), b"[" + FOUND + b"]", [Chair.model_validate_json(FOUND)]),
        (lambda answer: answer.status, b"", 200),
    ],
)
def test_every_kind_of_answer(both: Any, parse: Any, body: bytes, result: object) -> None:
    endpoint = Operation[Any]("x.y", Service.METADATA, "GET", "/x", parse)
    assert client(both, Canned(body=body)).call(endpoint) == result


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (Chair(chair_name="left"), {"ChairName": "left", "FreeFrom": None}),
        ({"at": datetime(2026, 1, 2, tzinfo=UTC)}, {"at": "2026-01-02T00:00:00Z"}),
        ({"chair": Chair(chair_name="x")}, {"chair": {"ChairName": "x", "FreeFrom": None}}),
        (b'["as it is"]', ["as it is"]),
    ],
)
def test_every_kind_of_body(both: Any, body: Any, sent: object) -> None:
    canned = Canned()
    client(both, canned).call(ADD, body=body)
    (request,) = canned.requests
    assert json.loads(request.body) == sent
    assert dict(request.headers)["Content-Type"] == "application/json"


def test_another_content_type(both: Any) -> None:
    canned = Canned()
    form = Operation(
        "x.form", Service.COMMUNICATE, "PUT", "/x", nothing,
        safety=Safety.IDEMPOTENT, content_type="text/csv",
    )  # fmt: skip
    client(both, canned).call(form, body=b"a;b")
    assert dict(canned.requests[0].headers)["Content-Type"] == "text/csv"


class Odd(BaseModel):
    what: object


@pytest.mark.parametrize("body", [{"x": object()}, Odd(what=object())])
def test_a_body_that_json_does_not_have(both: Any, body: Any) -> None:
    canned = Canned()
    with pytest.raises(errors.ConfigurationError, match="JSON does not have"):
        client(both, canned).call(ADD, body=body)
    assert canned.requests == []


def test_a_body_that_contains_itself(both: Any) -> None:
    body: dict[str, object] = {}
    body["self"] = body
    with pytest.raises(errors.ConfigurationError, match="JSON does not have"):
        client(both, Canned()).call(ADD, body=body)


@pytest.mark.parametrize(
    "path",
    [{}, {"user": "1"}, {"user": "1", "chair": "2", "more": "3"}, {"User": "1", "chair": ""}],
)
def test_the_path_parameters_have_to_be_those_of_the_route(both: Any, path: Any) -> None:
    canned = Canned()
    with pytest.raises(errors.ConfigurationError, match=r"/api/users/\{user\}/chairs/\{chair\}"):
        client(both, canned).call(CHAIR, path=path)
    assert canned.requests == []


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_no_path_parameter_changes_the_route(both: Any, value: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="consist of dots"):
        client(both, Canned()).call(CHAIR, path={"user": value, "chair": "1"})


def test_it_is_repeated_as_its_safety_allows(both: Any) -> None:
    for operation, count in ((CHAIR, 4), (ADD, 1)):
        canned = Canned(status=503)
        path = dict.fromkeys(operation.parameters, "1")
        with pytest.raises(errors.ServerError):
            client(both, canned).call(operation, path=path)
        assert len(canned.requests) == count


def test_a_refusal_is_read_by_its_status_or_by_the_operations_own_function(both: Any) -> None:
    path = {"user": "1", "chair": "2"}
    with pytest.raises(errors.NotFound):
        client(both, Canned(status=404)).call(CHAIR, path=path)
    own = Operation(
        "x.own", Service.COMMUNICATE, "GET", "/x", nothing,
        lambda operation, answer: error_as(errors.ProfileChanged, operation, answer, "Own words."),
    )  # fmt: skip
    with pytest.raises(errors.ProfileChanged, match=r"Own words\.\) \[GET /x: status 404\]"):
        client(both, Canned(status=404)).call(own)


def test_another_services_sign_in_is_not_there(both: Any) -> None:
    portal = Operation("x.portal", Service.ORMCODIGITAL, "GET", "/x", nothing)
    canned = Canned()
    with pytest.raises(errors.ConfigurationError, match="ormcodigital service needs a sign-in"):
        client(both, canned).call(portal)
    assert canned.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_has_to_say_what_twice_does(method: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=rf"x\.y is a {method}.*") as caught:
        Operation("x.y", Service.COMMUNICATE, method, "/x", nothing)
    assert "Safety.WRITE" in str(caught.value)


@pytest.mark.parametrize(
    "route", ["x", "https://evil.example/x", "/a b", "/x#y", "/{", "/}", "/{}", "/{a-b}", "/{a!r}"]
)
def test_a_route_is_a_path(route: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="route"):
        Operation("x.y", Service.COMMUNICATE, "GET", route, nothing)


# --- dependency injection ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (CommunicateClient, {"token": "t0k"}),
        (AsyncCommunicateClient, {"token": "t0k"}),
        (OrmcoDigitalClient, {"token": "t0k"}),
        (AsyncOrmcoDigitalClient, {"token": "t0k"}),
        (OAuthClient, {"client_id": "id", "redirect_uri": "https://practice.example/back"}),
        (AsyncOAuthClient, {"client_id": "id", "redirect_uri": "https://practice.example/back"}),
    ],
)
def test_a_container_makes_a_client(kind: Any, options: dict[str, Any]) -> None:
    """It reads the constructor's type hints and defaults, and adds what it was told."""
    ours = environment(Canned())
    container = punq.Container()
    container.register(kind, environment=ours, scope=punq.Scope.singleton, **options)

    class Reception:
        def __init__(self, client: Any) -> None:
            self.client = client

    Reception.__init__.__annotations__["client"] = kind
    container.register(Reception)
    made = container.resolve(Reception).client
    assert type(made) is kind
    assert made.environment is ours
    assert made is container.resolve(kind)
