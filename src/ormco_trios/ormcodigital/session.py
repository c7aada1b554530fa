"""Signing in to the portal, again whenever the session has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel, SecretStr

from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow
from ormco_trios.ormcodigital.operations import SIGN_IN

_LEEWAY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class PortalLogin:
    """A user name and password of OrmcoDigital; prints neither."""

    username: str = field(repr=False)
    password: SecretStr = field(repr=False)


class _SignIn(BaseModel, defer_build=True):
    username: str
    password: str


class SessionAuth:
    """Keeps a session token in memory and signs in again when it ends."""

    def __init__(self, login: PortalLogin, clock: Clock) -> None:
        self._login = login
        self._clock = clock
        self._token: SecretStr | None = None
        self._ends: datetime | None = None

    def current(self) -> SecretStr | None:
        if self._ends is not None and self._clock.now() >= self._ends - _LEEWAY:
            return None
        return self._token

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """A new session.

        Raises:
            PortalSignInRefused: The user name or password is wrong.
        """
        session = yield from Call(
            SIGN_IN,
            body=_SignIn(
                username=self._login.username, password=self._login.password.get_secret_value()
            )
            .model_dump_json()
            .encode(),
        )
        self._token = session.token
        self._ends = (
            None
            if session.expires_in is None
            else self._clock.now() + timedelta(seconds=session.expires_in)
        )
        return session.token
