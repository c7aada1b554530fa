"""The token endpoints of both dialects, and what tokens are good for [doc, seen, dnoa, rfc]."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from urllib.parse import unquote_plus

from ormco_trios.sandbox.services.authorization import SCOPES
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Headers, Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world import codes
from ormco_trios.sandbox.world.state import Client, Code, Dialect, Grant, TokenRecord, UserRecord
from ormco_trios.sandbox.world.world import World

CODE_LIFETIME = 180.0
"""Seconds [dnoa]."""

_BASIC: Headers = (("www-authenticate", 'Basic realm="3Shape sandbox"'),)


def _no(error: str, explain: str, *, status: int = 400, headers: Headers = ()) -> Refused:
    """An error answer without a description: the real server gives none [dnoa]."""
    return Refused(status, "", explain, code=error, headers=headers)


# --- classic --------------------------------------------------------------------------------


def classic_token(world: World, call: InboundCall) -> WireReply:
    """Code, password or refresh token for tokens."""
    form = call.form
    match form.get("grant_type"):
        case "authorization_code":
            _need(form, "code", "redirect_uri")
            # The code is read, and spent, before the secret is looked at [dnoa].
            record = spend_classic_code(world, form["code"], call.now)
            call.wrote = True
            client = _authenticate(world, call, "classic")
            grant = classic_grant(world, record, client, form["redirect_uri"])
            return json_reply(_issue(world, grant, "classic", record.scope, call.now))
        case "password":
            _need(form, "username", "password")
            client = _authenticate(world, call, "classic")
            user = world.state.user_by_email(form["username"])
            if user is None or user.password != form["password"]:
                return _password_refused(world.switches.password_refused)
            call.wrote = True
            grant = world.grant(user, client)
            scope = form.get("scope", "")
            return json_reply(_issue(world, grant, "classic", scope, call.now))
        case "refresh_token":
            _need(form, "refresh_token")
            client = _authenticate(world, call, "classic")
            old = _refresh_token(world, form["refresh_token"], client)
            call.wrote = True
            grant = world.state.grants[old.grant]
            # The old refresh token stays valid, so the reply omits it [rfc 6749, 6].
            return json_reply(
                _issue(world, grant, "classic", old.scope, call.now, family=old.family, new=False)
            )
        case _:
            raise _no(
                "unsupported_grant_type",
                "The grant_type is authorization_code, password or refresh_token.",
            )


def _password_refused(position: str) -> WireReply:
    """A wrong user name or password: 401 without a body [doc A2.1], or what the switch says."""
    explain = "No account has this user name and password."
    if position == "empty":
        kind = ("content-type", "application/json; charset=utf-8")
        return WireReply(401, (kind, ("x-sandbox-explain", explain)))
    if position == "html":
        raise Refused(401, "You are not allowed to see this page.", explain, as_page=True)
    raise _no("invalid_grant", explain, status=400 if position == "400" else 401)


def spend_classic_code(world: World, code: str, now: float) -> Code:
    """Read a classic code and mark it spent, whatever happens to the request after this.

    Raises:
        Refused: As the contract's table says for codes that are damaged, old or used.
    """
    try:
        content = codes.unseal(code, world.state.code_handle, world.state.code_key)
    except codes.NoHandle:
        raise _no(
            "invalid_request",
            "The code does not begin with four characters and '!'; it may still be "
            "percent-encoded.",
        ) from None
    except codes.NotBase64:
        raise Refused(
            500,
            "The server could not handle the request.",
            "The code's payload is not base64; the real server fails with a page.",
            as_page=True,
        ) from None
    except codes.Tampered:
        raise _no("invalid_request", "The code was cut or changed: bad signature.") from None
    record = world.state.codes.get(content)
    if record is None or record.spent:
        raise _no("invalid_request", "The code was used before; one attempt spends it.")
    record.spent = True
    if now >= record.issued + CODE_LIFETIME:
        raise _no("invalid_request", "The code is older than three minutes.")
    return record


def classic_grant(world: World, record: Code, client: Client, redirect_uri: str) -> Grant:
    """The consent behind a spent code, if it is this client's and not withdrawn."""
    grant = world.state.grants[record.grant]
    if grant.client != client.id:
        raise _no("invalid_client", "The code was issued to another application.")
    if redirect_uri != record.redirect_uri:
        raise _no("invalid_request", "The redirect_uri is not the one the code was issued for.")
    if grant.revoked:
        raise _no("invalid_grant", "The user withdrew this application's access.")
    return grant


def token_info(world: World, call: InboundCall) -> WireReply:
    """What an access token is; an invalid one gives status 500 [doc]."""
    token = world.state.tokens.get(call.query["access_token"])
    if token is None or token.dialect != "classic" or problem_with(world, token, call.now):
        raise Refused(
            500,
            "An error has occurred.",
            "The access token is unknown, expired or withdrawn; the service says so with 500.",
        )
    grant = world.state.grants[token.grant]
    client = world.state.clients[grant.client]
    lifetime = int((token.expires or token.issued) - token.issued)
    return json_reply(
        {
            "User": world.state.users[grant.user].email,
            "Client": client.name,
            "ClientType": "Confidential" if client.secret else "Public",
            "LifeTime": lifetime,
            "UtcIssued": iso(token.issued, decimals=3),
        }
    )


# --- account --------------------------------------------------------------------------------


def account_token(world: World, call: InboundCall) -> WireReply:
    """Code and verifier, or refresh token, for tokens."""
    form = call.form
    client = _authenticate(world, call, "account")
    match form.get("grant_type"):
        case "authorization_code":
            _need(form, "code", "redirect_uri", "client_id", "code_verifier")
            grant, scope = _account_code(world, call, client)
            call.wrote = True
            return json_reply(_issue(world, grant, "account", scope, call.now))
        case "refresh_token":
            _need(form, "refresh_token", "client_id")
            old = _refresh_token(world, form["refresh_token"], client)
            rotated = world.switches.rotation == "rotated"
            old.dead = rotated
            call.wrote = True
            grant = world.state.grants[old.grant]
            answer = _issue(
                world, grant, "account", old.scope, call.now, family=old.family, new=rotated
            )
            if world.switches.rotation == "kept":
                answer["refresh_token"] = form["refresh_token"]
            return json_reply(answer)
        case _:
            raise _no(
                "unsupported_grant_type", "The grant_type is authorization_code or refresh_token."
            )


def _account_code(world: World, call: InboundCall, client: Client) -> tuple[Grant, str]:
    form = call.form
    record = world.state.codes.get(form["code"])
    if record is None or record.spent:
        raise _no("invalid_grant", "The code is unknown or was used before.")
    record.spent = True
    call.wrote = True
    grant = world.state.grants[record.grant]
    if grant.client != client.id:
        raise _no("invalid_grant", "The code was issued to another application.")
    if call.now >= record.issued + CODE_LIFETIME:
        raise _no("invalid_grant", "The code is older than three minutes.")
    if form["redirect_uri"] != record.redirect_uri:
        raise _no("invalid_grant", "The redirect_uri is not the one the code was issued for.")
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(expected, record.challenge or ""):
        raise _no("invalid_grant", "The code_verifier does not match the code_challenge.")
    if grant.revoked:
        raise _no("invalid_grant", "The user withdrew this application's access.")
    return grant, record.scope


def revoke(world: World, call: InboundCall) -> WireReply:
    """End a sign-in; an unknown token is no error [rfc 7009]."""
    client = _authenticate(world, call, "account")
    _need(call.form, "token")
    token = world.state.tokens.get(call.form["token"])
    if token is not None and world.state.grants[token.grant].client == client.id:
        for other in world.state.tokens.values():
            if other.family == token.family:
                other.dead = True
        call.wrote = True
    return WireReply(200, (("cache-control", "no-store"),))


def userinfo(world: World, call: InboundCall) -> WireReply:
    """Who signed in [assumed]."""
    if call.bearer is None or "openid" not in call.bearer.scope.split():
        raise Refused(403, "", "The token lacks the scope openid.", code="insufficient_scope")
    user = call.user
    return json_reply({"sub": user.id, "email": user.email, "name": user.text("Name")})


def discovery(world: World, call: InboundCall) -> WireReply:
    """Where the account dialect's endpoints are: its place is [seen], its content [rfc 8414, 2]."""
    issuer = world.public("/identity")
    return json_reply(
        {
            "issuer": world.issuer,
            "authorization_endpoint": f"{issuer}/connect/authorize",
            "token_endpoint": f"{issuer}/connect/token",
            "revocation_endpoint": f"{issuer}/connect/revocation",
            "userinfo_endpoint": f"{issuer}/connect/userinfo",
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
            "authorization_response_iss_parameter_supported": world.switches.iss == "sent",
        }
    )


# --- both -----------------------------------------------------------------------------------


def signed_in(
    world: World, authorization: str | None, now: float
) -> tuple[UserRecord, TokenRecord]:
    """Who an ``Authorization`` header's bearer token belongs to.

    Raises:
        Refused: 401, with the reason.
    """
    scheme, _, value = (authorization or "").partition(" ")
    token = world.state.tokens.get(value) if scheme.lower() == "bearer" else None
    why = "There is no Authorization header with a Bearer token."
    if authorization is not None:
        why = problem_with(world, token, now)
    if token is None or why:
        raise Refused(
            401,
            "Authorization has been denied for this request.",
            why,
            code="invalid_token",
            headers=(("www-authenticate", "Bearer"),),
        )
    return world.state.users[world.state.grants[token.grant].user], token


def problem_with(world: World, token: TokenRecord | None, now: float) -> str:
    """Why an access token is not good, or nothing."""
    if token is None or token.kind != "access":
        return "The sandbox never issued this access token, or was reset since."
    if token.expires is not None and now >= token.expires:
        return "The access token has expired; refresh it."
    if token.dead or world.state.grants[token.grant].revoked:
        return "The access was withdrawn; authorize again."
    return ""


def _authenticate(world: World, call: InboundCall, dialect: Dialect) -> Client:
    """The client that asks.  A confidential one shows its secret, a public one only its id."""
    basic = _basic(call)
    key, secret = basic or (call.form.get("client_id"), call.form.get("client_secret"))
    client = world.state.clients.get(key or "")
    if client is None or client.dialect != dialect:
        raise _no(
            "invalid_client",
            f"No application of the {dialect} dialect has this client id, or none was sent; "
            "confidential ones use HTTP Basic.",
            status=401 if basic or key is None else 400,
            headers=_BASIC if basic or key is None else (),
        )
    if secret != client.secret:
        raise Refused(
            401 if basic else 400,
            "The client secret was incorrect.",
            "The client secret is wrong, missing, or sent for an application that has none.",
            code="invalid_client",
            headers=_BASIC if basic else (),
        )
    if call.form.get("client_id", client.id) != client.id:
        raise _no("invalid_request", "Header and form name different applications.")
    return client


def _basic(call: InboundCall) -> tuple[str, str] | None:
    scheme, _, value = (call.request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, mark, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        key, mark, secret = "", "", ""
    if not mark:
        raise _no("invalid_client", "The Basic header is malformed.", status=401, headers=_BASIC)
    # Both halves are form-encoded before they are joined [rfc 6749, 2.3.1].
    return unquote_plus(key), unquote_plus(secret)


def _need(form: dict[str, str], *names: str) -> None:
    extra = {"grant_type", "client_id", "client_secret"} | set(names)
    # Common OAuth libraries add these two without being asked [rfc 6749, 7009].
    unknown = form.keys() - extra - {"scope", "token_type_hint"}
    missing = [name for name in names if not form.get(name)]
    if missing:
        raise _no("invalid_request", f"The form lacks {', '.join(missing)}.")
    if unknown:
        raise _no("invalid_request", "The form has a parameter that the contract does not know.")


def _refresh_token(world: World, value: str, client: Client) -> TokenRecord:
    token = world.state.tokens.get(value)
    if token is None or token.kind != "refresh":
        raise _no("invalid_grant", "The refresh token is unknown.")
    grant = world.state.grants[token.grant]
    if grant.client != client.id:
        raise _no("invalid_grant", "The refresh token was issued to another application.")
    if token.dead:
        raise _no("invalid_grant", "The refresh token was replaced or revoked.")
    if grant.revoked:
        raise _no("invalid_grant", "The user withdrew this application's access.")
    return token


def _issue(
    world: World,
    grant: Grant,
    dialect: Dialect,
    scope: str,
    now: float,
    *,
    family: str | None = None,
    new: bool = True,
) -> dict[str, Json]:
    """Tokens for a grant; ``new`` says whether the reply has a refresh token."""
    state = world.state
    lifetime = world.settings.token_lifetime
    family = family or state.new_id()
    access = state.new_secret()
    if dialect == "account":
        access = _jwt(world, grant, scope, now)
    state.tokens[access] = TokenRecord(
        "access", dialect, grant.id, family, scope, issued=now, expires=now + lifetime
    )
    answer: dict[str, Json] = {
        "access_token": access,
        "token_type": "Bearer" if dialect == "account" else "bearer",
        "expires_in": int(lifetime),
        "scope": scope,
    }
    free = dialect == "classic" and world.switches.offline_access == "not_needed"
    if new and (free or "offline_access" in scope.split()):
        refresh = state.new_secret()
        state.tokens[refresh] = TokenRecord(
            "refresh", dialect, grant.id, family, scope, issued=now, expires=None
        )
        answer["refresh_token"] = refresh
    return answer


def _jwt(world: World, grant: Grant, scope: str, now: float) -> str:
    """A JWT behind the sandbox's prefix: its middle part can be read like a real one [seen]."""
    head: dict[str, Json] = {"alg": "HS256", "typ": "at+jwt"}
    claims: dict[str, Json] = {
        "iss": world.issuer,
        "sub": grant.user,
        "client_id": grant.client,
        "scope": scope.split(),
        "iat": int(now),
        "exp": int(now + world.settings.token_lifetime),
        "jti": world.state.new_id(),
    }
    text = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
    tag = hmac.new(world.state.code_key, text.encode(), hashlib.sha256).digest()
    return f"{world.state.prefix}{text}.{_base64url(tag)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
