"""Letting go of a practice: nothing is left of it, and each place is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, LiteralString

import pytest
from pydantic import SecretStr
from tests.conftest import SyncOrAsync
from tests.fleet.test_fleet import Stand
from tests.fleet.test_queue import Stand as QueueStand
from tests.fleet.test_queue import all_connected, working

from ormco_trios import Token, errors
from ormco_trios.fleet import FleetPractice, PracticeStatus
from ormco_trios.fleet.postgres import PostgresPractices
from ormco_trios.onboarding.repair import Disconnected, PlaceState
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.usefixtures("sqlite_is_closed")


@pytest.fixture
def stand(both: SyncOrAsync, tmp_path: Path) -> Any:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        stand = Stand(both, sandbox, tmp_path, practices=3)
        yield stand
        stand.close()


def connect_all(stand: Stand, fleet: Any) -> None:
    for each in fleet.run():
        if each.link is not None:
            stand.authorize(fleet, each)


def states(forgotten: Disconnected) -> dict[str, str]:
    return {place.name: place.state.value for place in forgotten.places}


def test_what_is_kept_is_deleted_and_nothing_is_taken_back(stand: Stand) -> None:
    with stand.fleet() as fleet:
        connect_all(stand, fleet)
        stand.sandbox.journal.clear()
        forgotten = fleet.forget("p0")
        assert states(forgotten) == {
            "The stored sign-in": "removed",
            "The fleet's record": "removed",
        }
        assert forgotten.complete
        assert len(stand.sandbox.journal) == 0
        assert [each.practice for each in stand.records] == ["p1", "p2"]
        assert [name for name in stand.store._tokens if ":p0" in name] == []
        again = fleet.forget("p0")  # it is still in the list
        assert set(states(again).values()) == {"was not there"}
        with pytest.raises(LookupError):
            fleet.forget("nobody")
        with pytest.raises(LookupError):
            fleet.forget("a\0b")


def test_access_is_taken_back_if_that_is_asked_for(stand: Stand) -> None:
    with stand.fleet() as fleet:
        connect_all(stand, fleet)
        forgotten = fleet.forget("p0", take_back=True)
        assert len(states(forgotten)) == 5
        assert set(states(forgotten).values()) == {"removed"}
        assert len(stand.sandbox.world.connections()) == 2
        assert [name for name in stand.store._tokens if ":p0" in name] == []


def test_what_could_not_be_taken_back_can_be_tried_again(stand: Stand) -> None:
    with stand.fleet() as fleet:
        connect_all(stand, fleet)
        stand.sandbox.fault("connections.remove", status=403, times=1)
        forgotten = fleet.forget("p0", take_back=True)
        assert not forgotten.complete
        found = states(forgotten)
        assert found["The connection with Ormco's lab"] == "failed"
        assert found["The fleet's record"] == "removed"
        assert fleet.forget("p0", take_back=True).complete
        assert len(stand.sandbox.world.connections()) == 2


def test_not_while_it_is_run(stand: Stand) -> None:
    with stand.fleet() as fleet:
        for _ in fleet.run():
            with pytest.raises(errors.ConfigurationError, match="is running this fleet"):
                fleet.forget("p0")
            break
        assert len(list(stand.records)) == 3


def test_who_is_gone_from_the_list_is_named(stand: Stand) -> None:
    with stand.fleet() as fleet:
        connect_all(stand, fleet)
    del stand.practices["p0"]
    with stand.fleet() as fleet:
        assert fleet.gone() == ["p0"]
        forgotten = fleet.forget("p0")
        assert states(forgotten) == {
            "The stored sign-in": "needs a person",
            "The fleet's record": "removed",
        }
        assert "forget_sign_in" in str(forgotten)
        assert fleet.gone() == []
        for there in (True, False):
            assert stand.both.run(stand.opener.forget_sign_in, "p0") is there
        assert [name for name in stand.store._tokens if ":p0" in name] == []


def test_nothing_of_it_is_left_in_the_file(stand: Stand) -> None:
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        pending = stand.records.load("p1").progress.pending
        assert pending is not None
        secret = pending[1].url
        state = secret.partition("state=")[2].partition("&")[0].encode()
        assert state
        row = b"p1needs_authorization"  # as SQLite keeps it
        assert state in everything(stand.path)
        assert row in everything(stand.path)
        fleet.forget("p1")
    stand.close()
    assert state not in everything(stand.path)
    assert row not in everything(stand.path)


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_a_practice_that_cannot_be_opened_is_forgotten_all_the_same(stand: Stand) -> None:
    def open_practice(practice: FleetPractice) -> Any:
        raise RuntimeError("the password is hunter2")

    with stand.fleet(open_practice) as fleet:
        forgotten = fleet.forget("p0")
        assert states(forgotten) == {
            "The stored sign-in": "failed",
            "The fleet's record": "removed",
        }
        assert "hunter2" not in str(forgotten)


def test_what_another_login_has_left_is_deleted_too(stand: Stand) -> None:
    with stand.fleet() as fleet:
        connect_all(stand, fleet)
    stand.practices["p0"] = stand.practices["p0"].model_copy(update={"portal_username": "changed"})
    with stand.fleet() as fleet:
        assert states(fleet.forget("p0"))["The stored sign-in"] == "removed"
        assert [name for name in stand.store._tokens if ":p0" in name] == []


def test_an_answer_that_was_under_way_leaves_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A practice is forgotten while its code is exchanged."""
    with stand.fleet() as fleet:
        (link,) = [each for each in fleet.run(until="people") if each.practice == "p0"]
        save = stand.store.save

        def saving(account: str, token: Token) -> None:
            save(account, token)
            assert stand.open_records().forget("p0")

        monkeypatch.setattr(stand.store, "save", saving)
        with pytest.raises(LookupError):
            stand.authorize(fleet, link)
        assert stand.store._tokens == {}


# --- on a queue -----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_on_a_queue(conninfo: str) -> None:
    stand = QueueStand(conninfo, practices=2)
    stand.store = None  # the database
    async with stand.queue() as queue:
        await queue.migrate()
        stored = PostgresPractices(queue.database)
        for id, who in stand.doctors.items():
            login = FleetPractice(
                id=id, portal_username=who.portal_username, portal_password=SecretStr("x")
            )
            await stored.save(login)
    async with stand.queue() as queue, working(queue):
        stored = PostgresPractices(queue.database)
        await queue.enroll(*stand.doctors)
        await stand.until(queue, all_connected)
        stand.sandbox.fault("connections.remove", status=403, times=1)
        failed = await queue.forget("p0", take_back=True)
        assert states(failed)["The connection with Ormco's lab"] == "failed"
        assert states(failed)["What it signs in to the portal with"] == "failed"
        assert await stored.ids() == ["p0", "p1"]
        assert (await queue.status()).total == 1
        forgotten = await queue.forget("p0", take_back=True)
        assert forgotten.complete
        assert states(forgotten)["The fleet's record"] == "was not there"
        assert await stored.ids() == ["p1"]
        left = await queue.forget("p1")
        assert {place.state for place in left.places} == {PlaceState.REMOVED}
        with pytest.raises(LookupError):
            await queue.forget("p1")
        for table in ("practice_status", "practice", "token", "lock"):
            ((count,),) = await queue.database.rows(f"select count(*) from ormco_trios_{table}")
            assert count == 0, table
    assert len(stand.sandbox.world.connections()) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("damaged", ["practice", "token", "practice_status"])
async def test_what_no_key_opens_is_deleted_all_the_same(
    conninfo: str, damaged: LiteralString
) -> None:
    stand = QueueStand(conninfo, practices=1)
    stand.store = None  # the database
    async with stand.queue() as queue:
        await queue.migrate()
    async with stand.queue() as queue, working(queue):
        stored = PostgresPractices(queue.database)
        await stored.save(FleetPractice(id="p0"))
        opens = queue._open

        async def open_practice(practice: str) -> Any:
            await stored.load(practice)
            return await opens(practice)

        queue._open = open_practice
        await queue.enroll("p0")
        await stand.until(queue, all_connected)
        column = "progress" if damaged == "practice_status" else "sealed"
        damage: Any = f"update ormco_trios_{damaged} set {column} = 'x'"
        await queue.database.execute(damage)
        if damaged != "practice_status":
            kept = await queue.forget("p0", take_back=True)
            assert states(kept)["The stored sign-in"] == "failed"
            assert states(kept)["What it signs in to the portal with"] == "failed"
        forgotten = await queue.forget("p0")
        assert states(forgotten)["The stored sign-in"] == "removed"
        assert states(forgotten)["What it signs in to the portal with"] == "removed"
        for table in ("practice_status", "practice", "token", "lock"):
            ((count,),) = await queue.database.rows(f"select count(*) from ormco_trios_{table}")
            assert count == 0, table


@pytest.mark.anyio
async def test_a_round_that_is_under_way_sends_nothing_more(conninfo: str) -> None:
    stand = QueueStand(conninfo)
    async with stand.queue() as queue:
        await queue.migrate()
        await queue.enroll("p0")
        (claim,) = await queue._records.claim(stand.sandbox.world.clock.now(), limit=1, seconds=60)
        await queue.forget("p0")
        with pytest.raises(errors.TakenOver):
            await queue._records.still_claimed("p0", claim.number)
        assert not await queue._records.save(
            claim, PracticeStatus.enrolled("p0", stand.sandbox.world.clock.now())
        )
        assert (await queue.status()).total == 0
