"""The lab's side: every request made to an account, with one call a round."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.practices import signed_in

from ormco_trios import ConnectionState, PollSchedule, Region, errors
from ormco_trios.communicate.incoming import incoming_of
from ormco_trios.communicate.models import Connection, User
from ormco_trios.sandbox import Approval, Sandbox


def lab_client(both: Any, sandbox: Sandbox) -> Any:
    """Another practice's account plays the lab: every account can be asked."""
    return signed_in(both, sandbox, who=sandbox.practices(1)[0]).communicate


def ask(both: Any, sandbox: Sandbox, lab_id: str, n: int) -> None:
    remote = sandbox.world.state.users[lab_id]
    for practice in sandbox.practices(n):
        sandbox.world.new_connection(sandbox.world.user(practice.email), remote)


def test_incoming_requests_can_be_listed_and_approved(both: Any) -> None:
    with Sandbox() as sandbox:
        lab = lab_client(both, sandbox)
        me = lab.users.me()
        ask(both, sandbox, me.id, 3)
        waiting = lab.connections.incoming()
        assert len(waiting) == 3
        assert lab.connections.approve(waiting[0].id).state is ConnectionState.ACTIVE
        assert [c.id for c in lab.connections.incoming()] == [c.id for c in waiting[1:]]


def test_what_one_asked_for_oneself_is_not_incoming(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox).communicate
        practice.connections.request(practice.labs.find(Region.EUROPE))
        assert practice.connections.incoming() == []


def test_watching_sees_every_request_once_with_one_call_a_round(both: Any) -> None:
    with Sandbox(token_lifetime=1e6) as sandbox:
        lab = lab_client(both, sandbox)
        me = lab.users.me()
        ask(both, sandbox, me.id, 2)
        sandbox.journal.clear()
        seen: list[str] = []
        watch = lab.connections.watch_incoming(
            timeout=timedelta(hours=1), schedule=PollSchedule.fixed(600)
        )
        for connection in watch:
            seen.append(connection.id)
            if len(seen) in (2, 5):
                ask(both, sandbox, me.id, 3)
        assert len(seen) == len(set(seen)) == 8
        assert 7 <= sandbox.journal.count("users.me") <= 8


def test_watching_outlives_an_outage_and_not_a_refusal(both: Any) -> None:
    with Sandbox() as sandbox:
        lab = lab_client(both, sandbox)
        sandbox.fault("users.me", status=503, times=3)
        assert list(lab.connections.watch_incoming(timeout=timedelta(hours=1))) == []
        sandbox.fault("users.me", status=403)
        with pytest.raises(errors.PermissionDenied):
            list(lab.connections.watch_incoming())


def test_the_account_is_recognised_by_its_id_or_its_email() -> None:
    me = User(
        id="ME",
        email="Lab@x.example",
        connections=[
            Connection(id="1", remote_user_id="me"),
            Connection(id="2", remote_user_email="lab@X.example"),
            Connection(id="3", inviter_user_id="me", remote_user_id="other"),
            Connection(id="4", remote_user_id="me", connection_accepted=True),
        ],
    )
    assert [c.id for c in incoming_of(me)] == ["1", "2"]


def test_a_lab_rejects_what_waits_for_it_and_removes_nothing_else(both: Any) -> None:
    with Sandbox() as sandbox:
        lab = lab_client(both, sandbox)
        me = lab.users.me()
        ask(both, sandbox, me.id, 3)
        unwanted, wanted, _ = lab.connections.incoming()
        lab.connections.approve(wanted.id)
        lab.connections.reject(unwanted.id.upper())
        with pytest.raises(errors.NotFound):
            lab.connections.reject(unwanted.id)
        with pytest.raises(errors.InvalidRequest, match=r"connections\.remove"):
            lab.connections.reject(wanted.id)
        assert len(sandbox.world.connections()) == 2
        assert sandbox.journal.count("connections.remove") == 1


def test_who_asked_withdraws_and_rejects_nothing(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox).communicate
        made = practice.connections.request(practice.labs.find(Region.EUROPE))
        with pytest.raises(errors.InvalidRequest, match="nothing was removed"):
            practice.connections.reject(made.id)
        assert len(sandbox.world.connections()) == 1


def test_a_rejected_request_is_told_from_one_that_waits(both: Any) -> None:
    with Sandbox(approval=Approval.held()) as sandbox:
        practice = signed_in(both, sandbox).communicate
        made = practice.connections.request(practice.labs.find(Region.EUROPE))
        sandbox.world.remove(made.id)
        with pytest.raises(errors.ConnectionRemoved, match="rejected by the lab, or withdrawn"):
            practice.connections.wait_until_active(made)


def test_an_email_that_only_looks_alike_is_another_one() -> None:
    """A long s is no s: the account with that e-mail is asked for nothing, and lets nobody in."""
    me = User(id="A", email="lab.s@clinic.example")
    for email, count in (("LAB.S@clinic.example", 1), ("lab.\u017f@clinic.example", 0)):
        request = Connection(id="1", remote_user_email=email)
        assert len(incoming_of(me.model_copy(update={"connections": [request]}))) == count
