"""The browser's decisions without a browser: pages are values, and a fake performs the actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.oauth.test_paste import CODE as PASTED

from ormco_trios import AsyncBrowserPortal, BrowserPortal, errors
from ormco_trios.core.clock import ManualClock
from ormco_trios.core.runner import Runner
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.ormcodigital.browser.actions import (
    Choose,
    Covered,
    Fill,
    Look,
    Obstructed,
    Open,
    Press,
    Submit,
)
from ormco_trios.ormcodigital.browser.guide import BrowserGuide, Login, Patience, Stuck, method
from ormco_trios.ormcodigital.browser.page import Seen, Thing, Window, submit_of
from ormco_trios.ormcodigital.browser.sites import belongs, brings_code, portal_address
from ormco_trios.ormcodigital.models import SubmissionMethod
from ormco_trios.ormcodigital.phrases import (
    CODE,
    CONNECT,
    HERE,
    OK,
    PASSWORD,
    TRIOS,
    UPDATE,
    USERNAME,
    Phrase,
)
from ormco_trios.ormcodigital.portal import PortalVisit
from ormco_trios.ormcodigital.tasks import TaskKind


def seen(*things: Thing, heading: str = "", words: tuple[str, ...] = ()) -> Seen:
    lines = tuple((line, False) for line in words)
    return Seen((Window("https://portal.example/", heading, things, lines),))


def thing(role: str, name: str, path: tuple[int, ...] = (0,), **more: Any) -> Thing:
    return Thing(role, name, path=path, **more)


@pytest.mark.parametrize(
    ("phrase", "name", "found"),
    [
        (UPDATE, "Update", True),
        (UPDATE, " UPDATE ", True),
        (UPDATE, "Update Password", False),
        (CONNECT, "Connect 3Shape to Insignia", True),
        (CONNECT, "connect 3 shape TO insignia", True),
        (CONNECT, "Disconnect 3Shape to Insignia", False),
        (HERE, "click here", True),
        (HERE, "here for help", False),
    ],
)
def test_words_are_anchored_and_blind_to_case(phrase: Phrase, name: str, found: bool) -> None:
    assert bool(seen(thing("button", name)).find(phrase)) is found


def test_a_role_goes_before_words() -> None:
    button = thing("button", "Update", (2, 0))
    page = seen(thing("text", "Update", (1, 0)), button)
    assert page.find(UPDATE) == [button]


def test_what_is_around_is_no_second_match() -> None:
    inner = thing("link", "here", (3, 2, 1))
    assert seen(thing("menuitem", "here", (2, 1)), inner).find(HERE) == [inner]


def test_two_are_two() -> None:
    assert (
        len(seen(thing("button", "Update", (1, 0)), thing("link", "Update", (2, 0))).find(UPDATE))
        == 2
    )


def test_what_is_behind_a_modal_dialog_is_not_pressed() -> None:
    free = thing("link", "here", (2, 0))
    assert seen(thing("link", "here", (1, 0), behind=True), free).find(HERE) == [free]
    assert seen(thing("button", "Update", behind=True)).find(UPDATE) == []


def test_of_two_the_one_that_belongs_to_the_field() -> None:
    field = thing("field", "Enter Code :", (9, 8, 0))
    ok, of_a_banner = thing("button", "Ok", (7, 8, 0)), thing("button", "OK", (3, 2, 0))
    page = seen(of_a_banner, field, ok)
    assert page.find_around(OK, field) == [ok]
    assert page.find(OK) == [of_a_banner, ok]
    flat = seen(field, replace(ok, path=(7, 0)), of_a_banner)
    assert len(flat.find_around(OK, field)) == 2


def test_another_page_may_name_the_submission_method() -> None:
    link = thing("link", "Submission Method", (1, 0))
    profile = thing("link", "My Profile", (2, 0))
    scanner = thing("select", "", (3, 0), options=("PVS", "Intraoral Scanner"))
    browser = Fake(NOTHING, seen(link, profile), seen(link, scanner, heading="Profile"))
    assert look(guide(browser), PortalVisit(CLOCK)).task is None
    assert [a.thing.name for a in browser.done if isinstance(a, Press)] == ["My Profile"]


def test_a_field_beside_or_below_its_words() -> None:
    words = thing("text", "Enter Code :", (1, 0), box=(0, 100, 80, 20))
    beside = thing("field", "", (2, 0), box=(90, 98, 200, 24))
    below = thing("field", "", (3, 0), box=(0, 125, 200, 24))
    elsewhere = thing("field", "", (4, 0), box=(0, 400, 200, 24))
    assert seen(words, beside, below, elsewhere).find(CODE) == [beside]
    assert seen(words, below, elsewhere).find(CODE) == [below]
    assert seen(words, elsewhere).find(CODE) == []


def test_the_only_list_beside_submission_method() -> None:
    title = thing("text", "Submission Method", (5, 4, 1))
    scanner = thing("list", "", (6, 4, 1), value="Choose")
    country = thing("list", "", (7, 1), value="Norway")
    assert seen(title, scanner, country).scanner_list(TRIOS) == [scanner]
    native = thing("select", "", (8, 1), options=("", "3Shape Trios"))
    assert seen(title, scanner, native).scanner_list(TRIOS) == [native]


def test_the_only_button_of_the_sign_in_form() -> None:
    field = thing("field", "Password", (3, 2, 1), form=2)
    eye = thing("button", "Show", (4, 2, 1), form=2)
    go = thing("button", "Go", (5, 2, 1), form=2, submits=True)
    other = thing("button", "Search", (6, 1), form=9, submits=True)
    assert submit_of(seen(field, eye, go, other), field) == go
    assert submit_of(seen(field, go, replace(go, name="Register"), other), field) is None


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://portal.example.com/x", True),
        ("https://login.example.com/", True),
        ("https://example.com/", True),
        ("http://portal.example.com/", False),
        ("https://portal.example.com.evil.example/", False),
        ("https://auth.3shapecommunicate.com/", False),
        ("https://portal.example.com:8443/", False),
    ],
)
def test_where_the_password_may_be_typed(url: str, trusted: bool) -> None:
    assert belongs(url, "https://portal.example.com/start") is trusted


def test_the_address_that_brings_the_code() -> None:
    assert brings_code("https://ormco.com/?code=a", "https://ormco.com")
    assert brings_code("https://ormco.com/?error=access_denied", "https://ormco.com/")
    assert not brings_code("https://ormco.com/", "https://ormco.com")
    assert not brings_code("https://other.example/?code=a", "https://ormco.com")


def test_an_address_without_encryption() -> None:
    with pytest.raises(errors.ConfigurationError, match="https"):
        portal_address("http://portal.example")
    with pytest.raises(errors.ConfigurationError, match="both"):
        BrowserPortal("https://portal.example", username="anna")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from ormco_trios.ormcodigital.browser import extra

    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    for kind in (BrowserPortal, AsyncBrowserPortal):
        with pytest.raises(
            errors.ConfigurationError, match=r"pip install 'ormco-trios\[browser\]'"
        ):
            kind("https://portal.example")


class Fake:
    """Shows one page until something is done, then the next."""

    def __init__(self, *pages: Seen) -> None:
        self.pages = list(pages)
        self.done: list[Any] = []

    def perform(self, action: Any) -> Any:
        if isinstance(action, Look):
            return self.pages[0]
        self.done.append(action)
        if isinstance(action, Open | Press | Submit) and len(self.pages) > 1:
            del self.pages[0]
        return None


NOTHING = Seen()
FORM = (
    thing("field", "Username", (2, 1), form=1),
    thing("field", "Password", (3, 1), form=1, secret=True),
    thing("button", "Log me in", (4, 1), form=1, submits=True),
)
CLOCK = ManualClock()


def guide(browser: Fake) -> Any:
    from pydantic import SecretStr

    login = Login("anna", SecretStr("a secret"))
    return BrowserGuide(browser, login, Patience(quiet=3, most=9))


def look(portal: Any, visit: PortalVisit) -> Any:
    return Runner({}, CLOCK).run(portal.look(visit))


def test_a_login_is_typed_once() -> None:
    browser = Fake(
        NOTHING, seen(*FORM), seen(*FORM, heading="Log in", words=("Who? a secret", "No."))
    )
    portal, visit = guide(browser), PortalVisit(CLOCK)
    for _ in range(2):
        view = look(portal, visit)
        assert view.task is not None
        assert view.task.kind is TaskKind.IN_THE_WINDOW
        assert "No." in " ".join(view.task.steps)
        assert "a secret" not in str(view)
    assert [a.text for a in browser.done if isinstance(a, Fill)] == ["anna", "a secret"]


def test_an_error_is_told_as_often_as_it_is_seen() -> None:
    """Also where the way to the page goes through the page that shows it."""
    menu = thing("link", "My Account")
    browser = Fake(NOTHING, seen(menu, words=("Good morning",)), seen(menu, words=("Error 503.",)))
    portal, visit = guide(browser), PortalVisit(CLOCK)
    for _ in range(3):
        task = look(portal, visit).task
        assert 'It says: "Error 503."' in task.steps


def test_no_password_on_another_host() -> None:
    foreign = tuple(replace(each, trusted=False) for each in FORM)
    browser = Fake(NOTHING, seen(*foreign, heading="Log in"))
    assert look(guide(browser), PortalVisit(CLOCK)).task is not None
    assert not [a for a in browser.done if isinstance(a, Fill)]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ((FORM[0], replace(FORM[1], secret=False), FORM[2]), "readable"),
        (
            (*FORM, thing("field", "Repeat it", (5, 1), form=1, secret=True)),
            "more than one password",
        ),
        ((*FORM[:2], replace(FORM[2], trusted=False)), "what it is sent to"),
    ],
    ids=["a plain field", "a new password is set", "sent elsewhere"],
)
def test_a_form_that_gets_no_password(form: tuple[Thing, ...], why: str) -> None:
    browser = Fake(NOTHING, seen(*form))
    task = look(guide(browser), PortalVisit(CLOCK)).task
    assert task is not None
    assert why in " ".join(task.steps)
    assert browser.done == [Open()]


@pytest.mark.parametrize(
    "page",
    [
        seen(
            *(thing("field", "Enter Code :", (1, 0)), thing("button", "Ok", (2, 0))),
            heading="Second step",
        ),
        seen(thing("button", "I am not a robot"), heading="One moment"),
        seen(thing("field", "Code from your phone"), heading="Second step"),
        seen(thing("button", "Update Password"), heading="Your password has expired"),
    ],
)
def test_an_unknown_page_is_not_touched(page: Seen) -> None:
    browser = Fake(NOTHING, page)
    view = look(guide(browser), PortalVisit(CLOCK))
    assert view.task is not None
    assert page.heading in " ".join(view.task.steps)
    assert browser.done == [Open()]


def test_names_of_fields_are_found_in_both_forms() -> None:
    assert seen(*FORM).find(USERNAME) == [FORM[0]]
    assert seen(*FORM).find(PASSWORD) == [FORM[1]]


TITLE = thing("text", "Submission Method", (5, 4, 1))
LIST = thing("select", "", (6, 4, 1), options=("PVS", "3Shape Trios"), value="PVS")


def run(flow: Any) -> Any:
    return Runner({}, CLOCK).run(flow)


def test_a_second_factor_gets_no_code() -> None:
    """It may ask for a code in the guide's words, but not under the guide's title."""
    code = AuthorizationCode.from_pasted(f"https://ormco.com/?code={PASTED}")
    field, ok = thing("field", "Enter Code", (1, 0)), thing("button", "Ok", (2, 0))
    browser = Fake(seen(field, ok, heading="Second step"))
    task = run(guide(browser).enter_code(code, PortalVisit(CLOCK)))
    assert task.kind is TaskKind.IN_THE_WINDOW
    assert browser.done == []


def test_a_list_alone_says_both() -> None:
    browser = Fake(seen(TITLE, LIST))
    run(guide(browser)._choose_trios())
    assert browser.done == [Choose(LIST, "3Shape Trios")]


def test_the_method_of_a_list_alone() -> None:
    chosen = replace(LIST, value="3Shape Trios")
    assert method(seen(TITLE, chosen)) == SubmissionMethod.trios()
    assert method(seen(TITLE, LIST)) == SubmissionMethod.pvs()
    # Beside a choice that this program cannot read.
    assert method(seen(TITLE, thing("text", "Intraoral Scanner", (7, 4, 1)), chosen)) is None


def test_a_heading_is_no_way_to_read_the_profile_anew() -> None:
    browser = Fake(seen(TITLE, LIST, thing("text", "My Profile", (7, 1))))
    run(guide(browser)._profile_anew())
    assert browser.done == [Open()]


@pytest.mark.parametrize("answers", [0, 1])
def test_a_page_that_asks_nobody_has_not_been_read_anew(answers: int) -> None:
    page = seen(TITLE, LIST, thing("link", "My Profile", (7, 1)))
    browser = Fake(page, replace(page, answers=answers), replace(page, answers=2))
    run(guide(browser)._profile_anew())
    assert [type(each) for each in browser.done] == ([Press] if answers else [Press, Open])


def test_a_page_that_always_waits_for_an_answer() -> None:
    browser = Fake(replace(seen(TITLE, LIST), busy=True))
    assert run(guide(browser)._to_profile()).find(TRIOS) == []


def test_what_the_browser_asked() -> None:
    page = replace(seen(thing("button", "My Account")), asked=("Sure?",))
    browser = Fake(NOTHING, page, replace(seen(TITLE, LIST), asked=("Sure?",)))
    portal, visit = guide(browser), PortalVisit(CLOCK)
    task = look(portal, visit).task
    assert 'asked "Sure?", and this program has answered Cancel' in task.steps[0]
    assert browser.done == [Open()]
    assert look(portal, visit).task is None  # it is not asked again


def test_one_that_cannot_be_used_is_not_several() -> None:
    browser = Fake(NOTHING, seen(thing("link", "My Account", enabled=False)))
    task = look(guide(browser), PortalVisit(CLOCK)).task
    assert task.steps[0] == 'The page has "My Account", and does not let it be used now.'


class Fails(Fake):
    """Does not let anything be pressed, so often."""

    def __init__(self, page: Seen, *errors: type[Exception]) -> None:
        super().__init__(page)
        self.errors = list(errors)

    def perform(self, action: Any) -> Any:
        if isinstance(action, Press) and self.errors:
            raise self.errors.pop(0)
        return super().perform(action)


def test_what_is_drawn_again_meanwhile_is_looked_for_again() -> None:
    update = thing("button", "Update")
    browser = Fails(seen(update), Obstructed, Obstructed)
    run(guide(browser)._press(UPDATE))
    assert browser.done == [Press(update)]


def test_what_something_covers_is_not_waited_for_again() -> None:
    browser = Fails(seen(thing("button", "Update")), Covered, AssertionError)
    with pytest.raises(Stuck) as stuck:
        run(guide(browser)._press(UPDATE))
    assert 'Another element covers "Update"' in stuck.value.task.steps[0]


def test_names_on_another_page_are_not_passed_on() -> None:
    people = ("Balthasar Quendelmeyer", "Anna Seeblick", "Ben Tannenhof")
    page = seen(heading="One moment", words=(*people, "We have to check something."))
    task = look(guide(Fake(NOTHING, page)), PortalVisit(CLOCK)).task
    assert task is not None
    said = " ".join(task.steps)
    assert "We have to check something." in said
    assert not any(name in said for name in people)


@pytest.mark.parametrize(("answers", "tries"), [(0, 2), (1, 1)], ids=["not sent", "sent"])
def test_a_click_that_failed_after_something_was_sent_is_a_try(answers: int, tries: int) -> None:
    class Failing(Fake):
        def perform(self, action: Any) -> Any:
            if isinstance(action, Press) and len(self.pages) == 1:
                self.pages = [replace(self.pages[0], answers=answers)]
                self.done.append(action)
                raise Obstructed
            return super().perform(action)

    browser = Failing(NOTHING, seen(*FORM))
    assert look(guide(browser), PortalVisit(CLOCK)).task is not None
    typed = [a.text for a in browser.done if isinstance(a, Fill)]
    assert (typed.count("a secret") > 1) is (tries > 1)
