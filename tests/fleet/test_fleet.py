"""A fleet on one machine: everybody gets there, whatever stops it, and nothing is done twice."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from tests.conftest import SyncOrAsync

from ormco_trios import MemoryTokenStore, errors
from ormco_trios.core.clock import Clock
from ormco_trios.fleet import (
    AsyncFleet,
    AsyncPracticeOpener,
    Fleet,
    FleetPractice,
    FleetRecords,
    PracticeOpener,
    PracticeStatus,
    Stage,
    _metrics,
    _workers,
)
from ormco_trios.fleet.practice_status import UNREADABLE
from ormco_trios.fleet.schedule import INTERVAL
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.usefixtures("sqlite_is_closed")


class Stand:
    """A sandbox with a fleet in it, and the doctors of its practices."""

    def __init__(
        self, both: SyncOrAsync, sandbox: Sandbox, folder: Path, practices: int = 5
    ) -> None:
        self.both = both
        self.sandbox = sandbox
        self.doctors = {f"p{n}": who for n, who in enumerate(sandbox.practices(practices))}
        self.practices = {
            id: FleetPractice(
                id=id,
                portal_username=who.portal_username,
                portal_password=SecretStr(who.portal_password),
            )
            for id, who in self.doctors.items()
        }
        self.store = MemoryTokenStore()
        self.path = folder / "fleet.db"
        self._opened: list[FleetRecords] = []

    def open_records(self) -> FleetRecords:
        """The records, as another process would open them."""
        self._opened.append(FleetRecords(self.path))
        return self._opened[-1]

    def close(self) -> None:
        for records in self._opened:
            records.close()

    def fleet(self, open_practice: Any = None, **options: Any) -> Any:
        """A fleet in the test's mode, as a new process would make it."""
        both, sandbox = self.both, self.sandbox
        self.opener: Any = (AsyncPracticeOpener if both.is_async else PracticeOpener)(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
            store=self.store,
        )
        self.records = self.open_records()
        kind: Any = AsyncFleet if both.is_async else Fleet
        return both.make(
            kind,
            self.practices,
            open_practice or self.opener.open,
            self.records,
            clock=sandbox.clock,
            **options,
        )

    def authorize(self, fleet: Any, each: PracticeStatus) -> None:
        """The doctor opens the link, allows access, and the address comes back to us."""
        who = self.doctors[each.practice]
        assert each.link is not None
        fleet.authorized(each.practice, self.sandbox.authorize(each.link, email=who.email))


@pytest.fixture
def stand(both: SyncOrAsync, tmp_path: Path) -> Any:
    with Sandbox(approval=Approval.after(3 * 3600)) as sandbox:
        stand = Stand(both, sandbox, tmp_path)
        yield stand
        stand.close()


def test_all_get_connected(stand: Stand) -> None:
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        status = fleet.status()
    assert status.stages[Stage.CONNECTED] == status.total == 5
    assert status.done
    assert stand.sandbox.journal.count("connections.request") == 5


def test_the_doctors_take_their_time(stand: Stand) -> None:
    """Links that nobody opens cost ever fewer looks, and stay good."""
    stand.sandbox.world.set_approval(Approval.held(), practice=stand.doctors["p0"].email)
    began = stand.sandbox.clock.time()
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.practice == "p0" and each.link is not None:
                stand.authorize(fleet, each)
            if stand.sandbox.clock.time() - began > 24 * 3600:
                break
        links = fleet.status().links
    assert [(link.practice, link.purpose) for link in links] == [
        (f"p{n}", "sign_in") for n in range(1, 5)
    ]
    assert all(each.rounds <= 80 for each in stand.records)
    assert stand.sandbox.journal.count("connections.request") == 1


def test_it_ends_when_only_people_can_act(stand: Stand) -> None:
    """And what they have done meanwhile, it goes on with."""
    stand.sandbox.world.set_approval(Approval.after(60), practice=stand.doctors["p0"].email)
    with stand.fleet() as fleet:
        answered = 0
        for each in fleet.run(until="people"):
            if each.practice == "p0" and each.link is not None:
                stand.authorize(fleet, each)
                answered += 1
        assert answered == 2
        status = fleet.status()
        assert status.waits_for_people_only
        assert (status.stages[Stage.CONNECTED], len(status.links)) == (1, 4)
        rounds = sum(each.rounds for each in stand.records)

        # There is nothing to do; later the links are brought up to date, and no more.
        assert list(fleet.run(until="people")) == []
        stand.sandbox.clock.advance(3600)
        assert len(list(fleet.run(until="people"))) == 4
        assert sum(each.rounds for each in stand.records) == rounds + 4

        for each in stand.records:
            if each.link is not None:
                stand.authorize(fleet, each)
        assert list(fleet.run(until="people"))
        assert {link.purpose for link in fleet.status().links} == {"ormco"}


def test_a_clock_that_does_not_wait_gives_people_time(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sleeps between their links' dates instead of racing through years."""
    pauses: list[float] = []
    racing: list[float] = []

    class Machine(Clock):
        def sleep(self, seconds: float) -> None:
            pauses.append(seconds)

        async def sleep_async(self, seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(_workers, "_MACHINE", Machine())
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.rounds > 1:
                racing.append(stand.sandbox.clock.time())
            if len(racing) == 20:
                break
    # About one real pause for each moment of its time at which something was due; none if it raced.
    assert len(pauses) >= len(set(racing)) // 2
    assert set(pauses) == {_workers._PATIENCE}


def test_it_goes_on_where_another_run_stopped(stand: Stand) -> None:
    """Each run sees one round and is gone; what it knew is in the records, or in the services."""
    runs, done = 0, False
    while not done:
        runs += 1
        with stand.fleet() as fleet:
            for each in fleet.run():
                if each.link is not None:
                    stand.authorize(fleet, each)
                break
            done = fleet.status().done
        stand.records.close()
        assert runs < 400
    assert runs > 20
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 5
    assert len(stand.sandbox.world.connections()) == 5


def test_a_run_that_is_left_leaves_nothing_running(stand: Stand) -> None:
    """Whether the loop is left, or what is in it fails; then it can be run again."""

    def fail() -> None:
        with stand.fleet() as fleet:
            for _ in fleet.run():
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with stand.fleet() as fleet:
        for _ in fleet.run():
            break
        fleet.close()
        for _ in fleet.run():
            break


def test_records_that_are_lost_do_no_harm(stand: Stand) -> None:
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.stage is Stage.WAITING:
                break
            if each.link is not None:
                stand.authorize(fleet, each)
    stand.records.close()
    stand.path.unlink()
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        assert fleet.status().stages[Stage.CONNECTED] == 5
    assert stand.sandbox.journal.count("connections.request", wrote=True) == 5


def test_one_failure_stops_no_other(stand: Stand) -> None:
    """Each in its own way: the portal's password, a lab that refuses, a service that is down."""
    sandbox, doctors = stand.sandbox, stand.doctors
    wrong = FleetPractice(
        id="p0",
        portal_username=doctors["p0"].portal_username,
        portal_password=SecretStr("not this one"),
    )
    stand.practices["p0"] = wrong
    sandbox.world.set_approval(Approval.removed_after(3600), practice=doctors["p1"].email)
    sandbox.fault("users.me", status=503, times=20)
    with stand.fleet() as fleet:
        seen = set()
        for each in fleet.run():
            seen.add(each.stage)
            if each.link is not None:
                stand.authorize(fleet, each)
        status = fleet.status()
        assert {each.practice: each.problem for each in status.failures}.keys() == {"p0", "p1"}
        assert status.stages[Stage.CONNECTED] == 3
        assert "user name or password" in str(status)
        assert Stage.UNREACHABLE in seen

        # Nobody asks the lab again that has said no, until a person decides to.
        before = sandbox.journal.count("connections.request")
        for _ in fleet.run():
            pytest.fail("there was nothing to do")
        assert sandbox.journal.count("connections.request") == before == 5
        sandbox.world.set_approval(Approval.after(60), practice=doctors["p1"].email)
        assert fleet.retry(["p1"]) == 1
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        assert fleet.status().stages[Stage.CONNECTED] == 4
    assert sandbox.journal.count("connections.request") == 6


def test_a_practice_that_cannot_even_be_opened(stand: Stand) -> None:
    """Whatever the caller's function raises may quote anything, so only its kind is told."""

    def open_practice(practice: FleetPractice) -> Any:
        raise RuntimeError("the password is hunter2")

    kind: Any = AsyncFleet if stand.both.is_async else Fleet
    fleet = stand.both.make(kind, stand.practices, open_practice, stand.path)
    assert {each.problem for each in fleet.run()} == {"It failed with RuntimeError."}
    assert "hunter2" not in stand.path.read_bytes().decode("latin-1")


def test_a_bad_paste_loses_nothing(stand: Stand) -> None:
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        link = stand.records.load("p0").link
        assert link is not None
        with pytest.raises(errors.PasteError):
            fleet.authorized("p0", "https://example.com/where-is-the-code")
        assert stand.records.load("p0").link == link
        stand.authorize(fleet, stand.records.load("p0"))
        assert stand.records.load("p0").link is None
        with pytest.raises(errors.AuthorizationNeeded):
            fleet.authorized("p0", "https://example.com/?code=abc")
        with pytest.raises(LookupError):
            fleet.authorized("nobody", "x")


def test_an_answer_is_used_once(stand: Stand) -> None:
    """However often a person reloads the page that hands it over, in however many processes."""
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        each = stand.records.load("p0")
        assert each.link is not None
        address = stand.sandbox.authorize(each.link, email=stand.doctors["p0"].email)
        # Another process is about to use it.
        elsewhere = stand.open_records()
        asked = elsewhere.change("p0", lambda it: it.claimed(stand.sandbox.clock.now()))
        with pytest.raises(errors.AuthorizationNeeded, match="answered already"):
            fleet.authorized("p0", address)
        assert stand.sandbox.journal.count("oauth.token") == 0
        # It did not get to it, and has put the link back.
        elsewhere.change("p0", lambda it: it.answered(asked, stand.sandbox.clock.now()))
        fleet.authorized("p0", address)
        with pytest.raises(errors.AuthorizationNeeded):
            fleet.authorized("p0", address)
    assert stand.sandbox.journal.count("oauth.token") == 1


def test_a_late_answer_moves_no_practice_that_has_failed(stand: Stand) -> None:
    who = stand.doctors["p0"]
    stand.sandbox.world.set_approval(Approval.removed_after(60), practice=who.email)
    address = ""
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.link is not None:
                address = stand.sandbox.authorize(
                    each.link, email=stand.doctors[each.practice].email
                )
                fleet.authorized(each.practice, address)
        before = stand.records.load("p0")
        assert (before.stage, before.due) == (Stage.FAILED, None)
        with pytest.raises(errors.AuthorizationNeeded):
            fleet.authorized("p0", address)
        assert stand.records.load("p0") == before
        for _ in fleet.run():
            pytest.fail("there was nothing to do")
    assert stand.sandbox.journal.count("connections.request") == 5


def test_an_outage_takes_no_link_back(stand: Stand) -> None:
    """The person opens it meanwhile, and what they bring counts."""
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        link = stand.records.load("p0").link
        assert link is not None
        stand.records.change(
            "p0", lambda it: replace(it.due_at(stand.sandbox.clock.now()), stage=Stage.UNREACHABLE)
        )
        address = stand.sandbox.authorize(link, email=stand.doctors["p0"].email)
        fleet.authorized("p0", address)
        assert stand.sandbox.journal.count("oauth.token") == 1
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        assert fleet.status().stages[Stage.CONNECTED] == 5


def test_what_came_during_a_round_counts_for_more(stand: Stand) -> None:
    elsewhere = None

    def meanwhile(each: PracticeStatus) -> PracticeStatus:
        return replace(each.due_at(stand.sandbox.clock.now()), problem="written meanwhile")

    def open_practice(practice: FleetPractice) -> Any:
        nonlocal elsewhere
        if practice.id == "p0" and elsewhere is None:
            elsewhere = stand.open_records()
            elsewhere.change("p0", meanwhile)
        return stand.opener.open(practice)

    seen = []
    with stand.fleet(open_practice) as fleet:
        for each in fleet.run():
            if each.practice == "p0":
                seen.append((each.stage, each.problem))
            if len(seen) == 2:
                break
    assert seen == [
        (Stage.ENROLLED, "written meanwhile"),
        (Stage.NEEDS_AUTHORIZATION, None),
    ]


def test_two_lists_may_use_the_same_ids(stand: Stand, tmp_path: Path) -> None:
    """Nobody goes on with the sign-in of another practice, whatever the practices are called."""
    anna, ben = (stand.practices[id] for id in ("p0", "p1"))
    whose = {anna.portal_username: "p0", ben.portal_username: "p1"}
    asked: list[list[str]] = []
    for name, practice in (("a", anna), ("b", ben)):
        stand.path = tmp_path / f"{name}.db"
        stand.practices = {"1": practice.model_copy(update={"id": "1"})}
        asked.append([])
        with stand.fleet() as fleet:
            for each in fleet.run():
                if each.link is not None and each.purpose is not None:
                    asked[-1].append(each.purpose.value)
                    email = stand.doctors[whose[practice.portal_username]].email
                    address = stand.sandbox.authorize(each.link, email=email)
                    fleet.authorized("1", address)
            assert fleet.status().stages[Stage.CONNECTED] == 1
    assert asked == [["sign_in", "ormco"]] * 2
    assert len(stand.sandbox.world.connections()) == 2


@pytest.mark.parametrize("hint", ["1000000000000", "9" * 401, "0" * 400])
def test_a_hint_of_ages_stops_nobody(stand: Stand, hint: str) -> None:
    stand.sandbox.fault("connections.request", status=503, retry_after=hint, times=3)
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.stage is Stage.UNREACHABLE and each.due is not None:
                left = each.due.timestamp() - stand.sandbox.clock.time()
                assert 0 < left <= 1.1 * 24 * 3600 + 1
            if each.link is not None:
                stand.authorize(fleet, each)
        assert fleet.status().stages[Stage.CONNECTED] == 5


def test_what_was_remembered_is_only_a_hint(stand: Stand) -> None:
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
    database = sqlite3.connect(stand.path)
    with database:
        database.execute("update practice_status set progress = 'x', due = 0")
    database.close()
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        assert fleet.status().stages[Stage.CONNECTED] == 5


def test_who_has_left_the_list_is_not_waited_for(stand: Stand) -> None:
    with stand.fleet():
        pass
    del stand.practices["p0"]
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        assert fleet.status().total == 4


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"cannot be made \(FileNotFoundError\)"):
        FleetRecords(tmp_path / "missing" / "fleet.db")


def test_what_another_process_took_is_noticed_within_seconds(stand: Stand) -> None:
    """Two objects over one file act as two processes: the run, and a web server."""
    # While this one waits for Ormco, time goes on in small steps; the others answer only then.
    stand.sandbox.world.set_approval(Approval.held(), practice=stand.doctors["p4"].email)
    web = stand.fleet()
    run = stand.fleet()
    authorized_at: dict[str, datetime] = {}
    held = False
    for each in run.run():
        if each.practice in authorized_at:
            # Not when it is handed out: until then this clock may have gone on.
            waited = each.since - authorized_at.pop(each.practice)
            assert waited <= timedelta(seconds=2 * INTERVAL)
        held = held or (each.practice == "p4" and each.link is None)
        if each.practice == "p4" and each.link is not None:
            stand.authorize(run, each)
        elif each.link is not None and held and (each.practice != "p0" or each.rounds > 3):
            stand.authorize(web, each)
            authorized_at[each.practice] = stand.sandbox.clock.now()
        # The records know it a moment before the round is handed out.
        if run.status().stages[Stage.CONNECTED] == 4 and not authorized_at:
            break
    assert run.status().stages[Stage.CONNECTED] == 4
    assert not authorized_at


def test_one_run_at_a_time(stand: Stand) -> None:
    with stand.fleet() as fleet:
        for _ in fleet.run():
            with (
                pytest.raises(errors.ConfigurationError, match="Another process"),
                stand.fleet() as other,
            ):
                for _ in other.run():
                    pass
            break


def test_nobody_else_can_read_the_records(stand: Stand) -> None:
    stand.fleet()
    for path in stand.path.parent.glob("fleet.db*"):
        assert path.stat().st_mode & 0o077 == 0
    each = next(iter(stand.records))
    assert "state" not in repr(each)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_records_outlive_a_fork(stand: Stand) -> None:
    """As in a web server that loads the application before it makes its workers."""
    with stand.fleet() as fleet:
        list(fleet.run(until="people"))
        records = stand.records
        with records._lock:  # as another thread may have it at that moment
            child = os.fork()
            if child == 0:
                try:
                    records.change("p0", lambda it: replace(it, problem="of the child"))
                    os._exit(0 if len(list(records)) == 5 else 1)
                finally:
                    os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert records.load("p0").problem == "of the child"
        records.change("p0", lambda it: replace(it, problem=None))
        assert fleet.status().total == 5


def test_an_id_that_says_who_it_is(stand: Stand) -> None:
    stand.practices["anna@clinic.example"] = stand.practices["p0"]
    with pytest.raises(errors.ConfigurationError, match="id") as caught:
        stand.fleet()
    assert "anna" not in str(caught.value)
    assert list(stand.records) == []


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than the header of one. " * 20)
    with pytest.raises(errors.ConfigurationError, match="not a fleet's record"):
        FleetRecords(path)
    assert path.read_text().startswith("not a database")


@pytest.mark.parametrize(
    "odd", ["stage = 'of a version to come'", "since = 'never'", "due = 1e300"]
)
def test_a_row_that_cannot_be_read_hides_no_other(stand: Stand, odd: str) -> None:
    with stand.fleet() as fleet:
        for each in fleet.run():
            if each.link is not None:
                stand.authorize(fleet, each)
        with closing(sqlite3.connect(stand.path)) as raw, raw:
            raw.execute(f"update practice_status set {odd} where practice = 'p1'")
        status = fleet.status()
        assert [(each.practice, each.problem) for each in status.failures] == [("p1", UNREADABLE)]
        assert status.stages[Stage.CONNECTED] == 4
        list(fleet.run())
        fleet.forget("p1")
        assert fleet.status().total == 4


def test_another_part_of_opentelemetry_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as its protocol's: then there is a package of that name, without what counts."""
    monkeypatch.setitem(sys.modules, "opentelemetry", ModuleType("opentelemetry"))
    monkeypatch.delitem(sys.modules, "opentelemetry.metrics", raising=False)
    _metrics.counter.cache_clear()
    try:
        _metrics.count_round(Stage.WAITING)
    finally:
        _metrics.counter.cache_clear()


def test_rounds_are_counted_for_opentelemetry(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []

    class Meter:
        def create_counter(self, *_: Any, **__: Any) -> Any:
            return SimpleNamespace(add=lambda n, attributes: counted.append(attributes["stage"]))

    metrics = pytest.importorskip("opentelemetry.metrics")
    monkeypatch.setattr(metrics, "get_meter", lambda _: Meter())
    _metrics.counter.cache_clear()
    try:
        with stand.fleet() as fleet:
            for each in fleet.run():
                if each.link is not None:
                    stand.authorize(fleet, each)
        assert len(counted) == sum(each.rounds for each in stand.records)
        assert set(counted) == {"needs_authorization", "waiting", "connected"}
    finally:
        _metrics.counter.cache_clear()
