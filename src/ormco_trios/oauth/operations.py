"""The token endpoint and its neighbours, for either dialect."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from ormco_trios.core.answers import json_as, nothing, refusal, where
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
from ormco_trios.core.model import LONGEST
from ormco_trios.core.operation import Operation, Safety, url_encoded, utf8
from ormco_trios.core.provenance import (
    ASSUMED,
    DNOA,
    INFERRED,
    SEEN,
    Facts,
    doc,
    fact,
    refused,
    rfc,
)
from ormco_trios.core.transport import Answer
from ormco_trios.oauth.server import AuthorizationServer, Metadata
from ormco_trios.oauth.token import Token

T = TypeVar("T")

Grant = Literal["authorization_code", "refresh_token", "password"]

_FORM = "application/x-www-form-urlencoded"


_DUE_SOON = 300
"""Seconds; how long a token is used whose lifetime is stated in a way that nobody can read."""


def _bearer(kind: object) -> object:
    """RFC 6749, 7.1: a client must not use a token of a kind that it does not know."""
    if not isinstance(kind, str) or kind.strip().casefold() != "bearer":
        raise PydanticCustomError("not_a_bearer_token", "the token is of another kind")
    return kind


def _lifetime(seconds: object) -> int:
    try:
        lasts = float(seconds)  # type: ignore[arg-type]  # or it is caught
    except (TypeError, ValueError, OverflowError):
        return _DUE_SOON
    odd = isinstance(seconds, bool) or not lasts >= 1
    return _DUE_SOON if odd else int(min(lasts, LONGEST))


def _words(scope: object) -> str | None:
    """RFC 6749 has a text; some servers send a list."""
    words = scope.split() if isinstance(scope, str) else scope
    if not isinstance(words, list):
        return None
    known = [word for word in cast("list[object]", words) if isinstance(word, str)]
    return " ".join(known) or None


class TokenReply(BaseModel, defer_build=True):
    """The token endpoint's answer: ``access_token`` [doc A2.1], the rest [rfc 6749, 5.1].

    What came for it, a code or a refresh token, is spent: so only what makes the token useless is
    an error, and nothing else about it that is odd.
    """

    access_token: Annotated[SecretStr, Field(min_length=1)]
    token_type: Annotated[str | None, BeforeValidator(lambda kind: kind and _bearer(kind))] = None
    expires_in: Annotated[
        int | None, BeforeValidator(lambda value: None if value is None else _lifetime(value))
    ] = None
    refresh_token: Annotated[
        SecretStr | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)
    ] = None
    scope: Annotated[str | None, BeforeValidator(_words)] = None

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


class _ErrorReply(BaseModel, defer_build=True):
    error: str = ""


_SAFETY = {
    "authorization_code": Safety.ONCE,
    "refresh_token": Safety.ONCE,
    "password": Safety.WRITE,
}

_REPLY = "JSON: `access_token`, `token_type`, `expires_in`, `refresh_token`, `scope`"
_TOKENS = fact(_REPLY, rfc("6749, 5.1"))
_PASSWORD_TOKENS = fact(
    f"{_REPLY}; the documentation names the first alone", doc("A2.1"), rfc("6749, 5.1")
)
_REFUSED_CODE: Facts = {
    "400 invalid_grant": refused(CodeRefused, rfc("6749, 5.2")),
    "400 invalid_client": refused(ClientRefused, rfc("6749, 5.2")),
    "401 invalid_client": refused(ClientRefused, rfc("6749, 5.2")),
}
_REFUSED_REFRESH: Facts = {
    "400 invalid_grant": refused(GrantRevoked, rfc("6749, 5.2")),
    "400 invalid_client": refused(ClientRefused, rfc("6749, 5.2")),
    "401 invalid_client": refused(ClientRefused, rfc("6749, 5.2")),
}

TOKEN_PROVENANCE: Mapping[tuple[str, Grant], Facts] = {
    ("classic", "authorization_code"): {
        "path": fact(
            "a code for tokens. A form: `grant_type=authorization_code`, `code`, `redirect_uri`; "
            "the application's id and secret as HTTP Basic. The picture sends `client_secret` "
            "beside the code",
            doc("WF1, OAuth2Flow2.png"),
        ),
        "answer": _TOKENS,
        "400 invalid_request": refused(
            CodeRefused,
            DNOA,
            when="the code has expired, was used before, was changed, lacks its `!`, or is for "
            "another address; no description",
        ),
        "400 invalid_grant": refused(CodeRefused, DNOA, when="the authorization was revoked"),
        "400 invalid_client": refused(
            ClientRefused, DNOA, when="a wrong secret, or the code of another application"
        ),
        "401 invalid_client": refused(
            ClientRefused, DNOA, when='a wrong secret: "The client secret was incorrect."'
        ),
        "500 (a page)": refused(
            AuthorizationServerFailed, DNOA, when="the code's payload is not base64"
        ),
    },
    ("classic", "refresh_token"): {
        "path": fact(
            "a refresh token for new tokens. A form: `grant_type=refresh_token`, `refresh_token`; "
            "HTTP Basic. The documentation says *todo* (A2.2)",
            rfc("6749, 6"),
        ),
        "answer": _TOKENS,
        **_REFUSED_REFRESH,
        "400 invalid_request": refused(GrantRevoked, INFERRED),
    },
    ("classic", "password"): {
        "path": fact(
            "a user name and a password for tokens. A form: `grant_type=password`, `username`, "
            "`password`; HTTP Basic",
            doc("A2.1"),
        ),
        "answer": _PASSWORD_TOKENS,
        "401 (no body)": refused(
            AuthorizationRefused, doc("A2.1"), when="a wrong user name or password"
        ),
        "400 invalid_grant": refused(AuthorizationRefused, rfc("6749, 5.2")),
        "400 invalid_client": refused(ClientRefused, DNOA),
        "401 invalid_client": refused(ClientRefused, DNOA),
    },
    ("account", "authorization_code"): {
        "path": fact(
            "a code for tokens. A form: as classic, with `client_id` and `code_verifier`; a public "
            "application sends no secret, a confidential one HTTP Basic",
            SEEN,
        ),
        "answer": fact(f"{_REPLY}; the access token is a JWT with `exp`", SEEN),
        **_REFUSED_CODE,
    },
    ("account", "refresh_token"): {
        "path": fact(
            "a refresh token for new tokens. A form: as classic, with `client_id`. Programs keep "
            "the refresh token that comes back",
            SEEN,
        ),
        "answer": _TOKENS,
        **_REFUSED_REFRESH,
    },
}
"""How it is known what each dialect's token endpoint does, by dialect and grant."""

_REVOKE: Facts = {
    "path": fact(
        "take a token back, with `token` and `client_id` in a form; the path is the one such "
        "servers usually have",
        ASSUMED,
    ),
    "answer": fact("200, also for a token that it does not know", rfc("7009, 2.2")),
    "400 invalid_client": refused(ClientRefused, rfc("7009, 2.2.1")),
    "401 invalid_client": refused(ClientRefused, rfc("7009, 2.2.1")),
}
_DISCOVERY: Facts = {
    "path": fact("what the server says about itself", SEEN),
    "answer": fact(
        "JSON: `issuer`, `authorization_endpoint`, `token_endpoint`, perhaps "
        "`revocation_endpoint` and `authorization_response_iss_parameter_supported`",
        rfc("8414, 2"),
    ),
}


def ask_for_token(
    server: AuthorizationServer,
    grant: Grant,
    form: dict[str, str],
    *,
    client_id: str,
    client_secret: SecretStr | None,
) -> Call[TokenReply]:
    """The call for a grant; a confidential client signs it with HTTP Basic."""
    base, route = _split(server.token)
    operation = Operation(
        f"oauth.{grant}",
        server.service,
        "POST",
        route,
        parse=json_as(TokenReply),
        refuse=_refuse,
        safety=_SAFETY[grant],
        content_type=_FORM,
        authenticated=False,
        provenance=TOKEN_PROVENANCE[server.name, grant],
    )
    fields = {"grant_type": grant, **form}
    return _post(operation, base, server, fields, client_id, client_secret)


def revoke_token(
    server: AuthorizationServer,
    token: SecretStr,
    *,
    client_id: str,
    client_secret: SecretStr | None,
) -> Call[None] | None:
    """The call that takes a token back (RFC 7009), or None where the dialect has none."""
    if server.revocation is None:
        return None
    base, route = _split(server.revocation)
    operation = Operation(
        "oauth.revoke",
        server.service,
        "POST",
        route,
        parse=nothing,
        refuse=_refuse,
        safety=Safety.IDEMPOTENT,
        content_type=_FORM,
        authenticated=False,
        provenance=_REVOKE,
    )
    fields = {"token": token.get_secret_value()}
    return _post(operation, base, server, fields, client_id, client_secret)


def read_metadata(server: AuthorizationServer) -> Call[Metadata] | None:
    """The call that asks the server about itself, or None where the dialect has none."""
    if server.discovery is None:
        return None
    return Call(
        Operation(
            "oauth.discovery",
            server.service,
            "GET",
            server.discovery,
            parse=json_as(Metadata),
            refuse=refusal,
            authenticated=False,
            provenance=_DISCOVERY,
        )
    )


def _post(
    operation: Operation[T],
    base: str | None,
    server: AuthorizationServer,
    fields: dict[str, str],
    client_id: str,
    client_secret: SecretStr | None,
) -> Call[T]:
    if client_secret is None or server.name == "account":
        fields["client_id"] = client_id
    return Call(
        operation,
        body=url_encoded(fields).encode("ascii"),
        headers=(
            {}
            if client_secret is None
            else {"Authorization": _basic(server, client_id, client_secret)}
        ),
        base_url=base,
    )


def _split(endpoint: str) -> tuple[str | None, str]:
    """An endpoint's host, unless it is the environment's own, and the rest of its address."""
    if "://" not in endpoint:
        return None, endpoint
    parts = urlsplit(endpoint)
    base = f"{parts.scheme}://{parts.netloc}"
    return base, endpoint[len(base) :]


def _basic(server: AuthorizationServer, client_id: str, client_secret: SecretStr) -> str:
    name, secret = client_id, client_secret.get_secret_value()
    if server.name == "account":  # RFC 6749, 2.3.1; the classic server takes them as they are
        name, secret = quote(utf8(name), safe=""), quote(utf8(secret), safe="")
    return "Basic " + base64.b64encode(utf8(f"{name}:{secret}")).decode("ascii")


def _refuse(operation: Operation[Any], answer: Answer) -> OrmcoTriosError:
    """The token endpoint's errors [dnoa, rfc] as classes."""
    error = _refusal(operation, answer)
    return error if error.detail else error.with_detail(where(operation, answer))


def _refusal(operation: Operation[Any], answer: Answer) -> OrmcoTriosError:
    try:
        error = _ErrorReply.model_validate_json(answer.body).error
    except ValueError:
        error = ""
    refreshing = operation.name == "oauth.refresh_token"
    if error in {"invalid_request", "invalid_grant"}:
        if refreshing:
            return GrantRevoked(
                "The authorization server no longer accepts the refresh token: it was revoked "
                "under Applications, has expired, or was replaced by a newer one."
            )
        if operation.name == "oauth.password":
            return _wrong_password(error)
        return CodeRefused("The authorization server did not take the code.")
    if operation.name == "oauth.password" and answer.status == 401 and not error:
        # Documented for what the user got wrong; an application's own mistake has an error code.
        return _wrong_password("invalid_grant")
    if error in {"invalid_client", "unauthorized_client"} or answer.status == 401:
        return ClientRefused(
            "The authorization server does not accept this application's id and secret, or the "
            "code was issued to another application."
        )
    if error and answer.status != 429 and answer.status < 500:
        known = {"unsupported_grant_type", "invalid_scope"}
        return AuthorizationRefused(
            "The authorization server refused the request.",
            error=error if error in known else "other",
            advice="Check the scopes, and that the dialect is the one the application uses.",
        )
    page = answer.status == 500 and "html" in answer.headers.get("content-type", "")
    if page and operation.name == "oauth.authorization_code":
        return AuthorizationServerFailed(
            "The authorization server answered with an error page instead of a token."
        )
    return refusal(operation, answer)


def _wrong_password(error: str) -> AuthorizationRefused:
    return AuthorizationRefused(
        "The authorization server refused the user name or password.",
        error=error,
        advice="Check the 3Shape e-mail and password, or sign in with the link.",
    )
