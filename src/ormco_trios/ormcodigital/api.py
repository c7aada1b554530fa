"""The portal's half by API, where there is one [assumed]."""

from __future__ import annotations

from dataclasses import replace

from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import OrmcoTriosError, PortalDiffers, UnexpectedAnswer
from ormco_trios.core.handover import HandedOver
from ormco_trios.ormcodigital import flows
from ormco_trios.ormcodigital.facts import Fact, PortalView, Source
from ormco_trios.ormcodigital.models import (
    PortalAuthorization,
    SubmissionMethod,
    TriosState,
)
from ormco_trios.ormcodigital.operations import (
    AUTHORIZATION,
    DISCONNECT,
    PROFILE,
    SIGN_IN,
    STATUS,
    differs,
)
from ormco_trios.ormcodigital.portal import PortalWay, Visit
from ormco_trios.ormcodigital.tasks import TaskKind


class ApiPortal:
    """`Portal` for a program.

    Args:
        address: Where the API is: if it was given a password and did not answer like the API, that
            is remembered, and it gets no other.
    """

    way = PortalWay.API

    def __init__(self, address: str) -> None:
        self._address = address

    def look(self, visit: Visit) -> Flow[PortalView]:
        now = visit.clock.now()
        view = PortalView()
        try:
            self._check(visit)
            profile = yield from Call(PROFILE)
            view = PortalView(
                signed_in=Fact[bool](value=True, source=Source.PORTAL, at=now),
                submission_method=Fact[SubmissionMethod | None](
                    value=profile.submission_method, source=Source.PORTAL, at=now
                ),
            )
            trios = yield from Call(STATUS)
        except OrmcoTriosError as error:
            return replace(view, problem=self._note(error, visit))
        return replace(
            view,
            connection=Fact[TriosState](value=trios.state, source=Source.PORTAL, at=now),
            connected_at=trios.connected_at,
            last_worked=trios.last_checked_at,
        )

    def link(self, visit: Visit) -> Flow[PortalAuthorization]:
        self._check(visit)
        return (yield from Call(AUTHORIZATION))

    def enter_code(self, code: HandedOver, visit: Visit) -> Flow[None]:
        self._check(visit)
        yield from flows.submit_code(code)

    def save_draft(self, visit: Visit) -> Flow[None]:
        self._check(visit)
        yield from flows.save_draft()

    def set_submission_method(self, visit: Visit) -> Flow[None]:
        self._check(visit)
        yield from flows.set_submission_method(SubmissionMethod.trios())

    def disconnect(self, visit: Visit) -> Flow[bool]:
        self._check(visit)
        status = yield from Call(STATUS)
        if status.state is TriosState.NOT_CONNECTED:
            return False
        yield from Call(DISCONNECT)
        return True

    def done(self, task: TaskKind, visit: Visit) -> None:
        """Nothing: it can be asked."""

    def _check(self, visit: Visit) -> None:
        if visit.memory.differs == self._address:
            raise differs(SIGN_IN.name, visit.memory.status)

    def _note(self, error: OrmcoTriosError, visit: Visit) -> OrmcoTriosError:
        """Remember that the password was given away in vain."""
        if isinstance(error, UnexpectedAnswer):
            error = differs(error.operation, error.status)
        if isinstance(error, PortalDiffers) and error.operation == SIGN_IN.name:
            visit.memory.differs, visit.memory.status = self._address, error.status
        return error
