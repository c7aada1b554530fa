"""How a request gets its bearer token."""

from __future__ import annotations

from typing import Protocol, overload

from pydantic import SecretStr

from ormco_trios.core.effects import Flow
from ormco_trios.core.environment import SANDBOX_TOKEN_PREFIX, Environment
from ormco_trios.core.errors import ConfigurationError


@overload
def as_secret(value: str | SecretStr) -> SecretStr: ...
@overload
def as_secret(value: str | SecretStr | None) -> SecretStr | None: ...
def as_secret(value: str | SecretStr | None) -> SecretStr | None:
    """A caller's secret, wrapped unless it is already."""
    return SecretStr(value) if isinstance(value, str) else value


class Auth(Protocol):
    """A sign-in: knows a token, or how to get one."""

    def current(self) -> SecretStr | None:
        """The token to send now, or None when `renew` has to be asked first.  Does no I/O."""
        ...

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """Get a token; ``rejected`` is one that the service has just refused with 401.

        Ends with None when there is no other token to be had.
        """
        ...


class StaticToken:
    """A token the caller got elsewhere; it cannot be renewed."""

    def __init__(self, token: str | SecretStr) -> None:
        self._token = as_secret(token)

    def current(self) -> SecretStr | None:
        return self._token

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        yield from ()
        return None


def check_token_fits(token: SecretStr, environment: Environment) -> None:
    """Keep the sandbox's tokens away from live hosts.

    Raises:
        ConfigurationError: A sandbox token, and an environment that is not on this machine.
    """
    if not environment.is_local and token.get_secret_value().startswith(SANDBOX_TOKEN_PREFIX):
        raise ConfigurationError(
            f"A token of the sandbox was about to be sent to the environment {environment.name!r}.",
            advice="Use the sandbox's environment, or sign in to the real service.",
        )
