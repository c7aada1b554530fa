"""The whole guide for one practice: `check`, `advance`, `run`, `repair`, `disconnect`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from ormco_trios.communicate.approval import PollSchedule
from ormco_trios.communicate.async_client import AsyncCommunicateClient
from ormco_trios.communicate.regions import DAY, Region
from ormco_trios.core import async_runner
from ormco_trios.core.async_base_client import AsyncBaseClient
from ormco_trios.core.connections import AsyncHttpConnections
from ormco_trios.core.environment import Service
from ormco_trios.core.shield import Shielded
from ormco_trios.oauth.async_client import AsyncOAuthClient
from ormco_trios.onboarding import context, doctor, flow
from ormco_trios.onboarding import person as persons
from ormco_trios.onboarding import repair as repairs
from ormco_trios.onboarding.account import check_kind
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.doctor import Diagnosis
from ormco_trios.onboarding.flow import ask_by_kind, asking
from ormco_trios.onboarding.outcomes import (
    AsyncAuthorize,
    AsyncPerson,
    Connected,
    Outcome,
    Progress,
    Repair,
    Repaired,
)
from ormco_trios.onboarding.repair import Disconnected
from ormco_trios.ormcodigital.manual import AsyncManualPortal
from ormco_trios.ormcodigital.portal import AsyncPortalAccess
from ormco_trios.ormcodigital.tasks import TaskAnswer


class AsyncOnboarding(Shielded):
    """Connects one practice, from whatever is done already.

    The truth is read from the services each time, so every method can be called at any moment, by
    any process, as often as you like: only what is missing is done.

    OrmcoDigital publishes no interface.  So by default a person does the portal's part, and is
    told what to do by `NeedsPerson`; no password of the portal is needed.

    Args:
        communicate: The practice's account at 3Shape Communicate.
        ormco: What does the portal's part: by default a person (`AsyncManualPortal`); an
            `AsyncOrmcoDigitalClient` where there is an API, as in the sandbox.
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
        communicate: AsyncCommunicateClient,
        ormco: AsyncPortalAccess | None = None,
        oauth: AsyncOAuthClient | None = None,
        account: str | None = None,
        region: Region | None = None,
        schedule: PollSchedule | None = None,
        progress: Progress | None = None,
    ) -> None:
        ormco = AsyncManualPortal() if ormco is None else ormco
        check_kind(type(self), communicate, AsyncBaseClient)
        check_kind(type(self), oauth, AsyncBaseClient)
        check_kind(type(self), ormco, AsyncPortalAccess)
        clock = communicate.channel.clock
        self._context = context.Context.of(
            communicate.channel.environment,
            clock,
            None if oauth is None else oauth.application,
            ormco.portal,
            account=account,
            region=region,
            progress=progress,
            schedule=schedule,
        )
        self._services = (
            Service.COMMUNICATE,
            *(() if oauth is None else (oauth.application.server.service,)),
            *ormco.channels,
        )
        sign_in = communicate.channel if oauth is None else oauth.channel
        self._runner = async_runner.AsyncRunner(
            {
                Service.COMMUNICATE: communicate.channel,
                Service.METADATA: communicate.channel,
                Service.AUTH_CLASSIC: sign_in,
                Service.AUTH_ACCOUNT: sign_in,
                **ormco.channels,
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
    def http_connections(self) -> AsyncHttpConnections | None:
        """What to use instead of the clients' own connections; a fleet's practices share a few."""
        return self._runner.http_connections

    @http_connections.setter
    def http_connections(self, connections: AsyncHttpConnections | None) -> None:
        self._runner.http_connections = connections

    def forget_account(self) -> None:
        """Let any account be the practice's again, as far as ``account`` allows it.

        The account that answers next is remembered instead.  The stored sign-in stays: to sign in
        as another account, revoke it or forget it as well.
        """
        self._context.progress.forget_account()

    async def check(self) -> Checklist:
        """Look at everything and change nothing.

        A service that cannot be reached, or answers in whatever odd way, makes its steps unknown,
        not an error.

        Raises:
            RegionUnclear: No region was given, and the account says none or two.
        """
        return await self._runner.run(flow.check(self._context))

    async def advance(
        self,
        *,
        repair: Repair | None = None,
        on_update: Callable[[Checklist], None] | None = None,
    ) -> Outcome:
        """Do what can be done now, and say what comes next; never waits.

        Args:
            repair: Begin a repair of this extent.  The wish is kept in ``progress`` with what was
                done already, so later rounds go on with it by themselves, until `Connected`, which
                says what it came to.  Nothing that works is taken away before a person has said
                that they are there (`TaskKind.BEGIN_REPAIR`).
            on_update: Called with the checklist after every look, before anything is done.

        Returns:
            `Connected`; `Waiting`, with the time to call again; `NeedsAuthorization`, with a link
            for a person, whose answer goes to `finish_authorization`; or `NeedsPerson`, with a
            task for them, whose answer goes to `finish_task`.

        Raises:
            WrongAccount: Another account answered; its sign-in was dropped.
            RegionUnclear: No region was given, and the account says none or two.
            LabRefused: What was found under the lab's e-mail is not Ormco's lab.
            ConnectionRemoved: The request disappeared before it was accepted.
            PortalSignInRefused: OrmcoDigital refused the user name or password; what does not need
                the portal has been done.
            PortalDiffers: It is the portal's turn, and its address is not that of an API.
            ApiError: A service refused something; nothing else was lost by that.
            TransportError: A service cannot be reached; call again later.
        """
        return await self._runner.run(flow.advance(self._context, repair), on_update=on_update)

    async def finish_authorization(self, pasted: str, *, account_shown: str | None = None) -> None:
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
        await self._runner.run(
            persons.finish_authorization(self._context, pasted, account_shown=account_shown)
        )

    async def finish_task(self, answer: TaskAnswer | str, *, id: str | None = None) -> None:
        """Take what a person says of the task of `NeedsPerson`; then `advance` again.

        An address holds a code, which from then on is in this object and nowhere else: call
        `advance` on it in the same request, and show what it gives.  This object can show the code
        again until the person has answered; any other one begins with the first task again, and
        takes their *done* all the same.

        Args:
            answer: `Address`, `Done` or `Failed`; a text is an address.
            id: The id of the task that was shown, so that an answer to an older one is not used.

        Raises:
            TaskOver: There is no such task any more; nothing was used.
            PasteError: There is no usable code in the address; the task stays.
            CodeSpent: This address was brought before, and its code has been used.
            WrongAccount: The consent page showed another account; the task stays.
            ConsentDenied: The person chose *Cancel*; the task stays.
            CodeRefused: The portal did not take the code; the next `advance` has a new task.
        """
        await self._runner.run(persons.finish_task(self._context, answer, id=id))

    async def run(
        self,
        *,
        authorize: AsyncAuthorize | None = None,
        person: AsyncPerson | None = None,
        timeout: timedelta = DAY,
        on_update: Callable[[Checklist], None] | None = None,
    ) -> Connected:
        """Go on until connected.

        While it waits for the approval, an outage of an hour or so is waited out as well.

        Args:
            authorize: Shows a `NeedsAuthorization` to a person and returns what they paste.
            person: Shows a `NeedsPerson` to a person and returns their answer.
            timeout: How long to wait for Ormco's approval; always finite.
            on_update: Called with the checklist after every look.

        Raises:
            ApprovalTimeout: Ormco had not approved in time; run it again later.
            AuthorizationNeeded: A link has to be opened, and no ``authorize`` was given.
            PersonNeeded: A person has something to do, and no ``person`` was given; or it did not
                work, however often.
            WrongAccount: Another account answered, three times if there is ``authorize``.
            AuthorizationError: The authorization did not come about.
            OrmcoTriosError: As `advance`.
        """
        return await self._runner.run(
            flow.run(self._context, timeout=timeout, asking=asking(authorize, person)),
            ask=ask_by_kind(authorize, person),
            on_update=on_update,
        )

    async def repair(
        self,
        *,
        extent: Repair = Repair.WHAT_IS_BROKEN,
        authorize: AsyncAuthorize | None = None,
        person: AsyncPerson | None = None,
        timeout: timedelta = DAY,
        on_update: Callable[[Checklist], None] | None = None,
    ) -> Repaired:
        """Do the least that repairs it, and say when scans may not have arrived.

        What is broken is found by looking; a code that is not taken makes it revoke Ormco's access
        and authorize again, as the guide does.  Interrupted and called again with the same
        ``progress``, it goes on.

        Args:
            extent: A larger repair than that, when everything looks well and scans do not arrive.
            authorize: Shows a `NeedsAuthorization` to a person and returns what they paste.
            person: Shows a `NeedsPerson` to a person and returns their answer.
            timeout: How long to wait for Ormco's approval; always finite.
            on_update: Called with the checklist after every look.

        Raises:
            ApprovalTimeout: Ormco had not approved in time; run it again later.
            AuthorizationNeeded: A link has to be opened, and no ``authorize`` was given.
            PersonNeeded: A person has something to do, and no ``person`` was given; or it did not
                work, however often.
            WrongAccount: Another account answered, three times if there is ``authorize``.
            AuthorizationError: The authorization did not come about.
            OrmcoTriosError: As `advance`.
        """
        return await self._runner.run(
            repairs.repair(
                self._context, extent=extent, timeout=timeout, asking=asking(authorize, person)
            ),
            ask=ask_by_kind(authorize, person),
            on_update=on_update,
        )

    async def disconnect(
        self, *, person: AsyncPerson | None = None, sign_out: bool = False
    ) -> Disconnected:
        """Take everything back: at the portal, under Applications, and the connection.

        Each place is reported; one that fails does not keep the others from being cleaned.

        Args:
            person: Shows a `NeedsPerson` to a person, for what only they can take back, and
                returns `Done` or `Failed`; without it, the places say what is left to do.
            sign_out: Revoke and forget this library's own sign-in as well.

        Raises:
            RegionUnclear: No region was given and the account's country does not say.
        """
        return await self._runner.run(
            repairs.disconnect(self._context, sign_out=sign_out, may_ask=person is not None),
            ask=ask_by_kind(None, person),
        )

    async def forget_sign_in(self, *, revoke: bool = False) -> bool:
        """Delete this library's stored sign-in; whether there was one.

        Args:
            revoke: Take it back at 3Shape first, where the dialect has an endpoint for that.
        """
        return await self._runner.run(repairs.forget_sign_in(self._context, revoke=revoke))

    async def doctor(self) -> Diagnosis:
        """Look at everything from the network to the portal, and change nothing.

        Raises:
            RegionUnclear: No region was given and the account's country does not say.
        """
        return await self._runner.run(doctor.examine(self._context, self._services))
