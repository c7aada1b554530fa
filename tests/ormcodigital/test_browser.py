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
