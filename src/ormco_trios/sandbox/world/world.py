"""The World: everything that exists in a sandbox, and what can happen to it.

It does no I/O and reads no time but its clock's; given the same seed, clock and deeds it does the
same, ids and tokens included.  A `dispatch.dispatcher.Dispatcher` answers requests with it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ormco_trios.core.clock import Clock, ManualClock
from ormco_trios.core.environment import SANDBOX_TOKEN_PREFIX, Environment
from ormco_trios.sandbox.wire import addresses
from ormco_trios.sandbox.wire.mangling import Mangle
from ormco_trios.sandbox.wire.messages import Json, Network
from ormco_trios.sandbox.world import seed_files, seeds
from ormco_trios.sandbox.world.approval import Approval
from ormco_trios.sandbox.world.clock import ControlledClock
from ormco_trios.sandbox.world.faults import Fault, Faults, When
from ormco_trios.sandbox.world.journal import Journal
from ormco_trios.sandbox.world.seeds import Practice, new_state
from ormco_trios.sandbox.world.state import (
    CaseRecord,
    Client,
    ConnectionRecord,
    GeneratedFile,
    Grant,
    PortalLink,
    Server,
    State,
    UserRecord,
)
from ormco_trios.sandbox.world.switches import Switches, Value

_SHORTLY = Approval.after_polls(2)

_LAST = datetime(9001, 1, 1, tzinfo=UTC).timestamp()
"""What lives a while longer than this still ends before dates do."""

IN_PROCESS_BASE = "https://sandbox.example"
"""The address of a World that nothing serves; the name cannot exist."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a World is made; what nobody knows of the real services are its `Switches`.

    Attributes:
        approval: What becomes of connection requests to Ormco's labs.
        token_lifetime: Of access tokens, in seconds of World time.
        portal_session_lifetime: Of portal sessions, in seconds of World time [assumed].
        seed: Of everything random.
        token_prefix: What tokens begin with.  The library refuses to send the sandbox's own to a
            live host, so a World that poses as one needs another.
    """

    approval: Approval = _SHORTLY
    token_lifetime: float = 3600.0
    portal_session_lifetime: float = 1800.0
    seed: int = 0
    token_prefix: str = SANDBOX_TOKEN_PREFIX


class World:
    """All state, and what changes it; safe to use from several threads.

    Attributes:
        lock: Held while a request is answered, or while something else changes.
        base_url: Where it is reachable, without a trailing slash; a server sets its own.
        places: Addresses of single services that are elsewhere, when it poses as an environment.
        clock: Its time.
        journal: What happened.
        faults: What is planned to go wrong.
        switches: Which of the possible worlds it is, where nobody knows.
        seeds: What exists at the beginning besides the built in; see `sandbox.world.seed_files`.
        state: Everything it remembers; tests may look, and change it between requests.
    """

    portal_client = seeds.PORTAL_CLIENT_ID

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        settings: Settings | None = None,
        switches: Switches | None = None,
        base_url: str = IN_PROCESS_BASE,
        posing_as: Environment | None = None,
        seeds: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock = ManualClock() if clock is None else clock
        self.settings = Settings() if settings is None else settings
        self._first_switches = Switches() if switches is None else switches
        self.base_url = base_url.rstrip("/")
        self.places = {} if posing_as is None else addresses.addresses_of(posing_as)
        self.journal = Journal()
        self.faults = Faults()
        self.lock = threading.RLock()
        self._snapshots: dict[str, tuple[State, Faults, Switches]] = {}
        self.seeds = seeds
        self._begin()

    # --- what handlers need -----------------------------------------------------------------

    @property
    def issuer(self) -> str:
        """Issuer of the account dialect."""
        return self.public("/identity") + ("/" if self.switches.issuer == "slash" else "")

    @property
    def landing_address(self) -> str:
        """Redirect address of Ormco's application."""
        return self.public(seeds.LANDING)

    def public(self, path: str) -> str:
        """The full address of ``path``."""
        return addresses.public(self.base_url, self.places, path)

    def locate(self, url: str) -> str | None:
        """The path and query of a full address, ``None`` if it is not this World's."""
        return addresses.locate(self.base_url, self.places, url)

    def page_address(self, path: str) -> str:
        """``path`` as a link without a host."""
        return "/" + self.public(path).partition("://")[2].partition("/")[2]

    def _begin(self) -> None:
        prefix = self.settings.token_prefix
        self.switches = self._first_switches
        self.state = new_state(self.settings.seed, self.clock.time(), prefix=prefix)
        if self.seeds is not None:
            self.plant(self.seeds)

    def plant(self, content: Mapping[str, Any]) -> None:
        """Add what a seed says; see `sandbox.world.seed_files`.

        Raises:
            ValueError: It is none.
        """
        content = seed_files.check(content)
        self.switches = self.switches.with_changes(content.get("switches", {}))
        for wanted in content.get("practices", ()):
            practice = seeds.add_practice(self.state, wanted["name"], wanted.get("server", "eu"))
            if "approval" in wanted:
                approval = seed_files.approval_of(wanted["approval"])
                self.state.approvals[practice.user_id] = approval
            user = self.state.users[practice.user_id]
            if wanted.get("connection", "none") != "none":
                row = self.new_connection(user, self.user(practice.lab_email))
                row.accepted = row.accepted or wanted["connection"] == "active"
            user.fields.update(wanted.get("account", {}))
            for case in wanted.get("cases", ()):
                self.add_case(
                    user.email,
                    patient=tuple(case.get("patient", ("Ada", "Beispiel"))),
                    files=case.get("files"),
                    sent_to=practice.lab_email if case.get("sent") else None,
                )
            account = self.state.portal_accounts[practice.portal_username]
            account.profile.update(wanted.get("profile", {}))
            if wanted.get("portal") == "connected":
                grant = self.grant(user, self.state.clients[seeds.PORTAL_CLIENT_ID])
                account.link = PortalLink(grant.id, connected_at=self.clock.time())
                account.profile["submission_method"] = {
                    "source": "IntraoralScanner",
                    "scanner": "3Shape Trios",
                }

    def grant(self, user: UserRecord, client: Client) -> Grant:
        """The user's standing consent to this application; made if there is none."""
        standing = self.state.active_grant(user.id, client.id)
        if standing is not None:
            return standing
        new = Grant(self.state.new_id(), user.id, client.id, self.clock.time())
        return self.state.add_grant(new)

    def new_connection(self, inviter: UserRecord, remote: UserRecord) -> ConnectionRecord:
        """A request from ``inviter``.  Only Ormco's labs answer by policy; others wait."""
        policy = Approval.held()
        if remote.email.casefold() in seeds.LAB_EMAILS.values():
            policy = self.state.approvals.get(inviter.id, self.settings.approval)
        return self.state.add_connection(
            ConnectionRecord(
                id=self.state.new_id(),
                inviter=inviter.id,
                remote=remote.id,
                requested_at=self.clock.time(),
                approval=policy,
                pending_as_null=len(self.state.connections) % 2 == 1,
            )
        )

    # --- what tests do to it ----------------------------------------------------------------

    def fault(
        self,
        operation: str | None = None,
        *,
        status: int | None = None,
        retry_after: float | str | None = None,
        body: Json | bytes = None,
        network: Network | None = None,
        times: int | None = 1,
        nth: int = 1,
        when: When = "before",
        mangle: Mangle | None = None,
        rate: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Plan a failure; see `Fault` for the parameters.

        Raises:
            ValueError: No such operation, or parameters that contradict each other.
        """
        return self.plan(
            Fault(
                operation=operation,
                status=status,
                retry_after=retry_after,
                body=body,
                network=network,
                times=times,
                nth=nth,
                when=when,
                mangle=mangle,
                rate=rate,
                seed=seed,
            )
        )

    def plan(self, fault: Fault) -> Fault:
        """As `fault`, for one made already."""
        with self.lock:
            return self.faults.add(fault)

    def switch(self, **changes: Value) -> None:
        """Make it another of the possible worlds, from the next request on; see `Switches`.

        Raises:
            ValueError: There is no such switch, or it has no such position.
        """
        with self.lock:
            self.switches = self.switches.with_changes(changes)

    def set_approval(
        self,
        approval: Approval,
        *,
        practice: str | None = None,
        connection: str | None = None,
    ) -> None:
        """Override the policy for one practice, or for one request.

        Args:
            approval: The policy.
            practice: E-mail of the practice whose later requests it is for.
            connection: Id of the request, made already, that it is for.
        """
        if (practice is None) == (connection is None):
            raise ValueError("name a practice or a connection")
        with self.lock:
            if practice is not None:
                self.state.approvals[self.user(practice).id] = approval
                return
            self.state.set_policy(self._connection(connection or ""), approval)

    def approve(self, connection: str | None = None) -> int:
        """Accept one request, or all that wait; how many were accepted.

        Raises:
            LookupError: No connection has this id.
        """
        with self.lock:
            self.state.settle(self.clock.time())
            rows = self.connections() if connection is None else [self._connection(connection)]
            waiting = [row for row in rows if not row.accepted]
            for row in waiting:
                row.accepted = True
            return len(waiting)

    def remove(self, connection: str) -> None:
        """Let a request or connection disappear, as if the lab had removed it.

        Raises:
            LookupError: No connection has this id.
        """
        with self.lock:
            self.state.settle(self.clock.time())
            self.state.drop_connection(self._connection(connection))

    def connections(self) -> list[ConnectionRecord]:
        """Every connection, oldest first."""
        return list(self.state.connections.values())

    def _connection(self, key: str) -> ConnectionRecord:
        found = self.state.connections.get(key.lower())
        if found is None:
            raise LookupError("no connection has this id")
        return found

    def user(self, email: str) -> UserRecord:
        """The Communicate account with this e-mail.

        Raises:
            LookupError: There is none.
        """
        found = self.state.user_by_email(email)
        if found is None:
            raise LookupError("no account has this e-mail")
        return found

    def misdirect(self, asked: str, found: str) -> None:
        """Let a lookup of one e-mail answer with another account, as no service should."""
        with self.lock:
            self.state.misdirected[asked.casefold()] = self.user(found).email

    def join_company(self, member: str, company: str) -> None:
        """Let an account see the connections of another, its company's, beside its own.

        They are not its own: it cannot remove them, and its cases do not go over them [assumed].

        Raises:
            LookupError: One of the e-mails has no account.
        """
        with self.lock:
            self.user(member).company = self.user(company).id

    def revoke(self, email: str, client_id: str = seeds.PORTAL_CLIENT_ID) -> bool:
        """Withdraw an application's access, as on the Applications page; whether it had any."""
        with self.lock:
            grant = self.state.active_grant(self.user(email).id, client_id)
            if grant is not None:
                grant.revoked = True
            return grant is not None

    def drop_draft(self, username: str) -> bool:
        """Lose a portal account's unsaved code, as closing the dialog does; whether it had one."""
        with self.lock:
            account = self.state.portal_accounts[username.casefold()]
            had = account.live_draft(self.clock.time()) is not None
            account.draft = None
            return had

    def practice(self, server: Server = "eu") -> Practice:
        """The sample practice of a region."""
        alias = {"eu": "eu", "am": "na", "as": "ap"}[server]
        return seeds.practice_of(self.state, f"practice.{alias}@clinic.example")

    def add_practices(self, n: int, server: Server = "eu") -> list[Practice]:
        """``n`` further practices."""
        with self.lock:
            first = len(self.state.portal_accounts) + 1
            return [
                seeds.add_practice(self.state, f"practice.{number:05d}", server)
                for number in range(first, first + n)
            ]

    def add_case(
        self,
        practice: str,
        *,
        patient: tuple[str, str] = ("Ada", "Beispiel"),
        files: Mapping[str, bytes | int] | None = None,
        sent_to: str | None = None,
    ) -> CaseRecord:
        """A case that the practice makes now.

        Args:
            practice: Its e-mail.
            patient: First and last name.
            files: By name; a number of bytes makes a file of that size, which is never in memory.
            sent_to: E-mail of the lab that gets it at once, as `send_case` does.

        Raises:
            LookupError: An e-mail has no account.
            ValueError: The two accounts have no active connection.
        """
        with self.lock:
            content = {
                name: GeneratedFile(each) if isinstance(each, int) else each
                for name, each in (files or {"upper.dcm": b"upper", "lower.dcm": b"lower"}).items()
            }
            now = self.clock.time()
            case = seeds.add_case(self.state, self.user(practice), patient, content, created=now)
            if sent_to is not None:
                self.send_case(case.id, sent_to)
            return case

    def send_case(self, case: str, lab: str) -> None:
        """What *Send* in TRIOS does: from now on the lab can read the case.

        Args:
            case: Its id.
            lab: E-mail of the lab.

        Raises:
            LookupError: There is no such case, or no such account.
            ValueError: Practice and lab have no active connection.
        """
        with self.lock:
            found = self.state.cases.get(case.lower())
            if found is None:
                raise LookupError("no case has this id")
            to = self.user(lab)
            relation = self.state.between(found.creator, to.id)
            if relation is None or not relation.accepted:
                raise ValueError("there is no active connection between the practice and the lab")
            if to.id not in found.actors:
                found.actors += (to.id,)
            found.received = self.clock.time()
            found.save_version(found.received, StateFlag="Sent")

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: Time does not go back, and ends with the year 9000.
            TypeError: The World was given a clock that runs by itself.
        """
        clock = self.clock
        if not isinstance(clock, ManualClock | ControlledClock):
            raise TypeError("this World's clock runs by itself")
        with self.lock:
            if not 0 <= seconds <= _LAST - clock.time():
                raise ValueError("time only advances, and ends with the year 9000")
            clock.advance(seconds)

    def set_time_scale(self, scale: float) -> None:
        """Let time run ``scale`` times as fast from now on; 0 freezes it.

        Raises:
            ValueError: Time does not go back.
            TypeError: The World's clock cannot do that; a `ControlledClock` can.
        """
        if not isinstance(self.clock, ControlledClock):
            raise TypeError("only a ControlledClock has a scale")
        self.clock.set_scale(scale)

    def snapshot(self) -> str:
        """Remember the state, the planned faults and the switches; the name of the snapshot."""
        with self.lock:
            name = f"snapshot-{len(self._snapshots) + 1}"
            self._snapshots[name] = copy.deepcopy((self.state, self.faults, self.switches))
            return name

    def restore(self, snapshot: str) -> None:
        """Go back to a snapshot, which can be done again.  Time and the journal go on.

        Raises:
            LookupError: There is no such snapshot.
        """
        with self.lock:
            if snapshot not in self._snapshots:
                raise LookupError("no snapshot has this name")
            found = copy.deepcopy(self._snapshots[snapshot])
            self.state, self.faults, self.switches = found

    def reset(self) -> None:
        """Begin again: seeds and switches as at first, no journal or faults.  The clock goes on."""
        with self.lock:
            self._begin()
            self.journal.clear()
            self.faults.clear()
