# Generated from async_onboarding.py by tools/mirror.py; edit that file.
"""The whole guide for one practice: `check`, `advance`, `run`, `repair`, `disconnect`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.communicate.client import CommunicateClient
from ormco_trios.communicate.regions import DAY, Region
from ormco_trios.core import runner
from ormco_trios.core._lanes import Lane
from ormco_trios.core.base_client import BaseClient
from ormco_trios.core.environment import Service
from ormco_trios.core.shield import Shielded
from ormco_trios.oauth.client import OAuthClient
from ormco_trios.onboarding import doctor, flow, repair
from ormco_trios.onboarding.account import wrong_client
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.doctor import Diagnosis
from ormco_trios.onboarding.outcomes import Authorize, Connected, Outcome, Progress
from ormco_trios.onboarding.repair import Disconnected, Repair, Repaired
from ormco_trios.ormcodigital.client import OrmcoDigitalClient


class Onboarding(Shielded):
    """Connects one practice, from wherever it stands.

    The truth is read from the two services each time, so every method can be called at any moment,
    by any process, as often as you like: only what is missing is done.

    Args:
        communicate: The practice's account at 3Shape Communicate.
        ormco: The practice's account at OrmcoDigital.
        oauth: The application that ``communicate`` signs in with; without it, a sign-in that has
            ended is an error instead of a link.
        account: The e-mail of the 3Shape account that is meant.  Another one is `WrongAccount`
            before anything is requested or handed over.  Left out, the first account that answers
            is the practice's, and ``progress`` remembers it.
        region: Which of Ormco's labs; by default what the account's country clearly says, or else
            its own region at 3Shape.
        schedule: When to look for the approval.
        progress: What an earlier process remembered, from ``onboarding.progress``.

    Raises:
        ConfigurationError: The clients are of the other kind, or the account is no e-mail.
    """

    def __init__(
        self,
        *,
        communicate: CommunicateClient,
        ormco: OrmcoDigitalClient,
        oauth: OAuthClient | None = None,
        account: str | None = None,
        region: Region | None = None,
        schedule: PollSchedule | None = None,
        progress: Progress | None = None,
    ) -> None:
        for client in (communicate, oauth, ormco):
            if client is not None and not isinstance(client, BaseClient):
                raise wrong_client(type(self), client)
        clock = communicate.channel.clock
        self._context = flow.Context.of(
            communicate.channel.environment,
            clock,
            None if oauth is None else oauth.application,
            account=account,
            region=region,
            progress=progress,
            schedule=schedule,
        )
        self._services = (
            Service.COMMUNICATE,
            *(() if oauth is None else (oauth.application.server.service,)),
            Service.ORMCODIGITAL,
        )
        sign_in = communicate.channel if oauth is None else oauth.channel
        self._runner = runner.Runner(
            {
                Service.COMMUNICATE: communicate.channel,
                Service.METADATA: communicate.channel,
                Service.AUTH_CLASSIC: sign_in,
                Service.AUTH_ACCOUNT: sign_in,
                Service.ORMCODIGITAL: ormco.channel,
            },
            clock,
        )

    @property
    def progress(self) -> Progress:
        """What to remember for another process; losing it does no harm."""
        return self._context.progress

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self._context.progress = progress

    @property
    def lane(self) -> Lane | None:
        """Connections to use instead of the clients' own; a fleet's practices share a few."""
        return self._runner.lane

    @lane.setter
    def lane(self, lane: Lane | None) -> None:
        self._runner.lane = lane

    def forget_account(self) -> None:
        """Let any account be the practice's again, as far as ``account`` allows it.

        The account that answers next is remembered instead.  The stored sign-in stays: to sign in
        as another account, revoke it or forget it as well.
        """
        self._context.progress.forget_account()

    def check(self) -> Checklist:
        """Look at both services and change nothing.

        A service that cannot be reached makes its steps unknown, not an error.

        Raises:
            RegionUnclear: No region was given, and the account says none or two.
        """
        return self._runner.run(flow.check(self._context))

    def advance(self, *, on_update: Callable[[Checklist], None] | None = None) -> Outcome:
        """Do what can be done now, and say what comes next; never waits.

        Returns:
            `Connected`; `Waiting`, with the time to call again; or `NeedsAuthorization`, with a
            link for a person, whose answer goes to `finish_authorization`.

        Raises:
            WrongAccount: Another account answered; its sign-in was dropped.
            RegionUnclear: No region was given, and the account says none or two.
            LabRefused: What was found under the lab's e-mail is not Ormco's lab.
            PortalSignInRefused: OrmcoDigital refused the user name or password.
            TransportError: A service cannot be reached; call again later.
        """
        return self._runner.run(flow.advance(self._context), on_update=on_update)

    def finish_authorization(self, pasted: str, *, account_shown: str | None = None) -> None:
        """Take the address that the person was redirected to; then `advance` again.

        Do it in the request that receives it: a code lives three minutes.

        Args:
            pasted: The address.
            account_shown: When it answers Ormco's link: the e-mail that the consent page showed,
                as the person says.  Nobody else can tell whose account a code comes from.

        Raises:
            PasteError: There is no usable code in it; the link stays good, paste again.
            WrongAccount: The page showed another account: the code is not handed over, and the
                link stays good.
            ConsentDenied: The person chose *Cancel*.
            CodeRefused: The code was not taken; the next `advance` has a fresh link.
            AuthorizationNeeded: No authorization is under way.
        """
        self._runner.run(
            flow.finish_authorization(self._context, pasted, account_shown=account_shown)
        )

    def run(
        self,
        *,
        authorize: Authorize | None = None,
        timeout: timedelta = DAY,
        on_update: Callable[[Checklist], None] | None = None,
    ) -> Connected:
        """Go on until connected.

        Args:
            authorize: Shows a `NeedsAuthorization` to a person and returns what they paste.
            timeout: How long to wait for Ormco's approval; always finite.
            on_update: Called with the checklist after every look.

        Raises:
            ApprovalTimeout: Ormco had not approved in time; run it again later.
            AuthorizationNeeded: A person is needed, and no ``authorize`` was given.
            WrongAccount: Another account answered, three times if there is ``authorize``.
            AuthorizationError: The authorization did not come about.
        """
        return self._runner.run(
            flow.run(self._context, timeout=timeout, may_ask=authorize is not None),
            ask=authorize,
            on_update=on_update,
        )

    def repair(
        self,
        *,
        extent: Repair = Repair.WHAT_IS_BROKEN,
        authorize: Authorize | None = None,
        timeout: timedelta = DAY,
        on_update: Callable[[Checklist], None] | None = None,
    ) -> Repaired:
        """Do the least that mends it, and say when scans may not have arrived.

        What is broken is found by looking; a code that is not taken makes it revoke Ormco's access
        and authorize again, as the guide does.

        Args:
            extent: Begin with more than that, when everything looks well and scans do not arrive.
            authorize: Shows a `NeedsAuthorization` to a person and returns what they paste.
            timeout: How long to wait for Ormco's approval; always finite.
            on_update: Called with the checklist after every look.

        Raises:
            ApprovalTimeout: Ormco had not approved in time; run it again later.
            AuthorizationNeeded: A person is needed, and no ``authorize`` was given.
            WrongAccount: Another account answered, three times if there is ``authorize``.
            AuthorizationError: The authorization did not come about.
        """
        return self._runner.run(
            repair.repair(
                self._context, extent=extent, timeout=timeout, may_ask=authorize is not None
            ),
            ask=authorize,
            on_update=on_update,
        )

    def disconnect(self, *, sign_out: bool = False) -> Disconnected:
        """Take everything back: at the portal, under Applications, and the connection.

        Each place is reported; one that fails does not keep the others from being cleaned.

        Args:
            sign_out: Revoke and forget this library's own sign-in as well.
        """
        return self._runner.run(repair.disconnect(self._context, sign_out=sign_out))

    def doctor(self) -> Diagnosis:
        """Look at everything from the network to the portal, and change nothing."""
        return self._runner.run(doctor.examine(self._context, self._services))
