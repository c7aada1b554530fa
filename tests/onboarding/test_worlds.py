"""The main flows in every possible world: all that nobody knows, in each position, pair by pair."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import pytest
from tests.conftest import Colour
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
    if dialect == "account" and (world.issuer, world.iss) == ("slash", "sent"):
        reasons.add(errors.IssuerMismatch)
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
    both = Colour(how)
    try:
        _live(both, world, dialect, portal)
    finally:
        both.close()


def _live(both: Colour, world: Switches, dialect: str, portal: str) -> None:
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
    if ended is errors.IssuerMismatch:
        return  # nobody is signed in
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


def one_by_one() -> Iterator[tuple[Switches, How, str, str]]:
    """Each position alone; of the many in which something is not served, two."""
    ways: Iterator[tuple[How, str, str]] = itertools.cycle(
        [("sync", "classic", "api"), ("async", "account", "by hand"),
         ("async", "classic", "by hand"), ("sync", "account", "api")]
    )  # fmt: skip
    first = Switches()
    for name, positions in choices().items():
        for position in positions:
            if position != getattr(first, name) and position not in UNSERVED - {"404", "html"}:
                world = first.with_changes({name: position})
                yield world, *next(ways)
                yield world, *next(ways)


def pairwise() -> Iterator[tuple[Switches, How, str, str]]:
    """Few worlds, in which any two positions of any two switches come together at least once."""
    factors: dict[str, tuple[Any, ...]] = {
        **choices(), "how": ("sync", "async"), "dialect": ("classic", "account"),
        "portal": ("api", "by hand"),
    }  # fmt: skip
    order = {name: place for place, name in enumerate(factors)}

    def pair(*items: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(items, key=lambda item: order[item[0]]))

    pairs = [
        ((one, a), (other, b))
        for one, other in itertools.combinations(factors, 2)
        for a in factors[one]
        for b in factors[other]
    ]
    missing = set(pairs)
    rng = random.Random(1)
    for first in pairs:
        if first not in missing:
            continue
        # Begin with a pair that is missing, and let each further factor cover as many as it can.
        row = dict(first)
        for name in rng.sample(list(factors), len(factors)):
            if name not in row:
                gains = {
                    value: sum(pair((name, value), item) in missing for item in row.items())
                    for value in rng.sample(factors[name], len(factors[name]))
                }
                row[name] = max(gains, key=gains.__getitem__)
        missing -= {pair(*two) for two in itertools.combinations(row.items(), 2)}
        how, dialect, portal = row.pop("how"), row.pop("dialect"), row.pop("portal")
        yield Switches(**row), how, dialect, portal


def shown(value: object) -> str | None:
    if not isinstance(value, Switches):
        return None
    first = Switches().as_dict()
    return ",".join(f"{n}={v}" for n, v in value.as_dict().items() if v != first[n]) or "default"


@pytest.mark.parametrize(("world", "how", "dialect", "portal"), list(one_by_one()), ids=shown)
def test_each_unknown(world: Switches, how: How, dialect: str, portal: str) -> None:
    live(how, world, dialect, portal)


@pytest.mark.slow
def test_the_unknown_pair_by_pair() -> None:
    tried = 0
    for world, how, dialect, portal in pairwise():
        try:
            live(how, world, dialect, portal)
        except Exception as error:
            error.add_note(f"{how}, {dialect}, {portal}, {shown(world)}")
            raise
        tried += 1
    assert tried > 200
