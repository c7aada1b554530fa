"""OrmcoDigital: session, profile, submission method, 3Shape connection [guide, assumed].

Behaves as ``ormcodigital/openapi.json`` says.  The portal is an OAuth client of the classic
sign-in: it redeems the code itself, when the profile is saved.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from ormco_trios.sandbox.services import tokens
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.state import (
    DRAFT_LIFETIME,
    Draft,
    PortalAccount,
    PortalLink,
    PortalSession,
)
from ormco_trios.sandbox.world.world import World

AUTHORIZATION_LIFETIME = 600.0
"""Seconds the portal says its link is good for [assumed]; the link itself keeps no state."""

SUBMISSION_METHODS: tuple[Mapping[str, Json], ...] = (
    {"source": "IntraoralScanner", "scanner": "3Shape Trios"},
    {"source": "PVS", "scanner": None},
)
"""What an account may choose [guide]."""

_ADDRESS = ("address1", "address2", "city", "country", "state", "zip")
_PROFILE = ("name", "email", "phone", "default_shipping_address", "submission_method")
# The guide's hand-edited form and the canonical one; what the code says is the server's business.
_CODE = re.compile(r"[A-Za-z0-9_-]{4}(?:!|%21)[A-Za-z0-9_-]+")


def create_session(world: World, call: InboundCall) -> WireReply:
    """Sign in with user name and password."""
    _only(call.json, "username", "password")
    username, password = (_text(call.json, name) for name in ("username", "password"))
    account = world.state.portal_accounts.get(username.casefold())
    if account is None or account.password != password:
        raise Refused(
            401,
            "The user name or the password is wrong.",
            "No portal account has this user name and password.",
            code="credentials_refused",
        )
    token = world.state.new_secret()
    lifetime = world.settings.portal_session_lifetime
    world.state.portal_sessions[token] = PortalSession(account.username, call.now + lifetime)
    call.wrote = True
    return json_reply({"token": token, "expires_in": int(lifetime)})


def signed_in(world: World, authorization: str | None, now: float) -> PortalAccount:
    """Whose session a header's bearer token is.

    Raises:
        Refused: 401, with the reason.
    """
    scheme, _, value = (authorization or "").partition(" ")
    session = world.state.portal_sessions.get(value) if scheme.lower() == "bearer" else None
    if session is None or now >= session.expires:
        raise Refused(
            401,
            "Sign in again.",
            "The portal session has expired."
            if session
            else "There is no portal session in the Authorization header.",
            code="session_expired" if session else "not_signed_in",
            headers=(("www-authenticate", "Bearer"),),
        )
    return world.state.portal_accounts[session.username.casefold()]


def get_profile(world: World, call: InboundCall) -> WireReply:
    """The profile, with its ETag."""
    return _profile(call.account)


def update_profile(world: World, call: InboundCall) -> WireReply:
    """*Update*: save the profile, and with it the code that waits as a draft."""
    account = call.account
    wanted = call.request.header("if-match")
    if wanted is None:
        raise Refused(
            428,
            "If-Match is missing.",
            "PUT needs If-Match with the ETag of the profile that was read.",
            code="precondition_required",
        )
    if wanted.strip() != etag(account):
        raise Refused(
            412,
            "The profile was changed meanwhile.",
            "If-Match is not the profile's present ETag (compared as a strong one).",
            code="profile_changed",
        )
    profile = _valid_profile(call.json)
    draft = account.live_draft(call.now)
    if draft is not None:
        account.draft = None
        call.wrote = True
        account.link = PortalLink(_redeem(world, draft.code, call.now), connected_at=call.now)
    account.profile = profile
    account.version += 1
    call.wrote = True
    return _profile(account)


def _redeem(world: World, pasted: str, now: float) -> str:
    """Exchange the code as the client *ormco*; the id of the grant behind it."""
    code = pasted.replace("%21", "!", 1)
    client = world.state.clients[world.portal_client]
    try:
        record = tokens.spend_classic_code(world, code, now)
        grant = tokens.classic_grant(world, record, client, world.landing_address)
    except Refused as refused:
        raise Refused(
            422,
            "The authorization code was refused. Get a fresh one.",
            f"The sign-in server refused the draft's code: {refused.explain}",
            code="code_refused",
            field="code",
        ) from None
    return grant.id


def submission_methods(world: World, call: InboundCall) -> WireReply:
    """What this account may choose."""
    return json_reply(SUBMISSION_METHODS)


def start_authorization(world: World, call: InboundCall) -> WireReply:
    """The link behind "click here"; like the guide's it carries no state."""
    query = urlencode(
        {
            "client_id": world.portal_client,
            "redirect_uri": world.landing_address,
            "response_type": "code",
        }
    )
    return json_reply(
        {
            "authorization_url": world.public(f"/auth/oauth/authorise?{query}"),
            "expires_in": int(AUTHORIZATION_LIFETIME),
        }
    )


def submit_code(world: World, call: InboundCall) -> WireReply:
    """*Ok*: keep the code as a draft.  Nothing is connected by this."""
    _only(call.json, "code")
    code = _text(call.json, "code", most=4096)
    if not _CODE.fullmatch(code):
        raise Refused(
            422,
            "This does not look like an authorization code.",
            "The field takes the code with '%21' or with '!': no address, no second layer of "
            "percent-encoding, no blanks.",
            code="code_malformed",
            field="code",
        )
    call.account.draft = Draft(code, call.now)
    call.wrote = True
    return json_reply({"state": "draft", "expires_in": int(DRAFT_LIFETIME)}, status=202)


def status(world: World, call: InboundCall) -> WireReply:
    """How the connection to 3Shape is."""
    link = call.account.link
    return json_reply(
        {
            "state": connection_state(world, call.account, call.now),
            "connected_at": iso(link.connected_at) if link else None,
            "last_checked_at": iso(call.now) if link else None,
        }
    )


def disconnect(world: World, call: InboundCall) -> WireReply:
    """End the connection, withdraw the portal's access, forget a draft; safe to repeat."""
    account = call.account
    call.wrote = account.link is not None or account.draft is not None
    if account.link is not None:
        world.state.grants[account.link.grant].revoked = True
    account.link = account.draft = None
    return WireReply(204)


def connection_state(world: World, account: PortalAccount, now: float) -> str:
    """``draft``, ``connected``, ``needs_repair`` or ``not_connected``."""
    if account.live_draft(now) is not None:
        return "draft"
    if account.link is None:
        return "not_connected"
    return "needs_repair" if world.state.grants[account.link.grant].revoked else "connected"


# --- the profile ----------------------------------------------------------------------------


def _profile(account: PortalAccount) -> WireReply:
    return json_reply(account.profile, headers=(("etag", etag(account)),))


def etag(account: PortalAccount) -> str:
    """The entity tag of the profile as it is saved."""
    text = json.dumps([account.username, account.version, account.profile], sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'


def _valid_profile(value: Mapping[str, Json]) -> dict[str, Json]:
    _only(value, *_PROFILE)
    address = _object(value, "default_shipping_address", _ADDRESS)
    method = _object(value, "submission_method", ("source", "scanner"))
    if method not in SUBMISSION_METHODS:
        raise _invalid(
            "submission_method",
            "The submission method is not one of those in /api/submission-methods.",
        )
    return {
        "name": _text(value, "name"),
        "email": _text(value, "email"),
        "phone": _text_or_null(value, "phone"),
        "default_shipping_address": {
            name: _text_or_null(address, name, "default_shipping_address.") for name in _ADDRESS
        },
        "submission_method": dict(method),
    }


def _object(value: Mapping[str, Json], name: str, fields: tuple[str, ...]) -> Mapping[str, Json]:
    inner = value[name]
    if not isinstance(inner, Mapping):
        raise _invalid(name, f"{name} is an object.")
    _only(inner, *fields, prefix=f"{name}.")
    return inner


def _only(value: Mapping[str, Json], *fields: str, prefix: str = "") -> None:
    """Exactly these fields: PUT replaces the whole, and nothing unknown is accepted."""
    for name in fields:
        if name not in value:
            raise _invalid(prefix + name, f"{prefix}{name} is missing.")
    if len(value) > len(fields):
        raise _invalid(None, f"Besides {', '.join(fields)} no field is known here.")


def _text(
    value: Mapping[str, Json], name: str, prefix: str = "", *, least: int = 1, most: int = 255
) -> str:
    """A text field of ``least`` to ``most`` characters."""
    inner = value[name]
    if not isinstance(inner, str) or not least <= len(inner) <= most:
        raise _invalid(prefix + name, f"{prefix}{name} is text of {least} to {most} characters.")
    return inner


def _text_or_null(value: Mapping[str, Json], name: str, prefix: str = "") -> str | None:
    return None if value[name] is None else _text(value, name, prefix, least=0)


def _invalid(field: str | None, explain: str) -> Refused:
    return Refused(422, "A value is not accepted.", explain, code="invalid_value", field=field)
