"""Looking at both services: the truth about a practice lives there and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ormco_trios.communicate.flows import find_lab, involves
from ormco_trios.communicate.home import Home
from ormco_trios.communicate.incoming import waits_for
from ormco_trios.communicate.models import (
    Application,
    Connection,
    ConnectionState,
    User,
    is_lab_word,
)
from ormco_trios.communicate.operations import APPLICATIONS, APPLICATIONS_PAGE, ME
from ormco_trios.communicate.regions import (
    ChosenRegion,
    Region,
    choose_region,
    lab_account,
    region_of,
)
from ormco_trios.core.effects import Call, Flow, Together
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.errors import (
    ApiError,
    AuthorizationNeeded,
    AuthorizationServerFailed,
    ClientRefused,
    GrantRevoked,
    LabRefused,
    NotALab,
    NotSignedIn,
    OrmcoTriosError,
    PortalSignInRefused,
    RateLimited,
    ServerError,
    TransportError,
)
from ormco_trios.onboarding.account import (
    PinnedAccount,
    wrong_account,
)
from ormco_trios.onboarding.arrival import Arrival, look_for_a_case
from ormco_trios.ormcodigital.facts import PortalView
from ormco_trios.ormcodigital.models import TriosState
from ormco_trios.ormcodigital.portal import Portal, PortalVisit, PortalWay

SIGNED_OUT = (AuthorizationNeeded, GrantRevoked, NotSignedIn)
"""What a sign-in that a person has to repeat looks like."""

PASSING = (TransportError, ServerError, RateLimited)
_TROUBLE = (*SIGNED_OUT, *PASSING, ApiError, ClientRefused, AuthorizationServerFailed)
"""How 3Shape can answer instead of saying something."""


@dataclass(slots=True)
class Observation:
    """What both services said, or why one said nothing.

    Attributes:
        way: What does the portal's part.
        me: The account, unless it is another one than meant: then nothing else is looked at.
        communicate_problem: Why the account is not known; or, where it is, why its connection with
            the lab is not.
        confirmed: Whether a person said that this account allowed Ormco access.
        region: Which of Ormco's labs, and why.
        connection: The account's own connection with the target's lab.
        invited: Whether the lab has asked for it, so that this account approves it [doc U3.2].
        lab_role: What the connection, or else the lab's account, says the lab is; None where
            neither shows it.
        elsewhere: Remarks about connections with Ormco that are not that one.
        portal: What is known about the portal; None if it was not looked at in this round.
        granted: Whether Communicate lists Ormco among the applications with access; None if it
            was not asked or does not say [assumed].
        arrived: Whether a case has reached Ormco's account; None if it was not looked for.
    """

    looked_at: datetime
    way: PortalWay
    region: ChosenRegion | None = None
    me: User | None = None
    confirmed: bool = False
    connection: Connection | None = None
    invited: bool = False
    lab_role: str | None = None
    elsewhere: tuple[str, ...] = ()
    communicate_problem: OrmcoTriosError | None = None
    portal: PortalView | None = None
    granted: bool | None = None
    arrived: Arrival | None = None

    @property
    def lab_problem(self) -> NotALab | None:
        """The error if the connection says that the lab is something else than a lab."""
        if self.connection is None or self.lab_role is None or is_lab_word(self.lab_role):
            return None
        return NotALab(
            "The connection says that the account with the e-mail of Ormco's lab is no lab.",
            advice="Remove the connection under Connections at 3Shape, and ask Ormco support which "
            "account is the lab of your region.",
        )

    @property
    def approved(self) -> bool:
        """Whether the connection is active."""
        return self.connection is not None and self.connection.state is ConnectionState.ACTIVE

    @property
    def linked(self) -> bool:
        """Whether the portal's connection to 3Shape is said to be there."""
        fact = None if self.portal is None else self.portal.connection
        return fact is not None and fact.value is TriosState.CONNECTED


@dataclass(slots=True)
class Target:
    """Which account shall be connected, and to whom.

    Attributes:
        region: The region asked for; None leaves it to the account.
        account: The e-mail of the account that is meant; None if that was not said.
        cases: The server that has the account's cases.
        lab: Ormco's account, once it was looked up.
    """

    environment: Environment
    region: Region | None
    account: str | None = field(repr=False)
    cases: Home
    lab: User | None = field(default=None, repr=False)

    @property
    def applications(self) -> str:
        """Address of the page that lists which applications an account has given access."""
        return self.environment.base_url(Service.COMMUNICATE) + APPLICATIONS_PAGE


def observe(
    target: Target,
    portal: Portal,
    visit: PortalVisit,
    *,
    everything: bool,
    pinned: PinnedAccount | None,
    linked_at: datetime | None,
    known: Region | None = None,
    me: User | None = None,
) -> Flow[Observation]:
    """Read what both services say.

    The portal is looked at once the connection is active, and once at the start: a wrong password
    is no news for after a day of waiting.

    Args:
        target: Whom to look for.
        portal: The portal's half.
        visit: What it is told.
        everything: Look at the portal in any case, and for cases that have arrived, as a checklist
            for people needs it.
        pinned: The account that answered before, if there was one.
        linked_at: When Ormco's link was answered, if that is known.
        known: Which of Ormco's labs was chosen before.
        me: The account, if it has answered a moment ago.

    Raises:
        RegionUnclear: No region was given, and the account says none or two.
    """
    seen = Observation(looked_at=visit.clock.now(), way=portal.way)
    communicate = _look_at_communicate(
        seen, target, everything=everything, pinned=pinned, me=me, linked_at=linked_at, known=known
    )
    if everything:
        # Neither waits for the other.  The portal first: a browser belongs to this thread.
        seen.portal, _ = yield from Together((portal.look(visit), communicate))
    else:
        yield from communicate
        if seen.approved or not visit.memory.looked:
            seen.portal = yield from portal.look(visit, everything=seen.approved)
        if seen.me is not None and seen.linked:
            seen.granted = yield from _granted(seen.me)
    if seen.portal is not None:
        visit.memory.looked = not isinstance(seen.portal.problem, PortalSignInRefused)
        if everything and linked_at is None and seen.linked:
            seen.arrived = yield from _arrival(seen, target, seen.portal.connected_at)
    return seen


def _look_at_communicate(
    seen: Observation,
    target: Target,
    *,
    everything: bool,
    pinned: PinnedAccount | None,
    me: User | None,
    linked_at: datetime | None,
    known: Region | None,
) -> Flow[None]:
    try:
        if me is None:
            me = yield from Call(ME)
    except _TROUBLE as error:
        seen.communicate_problem = error
        return
    seen.communicate_problem = wrong_account(
        me, expected=target.account, pinned=pinned, page=target.applications
    )
    if seen.communicate_problem is not None:
        return
    seen.me = me
    seen.confirmed = pinned is not None and pinned.confirmed and pinned.is_account(me)
    if target.region is None:
        seen.region = choose_region(me, target.environment, known=known)
    else:
        seen.region = ChosenRegion(target.region, "as chosen")
    try:
        yield from _look_at_connections(seen, me, seen.region.region, target)
    except (*_TROUBLE, LabRefused) as error:
        seen.communicate_problem = error
    if everything:
        seen.granted, seen.arrived = yield from Together(
            (_granted(me), _arrival(seen, target, linked_at))
        )


def _arrival(seen: Observation, target: Target, since: datetime | None) -> Flow[Arrival | None]:
    if seen.me is None or seen.connection is None or since is None:
        return None
    return (
        yield from look_for_a_case(
            target.cases, me=seen.me, connection=seen.connection, since=since
        )
    )


def the_lab(target: Target, region: Region) -> Flow[User]:
    """Ormco's account of the region, looked up once."""
    if target.lab is None or region_of(target.lab.email) is not region:
        target.lab = yield from find_lab(region)
    return target.lab


def _look_at_connections(seen: Observation, me: User, region: Region, target: Target) -> Flow[None]:
    """Find the connection with the lab: by its e-mail, or by its id where e-mails are not shown."""
    connections = me.connections or []
    email = lab_account(region).email
    known = [c for c in connections if c.involves(email)]
    if not known and any(not (c.inviter.email and c.remote.email) for c in connections):
        lab = yield from the_lab(target, region)
        known = [c for c in connections if involves(c, lab)]
    own = [c for c in known if c.owned_by(me.id)]
    active = (c for c in own if c.state is ConnectionState.ACTIVE)
    to_approve = (c for c in own if c.state is ConnectionState.PENDING and waits_for(me, c))
    seen.connection = next(active, None)
    if seen.connection is None and (asked := next(to_approve, None)) is not None:
        seen.connection, seen.invited = asked, True
    elif seen.connection is None and own:
        seen.connection = own[0]
    seen.lab_role = _lab_role(seen.connection, email, target.lab)
    remarks: list[str] = []
    if len(known) > len(own):
        remarks.append("One with this lab belongs to another account, such as the company's.")
    if len(own) > 1:
        # As when a worker was stopped right before it sent, and sends when another has done so.
        remarks.append(f"The account lists {len(own)} with this lab; one is enough.")
    others = {region_of(side.email) for c in connections for side in (c.inviter, c.remote)}
    remarks += (
        f"There is one with Ormco's lab of another region ({other.label}) as well."
        for other in Region
        if other in others and other is not region
    )
    seen.elsewhere = tuple(remarks)


def _lab_role(connection: Connection | None, email: str, lab: User | None) -> str | None:
    """What the lab is, by the connection or else by its account, where that is a word."""
    role = None
    if connection is not None:
        role = connection.type_of(email) or (lab and connection.type_of(lab.id))
    if not role or not any(map(str.isalpha, role)):  # a number is a code that nobody knows
        return "Lab" if lab is not None and lab.is_lab else None
    return role


def ormco_application(applications: list[Application]) -> Application | None:
    """Ormco's row on the Applications page; its name there is what the guide shows [guide]."""
    return next((a for a in applications if (a.name or "").strip().casefold() == "ormco"), None)


def _granted(me: User) -> Flow[bool | None]:
    try:
        applications = yield from Call(APPLICATIONS, path={"user": me.id})
    # A 401 here says nothing about the token, which has just been taken by a call that is known.
    except (ApiError, TransportError, AuthorizationNeeded):
        return None
    return ormco_application(applications) is not None
