"""Communicate on its own: labs, connections, applications."""

from __future__ import annotations

from typing import Any

import pytest
from tests.practices import signed_in

from ormco_trios import ConnectionState, Region, errors
from ormco_trios.communicate.models import Connection, User
from ormco_trios.sandbox import Approval, Sandbox


def test_the_labs(both: Any) -> None:
    with Sandbox() as sandbox:
        communicate = signed_in(both, sandbox).communicate
        for account in communicate.labs.directory():
            lab = communicate.labs.find(account.region)
            assert lab.is_lab
            assert lab.has_email(account.email)
            assert lab.email != account.email, "the site shows it in mixed case"


def test_a_request_is_made_once(both: Any) -> None:
    with Sandbox() as sandbox:
        communicate = signed_in(both, sandbox).communicate
        lab = communicate.labs.find(Region.EUROPE)
        first = communicate.connections.request(lab)
        assert communicate.connections.request(lab).id == first.id
        assert first.state is ConnectionState.PENDING
        assert sandbox.journal.count("connections.request") == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [{"network": "reset"}, {"status": 500}, {"status": 503}])
def test_a_request_in_doubt_is_resolved_by_looking(
    both: Any, fault: dict[str, Any], when: Any
) -> None:
    with Sandbox() as sandbox:
        communicate = signed_in(both, sandbox).communicate
        lab = communicate.labs.find(Region.EUROPE)
        sandbox.fault("connections.request", when=when, **fault)
        if when == "after":
            assert communicate.connections.request(lab).involves(lab.id)
        else:
            with pytest.raises((errors.OutcomeUnknown, errors.ServerError)):
                communicate.connections.request(lab)
        assert sandbox.journal.count("connections.request") == 1


def test_nothing_is_requested_from_a_clinic(both: Any) -> None:
    with Sandbox() as sandbox:
        communicate = signed_in(both, sandbox).communicate
        clinic = User(id="2f4c0d6e-0000-4000-8000-000000000001", roles=["Clinic"])
        with pytest.raises(errors.NotALab):
            communicate.connections.request(clinic)
        assert sandbox.journal.count("connections.request") == 0


def test_a_lab_without_the_role_is_not_found(both: Any) -> None:
    with Sandbox() as sandbox:
        sandbox.world.user(sandbox.practice.lab_email).roles = ("Clinic",)
        made = signed_in(both, sandbox)
        with pytest.raises(errors.NotALab):
            made.communicate.labs.find(Region.EUROPE)


def test_get_and_remove(both: Any) -> None:
    with Sandbox() as sandbox:
        connections = signed_in(both, sandbox).communicate.connections
        communicate = signed_in(both, sandbox).communicate
        made = connections.request(communicate.labs.find(Region.EUROPE))
        assert connections.get(made.id.upper()).id == made.id
        connections.remove(made.id)
        connections.remove(made.id)
        assert connections.list() == []
        with pytest.raises(errors.NotFound):
            connections.get(made.id)


def test_the_lab_approves(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox).communicate
        made = practice.connections.request(practice.labs.find(Region.EUROPE))
        lab_user = sandbox.world.user("insignia.supporteurope@ormco.com")
        oauth = both.oauth(
            environment=sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        )
        oauth.sign_in_with_password(lab_user.email, lab_user.password)
        lab = both.communicate(environment=sandbox.environment, auth=oauth.auth)
        with pytest.raises(errors.PermissionDenied):
            practice.connections.approve(made.id)
        assert lab.connections.approve(made.id).state is ConnectionState.ACTIVE
        assert practice.connections.get(made.id).state is ConnectionState.ACTIVE


def test_applications(both: Any) -> None:
    with Sandbox() as sandbox:
        applications = signed_in(both, sandbox).communicate.applications
        (mine,) = applications.list()
        applications.remove(mine.id)


@pytest.mark.parametrize(
    ("accepted", "state"),
    [
        (True, ConnectionState.ACTIVE),
        (False, ConnectionState.PENDING),
        (None, ConnectionState.PENDING),
        ("Declined", ConnectionState.UNKNOWN),
    ],
)
def test_states(accepted: Any, state: ConnectionState) -> None:
    assert Connection(id="1", connection_accepted=accepted).state is state


def test_answers_are_open() -> None:
    user = User.model_validate_json('{"Id": "1", "Country": null, "Shiny": {"New": 1}}')
    assert user.model_extra == {"Shiny": {"New": 1}}
    assert (user.country, user.connections, user.is_lab) == (None, None, False)


def test_a_user_prints_no_person() -> None:
    user = User(id="1", email="dr@clinic.example", name="Ada Sample", roles=["Clinic"])
    assert "Ada" not in f"{user!r} {user}"
    assert "clinic.example" not in f"{user!r} {user}"


def test_a_logo(both: Any) -> None:
    with Sandbox() as sandbox:
        client = signed_in(both, sandbox).communicate
        lab = client.users.get(sandbox.practice.lab_email)
        assert lab.has_logo
        assert lab.logo.is_available
        assert client.users.logo(lab) == client.users.logo(lab.id)
        assert client.users.logo(lab).startswith(b"\x89PNG")
        with pytest.raises(errors.PermissionDenied):
            client.users.logo(client.users.me())
