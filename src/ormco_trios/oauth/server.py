"""The two generations of 3Shape's sign-in, as values: a third would be one more value.

The environment selects the host; this selects the dialect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel

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


class Metadata(BaseModel, defer_build=True):
    """What a server says about itself (OpenID Connect Discovery, RFC 8414, RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """A dialect of OAuth.

    Attributes:
        service: Which host of the environment.
        authorize: The authorization endpoint: a path on that host, or a whole address.
        token: The token endpoint, likewise.
        revocation: The revocation endpoint, likewise; None where there is none.
        discovery: Path of the document in which the server describes itself, if it has one.
        names_issuer: Whether it says that it sends ``iss`` with every code (RFC 9207): then a
            code without it is refused.
        pkce: Whether the authorization carries a PKCE challenge (S256).
        scopes: What is asked for unless the caller says otherwise.
        shape: What its codes look like.
        password_grant: Whether it takes a user name and password.
    """

    name: Literal["classic", "account"]
    service: Service
    authorize: str
    token: str
    revocation: str | None
    discovery: str | None
    pkce: bool
    scopes: tuple[str, ...]
    shape: CodeShape
    password_grant: bool
    names_issuer: bool = False

    @classmethod
    def classic(cls) -> AuthorizationServer:
        """The guide's sign-in [doc WF1]: id and secret, British spelling, no scopes [inferred]."""
        return cls(
            name="classic",
            service=Service.AUTH_CLASSIC,
            authorize="/oauth/authorise",
            token="/oauth/token",
            revocation=None,
            discovery=None,
            pkce=False,
            scopes=(),
            shape=CodeShape.classic(),
            password_grant=True,
        )

    @classmethod
    def account(cls) -> AuthorizationServer:
        """Today's sign-in [seen]: PKCE and scopes; refresh tokens may rotate [assumed]."""
        return cls(
            name="account",
            service=Service.AUTH_ACCOUNT,
            authorize="/connect/authorize",
            token="/connect/token",
            revocation="/connect/revocation",  # [assumed]
            discovery="/.well-known/openid-configuration",
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

    def described_by(self, metadata: Metadata) -> AuthorizationServer:
        """The same dialect with the endpoints that the server itself names."""
        return replace(
            self,
            authorize=metadata.authorization_endpoint,
            token=metadata.token_endpoint,
            revocation=metadata.revocation_endpoint,
            names_issuer=metadata.authorization_response_iss_parameter_supported,
        )
