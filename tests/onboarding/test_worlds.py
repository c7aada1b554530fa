"""The main flows with every switch of the sandbox in every position, pair by pair.

`test_unknowns` looks closer at those that are about Communicate; here are all of them, and what an
answer names is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import pytest
from allpairspy import AllPairs
from tests.conftest import SyncOrAsync
from tests.practices import Hands, clients

from ormco_trios import errors
from ormco_trios.core.transport import Answer, AsyncTransport, Request, Transport
from ormco_trios.sandbox import Approval, InProcessGateway, Sandbox, Switches
from ormco_trios.sandbox.world.switches import Served, choices

How: TypeAlias = Literal["sync", "async"]

UNSERVED = set(get_args(Served)) - {"served"}


@dataclass
class Recorder:
    """A gateway that knows where requests with a token go."""

    inner: InProcessGateway
    urls: list[str] = field(default_factory=list)

    def open(self) -> Transport:
        return _Recording(self, self.inner.open())

    def open_async(self) -> AsyncTransport:
        return _AsyncRecording(self, self.inner.open_async())


class _Recording:
    def __init__(self, recorder: Recorder, inner: Transport) -> None:
        self._urls = recorder.urls
        self._inner = inner
        self.close = inner.close

    def send(self, request: Request) -> Answer:
        self._urls.append(request.url)
        return self._inner.send(request)


class _AsyncRecording:
    def __init__(self, recorder: Recorder, inner: AsyncTransport) -> None:
        self._urls = recorder.urls
        self._inner = inner
        self.aclose = inner.aclose

    async def send(self, request: Request) -> Answer:
        self._urls.append(request.url)
        return await self._inner.send(request)


# --- what must come of it -------------------------------------------------------------------


def ends(world: Switches, dialect: str, portal: str) -> set[type[Any] | str]:
    """What ``run()`` may end with: *Connected*, unless something that it needs is not there."""
    reasons: set[type[Any] | str] = set()
    if world.roles == "text":
        reasons.add(errors.UnexpectedAnswer)  # no list: nothing is requested
    if portal == "api" and world.portal_api in UNSERVED:
        status = int(world.portal_api) if world.portal_api.isdecimal() else 0
        kind = {429: errors.RateLimited, 500: errors.ServerError, 502: errors.ServerError}
        reasons.add(kind.get(status, errors.PortalDiffers))
    return reasons or {"Connected"}


def home_is_clear(world: Switches) -> bool:
    """Whether the account says where its cases are, in one way or in two that agree."""
    uri = world.region_uri in ("published", "v1.5", "address")
    silent = world.region_uri in ("null", "absent")
    region = world.region in ("whole", "name")
    mute = world.region in ("null", "absent")
    return (uri and (region or mute)) or (silent and region)


def home_is_found(world: Switches) -> bool:
    """Or else whether one of 3Shape's lists names a server that may be asked."""
    helps = ("served", "retired")  # a server of v1.0 is known by its region
    return home_is_clear(world) or world.services in helps or world.servers in helps


# --- trying it ------------------------------------------------------------------------------


def outcome(do: Any) -> type[Any] | str:
    try:
        return type(do()).__name__
    except errors.OrmcoTriosError as error:
        return type(error)


def live(how: How, world: Switches, dialect: str, portal: str) -> None:
    both = SyncOrAsync(how)
    try:
        _live(both, world, dialect, portal)
    finally:
        both.close()


def _live(both: SyncOrAsync, world: Switches, dialect: str, portal: str) -> None:
    """From nothing to connected, cases, and back, as far as this world lets one come."""
    sandbox = Sandbox(approval=Approval.after_polls(1), switches=world)
    recorder = Recorder(InProcessGateway(sandbox.world))
    made = clients(
        both, sandbox, gateway=recorder, account_dialect=dialect == "account",
        by_hand=portal == "by hand",
    )  # fmt: skip
    options = {}
    if portal == "by hand":
        # The person presses the same buttons, whether there is an API or not.
        sandbox.switch(portal_api="served")
        options["person"] = both.callback(Hands(sandbox).do)
    ended = outcome(lambda: made.run(**options))
    allowed = ends(world, dialect, portal)
    assert ended in allowed, f"{ended}, not {allowed}"
    requests = sandbox.journal.count("connections.request", ok=True)
    assert requests == (0 if errors.UnexpectedAnswer in allowed else requests)
    assert requests <= 1

    made.onboarding.check()  # shows what it can, and raises nothing
    found = outcome(lambda: list(made.communicate.cases.list()))
    if home_is_found(world):
        assert found == "list"
    else:
        assert isinstance(found, type), found
        assert sandbox.journal.count("cases.list") == 0

    report = made.onboarding.disconnect()
    if ended == "Connected" and world.removal != "remote":
        assert not sandbox.world.connections()
    assert report
    # Nothing that any answer named was asked, but what is the sandbox's own.
    assert {url for url in recorder.urls if not url.startswith(f"{sandbox.base_url}/")} == set()


WAYS = {"how": ["sync", "async"], "dialect": ["classic", "account"], "portal": ["api", "by hand"]}
"""What the one who uses the library chooses, beside what the world is."""


@pytest.mark.slow
def test_every_pair_of_positions_of_every_switch() -> None:
    factors: dict[str, list[Any]] = {name: list(each) for name, each in choices().items()} | WAYS
    tried = 0
    for row in AllPairs(list(factors.values())):
        world = dict(zip(factors, row, strict=True))
        how, dialect, portal = (world.pop(name) for name in WAYS)
        try:
            live(how, Switches(**world), dialect, portal)
        except Exception as error:
            error.add_note(f"{row}")
            raise
        tried += 1
    assert tried >= 17 * 17
