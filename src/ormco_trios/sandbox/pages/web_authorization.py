"""3Shape's pages on the way to a code: sign in, and allow access or not [guide].

The query of the authorization request travels in the address of every page of the journey and is
checked again at each step, so nothing is kept for a journey that nobody finishes.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from ormco_trios.sandbox.pages import rendering, sessions
from ormco_trios.sandbox.pages.sessions import Site
from ormco_trios.sandbox.services import authorization
from ormco_trios.sandbox.services.authorization import Asked
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Headers, Refused, WireReply, html_reply, redirect
from ormco_trios.sandbox.world.state import Dialect, WebSession
from ormco_trios.sandbox.world.world import World

_PLACES: dict[Dialect, tuple[str, str, str]] = {
    "classic": ("/auth/oauth/authorise", "/auth/oauth/sign-in", "/auth/oauth/consent"),
    "account": ("/identity/connect/authorize", "/identity/sign-in", "/identity/consent"),
}


def _page(asked: Asked, call: InboundCall, step: int) -> str:
    """Path of the first, second or third page of this journey, with its query."""
    return f"{_PLACES[asked.client.dialect][step]}?{call.request.query}"


def authorize(world: World, call: InboundCall) -> WireReply:
    """The first page: sign in, or consent if this browser is signed in already."""
    try:
        asked = authorization.asked_for(world, call)
    except authorization.SentBack as back:
        return back.reply
    session, cookie = sessions.current(world, call, site=_site(asked))
    user = world.state.users.get(session.user or "")
    prompt = call.query.get("prompt")
    if prompt == "none":
        error = "login_required" if user is None else "interaction_required"
        return authorization.answer(world, asked, {"error": error}, explain="A person is needed.")
    if user is None or prompt == "login":
        return _sign_in(world, call, asked, session, cookie, email=call.query.get("login_hint", ""))
    html = rendering.render(
        world,
        "consent",
        "Authorize",
        action=world.page_address(_page(asked, call, 2)),
        links=[("Home", world.page_address("/communicate/User/Connections"))],
        token=session.csrf,
        application=asked.client.name,
        email=user.email,
        scopes=asked.scope.split(),
    )
    return html_reply(html, headers=cookie)


def sign_in(world: World, call: InboundCall) -> WireReply:
    """The sign-in form, sent."""
    try:
        asked = authorization.asked_for(world, call)
    except authorization.SentBack as back:
        return back.reply
    session, form = sessions.check_form(world, call, "email", "password", site=_site(asked))
    user = world.state.user_by_email(form["email"])
    if user is None or user.password != form["password"]:
        return _sign_in(
            world, call, asked, session, (), email=form["email"],
            error="The e-mail address or the password is wrong.",
        )  # fmt: skip
    call.wrote = True
    _, cookie = sessions.start(world, user=user.id, site=_site(asked))
    # An application that asked for a fresh sign-in has had it.
    query = urlencode([pair for pair in parse_qsl(call.request.query) if pair[0] != "prompt"])
    here = f"{_PLACES[asked.client.dialect][0]}?{query}"
    return redirect(world.page_address(here), headers=cookie, status=303)


def _sign_in(
    world: World,
    call: InboundCall,
    asked: Asked,
    session: WebSession,
    cookie: Headers,
    *,
    email: str,
    error: str = "",
) -> WireReply:
    html = rendering.render(
        world,
        "sign_in",
        "Log in to your account",
        action=world.page_address(_page(asked, call, 1)),
        token=session.csrf,
        application=asked.client.name,
        email=email,
        error=error,
    )
    why = (("x-sandbox-explain", "No account has this e-mail and password."),) if error else ()
    return html_reply(html, status=400 if error else 200, headers=(*cookie, *why))


def _site(asked: Asked) -> Site:
    return "communicate" if asked.client.dialect == "classic" else "identity"


def consent(world: World, call: InboundCall) -> WireReply:
    """The consent form, sent: back to the application with a code, or with a refusal."""
    try:
        asked = authorization.asked_for(world, call)
    except authorization.SentBack as back:
        return back.reply
    session, form = sessions.check_form(world, call, "decision", site=_site(asked))
    user = world.state.users.get(session.user or "")
    if user is None:
        return redirect(world.page_address(_page(asked, call, 0)), status=303)
    match form["decision"]:
        case "allow":
            call.wrote = True
            code = authorization.new_code(world, asked, user, call.now)
            return authorization.answer(world, asked, {"code": code})
        case "cancel":
            return authorization.answer(world, asked, {"error": "access_denied"})
        case _:
            raise Refused(400, "The request is invalid.", "The decision is allow or cancel.")


def landing(world: World, call: InboundCall) -> WireReply:
    """The page an application has its users sent back to."""
    address = world.public(call.template)
    query = call.request.query
    shown = f"{address}?{query}" if query else address
    denied = "error" in call.query
    title = "Access was not allowed" if denied else "You can copy the address now"
    return html_reply(
        rendering.render(world, "landing", title, site="portal", address=shown, denied=denied)
    )
