"""Users, connections, applications: the contract's section 2 with its quirks."""

from __future__ import annotations

import pytest

from ormco_trios.sandbox import Approval, Switches
from ormco_trios.sandbox.world.seeds import CLINIC_EMAIL, LAB_EMAILS, LOOK_ALIKE_EMAIL

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("server", "email", "shown", "name", "city", "country"),
    [
        ("am", "insignia.support@ormco.com", "Insignia.Support@ormco.com", "Ormco Corporation",
         "Glendora", "us"),
        ("as", "INSIGNIA.SUPPORTASIA@ORMCO.COM", "Insignia.SupportAsia@ormco.com",
         "Ormco Corporation", "Macquarie Park", "in"),
        ("eu", "insignia.supporteurope@ormco.com", "Insignia.SupportEurope@ormco.com", "Ormco",
         "Amersfoort", "NL"),
    ],
)  # fmt: skip
def test_labs_are_found_by_email(call, server, email, shown, name, city, country) -> None:
    lab = call.json(call.user(call.token(), email))
    assert (lab["Email"], lab["Name"], lab["City"], lab["Country"]) == (shown, name, city, country)
    assert lab["PhoneNumber"] == "8008541741"
    assert lab["Roles"] == ["Lab"]
    assert lab["Email"].casefold() == LAB_EMAILS[server]


@pytest.mark.parametrize(
    ("email", "roles"), [(CLINIC_EMAIL, ["Clinic"]), (LOOK_ALIKE_EMAIL, ["Lab"])]
)
def test_others_are_found_too(call, email, roles) -> None:
    assert call.json(call.user(call.token(), email))["Roles"] == roles


@pytest.mark.parametrize("key", ["nobody@clinic.example", NOBODY])
def test_unknown_users_are_a_sentence_with_400(call, key) -> None:
    reply = call.user(call.token(), key)
    assert reply.status == 400
    assert call.json(reply) == f"No user with Id {key} could be found"


def test_sentences_can_come_in_an_object(make) -> None:
    call = make(switches=Switches(sentences="object"))
    assert call.json(call.user(call.token(), NOBODY)) == {
        "Message": f"No user with Id {NOBODY} could be found"
    }


def test_fields_follow_the_relationship(call) -> None:
    token = call.token()
    me = call.me(token)
    stranger = call.json(call.user(token, CLINIC_EMAIL))
    assert {"Connections", "Dongles", "RegionUri", "NotificationSettings"} <= me.keys()
    assert not {"Connections", "ConnectedUsers", "Dongles", "FirstName"} & stranger.keys()

    other = call.token(CLINIC_EMAIL)
    call.connect(other, call.sandbox.practice.email)
    assert "FirstName" not in call.json(call.user(token, CLINIC_EMAIL))
    call.world.approve()
    partner = call.json(call.user(token, CLINIC_EMAIL))
    assert "FirstName" in partner
    assert not {"Connections", "Dongles"} & partner.keys()
    assert call.json(call.user(token, me["Id"])).keys() == me.keys()


@pytest.mark.parametrize(
    ("server", "uri", "country"),
    [
        ("eu", "www.3shapecommunicate.com", "DE"),
        ("am", "us.3shapecommunicate.com", "us"),
        ("as", "as1.3shapecommunicate.com", "au"),
    ],
)
def test_the_region_is_the_published_one(call, server, uri, country) -> None:
    call.sandbox.switch(region_uri="published")
    me = call.me(call.token(call.sandbox.practice_in(server).email))
    assert (me["RegionUri"], me["Country"]) == (uri, country)
    assert ("Website" in me) is (country == "DE")
    assert call.sandbox.practice_in(server).country == country.upper()


# --- connections ----------------------------------------------------------------------------


def states(call, token, n: int) -> list[object]:
    return [[c["ConnectionAccepted"] for c in call.me(token)["Connections"]] for _ in range(n)]


@pytest.mark.parametrize(
    ("approval", "seen"),
    [
        (Approval.immediately(), [[True], [True]]),
        (Approval.after_polls(0), [[True], [True]]),
        (Approval.after_polls(2), [[False], [False], [True], [True]]),
        (Approval.held(), [[False], [False], [False]]),
    ],
)
def test_approval_by_polls(make, approval, seen) -> None:
    call = make(approval=approval)
    token = call.token()
    assert call.connect(token).status == 200
    assert states(call, token, len(seen)) == seen


@pytest.mark.parametrize(
    ("approval", "before", "after"),
    [
        (Approval.after(3600), [[False]], [[True]]),
        (Approval.removed_after(3600), [[False]], [[]]),
    ],
)
def test_approval_by_time(make, approval, before, after) -> None:
    call = make(approval=approval, token_lifetime=1e6)
    token = call.token()
    call.connect(token)
    call.sandbox.clock.advance(3599)
    assert states(call, token, 1) == before
    call.sandbox.clock.advance(1)
    assert states(call, token, 1) == after


def test_the_policy_can_be_overridden(call) -> None:
    practice, other = call.sandbox.practices(2)
    call.world.set_approval(Approval.held(), practice=practice.email)
    token = call.token(practice.email)
    call.connect(token)
    assert states(call, token, 4) == [[False]] * 4
    (row,) = call.world.connections()
    call.world.set_approval(Approval.after(60), connection=row.id)
    call.sandbox.clock.advance(60)
    assert states(call, token, 1) == [[True]]
    token = call.token(other.email)
    call.connect(token)
    assert states(call, token, 3) == [[None], [None], [True]]
    with pytest.raises(ValueError, match="practice or a connection"):
        call.world.set_approval(Approval.held())


def test_a_second_policy_replaces_the_first(call) -> None:
    token = call.token()
    call.connect(token)
    (row,) = call.world.connections()
    call.world.set_approval(Approval.removed_after(60), connection=row.id)
    call.world.set_approval(Approval.after(600), connection=row.id)
    call.sandbox.clock.advance(60)
    assert states(call, token, 1) == [[False]]
    call.sandbox.clock.advance(540)
    assert states(call, token, 1) == [[True]]


def test_pending_is_false_or_null_and_both_sides_are_named(call) -> None:
    token = call.token()
    call.connect(token)
    call.connect(token, LAB_EMAILS["am"])
    me = call.me(token)
    first, second = me["Connections"]
    assert (first["ConnectionAccepted"], second["ConnectionAccepted"]) == (False, None)
    assert first["InviterUserId"] == me["Id"]
    assert first["InviterUserEmail"] == me["Email"]
    assert first["RemoteUserEmail"] == "Insignia.SupportEurope@ormco.com"
    assert (first["InviterUserType"], first["RemoteUserType"]) == ("Clinic", "Lab")
    assert first["RemoteUser"] is None
    assert me["ConnectedUsers"] == []
    call.world.approve(first["Id"])
    me = call.me(token)
    assert me["ConnectedUsers"] == [first["RemoteUserId"]]
    assert me["Connections"][0]["RemoteUser"]["Id"] == first["RemoteUserId"]


def test_only_ormcos_labs_answer_by_policy(make) -> None:
    call = make(approval=Approval.immediately())
    token = call.token()
    call.connect(token, LOOK_ALIKE_EMAIL)
    assert states(call, token, 1) == [[False]]


def test_a_second_request_is_refused(call) -> None:
    token = call.token()
    assert call.connect(token).status == 200
    reply = call.connect(token)
    assert reply.status == 400
    assert "exists already" in call.json(reply)
    assert call.sandbox.journal.count("connections.request") == 2
    assert call.sandbox.journal.count("connections.request", ok=True) == 1


def test_the_lab_approves_and_nobody_else(call) -> None:
    token, lab_token = call.token(), call.token(LAB_EMAILS["eu"])
    call.connect(token)
    me, lab = call.me(token), call.me(lab_token)
    (row,) = lab["Connections"]
    path = "/communicate/api/users/{}/connection/{}/approve"
    for user, key, who in [
        (me["Id"], row["Id"], token),
        (lab["Id"], row["Id"], token),
        (lab["Id"], NOBODY, lab_token),
    ]:
        reply = call.post(path.format(user, key), token=who)
        assert reply.status == 400
    assert call.post(path.format(lab["Id"], row["Id"]), token=lab_token).status == 200
    assert states(call, token, 1) == [[True]]


@pytest.mark.parametrize("side", ["practice", "lab"])
def test_either_side_removes_and_the_row_disappears(call, side) -> None:
    token, lab_token = call.token(), call.token(LAB_EMAILS["eu"])
    call.connect(token)
    who = token if side == "practice" else lab_token
    me = call.me(who)
    path = f"/communicate/api/users/{me['Id']}/connection/{me['Connections'][0]['Id']}"
    assert call.send("DELETE", path, token=who).status == 200
    assert states(call, token, 1) == [[]]
    assert call.send("DELETE", path, token=who).status == 400
    assert call.connect(token).status == 200


def test_nobody_asks_for_another_account(call) -> None:
    token = call.token()
    lab, clinic = call.world.user(LAB_EMAILS["eu"]), call.world.user(CLINIC_EMAIL)
    reply = call.post(f"/communicate/api/users/{clinic.id}/requestconnection/{lab.id}", token=token)
    assert reply.status == 400
    assert call.json(reply) == "You don't have permission to access this resource."


def test_a_lookup_can_be_misdirected(call) -> None:
    call.world.misdirect(LAB_EMAILS["eu"], LOOK_ALIKE_EMAIL)
    found = call.json(call.user(call.token(), LAB_EMAILS["eu"]))
    assert found["Email"] == LOOK_ALIKE_EMAIL


def test_a_lab_can_lose_its_role(call) -> None:
    call.world.user(LAB_EMAILS["eu"]).roles = ("Clinic",)
    assert call.json(call.user(call.token(), LAB_EMAILS["eu"]))["Roles"] == ["Clinic"]


# --- applications ---------------------------------------------------------------------------


def test_removing_an_application_ends_its_tokens(call) -> None:
    token = call.token()
    me = call.me(token)["Id"]
    path = f"/communicate/api/users/{me}/applications"
    (row,) = call.json(call.get(path, token=token))
    assert (row["Id"], row["Name"]) == ("sandbox-practice-app", "Sandbox Practice App")
    assert call.send("DELETE", f"{path}/nothing", token=token).status == 400
    assert call.send("DELETE", f"{path}/{row['Id']}", token=token).status == 200
    reply = call.get("/communicate/api/users/me", token=token)
    assert reply.status == 401
    assert "withdrawn" in reply.header("x-sandbox-explain")


@pytest.mark.parametrize(
    ("header", "explain"),
    [
        (None, "no Authorization header"),
        ("Bearer sandbox-nothing", "never issued"),
        ("Basic abc", "never issued"),
    ],
)
def test_bearer_tokens_are_checked(call, header, explain) -> None:
    headers = {"Authorization": header} if header else {}
    reply = call.get("/communicate/api/users/me", headers=headers)
    assert reply.status == 401
    assert reply.header("www-authenticate") == "Bearer"
    assert explain in reply.header("x-sandbox-explain")


def test_access_tokens_expire(call) -> None:
    token = call.token()
    assert token.startswith("sandbox-")
    call.sandbox.clock.advance(3600)
    assert call.get("/communicate/api/users/me", token=token).status == 401


def test_many_practices(sandbox) -> None:
    practices = sandbox.practices(500)
    assert len({p.email for p in practices} | {p.user_id for p in practices}) == 1000
    assert practices[-1].portal_password.startswith("sandbox-")
    assert practices[-1].portal_password not in repr(practices[-1])
