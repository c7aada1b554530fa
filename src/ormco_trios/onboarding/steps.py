"""What was observed, said in the guide's steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ormco_trios.communicate.emails import masked
from ormco_trios.communicate.models import ConnectionState
from ormco_trios.communicate.regions import lab_account
from ormco_trios.core.errors import AuthorizationNeeded, NotSignedIn, OrmcoTriosError, WrongAccount
from ormco_trios.onboarding.account import NOT_CHECKED, NOT_LISTED
from ormco_trios.onboarding.checklist import Actor, Checklist, Step, StepName, StepState
from ormco_trios.onboarding.observation import PASSING, SIGNED_OUT, Observation
from ormco_trios.ormcodigital.facts import PortalFact, Source
from ormco_trios.ormcodigital.models import TriosState
from ormco_trios.ormcodigital.portal import PortalWay

ROLE_NOT_SHOWN = "Its role as a lab is not shown; its e-mail is that of Ormco's lab."


def checklist_of(
    seen: Observation, *, since: datetime | None = None, until: datetime | None = None
) -> Checklist:
    """The guide's steps, as far as ``seen`` can tell."""
    return Checklist(
        looked_at=seen.looked_at,
        portal=seen.way,
        steps=(
            _sign_in(seen),
            _connection_step(seen),
            _approval(seen, since, until),
            _portal_sign_in(seen),
            _submission_method(seen),
            _authorization(seen),
            _consent(seen),
            _case_arrived(seen),
        ),
    )


def _said_by_3shape(seen: Observation) -> dict[str, Any]:
    return {"source": Source.COMMUNICATE, "said_at": seen.looked_at}


def _said(fact: PortalFact) -> dict[str, Any]:
    return {"source": fact.source, "said_at": fact.at}


def _unknown(name: StepName, evidence: str, next_action: str | None = None) -> Step:
    return Step(
        name=name,
        state=StepState.UNKNOWN,
        evidence=evidence,
        actor=Actor.NOBODY,
        next_action=next_action,
    )


def _trouble(name: StepName, problem: OrmcoTriosError) -> Step:
    """A step of which nothing is known, since a service did not answer as it should."""
    return Step(
        name=name,
        state=StepState.UNKNOWN,
        evidence=problem.happened,
        actor=Actor.NOBODY if isinstance(problem, PASSING) else Actor.PRACTICE,
        next_action=problem.advice,
    )


def _broken(name: StepName, problem: OrmcoTriosError) -> Step:
    """A step that is wrong, and that the practice has to put right."""
    return Step(
        name=name,
        state=StepState.BROKEN,
        evidence=problem.happened,
        actor=Actor.PRACTICE,
        next_action=problem.advice,
    )


def _sign_in(seen: Observation) -> Step:
    name = StepName.SIGN_IN
    problem = seen.communicate_problem
    if problem is None or seen.me is not None:
        email = None if seen.me is None else seen.me.shown_email
        who = "an account that shows no e-mail" if email is None else masked(email)
        return Step(
            name=name,
            state=StepState.DONE,
            evidence=f"Communicate accepts the sign-in and was asked as {who}.",
            **_said_by_3shape(seen),
        )
    if isinstance(problem, WrongAccount):
        return _broken(name, problem)
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
    return _trouble(name, problem)


def _connection_step(seen: Observation) -> Step:
    name = StepName.CONNECTION
    if seen.me is None or seen.region is None:
        return _unknown(name, "Communicate could not be asked.")
    if seen.communicate_problem is not None:
        return _trouble(name, seen.communicate_problem)
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
            **_said_by_3shape(seen),
        )
    if seen.lab_problem is not None:
        return _broken(name, seen.lab_problem)
    role = () if seen.lab_role is not None else (ROLE_NOT_SHOWN,)
    return Step(
        name=name,
        state=StepState.DONE,
        evidence=" ".join((f"The account lists {with_lab}", *role, *seen.elsewhere)),
        **_said_by_3shape(seen),
    )


def _approval(seen: Observation, since: datetime | None, until: datetime | None) -> Step:
    name = StepName.APPROVAL
    if seen.me is None or seen.communicate_problem is not None:
        return _unknown(name, "Communicate could not be asked.")
    if seen.connection is None:
        return Step(
            name=name,
            state=StepState.MISSING,
            evidence="Nothing has been requested yet.",
            actor=Actor.LIBRARY,
            next_action="Request the connection first.",
        )
    if seen.invited:
        return Step(
            name=name,
            state=StepState.MISSING,
            evidence="Ormco's lab has asked for the connection, and this account has not approved "
            "it yet.",
            actor=Actor.LIBRARY,
            next_action="Approve the connection.",
            **_said_by_3shape(seen),
        )
    match seen.connection.state:
        case ConnectionState.ACTIVE:
            return Step(
                name=name,
                state=StepState.DONE,
                evidence="The connection is active.",
                **_said_by_3shape(seen),
            )
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
        **_said_by_3shape(seen),
        since=since,
        until=until,
    )


_NOT_LOOKED = "The portal's part follows once the connection is active."
_NOBODY_SAID = "The portal cannot be asked, and nobody has said so yet."
_BY_HAND = "Follow the steps that this program shows."


def _not_told(name: StepName, seen: Observation) -> Step:
    """A step at the portal of which nothing is known."""
    if seen.portal is None:
        return _unknown(name, _NOT_LOOKED)
    if seen.portal.problem is not None:
        return _unknown(name, "OrmcoDigital could not be asked.")
    if not seen.approved:
        return _unknown(name, _NOT_LOOKED)
    return Step(
        name=name,
        state=StepState.MISSING,
        evidence=_NOBODY_SAID,
        actor=Actor.PRACTICE,
        next_action=_BY_HAND,
    )


def _portal_sign_in(seen: Observation) -> Step:
    name = StepName.PORTAL_SIGN_IN
    view = seen.portal
    if view is not None and view.signed_in is not None:
        said = "The portal accepts the sign-in."
        if view.signed_in.source is Source.PRACTICE:
            said = "Signed in to OrmcoDigital."
        fact = view.signed_in
        return Step(name=name, state=StepState.DONE, evidence=fact.evidence or said, **_said(fact))
    problem = None if view is None else view.problem
    if isinstance(problem, NotSignedIn):
        return _broken(name, problem)
    if problem is not None:
        return _trouble(name, problem)
    return _not_told(name, seen)


def _submission_method(seen: Observation) -> Step:
    name = StepName.SUBMISSION_METHOD
    fact = None if seen.portal is None else seen.portal.submission_method
    if fact is None:
        return _not_told(name, seen)
    if fact.value is not None and fact.value.is_trios:
        evidence = fact.evidence or "The profile says 3Shape Trios."
        return Step(name=name, state=StepState.DONE, evidence=evidence, **_said(fact))
    return Step(
        name=name,
        state=StepState.MISSING,
        evidence="The profile says another method, so scans are not expected from TRIOS.",
        actor=Actor.LIBRARY,
        next_action=(
            "Set the submission method to 3Shape Trios."
            if seen.linked
            else "It is set together with the code, by one Update."
        ),
        **_said(fact),
    )


_LINK = "Open the authorization link and allow access."
_WITHOUT_CODE = {
    TriosState.DRAFT: (
        StepState.MISSING,
        "A code was entered, but the profile was not saved: nothing is connected.",
        Actor.LIBRARY,
        "Save the profile, or authorize again.",
    ),
    TriosState.NOT_CONNECTED: (
        StepState.MISSING,
        "OrmcoDigital has no access to the practice's cases.",
        Actor.PRACTICE,
        _LINK,
    ),
    TriosState.NEEDS_REPAIR: (
        StepState.BROKEN,
        "OrmcoDigital's access to the practice's cases no longer works.",
        Actor.PRACTICE,
        _LINK,
    ),
}


def _authorization(seen: Observation) -> Step:
    name = StepName.AUTHORIZATION
    fact = None if seen.portal is None else seen.portal.connection
    if fact is None:
        return _not_told(name, seen)
    if fact.value is TriosState.CONNECTED:
        evidence = fact.evidence.rstrip(".") or "OrmcoDigital is connected to 3Shape"
        evidence += "." if seen.confirmed else f" ({NOT_CHECKED})."
        if seen.granted is False:
            evidence += f" {NOT_LISTED}"
        return Step(name=name, state=StepState.DONE, evidence=evidence, **_said(fact))
    if fact.value not in _WITHOUT_CODE:
        return _unknown(
            name,
            "OrmcoDigital is in a state that this version does not know.",
            "Look again later.",
        )
    state, evidence, actor, action = _WITHOUT_CODE[fact.value]
    return Step(
        name=name,
        state=state,
        evidence=evidence,
        actor=actor,
        next_action=action if seen.way is PortalWay.API else _BY_HAND,
        **_said(fact),
    )


# --- the two witnesses ----------------------------------------------------------------------


def _not_witnessed(name: StepName, evidence: str) -> Step:
    return Step(name=name, state=StepState.UNKNOWN, evidence=evidence)


def _consent(seen: Observation) -> Step:
    name = StepName.CONSENT
    if seen.granted is None:
        return _not_witnessed(name, "Communicate was not asked, or does not say.")
    if seen.granted:
        return Step(
            name=name,
            state=StepState.DONE,
            evidence="Allow access was pressed. That proves neither the code nor Update.",
            **_said_by_3shape(seen),
        )
    return Step(
        name=name,
        state=StepState.MISSING,
        evidence="Ormco is not listed [assumed].",
        actor=Actor.PRACTICE if seen.linked else Actor.NOBODY,
        next_action="If scans do not arrive, use repair()." if seen.linked else None,
        **_said_by_3shape(seen),
    )


def _case_arrived(seen: Observation) -> Step:
    name = StepName.CASE_ARRIVED
    if seen.arrived is None or not seen.linked:
        return _not_witnessed(name, "It was not looked for, or the cases cannot be read.")
    since = f"{seen.arrived.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if seen.arrived.received is None:
        return Step(
            name=name,
            state=StepState.MISSING,
            evidence=f"No case received since {since} names Ormco's account.",
            actor=Actor.PRACTICE,
            next_action="Send a scan to Ormco, and look again.",
            **_said_by_3shape(seen),
        )
    return Step(
        name=name,
        state=StepState.DONE,
        evidence=f"A case received after {since} names Ormco's account: scans reach it. That does "
        "not prove that the portal holds a code.",
        source=Source.COMMUNICATE,
        said_at=seen.arrived.received,
    )
