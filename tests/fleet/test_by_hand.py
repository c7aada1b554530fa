"""Practices that do the portal's part by hand, in a fleet: two tasks, and no password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SyncOrAsync
from tests.fleet.test_fleet import Stand

from ormco_trios import AuthorizationCode, Done, Failed, errors
from ormco_trios.fleet import AsyncPracticeOpener, FleetPractice, PracticeOpener, Stage
from ormco_trios.onboarding.outcomes import NeedsPerson
from ormco_trios.ormcodigital.tasks import TaskKind
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.usefixtures("sqlite_is_closed")


class ByHand(Stand):
    """Practices whose people go to the portal; a client of the sandbox's plays them."""

    def __init__(self, both: SyncOrAsync, sandbox: Sandbox, folder: Path) -> None:
        super().__init__(both, sandbox, folder, practices=3)
        self.practices = {
            id: FleetPractice(id=id, account=who.email) for id, who in self.doctors.items()
        }

    def portal(self, practice: str) -> Any:
        """What the person sees there."""
        who = self.doctors[practice]
        return self.both.ormcodigital(
            environment=self.sandbox.environment,
            username=who.portal_username,
            password=who.portal_password,
        )

    def bring_address(self, practice: str) -> str:
        """The person presses *here*, signs in at 3Shape, and allows access."""
        link = self.portal(practice).trios.authorization_request().authorization_url
        address: str = self.sandbox.authorize(link, email=self.doctors[practice].email)
        return address

    def enter(self, practice: str, needed: NeedsPerson) -> None:
        """The person pastes the code, and presses *Update*."""
        assert needed.task.text is not None
        code = AuthorizationCode.from_pasted(needed.task.text.get_secret_value())
        self.portal(practice).trios.submit_code(code)

    def until_the_first_task(self, fleet: Any) -> None:
        for each in fleet.run(until="people"):
            if each.link is not None:
                self.authorize(fleet, each)


@pytest.fixture
def stand(both: SyncOrAsync, tmp_path: Path) -> Any:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        stand = ByHand(both, sandbox, tmp_path)
        yield stand
        stand.close()


def test_two_tasks_and_no_password(stand: ByHand) -> None:
    with stand.fleet() as fleet:
        stand.until_the_first_task(fleet)
        status = fleet.status()
        assert status.stages[Stage.NEEDS_PERSON] == 3
        assert status.waits_for_people_only
        assert {task.practice for task in status.tasks} == set(stand.doctors)
        assert status.tasks[0].steps[0].startswith("Sign in to OrmcoDigital")
        assert not [e for e in stand.sandbox.journal if e.operation.startswith("session")]
        for form in (str(status), status.model_dump_json(), status.to_html()):
            assert stand.doctors["p0"].email not in form

        for practice in stand.doctors:
            needed = fleet.authorized(
                practice,
                stand.bring_address(practice),
                account_shown=stand.doctors[practice].email,
            )
            assert needed.task.kind is TaskKind.ENTER_CODE
            code = needed.task.text.get_secret_value()
            kept = b"".join(file.read_bytes() for file in stand.path.parent.glob("fleet.db*"))
            assert needed.task.id.encode() in kept
            assert code.encode() not in kept
            stand.enter(practice, needed)
            assert fleet.finish_task(practice, Done(), id=needed.task.id) is None
        list(fleet.run())
        status = fleet.status()
    assert status.stages[Stage.CONNECTED] == status.said == 3
    assert "as only the practice says" in str(status)


def test_a_code_that_the_portal_refused_begins_with_the_first_task(stand: ByHand) -> None:
    with stand.fleet() as fleet:
        stand.until_the_first_task(fleet)
        needed = fleet.authorized("p0", stand.bring_address("p0"))
        fleet.finish_task("p0", Failed("The code has expired."), id=needed.task.id)
        list(fleet.run(until="people"))
        (task,) = [each for each in fleet.status().tasks if each.practice == "p0"]
        assert "The code has expired." in str(task.problem)
        with pytest.raises(errors.TaskOver):
            fleet.finish_task("p0", Done(), id=needed.task.id)
        again = fleet.authorized("p0", stand.bring_address("p0"))
        assert again.task.kind is TaskKind.ENTER_CODE


def test_done_after_the_process_that_showed_the_code_has_gone(stand: ByHand) -> None:
    with stand.fleet() as fleet:
        stand.until_the_first_task(fleet)
        needed = fleet.authorized("p0", stand.bring_address("p0"))
        stand.enter("p0", needed)
    stand.sandbox.clock.advance(3600)
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        (task,) = [each for each in fleet.status().tasks if each.practice == "p0"]
        assert task.id == needed.task.id
        fleet.finish_task("p0", Done(), id=needed.task.id)
        list(fleet.run(until="people"))
        assert stand.records.load("p0").stage is Stage.CONNECTED


def test_a_bad_paste_loses_nothing_and_an_address_is_used_once(stand: ByHand) -> None:
    with stand.fleet() as fleet:
        stand.until_the_first_task(fleet)
        before = stand.records.load("p0").task
        assert before is not None
        with pytest.raises(errors.PasteError):
            fleet.authorized("p0", "https://example.com/where-is-the-code")
        after = stand.records.load("p0").task
        assert after is not None
        assert after.id == before.id
        address = stand.bring_address("p0")
        needed = fleet.authorized("p0", address)
        stand.enter("p0", needed)
        fleet.finish_task("p0", Done(), id=needed.task.id)
        with pytest.raises(errors.AuthorizationNeeded):
            fleet.authorized("p0", address)
        with pytest.raises(errors.AuthorizationNeeded):
            fleet.finish_task("p0", Done(), id=needed.task.id)


def test_another_account_connects_nobody(stand: ByHand) -> None:
    other = stand.doctors["p1"].email
    with stand.fleet() as fleet:
        stand.until_the_first_task(fleet)
        with pytest.raises(errors.WrongAccount):
            fleet.authorized("p0", stand.bring_address("p0"), account_shown=other)
        assert stand.records.load("p0").task is not None
    stand.practices["p2"] = FleetPractice(id="p2", account="somebody@else.example")
    with stand.fleet() as fleet:
        assert fleet.retry() == 0
        stand.records.change("p2", lambda it: it.due_at(stand.sandbox.clock.now()))
        list(fleet.run(until="people"))
        # Its sign-in is dropped, and the practice is asked to sign in as the one that is meant.
        assert stand.records.load("p2").stage in {Stage.NEEDS_AUTHORIZATION, Stage.FAILED}


def test_an_address_that_is_no_interface_gets_no_second_password(
    both: SyncOrAsync, tmp_path: Path
) -> None:
    """What was found out is in the record: no other process sends it there again."""
    with Sandbox(approval=Approval.immediately()) as sandbox:
        stand = Stand(both, sandbox, tmp_path, practices=1)
        sandbox.fault("session.create", status=200, body="<html>Welcome</html>", times=None)
        for _ in range(2):
            with stand.fleet() as fleet:
                fleet.retry()
                for each in fleet.run():
                    if each.link is not None:
                        stand.authorize(fleet, each)
                (failure,) = fleet.status().failures
                assert "answered differently" in failure.problem
            stand.records.close()
        assert sandbox.journal.count("session.create") == 1
        stand.close()


def test_the_portal_by_hand_needs_no_address_of_an_api(both: SyncOrAsync, tmp_path: Path) -> None:
    """As in production, where OrmcoDigital publishes none."""
    with Sandbox() as sandbox:
        opener: Any = (AsyncPracticeOpener if both.is_async else PracticeOpener)(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            store=Stand(both, sandbox, tmp_path, practices=1).store,
        )
        assert opener.open(FleetPractice(id="a")) is not None
