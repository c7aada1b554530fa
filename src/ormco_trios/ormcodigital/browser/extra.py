"""The extra that a browser needs."""

from __future__ import annotations

from importlib.util import find_spec

from ormco_trios.core.extras import missing_extra


def need_playwright() -> None:
    """Make sure that a browser can be driven.

    Raises:
        MissingExtra: The extra is not installed.
    """
    if find_spec("playwright") is None:
        raise missing_extra("browser", "playwright")
