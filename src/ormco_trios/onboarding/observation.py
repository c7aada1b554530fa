"""Looking at both services, and what follows from it.

The truth about a practice lives there and nowhere else: `observe` reads it, `checklist_of` says it
in the guide's steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ormco_trios.communicate.emails import masked
from ormco_trios.communicate.flows import find_lab, involves
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
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.environment import Environment, Service
from ormco_trios.core.errors import (
    ApiError,
    AuthorizationNeeded,
    GrantRevoked,
    NotALab,
    NotSignedIn,
    OrmcoTriosError,
    PortalSignInRefused,
    RateLimited,
    ServerError,
    TransportError,
    WrongAccount,
)
from ormco_trios.onboarding.account import (
    NOT_CHECKED,
    NOT_LISTED,
    PinnedAccount,
    wrong_account,
)
from ormco_trios.onboarding.checklist import Actor, Checklist, Step, StepName, StepState
from ormco_trios.ormcodigital.models import Profile, TriosState, TriosStatus
from ormco_trios.ormcodigital.operations import PROFILE, STATUS

ROLE_NOT_SHOWN = "Its role as a lab is not shown; its e-mail is that of Ormco's lab."

SIGNED_OUT = (AuthorizationNeeded, GrantRevoked, NotSignedIn)
"""What a sign-in that a person has to repeat looks like."""

_PASSING = (TransportError, ServerError, RateLimited)


@dataclass(slots=True)
class Observation:
    """What both services said, or why one said nothing.

    Attributes:
        me: The account, unless it is another one than meant: then nothing else is looked at.
        confirmed: Whether a person said that this account allowed Ormco access.
        region: Which of Ormco's labs, and why.
        connection: The account's own connection with the target's lab.
        lab_role: What the connection, or else the lab's account, says the lab is; None where
            neither shows it.
        elsewhere: Remarks about connections with Ormco that are not that one.
        portal_seen: Whether the portal was looked at in this round.
        granted: Whether Communicate lists Ormco among the applications with access; None if it
            was not asked or does not say [assumed].
    """

    looked_at: datetime
    region: ChosenRegion | None = None
    me: User | None = None
    confirmed: bool = False
    connection: Connection | None = None
    lab_role: str | None = None
    elsewhere: tuple[str, ...] = ()
    communicate_problem: OrmcoTriosError | None = None
    portal_seen: bool = False
    profile: Profile | None = None
    trios: TriosStatus | None = None
    granted: bool | None = None
    portal_problem: OrmcoTriosError | None = None

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


@dataclass(slots=True)
class Target:
    """Which account shall be connected, and to whom.

    Attributes:
        region: The region asked for; None leaves it to the account.
        account: The e-mail of the account that is meant; None if that was not said.
        lab: Ormco's account, once it was looked up.
    """

    environment: Environment
    region: Region | None = None
    account: str | None = field(default=None, repr=False)
    lab: User | None = field(default=None, repr=False)

    @property
    def applications(self) -> str:
        """Address of the page that lists which applications an account has given access."""
        return self.environment.base_url(Service.COMMUNICATE) + APPLICATIONS_PAGE


def observe(
    target: Target, clock: Clock, *, everything: bool, pinned: PinnedAccount | None
) -> Flow[Observation]:
    """Read what both services say; the portal only once the connection is active.

    Args:
        target: Whom to look for.
        clock: For the time of the observation.
        everything: Look at the portal in any case, as a checklist for people needs it.
        pinned: The account that answered before, if there was one.

    Raises:
        RegionUnclear: No region was given, and the account says none or two.
    """
    seen = Observation(looked_at=clock.now())
    try:
        me = yield from Call(ME)
    except (*SIGNED_OUT, *_PASSING) as error:
        seen.communicate_problem = error
    else:
        seen.communicate_problem = wrong_account(
            me, expected=target.account, pinned=pinned, page=target.applications
        )
        seen.me = None if seen.communicate_problem else me
    if seen.me is not None:
        seen.confirmed = pinned is not None and pinned.confirmed and pinned.id == seen.me.id
        if target.region is None:
            seen.region = choose_region(seen.me, target.environment)
        else:
            seen.region = ChosenRegion(target.region, "as chosen")
        yield from _look_at_connections(seen, seen.me, seen.region.region, target)
    if everything or seen.approved:
        seen.portal_seen = True
        try:
            seen.profile = yield from Call(PROFILE)
            seen.trios = yield from Call(STATUS)
        except (NotSignedIn, *_PASSING) as error:
            seen.portal_problem = error
    if seen.me is not None and seen.trios is not None and seen.trios.state is TriosState.CONNECTED:
        seen.granted = yield from _granted(seen.me)
    return seen


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
    if not known and any(not (c.remote_user_email and c.inviter_user_email) for c in connections):
        lab = yield from the_lab(target, region)
        known = [c for c in connections if involves(c, lab)]
    own = [c for c in known if c.owned_by(me.id)]
    active = (c for c in own if c.state is ConnectionState.ACTIVE)
    seen.connection = next(active, own[0] if own else None)
    seen.lab_role = _lab_role(seen.connection, email, target.lab)
    remarks: list[str] = []
    if len(known) > len(own):
        remarks.append("One with this lab belongs to another account, such as the company's.")
    others = {
        region_of(side) for c in connections for side in (c.inviter_user_email, c.remote_user_email)
    }
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
    except (ApiError, TransportError):
        return None
    return ormco_application(applications) is not None


def checklist_of(
    seen: Observation, *, since: datetime | None = None, until: datetime | None = None
) -> Checklist:
    """The guide's steps, as far as ``seen`` can tell."""
    return Checklist(
        looked_at=seen.looked_at,
        steps=(
            _sign_in(seen),
            _connection_step(seen),
            _approval(seen, since, until),
            _portal_sign_in(seen),
            _submission_method(seen),
            _authorization(seen),
        ),
    )


def _unknown(name: StepName, evidence: str) -> Step:
    return Step(
        name=name,
        state=StepState.UNKNOWN,
        evidence=evidence,
        actor=Actor.NOBODY,
        next_action="Look again later.",
    )


def _sign_in(seen: Observation) -> Step:
    name = StepName.SIGN_IN
    problem = seen.communicate_problem
    if problem is None:
        email = None if seen.me is None else seen.me.email
        who = "an account that shows no e-mail" if email is None else masked(email)
        return Step(
            name=name,
            state=StepState.DONE,
            evidence=f"Communicate accepts the sign-in and was asked as {who}.",
        )
    if isinstance(problem, WrongAccount):
        return Step(
            name=name,
            state=StepState.BROKEN,
            evidence=problem.happened,
            actor=Actor.PRACTICE,
            next_action=problem.advice,
        )
    if isinstance(problem, SIGNED_OUT):
        return Step(
            name=name,
            state=(
                StepState.MISSING if isinstance(problem, AuthorizationNeeded) else StepState.BROKEN
            ),
            evidence=problem.happened,
            actor=Actor.PRACTICE,
            next_action="Open the sign-in link and allow access.",
        )
    return _unknown(name, problem.happened)


def _connection_step(seen: Observation) -> Step:
    name = StepName.CONNECTION
    if seen.me is None or seen.region is None:
        return _unknown(name, "Communicate could not be asked.")
    chosen = seen.region
    lab = lab_account(chosen.region)
    with_lab = f"a connection with {lab.email} ({chosen.region.label}, {chosen.reason})."
    if seen.connection is None:
        return Step(
            name=name,
            state=StepState.MISSING,
            evidence=" ".join((f"The account has no {with_lab[2:]}", *seen.elsewhere)),
            actor=Actor.LIBRARY,
            next_action="Request the connection.",
        )
    if seen.lab_problem is not None:
        return Step(
            name=name,
            state=StepState.BROKEN,
            evidence=seen.lab_problem.happened,
            actor=Actor.PRACTICE,
            next_action=seen.lab_problem.advice,
        )
    role = () if seen.lab_role is not None else (ROLE_NOT_SHOWN,)
    return Step(
        name=name,
        state=StepState.DONE,
        evidence=" ".join((f"The account lists {with_lab}", *role, *seen.elsewhere)),
    )


def _approval(seen: Observation, since: datetime | None, until: datetime | None) -> Step:
    name = StepName.APPROVAL
    if seen.me is None:
        return _unknown(name, "Communicate could not be asked.")
    if seen.connection is None:
        return Step(
            name=name,
            state=StepState.MISSING,
            evidence="Nothing has been requested yet.",
            actor=Actor.LIBRARY,
            next_action="Request the connection first.",
        )
    match seen.connection.state:
        case ConnectionState.ACTIVE:
            return Step(name=name, state=StepState.DONE, evidence="The connection is active.")
        case ConnectionState.PENDING:
            evidence = "The request is sent and waits for approval."
        case _:
            evidence = "The connection is in a state that this version does not know."
    return Step(
        name=name,
        state=StepState.WAITING,
        evidence=evidence,
        actor=Actor.ORMCO,
        next_action="Wait: approval can take up to 24 hours.",
        since=since,
        until=until,
    )


_NOT_LOOKED = "The portal's turn comes once the connection is active."


def _portal_sign_in(seen: Observation) -> Step:
    name = StepName.PORTAL_SIGN_IN
    if not seen.portal_seen:
        return _unknown(name, _NOT_LOOKED)
    if seen.portal_problem is None:
        return Step(name=name, state=StepState.DONE, evidence="OrmcoDigital accepts the sign-in.")
    if isinstance(seen.portal_problem, NotSignedIn):
        return Step(
            name=name,
            state=StepState.BROKEN,
            evidence=seen.portal_problem.happened,
            actor=Actor.PRACTICE,
            next_action=PortalSignInRefused.advice,
        )
    return _unknown(name, seen.portal_problem.happened)


def _submission_method(seen: Observation) -> Step:
    name = StepName.SUBMISSION_METHOD
    if seen.profile is None:
        return _unknown(
            name, "OrmcoDigital could not be asked." if seen.portal_seen else _NOT_LOOKED
        )
    method = seen.profile.submission_method
    if method is not None and method.is_trios:
        return Step(name=name, state=StepState.DONE, evidence="The profile says 3Shape Trios.")
    return Step(
        name=name,
        state=StepState.MISSING,
        evidence="The profile says another method, so scans are not expected from TRIOS.",
        actor=Actor.LIBRARY,
        next_action="Set the submission method to 3Shape Trios.",
    )


def _authorization(seen: Observation) -> Step:
    name = StepName.AUTHORIZATION
    if seen.trios is None:
        return _unknown(
            name, "OrmcoDigital could not be asked." if seen.portal_seen else _NOT_LOOKED
        )
    link = "Open the authorization link and allow access."
    match seen.trios.state:
        case TriosState.CONNECTED:
            evidence = "OrmcoDigital says it is connected"
            evidence += "." if seen.confirmed else f" ({NOT_CHECKED})."
            if seen.granted is False:
                evidence += f" {NOT_LISTED}"
            return Step(name=name, state=StepState.DONE, evidence=evidence)
        case TriosState.DRAFT:
            return Step(
                name=name,
                state=StepState.MISSING,
                evidence="A code was entered, but the profile was not saved: nothing is connected.",
                actor=Actor.LIBRARY,
                next_action="Save the profile, or authorize again.",
            )
        case TriosState.NOT_CONNECTED:
            return Step(
                name=name,
                state=StepState.MISSING,
                evidence="OrmcoDigital has no access to the practice's cases.",
                actor=Actor.PRACTICE,
                next_action=link,
            )
        case TriosState.NEEDS_REPAIR:
            return Step(
                name=name,
                state=StepState.BROKEN,
                evidence="OrmcoDigital's access to the practice's cases no longer works.",
                actor=Actor.PRACTICE,
                next_action=link,
            )
        case _:
            return _unknown(name, "OrmcoDigital is in a state that this version does not know.")
