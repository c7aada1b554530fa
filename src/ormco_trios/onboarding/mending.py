"""What a repair adds to a round: what is taken away before it is set up again.

The wish is in `Progress` with what was done already, so an interrupted repair goes on.  Nothing
that works is taken away before a person is there who can renew it.
"""

from __future__ import annotations

from ormco_trios.communicate.flows import withdraw
from ormco_trios.communicate.models import ConnectionState, plain_id
from ormco_trios.communicate.operations import APPLICATIONS, REMOVE, REMOVE_APPLICATION
from ormco_trios.communicate.regions import DAY
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import ApiError, AuthorizationNeeded, RateLimited, ServerError
from ormco_trios.onboarding.checklist import StepState
from ormco_trios.onboarding.context import TRIES, Context
from ormco_trios.onboarding.observation import Observation, ormco_application
from ormco_trios.onboarding.outcomes import (
    Interruption,
    NeedsPerson,
    Repair,
    Repaired,
    RepairUnderWay,
)
from ormco_trios.onboarding.person import needs_person
from ormco_trios.onboarding.tasks import begin_repair, remove_access
from ormco_trios.ormcodigital.portal import PortalWay
from ormco_trios.ormcodigital.tasks import Task


def begin(context: Context, extent: Repair, seen: Observation) -> None:
    """Remember the wish, and what is to be taken away by it; a wish that is known grows at most."""
    repair = context.progress.repair
    if repair is None:
        steps = context.checklist(seen).steps
        view = seen.portal
        repair = RepairUnderWay(
            extent=extent,
            broken=tuple(
                step.name
                for step in steps
                if step.state is not StepState.DONE and not step.name.is_witness
            ),
            worked=view is not None and view.connected_at is not None,
            last_worked=None if view is None else view.last_worked,
        )
        context.progress.repair = repair
    elif extent.covers(repair.extent):
        repair.extent = extent
    known = seen.me is not None and seen.communicate_problem is None
    if repair.extent is Repair.CONNECT_AGAIN and repair.connection is None and known:
        repair.connection = _removed_by(context, seen)


def _removed_by(context: Context, seen: Observation) -> str:
    """The connection that is removed: one that is active, or was asked for more than a day ago.

    A request that is younger is left alone: it may be this repair's own, its progress lost.
    """
    if seen.connection is None:
        return ""
    since = context.progress.waiting_since
    old = since is not None and seen.looked_at - since > DAY
    active = seen.connection.state is ConnectionState.ACTIVE
    return seen.connection.id if active or old else ""


def mend_connection(context: Context, seen: Observation) -> Flow[NeedsPerson | bool]:
    """Remove the connection, if that is wished; whether something was done."""
    repair, connection = context.progress.repair, seen.connection
    if repair is None or connection is None or seen.me is None or not repair.connection:
        return False
    if plain_id(connection.id) != plain_id(repair.connection):
        return False
    if not repair.person_there:
        return needs_person(context, seen, begin_repair(connection=True))
    if seen.region is not None:
        context.progress.region = seen.region.region  # the connection may be all that says it
    yield from withdraw(REMOVE, {"user": seen.me.id, "connection": connection.id})
    context.progress.waiting_since = None
    # The person who is there now may be gone when Ormco has approved.
    repair.person_there = False
    return True


def mend_portal(context: Context, seen: Observation) -> Flow[NeedsPerson | bool]:
    """Take Ormco's access away, if that is wished, so that it is given again; whether it was done.

    The portal has answered by now, so nothing is taken away that could not be renewed.
    """
    repair = context.progress.repair
    if repair is None:
        return False
    if repair.extent is Repair.WHAT_IS_BROKEN and repair.refused >= TRIES:
        # The guide's second step, when the first one does not help.
        repair.extent, repair.renewed = Repair.AUTHORIZE_AGAIN, False
    if repair.renewed:
        return False
    again = repair.extent is not Repair.WHAT_IS_BROKEN
    unlisted = seen.linked and seen.granted is False
    # Where nobody can look, the guide's first step is to enter a code again.
    in_doubt = seen.linked and seen.way is not PortalWay.API and not repair.broken
    if not (again or unlisted or in_doubt):
        return False
    takes_away = again or seen.way is PortalWay.API
    if takes_away and (seen.linked or seen.granted) and not repair.person_there:
        return needs_person(context, seen, begin_repair(connection=False))
    if again and not repair.revoked:
        task = yield from revoke(context, seen)
        if isinstance(task, Task):
            return needs_person(context, seen, task)
        repair.revoked = True
    yield from context.portal.renew(context.visit)
    repair.renewed = True
    return True


def revoke(context: Context, seen: Observation) -> Flow[bool | Task]:
    """Delete Ormco on the Applications page, if it is there [guide].

    By program, as far as it goes [assumed]; a task where only a person can.

    Returns:
        Whether there was anything to delete, or the task.
    """
    assert seen.me is not None
    try:
        listed = yield from Call(APPLICATIONS, path={"user": seen.me.id})
        application = ormco_application(listed)
        if application is None:
            return False
        path = {"user": seen.me.id, "application": application.id}
        return (yield from withdraw(REMOVE_APPLICATION, path))
    except (ServerError, RateLimited):
        raise
    except (ApiError, AuthorizationNeeded):
        return remove_access(context.target.applications)


def end(context: Context, seen: Observation) -> Repaired | None:
    """What the repair came to; there is none any more."""
    repair, context.progress.repair = context.progress.repair, None
    if repair is None:
        return None
    checklist = context.checklist(seen)
    interruption = None
    if repair.worked and (repair.broken or repair.renewed):
        # What did not look broken worked until it was taken away.
        since = repair.last_worked if repair.broken else seen.looked_at
        interruption = Interruption(since, seen.looked_at)
    return Repaired(checklist, repair.broken, repair.extent, interruption)
