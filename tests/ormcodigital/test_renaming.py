"""A portal with other routes and names than we assumed, and the table that tells the client."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.ormcodigital.portals.base import Asked, Portal, Said
from tests.practices import clients

from ormco_trios.ormcodigital import operations
from ormco_trios.ormcodigital.renaming import renamed
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket

# Their method and route, and ours.
ROUTES = {
    ("POST", "/v2/login"): "/api/session",
    ("GET", "/v2/me"): "/api/profile",
    ("PATCH", "/v2/me"): "/api/profile",
    ("POST", "/v2/scanners/start"): "/api/integrations/3shape/authorization",
    ("POST", "/v2/scanners/finish"): "/api/integrations/3shape/code",
    ("GET", "/v2/scanners"): "/api/integrations/3shape",
}

TABLE = {
    operation.name: operation
    for operation in (
        renamed(
            operations.SIGN_IN,
            route="/v2/login",
            fields={"username": "user", "password": "secret", "token": "jwt.value"},
        ),
        renamed(
            operations.PROFILE,
            route="/v2/me",
            fields={
                "submission_method.source": "intake.kind",
                "submission_method.scanner": "intake.device",
            },
        ),
        renamed(
            operations.SAVE_PROFILE,
            method="PATCH",
            route="/v2/me",
            fields={
                "submission_method.source": "intake.kind",
                "submission_method.scanner": "intake.device",
            },
        ),
        renamed(
            operations.AUTHORIZATION,
            route="/v2/scanners/start",
            fields={"authorization_url": "href"},
        ),
        renamed(operations.SUBMIT_CODE, route="/v2/scanners/finish", fields={"code": "grant"}),
        renamed(operations.STATUS, route="/v2/scanners", fields={"state": "is"}),
    )
}


def ours(asked: dict[str, Any], path: str) -> dict[str, Any]:
    """A body of theirs as the sandbox wants it."""
    if path == "/api/session":
        return {"username": asked["user"], "password": asked["secret"]}
    if path.endswith("/code"):
        return {"code": asked["grant"]}
    if "intake" in asked:
        intake = asked.pop("intake")
        asked["submission_method"] = {"source": intake["kind"], "scanner": intake.get("device")}
    return asked


def theirs(said: dict[str, Any]) -> dict[str, Any]:
    """An answer of the sandbox as they give it."""
    method = said.pop("submission_method", None)
    if method is not None:
        said["intake"] = {"kind": method["source"], "device": method.get("scanner")}
    if "token" in said:
        said["jwt"] = {"value": said.pop("token")}
    for old, new in (("authorization_url", "href"), ("state", "is")):
        if old in said and "country" not in said:
            said[new] = said.pop(old)
    return said


class OtherNames(Portal):
    """The sandbox's portal behind other routes and names."""

    def handle(self, asked: Asked) -> Said:
        path = ROUTES.get((asked.method, asked.path))
        if path is None:
            return Said("nothing here", 404)
        body = json.dumps(ours(asked.json, path)).encode() if asked.body else None
        request = Request(
            f"{self.sandbox.environment.ormcodigital}{path}",
            body,
            {
                name: value
                for name, value in asked.headers.items()
                if name.lower() in {"authorization", "content-type", "if-match"}
            },
            method="PUT" if asked.method == "PATCH" else asked.method,
        )
        try:
            answer = urlopen(request, timeout=10)
        except HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
            said = json.dumps(theirs(json.loads(text))) if text else ""
            tag = {"etag": answer.headers["etag"]} if answer.headers["etag"] else {}
            return Said(said, int(answer.status or 0), "application/json", tag)


def test_a_client_with_a_replaced_table_connects(both: Any) -> None:
    with Sandbox(server=True, approval=Approval.immediately()) as sandbox:
        who = sandbox.practice
        with OtherNames(sandbox).serve() as address:
            environment = replace(sandbox.environment, ormcodigital=address)
            portal = both.ormcodigital(
                environment=environment,
                username=who.portal_username,
                password=who.portal_password,
                operations=TABLE,
            )
            practice = clients(both, sandbox)
            onboarding = both.onboarding(
                communicate=practice.communicate, ormco=portal, oauth=practice.oauth
            )
            connected = onboarding.run(authorize=practice.authorize)
            assert connected.checklist.state.value == "connected"
            assert portal.with_options().submission_method.get().is_trios
            # What this library does not know of the profile was sent back as it was.
            assert portal.profile.get().default_shipping_address is not None


def test_what_is_not_renamed_stays() -> None:
    moved = renamed(operations.PROFILE, fields={"name": "who.name"})
    assert moved.write is not None
    assert json.loads(moved.write(b'{"name": "A", "phone": "1"}')) == {
        "phone": "1",
        "who": {"name": "A"},
    }
    assert moved.write(b"no JSON") == b"no JSON"
    assert renamed(operations.STATUS, route="/other").write is None
