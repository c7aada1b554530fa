"""States that real practices are in: named by `check`, and mended with the least that helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.practices import Clients, clients, signed_in

from ormco_trios import Connected, NeedsAuthorization, Repair, errors
from ormco_trios.onboarding.checklist import StepName, StepState
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.world.seeds import LAB_EMAILS

EUROPE = "insignia.supporteurope@ormco.com"
ASIA = "insignia.supportasia@ormco.com"
PORTAL = {"profile.update", "trios.submit_code", "trios.disconnect"}
COMMUNICATE = {"connections.request", "connections.remove", "applications.remove"}


def writes(sandbox: Sandbox) -> list[str]:
    wanted = PORTAL | COMMUNICATE
    return [e.operation for e in sandbox.journal if e.wrote and e.operation in wanted]


def connected(both: Any, sandbox: Sandbox) -> Clients:
    practice = signed_in(both, sandbox)
    practice.run()
    return practice


def old_region(both: Any, sandbox: Sandbox) -> None:
    world = sandbox.world
    world.new_connection(world.user(sandbox.practice.email), world.user(ASIA)).accepted = True


def two_requests(both: Any, sandbox: Sandbox) -> None:
    world = sandbox.world
    me = world.user(sandbox.practice.email)
    world.new_connection(me, world.user(ASIA))
    world.new_connection(me, world.user(EUROPE))


def removed_by_ormco(both: Any, sandbox: Sandbox) -> None:
    connected(both, sandbox)
    sandbox.world.remove(sandbox.world.connections()[0].id)


def switched_to_pvs(both: Any, sandbox: Sandbox) -> None:
    from ormco_trios import SubmissionMethod

    connected(both, sandbox).ormco.submission_method.set(SubmissionMethod.pvs())


def revoked(both: Any, sandbox: Sandbox) -> None:
    connected(both, sandbox)
    sandbox.world.revoke(sandbox.practice.email)


def company_owns_it(both: Any, sandbox: Sandbox) -> None:
    """The signed-in account sees the company's active connection with the lab, and has none."""
    world = sandbox.world
    (company,) = sandbox.practices(1)
    world.new_connection(world.user(company.email), world.user(EUROPE)).accepted = True
    world.join_company(sandbox.practice.email, company.email)


def new_practice(both: Any, sandbox: Sandbox) -> None:
    pass


SCENARIOS = [
    # what happened, the first step that shows it, what it takes
    (
        new_practice,
        StepName.CONNECTION,
        ["connections.request", "trios.submit_code", "profile.update"],
    ),
    (
        old_region,
        StepName.CONNECTION,
        ["connections.request", "trios.submit_code", "profile.update"],
    ),
    (
        company_owns_it,
        StepName.CONNECTION,
        ["connections.request", "trios.submit_code", "profile.update"],
    ),
    (two_requests, StepName.APPROVAL, ["trios.submit_code", "profile.update"]),
    (removed_by_ormco, StepName.CONNECTION, ["connections.request"]),
    (switched_to_pvs, StepName.SUBMISSION_METHOD, ["profile.update"]),
    (revoked, StepName.AUTHORIZATION, ["trios.submit_code", "profile.update"]),
]


@pytest.mark.parametrize("method", ["run", "repair"])
@pytest.mark.parametrize(("happened", "step", "needed"), SCENARIOS)
def test_the_least_that_mends_it(
    both: Any,
    happened: Callable[[Any, Sandbox], None],
    step: StepName,
    needed: list[str],
    method: str,
) -> None:
    with Sandbox() as sandbox:
        happened(both, sandbox)
        practice = signed_in(both, sandbox)
        found = practice.onboarding.check()
        assert found.next_step is not None
        assert found.next_step.name is step
        assert found.next_step.next_action

        sandbox.journal.clear()
        mended = getattr(practice.onboarding, method)(authorize=practice.authorize)
        assert mended.checklist.state.value == "connected"
        assert writes(sandbox) == needed

        sandbox.journal.clear()
        again = signed_in(both, sandbox)
        assert getattr(again.onboarding, method)(authorize=again.authorize)
        assert writes(sandbox) == []


def test_an_old_connection_elsewhere_is_mentioned(both: Any) -> None:
    with Sandbox() as sandbox:
        old_region(both, sandbox)
        step = signed_in(both, sandbox).onboarding.check()[StepName.CONNECTION]
        assert "another region (Asia Pacific)" in step.evidence


def test_a_request_that_was_made_twice_is_mentioned(both: Any) -> None:
    """As it may be by a worker that was stopped right before it sent; it stops nothing."""
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        who = sandbox.world.user(sandbox.practice.email)
        sandbox.world.new_connection(who, sandbox.world.user(LAB_EMAILS[sandbox.practice.server]))
        step = practice.onboarding.check()[StepName.CONNECTION]
        assert step.state is StepState.DONE
        assert "lists 2 with this lab; one is enough" in step.evidence
        assert isinstance(practice.onboarding.advance(), Connected)


def test_a_list_without_ormco_is_a_remark_and_stops_nothing(both: Any) -> None:
    """The portal's word is a fact; what *Applications* lists is asked for by a guess."""
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        mine = practice.communicate.applications.list()
        ormco = next(a for a in mine if a.name == "Ormco")
        status = practice.ormco.trios.status().model_dump_json()
        practice.communicate.applications.remove(ormco.id)
        # The portal has not noticed yet.
        sandbox.fault("trios.status", status=200, body=json.loads(status), times=2)
        step = practice.onboarding.check()[StepName.AUTHORIZATION]
        assert step.state is StepState.DONE
        assert "another account may have been linked" in step.evidence
        assert isinstance(practice.onboarding.advance(), Connected)


def test_removed_while_waiting_is_said_once_and_then_asked_for_again(both: Any) -> None:
    with Sandbox(approval=Approval.removed_after(3600)) as sandbox:
        practice = signed_in(both, sandbox)
        with pytest.raises(errors.ConnectionRemoved, match="call Ormco support"):
            practice.run()
        assert sandbox.journal.count("connections.request", ok=True) == 1
        sandbox.world.set_approval(Approval.immediately(), practice=sandbox.practice.email)
        practice.run()
        assert sandbox.journal.count("connections.request", ok=True) == 2


def test_a_connection_of_the_company_is_named_and_left_alone(both: Any) -> None:
    with Sandbox() as sandbox:
        company_owns_it(both, sandbox)
        (companys,) = sandbox.world.connections()
        practice = signed_in(both, sandbox)
        step = practice.onboarding.check()[StepName.CONNECTION]
        assert step.state is StepState.MISSING
        assert "belongs to another account, such as the company's" in step.evidence

        practice.run()
        assert len(sandbox.world.connections()) == 2
        repaired = practice.onboarding.repair(
            authorize=practice.authorize, extent=Repair.CONNECT_AGAIN
        )
        assert "belongs to another account" in repaired.checklist[StepName.CONNECTION].evidence
        assert practice.onboarding.disconnect().complete
        assert sandbox.world.connections() == [companys]


def test_a_code_that_is_never_taken_makes_it_revoke_the_old_access(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        sandbox.world.revoke(sandbox.practice.email)
        asked = 0

        def slow_at_first(needed: NeedsAuthorization) -> str:
            nonlocal asked
            asked += 1
            pasted = sandbox.authorize(needed.url)
            if asked <= 3:
                sandbox.clock.advance(200)
            return pasted

        repaired = practice.onboarding.repair(authorize=both.callback(slow_at_first))
        assert repaired.extent is Repair.AUTHORIZE_AGAIN
        assert asked == 4


def test_a_repair_names_the_time_without_scans(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        good = sandbox.clock.now()
        sandbox.clock.advance(5 * 3600)
        sandbox.world.revoke(sandbox.practice.email)
        sandbox.clock.advance(48 * 3600)
        repaired = practice.onboarding.repair(authorize=practice.authorize)
        assert repaired.broken == (StepName.AUTHORIZATION,)
        assert repaired.interruption is not None
        assert repaired.interruption.until == sandbox.clock.now()
        since = repaired.interruption.since
        assert since is None or since >= good
        assert "send them again" in str(repaired.interruption)


@pytest.mark.parametrize("extent", [Repair.AUTHORIZE_AGAIN, Repair.CONNECT_AGAIN])
def test_more_can_be_asked_for_when_all_looks_well(both: Any, extent: Repair) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        sandbox.journal.clear()
        repaired = practice.onboarding.repair(authorize=practice.authorize, extent=extent)
        assert repaired.broken == ()
        assert "applications.remove" in writes(sandbox)
        again = "connections.request" in writes(sandbox)
        assert again is (extent is Repair.CONNECT_AGAIN)


@pytest.mark.parametrize("extent", [Repair.AUTHORIZE_AGAIN, Repair.CONNECT_AGAIN])
def test_more_can_be_asked_for_by_who_is_signed_out(both: Any, extent: Repair) -> None:
    with Sandbox() as sandbox:
        connected(both, sandbox)
        # Another process, without the tokens.
        practice = clients(both, sandbox)
        sandbox.journal.clear()
        with pytest.raises(errors.AuthorizationNeeded, match="Pass authorize="):
            practice.onboarding.repair(extent=extent)
        assert writes(sandbox) == []
        repaired = practice.onboarding.repair(authorize=practice.authorize, extent=extent)
        assert repaired.broken == (StepName.SIGN_IN, StepName.CONNECTION, StepName.APPROVAL)
        assert "applications.remove" in writes(sandbox)
        assert ("connections.request" in writes(sandbox)) is (extent is Repair.CONNECT_AGAIN)


def test_disconnecting_covers_every_place(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        done = practice.onboarding.disconnect(sign_out=True)
        assert done.complete
        assert [p.state.value for p in done.places] == ["removed"] * 4
        assert sandbox.world.connections() == []
        assert practice.oauth.token() is None

        again = signed_in(both, sandbox).onboarding.disconnect()
        assert [p.state.value for p in again.places] == ["was not there"] * 3


def test_one_place_that_fails_does_not_save_the_others(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        sandbox.fault("trios.disconnect", status=403, times=None)
        done = practice.onboarding.disconnect()
        assert not done.complete
        assert [p.state.value for p in done.places] == ["removed", "failed", "removed"]
        assert "Sign in with the account" in str(done)


def test_the_doctor_finds_nothing_on_a_healthy_practice(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        diagnosis = practice.onboarding.doctor()
        assert diagnosis.healthy, str(diagnosis)
        assert diagnosis.first is None


def test_the_doctor_names_the_first_thing_to_mend(both: Any) -> None:
    with Sandbox() as sandbox:
        practice = connected(both, sandbox)
        sandbox.world.revoke(sandbox.practice.email)
        diagnosis = practice.onboarding.doctor()
        assert diagnosis.first is not None
        assert diagnosis.first.subject == StepName.AUTHORIZATION.title
        assert not diagnosis.healthy


def test_advance_after_a_repair_is_connected(both: Any) -> None:
    with Sandbox() as sandbox:
        revoked(both, sandbox)
        practice = signed_in(both, sandbox)
        needed = practice.onboarding.advance()
        practice.onboarding.finish_authorization(sandbox.authorize(needed.url))
        assert isinstance(practice.onboarding.advance(), Connected)
