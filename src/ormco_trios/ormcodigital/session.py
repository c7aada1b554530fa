"""Signing in to the portal, again whenever the session has ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import SecretStr

from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.errors import (
    ApiError,
    NotSignedIn,
    PortalDiffers,
    PortalSignInRefused,
    UnexpectedAnswer,
)
from ormco_trios.core.operation import encode
from ormco_trios.ormcodigital.operations import SIGN_IN, STATUS, differs

_PROBE = replace(STATUS, authenticated=False)
"""Asks without signing in: the API refuses in its own words, and anything else is not the API."""

_LEEWAY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class PortalLogin:
    """A user name and password of OrmcoDigital; prints neither."""

    username: str = field(repr=False)
    password: SecretStr = field(repr=False)


class SessionAuth:
    """Keeps a session token in memory and signs in again when it ends.

    The password goes nowhere before the address has refused a request without it in the API's own
    words, and it does not go there a second time if it was not taken.
    """

    def __init__(self, login: PortalLogin, clock: Clock) -> None:
        self._login = login
        self._clock = clock
        self._token: SecretStr | None = None
        self._ends: datetime | None = None
        self._known = False
        self._refused: ApiError | None = None

    def current(self) -> SecretStr | None:
        if self._ends is not None and self._clock.now() >= self._ends - _LEEWAY:
            return None
        return self._token

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """A new session.

        Raises:
            PortalSignInRefused: The user name or password is wrong.
            PortalDiffers: The address is not that of the API.
        """
        if self._refused is not None:
            raise self._refused.with_traceback(None)
        if not self._known:
            yield from self._probe()
        call = Call(
            SIGN_IN,
            body=encode(
                {
                    "username": self._login.username,
                    "password": self._login.password.get_secret_value(),
                }
            ),
        )
        try:
            session = yield from call
        except (PortalSignInRefused, PortalDiffers) as error:
            self._refused = error
            raise
        except UnexpectedAnswer as error:
            self._refused = differs(error.operation, error.status)
            raise self._refused from None
        self._token = session.token
        self._ends = (
            None
            if session.expires_in is None
            else self._clock.now() + timedelta(seconds=session.expires_in)
        )
        return session.token

    def _probe(self) -> Flow[None]:
        """Make sure that this is the API, before a password goes there."""
        try:
            yield from Call(_PROBE)
        except NotSignedIn:
            self._known = True
        except UnexpectedAnswer as error:
            raise differs(error.operation, error.status) from None
        else:
            raise differs(_PROBE.name, 200)
