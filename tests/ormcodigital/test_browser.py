"""A browser does the portal's half on portals that it has never seen, with the guide's words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ormcodigital.portals.base import Portal
from tests.ormcodigital.portals.forms import FormsPortal
from tests.practices import signed_in

from ormco_trios import Done, NeedsPerson, Source, TaskKind
from ormco_trios.sandbox import Approval, Sandbox

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="no Chromium"),
]

PORTALS = [FormsPortal]


class Doctor:
    """The person beside the window: 3Shape's part, and nothing else."""

    def __init__(self, both: Any, sandbox: Sandbox, browser: Any) -> None:
        self.both, self.sandbox, self.browser = both, sandbox, browser
        self.tasks: list[Any] = []

    async def do_async(self, needed: NeedsPerson) -> Any:
        self.tasks.append(needed.task)
        assert needed.task.kind is TaskKind.IN_THE_WINDOW, needed.task
        driver = self.browser._driver
        page = next(p for p in driver._context.pages if "/auth/" in p.url)
        who = self.sandbox.practice
        await page.get_by_label("Email").fill(who.email)
        await page.get_by_label("Password").fill(who.password)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Allow access").click()
        return Done()

    def do(self, needed: NeedsPerson) -> Any:
        step = self.do_async(needed)
        try:
            while True:
                step.send(None)
        except StopIteration as stop:
            return stop.value


@pytest.mark.parametrize("kind", PORTALS)
def test_connects(kind: type[Portal]) -> None:
    with Sandbox(server=True, approval=Approval.immediately()) as sandbox:
        portal = kind(sandbox)
        with portal.serve() as address:
            from ormco_trios import BrowserPortal, CommunicateClient, OAuthClient, Onboarding

            oauth = OAuthClient(sandbox.environment, client_id=sandbox.client_id,
                                client_secret=sandbox.client_secret, redirect_uri=sandbox.redirect_uri)
            who = sandbox.practice
            oauth.sign_in_with_password(who.email, who.password)
            with BrowserPortal(address, headless=True, executable=str(CHROMIUM),
                               username=portal.login, password=portal.password) as browser:
                def person(needed):
                    page = next(p for p in browser._driver._context.pages if "/auth/" in p.url)
                    print(needed.task)
                    page.get_by_label("Email").fill(who.email)
                    page.get_by_label("Password").fill(who.password)
                    page.get_by_role("button", name="Sign in").click()
                    page.get_by_role("button", name="Allow access").click()
                    return Done()
                connected = Onboarding(communicate=CommunicateClient(sandbox.environment, auth=oauth.auth), ormco=browser, oauth=oauth).run(person=person)
                print(connected.checklist)
                assert connected.source is Source.BROWSER
        assert portal.connected
        assert portal.tries == 1
