"""Onboarding is reconciliation: look, do what is missing, look again.

Running it again at any moment is safe, so *resume* is no separate thing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ormco_trios.communicate.approval import (
    TRANSIENT,
    ApprovalWait,
    describe,
    hint_in,
    may_pass,
    removed,
)
from ormco_trios.communicate.flows import request_connection
from ormco_trios.communicate.models import Connection, User
from ormco_trios.communicate.operations import APPROVE, ME
from ormco_trios.core.clock import Deadline
from ormco_trios.core.effects import AskHuman, Call, Emit, Flow, Pause
from ormco_trios.core.errors import (
    ApprovalTimeout,
    AuthorizationNeeded,
    AuthorizationRefused,
    CodeOutcomeUnknown,
    CodeRefused,
    CodeSpent,
    ConsentDenied,
    DraftLost,
    OrmcoTriosError,
    PasteError,
    PersonNeeded,
    PortalSignInRefused,
    ServerError,
    UnexpectedAnswer,
    UntrustedHost,
    WrongAccount,
)
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.onboarding.account import pin
from ormco_trios.onboarding.checklist import Checklist
from ormco_trios.onboarding.context import TRIES, Context
from ormco_trios.onboarding.mending import begin, end, mend_connection, mend_portal
from ormco_trios.onboarding.observation import SIGNED_OUT, Observation, the_lab
from ormco_trios.onboarding.outcomes import (
    Connected,
    NeedsAuthorization,
    NeedsPerson,
    Outcome,
    Purpose,
    Repair,
    Waiting,
)
from ormco_trios.onboarding.person import (
    as_answer,
    confirm,
    finish_authorization,
    finish_task,
    needs_person,
    take,
)
from ormco_trios.onboarding.steps import checklist_of
from ormco_trios.ormcodigital.models import TriosState
from ormco_trios.ormcodigital.tasks import Address, Done, Task, TaskKind

ACTIONS = 8
"""A round does a few things at the most; more means that one does not show in the next look."""

OUTAGE = 300.0
"""Seconds after which it is looked again, at the latest, if a look in a wait has failed."""

TASKS = 12
"""How often a person is given a task in one run."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom a run can ask.

    Attributes:
        authorize: Whether a link can be shown.
        person: Whether a task can be given.
    """

    authorize: bool
    person: bool

    def can(self, needed: NeedsAuthorization | NeedsPerson) -> bool:
        """Whether this can be asked; that a person is there is known from either."""
        if isinstance(needed, NeedsAuthorization):
            return self.authorize
        if needed.task.kind is TaskKind.BEGIN_REPAIR:
            return self.authorize or self.person
        return self.person


def asking(authorize: object, person: object) -> Asking:
    """Whom a run can ask, from its callbacks."""
    return Asking(authorize=authorize is not None, person=person is not None)


def ask_by_kind(authorize: Any, person: Any) -> Callable[[Any], Any]:
    """One callback of two, sync or async: links go to the one, tasks to the other."""

    def ask(needed: NeedsAuthorization | NeedsPerson) -> Any:
        return (person if isinstance(needed, NeedsPerson) else authorize)(needed)

    return ask


def check(context: Context) -> Flow[Checklist]:
    """Look at everything and change nothing."""
    return context.checklist((yield from context.look(everything=True)))


def advance(context: Context, repair: Repair | None = None) -> Flow[Outcome]:
    """Do what can be done now; emits the checklist after every look."""
    everything, me = repair is not None, None
    for _ in range(ACTIONS):
        seen = yield from context.look(everything=everything, me=me)
        everything, me = False, None
        if repair is not None:
            begin(context, repair, seen)
        elif context.progress.repair is not None:
            begin(context, context.progress.repair.extent, seen)
        yield from Emit(context.checklist(seen))
        outcome = yield from _act(context, seen)
        if isinstance(outcome, User):
            me = outcome
        elif outcome is not None:
            return outcome
    raise UnexpectedAnswer(
        "The change does not show when the services are read again.",
        operation="onboarding.advance",
        status=200,
    )


def _act(context: Context, seen: Observation) -> Flow[Outcome | User | None]:
    """The next thing to do.

    Returns:
        None when it is done and another look is due; the account when it has just been looked at.
    """
    if seen.communicate_problem is not None:
        return (yield from _sign_in(context, seen, seen.communicate_problem))
    assert seen.me is not None
    context.progress.use(
        pin(seen.me, expected=context.target.account, pinned=context.progress.account)
    )
    context.progress.region = context.target.region or context.progress.region
    mended = yield from mend_connection(context, seen)
    if mended:
        return mended if isinstance(mended, NeedsPerson) else None
    if seen.connection is None:
        if context.progress.waiting_since is not None:
            if seen.me.connections is None:
                raise UnexpectedAnswer(
                    "The answer does not say which connections the account has.",
                    operation=ME.name,
                    status=200,
                )
            # It was there, and was removed for a reason, so a person decides about another.
            context.progress.waiting_since = None
            raise removed()
        assert seen.region is not None
        lab = yield from the_lab(context.target, seen.region.region)
        connection = yield from request_connection(lab, me=seen.me)
        return _with(seen.me, connection)
    if seen.lab_problem is not None:
        raise seen.lab_problem
    if seen.invited:
        assert seen.region is not None
        yield from the_lab(context.target, seen.region.region)  # the same look as at one to ask
        path = {"user": seen.me.id, "connection": seen.connection.id}
        yield from Call(APPROVE, path=path)
        return None
    if not seen.approved:
        waiting = _waiting(context, seen)
        if seen.portal is not None and isinstance(seen.portal.problem, PortalSignInRefused):
            raise seen.portal.problem  # now, and not after a day of waiting
        return waiting
    context.progress.waiting_since = None
    return (yield from _at_the_portal(context, seen))


def _with(me: User, connection: Connection) -> User:
    """The account as it answered last: with the connection that it has just asked for."""
    others = [c for c in me.connections or () if c.id != connection.id]
    return me.model_copy(update={"connections": [*others, connection]})


def _at_the_portal(context: Context, seen: Observation) -> Flow[Outcome | None]:
    portal, visit, view = context.portal, context.visit, seen.portal
    assert view is not None
    if view.problem is not None:
        raise view.problem
    if view.task is not None:
        return needs_person(context, seen, view.task)
    mended = yield from mend_portal(context, seen)
    if mended:
        return mended if isinstance(mended, NeedsPerson) else None
    state = None if view.connection is None else view.connection.value
    problem: str | None = None
    task: Task | None
    if state is TriosState.DRAFT:
        try:
            task = yield from portal.save_draft(visit)
        except (CodeRefused, DraftLost) as error:
            problem = error.message
        else:
            return None if task is None else needs_person(context, seen, task)
    if state is TriosState.CONNECTED:
        method = None if view.submission_method is None else view.submission_method.value
        if method is None or not method.is_trios:
            task = yield from portal.set_submission_method(visit)
            return None if task is None else needs_person(context, seen, task)
        context.progress.pending = context.progress.task = context.code = None
        return Connected(
            context.checklist(seen), account_checked=seen.confirmed, repaired=end(context, seen)
        )
    if context.code is not None and not context.code.spent:
        task = yield from portal.enter_code(context.code, visit)
        return None if task is None else needs_person(context, seen, task)
    return (yield from _link(context, seen, problem))


def _link(
    context: Context, seen: Observation, problem: str | None
) -> Flow[NeedsAuthorization | NeedsPerson | None]:
    """The portal's link: the one that is pending while it works, a new one otherwise."""
    request = None if problem else _pending(context, Purpose.ORMCO)
    if request is None:
        confirm(context.progress, confirmed=False)  # what was said of an earlier code
        made = yield from context.portal.link(context.visit)
        if isinstance(made, Task):
            return needs_person(context, seen, made)
        if isinstance(made, Address):
            yield from take(context, made)
            return None
        _check_leads_to_3shape(context, made.authorization_url)
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
        Purpose.ORMCO, request, context.checklist(seen), problem, context.account
    )


def _check_leads_to_3shape(context: Context, url: str) -> None:
    try:
        context.target.environment.check_trusted(url)
    except UntrustedHost:
        leads_elsewhere = True
    else:
        leads_elsewhere = False
    if leads_elsewhere:
        raise UntrustedHost(
            "The link that OrmcoDigital gave does not lead to 3Shape, so nobody is sent there.",
            advice="Enter no password of 3Shape behind it. Ask Ormco support about the link, or do "
            "the portal's part by hand.",
        )


def _sign_in(
    context: Context, seen: Observation, problem: OrmcoTriosError
) -> Flow[NeedsAuthorization]:
    """A link to sign in with, if that is what is missing and it can be made."""
    app = context.application
    if isinstance(problem, WrongAccount):
        yield from context.drop_sign_in()
    if not isinstance(problem, SIGNED_OUT) or app is None:
        raise problem
    request = _pending(context, Purpose.SIGN_IN)
    if request is None or not app.made(request):
        request = app.authorization_request(None, login_hint=context.account)
        context.progress.pending = (Purpose.SIGN_IN, request)
    return NeedsAuthorization(
        Purpose.SIGN_IN, request, context.checklist(seen), account=context.account
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


def run(
    context: Context, *, timeout: timedelta, asking: Asking, repair: Repair | None = None
) -> Flow[Connected]:
    """Advance until connected: ask the person, wait for Ormco, go on.

    Raises:
        ApprovalTimeout: Ormco had not approved in time.
        AuthorizationNeeded: A link has to be opened, and there is nobody to show it to.
        PersonNeeded: A person has something to do, and there is nobody to ask.
        WrongAccount: Another account answered, three times if a person can be asked.
    """
    deadline = Deadline(context.clock, (context.clock.now() + timeout).timestamp())
    asked = tasks = wrong = failures = 0
    problem: str | None = None
    waiting: Waiting | None = None
    while True:
        try:
            outcome = yield from advance(context, repair)
        except TRANSIENT as error:
            # An outage in a wait of hours is none of its end.
            failures += 1
            if waiting is None or deadline.left() <= 0 or not may_pass(error, failures):
                raise
            age = (context.clock.now() - waiting.since).total_seconds()
            pause = min(context.schedule.next(age, jitter=context.jitter()), OUTAGE)
            yield from Pause(min(max(pause, hint_in(error) or 0.0), deadline.left()))
            continue
        except WrongAccount as error:
            wrong += 1
            if not asking.authorize or context.application is None or wrong >= TRIES:
                raise
            problem = error.message
            continue
        failures, waiting = 0, outcome if isinstance(outcome, Waiting) else None
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
                continue
            case NeedsAuthorization() if asking.can(outcome):
                asked += 1
                if asked > 2 * TRIES:
                    raise CodeRefused(
                        f"After {asked - 1} authorizations it is still not connected.",
                        advice="Use repair(): it revokes the old access before it asks again.",
                    )
            case NeedsPerson() if asking.can(outcome):
                tasks += 1
                if tasks > TASKS:
                    raise PersonNeeded(
                        f"After {tasks - 1} tasks it is still not connected.",
                        advice="See what the pages said, and run it again, or ask Ormco support.",
                    )
            case _:
                raise _nobody_to_ask(outcome)
        if problem is not None:
            outcome, problem = outcome.because(problem), None
        try:
            yield from _ask(context, outcome)
        except (CodeRefused, DraftLost, CodeOutcomeUnknown, ServerError) as error:
            # The next round looks first: the code may have been taken after all.
            if asked >= 2 * TRIES:
                raise
            problem = error.message


def _nobody_to_ask(needed: NeedsAuthorization | NeedsPerson) -> OrmcoTriosError:
    if isinstance(needed, NeedsAuthorization):
        return AuthorizationNeeded(
            "A person has to open the authorization link and allow access.",
            advice="Pass authorize=..., or use advance() and show its link.",
        )
    return PersonNeeded(f"A person has something to do: {needed.task.title}.")


def _ask(context: Context, needed: NeedsAuthorization | NeedsPerson) -> Flow[None]:
    """Ask a person, again when the paste is bad: nothing is lost by that."""
    if isinstance(needed, NeedsPerson) and needed.task.kind is TaskKind.BEGIN_REPAIR:
        # The caller who began the repair with a person to ask has answered this.
        yield from finish_task(context, Done(), id=needed.task.id)
        return
    for attempt in range(1, TRIES + 1):
        answer = as_answer((yield from AskHuman(needed)))
        try:
            if isinstance(needed, NeedsPerson):
                yield from finish_task(context, answer, id=needed.task.id)
            elif not isinstance(answer, Address):
                raise TypeError("a link is answered with the address that it led to")
            else:
                yield from finish_authorization(
                    context, answer.text, account_shown=answer.account_shown
                )
        except (PasteError, WrongAccount, CodeSpent) as error:
            if attempt == TRIES:
                raise
            if isinstance(error, WrongAccount) and _in_the_window(needed):
                return  # the next round opens the page again, and says why
            needed = needed.because(error.message)
        except (ConsentDenied, AuthorizationRefused) as error:
            # The portal's link has no state: nothing proves that this answers it.
            proven = isinstance(needed, NeedsAuthorization) and needed.request.provable
            if proven or attempt == TRIES:
                context.progress.pending = None
                raise
            needed = needed.because(error.message)
        else:
            return


def _in_the_window(needed: NeedsAuthorization | NeedsPerson) -> bool:
    return isinstance(needed, NeedsPerson) and needed.task.kind is TaskKind.IN_THE_WINDOW


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
