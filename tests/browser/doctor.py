"""A person at a browser who knows nothing but the words of a task, and their own passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, Page

from ormco_trios.sandbox import Practice, Sandbox

_LABEL = re.compile(r"Press (.+?)(?: at the end of the page)?(?:\.|$)")
_LIST = re.compile(r"choose (.+?), and (.+?) in the list beside it")
_WAY = re.compile(r"Go to (\w[\w ]*(?: > \w[\w ]*)+)")
_FIELD = re.compile(r"Paste the text below into the field ([\w ]+?)\.")
_LINK = re.compile(r'click the link "(.+?)"')
_SIGN_IN = re.compile(r"Sign in to OrmcoDigital with your (\w+) and (\w+)")


def _as_written(words: str) -> re.Pattern[str]:
    """A control's words, however their blanks are set: the guide itself prints both."""
    return re.compile(f"^{re.escape(words).replace('3Shape', '3 ?Shape')}$")


@dataclass
class Doctor:
    """Follows steps; what they do not say is not done.

    Attributes:
        read: What was asked for besides presses: the e-mail that 3Shape's page showed.
        stopped: Steps that had no meaning for this reader.
    """

    context: BrowserContext
    sandbox: Sandbox
    who: Practice
    email_shown: str = ""
    not_understood: list[str] = field(default_factory=list)
    _portal: Page | None = None
    _window: Page | None = None

    def follow(self, steps: Sequence[str], text: str | None = None) -> str:
        """Do the steps in order; the address that was copied, if they say so."""
        address = ""
        for step in steps:
            understood = self._step(step, text)
            if "Copy the ENTIRE address" in step:
                assert self._window is not None
                address = self._window.url
                self._window.close()
                understood = True
            if not understood and not step.startswith("Read what the page asks"):
                self.not_understood.append(step)
        return address

    def at_3shape(self, link: str) -> str:
        """Open a link of 3Shape, sign in, and allow access: the address that this leads to."""
        self._window = self.context.new_page()
        self._window.goto(link)
        self._sign_in_at_3shape()
        return self.follow(["Press Allow access.", "Copy the ENTIRE address of the page."])

    def _step(self, step: str, text: str | None) -> bool:
        if found := _SIGN_IN.search(step):
            self._sign_in_at_the_portal(found[1], found[2])
        elif found := _WAY.search(step):
            self._go(found[1].split(" > "))
        elif found := _LIST.search(step):
            page = self._page()
            page.get_by_label(found[1], exact=True).check()
            page.get_by_role("combobox").select_option(found[2])
        elif found := _LINK.search(step):
            with self._page().expect_popup() as opened:
                self._page().get_by_role("link", name=found[1], exact=True).click()
            self._window = opened.value
            self._sign_in_at_3shape()
        elif "Check which e-mail the consent page shows" in step:
            assert self._window is not None
            shown = re.search(r"[\w.+-]+@[\w.-]+\w", self._window.locator("body").inner_text())
            self.email_shown = shown[0] if shown else ""
        elif found := _FIELD.search(step):
            assert text is not None, "a task that says what to paste has to have it"
            self._page().get_by_label(re.compile(re.escape(found[1]))).fill(text)
        elif "Go back to the window" in step:
            assert self._page().get_by_text("Enter Authorization Code").first.is_visible()
        elif found := _LABEL.search(step):
            page = self._window if self._window and not self._window.is_closed() else self._page()
            page.get_by_role("button", name=_as_written(found[1])).click()
            page.wait_for_load_state()
        else:
            return False
        return True

    def _page(self) -> Page:
        assert self._portal is not None, "the steps never said to go to OrmcoDigital"
        return self._portal

    def _sign_in_at_the_portal(self, user: str, password: str) -> None:
        if self._portal is None:
            self._portal = self.context.new_page()
        page = self._portal
        page.goto(f"{self.sandbox.base_url}/ormcodigital/")
        if page.get_by_label(user, exact=True).count():
            page.get_by_label(user, exact=True).fill(self.who.portal_username)
            page.get_by_label(password, exact=True).fill(self.who.portal_password)
            page.locator("form button").first.click()

    def _go(self, way: Sequence[str]) -> None:
        for name in way:
            self._page().get_by_role("link", name=name, exact=True).first.click()

    def _sign_in_at_3shape(self) -> None:
        assert self._window is not None
        self._window.wait_for_load_state()
        user = self.sandbox.world.user(self.who.email)
        if self._window.get_by_label("Password", exact=True).count():
            self._window.get_by_label("Email", exact=True).fill(user.email)
            self._window.get_by_label("Password", exact=True).fill(user.password)
            self._window.get_by_role("button", name="Sign in", exact=True).click()
            self._window.wait_for_load_state()
