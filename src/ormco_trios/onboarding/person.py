"""What a person is asked for, and what becomes of their answer."""

from __future__ import annotations

import secrets
from dataclasses import replace

from ormco_trios.core.effects import Flow
from ormco_trios.core.errors import (
    AuthorizationError,
    AuthorizationNeeded,
    CodeRefused,
    CodeSpent,
    DraftLost,
    NothingPasted,
    NotTheRedirect,
    PasteError,
    TaskOver,
    WrongAccount,
)
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.paste import harmless, leads_to
from ormco_trios.onboarding.account import fingerprint, shown_account
from ormco_trios.onboarding.context import TRIES, Context
from ormco_trios.onboarding.observation import Observation
from ormco_trios.onboarding.outcomes import NeedsPerson, Progress, Purpose, TaskUnderWay
from ormco_trios.ormcodigital.tasks import (
    Address,
    Done,
    Failed,
    Reply,
    Task,
    TaskAnswer,
    TaskKind,
)

_LINK = frozenset({TaskKind.GET_ADDRESS, TaskKind.ENTER_CODE})
"""Two tasks about one code."""

_KEPT = 8
"""How many fingerprints are kept."""

_NOT_HERE = (
    "A code was shown before, and is gone from here. If you have entered it and pressed Update, "
    "say done. If not, begin again with the first step."
)
_LATE = (
    "This code is probably too old. If OrmcoDigital refuses it, say failed, and you get the first "
    "step again."
)
_ODD = (
    "This does not look like the codes of the guide. Enter it as it is; if OrmcoDigital refuses "
    "it, say failed, and copy the ENTIRE address the next time."
)


def needs_person(context: Context, seen: Observation, task: Task) -> NeedsPerson:
    """The task as it is shown, under its id, which stays the same while it is the same task."""
    return NeedsPerson(_under_way(context, task), context.checklist(seen))


def _under_way(context: Context, task: Task) -> Task:
    known = context.progress.task
    if known is None or not (known.kind is task.kind or {known.kind, task.kind} <= _LINK):
        known = TaskUnderWay(kind=task.kind, id=secrets.token_urlsafe(9))
    known = known.model_copy(update={"kind": task.kind})
    problem = known.problem
    code = context.code
    if task.kind is TaskKind.ENTER_CODE and code is not None:
        known.code_shown = True
        task = replace(task, until=code.expires_at)
        if code.expires_at is not None and context.clock.now() > code.expires_at:
            problem = problem or _LATE
        elif not code.recognised:
            problem = problem or _ODD
    elif task.kind is TaskKind.GET_ADDRESS and known.code_shown:
        task = replace(task, replies=(Reply.ADDRESS, Reply.DONE, Reply.FAILED))
        problem = problem or _NOT_HERE
    context.progress.task = known
    return replace(task, id=known.id, problem=problem)


# --- an authorization that this library began -----------------------------------------------


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
    progress = context.progress
    with context.lock:
        # Of two that come at once, one finds it.
        pending, progress.pending = progress.pending, None
    if pending is None:
        raise AuthorizationNeeded("No authorization is under way, so this code cannot be used.")
    purpose, request = pending
    confirmed = False
    try:
        code = request.finish(pasted, clock=context.clock)
        if purpose is Purpose.ORMCO:
            confirmed = _account_of(context, code, account_shown)
    except AuthorizationError:
        progress.pending = pending
        raise
    # Whatever comes of it, this link has done its work.
    if purpose is Purpose.ORMCO:
        confirm(progress, confirmed=confirmed)
        yield from _enter(context, code)
    elif context.application is None:
        raise AuthorizationNeeded("There is no application to sign in to.")
    else:
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
        if context.code is not None and fingerprint(context.code) == mark:
            context.code = None  # it was shown before this was known, and is not shown again
        raise


def confirm(progress: Progress, *, confirmed: bool) -> None:
    """Remember whether a person said that Ormco's access is to the account that is meant."""
    if progress.account is not None:
        progress.account = replace(progress.account, confirmed=confirmed)


def _enter(context: Context, code: AuthorizationCode) -> Flow[Task | None]:
    """Hand the code to the portal; a task says that a person has to do something there first."""
    context.code = code
    try:
        task = yield from context.portal.enter_code(code, context.visit)
    except (CodeRefused, DraftLost):
        _over(context, code)
        if context.progress.repair is not None:
            context.progress.repair.refused += 1
        raise
    if task is None:
        _over(context, code)
        context.progress.linked_at = context.clock.now()
    return task


def _over(context: Context, code: AuthorizationCode | None) -> None:
    """The code has been used, whatever came of it."""
    context.code = None
    if code is not None:
        context.progress.used = (*context.progress.used, fingerprint(code))[-_KEPT:]


def take(context: Context, address: Address) -> Flow[None]:
    """Take an address that a browser was sent to before this program's eyes.

    Raises:
        As `finish_task`.
    """
    shown, context.account_shown = context.account_shown, None
    yield from _enter(context, _code_in(context, replace(address, account_shown=shown)))


# --- a task ---------------------------------------------------------------------------------


def as_answer(answer: object) -> TaskAnswer:
    """What a person has answered; a text is an address.

    Raises:
        TypeError: It is something else, such as what a function without a result returns.
    """
    if isinstance(answer, str):
        return Address(answer)
    if isinstance(answer, Address | Done | Failed) and isinstance(getattr(answer, "text", ""), str):
        return answer
    raise TypeError("a task is answered with Address(text), Done(), Failed(words) or a text")


def finish_task(context: Context, answer: TaskAnswer | str, *, id: str | None) -> Flow[None]:
    """Take what a person says of the task that they were given.

    Raises:
        TypeError: It is no answer; the task stays.
        TaskOver: There is no such task any more; nothing was used.
        PasteError: There is no usable code in the address; the task stays.
        CodeSpent: This address was brought before, and its code has been used; the task stays.
        WrongAccount: The consent page showed another account; the task stays.
        ConsentDenied: The person chose *Cancel*; the task stays.
        CodeRefused: The portal did not take the code; the next round has a new task.
    """
    answer = as_answer(answer)
    with context.lock:
        # Of two that come at once, one finds it.
        task = context.progress.task
        if task is None or id not in (None, task.id):
            raise TaskOver("This task has been answered, or another one has taken its place.")
        context.progress.task = None
    code, held = None, context.code
    context.account_shown = None
    try:
        if isinstance(answer, Address):
            if task.kind not in _LINK:
                raise PasteError(
                    "This task is not about an address.",
                    advice="Say whether it is done, or failed.",
                )
            code = _code_in(context, answer)
        elif isinstance(answer, Done):
            _done(context, task, answer.account_shown)
        else:
            _failed(context, task, answer.words)
    except BaseException:
        if held is not None and context.code is None:
            task = TaskUnderWay(kind=TaskKind.GET_ADDRESS, id=task.id)
        context.progress.task = task
        raise
    if code is not None:
        asked = yield from _enter(context, code)
        if asked is not None:
            context.progress.task = TaskUnderWay(kind=asked.kind, id=task.id, code_shown=True)


def _code_in(context: Context, answer: Address) -> AuthorizationCode:
    """The code in the address, if it is the portal's and was not used before."""
    application = context.application
    if application is not None and leads_to(answer.text, application.redirect_uri):
        raise NotTheRedirect(
            "This is the address of this program's own sign-in, and not of OrmcoDigital's link.",
            advice='Click the link "here" at OrmcoDigital, and copy the address that it leads to.',
        )
    code = AuthorizationCode.from_pasted(answer.text, clock=context.clock)
    mark = fingerprint(code)
    held = context.code
    if held is not None and not held.spent and fingerprint(held) == mark:
        code = held  # the same address once more
    elif mark in context.progress.used:
        raise CodeSpent(
            "This address was brought before, and its code has been used.",
            advice='Click the link "here" again, and bring the address that it leads to then.',
        )
    confirm(context.progress, confirmed=_account_of(context, code, answer.account_shown))
    return code


def _done(context: Context, task: TaskUnderWay, shown: str | None) -> None:
    kind, repair = task.kind, context.progress.repair
    if kind is TaskKind.GET_ADDRESS:
        if not task.code_shown:
            raise NothingPasted(
                "This task is answered with an address, and there is none.",
                advice="Copy the ENTIRE address of the page that you were sent to, and paste it.",
            )
        kind = TaskKind.ENTER_CODE
    if kind is TaskKind.BEGIN_REPAIR:
        if repair is not None:
            repair.person_there = True
        return
    if kind is TaskKind.REMOVE_ACCESS:
        if repair is not None:
            repair.revoked = True
        return
    if kind is TaskKind.IN_THE_WINDOW:
        _allowed_by(context, task, shown)
    if kind is TaskKind.ENTER_CODE:
        _spend(context)
        context.progress.linked_at = context.clock.now()
    context.portal.done(kind, context.visit)


def _allowed_by(context: Context, task: TaskUnderWay, shown: str | None) -> None:
    """Keep which account was shown until its code comes; another one's is not waited for.

    Raises:
        PasteError: It is not an e-mail address.
        WrongAccount: It is another account.
    """
    try:
        shown_account(
            shown,
            expected=context.target.account,
            pinned=context.progress.account,
            page=context.target.applications,
        )
    except WrongAccount as error:
        task.problem = error.message
        context.portal.failed(task.kind, context.visit)
        raise
    context.account_shown = shown


def _failed(context: Context, task: TaskUnderWay, words: str) -> None:
    kind, repair = task.kind, context.progress.repair
    said = harmless(words)
    problem = f"It did not work. The page said: {said}" if said else "It did not work."
    again = task.model_copy(update={"problem": problem})
    if kind is TaskKind.BEGIN_REPAIR:
        context.progress.repair = None  # nothing has been taken away yet, and nothing will be
        return
    if kind is TaskKind.REMOVE_ACCESS and repair is not None:
        # As far as a program can; the rest of the repair may help all the same.
        repair.revoked = True
        return
    if kind is TaskKind.ENTER_CODE:
        _spend(context)
        if repair is not None:
            repair.refused += 1
        again = TaskUnderWay(
            kind=TaskKind.GET_ADDRESS, id=secrets.token_urlsafe(9), problem=problem
        )
    context.progress.task = again
    context.portal.failed(kind, context.visit)


def _spend(context: Context) -> None:
    """A person has entered the code that was shown here; it may have been shown elsewhere."""
    code = context.code
    if code is not None and not code.spent:
        code.spend("what a person entered at OrmcoDigital")
    _over(context, code)
