"""Names that want to be more than text, in every page that shows one."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, Page
from pydantic import SecretStr
from tests.browser.conftest import check

from ormco_trios import (
    AuthorizationRequest,
    NeedsAuthorization,
    NeedsPerson,
    Progress,
    TaskKind,
    User,
    errors,
)
from ormco_trios.core.html import card
from ormco_trios.fleet import FleetStatus, PracticeStatus, Stage
from ormco_trios.onboarding._page import PageServer
from ormco_trios.onboarding.checklist import Checklist, Step, StepName, StepState
from ormco_trios.onboarding.forms import task_form
from ormco_trios.onboarding.outcomes import Purpose
from ormco_trios.ormcodigital.first_contact.judge import Judgement, Report, Reusable, Verdict
from ormco_trios.ormcodigital.tasks import Reply, Task
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket

ATTACKS = (
    "<script>document.title='hacked'</script>",
    "'\"><img src=x onerror=\"document.title='hacked'\">",
    "</title></style></textarea><svg onload=\"document.title='hacked'\">",
    "{{ 7*191 }}{% include 'style.css' %}",
    "javascript:document.title='hacked'",
)
NAME = " ".join(ATTACKS)

OTHER = "o'b&lt{{7*191}}@clinic.example"
"""An e-mail that a browser accepts."""


@pytest.fixture
def sandbox(tmp_path) -> Iterator[Sandbox]:
    """Every text that a stranger can choose is an attack."""
    account: dict[str, str] = dict.fromkeys(
        ("Name", "FirstName", "LastName", "PhoneNumber", "AddressLine", "PostalCode", "City"), NAME
    )
    address = dict.fromkeys(("address1", "address2", "city", "country", "state", "zip"), NAME)
    seed: dict[str, object] = {
        "practices": [
            {
                "name": name,
                "connection": "active",
                "portal": "connected",
                "account": account | {"Country": NAME},
                "profile": {"name": NAME, "phone": NAME, "default_shipping_address": address},
                "cases": [{"patient": [NAME, NAME], "files": {f"{NAME}.dcm": 10}}],
            }
            for name in ("mallory", OTHER.partition("@")[0])
        ]
    }
    place = tmp_path / "seed.json"
    place.write_text(json.dumps(seed))
    with Sandbox(server=True, approval=Approval.held(), seed_file=place) as sandbox:
        world = sandbox.world
        lab = world.user(sandbox.practice.lab_email)
        lab.fields["Name"] = NAME
        world.new_connection(world.user("mallory@clinic.example"), world.user(OTHER))
        for client in world.state.clients.values():
            object.__setattr__(client, "name", NAME)
        yield sandbox


def attacked(person, shows: str = NAME) -> None:
    """The attack is on the page, and nothing but text."""
    page = person.page
    check(page)
    seen = page.evaluate(
        "document.body.innerText + [...document.querySelectorAll("
        "'input, [aria-label], [title]')].map(e => "
        "e.value + e.getAttribute('aria-label') + e.title).join()"
    )
    assert " ".join(shows.split()) in " ".join(seen.split())
    assert "1337" not in seen
    assert "hacked" not in page.title().replace("document.title='hacked'", "")
    odd = "script, img, svg, iframe, object, [onerror], [onload], a[href^='javascript']"
    assert page.locator(odd).count() == 0
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"


def test_names_are_text_at_3shape(person, sandbox) -> None:
    dialogs: list[object] = []
    person.page.on("dialog", lambda dialog: dialogs.append(dialog))
    person.open("/communicate/User/SignIn")
    person.sign_in("mallory@clinic.example")
    attacked(person)
    person.look("connections")
    person.page.get_by_label("Remove", exact=False).first.click()
    attacked(person)
    for page in ("Cases", "Applications"):
        person.follow(page)
        attacked(person)
        person.look(page.lower())
    person.open(f"/communicate/User/Connections/Add?{urlencode({'text': NAME, 'show': 'labs'})}")
    attacked(person)
    person.look("found")
    query = urlencode({"text": "<script", "show": "practices"})
    person.open(f"/communicate/User/Connections/Add?{query}")
    attacked(person)
    person.follow("Connections")
    person.follow("Sign out")
    person.sign_in(sandbox.practice.lab_email)
    attacked(person)
    person.look("at-the-lab")
    person.follow("Sign out")
    person.sign_in(OTHER)
    attacked(person, "Wants to connect with you")
    attacked(person, OTHER)
    assert dialogs == []


def test_names_are_text_at_the_portal(person, sandbox) -> None:
    who = sandbox.practice_with("mallory@clinic.example")
    person.open("/ormcodigital/")
    person.fill(Username=who.portal_username, Password=who.portal_password)
    person.press("Sign in")
    attacked(person)
    person.follow("My Account")
    person.follow("My Profile")
    attacked(person)
    person.look("profile")
    person.press("Connect 3 Shape to Insignia")
    person.fill(**{"Enter_Code_:": NAME})
    person.press("Ok")
    attacked(person, "does not look like an authorization code")


def test_names_are_text_where_access_is_allowed(person, sandbox) -> None:
    link = {
        "client_id": sandbox.client_id,
        "redirect_uri": sandbox.redirect_uri,
        "response_type": "code",
        "state": NAME,
    }
    person.open(f"/auth/oauth/authorise?{urlencode(link)}")
    attacked(person)
    person.sign_in(OTHER)
    attacked(person)
    attacked(person, OTHER)
    person.look("authorize")
    person.press("Cancel")
    attacked(person, "error=access_denied")
    person.open(f"/practice-app/?error={quote(NAME)}")
    attacked(person, "There is no code in this page's address.")
    person.open(f"/{quote(NAME)}")
    attacked(person, "There is nothing at this address.")


def test_names_are_text_for_the_operator(person, sandbox) -> None:
    person.open("/")
    attacked(person, OTHER)
    person.open("/sandbox/")
    attacked(person, OTHER)
    person.fill(Plan_a_fault=f"users.me:body={NAME.replace(',', ' ').replace(':', ' ')}")
    person.press("Plan")
    attacked(person, "users.me")
    person.fill(Plan_a_fault=f"{ATTACKS[0]}:status=500")
    person.press("Plan")
    attacked(person, f"there is no operation {ATTACKS[0]!r}")


EVIL = (
    "<script>window.hacked=1</script>\"'><img src=x onerror='window.hacked=1'></form></script>"
    "</style></title><svg onload=window.hacked=1><!-- {body}{0} &lt;img src=x onerror=x&gt; "
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe><a href='javascript:hacked=1'>x</a>"
)


def judged() -> str:
    return Report(
        (Judgement(EVIL, EVIL, Verdict.DIFFERS, EVIL),), (Reusable(EVIL, EVIL, (EVIL, EVIL)),)
    ).to_html()


def fleet() -> str:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    link = f"https://sandbox.example/?client_id=a&redirect_uri=b&state={EVIL}"
    asked = Progress(pending=(Purpose.ORMCO, AuthorizationRequest.from_url(link)))
    return FleetStatus.of(
        [
            PracticeStatus(EVIL, Stage.FAILED, now, None, problem=EVIL),
            PracticeStatus(EVIL, Stage.NEEDS_AUTHORIZATION, now, now, progress=asked),
            PracticeStatus(EVIL, Stage.WAITING, now, now),
        ],
        now=now,
    ).to_html()


def evil_task() -> Task:
    return Task(
        kind=TaskKind.ENTER_CODE,
        title=EVIL,
        steps=(EVIL, f"Go to https://users.example/{EVIL} now.", f"javascript:{EVIL}"),
        text=SecretStr(EVIL),
        replies=(Reply.ADDRESS, Reply.DONE, Reply.FAILED),
        question=EVIL,
        if_moved=(EVIL,),
        account=EVIL,
        id=EVIL,
        problem=EVIL,
    )


def notebook() -> str:
    account = User.model_validate(
        {"Id": EVIL, "Email": EVIL, "Name": EVIL, "Roles": [EVIL], "Country": EVIL}
    )
    link = AuthorizationRequest.from_url(f"https://a.example/?client_id=a&redirect_uri={EVIL}")
    script = AuthorizationRequest.from_url("javascript:hacked=1//?client_id=a&redirect_uri=b")
    checklist = Checklist(
        steps=tuple(
            Step(name=name, state=state, evidence=EVIL, next_action=EVIL)
            for name in StepName
            for state in StepState
        ),
        looked_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    shown = [
        card(EVIL, [(EVIL, EVIL)]),
        account._repr_html_(),
        checklist._repr_html_(),
        NeedsPerson(evil_task(), checklist)._repr_html_(),
        NeedsAuthorization(Purpose.ORMCO, link, checklist, EVIL, EVIL)._repr_html_(),
        NeedsAuthorization(Purpose.ORMCO, script, checklist)._repr_html_(),
    ]
    return "".join(shown)


@pytest.mark.parametrize("made", [judged, fleet, notebook], ids=lambda made: made.__name__)
def test_texts_are_text_in_what_is_written(browser: Browser, made: Callable[[], str]) -> None:
    page = browser.new_page()
    page.set_content(made())
    nothing_has_run(page)
    page.close()


def test_texts_are_text_on_the_page_of_tasks(browser: Browser) -> None:
    server = PageServer(0)
    form = task_form(evil_task(), f"/answer?{EVIL}", {EVIL: EVIL})

    def ask() -> None:
        with contextlib.suppress(errors.NobodyCameBack):
            server.ask(form, 30)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        page = browser.new_page()
        page.goto(server.url)
        nothing_has_run(page, scripts=1)
        page.close()
    finally:
        server.close()
        asking.join()


def nothing_has_run(page: Page, *, scripts: int = 0) -> None:
    shown = page.evaluate(
        "document.body.innerText + [...document.querySelectorAll('input, textarea')]"
        ".map(e => e.value).join()"
    )
    assert "onerror='window.hacked=1'" in shown, "the attack is on the page, as text"
    assert page.locator("script").count() == scripts
    odd = "img, iframe, object, [onerror], [onload], a[href^='javascript']"
    assert page.locator(odd).count() == 0
    page.wait_for_timeout(50)  # for what would run a moment later
    assert page.evaluate("window.hacked") is None
