"""Every position of every switch, and every way to set one."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from tests.sandbox.test_sign_in import Account, parameters

from ormco_trios.sandbox import Sandbox, Switches, World
from ormco_trios.sandbox.world.switches import Named, Served, choices

USERS = "/communicate/api/users"
MASTER_DATA = "/communicate/api/regions/masterdataserver"
SERVICE = "/communicate/api/services/default/MetaDataService"


@pytest.fixture
def account(call) -> Account:
    return Account(call)


# --- setting them ---------------------------------------------------------------------------


def test_over_the_control_api(call) -> None:
    first = call.json(call.get("/sandbox/switches"))
    assert first == Switches().as_dict()
    changed = call.json(call.post("/sandbox/switches", body={"roles": "null", "code_layers": 0}))
    assert changed == {**first, "roles": "null", "code_layers": 0}
    assert call.world.switches == Switches(roles="null", code_layers=0)
    for wrong in ({"roles": "none"}, {"role": "null"}, {"code_layers": True}, {"roles": ["null"]}):
        assert call.post("/sandbox/switches", body=wrong).status == 400
    assert call.json(call.get("/sandbox/switches")) == changed
    call.post("/sandbox/reset", body={})
    assert call.world.switches == Switches()


def test_a_snapshot_has_them(call) -> None:
    call.sandbox.switch(iss="absent")
    name = call.world.snapshot()
    call.sandbox.switch(iss="sent")
    call.world.restore(name)
    assert call.world.switches.iss == "absent"


def test_in_a_seed(tmp_path) -> None:
    place = tmp_path / "seed.json"
    place.write_text(json.dumps({"switches": {"region": "null", "code_layers": 1}}))
    assert Sandbox(seed_file=place).world.switches == Switches(region="null", code_layers=1)
    place.write_text(json.dumps({"switches": {"region": "nowhere"}}))
    with pytest.raises(ValueError, match="region is one of whole, name"):
        Sandbox(seed_file=place)


def test_what_there_is_not() -> None:
    with pytest.raises(ValueError, match="there is no switch 'role'; there are roles, user_types"):
        World().switch(role="shown")
    with pytest.raises(ValueError, match="roles is one of shown, absent"):
        Switches(roles="hidden")  # type: ignore[arg-type]


# --- users ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "roles"),
    [
        ("shown", ["Lab"]),
        ("absent", "nothing"),
        ("null", None),
        ("empty", []),
        ("text", "Lab"),
        ("renamed", ["Laboratory"]),
    ],
)
def test_the_roles_of_a_stranger(call, position, roles) -> None:
    call.sandbox.switch(roles=position)
    token, email = call.token(), call.sandbox.practice.lab_email
    assert call.json(call.user(token, email)).get("Roles", "nothing") == roles
    assert call.me(token)["Roles"] == ["Clinic"]
    call.connect(token)
    call.world.approve()
    assert call.json(call.user(token, email))["Roles"] == ["Lab"]


@pytest.mark.parametrize(
    ("position", "types"),
    [
        ("shown", ("Clinic", "Lab")),
        ("null", (None, None)),
        ("renamed", ("Practice", "Laboratory")),
    ],
)
def test_the_types_of_a_connection(call, position, types) -> None:
    call.sandbox.switch(user_types=position)
    asked = call.json(call.connect(call.token()))
    assert (asked["InviterUserType"], asked["RemoteUserType"]) == types
    assert asked == call.me(call.token())["Connections"][0]


@pytest.mark.parametrize(
    ("position", "uri"),
    [
        ("published", "www.3shapecommunicate.com"),
        ("v1.5", "eumetadata.3shapecommunicate.com"),
        ("address", "sandbox.example/metadata-eu"),
        ("null", None),
        ("absent", "nothing"),
        ("unknown", "africametadata.3shapecommunicate.com"),
        ("foreign", "metadata.clinic.example"),
    ],
)
def test_the_region_uri(call, position, uri) -> None:
    call.sandbox.switch(region_uri=position)
    assert call.me(call.token()).get("RegionUri", "nothing") == uri


@pytest.mark.parametrize(
    ("position", "name"),
    [
        ("whole", "Europe"),
        ("name", "Europe"),
        ("null", None),
        ("absent", 0),
        ("unknown", "Atlantis"),
    ],
)
def test_the_region(call, position, name) -> None:
    call.sandbox.switch(region=position)
    region = call.me(call.token()).get("Region", 0)
    assert (region and region["RegionName"]) == name
    assert bool(region and region["Url"]) is (position == "whole")


@pytest.mark.parametrize(("position", "waiting"), [("false", False), ("null", None)])
def test_what_a_request_that_waits_says(call, position, waiting) -> None:
    call.sandbox.switch(pending=position)
    token = call.token()
    call.connect(token)
    call.connect(token, "another.clinic@clinic.example")
    assert [c["ConnectionAccepted"] for c in call.me(token)["Connections"]] == [waiting] * 2


@pytest.mark.parametrize("side", ["inviter", "remote"])
@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("position", ["both", "inviter", "remote"])
def test_who_may_delete_a_connection(call, side, accepted, position) -> None:
    """3Shape says that its state does not matter, and not who may [doc U3.3]."""
    call.sandbox.switch(removal=position)
    key = call.json(call.connect(call.token()))["Id"]
    if accepted:
        call.world.approve()
    email = call.sandbox.practice.email if side == "inviter" else call.sandbox.practice.lab_email
    user = call.world.user(email).id
    reply = call.send("DELETE", f"{USERS}/{user}/connection/{key}", token=call.token(email))
    assert reply.status == (200 if position in ("both", side) else 400)
    assert len(call.world.connections()) == (0 if reply.status == 200 else 1)


# --- which server ---------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["eu", "am", "as"])
def test_the_default_services(call, server) -> None:
    token = call.token(call.sandbox.practice_in(server).email)
    answer = call.json(call.get(SERVICE, token=token))
    assert answer["Uri"] == f"{call.sandbox.base_url}/metadata-{server}"
    assert answer["ServiceType"] == "MetaDataService"
    assert call.get(SERVICE.replace("Meta", "Other"), token=token).status == 400


def test_which_server_a_country_belongs_to(call) -> None:
    token = call.token()
    assert call.get(f"{MASTER_DATA}/us/15", token=token).status == 200
    for wrong in ("usa/15", "us/16"):
        assert call.get(f"{MASTER_DATA}/{wrong}", token=token).status == 400


@pytest.mark.parametrize(
    ("position", "uri"),
    [
        ("retired", "https://www.3shapecommunicate.com"),
        ("foreign", "https://metadata.clinic.example"),
        ("null", None),
    ],
)
def test_what_names_servers_may_name_others(call, position, uri) -> None:
    call.sandbox.switch(services=position, master_data=position)
    token = call.token()
    for path in (SERVICE, f"{MASTER_DATA}/de/15"):
        assert call.json(call.get(path, token=token))["Uri"] == uri


UNSURE = {
    "services": ("GET", SERVICE),
    "servers": ("GET", "/metadata-eu/api/servers"),
    "master_data": ("GET", f"{MASTER_DATA}/de/15"),
    "applications": ("GET", f"{USERS}/me/applications"),
    "revocation": ("POST", "/identity/connect/revocation"),
    "discovery": ("GET", "/identity/.well-known/openid-configuration"),
    "portal_api": ("POST", "/ormcodigital/api/session"),
}


def test_all_that_may_not_be_served_is_here() -> None:
    may = {name for name, values in choices().items() if set(get_args(Served)) <= set(values)}
    assert may == UNSURE.keys()
    assert set(get_args(Named)) > set(get_args(Served))


@pytest.mark.parametrize("position", [each for each in get_args(Served) if each != "served"])
@pytest.mark.parametrize("switch", UNSURE)
def test_what_may_not_be_served(call, switch, position) -> None:
    method, path = UNSURE[switch]
    call.sandbox.switch(**{switch: position})
    reply = call.send(method, path)
    is_status = position.isdecimal()
    assert reply.status == (int(position) if is_status else 200)
    assert switch in reply.header("x-sandbox-explain")
    kind = "application/json" if position == "other_shape" else "text/html"
    assert reply.header("content-type").startswith(kind)
    assert call.sandbox.journal[-1].operation != "unknown"


@pytest.mark.parametrize("position", ["404", "405", "html"])
def test_without_its_api_the_portal_keeps_its_pages(call, position) -> None:
    call.sandbox.switch(portal_api=position)
    for path in ("/session", "/profile", "/integrations/3shape", "/whatever"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            reply = call.send(method, f"/ormcodigital/api{path}")
            assert b"error" not in reply.body, "not the body of our own API's errors"
    page = call.get("/ormcodigital/")
    assert page.status == 200
    cookie = page.header("set-cookie").partition(";")[0]
    who = call.sandbox.practice
    form = {
        "csrf": call.csrf(page),
        "username": who.portal_username,
        "password": who.portal_password,
    }
    reply = call.post("/ormcodigital/", form=form, headers={"Cookie": cookie})
    assert (reply.status, reply.header("location")) == (303, "/ormcodigital/home")


# --- signing in -----------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["rotated", "kept", "omitted"])
def test_what_a_refresh_does_to_its_token(call, account, position) -> None:
    call.sandbox.switch(rotation=position)
    first = call.json(account.token(code=account.code()))["refresh_token"]
    answer = call.json(account.refresh(first))
    assert (answer.get("refresh_token") == first) is (position == "kept")
    assert ("refresh_token" in answer) is (position != "omitted")
    assert account.refresh(first).status == (400 if position == "rotated" else 200)


def test_the_issuer_may_be_silent_or_end_in_a_slash(call, account) -> None:
    issuer = f"{call.sandbox.base_url}/identity"
    document = "/identity/.well-known/openid-configuration"
    assert parameters(call.sandbox.authorize(account.link()))["iss"] == issuer
    call.sandbox.switch(iss="absent", issuer="slash")
    assert "iss" not in parameters(call.sandbox.authorize(account.link()))
    says = call.json(call.get(document))
    assert says["issuer"] == f"{issuer}/"
    assert says["token_endpoint"] == f"{issuer}/connect/token"
    assert says["authorization_response_iss_parameter_supported"] is False
    call.sandbox.switch(iss="sent")
    assert parameters(call.sandbox.authorize(account.link()))["iss"] == f"{issuer}/"
