"""Repair and disconnect: the guide's last pages, and what it does not say."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ormco_trios.communicate.flows import withdraw
from ormco_trios.communicate.operations import APPLICATIONS, REMOVE, REMOVE_APPLICATION
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import CodeRefused, DraftLost, OrmcoTriosError
from ormco_trios.onboarding.checklist import Checklist, StepName, StepState
from ormco_trios.onboarding.flow import Context, look, own_account, run, sign_in
from ormco_trios.onboarding.observation import (
    Observation,
    checklist_of,
    ormco_application,
)
from ormco_trios.ormcodigital.models import TriosState
from ormco_trios.ormcodigital.operations import DISCONNECT, STATUS


class Repair(enum.Enum):
    """How much is set up again, from the least to the most."""

    WHAT_IS_BROKEN = "what is broken"
    AUTHORIZE_AGAIN = "authorize again"
    """Ormco's access is revoked first, as under Applications; for when all looks well [guide]."""
    CONNECT_AGAIN = "connect again"
    """The connection is requested again as well: up to another 24 hours without scans."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """The time in which scans may not have arrived: send them again.

    Attributes:
        since: When it last worked for certain; None if nobody can tell.
        until: When it worked again.
    """

    since: datetime | None
    until: datetime

    def __str__(self) -> str:
        since = "an unknown moment" if self.since is None else f"{self.since:%Y-%m-%d %H:%M} UTC"
        return (
            f"Scans sent between {since} and {self.until:%Y-%m-%d %H:%M} UTC may not have arrived: "
            "send them again."
        )


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair found and did.

    Attributes:
        broken: The steps that were not done when it began.
        extent: How far it had to go.
        interruption: The time in which scans may not have arrived, if there was one.
    """

    checklist: Checklist
    broken: tuple[StepName, ...]
    extent: Repair
    interruption: Interruption | None


def repair(
    context: Context, *, extent: Repair, timeout: timedelta, may_ask: bool
) -> Flow[Repaired]:
    """Do the least that mends it, and more only if that was not enough."""
    seen = yield from look(context, everything=True)
    found = checklist_of(seen, since=context.progress.waiting_since)
    broken = tuple(s.name for s in found.steps if s.state is not StepState.DONE)
    if extent is not Repair.WHAT_IS_BROKEN and seen.communicate_problem is not None:
        # Who takes something away has to be signed in.
        yield from sign_in(context, seen, seen.communicate_problem, may_ask=may_ask)
        seen = yield from look(context, everything=True)
    yield from _undo(context, seen, extent)
    context.progress.waiting_since = None
    try:
        connected = yield from run(context, timeout=timeout, may_ask=may_ask)
    except (CodeRefused, DraftLost):
        if extent is not Repair.WHAT_IS_BROKEN:
            raise
        extent = Repair.AUTHORIZE_AGAIN
        yield from _undo(context, seen, extent)
        connected = yield from run(context, timeout=timeout, may_ask=may_ask)
    return Repaired(
        checklist=connected.checklist,
        broken=broken,
        extent=extent,
        interruption=_interruption(seen, broken, extent, connected.checklist.looked_at),
    )


def _undo(context: Context, seen: Observation, extent: Repair) -> Flow[None]:
    if extent is Repair.WHAT_IS_BROKEN:
        return
    yield from _revoke(context)
    yield from Call(DISCONNECT)
    if extent is Repair.CONNECT_AGAIN and seen.me is not None and seen.connection is not None:
        yield from withdraw(REMOVE, {"user": seen.me.id, "connection": seen.connection.id})


def _interruption(
    seen: Observation, broken: tuple[StepName, ...], extent: Repair, until: datetime
) -> Interruption | None:
    """Only what worked once can have been interrupted."""
    if seen.trios is None or seen.trios.connected_at is None:
        return None
    if not broken and extent is Repair.WHAT_IS_BROKEN:
        return None
    return Interruption(seen.trios.last_checked_at if broken else until, until)


# --- disconnect -----------------------------------------------------------------------------


class PlaceState(enum.Enum):
    """What became of one place."""

    REMOVED = "removed"
    ABSENT = "was not there"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places where a practice is connected.

    Attributes:
        remark: What happened and what to do, when it failed.
    """

    name: str
    state: PlaceState
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What was taken back, place by place."""

    places: tuple[Place, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left anywhere."""
        return all(place.state is not PlaceState.FAILED for place in self.places)

    def __str__(self) -> str:
        return "\n".join(
            f"{p.name}: {p.state.value}{f'. {p.remark}' if p.remark else ''}" for p in self.places
        )


def disconnect(context: Context, *, sign_out: bool) -> Flow[Disconnected]:
    """Take everything back; a place that fails does not keep the others from being cleaned."""
    seen = yield from look(context, everything=True)
    places = [
        # Before the portal, which may take its access back by itself: then nobody could tell.
        (yield from _place("Ormco's access to the cases", lambda: _revoke(context))),
        (yield from _place("OrmcoDigital's connection to 3Shape", _portal)),
        (yield from _place("The connection with Ormco's lab", lambda: _connection(seen))),
    ]
    application = context.application
    if sign_out and application is not None:

        def forget() -> Flow[bool]:
            token = yield from application.load()
            if token is None:
                return False
            yield from application.revoke(token)
            return True

        places.append((yield from _place("This library's own sign-in", forget)))
    return Disconnected(tuple(places))


def _place(name: str, remove: Callable[[], Flow[bool]]) -> Flow[Place]:
    try:
        removed = yield from remove()
    except OrmcoTriosError as error:
        return Place(name, PlaceState.FAILED, str(error))
    return Place(name, PlaceState.REMOVED if removed else PlaceState.ABSENT)


def _portal() -> Flow[bool]:
    status = yield from Call(STATUS)
    if status.state is TriosState.NOT_CONNECTED:
        return False
    yield from Call(DISCONNECT)
    return True


def _revoke(context: Context) -> Flow[bool]:
    """Delete Ormco on the Applications page, if it is there [guide]."""
    me = yield from own_account(context)
    application = ormco_application((yield from Call(APPLICATIONS, path={"user": me.id})))
    if application is None:
        return False
    yield from withdraw(REMOVE_APPLICATION, {"user": me.id, "application": application.id})
    return True


def _connection(seen: Observation) -> Flow[bool]:
    if seen.communicate_problem is not None:
        raise seen.communicate_problem
    if seen.me is None or seen.connection is None:
        return False
    return (yield from withdraw(REMOVE, {"user": seen.me.id, "connection": seen.connection.id}))
