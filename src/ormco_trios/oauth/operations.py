"""The token endpoint and its neighbours, for either dialect."""

from __future__ import annotations

import base64
import functools
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, SecretStr

from ormco_trios.core.answers import nothing, refusal
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call
from ormco_trios.core.errors import (
    AuthorizationRefused,
    AuthorizationServerFailed,
    ClientRefused,
    CodeRefused,
    GrantRevoked,
    OrmcoTriosError,
)
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.transport import Answer
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.token import Token

Grant = Literal["authorization_code", "refresh_token", "password"]

_FORM = "application/x-www-form-urlencoded"


class TokenReply(BaseModel):
    """The token endpoint's answer [doc]."""

    access_token: SecretStr
    expires_in: int | None = None
    refresh_token: SecretStr | None = None
    scope: str | None = None

    def token(self, clock: Clock) -> Token:
        """The reply as a token whose lifetime counts from now."""
        return Token(
            access_token=self.access_token,
            expires_at=(
                None
                if self.expires_in is None
                else clock.now() + timedelta(seconds=self.expires_in)
            ),
            refresh_token=self.refresh_token or None,
            scope=self.scope,
        )


class _ErrorReply(BaseModel):
    error: str = ""


@functools.cache
def _token_operation(server: AuthorizationServer, grant: Grant) -> Operation[TokenReply]:
    return Operation(
        f"oauth.{grant}",
        server.service,
        "POST",
        server.token_path,
        parse=lambda answer: TokenReply.model_validate_json(answer.body),
        refuse=_refuse,
        safety=Safety.WRITE if grant == "password" else Safety.ONCE,
        authenticated=False,
    )


def ask_for_token(
    server: AuthorizationServer,
    grant: Grant,
    form: dict[str, str],
    *,
    client_id: str,
    client_secret: SecretStr | None,
) -> Call[TokenReply]:
    """The call for a grant; a confidential client signs it with HTTP Basic."""
    fields = {"grant_type": grant, **form}
    headers: dict[str, str] = {}
    if client_secret is None or server.name == "account":
        fields["client_id"] = client_id
    if client_secret is not None:
        headers["Authorization"] = _basic(server, client_id, client_secret)
    return Call(
        _token_operation(server, grant),
        body=urlencode(fields).encode("ascii"),
        content_type=_FORM,
        headers=headers,
    )


def revoke_token(
    server: AuthorizationServer,
    token: SecretStr,
    *,
    client_id: str,
    client_secret: SecretStr | None,
) -> Call[None] | None:
    """The call that takes a token back (RFC 7009), or None where the dialect has none."""
    if server.revocation_path is None:
        return None
    operation: Operation[None] = Operation(
        "oauth.revoke",
        server.service,
        "POST",
        server.revocation_path,
        parse=nothing,
        refuse=_refuse,
        safety=Safety.IDEMPOTENT,
        authenticated=False,
    )
    fields = {"token": token.get_secret_value(), "client_id": client_id}
    return Call(
        operation,
        body=urlencode(fields).encode("ascii"),
        content_type=_FORM,
        headers=(
            {}
            if client_secret is None
            else {"Authorization": _basic(server, client_id, client_secret)}
        ),
    )


def _basic(server: AuthorizationServer, client_id: str, client_secret: SecretStr) -> str:
    name, secret = client_id, client_secret.get_secret_value()
    if server.name == "account":  # RFC 6749, 2.3.1; the classic server takes them as they are
        name, secret = quote(name, safe=""), quote(secret, safe="")
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode("ascii")


def _refuse(operation: Operation[Any], answer: Answer) -> OrmcoTriosError:
    """The token endpoint's errors [dnoa, rfc] as classes."""
    try:
        error = _ErrorReply.model_validate_json(answer.body).error
    except ValueError:
        error = ""
    where = f"[{operation.method} {operation.route}: status {answer.status}]"
    refreshing = operation.name == "oauth.refresh_token"
    if error in {"invalid_request", "invalid_grant"}:
        if refreshing:
            return GrantRevoked(
                "The authorization server no longer accepts the refresh token: it was revoked "
                f"under Applications, has expired, or was replaced by a newer one. {where}"
            )
        if operation.name == "oauth.password":
            return AuthorizationRefused(
                f"The authorization server refused the user name or password. {where}",
                error=error,
                advice="Check the 3Shape e-mail and password, or sign in with the link.",
            )
        return CodeRefused(f"The authorization server did not take the code. {where}")
    if error in {"invalid_client", "unauthorized_client"} or answer.status == 401:
        return ClientRefused(
            "The authorization server does not accept this application's id and secret, or the "
            f"code was issued to another application. {where}"
        )
    if error:
        known = {"unsupported_grant_type", "invalid_scope"}
        return AuthorizationRefused(
            f"The authorization server refused the request. {where}",
            error=error if error in known else "other",
            advice="Check the scopes, and that the dialect is the one the application uses.",
        )
    if answer.status == 500 and "html" in answer.headers.get("content-type", ""):
        return AuthorizationServerFailed(
            f"The authorization server answered with an error page instead of a token. {where}"
        )
    return refusal(operation, answer)
