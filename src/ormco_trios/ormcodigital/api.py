"""The portal's half by API, where there is one [assumed]."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import OrmcoTriosError, PortalDiffers, UnexpectedAnswer
from ormco_trios.ormcodigital import flows
from ormco_trios.ormcodigital.facts import (
    ConnectionFact,
    MethodFact,
    PortalView,
    SignInFact,
    Source,
)
from ormco_trios.ormcodigital.flows import PortalCode
from ormco_trios.ormcodigital.models import (
    PortalAuthorization,
    Profile,
    SubmissionMethod,
    TriosState,
    TriosStatus,
)
from ormco_trios.ormcodigital.operations import (
    AUTHORIZATION,
    DISCONNECT,
    PROFILE,
    SIGN_IN,
    STATUS,
    differs,
)
from ormco_trios.ormcodigital.portal import PortalVisit, PortalWay
from ormco_trios.ormcodigital.tasks import TaskKind


class ApiPortal:
    """`Portal` for a program.

    Args:
        address: Where the API is: if it was given a password and did not answer like the API, that
            is remembered, and it gets no other.
    """

    way = PortalWay.API

    def __init__(self, address: str) -> None:
        self._address = address.casefold()
        self._profile: Profile | None = None
        self._said: PortalView | None = None

    def look(self, visit: PortalVisit, *, everything: bool = True) -> Flow[PortalView]:
        said, self._said = self._said, None
        if said is not None and _is_new(said, visit):
            return said  # its answer to the Update before this look
        now = visit.clock.now()
        view = PortalView()
        try:
            self._check(visit)
            profile = self._profile = yield from Call(PROFILE)
            view = _view(now, profile.submission_method)
            if not everything:
                return view
            return _view(now, profile.submission_method, (yield from Call(STATUS)))
        except OrmcoTriosError as error:
            return replace(view, problem=self._note(error, visit))

    def link(self, visit: PortalVisit) -> Flow[PortalAuthorization]:
        self._check(visit)
        return (yield from Call(AUTHORIZATION))

    def enter_code(self, code: PortalCode, visit: PortalVisit) -> Flow[None]:
        self._check(visit)
        known, self._profile = self._profile, None
        status = yield from flows.submit_code(code, known)
        # The code was saved with the method in one Update.
        self._said = _view(visit.clock.now(), SubmissionMethod.trios(), status)

    def save_draft(self, visit: PortalVisit) -> Flow[None]:
        self._check(visit)
        yield from flows.save_draft()

    def set_submission_method(self, visit: PortalVisit) -> Flow[None]:
        self._check(visit)
        yield from flows.set_submission_method(SubmissionMethod.trios())

    def renew(self, visit: PortalVisit) -> Flow[None]:
        self._check(visit)
        yield from Call(DISCONNECT)

    def disconnect(self, visit: PortalVisit) -> Flow[bool]:
        self._check(visit)
        status = yield from Call(STATUS)
        if status.state is TriosState.NOT_CONNECTED:
            return False
        yield from Call(DISCONNECT)
        return True

    def done(self, task: TaskKind, visit: PortalVisit) -> None:
        """Nothing: it can be asked."""

    failed = done

    def _check(self, visit: PortalVisit) -> None:
        status = visit.memory.differs.get(self._address)
        if status is not None:
            raise differs(SIGN_IN.name, status)

    def _note(self, error: OrmcoTriosError, visit: PortalVisit) -> OrmcoTriosError:
        """Remember that the password was given away in vain."""
        if isinstance(error, UnexpectedAnswer):
            error = differs(error.operation, error.status)
        if isinstance(error, PortalDiffers) and error.operation == SIGN_IN.name:
            visit.memory.differs[self._address] = error.status
        return error


_NEW = timedelta(seconds=10)
"""How long what the portal has said counts as what it says now."""


def _is_new(view: PortalView, visit: PortalVisit) -> bool:
    return view.signed_in is not None and visit.clock.now() - view.signed_in.at <= _NEW


def _view(
    now: datetime, method: SubmissionMethod | None, status: TriosStatus | None = None
) -> PortalView:
    """What the portal has said."""
    view = PortalView(
        signed_in=SignInFact(value=True, source=Source.PORTAL, at=now),
        submission_method=MethodFact(value=method, source=Source.PORTAL, at=now),
    )
    if status is None:
        return view
    return replace(
        view,
        connection=ConnectionFact(value=status.state, source=Source.PORTAL, at=now),
        connected_at=status.connected_at,
        last_worked=status.last_checked_at,
    )
