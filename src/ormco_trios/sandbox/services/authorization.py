"""3Shape's authorization, both generations: what may be asked for, and the answer [doc, seen]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, redirect
from ormco_trios.sandbox.world import codes
from ormco_trios.sandbox.world.state import Client, Code, Dialect, UserRecord
from ormco_trios.sandbox.world.world import World

SCOPES = (
    "openid",
    "api",
    "offline_access",
    "communicate.connections.read_only",
    "communicate.connections.manage",
    "data.users.read_only",
    "data.companies.read_only",
)
"""What the account dialect knows [seen]."""

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(/[^?#]*|)")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request that may be shown to a person."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    challenge: str | None


class SentBack(Exception):
    """The request is wrong in a way that the application is told about [rfc 6749, 4.1.2.1]."""

    def __init__(self, reply: WireReply) -> None:
        super().__init__()
        self.reply = reply


def asked_for(world: World, call: InboundCall) -> Asked:
    """The authorization request in the query.

    Raises:
        Refused: It is shown to the person, since the application is not known or not the one.
        SentBack: The application is told.
    """
    dialect: Dialect = "classic" if call.template.startswith("/auth/") else "account"
    query = call.query
    client = world.state.clients.get(query["client_id"])
    if client is None or client.dialect != dialect:
        raise Refused(
            400,
            "The application is not known here.",
            f"No application of the {dialect} dialect has this client_id.",
        )
    if not may_redirect(world, client, query["redirect_uri"]):
        raise Refused(
            400,
            "The application may not send you to that address.",
            "The redirect_uri is not one of those registered for this application; they are "
            "compared character by character; only the port of a loopback address is free.",
        )
    asked = Asked(
        client=client,
        redirect_uri=query["redirect_uri"],
        scope=query.get("scope", ""),
        state=query.get("state"),
        challenge=query.get("code_challenge"),
    )
    problem = _problem(dialect, call)
    if problem is not None:
        error, why = problem
        reply = answer(world, asked, {"error": error}, explain=why)
        raise SentBack(reply)
    return asked


def _problem(dialect: Dialect, call: InboundCall) -> tuple[str, str] | None:
    """The error to send back to the application, and why."""
    query = call.query
    if query["response_type"] != "code":
        return "unsupported_response_type", "The response_type is always code."
    if dialect == "classic":
        if query.get("scope", "") not in ("", "offline_access"):
            return "invalid_scope", "The only scope that clients send here is offline_access."
        return None
    scopes = query["scope"].split()
    if not scopes or not set(scopes) <= set(SCOPES):
        return "invalid_scope", "A scope is missing or not one of the contract's."
    if query["code_challenge_method"] != "S256":
        return "invalid_request", "PKCE is done with S256 only."
    if not _CHALLENGE.fullmatch(query["code_challenge"]):
        return "invalid_request", "The code_challenge is not 43 characters of base64url."
    if query.get("prompt", "login") not in ("login", "none"):
        return "invalid_request", "The prompt is login or none."
    if query.get("response_mode", "query") != "query":
        return "invalid_request", "The response_mode is always query."
    return None


def may_redirect(world: World, client: Client, address: str) -> bool:
    """Whether ``address`` is registered for ``client``."""
    if address in map(world.public, client.redirect_uris):
        return True
    found = _LOOPBACK.fullmatch(address)
    return found is not None and found[2] in client.loopback


def new_code(world: World, asked: Asked, user: UserRecord, now: float) -> str:
    """A code for this consent, as the redirect's query has it."""
    state = world.state
    record = Code(
        grant=world.grant(user, asked.client).id,
        redirect_uri=asked.redirect_uri,
        scope=asked.scope,
        issued=now,
        challenge=asked.challenge,
    )
    if asked.client.dialect == "classic":
        code, content = codes.seal(state.code_handle, state.code_key, state.rng)
        state.codes[content] = record
        return codes.wrap(code, world.switches.code_layers)
    code = f"{state.prefix}{state.rng.randbytes(32).hex().upper()}-1"
    state.codes[code] = record
    return code


def answer(
    world: World, asked: Asked, says: dict[str, str], *, explain: str | None = None
) -> WireReply:
    """The redirect to the application.  The code is put in as it is: its layers are decided."""
    rest: dict[str, str] = {}
    if asked.state is not None:
        rest["state"] = asked.state
    if asked.client.dialect == "account" and world.switches.iss == "sent":
        rest["iss"] = world.issuer
    query = "&".join(f"{name}={value}" for name, value in says.items())
    if rest:
        query += "&" + urlencode(rest, quote_via=quote)
    mark = "&" if urlsplit(asked.redirect_uri).query else "?"
    headers = () if explain is None else (("x-sandbox-explain", explain),)
    return redirect(f"{asked.redirect_uri}{mark}{query}", headers=headers)
