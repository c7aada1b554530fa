"""A form for a person beside this machine: in a notebook, or in any browser here."""

from __future__ import annotations

from collections.abc import Callable

from ormco_trios.core._acompat import AsyncClosing, call_blocking_async
from ormco_trios.onboarding._page import PageServer
from ormco_trios.onboarding._show import show_page
from ormco_trios.onboarding.outcomes import NeedsAuthorization, NeedsPerson
from ormco_trios.ormcodigital.tasks import Address, TaskAnswer


class AsyncTaskPage(AsyncClosing):
    """Asks a person on a page of this machine, with a button that copies what is to be pasted.

    The code is on that page and nowhere else: a notebook that is saved holds the page's address,
    which is good for as long as the page is there.  It needs a browser on the machine where this
    runs::

        async with AsyncTaskPage() as page:
            await onboarding.run(authorize=page.authorize, person=page.ask)

    Args:
        port: On 127.0.0.1; any free one by default.
        timeout: How long to wait for an answer, in seconds.
        show: Called once with the page's address; by default it is shown in the notebook, or
            printed.

    Attributes:
        url: The page's address; a person who knows it sees the page.

    Raises:
        ConfigurationError: The port is taken.
    """

    url: str

    def __init__(
        self,
        *,
        port: int = 0,
        timeout: float = 3600.0,
        show: Callable[[str], object] = show_page,
    ) -> None:
        self._server = PageServer(port)
        self._timeout = timeout
        self._show: Callable[[str], object] | None = show
        self.url = self._server.url

    async def authorize(self, needed: NeedsAuthorization) -> Address:
        """Show a link, and return the address that is pasted.

        Raises:
            NobodyCameBack: Nobody answered in time.
        """
        answer = await self._ask(needed.form(""))
        return answer if isinstance(answer, Address) else Address("")

    async def ask(self, needed: NeedsPerson) -> TaskAnswer:
        """Show a task, and return the answer.

        Raises:
            NobodyCameBack: Nobody answered in time.
        """
        return await self._ask(needed.form(""))

    async def _ask(self, form: str) -> TaskAnswer:
        show, self._show = self._show, None
        if show is not None:
            show(self.url)
        return await call_blocking_async(self._server.ask, form, self._timeout)

    async def aclose(self) -> None:
        """Take the page away; safe to repeat."""
        self._server.close()
