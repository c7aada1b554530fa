"""What a browser makes of a page: only what a person would press is found, and no other thing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.ormcodigital.portals.walking import CHROMIUM

from ormco_trios import errors
from ormco_trios.ormcodigital.browser.actions import Look, Obstructed, Open, Press
from ormco_trios.ormcodigital.browser.page import submit_of
from ormco_trios.ormcodigital.phrases import (
    CODE,
    INTRAORAL_SCANNER,
    OK,
    PASSWORD,
    PROFILE,
    TRIOS,
    UPDATE,
    Phrase,
)

pytestmark = [
    pytest.mark.socket,
    pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="no Chromium"),
]

ADDRESS = "https://portal.example/"
ELSEWHERE = "https://advertisements.example/"
GOOD = "<button id=good>Update</button>"
DIALOG = """<div {modal} style="position:fixed;inset:20%;background:white">
<label>Enter Code : <input></label><button id=good>Ok</button></div>"""


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), chromium_sandbox=False)
        yield browser.new_context()
        browser.close()


class Shown:
    """One page, and what is made of it."""

    def __init__(self, context: Any, body: str, patience: float) -> None:
        from ormco_trios.ormcodigital.browser.driver import Driver

        context.unroute_all()
        context.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        context.route(
            ELSEWHERE,
            lambda route: route.fulfill(body=GOOD.replace("good", "bad"), content_type="text/html"),
        )
        html = f"<!doctype html><h1>Profile</h1>{body}"
        context.route(
            ADDRESS, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8")
        )
        self.driver: Any = Driver(
            ADDRESS,
            context=context,
            channel=None,
            executable=None,
            headless=True,
            patience=patience,
        )
        self.driver.perform(Open())
        self.seen = self.driver.perform(Look())
        while self.seen.busy:
            self.seen = self.driver.perform(Look())

    def ids(self, found: list[Any]) -> list[str]:
        return [
            each.ref[0].get_property(str(each.ref[1])).get_property("id").json_value()
            for each in found
        ]


@pytest.fixture
def show(context: Any) -> Iterator[Any]:
    made: list[Shown] = []

    def shown(body: str, patience: float = 30) -> Shown:
        made.append(Shown(context, body, patience))
        return made[-1]

    yield shown
    for each in made:
        each.driver._page.close()
        each.driver.close()


FOUND = {
    "a name for screen readers that lies": (
        f'<button id=bad aria-label="Update">Delete all</button>{GOOD}',
        UPDATE,
        ["good"],
    ),
    "a name for screen readers that leaves words out": (
        '<button id=bad aria-label="Update">Update Password</button>',
        UPDATE,
        [],
    ),
    "a name for screen readers that says more": (
        '<button id=good aria-label="Update your profile">Update</button>',
        UPDATE,
        ["good"],
    ),
    "a button with a picture alone": (
        '<button id=good aria-label="Update"><svg width=9 height=9></svg></button>',
        UPDATE,
        ["good"],
    ),
    "an icon made of letters": (
        "<button id=good><i style=\"font-family:'Material Icons'\">save</i> Update</button>",
        UPDATE,
        ["good"],
    ),
    "duplicates that nobody sees": (
        f"""{GOOD}
        <button style=display:none>Update</button><button hidden>Update</button>
        <button style=visibility:hidden>Update</button><button style=opacity:0>Update</button>
        <div style=opacity:0><button>Update</button></div>
        <button style="position:absolute;left:-9999px">Update</button>
        <div style="height:0;overflow:hidden"><button>Update</button></div>
        <p style="position:absolute;width:1px;height:1px;overflow:hidden"><a href=#>Update</a></p>
        <div style="position:fixed;right:0;transform:translateX(110%)"><a href=#>Update</a></div>
        <div inert><button>Update</button></div>
        <details><summary>More</summary><button>Update</button></details>
        <dialog><button>Update</button></dialog>""",
        UPDATE,
        ["good"],
    ),
    "somebody of that name, with a link": (
        f"<a id=ann href=/patients/7>Update</a>{GOOD}",
        UPDATE,
        ["ann", "good"],
    ),
    "somebody of that name, in a table": (
        "<table><tr><th>Patient<tr><td>Update<tr><td>My Profile</table>",
        UPDATE,
        [],
    ),
    "somebody whose name has the words in it": (
        f"<p>Petra Update</p><a href=/p/1>Update, Petra</a>{GOOD}",
        UPDATE,
        ["good"],
    ),
    "a menu in a table": (
        "<table><tr><td><span id=good onclick=1>My Profile</span><td>My Orders</table>",
        PROFILE,
        ["good"],
    ),
    "a form in a table": (
        "<table><tr><th>Enter Authorization Code<tr><td>Enter Code :<td><input id=good></table>",
        CODE,
        ["good"],
    ),
    "somebody else's frame": (
        f"{GOOD}<iframe src={ELSEWHERE} width=200 height=80></iframe>",
        UPDATE,
        ["good"],
    ),
    "a frame that the page has written": (
        '<iframe srcdoc="<button id=good>Update</button>"></iframe>',
        UPDATE,
        ["good"],
    ),
    "words that are put into a slot": (
        """<x-button><template shadowrootmode=open><button id=good><slot></slot></button></template>
        Update</x-button>""",
        UPDATE,
        ["good"],
    ),
    "a choice whose words only follow it": (
        "<p>Source <input type=radio id=good> Intraoral Scanner <input type=radio id=bad> PVS",
        INTRAORAL_SCANNER,
        ["good"],
    ),
    "a choice whose words are in the next cell": (
        "<table><tr><td><input type=radio id=good><td>Intraoral Scanner<td>PVS</table>",
        INTRAORAL_SCANNER,
        ["good"],
    ),
    "behind a modal dialog": (
        f"<button id=behind>Ok</button>{DIALOG.format(modal='aria-modal=true role=dialog')}",
        OK,
        ["good"],
    ),
    "behind the browser's own modal dialog": (
        """<button id=behind>Ok</button><dialog id=d><button id=good>Ok</button></dialog>
        <script>d.showModal()</script>""",
        OK,
        ["good"],
    ),
    "a list that opens over a modal dialog": (
        f"""{DIALOG.format(modal="aria-modal=true")}
        <ul role=listbox><li role=option id=good>3Shape Trios</ul>""",
        TRIOS,
        ["good"],
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found(case: str, show: Any) -> None:
    body, phrase, expected = FOUND[case]
    assert isinstance(phrase, Phrase)
    shown = show(body)
    assert shown.ids(shown.seen.find(phrase)) == expected


def test_the_ok_that_belongs_to_the_code(show: Any) -> None:
    """Not that of a banner, and not somebody of that name."""
    shown = show(
        "<a href=/p/2>Ok</a><p style='position:fixed;bottom:0'>Cookies? <button>OK</button></p>"
        + DIALOG.format(modal="")
    )
    (field,) = shown.seen.find(CODE)
    assert len(shown.seen.find(OK)) == 3
    assert shown.ids(shown.seen.find_around(OK, field)) == ["good"]


@pytest.mark.parametrize("veil", ["background:white", "opacity:0"], ids=["seen", "not seen"])
def test_what_lies_over_it_is_not_pressed_instead(veil: str, show: Any) -> None:
    shown = show(
        f"<button id=good onclick=\"document.title='pressed'\">Update</button>"
        f"<a style='position:fixed;inset:0;{veil}' onclick=\"document.title='wrong'\"></a>",
        patience=0.5,
    )
    (update,) = shown.seen.find(UPDATE)
    with pytest.raises(Obstructed):
        shown.driver.perform(Press(update))
    assert shown.driver._page.title() not in {"pressed", "wrong"}


@pytest.mark.parametrize(
    ("form", "button", "trusted"),
    [
        ("", "", True),
        ("action=/login", "", True),
        ("action=https://login.portal.example/", "", True),
        (f"action={ELSEWHERE}", "", False),
        ("", f"formaction={ELSEWHERE}", False),
    ],
)
def test_where_a_form_is_sent(form: str, button: str, trusted: bool, show: Any) -> None:
    shown = show(
        f"<form method=post {form}><label>Password <input type=password></label>"
        f"<button {button}>Log in</button></form>"
    )
    (password,) = shown.seen.find(PASSWORD)
    sent = submit_of(shown.seen, password)
    assert sent is not None
    assert (password.trusted and sent.trusted) is trusted


def test_what_the_browser_asks_is_not_answered_for_a_person(show: Any) -> None:
    shown = show("""<button onclick="document.title = confirm('Save?')">Update</button>""")
    (update,) = shown.seen.find(UPDATE)
    shown.driver.perform(Press(update))
    assert shown.driver.perform(Look()).asked == ("Save?",)
    assert shown.driver._page.title() == "false"


def test_a_window_comes_to_the_front_before_something_is_pressed(
    show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind 3Shape's window a browser draws too seldom for a click on what is drawn again."""
    shown = show(GOOD)
    front: list[str] = []
    monkeypatch.setattr(shown.driver._page, "bring_to_front", lambda: front.append("portal"))
    (update,) = shown.seen.find(UPDATE)
    shown.driver.perform(Press(update))
    assert front == ["portal"]


def test_names_are_in_no_line_of_a_table(show: Any) -> None:
    shown = show(
        "<p class=error>That did not work.</p><table><tr><th>Patient<tr><td>Balthasar</table>"
        f"<ul>{''.join(f'<li>Quendel {n}' for n in range(7))}</ul>"
    )
    assert shown.seen.lines == {"Profile": False, "That did not work.": True}


def test_a_context_of_the_callers_that_is_closed(context: Any) -> None:
    from ormco_trios.ormcodigital.browser.driver import Driver

    own = context.browser.new_context()
    driver = Driver(ADDRESS, context=own, channel=None, executable=None, headless=True)
    own.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        driver.perform(Open())
    driver.close()
