"""A sandbox to develop against: 3Shape Communicate, both of its sign-ins, and OrmcoDigital.

::

    with Sandbox() as sandbox:
        sandbox.environment  # for the clients; nothing they send leaves the process
        address = sandbox.authorize(link)  # plays the doctor, returns what the address bar shows
        sandbox.clock.advance(24 * 3600)
        sandbox.fault("users.me", status=503)
        assert sandbox.journal.count("connections.request", ok=True) == 1

``Sandbox(server=True)`` serves the same World on a free port of 127.0.0.1.

What is known about the real services, and how, is said with each route in `sandbox.dispatch.table`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ormco_trios.core._acompat import Closing
from ormco_trios.core.clock import Clock, ManualClock
from ormco_trios.core.environment import SANDBOX_TOKEN_PREFIX, Environment
from ormco_trios.sandbox.dispatch.dispatcher import Dispatcher
from ormco_trios.sandbox.pages.rendering import JourneyFailed
from ormco_trios.sandbox.serve.browser import Browser
from ormco_trios.sandbox.serve.transport import (
    AsyncInProcessTransport,
    InProcessGateway,
    InProcessTransport,
)
from ormco_trios.sandbox.wire.mangling import Mangle
from ormco_trios.sandbox.wire.messages import Json, Network, WireReply, WireRequest
from ormco_trios.sandbox.world import seed_files, seeds
from ormco_trios.sandbox.world.approval import Approval
from ormco_trios.sandbox.world.clock import ControlledClock
from ormco_trios.sandbox.world.faults import Fault, When
from ormco_trios.sandbox.world.journal import Entry, Journal
from ormco_trios.sandbox.world.registered import Registered
from ormco_trios.sandbox.world.seeds import Practice
from ormco_trios.sandbox.world.state import Server
from ormco_trios.sandbox.world.switches import Switches, Value
from ormco_trios.sandbox.world.world import Settings, World

if TYPE_CHECKING:
    from ormco_trios.sandbox.serve.server import SandboxServer

__all__ = [
    "Approval",
    "AsyncInProcessTransport",
    "ControlledClock",
    "Dispatcher",
    "Entry",
    "Fault",
    "InProcessGateway",
    "InProcessTransport",
    "Journal",
    "JourneyFailed",
    "Json",
    "Practice",
    "Sandbox",
    "Settings",
    "Switches",
    "WireReply",
    "WireRequest",
    "World",
]


MOCK_TOKEN_PREFIX = "mock-"
"""What tokens begin with when the sandbox poses as an environment."""


class Sandbox(Registered, Closing):
    """A World, and everything needed to use it.

    Attributes:
        world: What exists in it; tests may look, and change it.
        dispatcher: Answers requests that are values, without any transport.

    Args:
        server: Serve it on a socket as well; needs the extra ``sandbox``.
        clock: Its time; the default moves only when it is advanced.  Give the same clock to
            the clients, so that their waiting and the World's time are one.
        approval: What becomes of connection requests to Ormco's labs; by default the first two
            polls see them waiting.
        token_lifetime: Of access tokens, in seconds of World time.
        switches: Which of the possible worlds it is, where nobody knows how the real services
            behave.
        seed: The same seed gives the same ids, codes and tokens.
        port: Of the server; 0 for any free one.
        posing_as: Answer at this environment's addresses instead of own ones: for mocks, which
            `ormco_trios.testing` makes.
        seed_file: YAML or JSON, with what else exists; the guide *The sandbox* has
            an example of its form.
    """

    def __init__(
        self,
        *,
        server: bool = False,
        clock: Clock | None = None,
        approval: Approval | None = None,
        token_lifetime: float = 3600.0,
        switches: Switches | None = None,
        seed: int = 0,
        port: int = 0,
        posing_as: Environment | None = None,
        seed_file: str | Path | None = None,
    ) -> None:
        self._served = server
        self._port = port
        self._server: SandboxServer | None = None
        settings = Settings(
            approval=Approval.after_polls(2) if approval is None else approval,
            token_lifetime=token_lifetime,
            seed=seed,
            token_prefix=SANDBOX_TOKEN_PREFIX if posing_as is None else MOCK_TOKEN_PREFIX,
        )
        self._posing_as = posing_as
        self.world = self._registry = World(
            clock=clock,
            settings=settings,
            switches=switches,
            posing_as=posing_as,
            seeds=None if seed_file is None else seed_files.read(seed_file),
        )
        self.dispatcher = Dispatcher(self.world)

    def __enter__(self) -> Sandbox:
        if self._served and self._server is None:
            # uvicorn is an extra, and slow to import: only who asks for a server pays for it.
            from ormco_trios.sandbox.serve.server import SandboxServer

            self._server = SandboxServer(self.world, port=self._port).start()
        return self

    def close(self) -> None:
        """Stop the server, if there is one; safe to repeat."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    # --- where ------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Its address; a server has one only inside ``with``."""
        if self._served and self._server is None:
            raise RuntimeError("the sandbox server is not running; use 'with Sandbox(server=True)'")
        return self.world.base_url

    @property
    def environment(self) -> Environment:
        """For the clients.  Without a server, nothing they send can leave the process.

        If the sandbox poses as an environment, it is that one: something has to be in between.
        """
        if self._posing_as is not None:
            return replace(self._posing_as, clock=self.world.clock)
        gateway = None if self._served else InProcessGateway(self.world)
        return Environment.sandbox(self.base_url, gateway=gateway, clock=self.world.clock)

    # --- who and when -----------------------------------------------------------------------

    @property
    def clock(self) -> ManualClock:
        """The clock, if it is one that can be advanced; ``world.clock`` is whichever it is.

        Raises:
            TypeError: The sandbox was given a clock that runs by itself.
        """
        if not isinstance(self.world.clock, ManualClock):
            raise TypeError("this sandbox's clock runs by itself; it is sandbox.world.clock")
        return self.world.clock

    @property
    def journal(self) -> Journal:
        """What happened."""
        return self.world.journal

    def practice_with(self, email: str) -> Practice:
        """The practice with this e-mail, such as one of `sandbox.world.magic`.

        Raises:
            LookupError: There is none.
        """
        return seeds.practice_of(self.world.state, email)

    def practices(self, n: int, *, server: Server = "eu") -> list[Practice]:
        """Make ``n`` further practices, each with both accounts."""
        return self.world.add_practices(n, server)

    # --- what happens -----------------------------------------------------------------------

    def fault(
        self,
        operation: str | None = None,
        *,
        status: int | None = None,
        retry_after: float | str | None = None,
        body: Json | bytes = None,
        network: Network | None = None,
        times: int | None = 1,
        nth: int = 1,
        when: When = "before",
        mangle: Mangle | None = None,
        rate: float = 1.0,
        seed: int = 0,
    ) -> Fault:
        """Plan a failure; see `Fault` for the parameters."""
        return self.world.fault(
            operation,
            status=status,
            retry_after=retry_after,
            body=body,
            network=network,
            times=times,
            nth=nth,
            when=when,
            mangle=mangle,
            rate=rate,
            seed=seed,
        )

    def switch(self, **changes: Value) -> None:
        """Make it another of the possible worlds, from the next request on.

        Args:
            changes: Names and positions of switches, see `Switches`.

        Raises:
            ValueError: There is no such switch, or it has no such position.
        """
        self.world.switch(**changes)

    def approve(self, connection: str | None = None) -> int:
        """Accept one connection request as the lab, or all that wait; how many were accepted."""
        return self.world.approve(connection)

    def authorize(
        self,
        url: str,
        *,
        allow: bool = True,
        email: str | None = None,
        password: str | None = None,
    ) -> str:
        """Play the doctor: open ``url`` in a fresh browser, sign in, allow or cancel.

        Args:
            url: The authorization link.
            allow: Press *Allow access*, or else *Cancel*.
            email: Whose account; the sample practice's by default.
            password: The account's own by default.

        Returns:
            What the browser's address bar shows at the end, code included.

        Raises:
            JourneyFailed: The pages did not lead back to the application.
        """
        browser = self.browser()
        try:
            return browser.authorize(url, allow=allow, email=email, password=password)
        finally:
            browser.close()

    def browser(self) -> Browser:
        """A browser that keeps its cookies, for a person who opens more than one link in it."""
        return Browser(self.world, served=self._served)
