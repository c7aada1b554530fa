"""Accounts and answers that the sandbox does not make by itself: no lab and no password twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from tests.practices import Clients, clients, signed_in

from ormco_trios import Connected, Progress, Region, Repair, Waiting, errors
from ormco_trios.communicate.regions import lab_account
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.onboarding.checklist import OverallState, StepName, StepState
from ormco_trios.sandbox import Approval, InProcessGateway, Practice, Sandbox
from ormco_trios.sandbox.world.state import Server

Form = Callable[[Any], Any]

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ANY_GUID = re.compile(r"%7B[0-9a-fA-F-]{36}%7D|\b[0-9A-F]{32}\b")


@dataclass
class Respelled:
    """The sandbox, whose answers of one service are written in another form."""

    inner: InProcessGateway
    form: Form
    service: str = "/communicate/"

    def open(self) -> Transport:
        return _Transport(self, self.inner.open())

    def open_async(self) -> AsyncTransport:
        return _AsyncTransport(self, self.inner.open_async())

    def asked(self, request: Request) -> Request:
        """A service takes the ids that it has written."""
        return replace(request, url=ANY_GUID.sub(lambda id: str(UUID(unquote(id[0]))), request.url))

    def said(self, request: Request, answer: Answer) -> Answer:
        if self.service not in request.url or not answer.body.startswith((b"{", b"[")):
            return answer
        return replace(answer, body=json.dumps(self.form(json.loads(answer.body))).encode())


@dataclass
class _Transport:
    gateway: Respelled
    inner: Transport

    def send(self, request: Request) -> Answer:
        return self.gateway.said(request, self.inner.send(self.gateway.asked(request)))

    def close(self) -> None:
        self.inner.close()


@dataclass
class _AsyncTransport:
    gateway: Respelled
    inner: AsyncTransport

    async def send(self, request: Request) -> Answer:
        return self.gateway.said(request, await self.inner.send(self.gateway.asked(request)))

    async def aclose(self) -> None:
        await self.inner.aclose()


def everywhere(change: Callable[[str, Any], tuple[str, Any]]) -> Form:
    """A form in which each field is changed, at any depth."""

    def form(value: Any) -> Any:
        if isinstance(value, dict):
            return dict(change(name, form(inner)) for name, inner in value.items())
        return [form(inner) for inner in value] if isinstance(value, list) else value

    return form


def spelled(within: str, how: Callable[[str], str]) -> Form:
    """GUIDs of some fields, written in another way."""

    def change(name: str, value: Any) -> tuple[str, Any]:
        guid = isinstance(value, str) and GUID.fullmatch(value)
        return name, how(value) if guid and re.fullmatch(within, name) else value

    return everywhere(change)


def accounts_within(value: Any) -> Any:
    """Whom a connection is with is only in the objects inside it."""

    def change(connection: dict[str, Any]) -> dict[str, Any]:
        changed = dict(connection)
        for side in ("Inviter", "Remote"):
            inner = {part: changed.pop(f"{side}User{part}", None) for part in ("Id", "Email")}
            changed[f"{side}User"] = inner
        return changed

    if isinstance(value, dict) and value.get("Connections"):
        return value | {"Connections": [*map(change, value["Connections"])]}
    return value


FORMS: dict[str, Form] = {
    "camelCase": everywhere(lambda name, value: (name[:1].lower() + name[1:], value)),
    "ids of connections in braces": spelled(".+UserId", "{{{}}}".format),
    "ids of connections without hyphens": spelled(".+UserId", lambda id: id.replace("-", "")),
    "ids of users in braces": spelled("Id", "{{{}}}".format),
    "ids of users in capitals, without hyphens": spelled(
        "Id", lambda id: id.replace("-", "").upper()
    ),
    "accounts within connections": accounts_within,
    "accepted as a text": everywhere(
        lambda name, value: (
            name,
            str(value) if name == "ConnectionAccepted" and value is not None else value,
        )
    ),
    "no e-mails in connections": everywhere(
        lambda name, value: (name, "" if name.endswith("UserEmail") else value)
    ),
}


def in_form(
    both: Any, sandbox: Sandbox, form: Form, service: str = "/communicate/", **options: Any
) -> Clients:
    gateway = Respelled(InProcessGateway(sandbox.world), form, service)
    return signed_in(both, sandbox, gateway=gateway, **options)


@pytest.mark.parametrize("name", FORMS)
def test_there_is_one_request_and_one_connection(both: Any, name: str) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = in_form(both, sandbox, FORMS[name])
        for _ in range(3):
            assert isinstance(practice.onboarding.advance(), Waiting)
            assert len(sandbox.world.connections()) == 1
        (connection,) = sandbox.world.connections()
        sandbox.world.approve(connection.id)
        checklist = practice.onboarding.check()
        assert checklist[StepName.APPROVAL].state is StepState.DONE
        assert isinstance(practice.run(), Connected)
        assert len(sandbox.world.connections()) == 1
        assert practice.onboarding.disconnect().complete
        assert sandbox.world.connections() == []


def test_an_account_that_writes_its_id_differently_is_the_same_one(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        first = signed_in(both, sandbox)
        first.onboarding.advance()
        again = in_form(
            both, sandbox, FORMS["ids of users in braces"], progress=first.onboarding.progress
        )
        assert isinstance(again.onboarding.advance(), Waiting)


def test_an_empty_e_mail_is_none(both: Any) -> None:
    form = everywhere(lambda name, value: (name, " " if name == "Email" else value))
    with Sandbox(approval=Approval.immediately()) as sandbox:
        meant = in_form(both, sandbox, form, account=sandbox.practice.email)
        with pytest.raises(errors.WrongAccount, match="shows no e-mail, so nobody can tell"):
            meant.onboarding.advance()
        step = in_form(both, sandbox, form).onboarding.check()[StepName.SIGN_IN]
        assert "as an account that shows no e-mail" in step.evidence


def test_a_request_that_another_process_has_made_is_no_trouble(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        inner = InProcessGateway(sandbox.world)

        class Twice(Respelled):
            def asked(self, request: Request) -> Request:
                if "/requestconnection/" in request.url:
                    assert inner.open().send(request).status == 200
                return request

        practice = signed_in(both, sandbox, gateway=Twice(inner, lambda value: value))
        assert isinstance(practice.onboarding.advance(), Waiting)
        assert len(sandbox.world.connections()) == 1


def test_an_answer_without_the_list_says_nothing_about_what_was_in_it(both: Any) -> None:
    shown = True

    def form(value: Any) -> Any:
        said = shown or not isinstance(value, dict) or "Connections" not in value
        return value if said else value | {"Connections": None}

    with Sandbox(approval=Approval.held()) as sandbox:
        practice = in_form(both, sandbox, form)
        assert isinstance(practice.onboarding.advance(), Waiting)
        shown = False
        for _ in range(2):
            with pytest.raises(errors.UnexpectedAnswer, match="does not say which connections"):
                practice.onboarding.advance()
        shown = True
        assert isinstance(practice.onboarding.advance(), Waiting)
        assert len(sandbox.world.connections()) == 1


def test_an_outage_does_not_end_a_wait_of_hours(both: Any) -> None:
    with Sandbox(approval=Approval.after(20 * 3600)) as sandbox:
        practice = signed_in(both, sandbox)
        assert isinstance(practice.onboarding.advance(), Waiting)

        def out(checklist: Any) -> None:
            hours = sandbox.world.clock.time() - began
            sandbox.world.faults.clear()
            if 4 * 3600 < hours < 5 * 3600:
                sandbox.fault("users.me", status=503, times=12)

        began = sandbox.world.clock.time()
        assert isinstance(practice.run(on_update=out), Connected)
        assert sandbox.journal.count("users.me", ok=False) > 8, "more than two rounds"


def test_an_outage_that_lasts_does(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox)

        def out(_: Any) -> None:
            sandbox.fault("users.me", network="connect", times=None)

        with pytest.raises(errors.TransportError):
            practice.run(on_update=out)


def test_an_outage_at_the_beginning_is_said_at_once(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox)
        began = sandbox.world.clock.time()
        sandbox.fault("users.me", status=503, times=None)
        with pytest.raises(errors.ServerError):
            practice.run()
        assert sandbox.world.clock.time() - began < 60


def test_a_request_that_is_refused_is_said(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        sandbox.fault("connections.request", status=400, body=b"No.")
        with pytest.raises(errors.InvalidRequest):
            signed_in(both, sandbox).onboarding.advance()
        assert sandbox.journal.count("users.me") == 2


def test_the_lab_is_not_connected_with_itself(both: Any) -> None:
    with Sandbox() as sandbox:
        lab = sandbox.world.user(sandbox.practice.lab_email)
        practice = clients(both, sandbox)
        practice.oauth.sign_in_with_password(lab.email, lab.password)
        with pytest.raises(errors.LabRefused, match="the lab itself"):
            practice.onboarding.advance()
        with pytest.raises(errors.LabRefused, match="the lab itself"):
            practice.communicate.connections.request(practice.communicate.users.me())
        assert sandbox.world.connections() == []


# --- the lab was faster --------------------------------------------------------------------------


def test_a_request_of_the_lab_is_approved(both: Any) -> None:
    with Sandbox() as sandbox:
        world, who = sandbox.world, sandbox.practice
        world.new_connection(world.user(who.lab_email), world.user(who.email))
        practice = signed_in(both, sandbox)

        checklist = practice.onboarding.check()
        step = checklist[StepName.APPROVAL]
        assert step.state is StepState.MISSING
        assert step.evidence.startswith("Ormco's lab has asked for the connection")
        assert checklist.state is OverallState.INCOMPLETE
        assert not world.connections()[0].accepted, "a look changes nothing"

        assert isinstance(practice.run(), Connected)
        (connection,) = world.connections()
        assert connection.accepted


def test_of_two_requests_the_labs_is_approved(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        world, who = sandbox.world, sandbox.practice
        practice = signed_in(both, sandbox)
        assert isinstance(practice.onboarding.advance(), Waiting)
        world.new_connection(world.user(who.lab_email), world.user(who.email))
        assert isinstance(practice.run(), Connected)
        assert [c.accepted for c in world.connections()] == [False, True]


def test_a_request_of_anybody_else_is_not(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        world, who = sandbox.world, sandbox.practice
        other = world.user(sandbox.practices(1)[0].email)
        world.new_connection(other, world.user(who.email))
        assert isinstance(signed_in(both, sandbox).onboarding.advance(), Waiting)
        assert [c.accepted for c in world.connections()] == [False, False]


def test_a_request_of_what_is_no_lab_is_refused(both: Any) -> None:
    with Sandbox() as sandbox:
        world, who = sandbox.world, sandbox.practice
        world.new_connection(world.user(who.lab_email), world.user(who.email))
        world.user(who.lab_email).roles = ("Clinic",)
        with pytest.raises(errors.NotALab):
            signed_in(both, sandbox).onboarding.advance()
        assert not world.connections()[0].accepted


# --- what was chosen stays -----------------------------------------------------------------------


def abroad(sandbox: Sandbox, server: Server | None) -> Practice:
    """A practice in Brazil, about which nothing is published, and its region at 3Shape."""
    who = sandbox.practice_in(server or "am")
    sandbox.world.user(who.email).fields["Country"] = "BR"
    if server is None:
        sandbox.switch(region_uri="null", region="null")
    return who


def labs(sandbox: Sandbox) -> list[str]:
    users = sandbox.world.state.users
    return [users[c.remote].email.lower() for c in sandbox.world.connections()]


@pytest.mark.parametrize("server", ["am", None])
@pytest.mark.parametrize("kept", [True, False])
def test_a_choice_stays_where_nothing_else_is_clear(
    both: Any, server: Server | None, kept: bool
) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        who = abroad(sandbox, server)
        first = signed_in(both, sandbox, who=who, region=Region.EUROPE)
        first.run()
        progress = first.onboarding.progress if kept else None
        again = signed_in(both, sandbox, who=who, progress=progress)
        checklist = again.onboarding.check()
        assert checklist.state is OverallState.CONNECTED
        said = "as chosen before" if kept else "inferred from the account's connection with it"
        assert said in checklist[StepName.CONNECTION].evidence
        again.run()
        again.onboarding.repair(extent=Repair.CONNECT_AGAIN, authorize=again.authorize)
        assert labs(sandbox) == [lab_account(Region.EUROPE).email]


def test_a_choice_of_another_account_is_none(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        who = abroad(sandbox, "am")
        first = signed_in(both, sandbox, who=who, region=Region.EUROPE)
        first.onboarding.advance()
        first.onboarding.forget_account()
        assert first.onboarding.progress.region is None


def test_a_clear_country_decides_whatever_was_chosen(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        progress = Progress(region=Region.EUROPE)
        who = sandbox.practice_in("am")
        practice = signed_in(both, sandbox, who=who, progress=progress)
        evidence = practice.onboarding.check()[StepName.CONNECTION].evidence
        assert "North America, for the country US" in evidence


def test_a_choice_settles_what_the_account_says_in_two_ways(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        who = sandbox.practice_in("eu")
        sandbox.world.user(who.email).fields["Country"] = "AU"
        first = signed_in(both, sandbox, who=who)
        for look in (first.onboarding.check, first.onboarding.advance):
            with pytest.raises(errors.RegionUnclear, match="Asia Pacific, but 3Shape keeps"):
                look()
        chosen = signed_in(both, sandbox, who=who, region=Region.ASIA_PACIFIC)
        chosen.run()
        progress = Progress.from_json(chosen.onboarding.progress.to_json())
        again = signed_in(both, sandbox, who=who, progress=progress)
        assert again.onboarding.check().state is OverallState.CONNECTED
        assert again.onboarding.disconnect().complete


def test_two_connections_tell_nothing(both: Any) -> None:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        who = abroad(sandbox, None)
        for region in (Region.EUROPE, Region.ASIA_PACIFIC):
            signed_in(both, sandbox, who=who, region=region).onboarding.advance()
        with pytest.raises(errors.RegionUnclear):
            signed_in(both, sandbox, who=who).onboarding.check()


# --- the portal ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-01T10:00:00",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "yesterday",
        ["2026"],
        1e400,
    ],
)
def test_a_time_of_the_portal_stops_nothing(both: Any, moment: Any) -> None:
    form = everywhere(lambda name, value: (name, moment if name.endswith("_at") else value))
    with Sandbox(approval=Approval.immediately()) as sandbox:
        signed_in(both, sandbox).run()
        practice = in_form(both, sandbox, form, "/ormcodigital/")
        checklist = practice.onboarding.check()
        assert checklist[StepName.AUTHORIZATION].state is StepState.DONE
        assert practice.onboarding.doctor().checklist.state is OverallState.CONNECTED
        assert isinstance(practice.onboarding.advance(), Connected)
        assert practice.onboarding.disconnect().complete


@pytest.mark.parametrize("token", ["", " ", "two words", "a\r\nX-More: b", "\u00fc"])
def test_a_session_without_a_usable_token_gets_no_second_password(both: Any, token: str) -> None:
    form = everywhere(lambda name, value: (name, token if name == "token" else value))
    with Sandbox(approval=Approval.immediately()) as sandbox:
        practice = in_form(both, sandbox, form, "/ormcodigital/")
        for _ in range(3):
            checklist = practice.onboarding.check()
            step = checklist[StepName.PORTAL_SIGN_IN]
            assert "OrmcoDigital publishes no interface" in step.evidence
        with pytest.raises(errors.PortalDiffers):
            practice.onboarding.advance()
        routes = [(entry.method, entry.route) for entry in sandbox.journal]
        assert routes.count(("POST", "/ormcodigital/api/session")) == 1
