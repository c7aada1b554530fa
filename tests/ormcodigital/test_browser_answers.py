"""What counts as seen after *Ok* and *Update*, and whose account it is: pages are values here."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from tests.oauth.test_paste import CODE, OTHER
from tests.ormcodigital.pages import PagePortal
from tests.practices import signed_in

from ormco_trios import Connected, Done, Failed, NeedsPerson, Source, errors
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.runner import Runner
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.onboarding.checklist import OverallState, StepName
from ormco_trios.ormcodigital.browser.guide import says_nothing_else
from ormco_trios.ormcodigital.models import TriosState
from ormco_trios.ormcodigital.portal import PortalVisit
from ormco_trios.ormcodigital.tasks import Task, TaskKind
from ormco_trios.sandbox import Approval, Sandbox

CLOCK = ManualClock()


@pytest.mark.parametrize(
    "line",
    [
        "Saved.",
        "Your profile was updated.",
        "Changes have been saved successfully!",
        "Thank you.",
        "3Shape connected",
        "Code received. Press Update to save.",
        "Source: Intraoral Scanner 3Shape Trios",
        "You can now send scans to Insignia: your account is linked.",
        "Last saved on 24.11.2026 at 10:03",
        "10:03:07",
    ],
)
def test_words_that_say_nothing_but_that_it_was_saved(line: str) -> None:
    assert says_nothing_else(line)


@pytest.mark.parametrize(
    "line",
    [
        "Not saved.",
        "Profile saved, but the code is too old.",
        "Saved as a draft.",
        "Disconnected",
        "Der Code ist abgelaufen.",
        "Profil gespeichert.",
        "Le code n'est pas accepted.",
        "コードが無効です",
        "Session",
        "Your code",
        "500",
        "0 changes saved",
        "Is your profile saved?",
        "Your profile was saved with code 0",
        "You can now send scans to Insignia",
    ],
)
def test_all_other_words_are_a_persons_to_read(line: str) -> None:
    assert not says_nothing_else(line)


def entered(portal: PagePortal, visit: PortalVisit) -> Any:
    guide = portal.guide()
    flow = guide.enter_code(AuthorizationCode.from_pasted(f"https://a.example/?code={CODE}"), visit)
    return guide, Runner({}, CLOCK).run(flow)


@pytest.mark.parametrize("words", [(), ("Saved.",), ("Thank you.", "Your profile was updated.")])
def test_a_portal_that_says_nothing_else_is_seen(words: tuple[str, ...]) -> None:
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    portal.after_update = words
    _, task = entered(portal, visit)
    assert task is None
    known = visit.memory.connection
    assert known is not None
    assert (known.value, known.source) == (TriosState.CONNECTED, Source.BROWSER)
    assert "Ok and Update were pressed" in known.evidence
    assert "the profile shows 3Shape Trios" in known.evidence
    for line in words:
        assert line in known.evidence


def test_what_each_page_shows_is_no_answer() -> None:
    """Such as a line at the end of it, also where a person was asked to go on."""
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    portal.lost = True
    guide = portal.guide()
    asked: Any = Runner({}, CLOCK).run(guide.look(visit)).task
    assert "Ihr Partner seit 1950." in " ".join(asked.steps)
    portal.lost = False
    guide.done(asked.kind, visit)
    code = AuthorizationCode.from_pasted(f"https://a.example/?code={CODE}")
    Runner({}, CLOCK).run(guide.look(visit))
    assert Runner({}, CLOCK).run(guide.enter_code(code, visit)) is None
    assert visit.memory.view().connection is not None


@pytest.mark.parametrize(
    "where", ["after_ok", "after_update", "for_long", "dialogs"], ids=lambda name: name
)
def test_words_in_another_language_are_read_by_a_person(where: str) -> None:
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    setattr(portal, where, ("Ihr Code ist abgelaufen.",))
    guide, task = entered(portal, visit)
    assert isinstance(task, Task)
    assert task.kind is TaskKind.ENTER_CODE
    assert '"Ihr Code ist abgelaufen."' in " ".join(task.steps)
    assert visit.memory.view().connection is None
    # It is asked for until it is answered, and then it is the person's word.
    assert Runner({}, CLOCK).run(guide.look(visit)).task == task
    guide.done(task.kind, visit)
    known = visit.memory.connection
    assert known is not None
    assert known.source is Source.PRACTICE
    assert "Ihr Code ist abgelaufen." in known.evidence


def test_the_same_words_as_the_last_time_are_as_new() -> None:
    """An error that stays on the page is not taken for silence when it comes again."""
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    portal.for_long = portal.dialogs = ("Codigo no valido",)
    guide, task = entered(portal, visit)
    assert isinstance(task, Task)
    guide.failed(task.kind, visit)
    code = AuthorizationCode.from_pasted(f"https://a.example/?code={OTHER}")
    again = Runner({}, CLOCK).run(guide.enter_code(code, visit))
    assert isinstance(again, Task)
    assert '"Codigo no valido"' in " ".join(again.steps)


def test_an_answer_that_is_an_error_is_read_by_a_person() -> None:
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    portal.refuses = True
    _, task = entered(portal, visit)
    assert isinstance(task, Task)
    assert "an error" in " ".join(task.steps)


@pytest.mark.parametrize("asks", [True, False], ids=["asked", "gone"])
def test_update_without_an_answer_is_a_persons_to_see(asks: bool) -> None:
    """It was pressed, and that is what the person is told."""
    portal, visit = PagePortal(), PortalVisit(CLOCK)
    portal.asks, portal.goes_away = asks, not asks
    _, task = entered(portal, visit)
    assert isinstance(task, Task)
    assert "Ok and Update were pressed, and the profile was not read back." in task.steps[0]
    assert ("Leave the page?" in task.steps[0]) is asks
    assert visit.memory.connection is None


@pytest.mark.parametrize("words", [(), ("Connected.",), ("Your account is connected to 3Shape.",)])
def test_ok_without_update_connects_nothing(words: tuple[str, ...], both: Any) -> None:
    """Whatever the page says, and although the window of the code has closed."""
    portal = PagePortal()
    portal.after_ok, portal.has_update = words, False
    with Sandbox(approval=Approval.immediately()) as sandbox:
        onboarding = to_the_portal(both, sandbox, portal)
        onboarding.advance()
        portal.address = address(sandbox)
        onboarding.finish_task(Done())
        needed = onboarding.advance()
        assert portal.pressed[-1] == "Ok"
        assert isinstance(needed, NeedsPerson)
        assert "Ok was pressed, and Update was not." in " ".join(needed.task.steps)
        for _ in range(2):
            assert isinstance(onboarding.advance(), NeedsPerson)
            assert onboarding.check().state is not OverallState.CONNECTED
        onboarding.finish_task(Failed())
        assert onboarding.check().state is not OverallState.CONNECTED


# --- whose account --------------------------------------------------------------------------


def to_the_portal(both: Any, sandbox: Sandbox, portal: PagePortal) -> Any:
    practice = signed_in(both, sandbox, by_hand=True)
    return both.onboarding(
        communicate=practice.communicate, oauth=practice.oauth, ormco=portal.access(both)
    )


def address(sandbox: Sandbox, email: str | None = None) -> str:
    """What 3Shape's window is sent to once somebody has allowed access there."""
    world = sandbox.world
    query = {
        "client_id": world.portal_client,
        "redirect_uri": world.landing_address,
        "response_type": "code",
    }
    link = f"{sandbox.base_url}/auth/oauth/authorise?{urlencode(query)}"
    return sandbox.authorize(link, email=email or sandbox.practice.email)


@pytest.mark.parametrize("says", [True, False])
def test_the_task_asks_which_account_allowed_access(says: bool, both: Any) -> None:
    portal = PagePortal()
    with Sandbox(approval=Approval.immediately()) as sandbox:
        onboarding = to_the_portal(both, sandbox, portal)
        needed = onboarding.advance()
        assert needed.task.asks_account
        assert sandbox.practice.email in " ".join(needed.task.steps)
        portal.address = address(sandbox)
        shown = sandbox.practice.email.upper() if says else None
        onboarding.finish_task(Done(account_shown=shown))
        connected = onboarding.advance()
        assert isinstance(connected, Connected)
        assert connected.account_checked is says
        step = connected.checklist[StepName.AUTHORIZATION]
        assert ("account not checked" in step.evidence) is not says


def test_another_account_is_not_handed_over(both: Any) -> None:
    portal = PagePortal()
    with Sandbox(approval=Approval.immediately()) as sandbox:
        (ben,) = sandbox.practices(1)
        onboarding = to_the_portal(both, sandbox, portal)
        first = onboarding.advance()
        portal.address = address(sandbox, ben.email)
        with pytest.raises(errors.WrongAccount) as caught:
            onboarding.finish_task(Done(account_shown=ben.email))
        assert ben.email not in str(caught.value)
        again = onboarding.advance()
        assert portal.typed == []
        assert portal.pressed.count("here") == 2
        assert again.task.id == first.task.id
        assert again.problem == str(caught.value)
        portal.address = address(sandbox)
        onboarding.finish_task(Done(account_shown=sandbox.practice.email), id=again.task.id)
        assert onboarding.advance().account_checked


def test_a_run_opens_the_page_again_for_the_right_account(both: Any) -> None:
    portal, problems = PagePortal(), []
    with Sandbox(approval=Approval.immediately()) as sandbox:
        (ben,) = sandbox.practices(1)

        def person(needed: NeedsPerson) -> Done:
            problems.append(needed.problem)
            who = ben if len(problems) == 1 else sandbox.practice
            portal.address = address(sandbox, who.email)
            return Done(account_shown=who.email)

        connected = to_the_portal(both, sandbox, portal).run(person=both.callback(person))
        assert connected.account_checked
        assert problems[0] is None
        assert "is meant is" in str(problems[1])
        assert len(portal.typed) == 1


def test_what_is_no_e_mail_is_asked_for_again(both: Any) -> None:
    portal = PagePortal()
    with Sandbox(approval=Approval.immediately()) as sandbox:
        onboarding = to_the_portal(both, sandbox, portal)
        needed = onboarding.advance()
        portal.address = address(sandbox)
        with pytest.raises(errors.PasteError, match="e-mail"):
            onboarding.finish_task(Done(account_shown="yes, mine"))
        onboarding.finish_task(Done(account_shown=sandbox.practice.email), id=needed.task.id)
        assert onboarding.advance().account_checked
        assert portal.pressed.count("here") == 1
