"""The portal in a browser, before a person's eyes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ormco_trios.core._acompat import AsyncClosing
from ormco_trios.core.auth import as_secret
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import Shielded
from ormco_trios.ormcodigital.browser.extra import need_playwright
from ormco_trios.ormcodigital.browser.guide import BrowserGuide, Login
from ormco_trios.ormcodigital.browser.sites import portal_address
from ormco_trios.ormcodigital.portal import AsyncPortalAccess

if TYPE_CHECKING:
    from ormco_trios.ormcodigital.browser.async_driver import Context
else:
    Context = object  # Playwright is imported with the driver


class AsyncBrowserPortal(Shielded, AsyncPortalAccess, AsyncClosing):
    """The portal's half in a browser, by the guide's words and nothing else.

    It signs in, goes to *My Account > My Profile*, chooses *3Shape Trios*, presses *Connect 3Shape
    to Insignia* and *here*, and leaves 3Shape's window to the doctor.  Then it enters the code, and
    presses *Ok* and *Update*.  What it does not know it does not touch: `NeedsPerson` says what the
    page shows, and the window stays.  It does not try a login a second time.  What it has seen is
    *seen in the browser*, which is less than the portal's word.

    Close it, or use it as a context manager.  It needs the extra ``browser``, and downloads no
    browser.

    Args:
        address: Where the practice signs in to OrmcoDigital; https, or this machine.
        context: A browser of your own, which is used and not closed.
        channel: Which browser to start, such as ``chrome`` or ``msedge``; by default the Chromium,
            Chrome or Edge that is there.
        executable: Which browser to start, by its file.
        headless: Without a window; then nobody can do what only a person may do.
        username: The practice's login, with ``password``; without both a person signs in.
        password: It is typed on no page but the portal's own.

    Raises:
        ConfigurationError: The extra is not installed, the address is not https, or there is a
            user name without a password.
    """

    def __init__(
        self,
        address: str,
        *,
        context: Context | None = None,
        channel: str | None = None,
        executable: str | None = None,
        headless: bool = False,
        username: str | None = None,
        password: str | SecretStr | None = None,
    ) -> None:
        need_playwright()
        from ormco_trios.ormcodigital.browser.async_driver import AsyncDriver

        if (username is None) != (password is None):
            raise ConfigurationError("OrmcoDigital needs both a user name and a password.")
        login = None
        if username is not None and password is not None:
            login = Login(username, as_secret(password))
        self._driver = AsyncDriver(
            portal_address(address),
            context=context,
            channel=channel,
            executable=executable,
            headless=headless,
        )
        self.portal = BrowserGuide(self._driver, login)
        self.channels = MappingProxyType({})

    async def aclose(self) -> None:
        """Close the browser that was started here; safe to repeat."""
        await self._driver.aclose()
