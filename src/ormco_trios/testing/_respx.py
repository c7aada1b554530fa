"""The World behind respx: one router for any of the three services.

respx works below httpx's transports, so every httpx client is answered: the library's own, one
that is injected into it, and those of other code in the same process.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import httpx

from ormco_trios.core.environment import Environment
from ormco_trios.core.extras import extra
from ormco_trios.sandbox import Dispatcher, World
from ormco_trios.sandbox.dispatch.table import TABLE
from ormco_trios.sandbox.serve._httpx import respond
from ormco_trios.sandbox.wire.addresses import addresses_of

with extra("testing"):
    import respx
    from respx.mocks import HTTPCoreMocker
    from respx.models import AllMockedAssertionError, PassThrough

MockedService: TypeAlias = Literal["communicate", "oauth", "ormcodigital"]
"""What can be mocked on its own."""

MOCKED = Environment.production(portal_api="https://api.ormcodigital.example")
"""At whose addresses the fixtures answer; OrmcoDigital publishes no API: its host is invented."""

_HOSTS = {part: urlsplit(place).hostname or "" for part, place in addresses_of(MOCKED).items()}
_LIVE = (*MOCKED.trusted, ".ormcodigital.com", *_HOSTS.values())

_PARTS: dict[MockedService, tuple[str, ...]] = {
    "communicate": ("communicate", "metadata-am", "metadata-as", "metadata-eu"),
    "oauth": ("auth", "identity"),
    "ormcodigital": ("ormcodigital",),
}
"""Which parts of the World each service is, by the first part of their paths."""


class LiveServiceCalled(AssertionError):
    """A test was about to call a real service."""


class ServiceRouter(respx.MockRouter):
    """A respx router over a World; requests to other hosts go their way.

    Its routes are called after the operations (``router["users.me"].call_count``).

    Attributes:
        refuse_live: Raise `LiveServiceCalled` for 3Shape's and Ormco's hosts that are not mocked,
            instead of letting the request pass.
    """

    def __init__(self, world: World, *services: MockedService) -> None:
        super().__init__(assert_all_called=False)
        self.refuse_live = False
        self._world = world
        self._dispatcher = Dispatcher(world)
        self._services: list[MockedService] = []
        for service in services:
            self.mock(service)

    def mock(self, service: MockedService) -> None:
        """Answer for one more service."""
        self._services.append(service)
        places = {part: self._world.public(f"/{part}") for part in _PARTS[service]}
        patterns: dict[tuple[str, str], list[str]] = {}
        for route in TABLE:
            for part, place in places.items():
                template = route.template.replace("{server}", part.removeprefix("metadata-"))
                if template.startswith(f"/{part}/"):
                    rest = template.removeprefix(f"/{part}")
                    pattern = re.escape(place) + re.sub(r"\\?\{\w+\\?\}", "[^/?]+", re.escape(rest))
                    patterns.setdefault((route.operation, route.method), []).append(pattern)
        for (operation, method), some in patterns.items():
            regex = rf"^(?:{'|'.join(some)})(?:\?.*)?$"
            self.route(method=method, url__regex=regex, name=operation).mock(
                side_effect=self._answer()
            )
        # Whatever else is asked there: the World says what is wrong with it.
        anything = "|".join(map(re.escape, places.values()))
        self.route(url__regex=rf"^(?:{anything})(?:[/?].*)?$", name=f"{service}.unknown").mock(
            side_effect=self._answer()
        )

    def handler(self, request: httpx.Request) -> httpx.Response:
        """Answer, or let the request pass."""
        try:
            return super().handler(request)
        except AllMockedAssertionError:
            self._not_mine(request)
            raise

    async def async_handler(self, request: httpx.Request) -> httpx.Response:
        """Answer, or let the request pass."""
        try:
            return await super().async_handler(request)
        except AllMockedAssertionError:
            self._not_mine(request)
            raise

    def _answer(self) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: respond(self._dispatcher, request, request.content)

    def _not_mine(self, request: httpx.Request) -> None:
        """Refuse a live host, or let the request pass unless another router may know it."""
        host = request.url.host
        if self.refuse_live and is_live(host):
            raise LiveServiceCalled(explain(host, self._mocked_hosts()))
        others = [router for router in HTTPCoreMocker.routers if router is not self]
        if others and HTTPCoreMocker.routers[-1] is not self:
            return
        route = respx.Route()
        raise PassThrough("not a mocked host", request=request, origin=route)

    def _mocked_hosts(self) -> list[str]:
        return sorted(
            urlsplit(self._world.public(f"/{part}")).hostname or ""
            for service in self._services
            for part in _PARTS[service]
        )


def respx_router(world: World, *services: MockedService) -> ServiceRouter:
    """A router that answers for ``services``, or for all three if none is named.

    Use it as a context manager, or with respx's ``start`` and ``stop``.

    Args:
        world: Who answers, at its own addresses: make it with ``posing_as=`` an environment to
            mock that one's.
        services: Requests to the others are not touched.
    """
    return ServiceRouter(world, *(services or tuple(_PARTS)))


def is_live(host: str) -> bool:
    """Whether ``host`` is one of 3Shape's or Ormco's."""
    return any(f".{host.lower()}".endswith(f".{suffix.lstrip('.')}") for suffix in _LIVE)


def explain(host: str, mocked: list[str]) -> str:
    """What to do about a call to a live host."""
    live = {
        name: service
        for service, parts in _PARTS.items()
        for part, name in _HOSTS.items()
        if part in parts
    }
    near = difflib.get_close_matches(host, live, n=1, cutoff=0.0)[0]
    text = f"The live host {host} was about to be called, and nothing was sent. "
    if host in live:
        text += f"The fixture mock_{live[host]} answers for it"
    else:
        text += f"The nearest host that can be mocked is {near} (fixture mock_{live[near]})"
    return f"{text}; mocked in this test: {', '.join(mocked) or 'nothing'}."
