"""Onboarding is reconciliation: look, do what is missing, look again.

Running it again at any moment is safe, so *resume* is no separate thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ormco_trios.communicate.approval import (
    ApprovalWait,
    Jitter,
    PollSchedule,
    describe,
    random_jitter,
    removed,
)
from ormco_trios.communicate.flows import find_lab, request_connection
from ormco_trios.communicate.regions import Region
from ormco_trios.core.clock import Clock, Deadline
from ormco_trios.core.effects import AskHuman, Call, Emit, Flow, Pause
from ormco_trios.core.errors import (
    ApprovalTimeout,
    AuthorizationNeeded,
    CodeOutcomeUnknown,
    CodeRefused,
    ConsentDenied,
    DraftLost,
    OrmcoTriosError,
    PasteError,
    ServerError,
    UnexpectedAnswer,
)
from ormco_trios.oauth.application import Application
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.observation import (
    SIGNED_OUT,
    Observation,
    Target,
    checklist_of,
    observe,
)
from ormco_trios.onboarding.outcomes import (
    Connected,
    NeedsAuthorization,
    Outcome,
    Progress,
    Purpose,
    Waiting,
)
from ormco_trios.ormcodigital.flows import save_draft, set_submission_method, submit_code
from ormco_trios.ormcodigital.models import SubmissionMethod, TriosState
from ormco_trios.ormcodigital.operations import AUTHORIZATION

TRIES = 3
"""How often a person is asked anew for one purpose, when a paste is bad or a code not taken."""

ACTIONS = 8
"""A round does a few things at the most; more means that one does not show in the next look."""


@dataclass(slots=True)
class Desk:
    """Everything the flows need for one practice."""

    clock: Clock
    application: Application | None
    target: Target
    progress: Progress
    schedule: PollSchedule
    jitter: Jitter = random_jitter

    @classmethod
    def of(
        cls,
        clock: Clock,
        application: Application | None,
        *,
        region: Region | None,
        progress: Progress | None,
        schedule: PollSchedule | None,
    ) -> Desk:
        """For a practice that may be new."""
        return cls(
            clock, application, Target(region), progress or Progress(), schedule or PollSchedule()
        )


def check(desk: Desk) -> Flow[Checklist]:
    """Look at everything and change nothing."""
    seen = yield from observe(desk.target, desk.clock, everything=True)
    return _checklist(desk, seen)


def advance(desk: Desk) -> Flow[Outcome]:
    """Do what can be done now; emits the checklist after every look."""
    for _ in range(ACTIONS):
        seen = yield from observe(desk.target, desk.clock, everything=False)
        yield from Emit(_checklist(desk, seen))
        outcome = yield from _act(desk, seen)
        if outcome is not None:
            return outcome
    raise UnexpectedAnswer(
        "What was changed does not show when it is looked at again.",
        operation="onboarding.advance",
        status=200,
    )


def _act(desk: Desk, seen: Observation) -> Flow[Outcome | None]:
    """The next thing to do; None when it is done and another look is due."""
    if seen.communicate_problem is not None:
        return _sign_in(desk, seen, seen.communicate_problem)
    if seen.connection is None:
        if desk.progress.waiting_since is not None:
            # It was there: whoever removed it had a reason, so a person decides about another.
            desk.progress.waiting_since = None
            raise removed()
        assert seen.region is not None
        if desk.target.lab is None:
            desk.target.lab = yield from find_lab(seen.region)
        yield from request_connection(desk.target.lab)
        return None
    if not seen.approved:
        return _waiting(desk, seen)
    desk.progress.waiting_since = None
    if seen.portal_problem is not None:
        raise seen.portal_problem
    assert seen.profile is not None
    assert seen.trios is not None
    method = seen.profile.submission_method
    if seen.trios.state is TriosState.DRAFT:
        try:
            yield from save_draft()
        except (CodeRefused, DraftLost) as error:
            return (yield from _authorization(desk, seen, problem=str(error)))
        return None
    if method is None or not method.is_trios:
        yield from set_submission_method(SubmissionMethod.trios())
        return None
    if seen.trios.state is TriosState.CONNECTED and seen.granted is not False:
        desk.progress.pending = None
        return Connected(_checklist(desk, seen))
    return (yield from _authorization(desk, seen))


def _sign_in(desk: Desk, seen: Observation, problem: OrmcoTriosError) -> NeedsAuthorization:
    """A link to sign in with, if that is what is missing and it can be made."""
    app = desk.application
    if not isinstance(problem, SIGNED_OUT) or app is None:
        raise problem
    request = _pending(desk, Purpose.SIGN_IN)
    if request is None:
        request = app.authorization_request(None)
        desk.progress.pending = (Purpose.SIGN_IN, request)
    return NeedsAuthorization(Purpose.SIGN_IN, request, _checklist(desk, seen))


def _waiting(desk: Desk, seen: Observation) -> Waiting:
    assert seen.connection is not None
    since = desk.progress.waiting_since or seen.looked_at
    desk.progress.waiting_since = since
    now = desk.clock.now()
    pause = desk.schedule.next((now - since).total_seconds(), jitter=desk.jitter())
    until = now + timedelta(seconds=pause)
    return Waiting(
        until=until,
        since=since,
        connection_id=seen.connection.id,
        checklist=checklist_of(seen, since=since, until=until),
    )


def _authorization(
    desk: Desk, seen: Observation, *, problem: str | None = None
) -> Flow[NeedsAuthorization]:
    """The portal's link: the one that is pending while it works, a new one otherwise."""
    request = None if problem else _pending(desk, Purpose.ORMCO)
    if request is None:
        made = yield from Call(AUTHORIZATION)
        request = AuthorizationRequest.from_url(
            made.authorization_url,
            expires_at=(
                None
                if made.expires_in is None
                else desk.clock.now() + timedelta(seconds=made.expires_in)
            ),
        )
        desk.progress.pending = (Purpose.ORMCO, request)
    return NeedsAuthorization(Purpose.ORMCO, request, _checklist(desk, seen), problem)


def _pending(desk: Desk, purpose: Purpose) -> AuthorizationRequest | None:
    """The authorization a person may be dealing with right now, if its link still works."""
    pending = desk.progress.pending
    if pending is None or pending[0] is not purpose:
        return None
    request = pending[1]
    if request.expires_at is not None and request.expires_at <= desk.clock.now():
        return None
    return request


def finish_authorization(desk: Desk, pasted: str) -> Flow[None]:
    """Take what the person pasted, at once: a code lives three minutes.

    Raises:
        AuthorizationNeeded: No authorization is pending.
        PasteError: There is no usable code in it; the authorization stays pending.
        ConsentDenied: The person chose *Cancel*.
        CodeRefused: The code was not taken; the next round makes a new link.
    """
    pending = desk.progress.pending
    if pending is None:
        raise AuthorizationNeeded("No authorization is under way, so this code has no use.")
    purpose, request = pending
    code = request.finish(pasted, clock=desk.clock)
    del pasted
    # Whatever comes of it, this link has done its work.
    desk.progress.pending = None
    if purpose is Purpose.ORMCO:
        yield from submit_code(code)
    elif desk.application is not None:
        yield from desk.application.exchange(code, request)
    else:
        raise AuthorizationNeeded("There is no application to sign in to.")


def run(desk: Desk, *, timeout: timedelta, may_ask: bool) -> Flow[Connected]:
    """Advance until connected: ask the person, wait for Ormco, go on.

    Raises:
        ApprovalTimeout: Ormco had not approved in time.
        AuthorizationNeeded: A person is needed and there is nobody to ask.
    """
    deadline = Deadline(desk.clock, (desk.clock.now() + timeout).timestamp())
    asked = 0
    problem: str | None = None
    while True:
        outcome = yield from advance(desk)
        match outcome:
            case Connected():
                return outcome
            case Waiting():
                left = deadline.left()
                if left <= 0:
                    raise _timeout(desk, outcome)
                yield from Emit(outcome.checklist)
                pause = (outcome.until - desk.clock.now()).total_seconds()
                yield from Pause(max(0.0, min(pause, left)))
            case NeedsAuthorization():
                if not may_ask:
                    raise _nobody_to_ask()
                if problem is not None:
                    outcome = outcome.because(problem)
                    problem = None
                asked += 1
                if asked > 2 * TRIES:
                    raise CodeRefused(
                        f"After {asked - 1} authorizations it is still not connected.",
                        advice="Use repair(): it revokes the old access before it asks again.",
                    )
                try:
                    yield from _ask(desk, outcome)
                except (CodeRefused, DraftLost, CodeOutcomeUnknown, ServerError) as error:
                    # The next round looks first: the code may have been taken after all.
                    if asked >= 2 * TRIES:
                        raise
                    problem = str(error)


def sign_in(
    desk: Desk, seen: Observation, problem: OrmcoTriosError, *, may_ask: bool
) -> Flow[None]:
    """Have a person sign in, if that is what the problem with Communicate is.

    Raises:
        AuthorizationNeeded: There is nobody to ask.
    """
    needed = _sign_in(desk, seen, problem)
    if not may_ask:
        raise _nobody_to_ask()
    yield from _ask(desk, needed)


def _nobody_to_ask() -> AuthorizationNeeded:
    return AuthorizationNeeded(
        "A person has to open the authorization link and allow access.",
        advice="Pass authorize=..., or use advance() and show its link.",
    )


def _ask(desk: Desk, needed: NeedsAuthorization) -> Flow[None]:
    """Ask a person, again when the paste is bad: nothing is lost by that."""
    for attempt in range(1, TRIES + 1):
        pasted = yield from AskHuman(needed)
        try:
            yield from finish_authorization(desk, pasted)
        except PasteError as error:
            if attempt == TRIES:
                raise
            needed = needed.because(str(error))
        except ConsentDenied:
            desk.progress.pending = None
            raise
        else:
            return
        finally:
            del pasted


def _timeout(desk: Desk, waiting: Waiting) -> OrmcoTriosError:
    now = desk.clock.now()
    age = (now - waiting.since).total_seconds()
    return ApprovalTimeout(
        f"Ormco had not approved the connection after {describe(age)}.",
        wait=ApprovalWait(
            connection_id=waiting.connection_id,
            began=waiting.since,
            deadline=now,
            schedule=desk.schedule,
        ),
        advice=(
            "Nothing is lost: run it again and it goes on. Approval can take up to 24 hours; "
            "after that, call Ormco support."
        ),
    )


def _checklist(desk: Desk, seen: Observation) -> Checklist:
    return checklist_of(seen, since=desk.progress.waiting_since)
