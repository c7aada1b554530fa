"""Every portal, and everything that goes wrong at one: `nox -s portals`."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import Any

import pytest
from tests.conftest import SyncOrAsync
from tests.ormcodigital.portals.base import PASSWORD, PATIENT, TRUTH, Portal
from tests.ormcodigital.portals.forms import FormsPortal
from tests.ormcodigital.portals.frames import FramesPortal
from tests.ormcodigital.portals.graphql import GraphqlPortal
from tests.ormcodigital.portals.openid import OpenIdPortal
from tests.ormcodigital.portals.restless import RestlessPortal
from tests.ormcodigital.portals.spa import SpaPortal
from tests.ormcodigital.portals.walking import recording, walking
from tests.ormcodigital.portals.windows import WindowsPortal

from ormco_trios import Connected, Done, Failed, Source, TaskKind, errors
from ormco_trios.onboarding.checklist import OverallState
from ormco_trios.ormcodigital.first_contact.judge import judge
from ormco_trios.ormcodigital.first_contact.values import found
from ormco_trios.ormcodigital.phrases import PHRASES
from ormco_trios.ormcodigital.tasks import Task

PORTALS = [
    FormsPortal,
    SpaPortal,
    GraphqlPortal,
    FramesPortal,
    WindowsPortal,
    OpenIdPortal,
    RestlessPortal,
]

each_portal = pytest.mark.parametrize("kind", PORTALS, ids=lambda kind: kind.__name__)


@each_portal
def test_it_connects(both: Any, kind: type[Portal]) -> None:
    with walking(both, kind) as walk:
        outcome = walk.on()
        assert isinstance(outcome, Connected), outcome
        assert outcome.source is Source.BROWSER
        assert walk.portal.connected
        assert walk.portal.method.casefold() == "3shape trios"
        assert (walk.portal.tries, walk.portal.updates) == (1, 1)


@each_portal
def test_a_person_signs_in(both: Any, kind: type[Portal]) -> None:
    with walking(both, kind, knows_login=False) as walk:
        task: Any = walk.on()
        assert "Sign in to OrmcoDigital in the window." in text_of(task)
        assert walk.portal.tries == 0
        walk.log_in()
        walk.onboarding.finish_task(Done(), id=task.id)
        outcome = walk.on()
        assert isinstance(outcome, Connected), outcome
        assert outcome.source is Source.BROWSER
        assert (walk.portal.tries, walk.portal.updates) == (1, 1)


@each_portal
def test_a_recording_is_judged_by_the_portals_own_truth(kind: type[Portal]) -> None:
    with closing(SyncOrAsync("async")) as both, recording(both, kind) as (walk, recorder):
        assert isinstance(walk.on(), Connected)
        har = both.run(recorder.redacted)
        report = judge(har)
        said = {each.name: each.verdict.value for each in report.judgements}
        words = {f"words.{each.name}": kind.says(each.name) for each in PHRASES}
        assert said == TRUTH | kind.truth | words
        secrets = {
            *recorder.typed.values(),
            *walk.portal.sessions,
            *(each["value"] for each in both.run(walk.hidden._driver._context.cookies)),
            PATIENT,
            *PATIENT.split(),
        }
        written = (json.dumps(har), str(report), report.to_json(), report.to_html())
        for secret in secrets:
            for text in written:
                assert not any(found(secret, text)), secret


def text_of(task: Any) -> str:
    assert isinstance(task, Task), task
    assert PASSWORD not in str(task)
    return " ".join(task.steps)


@each_portal
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("wrong password", "know this|do not go|is wrong|Logon failed|let you in"),
        ("expired password", "[Ee]xpired"),
    ],
)
def test_a_login_is_tried_once(kind: type[Portal], fault: str, words: str, both: Any) -> None:
    with walking(both, kind, fault) as walk:
        task = walk.on()
        assert re.search(words, text_of(task)), text_of(task)
        assert walk.on() == task  # looked at once more
        assert walk.portal.tries == 1
        assert not walk.portal.connected


@each_portal
def test_a_wrong_code(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "wrong code") as walk:
        task = walk.on()
        assert "That is no authorization code." in text_of(task)
        assert isinstance(task, Task)
        assert task.kind is TaskKind.ENTER_CODE
        assert walk.portal.tries == 1
        assert not walk.portal.connected


@each_portal
def test_an_expired_code(kind: type[Portal], both: Any) -> None:
    with walking(both, kind) as walk:
        walk.late = 240
        task = walk.on()
        assert "3Shape did not accept this code." in text_of(task)
        assert walk.portal.tries == 1
        assert not walk.portal.connected


@each_portal
def test_a_session_that_ends_in_the_middle(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "session ends") as walk:
        task = walk.on()
        assert "sign-in again" in text_of(task), task
        assert walk.portal.tries == 1
        assert not walk.portal.connected


@each_portal
def test_a_portal_that_is_down(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "down") as walk:
        task = walk.on()
        assert "Back soon" in text_of(task)
        assert walk.portal.tries == 0


@each_portal
def test_a_refusal_in_another_language(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "in German") as walk:
        walk.late = 240
        task = walk.on()
        assert "Ihr Code gilt nicht mehr." in text_of(task)
        # The person has read it; another code is another try, and no other login.
        walk.late = 0
        walk.onboarding.finish_task(Failed("Ihr Code gilt nicht mehr."))
        assert isinstance(walk.on(), Connected)
        assert walk.portal.connected
        assert walk.portal.tries == 1


@each_portal
def test_ok_without_update(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "no Update") as walk:
        task = walk.on()
        assert "Ok was pressed, and Update was not." in text_of(task)
        assert walk.on() == task
        assert walk.onboarding.check().state is OverallState.NEEDS_PERSON
        assert walk.portal.updates == 0


@each_portal
def test_another_account_in_the_window(kind: type[Portal], both: Any) -> None:
    """Its code is not typed in, and *here* is pressed again without another login."""
    with walking(both, kind) as walk:
        (ben,) = walk.sandbox.practices(1)
        needed = walk.onboarding.advance()
        walk.consent(ben)
        with pytest.raises(errors.WrongAccount):
            walk.onboarding.finish_task(Done(account_shown=ben.email), id=needed.task.id)
        walk.sign_out()
        connected = walk.on()
        assert isinstance(connected, Connected), connected
        assert connected.account_checked
        assert (walk.portal.tries, walk.portal.updates) == (1, 1)


@each_portal
def test_two_matches(kind: type[Portal], both: Any) -> None:
    with walking(both, kind, "two matches") as walk:
        task = walk.on()
        assert 'more than one "Update"' in text_of(task)
        assert walk.portal.updates == 0
        assert not walk.portal.connected
