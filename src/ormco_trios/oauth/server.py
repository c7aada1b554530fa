"""The two generations of 3Shape's sign-in, as values: a third would be one more value.

The environment selects the host; this selects the dialect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ormco_trios.core.environment import Service
from ormco_trios.oauth.shape import CodeShape

ACCOUNT_SCOPES = (
    "openid",
    "api",
    "offline_access",
    "communicate.connections.read_only",
    "communicate.connections.manage",
    "data.users.read_only",
    "data.companies.read_only",
)
"""What today's programs ask for [seen]."""


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """A dialect of OAuth.

    Attributes:
        service: Which host of the environment.
        pkce: Whether the authorization carries a PKCE challenge (S256).
        scopes: What is asked for unless the caller says otherwise.
        shape: What its codes look like.
        password_grant: Whether it takes a user name and password.
    """

    name: Literal["classic", "account"]
    service: Service
    authorize_path: str
    token_path: str
    revocation_path: str | None
    pkce: bool
    scopes: tuple[str, ...]
    shape: CodeShape
    password_grant: bool

    @classmethod
    def classic(cls) -> AuthorizationServer:
        """The guide's sign-in [doc]: client id and secret, no scopes, British spelling."""
        return cls(
            name="classic",
            service=Service.AUTH_CLASSIC,
            authorize_path="/oauth/authorise",
            token_path="/oauth/token",
            revocation_path=None,
            pkce=False,
            scopes=(),
            shape=CodeShape.classic(),
            password_grant=True,
        )

    @classmethod
    def account(cls) -> AuthorizationServer:
        """Today's sign-in [seen]: PKCE, scopes, rotating refresh tokens."""
        return cls(
            name="account",
            service=Service.AUTH_ACCOUNT,
            authorize_path="/connect/authorize",
            token_path="/connect/token",
            revocation_path="/connect/revocation",  # [assumed]
            pkce=True,
            scopes=ACCOUNT_SCOPES,
            shape=CodeShape.opaque(),
            password_grant=False,
        )

    @classmethod
    def named(cls, name: str) -> AuthorizationServer:
        """The dialect called ``classic`` or ``account``.

        Raises:
            ValueError: Any other name.
        """
        match name:
            case "classic":
                return cls.classic()
            case "account":
                return cls.account()
            case _:
                raise ValueError("the dialect must be 'classic' or 'account'")
