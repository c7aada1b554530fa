"""What the clients ask for is what the sandbox answers: the same names, methods and paths."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import SecretStr

import ormco_trios
from ormco_trios import AuthorizationServer
from ormco_trios.core.environment import Service
from ormco_trios.core.operation import Operation
from ormco_trios.oauth import operations as oauth
from ormco_trios.sandbox.dispatch.table import TABLE

PLACES = {
    Service.COMMUNICATE: "/communicate",
    Service.METADATA: "/metadata-{server}",
    Service.AUTH_CLASSIC: "/auth",
    Service.AUTH_ACCOUNT: "/identity",
    Service.ORMCODIGITAL: "/ormcodigital",
}


def constants() -> Iterator[Operation[Any]]:
    """Every operation that a module of the library names."""
    for part in ("communicate", "oauth", "onboarding", "ormcodigital"):
        package = importlib.import_module(f"{ormco_trios.__name__}.{part}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(found.name)).values():
                if isinstance(value, Operation):
                    yield value


def made() -> Iterator[Operation[Any]]:
    """Those of the authorization servers, which are made for each dialect."""
    for server in (AuthorizationServer.classic(), AuthorizationServer.account()):
        who: dict[str, Any] = {"client_id": "id", "client_secret": None}
        for grant in get_args(oauth.Grant):
            if grant != "password" or server.service is Service.AUTH_CLASSIC:
                yield oauth.ask_for_token(server, grant, {}, **who).operation
        for call in (
            oauth.revoke_token(server, SecretStr("t"), **who),
            oauth.read_metadata(server),
        ):
            if call is not None:
                yield call.operation


OPERATIONS = {(o.name, o.service): o for o in (*constants(), *made())}


def plain(path: str) -> str:
    """``path`` with nothing in its braces: both sides name their parameters for themselves."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_operation_is_found() -> None:
    assert len(OPERATIONS) >= 24


@pytest.mark.parametrize(
    "operation", OPERATIONS.values(), ids=lambda o: f"{o.service.value} {o.name}"
)
def test_an_operation_is_a_route_of_the_same_name(operation: Operation[Any]) -> None:
    # One route answers every grant of a token endpoint.
    grants = {f"oauth.{grant}": "oauth.token" for grant in get_args(oauth.Grant)}
    name = grants.get(operation.name, operation.name)
    routes = {(r.method, plain(r.template)) for r in TABLE if r.operation == name}
    assert (operation.method, plain(PLACES[operation.service] + operation.route)) in routes
