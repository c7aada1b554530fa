"""A portal as values: what it shows at each moment, and what pressing something does there."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ormco_trios import errors
from ormco_trios.core._acompat import AsyncClosing, Closing
from ormco_trios.ormcodigital.browser.actions import Arrived, Fill, Look, Open, Press
from ormco_trios.ormcodigital.browser.guide import BrowserGuide, Login, Patience
from ormco_trios.ormcodigital.browser.page import Seen, Thing, Window
from ormco_trios.ormcodigital.portal import AsyncPortalAccess, PortalAccess

QUICK = Patience(quiet=3, most=12)
PROFILE = (
    *("Practice portal", "My Profile", "Submission Method", "Intraoral Scanner"),
    *("3Shape Trios", "Connect 3Shape to Insignia", "Update"),
)
FOOTER = "Ihr Partner seit 1950."


class PagePortal:
    """Signed in, on the profile, with *3Shape Trios* chosen.

    Attributes:
        after_ok: The lines that are new after *Ok*.
        after_update: The lines that are new after *Update*, until the profile is opened again.
        for_long: The lines that are new after *Update* and stay.
        dialogs: What the browser's own dialogs say after *Update*.
        has_update: Whether there is an *Update* to press.
        refuses: Whether an answer to *Update* is an error.
        asks: Whether the browser asks something after *Update*.
        goes_away: Whether the portal cannot be reached after *Update*.
        lost: Whether a page is shown that the guide does not know.
        address: Where 3Shape's window was sent to, if it was.
    """

    def __init__(self) -> None:
        self.after_ok: tuple[str, ...] = ()
        self.after_update: tuple[str, ...] = ()
        self.for_long: tuple[str, ...] = ()
        self.dialogs: tuple[str, ...] = ()
        self.has_update = True
        self.lost = False
        self.refuses = self.asks = self.goes_away = False
        self.address: str | None = None
        self.pressed: list[str] = []
        self.typed: list[str] = []
        self.opened = self.dialog = False
        self._lines: tuple[str, ...] = ()
        self._lasting: tuple[str, ...] = ()
        self._said: tuple[str, ...] = ()
        self._refused = 0
        self._asked: tuple[str, ...] = ()
        self._gone = False

    def perform(self, action: Any) -> Any:
        match action:
            case Look():
                return self.seen()
            case Open():
                if self._gone:
                    raise errors.NotDelivered("OrmcoDigital cannot be reached.")
                self.opened = True
            case Arrived():
                return self.address
            case Press(thing):
                self._said = self._asked = ()
                self.press(thing.name)
            case Fill(_, text):
                self.typed.append(text)
        return None

    def press(self, name: str) -> None:
        self.pressed.append(name)
        match name:
            case "Connect 3Shape to Insignia":
                self.dialog = True
            case "here":
                self.address = None
            case "Ok":
                self.dialog, self._lines = False, self.after_ok
            case "Update":
                self._lines, self._said = self.after_update, self.dialogs
                self._lasting = self.for_long
                self._refused += self.refuses
                self._asked = ("Leave the page?",) if self.asks else ()
                self._gone = self.goes_away
            case "My Profile":
                self._lines = ()

    def seen(self) -> Seen:
        if not self.opened or self._gone:
            return Seen(asked=self._asked)
        if self.lost:
            shown = (("Einen Moment", False), (FOOTER, False))
            return Seen((Window("https://portal.example/", "Einen Moment", (), shown),))
        things = [
            Thing("link", "My Profile", path=(1, 0)),
            Thing("text", "Submission Method", path=(2, 0)),
            Thing("radio", "Intraoral Scanner", path=(3, 0), checked=True),
            Thing("list", "", path=(4, 0), value="3Shape Trios"),
            Thing("button", "Connect 3Shape to Insignia", path=(5, 0)),
        ]
        if self.has_update:
            things.append(Thing("button", "Update", path=(6, 0)))
        lines = [*PROFILE, FOOTER, *self._lasting, *self._lines]
        if self.dialog:
            field = Thing("field", "Enter Code :", path=(12, 10, 0))
            things += [field, replace(field, role="link", name="here", path=(11, 10, 0))]
            things.append(Thing("button", "Ok", path=(13, 10, 0)))
            lines.append("First click here to generate the authorization code.")
        window = Window(
            "https://portal.example/me",
            "Practice portal",
            tuple(things),
            tuple((line, False) for line in lines),
        )
        return Seen((window,), refused=self._refused, said=self._said, asked=self._asked)

    def access(self, both: Any) -> Any:
        """What ``ormco=`` of an onboarding takes."""
        browser = self
        if both.is_async:

            class AsyncPages:
                async def perform(self, action: Any) -> Any:
                    return browser.perform(action)

            return _access(_AsyncAccess(), AsyncPages())
        return _access(_Access(), browser)

    def guide(self) -> BrowserGuide:
        return _guide(self)


class _Access(PortalAccess, Closing):
    def close(self) -> None:
        pass


class _AsyncAccess(AsyncPortalAccess, AsyncClosing):
    async def aclose(self) -> None:
        pass


def _access(access: Any, browser: object) -> Any:
    access.portal = _guide(browser)
    access.channels = MappingProxyType({})
    return access


def _guide(browser: object) -> BrowserGuide:
    from pydantic import SecretStr

    return BrowserGuide(browser, Login("anna", SecretStr("a secret")), QUICK)
