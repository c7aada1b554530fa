"""The extra that a browser needs."""

from __future__ import annotations

from importlib.util import find_spec

from ormco_trios.core.errors import ConfigurationError


def need_playwright() -> None:
    """Make sure that a browser can be driven.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    if find_spec("playwright") is None:
        raise ConfigurationError(
            "The portal in a browser needs the package playwright.",
            advice="Install the extra: pip install 'ormco-trios[browser]'",
        )
