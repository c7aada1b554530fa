"""3Shape's sign-in, both generations: the pages that lead to a code [doc, seen, guide].

The query of the authorization request travels in the address of every page of the journey and is
checked again at each step, so nothing is kept for a journey that nobody finishes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from ormco_trios.sandbox import codes, pages, sessions
from ormco_trios.sandbox.routing import Call
from ormco_trios.sandbox.state import Client, Code, Dialect, User
from ormco_trios.sandbox.wire import Refused, WireReply, html_reply, redirect

if TYPE_CHECKING:
    from ormco_trios.sandbox.world import World

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

_PLACES: dict[Dialect, tuple[str, str, str]] = {
    "classic": ("/auth/oauth/authorise", "/auth/oauth/sign-in", "/auth/oauth/consent"),
    "account": ("/identity/connect/authorize", "/identity/sign-in", "/identity/consent"),
}
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?(/[^?#]*)?")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorization request that may be shown to a person."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None
    challenge: str | None
    query: str

    def page(self, step: int) -> str:
        """Path of the first, second or third page of this journey, with its query."""
        return f"{_PLACES[self.client.dialect][step]}?{self.query}"


class _SentBack(Exception):
    """The request is wrong in a way that the application is told about [rfc 6749, 4.1.2.1]."""

    def __init__(self, reply: WireReply) -> None:
        super().__init__()
        self.reply = reply


def authorize(world: World, call: Call) -> WireReply:
    """The first page: sign in, or consent if this browser is signed in already."""
    try:
        asked = _asked(world, call)
    except _SentBack as back:
        return back.reply
    session, cookie = sessions.current(world, call)
    user = world.state.users.get(session.user or "")
    if user is None:
        html = pages.sign_in(
            action=world.page_address(asked.page(1)),
            csrf=session.csrf,
            application=asked.client.name,
        )
    else:
        html = pages.consent(
            action=world.page_address(asked.page(2)),
            csrf=session.csrf,
            application=asked.client.name,
            email=user.email,
            scopes=asked.scope.split(),
        )
    return html_reply(html, headers=cookie)


def sign_in(world: World, call: Call) -> WireReply:
    """The sign-in form, sent."""
    try:
        asked = _asked(world, call)
    except _SentBack as back:
        return back.reply
    session, form = sessions.check_form(world, call, "email", "password")
    user = world.state.user_by_email(form["email"])
    if user is None or user.password != form["password"]:
        html = pages.sign_in(
            action=world.page_address(asked.page(1)),
            csrf=session.csrf,
            application=asked.client.name,
            email=form["email"],
            error="The e-mail address or the password is wrong.",
        )
        explain = (("x-sandbox-explain", "No account has this e-mail and password."),)
        return html_reply(html, status=400, headers=explain)
    call.wrote = True
    _, cookie = sessions.start(world, user=user.id)
    return redirect(world.page_address(asked.page(0)), headers=cookie, status=303)


def consent(world: World, call: Call) -> WireReply:
    """The consent form, sent: back to the application with a code, or with a refusal."""
    try:
        asked = _asked(world, call)
    except _SentBack as back:
        return back.reply
    session, form = sessions.check_form(world, call, "decision")
    user = world.state.users.get(session.user or "")
    if user is None:
        return redirect(world.page_address(asked.page(0)), status=303)
    match form["decision"]:
        case "allow":
            call.wrote = True
            return _back(world, asked, {"code": _new_code(world, asked, user, call.now)})
        case "cancel":
            return _back(world, asked, {"error": "access_denied"})
        case _:
            raise Refused(400, "The request is invalid.", "The decision is allow or cancel.")


def landing(world: World, call: Call) -> WireReply:
    """The page an application has its users sent back to."""
    address = world.public(call.route.template)
    query = call.request.query
    shown = f"{address}?{query}" if query else address
    return html_reply(pages.landing(shown, denied="error" in call.query))


# --- the request ----------------------------------------------------------------------------


def _asked(world: World, call: Call) -> Asked:
    dialect: Dialect = "classic" if call.route.template.startswith("/auth/") else "account"
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
            "compared character by character, except for the port of a loopback address.",
        )
    asked = Asked(
        client=client,
        redirect_uri=query["redirect_uri"],
        scope=query.get("scope", ""),
        state=query.get("state"),
        challenge=query.get("code_challenge"),
        query=call.request.query,
    )
    problem = _problem(dialect, call)
    if problem is not None:
        error, why = problem
        reply = _back(world, asked, {"error": error}, explain=why)
        raise _SentBack(reply)
    return asked


def _problem(dialect: Dialect, call: Call) -> tuple[str, str] | None:
    """The error to send back to the application, and why."""
    query = call.query
    if query["response_type"] != "code":
        return "unsupported_response_type", "The response_type is always code."
    if dialect == "classic":
        return None
    scopes = query["scope"].split()
    if not scopes or not set(scopes) <= set(SCOPES):
        return "invalid_scope", "A scope is missing or not one of the contract's."
    if query["code_challenge_method"] != "S256":
        return "invalid_request", "PKCE is done with S256 only."
    if not _CHALLENGE.fullmatch(query["code_challenge"]):
        return "invalid_request", "The code_challenge is not 43 characters of base64url."
    if query.get("response_mode", "query") != "query":
        return "invalid_request", "The response_mode is always query."
    return None


def may_redirect(world: World, client: Client, address: str) -> bool:
    """Whether ``address`` is registered for ``client``."""
    if address in map(world.public, client.redirect_uris):
        return True
    return client.loopback and _LOOPBACK.fullmatch(address) is not None


# --- the answer -----------------------------------------------------------------------------


def _new_code(world: World, asked: Asked, user: User, now: float) -> str:
    """A code for this consent, as it stands in the redirect's query."""
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
        return codes.wrap(code, world.settings.code_layers)
    code = f"{state.prefix}{state.rng.randbytes(32).hex().upper()}-1"
    state.codes[code] = record
    return code


def _back(
    world: World, asked: Asked, answer: dict[str, str], *, explain: str | None = None
) -> WireReply:
    """The redirect to the application.  The code is put in as it is: its layers are decided."""
    rest: dict[str, str] = {}
    if asked.state is not None:
        rest["state"] = asked.state
    if asked.client.dialect == "account":
        rest["iss"] = world.issuer
    query = "&".join(f"{name}={value}" for name, value in answer.items())
    if rest:
        query += "&" + urlencode(rest, quote_via=quote)
    mark = "&" if urlsplit(asked.redirect_uri).query else "?"
    headers = () if explain is None else (("x-sandbox-explain", explain),)
    return redirect(f"{asked.redirect_uri}{mark}{query}", headers=headers)
