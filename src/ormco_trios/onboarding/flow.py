"""Onboarding is reconciliation: look, do what is missing, look again.

Running it again at any moment is safe, so *resume* is no separate thing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from ormco_trios.communicate.approval import (
    ApprovalWait,
    Jitter,
    PollSchedule,
    describe,
    random_jitter,
    removed,
)
from ormco_trios.communicate.flows import request_connection
from ormco_trios.communicate.models import User
from ormco_trios.communicate.operations import ME
from ormco_trios.communicate.regions import Region
from ormco_trios.core.clock import Clock, Deadline
from ormco_trios.core.effects import AskHuman, Call, Emit, Flow, Pause
from ormco_trios.core.environment import Environment
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
    WrongAccount,
)
from ormco_trios.oauth.application import Application
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding.account import (
    email_of,
    expected_account,
    fingerprint,
    pin,
    shown_account,
    wrong_account,
)
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.observation import (
    SIGNED_OUT,
    Observation,
    Target,
    checklist_of,
    observe,
    the_lab,
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
from ormco_trios.ormcodigital.tasks import Address

TRIES = 3
"""How often a person is asked anew for one purpose, when a paste is bad or a code not taken."""

ACTIONS = 8
"""A round does a few things at the most; more means that one does not show in the next look."""


@dataclass(slots=True)
class Context:
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
        environment: Environment,
        clock: Clock,
        application: Application | None,
        *,
        account: str | None,
        region: Region | None,
        progress: Progress | None,
        schedule: PollSchedule | None,
    ) -> Context:
        """For a practice that may be new.

        Raises:
            ConfigurationError: ``account`` is not an e-mail address.
        """
        target = Target(environment, region, expected_account(account))
        return cls(clock, application, target, progress or Progress(), schedule or PollSchedule())

    @property
    def account(self) -> str | None:
        """The e-mail of the account that is meant, as far as it is known."""
        return email_of(self.target.account, self.progress.account)


def look(context: Context, *, everything: bool) -> Flow[Observation]:
    """What both services say of this practice."""
    return observe(
        context.target, context.clock, everything=everything, pinned=context.progress.account
    )


def own_account(context: Context) -> Flow[User]:
    """The account, for what is taken away from it.

    Raises:
        WrongAccount: It is another one than meant; its sign-in was dropped.
    """
    me = yield from Call(ME)
    problem = wrong_account(
        me,
        expected=context.target.account,
        pinned=context.progress.account,
        page=context.target.applications,
    )
    if problem is not None:
        yield from _drop_sign_in(context)
        raise problem
    return me


def _drop_sign_in(context: Context) -> Flow[None]:
    if context.application is not None:
        yield from context.application.forget()


def check(context: Context) -> Flow[Checklist]:
    """Look at everything and change nothing."""
    seen = yield from look(context, everything=True)
    return _checklist(context, seen)


def advance(context: Context) -> Flow[Outcome]:
    """Do what can be done now; emits the checklist after every look."""
    for _ in range(ACTIONS):
        seen = yield from look(context, everything=False)
        yield from Emit(_checklist(context, seen))
        outcome = yield from _act(context, seen)
        if outcome is not None:
            return outcome
    raise UnexpectedAnswer(
        "What was changed does not show when it is looked at again.",
        operation="onboarding.advance",
        status=200,
    )


def _act(context: Context, seen: Observation) -> Flow[Outcome | None]:
    """The next thing to do; None when it is done and another look is due."""
    if seen.communicate_problem is not None:
        return (yield from _sign_in(context, seen, seen.communicate_problem))
    assert seen.me is not None
    context.progress.use(
        pin(seen.me, expected=context.target.account, pinned=context.progress.account)
    )
    if seen.connection is None:
        if context.progress.waiting_since is not None:
            # It was there: whoever removed it had a reason, so a person decides about another.
            context.progress.waiting_since = None
            raise removed()
        assert seen.region is not None
        lab = yield from the_lab(context.target, seen.region.region)
        yield from request_connection(lab, me=seen.me)
        return None
    if seen.lab_problem is not None:
        raise seen.lab_problem
    if not seen.approved:
        return _waiting(context, seen)
    context.progress.waiting_since = None
    if seen.portal_problem is not None:
        raise seen.portal_problem
    assert seen.profile is not None
    assert seen.trios is not None
    method = seen.profile.submission_method
    if seen.trios.state is TriosState.DRAFT:
        try:
            yield from save_draft()
        except (CodeRefused, DraftLost) as error:
            return (yield from _authorization(context, seen, problem=str(error)))
        return None
    if method is None or not method.is_trios:
        yield from set_submission_method(SubmissionMethod.trios())
        return None
    if seen.trios.state is TriosState.CONNECTED:
        context.progress.pending = None
        return Connected(_checklist(context, seen), account_checked=seen.confirmed)
    return (yield from _authorization(context, seen))


def _sign_in(
    context: Context, seen: Observation, problem: OrmcoTriosError
) -> Flow[NeedsAuthorization]:
    """A link to sign in with, if that is what is missing and it can be made."""
    app = context.application
    if isinstance(problem, WrongAccount):
        yield from _drop_sign_in(context)
    if not isinstance(problem, SIGNED_OUT) or app is None:
        raise problem
    request = _pending(context, Purpose.SIGN_IN)
    if request is None:
        request = app.authorization_request(None, login_hint=context.account)
        context.progress.pending = (Purpose.SIGN_IN, request)
    return NeedsAuthorization(
        Purpose.SIGN_IN, request, _checklist(context, seen), account=context.account
    )


def _waiting(context: Context, seen: Observation) -> Waiting:
    assert seen.connection is not None
    since = context.progress.waiting_since or seen.looked_at
    context.progress.waiting_since = since
    now = context.clock.now()
    pause = context.schedule.next((now - since).total_seconds(), jitter=context.jitter())
    until = now + timedelta(seconds=pause)
    return Waiting(
        until=until,
        since=since,
        connection_id=seen.connection.id,
        checklist=checklist_of(seen, since=since, until=until),
    )


def _authorization(
    context: Context, seen: Observation, *, problem: str | None = None
) -> Flow[NeedsAuthorization]:
    """The portal's link: the one that is pending while it works, a new one otherwise."""
    request = None if problem else _pending(context, Purpose.ORMCO)
    if request is None:
        made = yield from Call(AUTHORIZATION)
        request = AuthorizationRequest.from_url(
            made.authorization_url,
            expires_at=(
                None
                if made.expires_in is None
                else context.clock.now() + timedelta(seconds=made.expires_in)
            ),
        )
        context.progress.pending = (Purpose.ORMCO, request)
    return NeedsAuthorization(
        Purpose.ORMCO, request, _checklist(context, seen), problem, context.account
    )


def _pending(context: Context, purpose: Purpose) -> AuthorizationRequest | None:
    """The authorization a person may be dealing with right now, if its link still works."""
    pending = context.progress.pending
    if pending is None or pending[0] is not purpose:
        return None
    request = pending[1]
    if request.expires_at is not None and request.expires_at <= context.clock.now():
        return None
    return request


def finish_authorization(
    context: Context, pasted: str, *, account_shown: str | None = None
) -> Flow[None]:
    """Take what the person pasted, at once: a code lives three minutes.

    Raises:
        AuthorizationNeeded: No authorization is pending.
        PasteError: There is no usable code in it; the authorization stays pending.
        WrongAccount: The consent page showed another account; its code is not handed over, and the
            authorization stays pending.
        ConsentDenied: The person chose *Cancel*.
        CodeRefused: The code was not taken; the next round makes a new link.
    """
    pending = context.progress.pending
    if pending is None:
        raise AuthorizationNeeded("No authorization is under way, so this code has no use.")
    purpose, request = pending
    code = request.finish(pasted, clock=context.clock)
    if purpose is Purpose.ORMCO:
        confirmed = _account_of(context, code, account_shown)
        # Whatever comes of it, this link has done its work.
        context.progress.pending = None
        if context.progress.account is not None:
            context.progress.account = replace(context.progress.account, confirmed=confirmed)
        yield from submit_code(code)
        return
    context.progress.pending = None
    if context.application is None:
        raise AuthorizationNeeded("There is no application to sign in to.")
    yield from context.application.exchange(code, request)


def _account_of(context: Context, code: AuthorizationCode, shown: str | None) -> bool:
    """Whether ``code`` is known to come from the account that is meant.

    Raises:
        PasteError: ``shown`` is not an e-mail address.
        WrongAccount: It comes from another account, or came from one when it was pasted before.
    """
    progress = context.progress
    if (mark := fingerprint(code)) in progress.refused:
        raise PasteError(
            "This address came from another account when it was pasted before.",
            advice="Open the link again, sign in as the account that is meant, and paste the "
            "address that this leads to.",
        )
    try:
        return shown_account(
            shown,
            expected=context.target.account,
            pinned=progress.account,
            page=context.target.applications,
        )
    except WrongAccount:
        progress.refused = (*progress.refused, mark)[-TRIES:]
        raise


def run(context: Context, *, timeout: timedelta, may_ask: bool) -> Flow[Connected]:
    """Advance until connected: ask the person, wait for Ormco, go on.

    Raises:
        ApprovalTimeout: Ormco had not approved in time.
        AuthorizationNeeded: A person is needed and there is nobody to ask.
        WrongAccount: Another account answered, three times if a person can be asked.
    """
    deadline = Deadline(context.clock, (context.clock.now() + timeout).timestamp())
    asked = wrong = 0
    problem: str | None = None
    while True:
        try:
            outcome = yield from advance(context)
        except WrongAccount as error:
            wrong += 1
            if not may_ask or context.application is None or wrong >= TRIES:
                raise
            problem = str(error)
            continue
        match outcome:
            case Connected():
                return outcome
            case Waiting():
                left = deadline.left()
                if left <= 0:
                    raise _timeout(context, outcome)
                yield from Emit(outcome.checklist)
                pause = (outcome.until - context.clock.now()).total_seconds()
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
                    yield from _ask(context, outcome)
                except (CodeRefused, DraftLost, CodeOutcomeUnknown, ServerError) as error:
                    # The next round looks first: the code may have been taken after all.
                    if asked >= 2 * TRIES:
                        raise
                    problem = str(error)


def sign_in(
    context: Context, seen: Observation, problem: OrmcoTriosError, *, may_ask: bool
) -> Flow[None]:
    """Have a person sign in, if that is what the problem with Communicate is.

    Raises:
        AuthorizationNeeded: There is nobody to ask.
    """
    needed = yield from _sign_in(context, seen, problem)
    if not may_ask:
        raise _nobody_to_ask()
    yield from _ask(context, needed)


def _nobody_to_ask() -> AuthorizationNeeded:
    return AuthorizationNeeded(
        "A person has to open the authorization link and allow access.",
        advice="Pass authorize=..., or use advance() and show its link.",
    )


def _ask(context: Context, needed: NeedsAuthorization) -> Flow[None]:
    """Ask a person, again when the paste is bad: nothing is lost by that."""
    for attempt in range(1, TRIES + 1):
        answer = yield from AskHuman(needed)
        try:
            pasted, shown = (
                (answer.text, answer.account_shown)
                if isinstance(answer, Address)
                else (answer, None)
            )
            del answer
            yield from finish_authorization(context, pasted, account_shown=shown)
        except (PasteError, WrongAccount) as error:
            if attempt == TRIES:
                raise
            needed = needed.because(str(error))
        except ConsentDenied:
            context.progress.pending = None
            raise
        else:
            return


def _timeout(context: Context, waiting: Waiting) -> OrmcoTriosError:
    now = context.clock.now()
    age = (now - waiting.since).total_seconds()
    return ApprovalTimeout(
        f"Ormco had not approved the connection after {describe(age)}.",
        wait=ApprovalWait(
            connection_id=waiting.connection_id,
            began=waiting.since,
            deadline=now,
            schedule=context.schedule,
        ),
        advice=(
            "Nothing is lost: run it again and it goes on. Approval can take up to 24 hours; "
            "after that, call Ormco support."
        ),
    )


def _checklist(context: Context, seen: Observation) -> Checklist:
    return checklist_of(seen, since=context.progress.waiting_since)
