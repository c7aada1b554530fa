"""Repair and disconnect: the guide's last pages, and what it does not say."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from ormco_trios.communicate.flows import withdraw
from ormco_trios.communicate.operations import REMOVE
from ormco_trios.core.effects import AskHuman, Flow
from ormco_trios.core.errors import OrmcoTriosError, WrongAccount
from ormco_trios.oauth.paste import harmless
from ormco_trios.onboarding.context import Context
from ormco_trios.onboarding.flow import Asking, run
from ormco_trios.onboarding.mending import revoke
from ormco_trios.onboarding.observation import Observation
from ormco_trios.onboarding.outcomes import Repair, Repaired
from ormco_trios.onboarding.person import confirm, needs_person
from ormco_trios.ormcodigital.tasks import Done, Failed, Task


def repair(
    context: Context, *, extent: Repair, timeout: timedelta, asking: Asking
) -> Flow[Repaired]:
    """Do the least that repairs it, and more only if that was not enough."""
    connected = yield from run(context, timeout=timeout, asking=asking, repair=extent)
    assert connected.repaired is not None
    return connected.repaired


# --- disconnect -----------------------------------------------------------------------------


class PlaceState(enum.Enum):
    """What became of one place."""

    REMOVED = "removed"
    ABSENT = "was not there"
    SAID = "removed, the practice says"
    NEEDS_PERSON = "needs a person"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places where a practice is connected.

    Attributes:
        remark: What happened and what to do, when it is not removed.
        task: What a person has to do there, if no program can.
    """

    name: str
    state: PlaceState
    remark: str = ""
    task: Task | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What was taken back, place by place."""

    places: tuple[Place, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left anywhere."""
        left = {PlaceState.FAILED, PlaceState.NEEDS_PERSON}
        return all(place.state not in left for place in self.places)

    def __str__(self) -> str:
        return "\n".join(
            f"{p.name}: {p.state.value}{f'. {p.remark}' if p.remark else ''}" for p in self.places
        )


def disconnect(context: Context, *, sign_out: bool, may_ask: bool) -> Flow[Disconnected]:
    """Take everything back; a place that fails does not keep the others from being cleaned."""
    seen = yield from context.look(everything=True)
    if isinstance(seen.communicate_problem, WrongAccount):
        yield from context.drop_sign_in()

    def access() -> Flow[bool | Task]:
        if seen.me is None:
            _known(seen)
        return (yield from revoke(context, seen))

    def connection() -> Flow[bool]:
        _known(seen)
        if seen.me is None or seen.connection is None:
            return False
        return (yield from withdraw(REMOVE, {"user": seen.me.id, "connection": seen.connection.id}))

    removals: list[tuple[str, Callable[[], Flow[bool | Task]]]] = [
        # Before the portal, which may take its access back by itself: then nobody could tell.
        ("Ormco's access to the cases", access),
        (
            "OrmcoDigital's connection to 3Shape",
            lambda: context.portal.disconnect(context.visit),
        ),
        ("The connection with Ormco's lab", connection),
    ]
    if sign_out and context.application is not None:
        removals.append(
            ("This library's own sign-in", lambda: forget_sign_in(context, revoke=True))
        )
    places: list[Place] = []
    for name, remove in removals:
        places.append((yield from _place(context, seen, name, remove, may_ask=may_ask)))
    progress = context.progress
    progress.pending = progress.task = progress.repair = progress.linked_at = None
    progress.waiting_since = context.code = None
    progress.portal.forget()
    confirm(progress, confirmed=False)
    return Disconnected(tuple(places))


def forget_sign_in(context: Context, *, revoke: bool) -> Flow[bool]:
    """Delete the stored token; whether there was one.

    It is taken back if that is asked for; otherwise it is deleted unread, whichever account it is.
    """
    application = context.application
    if application is None:
        return False
    if not revoke:
        return (yield from application.delete())
    token = yield from application.load()
    if token is None:
        return False
    yield from application.revoke(token)
    return True


def _known(seen: Observation) -> None:
    if seen.communicate_problem is not None:
        raise seen.communicate_problem


def _place(
    context: Context,
    seen: Observation,
    name: str,
    remove: Callable[[], Flow[bool | Task]],
    *,
    may_ask: bool,
) -> Flow[Place]:
    try:
        removed = yield from remove()
    except OrmcoTriosError as error:
        return Place(name, PlaceState.FAILED, error.message)
    if not isinstance(removed, Task):
        return Place(name, PlaceState.REMOVED if removed else PlaceState.ABSENT)
    needed = needs_person(context, seen, removed)
    answer = (yield from AskHuman(needed)) if may_ask else None
    if isinstance(answer, Done):
        return Place(name, PlaceState.SAID)
    if isinstance(answer, Failed):
        return Place(name, PlaceState.FAILED, harmless(answer.words), needed.task)
    return Place(name, PlaceState.NEEDS_PERSON, " ".join(needed.task.steps), needed.task)
