"""Whatever the practice, Ormco, time and the network do, in any order: what must never happen."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.conftest import SyncOrAsync
from tests.practices import Clients, clients

from ormco_trios import Connected, NeedsAuthorization, SubmissionMethod, errors
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.services import portal

OPERATIONS = [
    "users.me",
    "users.get",
    "connections.request",
    "session.create",
    "profile.get",
    "profile.update",
    "trios.authorization",
    "trios.submit_code",
    "trios.status",
    "oauth.token",
]


class Lives(RuleBasedStateMachine):
    """One practice, seen by processes that come and go."""

    mode: Any = "sync"

    @initialize()
    def begin(self) -> None:
        self.both = SyncOrAsync(self.mode)
        self.sandbox = Sandbox(approval=Approval.held())
        self.who = self.sandbox.practice
        self.process = self.start()
        self.pasted: str | None = None

    def start(self) -> Clients:
        """Another process, which remembers nothing."""
        return clients(self.both, self.sandbox)

    def teardown(self) -> None:
        if hasattr(self, "both"):
            self.both.close()

    # What the library is asked to do ----------------------------------------------------------

    @rule()
    def advance(self) -> None:
        with contextlib.suppress(errors.OrmcoTriosError):
            match self.process.onboarding.advance():
                case NeedsAuthorization() as needed:
                    self.pasted = self.sandbox.authorize(needed.url)
                case Connected():
                    self.must_be_connected()

    @rule()
    def paste(self) -> None:
        pasted, self.pasted = self.pasted, None
        if pasted is not None:
            with contextlib.suppress(errors.OrmcoTriosError):
                self.process.onboarding.finish_authorization(pasted)

    @rule()
    def run(self) -> None:
        with contextlib.suppress(errors.OrmcoTriosError):
            self.process.run()
            self.must_be_connected()

    @rule()
    def repair(self) -> None:
        with contextlib.suppress(errors.OrmcoTriosError):
            self.process.onboarding.repair(authorize=self.process.authorize)
            self.must_be_connected()

    @rule()
    def check(self) -> None:
        if self.process.onboarding.check().state.value == "connected":
            self.must_be_connected()

    @rule()
    def another_process(self) -> None:
        self.process = self.start()

    @rule()
    def disconnect(self) -> None:
        with contextlib.suppress(errors.OrmcoTriosError):
            self.process.onboarding.disconnect()

    # What others do ---------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([30.0, 181.0, 3600.0, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    @rule()
    def ormco_approves(self) -> None:
        self.sandbox.approve()

    @rule()
    def ormco_removes(self) -> None:
        for connection in self.sandbox.world.connections():
            self.sandbox.world.remove(connection.id)

    @rule()
    def the_doctor_revokes(self) -> None:
        self.sandbox.world.revoke(self.who.email)

    @rule()
    def the_doctor_chooses_pvs(self) -> None:
        with contextlib.suppress(errors.OrmcoTriosError):
            self.process.ormco.submission_method.set(SubmissionMethod.pvs())

    @rule()
    def the_dialog_is_closed(self) -> None:
        self.sandbox.world.drop_draft(self.who.portal_username)

    @rule(
        operation=st.sampled_from(OPERATIONS),
        when=st.sampled_from(["before", "after"]),
        what=st.sampled_from(
            [{"status": 500}, {"status": 503}, {"status": 429}, {"network": "reset"}]
        ),
    )
    def something_fails_once(self, operation: str, when: Any, what: dict[str, Any]) -> None:
        if what.get("status") == 429:
            when = "before"  # it says that nothing was carried out
        self.sandbox.fault(operation, when=when, **what)

    # What must hold ---------------------------------------------------------------------------

    def must_be_connected(self) -> None:
        world = self.sandbox.world
        account = world.state.portal_accounts[self.who.portal_username.casefold()]
        assert [c.accepted for c in world.connections()] == [True]
        assert portal.connection_state(world, account, world.clock.time()) == "connected"

    @invariant()
    def one_connection_and_only_with_the_lab(self) -> None:
        if not hasattr(self, "sandbox"):
            return
        live = self.sandbox.world.connections()
        assert len(live) <= 1
        for connection in live:
            lab = self.sandbox.world.state.users[connection.remote]
            assert lab.email.casefold() == self.who.lab_email.casefold()

    @invariant()
    def no_code_is_used_twice(self) -> None:
        if hasattr(self, "sandbox"):
            assert not [e for e in self.sandbox.journal if "used before" in e.explain]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_any_life(mode: str) -> None:
    machine = type("AnyLives", (Lives,), {"mode": mode})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
