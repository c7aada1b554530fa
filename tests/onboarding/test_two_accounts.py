"""Two practices before one browser, in any order: only the one that is meant gets anything."""

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
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.conftest import SyncOrAsync
from tests.practices import HOUR, Clients, clients

from ormco_trios import Address, Connected, MemoryTokenStore, NeedsAuthorization, Progress, errors
from ormco_trios.onboarding.checklist import StepName
from ormco_trios.onboarding.outcomes import Purpose, Repair
from ormco_trios.sandbox import Approval, Practice, Sandbox
from ormco_trios.sandbox.serve.browser import Browser
from ormco_trios.sandbox.world import seeds


class TwoAccounts(RuleBasedStateMachine):
    """Anna's practice is being connected; Ben uses the same computer."""

    mode: Any = "sync"
    account_dialect = False

    @initialize(is_expected=st.booleans(), people=st.permutations([0, 1]))
    def begin(self, is_expected: bool, people: list[int]) -> None:
        self.both = SyncOrAsync(self.mode)
        self.sandbox = Sandbox(approval=Approval.held())
        self.anna = self.sandbox.practice
        (self.ben,) = self.sandbox.practices(1)
        self.browser = Browser(self.sandbox.world, served=False)
        self.person = (self.anna, self.ben)[people[0]]
        self.store = MemoryTokenStore()
        self.expected = self.anna.email.upper() if is_expected else None
        self.pasted: list[tuple[str, str | None]] = []
        self.says = self.said = True
        self.handed_over = 0
        self.needed: NeedsAuthorization | None = None
        self.process = self.start(Progress())
        if not is_expected:
            # Nobody said who is meant: it is the account that answered first.
            link = self.process.onboarding.advance().url
            self.process.onboarding.finish_authorization(
                self.sandbox.authorize(link, email=self.anna.email)
            )
            self.process.onboarding.advance()

    def start(self, progress: Progress) -> Clients:
        return clients(
            self.both,
            self.sandbox,
            store=self.store,
            account_dialect=self.account_dialect,
            account=self.expected,
            progress=progress,
        )

    def teardown(self) -> None:
        if hasattr(self, "both"):
            self.browser.close()
            self.both.close()

    # At the computer --------------------------------------------------------------------------

    @rule(is_anna=st.booleans())
    def a_person_sits_down(self, is_anna: bool) -> None:
        self.person = self.anna if is_anna else self.ben

    @rule()
    def private_window(self) -> None:
        self.browser.clear()

    @precondition(lambda self: self.needed is not None)
    @rule()
    def open_the_link(self) -> None:
        """The browser may be signed in as the other one already."""
        assert self.needed is not None
        self.pasted.append(self.travel(self.needed))

    def travel(self, needed: NeedsAuthorization) -> tuple[str, str | None]:
        address = self.browser.authorize(needed.url, email=self.person.email)
        return address, self.browser.account

    @precondition(lambda self: self.pasted)
    @rule(data=st.data(), says=st.booleans())
    def paste(self, data: st.DataObject, says: bool) -> None:
        """One of the addresses so far, perhaps not for the first time."""
        address, shown = data.draw(st.sampled_from(self.pasted))
        pending = self.process.onboarding.progress.pending
        before = self.handed_over
        self.about_to_paste(says)
        try:
            self.process.onboarding.finish_authorization(
                address, account_shown=shown if says else None
            )
        except errors.WrongAccount as error:
            self.is_told(error)
            self.about_to_paste(says)
            assert self.handed_over == before
        except errors.OrmcoTriosError:
            pass
        else:
            assert not (says and pending[0] is Purpose.ORMCO and shown == self.ben.email)

    def about_to_paste(self, says: bool) -> None:
        """Know of the last code that was handed over whether a person said whose it was."""
        handed_over = self.sandbox.journal.count("trios.submit_code")
        if handed_over > self.handed_over:
            self.handed_over, self.said = handed_over, self.says
        self.says = says

    @precondition(lambda self: self.pasted)
    @rule(data=st.data())
    def correct_the_other_field(self, data: st.DataObject) -> None:
        """What was refused is pasted again, with the e-mail that was asked for."""
        address, shown = data.draw(st.sampled_from(self.pasted))
        onboarding = self.process.onboarding
        pending = onboarding.progress.pending
        if pending is None or pending[0] is not Purpose.ORMCO or shown != self.ben.email:
            return
        with contextlib.suppress(errors.OrmcoTriosError):
            onboarding.finish_authorization(address, account_shown=shown)
            raise AssertionError("it was handed over")
        with pytest.raises(errors.OrmcoTriosError):
            onboarding.finish_authorization(address, account_shown=self.anna.email)

    # What the library is asked to do ----------------------------------------------------------

    @rule()
    def advance(self) -> None:
        self.needed = None
        try:
            outcome = self.process.onboarding.advance()
        except errors.WrongAccount as error:
            self.is_told(error)
        except errors.OrmcoTriosError:
            pass
        else:
            if isinstance(outcome, NeedsAuthorization):
                self.needed = outcome
            elif isinstance(outcome, Connected):
                self.look_at(outcome)

    @rule(says=st.booleans(), tries=st.integers(1, 3))
    def run(self, says: bool, tries: int) -> None:
        """The person answers as they are, and from some try on in a private window as Anna."""
        self.whole(self.process.onboarding.run, says, tries)

    @rule(says=st.booleans(), extent=st.sampled_from(Repair))
    def repair(self, says: bool, extent: Repair) -> None:
        self.whole(self.process.onboarding.repair, says, 1, extent=extent)

    def whole(self, method: Any, says: bool, tries: int, **options: Any) -> None:
        asked = 0

        def authorize(needed: NeedsAuthorization) -> Address:
            nonlocal asked
            asked += 1
            if asked > tries:
                self.browser.clear()
                self.person = self.anna
            self.sandbox.approve()
            address, shown = self.travel(needed)
            self.about_to_paste(says)
            return Address(address, account_shown=shown if says else None)

        self.needed = None
        try:
            outcome = method(authorize=self.both.callback(authorize), timeout=2 * HOUR, **options)
        except errors.WrongAccount as error:
            self.is_told(error)
        except errors.OrmcoTriosError:
            pass
        else:
            if isinstance(outcome, Connected):
                self.look_at(outcome)

    @rule(sign_out=st.booleans())
    def disconnect(self, sign_out: bool) -> None:
        self.process.onboarding.disconnect(sign_out=sign_out)

    @rule()
    def check(self) -> None:
        before = self.process.onboarding.progress.account
        self.process.onboarding.check()
        assert self.process.onboarding.progress.account == before

    @rule()
    def another_process(self) -> None:
        progress = Progress.from_json(self.process.onboarding.progress.to_json())
        self.needed = None
        self.process = self.start(progress)

    @rule()
    def another_program_signs_ben_in(self) -> None:
        """Over the same store: its tokens are used from now on."""
        link = self.process.oauth.authorization_request()
        address = self.sandbox.authorize(link.url, email=self.ben.email)
        self.process.oauth.exchange(link.finish(address), link)

    # What others do ---------------------------------------------------------------------------

    @rule()
    def ormco_approves(self) -> None:
        self.sandbox.approve()

    @rule(seconds=st.sampled_from([181.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    @rule()
    def annas_email_changes_its_case(self) -> None:
        user = self.sandbox.world.user(self.anna.email)
        user.email = user.email.title() if user.email.islower() else user.email.lower()

    # What must hold ---------------------------------------------------------------------------

    def is_told(self, error: errors.WrongAccount) -> None:
        """Which account has allowed access now, and how to take that back."""
        assert error.found is not None
        assert error.found != error.expected
        assert self.ben.email not in str(error)
        assert "has now allowed" in str(error)
        assert "/User/Applications" in str(error)

    def look_at(self, connected: Connected) -> None:
        evidence = connected.checklist[StepName.AUTHORIZATION].evidence
        assert connected.account_checked is ("account not checked" not in evidence)
        self.about_to_paste(self.says)
        assert connected.account_checked is self.said
        if self.said:
            assert self.linked() is self.anna, "the person named Ben's e-mail"

    def linked(self) -> Practice | None:
        """Whose cases the portal of Anna's practice can fetch."""
        state = self.sandbox.world.state
        link = state.portal_accounts[self.anna.portal_username].link
        if link is None:
            return None
        user = state.grants[link.grant].user
        return next(p for p in (self.anna, self.ben) if p.user_id == user)

    @invariant()
    def ben_has_no_connection(self) -> None:
        for connection in self.sandbox.world.connections():
            assert self.ben.user_id not in (connection.inviter, connection.remote)

    @invariant()
    def nothing_of_bens_is_taken_away(self) -> None:
        """Only the portal may end its own link to his account, if nobody said whose code it was."""
        for grant in self.sandbox.world.state.grants.values():
            if grant.user == self.ben.user_id and grant.client != seeds.PORTAL_CLIENT_ID:
                assert not grant.revoked

    @invariant()
    def only_anna_is_remembered(self) -> None:
        account = self.process.onboarding.progress.account
        assert account is None or account.id == self.anna.user_id


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("account_dialect", [False, True], ids=["classic", "account"])
def test_only_the_account_that_is_meant(mode: str, account_dialect: bool) -> None:
    machine = type("Machine", (TwoAccounts,), {"mode": mode, "account_dialect": account_dialect})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            suppress_health_check=[HealthCheck.too_slow],
            deadline=None,
        ),
    )
