# Generated from async_client.py by tools/mirror.py; edit that file.
"""The OrmcoDigital portal's API: profile, submission method, 3Shape connection [assumed]."""

from __future__ import annotations

from pydantic import SecretStr

from ormco_trios.core import _client
from ormco_trios.core._http.transport import HttpClient
from ormco_trios.core.auth import Auth, as_secret
from ormco_trios.core.base_client import BaseClient
from ormco_trios.core.channel import Channel
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.events import OnAudit, OnEvent
from ormco_trios.core.retry import Retry
from ormco_trios.core.runner import Runner
from ormco_trios.core.shield import Shielded
from ormco_trios.core.transport import Timeout, Transport
from ormco_trios.ormcodigital import flows, operations, session
from ormco_trios.ormcodigital.api import ApiPortal
from ormco_trios.ormcodigital.flows import PortalCode
from ormco_trios.ormcodigital.models import (
    PortalAuthorization,
    Profile,
    SubmissionMethod,
    TriosStatus,
)
from ormco_trios.ormcodigital.portal import PortalAccess
from ormco_trios.ormcodigital.renaming import Operations


class OrmcoDigitalClient(BaseClient, PortalAccess):
    """OrmcoDigital by API, as one user of it sees it.

    No API of the portal is published: this is for the sandbox, and for an address that Ormco gave.

    Args:
        environment: Which host; by default `Environment.from_env`.
        username: The portal's user name, with ``password``; signs in when needed, and again.
        password: The portal's password; kept in memory only.
        token: A session token got elsewhere, instead of the two.
        auth: A sign-in of your own, instead of either.
        timeout: Limits of one attempt, in seconds.
        operations: Other routes and field names, by the name of the operation they replace; see
            `renamed`.
        retry: How often and how patiently one call is repeated.
        clock: For tests and the sandbox.
        on_event: Called after each request with a `CallEvent`, which is safe to log.
        on_audit: Called as well with an `AuditEvent`, which says whose data it was.
        http_client: An httpx client of your own, for proxies or certificates; you close it.

    Raises:
        ConfigurationError: The environment knows no address of such an API; a user name without a
            password; or several ways to sign in.
    """

    def __init__(
        self,
        environment: Environment | None = None,
        *,
        username: str | None = None,
        password: str | SecretStr | None = None,
        token: str | SecretStr | None = None,
        auth: Auth | None = None,
        operations: Operations | None = None,
        timeout: Timeout | None = None,
        retry: Retry | None = None,
        clock: Clock | None = None,
        on_event: OnEvent | None = None,
        on_audit: OnAudit | None = None,
        http_client: HttpClient | None = None,
    ) -> None:
        environment = environment or Environment.from_env()
        environment.base_url(Service.ORMCODIGITAL)  # or it is no use to go on
        clock = clock or environment.clock or Clock()
        if (username is None) != (password is None):
            raise ConfigurationError("OrmcoDigital needs both a user name and a password.")
        if username is not None and password is not None:
            if auth is not None:
                raise ConfigurationError("Give the client a login or an authentication, not both.")
            login = session.PortalLogin(username, as_secret(password))
            auth = session.SessionAuth(login, clock)
        self._use(
            _client.open_channel(
                environment,
                auth={Service.ORMCODIGITAL: _client.choose_auth(token, auth)},
                timeout=timeout,
                retry=retry,
                clock=clock,
                on_event=on_event,
                on_audit=on_audit,
                http_client=http_client,
                operations=operations,
            )
        )

    @property
    def profile(self) -> Profiles:
        """The profile: *My Account > My Profile*."""
        return self._profile

    @property
    def submission_method(self) -> SubmissionMethods:
        """How the practice sends its cases."""
        return self._submission_method

    @property
    def trios(self) -> Trios:
        """The connection with 3Shape: link, code, state."""
        return self._trios

    def _use(self, channel: Channel[Transport]) -> None:
        super()._use(channel)
        self.portal = ApiPortal(channel.environment.base_url(Service.ORMCODIGITAL))
        self.channels = {Service.ORMCODIGITAL: channel}
        self._profile = Profiles(self._runner)
        self._submission_method = SubmissionMethods(self._runner)
        self._trios = Trios(self._runner)


class Profiles(Shielded):
    """``ormco.profile``: *My Account > My Profile*"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self) -> Profile:
        """The profile, with its version in ``etag``."""
        return self._runner.run(Call(operations.PROFILE))

    def update(self, profile: Profile) -> Profile:
        """*Update*: save a changed copy of what `get` returned.

        A code that was entered and not saved yet is saved with it.

        Raises:
            ProfileChanged: The profile was saved elsewhere meanwhile; nothing was overwritten.
            CodeRefused: A draft code was part of it and was not taken.
        """
        return self._runner.run(flows.save_profile(profile))


class SubmissionMethods(Shielded):
    """``ormco.submission_method``"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def get(self) -> SubmissionMethod | None:
        """What the account submits now; None if nothing was ever chosen."""
        return (self._runner.run(Call(operations.PROFILE))).submission_method

    def choices(self) -> list[SubmissionMethod]:
        """What the account may choose."""
        return self._runner.run(Call(operations.METHODS))

    def set(self, method: SubmissionMethod) -> SubmissionMethod:
        """Choose; saves nothing if it is chosen already, and changes no other field.

        Raises:
            ProfileChanged: The profile was saved elsewhere, again and again.
            InvalidRequest: The account may not choose this.
        """
        profile = self._runner.run(flows.set_submission_method(method))
        return profile.submission_method or method


class Trios(Shielded):
    """``ormco.trios``: *Connect 3Shape to Insignia*"""

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def authorization_request(self) -> PortalAuthorization:
        """The link behind *click here*, for the doctor to open."""
        return self._runner.run(Call(operations.AUTHORIZATION))

    def submit_code(self, code: PortalCode) -> TriosStatus:
        """Enter the code **and** press *Update*: the portal keeps a code only once it is saved.

        The code is spent by this, whatever comes of it.

        Raises:
            CodeSpent: It was used before; nothing was sent.
            CodeRefused: The portal did not take it; get a fresh one.
            CodeOutcomeUnknown: The answer was lost; look at `status`.
            DraftLost: The portal lost the code before it was saved.
        """
        return self._runner.run(flows.submit_code(code))

    def save_draft(self) -> TriosStatus:
        """Press *Update* for a code that was entered before and not saved.

        Raises:
            DraftLost: It is gone, and the portal is not connected.
            CodeRefused: The portal did not take it.
        """
        return self._runner.run(flows.save_draft())

    def status(self) -> TriosStatus:
        """The state of the portal's connection to 3Shape."""
        return self._runner.run(Call(operations.STATUS))

    def disconnect(self) -> None:
        """Take the connection back; nothing to do if there is none."""
        self._runner.run(Call(operations.DISCONNECT))
