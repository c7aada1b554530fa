"""A token set, and the protocol of the places it can be kept."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from pydantic import SecretStr

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.shield import shielded


@dataclass(frozen=True, slots=True)
class Token:
    """What a token endpoint answered; prints none of it.

    Attributes:
        expires_at: When the access token ends (UTC), if the server said so.
        refresh_token: Single use where the server rotates it.
        scope: What was granted, if the server said so.
        owner: Whose sign-in it is, if the client was told (``OAuthClient(owner=...)``).
    """

    access_token: SecretStr
    expires_at: datetime | None = None
    refresh_token: SecretStr | None = None
    scope: str | None = None
    owner: str | None = field(default=None, repr=False)

    def usable(self, now: datetime, leeway: timedelta = timedelta(0)) -> bool:
        """Whether the access token lasts at least ``leeway`` longer."""
        return self.expires_at is None or self.expires_at > now + leeway

    def keeping(self, older: Token) -> Token:
        """This token, with the refresh token of ``older`` if the reply brought none."""
        return self if self.refresh_token else replace(self, refresh_token=older.refresh_token)

    def to_json(self) -> str:
        """Everything, secrets included: for a store, never for a log."""
        return json.dumps(
            {
                "access_token": self.access_token.get_secret_value(),
                "expires_at": self.expires_at and self.expires_at.isoformat(),
                "refresh_token": self.refresh_token and self.refresh_token.get_secret_value(),
                "scope": self.scope,
                "owner": self.owner,
            }
        )

    @classmethod
    @shielded
    def from_json(cls, text: str | bytes) -> Token:
        """The token that `to_json` wrote.

        Raises:
            ConfigurationError: It is not such a text.
        """
        token = _read(text)
        if token is None:
            raise ConfigurationError(
                "The stored token cannot be read.", advice="Delete it and authorize again."
            )
        return token


def _read(text: str | bytes) -> Token | None:
    try:
        data = json.loads(text)
        access, refresh, scope = data["access_token"], data["refresh_token"], data["scope"]
        ends = datetime.fromisoformat(data["expires_at"]) if data["expires_at"] else None
        owner = data.get("owner")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    optional = (refresh, scope, owner)
    if not isinstance(access, str) or not all(isinstance(x, str | None) for x in optional):
        return None
    if ends is not None and ends.tzinfo is None:
        return None
    return Token(
        access_token=SecretStr(access),
        expires_at=ends,
        refresh_token=SecretStr(refresh) if refresh else None,
        scope=scope,
        owner=owner,
    )


class TokenStore(Protocol):
    """Where tokens are kept, by account; implement it for your database.

    ``try_lock`` and ``unlock`` make one refresh out of many: the one that gets the lock refreshes,
    and the others look again.  The lock must hold across everything that shares the store (threads,
    processes, machines) and must end with its owner; it is held until the new token is saved.
    """

    def load(self, account: str) -> Token | None: ...

    def save(self, account: str, token: Token) -> None: ...

    def delete(self, account: str) -> None: ...

    def try_lock(self, account: str) -> bool: ...

    def unlock(self, account: str) -> None: ...


class AsyncTokenStore(Protocol):
    """As `TokenStore`, for a database that is awaited.

    Its methods must be coroutine functions; only asynchronous clients can use it.
    """

    def load(self, account: str) -> Awaitable[Token | None]: ...

    def save(self, account: str, token: Token) -> Awaitable[None]: ...

    def delete(self, account: str) -> Awaitable[None]: ...

    def try_lock(self, account: str) -> Awaitable[bool]: ...

    def unlock(self, account: str) -> Awaitable[None]: ...


AnyTokenStore: TypeAlias = TokenStore
AnyAsyncTokenStore: TypeAlias = TokenStore | AsyncTokenStore
"""What a client may be given: an async one takes both kinds."""
