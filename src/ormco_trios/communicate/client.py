# Generated from async_client.py by tools/mirror.py; edit that file.
"""3Shape Communicate: users, labs, connections, cases, applications."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Generator
from datetime import timedelta

from pydantic import SecretStr

from ormco_trios.communicate import (
    approval,
    cases,
    flows,
    incoming,
    operations,
)
from ormco_trios.communicate.approval import ApprovalUpdate, ApprovalWait, PollSchedule
from ormco_trios.communicate.cases import Cases
from ormco_trios.communicate.models import Application, Connection, User
from ormco_trios.communicate.regions import (
    DAY,
    DIRECTORY,
    ChosenRegion,
    LabAccount,
    Region,
    choose_region,
)
from ormco_trios.core import _client
from ormco_trios.core._http.transport import HttpClient
from ormco_trios.core.auth import Auth
from ormco_trios.core.base_client import BaseClient
from ormco_trios.core.channel import Channel
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.events import OnAudit, OnEvent
from ormco_trios.core.retry import Retry
from ormco_trios.core.runner import Runner
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import Timeout, Transport


class CommunicateClient(BaseClient):
    """3Shape Communicate, as one account sees it.

    Args:
        environment: Which hosts; by default `Environment.from_env`.
        token: An access token got elsewhere; it is not renewed.
        auth: A sign-in that renews itself, such as ``oauth.auth``; instead of ``token``.
        timeout: Limits of one attempt, in seconds.
        retry: How often and how patiently one call is repeated.
        clock: For tests and the sandbox.
        on_event: Called after each request with a `CallEvent`, which is safe to log.
        on_audit: Called as well with an `AuditEvent`, which says whose data it was.
        http_client: An httpx client of your own, for proxies or certificates; you close it.
    """

    def __init__(
        self,
        environment: Environment | None = None,
        *,
        token: str | SecretStr | None = None,
        auth: Auth | None = None,
        timeout: Timeout | None = None,
        retry: Retry | None = None,
        clock: Clock | None = None,
        on_event: OnEvent | None = None,
        on_audit: OnAudit | None = None,
        http_client: HttpClient | None = None,
    ) -> None:
        way = _client.choose_auth(token, auth)
        self._use(
            _client.open_channel(
                environment,
                auth={Service.COMMUNICATE: way, Service.METADATA: way},
                timeout=timeout,
                retry=retry,
                clock=clock,
                on_event=on_event,
                on_audit=on_audit,
                http_client=http_client,
            )
        )

    @property
    def users(self) -> Users:
        """Accounts: your own, and others by id or e-mail."""
        return self._users

    @property
    def labs(self) -> Labs:
        """Ormco's three labs, found and checked."""
        return self._labs

    @property
    def connections(self) -> Connections:
        """Connections between practices and labs: request, wait, approve, remove."""
        return self._connections

    @property
    def cases(self) -> Cases:
        """Cases with their scans and files, on the account's regional server."""
        return self._cases

    @property
    def applications(self) -> Applications:
        """The applications that the account has given access."""
        return self._applications

    def _use(self, channel: Channel[Transport]) -> None:
        super()._use(channel)
        self._users = Users(self._runner)
        self._labs = Labs(self._runner)
        self._connections = Connections(self._runner)
        self._cases = cases.Cases(self._runner)
        self._applications = Applications(self._runner)


class Users(Shielded):
    """``communicate.users``"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def me(self) -> User:
        """The account that is signed in [doc U2.2], with all its connections [client].

        Raises:
            NotSignedIn: The token is not accepted.
        """
        return self._runner.run(Call(operations.ME))

    def get(self, id_or_email: str) -> User:
        """An account by its id or e-mail; how much it shows depends on your relation [doc U2.2].

        Raises:
            NotFound: There is none, or it is not shown to this account.
            UnexpectedAnswer: The answer has another id than was asked for.
        """
        return self._runner.run(flows.get_user(id_or_email))

    def logo(self, user: User | str) -> bytes:
        """An account's logo, a picture [client]; ``user.has_logo`` says whether it has one.

        Args:
            user: The account, or its id.

        Raises:
            PermissionDenied: It has none, or does not show it to this account [assumed].
        """
        id = user if isinstance(user, str) else user.id
        return self._runner.run(Call(operations.LOGO, path={"user": id}))


class Labs(Shielded):
    """``communicate.labs``"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def find(self, region: Region) -> User:
        """Ormco's lab account of a region, looked up by its e-mail [guide].

        Raises:
            LabNotFound: Communicate shows no account with that e-mail.
            WrongLab: The account found has another e-mail.
            NotALab: The account found shows its roles, and ``Lab`` is not among them.
        """
        return self._runner.run(flows.find_lab(region))

    def region_for(self, account: User) -> ChosenRegion:
        """Which of Ormco's labs is an account's, and why; no request is made.

        The account's country decides where it is clear [guide]; where it says nothing, the one lab
        of Ormco's that it has a connection with, or else its own region at 3Shape [inferred].

        Raises:
            RegionUnclear: Neither says it, or they say different ones: name the region yourself.
        """
        return choose_region(account, self._runner.channels[Service.COMMUNICATE].environment)

    def directory(self) -> tuple[LabAccount, ...]:
        """Ormco's three accounts as the guide prints them; no request is made."""
        return DIRECTORY


class Connections(Shielded):
    """``communicate.connections``"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def list(self) -> builtins.list[Connection]:
        """Every connection of the account, whatever its state."""
        return self._runner.run(flows.list_connections())

    def get(self, id: str) -> Connection:
        """One connection.

        Raises:
            NotFound: The account has none with this id; it may have been removed.
        """
        return self._runner.run(flows.get_connection(id))

    def request(self, lab: User) -> Connection:
        """Ask ``lab`` for a connection, or return the one there is.

        Safe to repeat: the account is looked at first, and a request whose answer was lost is
        resolved by looking again.

        Raises:
            NotALab: ``lab`` does not show the role ``Lab``, or shows none and is not one of
                Ormco's accounts; nothing was sent.
            OutcomeUnknown: It stays unclear whether the request arrived; look again later.
        """
        return self._runner.run(flows.request_connection(lab))

    def approve(self, id: str) -> Connection:
        """Accept an incoming request, with the token of the account that was asked (the lab).

        Raises:
            NotFound: This account has no such request.
            PermissionDenied: The request was made to another account.
        """
        return self._runner.run(flows.approve_connection(id))

    def reject(self, id: str) -> None:
        """Turn down an incoming request, with the token of the account that was asked (the lab).

        On the wire it is the same as `remove` [doc U3.3]; this removes nothing but a request that
        waits for this account.

        Raises:
            NotFound: This account has no such connection.
            InvalidRequest: It is active already, or this account made the request itself.
        """
        self._runner.run(incoming.reject(id))

    def remove(self, id: str) -> None:
        """Remove a connection, or withdraw or reject a request, whatever its state [doc U3.3].

        One that is gone already is fine.  That either side may do it is [assumed].
        """
        self._runner.run(flows.remove_connection(id))

    def begin_wait(
        self,
        connection: Connection | str,
        *,
        timeout: timedelta = DAY,
        schedule: PollSchedule | None = None,
    ) -> ApprovalWait:
        """A wait that begins now; ``resume`` waits, and goes on after an interruption.

        As `wait_until_active` in two steps, so that you hold what serialises to JSON before
        anything can be interrupted.  No request is made.
        """
        id = connection if isinstance(connection, str) else connection.id
        return approval.begin_wait(id, clock=self._runner.clock, timeout=timeout, schedule=schedule)

    def wait_until_active(
        self,
        connection: Connection | str,
        *,
        timeout: timedelta = DAY,
        schedule: PollSchedule | None = None,
        on_update: Callable[[ApprovalUpdate], None] | None = None,
    ) -> Connection:
        """Wait until the other side has accepted; up to 24 hours [guide].

        Args:
            connection: The connection or its id.
            timeout: When to give up; always finite.
            schedule: When to look; the default asks at most 76 times a day.
            on_update: Called after each look.

        Raises:
            ApprovalTimeout: Still waiting; ``error.wait.resume(client)`` goes on later.
            ConnectionRemoved: The request was rejected by the lab, or withdrawn.
        """
        wait = self.begin_wait(connection, timeout=timeout, schedule=schedule)
        return self._runner.run(
            approval.await_approval(wait, clock=self._runner.clock), on_update=on_update
        )

    def watch(
        self,
        connection: Connection | str,
        *,
        timeout: timedelta = DAY,
        schedule: PollSchedule | None = None,
    ) -> Generator[ApprovalUpdate, None]:
        """As `wait_until_active`, yielding what each look saw; ends when it is active.

        Raises:
            ApprovalTimeout: Still waiting.
            ConnectionRemoved: The request was rejected by the lab, or withdrawn.
        """
        wait = self.begin_wait(connection, timeout=timeout, schedule=schedule)
        return self._runner.iterate(approval.await_approval(wait, clock=self._runner.clock))

    def resume(
        self, wait: ApprovalWait, *, on_update: Callable[[ApprovalUpdate], None] | None = None
    ) -> Connection:
        """Go on with an interrupted wait, with the same schedule and deadline.

        Raises:
            ApprovalTimeout: Its deadline has passed; ``wait.extended(...)`` sets another.
            ConnectionRemoved: The request was rejected by the lab, or withdrawn.
        """
        return self._runner.run(
            approval.await_approval(wait, clock=self._runner.clock), on_update=on_update
        )

    def incoming(self) -> builtins.list[Connection]:
        """The requests that wait for this account (a lab's) to `approve` them; one request."""
        return self._runner.run(incoming.list_incoming())

    def watch_incoming(
        self, *, timeout: timedelta = DAY, schedule: PollSchedule | None = None
    ) -> Generator[Connection, None]:
        """Every request made to this account, as it appears; one request a round in all.

        Those that wait already come first; ends when the time is up.

        Args:
            timeout: How long to watch; always finite.
            schedule: When to look, by the time since the last new request: the default looks every
                half minute while they come, and every 40 minutes after a day without one.
        """
        return self._runner.iterate(
            incoming.watch_incoming(
                clock=self._runner.clock,
                timeout=timeout,
                schedule=schedule or approval.PollSchedule(),
            )
        )


class Applications(Shielded):
    """``communicate.applications``: who has been given access [assumed]."""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def list(self) -> builtins.list[Application]:
        """The applications this account has given access, as the Applications page shows them."""
        return self._runner.run(flows.list_applications())

    def remove(self, id: str) -> None:
        """Take an application's access away; one that is gone already is fine."""
        self._runner.run(flows.remove_application(id))
