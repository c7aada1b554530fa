# Generated from async_opener.py by tools/mirror.py; edit that file.
"""From one application, and a practice's portal account, to a practice that can be connected."""

from __future__ import annotations

from typing import TypedDict

from pydantic import SecretStr

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.communicate.client import CommunicateClient
from ormco_trios.core._acompat import call_local
from ormco_trios.core.auth import as_secret
from ormco_trios.core.clock import Clock
from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.core.events import OnAudit, OnEvent
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import Timeout
from ormco_trios.fleet.practices import FleetPractice
from ormco_trios.oauth.client import OAuthClient
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.token import AnyTokenStore
from ormco_trios.onboarding.onboarding import Onboarding
from ormco_trios.ormcodigital.client import OrmcoDigitalClient


class _Common(TypedDict):
    environment: Environment
    timeout: Timeout | None
    clock: Clock | None
    on_event: OnEvent | None
    on_audit: OnAudit | None


class PracticeOpener(Shielded):
    """Makes the clients of a practice, for as long as one round takes.

    Args:
        environment: Which hosts; by default `Environment.from_env`.  Give it a pacer, and all
            practices together keep to its rate.
        client_id: Of the application that every practice signs in with.
        store: Where all their tokens are: by environment, application, and the practice's id and
            portal user.
        server: The application's dialect; the classic one by default.
        schedule: When to look for an approval.
        timeout: Limits of one attempt, in seconds.
        clock: For tests and the sandbox.
        on_event: Called after each request with a `CallEvent`, which is safe to log.
        on_audit: Called as well with an `AuditEvent`, which says whose data it was.
    """

    def __init__(
        self,
        environment: Environment | None = None,
        *,
        client_id: str,
        client_secret: str | SecretStr | None = None,
        redirect_uri: str,
        store: AnyTokenStore,
        server: AuthorizationServer | None = None,
        schedule: PollSchedule | None = None,
        timeout: Timeout | None = None,
        clock: Clock | None = None,
        on_event: OnEvent | None = None,
        on_audit: OnAudit | None = None,
    ) -> None:
        self._common: _Common = {
            "environment": environment or Environment.from_env(),
            "timeout": timeout,
            "clock": clock,
            "on_event": on_event,
            "on_audit": on_audit,
        }
        self._client_id = client_id
        self._client_secret = as_secret(client_secret)
        self._redirect_uri = redirect_uri
        self._store = store
        self._server = server or AuthorizationServer.classic()
        self._schedule = schedule

    @property
    def clock(self) -> Clock:
        """The time that the practices live in."""
        return self._common["clock"] or self._common["environment"].clock or Clock()

    def open(self, practice: FleetPractice) -> Onboarding:
        """The practice, ready to be connected."""
        oauth = OAuthClient(
            client_id=self._client_id,
            client_secret=self._client_secret,
            redirect_uri=self._redirect_uri,
            store=self._store,
            account=self._account(practice.id),
            # Two portal users, or two accounts, are two practices, also if two lists give both the
            # same id: neither may go on with the other's sign-in.
            owner=practice.portal_username or practice.account,
            server=self._server,
            **self._common,
        )
        return Onboarding(
            communicate=CommunicateClient(auth=oauth.auth, **self._common),
            ormco=self._portal(practice),
            oauth=oauth,
            account=practice.account,
            region=practice.region,
            schedule=self._schedule,
        )

    def _portal(self, practice: FleetPractice) -> OrmcoDigitalClient | None:
        """What does the portal's part; None if a person does."""
        if practice.by_hand:
            return None
        return OrmcoDigitalClient(
            username=practice.portal_username, password=practice.portal_password, **self._common
        )

    def forget_sign_in(self, practice: str) -> bool:
        """Delete the stored sign-in of the practice with this id, and tell nobody.

        For one that is in no list any more.

        Returns:
            Whether there was one.
        """
        account = self._account(practice)
        try:
            there = call_local(self._store.load, (account,)) is not None
        except OrmcoTriosError:
            there = True  # whatever it is
        call_local(self._store.delete, (account,))
        return there

    def _account(self, practice: str) -> str:
        return f"{self._common['environment'].name}:{self._client_id}:{practice}"
