"""A sandbox in another process, or a world of one, held by its address."""

from __future__ import annotations

from typing import Any

import httpx

from ormco_trios.core._acompat import Closing
from ormco_trios.core.clock import Clock
from ormco_trios.core.environment import Environment
from ormco_trios.sandbox import Journal, Json, World
from ormco_trios.sandbox.serve._httpx import browser_client
from ormco_trios.sandbox.serve.browser import Browser
from ormco_trios.sandbox.world.journal import Entry
from ormco_trios.sandbox.world.registered import Registered


class RemoteClock(Clock):
    """The time of a `RemoteSandbox`: it is asked for, and sleeping moves it."""

    def __init__(self, sandbox: RemoteSandbox) -> None:
        self._sandbox = sandbox

    def time(self) -> float:
        """Its time, in seconds since 1970."""
        return float(self._sandbox.ask("GET", "clock")["time"])

    def monotonic(self) -> float:
        """The same: the sandbox's time never goes back."""
        return self.time()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` (at least 0) pass at once."""
        self._sandbox.ask("POST", "clock", {"advance": seconds})

    def set_scale(self, scale: float) -> None:
        """Run ``scale`` times as fast as real time from now on; 0 freezes it."""
        self._sandbox.ask("POST", "clock", {"scale": scale})

    def in_reality(self, seconds: float) -> float:
        """None at all."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Advance."""
        self.advance(max(0.0, seconds))

    async def sleep_async(self, seconds: float) -> None:
        """Advance, and let other tasks run."""
        self.advance(max(0.0, seconds))
        await super().sleep_async(0)


class RemoteSandbox(Registered, Closing):
    """A sandbox server in another process; what a `Sandbox` offers, as far as a socket carries it.

    Every attribute is asked for when it is read.

    Args:
        base_url: As ``ormco-trios sandbox`` prints it, or a world below it: ``…/w/{name}``.  That
            world is made when it is first asked for.

    Attributes:
        clock: Its time; a client that is given ``environment`` waits in it.

    Raises:
        ConnectionError: From every method: nothing answers there.
        ValueError: From every method: the sandbox refused, and says why.
    """

    def __init__(self, base_url: str) -> None:
        self._registry = World(base_url=base_url)
        self._client = browser_client(self._registry, served=True)
        self.base_url = self._registry.base_url
        self.clock = RemoteClock(self)
        self.environment = Environment.sandbox(self.base_url, clock=self.clock)

    def close(self) -> None:
        """Close the connection; the world stays."""
        self._client.close()

    def discard(self) -> None:
        """Let the server forget this world."""
        self._send("DELETE", f"{self.base_url}/")

    # --- what happens -----------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        """What happened until now."""
        journal = Journal()
        for entry in self.ask("GET", "journal"):
            del entry["ok"]
            journal.add(Entry(**entry))
        return journal

    @property
    def state(self) -> Any:
        """What ``GET /sandbox/state`` says."""
        return self.ask("GET", "state")

    def fault(self, operation: str | None = None, **options: Json) -> None:
        """Plan a failure; the options are those of `Sandbox.fault`."""
        self.ask("POST", "faults", {"operation": operation, **options})

    def approve(self, connection: str | None = None) -> int:
        """Accept one connection request as the lab, or all that wait; how many were accepted."""
        body: dict[str, Json] = {} if connection is None else {"connection": connection}
        return int(self.ask("POST", "approve", body)["approved"])

    def switch(self, **changes: str | int) -> None:
        """Make it another of the possible worlds; see `Sandbox.switch`."""
        self.ask("POST", "switches", changes)

    def reset(self) -> None:
        """Begin again: seeds and switches as at first, no journal or faults.  The clock goes on."""
        self.ask("POST", "reset", {})

    def authorize(
        self,
        url: str,
        *,
        allow: bool = True,
        email: str | None = None,
        password: str | None = None,
    ) -> str:
        """Play the doctor, as `Sandbox.authorize` does; by default the sample practice's."""
        browser = self.browser()
        try:
            return browser.authorize(url, allow=allow, email=email, password=password)
        finally:
            browser.close()

    def browser(self) -> Browser:
        """A browser that keeps its cookies; see `Sandbox.browser`."""
        return Browser(self._registry, served=True)

    def ask(self, method: str, what: str, body: Json = None) -> Any:
        """Use the control API below ``/sandbox/``; the answer's JSON."""
        reply = self._send(method, f"{self.base_url}/sandbox/{what}", body)
        return reply.json() if reply.content else None

    def _send(self, method: str, url: str, body: Json = None) -> httpx.Response:
        try:
            reply = self._client.request(method, url, json=body)
        except httpx.TransportError as error:
            raise ConnectionError(
                f"No sandbox answers at {self.base_url} ({type(error).__name__}). "
                "`ormco-trios sandbox` starts one."
            ) from None
        if reply.is_error:
            raise ValueError(reply.headers.get("x-sandbox-explain", f"status {reply.status_code}"))
        return reply
