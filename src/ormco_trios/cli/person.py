"""What the commands ask of a person, on standard error: ``--json`` keeps standard output."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from ormco_trios.cli.common import NobodyAnswered, ask_for_paste, complain, prompt
from ormco_trios.core.errors import NobodyCameBack
from ormco_trios.ormcodigital.tasks import Address, Done, Failed, Reply, Task, TaskAnswer

if TYPE_CHECKING:
    from ormco_trios.oauth.receiver import RedirectReceiver
    from ormco_trios.oauth.request import AuthorizationRequest


def ask_for_address(
    request: AuthorizationRequest,
    explanation: str,
    *,
    hint: str,
    problem: str | None,
    receiver: RedirectReceiver | None,
) -> str:
    """Show the link and take the answer."""
    if problem:
        complain(problem)
    click.echo(
        f"\n{explanation}\n\n"
        f"1. Open this link, sign in to 3Shape, and choose Allow access:\n\n   {request.url}\n\n"
        f"   {hint}\n",
        err=True,
    )
    if receiver is not None and request.redirect_uri == receiver.redirect_uri:
        click.echo("2. Your browser comes back here by itself. Waiting for it ...\n", err=True)
        try:
            receiver.expect(request)
            return receiver.wait()
        except NobodyCameBack as error:
            complain(error)
    click.echo(
        "2. Copy the ENTIRE address of the page you are sent to, even if it shows an error,\n"
        "   and paste it here within three minutes. It is not shown while you paste.\n",
        err=True,
    )
    return ask_for_paste("Address")


def ask_for_account() -> str:
    """Ask which account the consent page showed; empty if nobody saw it."""
    question = "Which e-mail did 3Shape's page show? (Enter, if it showed none)"
    try:
        return prompt(question, default="", show_default=False)
    except NobodyAnswered:
        return ""  # a program that writes the address alone says nothing more


def ask_for_task(task: Task, *, checked_at: datetime) -> TaskAnswer:
    """Show the task and take the answer."""
    if task.problem:
        complain(task.problem)
    click.echo(f"\n{task.title}\n", err=True)
    for number, step in enumerate(task.steps, 1):
        click.echo(f"{number}. {step}", err=True)
    if task.text is not None:
        left = "" if task.until is None else _at_most((task.until - checked_at).total_seconds())
        click.echo(f"\nPaste this{left}:\n\n{task.text.get_secret_value()}\n", err=True)
    for line in task.if_moved:
        click.secho(f"   {line}", dim=True, err=True)
    if Reply.ADDRESS in task.replies:
        return _address_or_word(task)
    answer = _by_word(prompt(f"\n{task.question} (done, or what it said)"))
    if isinstance(answer, Done) and task.asks_account:
        return Done(ask_for_account() or None)
    return answer


def _at_most(seconds: float) -> str:
    if seconds <= 0:
        return ""
    return f", within {seconds / 60:.0f} minutes at most" if seconds > 90 else ", at once"


def _address_or_word(task: Task) -> TaskAnswer:
    words = "or the word failed"
    if Reply.DONE in task.replies:
        words = "or one of the words done and failed"
    click.echo("\nIt is not shown while you paste.", err=True)
    pasted = ask_for_paste(f"{task.question} ({words})")
    word = pasted.strip().casefold()
    if word == "done" and Reply.DONE in task.replies:
        return Done()
    if word == "failed":
        return Failed(prompt("What did the page say?", default="", show_default=False))
    return Address(pasted, account_shown=ask_for_account())


def _by_word(answer: str) -> TaskAnswer:
    words = answer.strip()
    if words.casefold().rstrip(".!") in {"done", "yes", "ok"}:
        return Done()
    return Failed("" if words.casefold().rstrip(".!") in {"failed", "no"} else words)
