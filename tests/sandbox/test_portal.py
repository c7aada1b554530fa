"""OrmcoDigital behaves as its OpenAPI file says: the contract's section 5."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest
from openapi_spec_validator import validate

from ormco_trios.sandbox.dispatch.table import TABLE
from ormco_trios.sandbox.wire.messages import WireReply, WireRequest

DOCUMENT = json.loads(files("ormco_trios").joinpath("ormcodigital/openapi.json").read_text("utf-8"))
HTTP = ("get", "put", "post", "delete")
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in HTTP
}


# --- the document ---------------------------------------------------------------------------


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_document_and_routes_are_the_same_list() -> None:
    served = {
        (route.method, route.template.removeprefix("/ormcodigital")): route.operation
        for route in TABLE
        if route.area == "portal"
    }
    assert served == {key: operation["x-operation"] for key, operation in OPERATIONS.items()}


def test_every_operation_says_where_it_comes_from() -> None:
    for operation in OPERATIONS.values():
        assert operation["x-provenance"].keys() == {"behaviour", "interface"}
        assert operation["x-provenance"]["interface"] == "assumed"


def resolved(value):
    if isinstance(value, dict) and "$ref" in value:
        target = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return target
    return value


@pytest.fixture(autouse=True)
def declared(call, monkeypatch):
    """Every portal answer in these tests is one that the document declares."""
    handle = call.dispatcher.handle

    def checked(request: WireRequest) -> WireReply:
        reply: WireReply = handle(request)
        path = request.path.removeprefix("/ormcodigital")
        if path != request.path and (request.method, path) in OPERATIONS:
            responses = OPERATIONS[request.method, path]["responses"]
            response = resolved(responses[str(reply.status)])
            for name, header in response["headers"].items():
                if resolved(header).get("required"):
                    assert reply.header(name), name
            if "content" in response:
                schema = response["content"]["application/json"]["schema"]
                schema = {**schema, "components": DOCUMENT["components"]}
                jsonschema.Draft202012Validator(schema).validate(json.loads(reply.body))
            else:
                assert reply.body == b""
            if reply.status >= 400:
                code = json.loads(reply.body)["error"]["code"]
                assert code in response["x-error-codes"]
        return reply

    monkeypatch.setattr(call.dispatcher, "handle", checked)


def error(call, reply) -> tuple[int, str, str | None]:
    found = call.json(reply)["error"]
    return reply.status, found["code"], found["field"]


# --- session and profile --------------------------------------------------------------------


def test_sign_in(call) -> None:
    body = {"username": "practice.eu", "password": call.sandbox.practice.portal_password}
    answer = call.json(call.post("/ormcodigital/api/session", body=body))
    assert answer["token"].startswith("sandbox-")
    assert answer["expires_in"] == 1800
    for wrong in ({"password": "guess"}, {"username": "nobody"}):
        reply = call.post("/ormcodigital/api/session", body={**body, **wrong})
        assert error(call, reply) == (401, "credentials_refused", None)


def test_sessions_end(call) -> None:
    session = call.session()
    call.sandbox.clock.advance(1800)
    reply = call.get("/ormcodigital/api/profile", token=session)
    assert error(call, reply) == (401, "session_expired", None)
    reply = call.get("/ormcodigital/api/profile")
    assert error(call, reply) == (401, "not_signed_in", None)


def test_the_profile_is_saved_as_a_whole(call) -> None:
    session = call.session()
    before, etag = call.profile(session)
    assert before["submission_method"] == {"source": "PVS", "scanner": None}
    reply = call.save(session, submission_method=call.TRIOS, phone=None)
    after, present = call.profile(session)
    assert call.json(reply) == after == {**before, "submission_method": call.TRIOS, "phone": None}
    assert reply.header("etag") == present != etag


@pytest.mark.parametrize("etag", ["", "*", '"old"', "W/{}"])
def test_it_was_saved_elsewhere_meanwhile(call, etag) -> None:
    session = call.session()
    _, present = call.profile(session)
    reply = call.save(session, etag.format(present), name="Another name")
    assert error(call, reply) == (412, "profile_changed", None)


def test_if_match_is_required(call) -> None:
    session = call.session()
    profile, _ = call.profile(session)
    reply = call.send("PUT", "/ormcodigital/api/profile", token=session, body=profile)
    assert error(call, reply) == (428, "precondition_required", None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": None}, "name"),
        ({"phone": "1" * 256}, "phone"),
        ({"submission_method": {"source": "Fax", "scanner": None}}, "submission_method"),
        ({"submission_method": {"source": "PVS"}}, "submission_method.scanner"),
        ({"submission_method": None}, "submission_method"),
        ({"default_shipping_address": {"city": "Berlin"}}, "default_shipping_address.address1"),
        ({"unknown": 1}, None),
    ],
)
def test_values_are_checked(call, change, field) -> None:
    session = call.session()
    before = call.profile(session)
    assert error(call, call.save(session, **change)) == (422, "invalid_value", field)
    assert call.profile(session) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"body": b"{"}, (400, "bad_request", None)),
        ({"body": []}, (400, "bad_request", None)),
        ({"body": {}}, (422, "invalid_value", "username")),
        ({"form": {"username": "x"}}, (415, "unsupported_media_type", None)),
        ({"body": {}, "query": {"x": "1"}}, (400, "bad_request", None)),
    ],
)
def test_bodies_are_checked(call, options, expected) -> None:
    assert error(call, call.post("/ormcodigital/api/session", **options)) == expected


def test_submission_methods(call) -> None:
    reply = call.get("/ormcodigital/api/submission-methods", token=call.session())
    assert call.json(reply) == [call.TRIOS, {"source": "PVS", "scanner": None}]


# --- 3Shape ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["%21", "!"])
def test_connected_only_after_update(call, mark) -> None:
    session = call.session()
    assert call.state(session) == "not_connected"
    code = call.portal_code(session).replace("!", mark)
    assert call.draft(session, code).status == 202
    assert call.state(session) == "draft"
    assert call.save(session, submission_method=call.TRIOS).status == 200
    reply = call.get("/ormcodigital/api/integrations/3shape", token=session)
    assert call.json(reply) == {
        "state": "connected",
        "connected_at": "2026-01-01T00:00:00Z",
        "last_checked_at": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda code: f"https://sandbox.example/ormco/?code={code}",
        lambda code: code.replace("!", "%2521"),
        lambda code: f" {code}",
        lambda code: code.replace("!", ""),
        lambda code: code[:4] + "!" + code[4:],
        lambda code: code + "=",
    ],
    ids=["address", "another layer", "blank", "no mark", "two marks", "padding"],
)
def test_the_field_takes_two_forms_only(call, change) -> None:
    session = call.session()
    reply = call.draft(session, change(call.portal_code(session)))
    assert error(call, reply) == (422, "code_malformed", "code")
    assert call.state(session) == "not_connected"


@pytest.mark.parametrize("trouble", ["expired", "used", "foreign", "cut", "revoked"])
def test_codes_are_refused_at_update_and_nothing_is_saved(call, trouble) -> None:
    session = call.session()
    code = call.code() if trouble == "foreign" else call.portal_code(session)
    if trouble == "used":
        call.draft(session, code)
        assert call.save(session).status == 200
    call.draft(session, code[:-8] if trouble == "cut" else code)
    if trouble == "expired":
        call.sandbox.clock.advance(180)
    if trouble == "revoked":
        call.world.revoke(call.sandbox.practice.email)
    before = call.profile(session)
    reply = call.save(session, name="Another name")
    assert error(call, reply) == (422, "code_refused", "code")
    assert call.profile(session) == before
    assert call.state(session) == ("connected" if trouble == "used" else "not_connected")


@pytest.mark.parametrize("way", ["time", "helper"])
def test_a_draft_is_lost(call, way) -> None:
    session = call.session()
    call.draft(session, call.portal_code(session))
    assert call.state(call.session()) == "draft"
    if way == "time":
        call.sandbox.clock.advance(599)
        assert call.state(session) == "draft"
        call.sandbox.clock.advance(1)
    else:
        assert call.world.drop_draft("practice.eu")
        assert not call.world.drop_draft("practice.eu")
    assert call.state(session) == "not_connected"
    assert call.save(session).status == 200
    assert call.state(session) == "not_connected"


def test_a_refused_save_keeps_the_draft(call) -> None:
    session = call.session()
    call.draft(session, call.portal_code(session))
    assert call.save(session, '"old"').status == 412
    assert call.save(session, name="").status == 422
    assert call.state(session) == "draft"
    assert call.save(session).status == 200
    assert call.state(session) == "connected"


def test_repair(call) -> None:
    session = call.session()
    call.draft(session, call.portal_code(session))
    call.save(session)
    assert call.world.revoke(call.sandbox.practice.email)
    assert call.state(session) == "needs_repair"
    call.draft(session, call.portal_code(session))
    assert call.state(session) == "draft"
    call.world.drop_draft("practice.eu")
    assert call.state(session) == "needs_repair"
    call.draft(session, call.portal_code(session))
    call.save(session)
    assert call.state(session) == "connected"


def test_disconnect_revokes_and_repeats(call) -> None:
    session = call.session()
    call.draft(session, call.portal_code(session))
    call.save(session)
    for wrote in (True, False):
        reply = call.send("DELETE", "/ormcodigital/api/integrations/3shape", token=session)
        assert (reply.status, reply.body) == (204, b"")
        assert call.sandbox.journal[-1].wrote is wrote
    assert call.state(session) == "not_connected"
    assert not call.world.revoke(call.sandbox.practice.email)


def test_accounts_do_not_see_each_other(call) -> None:
    (other,) = call.sandbox.practices(1)
    session, foreign = call.session(), call.session(other)
    call.draft(session, call.portal_code(session))
    call.save(session, name="Another name")
    assert call.state(foreign) == "not_connected"
    assert call.profile(foreign)[0]["email"] == other.email
