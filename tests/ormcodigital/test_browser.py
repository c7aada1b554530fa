"""A browser does the portal's half on a portal that it has never seen, with the guide's words.

The other portals, and what goes wrong at each of them, are in `tests/ormcodigital/portals`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.ormcodigital.portals.forms import FormsPortal
from tests.ormcodigital.portals.walking import CHROMIUM, walking

from ormco_trios import Connected, Source
from ormco_trios.ormcodigital.browser.actions import Look, Open
from ormco_trios.ormcodigital.browser.driver import Driver

pytestmark = [
    pytest.mark.socket,
    pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="no Chromium"),
]


def test_it_connects(both: Any) -> None:
    with walking(both, FormsPortal) as walk:
        outcome = walk.on()
        assert isinstance(outcome, Connected), outcome
        assert outcome.source is Source.BROWSER
        assert "Update" in str(outcome.checklist)
        assert walk.portal.connected
        assert walk.portal.tries == 1


def test_a_browser_that_a_person_has_closed_is_opened_again() -> None:
    page = "data:text/html,<h1>Profile</h1>"
    driver: Any = Driver(
        page, context=None, channel=None, executable=str(CHROMIUM), headless=True, patience=0.5
    )
    try:
        for _ in range(2):
            driver.perform(Open())
            assert driver.perform(Look()).heading == "Profile"
            driver._context.browser.close()
            assert driver.perform(Look()).windows == ()
    finally:
        driver.close()
