"""One practice, a foreign portal, and a person who does 3Shape's part and nothing else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.ormcodigital.portals.base import Portal
from tests.practices import signed_in

from ormco_trios import Connected, Done, NeedsPerson, Waiting
from ormco_trios.ormcodigital.browser.async_driver import own_browser_async
from ormco_trios.ormcodigital.browser.guide import Patience
from ormco_trios.ormcodigital.browser.recorder import Recorder
from ormco_trios.ormcodigital.first_contact.redact import Sites
from ormco_trios.ormcodigital.tasks import Task, TaskKind
from ormco_trios.sandbox import Approval, Practice, Sandbox

CHROMIUM = Path("/usr/bin/chromium")
ALLOW = "Allow access in the window of 3Shape"


class Walk:
    """What one practice goes through with one portal."""

    def __init__(
        self,
        both: Any,
        sandbox: Sandbox,
        portal: Portal,
        address: str,
        *,
        context: Any = None,
        knows_login: bool = True,
    ) -> None:
        self.both, self.sandbox, self.portal = both, sandbox, portal
        self.browser = both.make(
            "BrowserPortal",
            address,
            context=context,
            headless=True,
            executable=str(CHROMIUM),
            username=portal.login if knows_login else None,
            password=portal.password if knows_login else None,
        )
        self.hidden: Any = getattr(self.browser, "_target", self.browser)
        # These portals answer at once, or say that they are busy.
        self.hidden.portal._patience = Patience(quiet=8, most=200)
        practice = signed_in(both, sandbox, by_hand=True)
        self.onboarding = both.onboarding(
            communicate=practice.communicate, ormco=self.browser, oauth=practice.oauth
        )
        self.late = 0.0

    def on(self) -> Connected | Task:
        """As far as it goes: connected, or the first task that is not 3Shape's consent."""
        for _ in range(6):
            outcome = self.onboarding.advance()
            assert not isinstance(outcome, Waiting)
            if not isinstance(outcome, NeedsPerson):
                assert isinstance(outcome, Connected)
                return outcome
            if outcome.task.title != ALLOW:
                return outcome.task
            assert outcome.task.kind is TaskKind.IN_THE_WINDOW
            self.consent(self.sandbox.practice)
            self.onboarding.finish_task(
                Done(account_shown=self.sandbox.practice.email), id=outcome.task.id
            )
        raise AssertionError("it does not end")

    def consent(self, who: Practice) -> None:
        """Allow access in 3Shape's window, as ``who``."""
        self._in_the_browser(self._allow, who)

    def sign_out(self) -> None:
        """Sign out of 3Shape, by the guide's last resort."""
        self._in_the_browser(self._forget)

    def log_in(self) -> None:
        """Sign in at the portal, in its window."""
        self._in_the_browser(self._log_in)

    async def _log_in(self) -> None:
        (page,) = self.hidden._driver._context.pages
        name = page.locator("input:not([type=password], [type=image]):visible").first
        password = page.locator("[type=password]:visible")
        await _settled(name.fill(self.portal.login))
        if not await _settled(password.count()):
            await _settled(name.press("Enter"))
        await _settled(password.fill(self.portal.password))
        button = page.get_by_role("button", name=re.compile("^(Continue|Enter)$"))
        if await _settled(button.count()):
            await _settled(button.click())
        else:
            await _settled(password.press("Enter"))

    async def _forget(self) -> None:
        # The portal is at the same host, so its cookies stay.
        context = self.hidden._driver._context
        await _settled(context.clear_cookies(name=re.compile("^sandbox_")))

    async def _allow(self, who: Practice) -> None:
        """Sign in to 3Shape, unless that was done, and press *Allow access*."""
        page = next(p for p in self.hidden._driver._context.pages if "/auth/" in p.url)
        if await _settled(page.get_by_label("Email").count()):
            await _settled(page.get_by_label("Email").fill(who.email))
            await _settled(page.get_by_label("Password").fill(who.password))
            await _settled(page.get_by_role("button", name="Sign in").click())
        await _settled(page.get_by_role("button", name="Allow access").click())
        await _settled(page.wait_for_url("**code=**"))
        if self.late:
            self.sandbox.clock.advance(self.late)

    def _in_the_browser(self, do: Any, *args: Any) -> None:
        if self.both.is_async:
            self.both.run(do, *args)
            return
        with suppress(StopIteration):
            do(*args).send(None)


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@contextmanager
def walking(
    both: Any, kind: type[Portal], *faults: str, knows_login: bool = True
) -> Iterator[Walk]:
    with Sandbox(server=True, approval=Approval.immediately()) as sandbox:
        portal = kind(sandbox)
        portal.faults.update(faults)
        with portal.serve() as address:
            walk = Walk(both, sandbox, portal, address, knows_login=knows_login)
            try:
                yield walk
            finally:
                walk.browser.close()


@contextmanager
def recording(both: Any, kind: type[Portal]) -> Iterator[tuple[Walk, Recorder]]:
    """As `walking`, in a browser that is recorded; async only."""
    with Sandbox(server=True, approval=Approval.immediately()) as sandbox:
        portal = kind(sandbox)
        with portal.serve() as address:
            recorder = Recorder(Sites(address, (f"{sandbox.base_url}/auth",)))
            opened = own_browser_async(channel=None, executable=str(CHROMIUM), headless=True)
            context = both.run(opened.__aenter__)
            try:
                both.run(recorder.attach, context)
                walk = Walk(both, sandbox, portal, address, context=context)
                yield walk, recorder
                walk.browser.close()
            finally:
                both.run(opened.__aexit__, None, None, None)
