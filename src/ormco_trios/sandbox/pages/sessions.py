"""The browser's session at 3Shape's pages: a cookie, and a CSRF token tied to it."""

from __future__ import annotations

import hmac
import re
from http.cookies import CookieError, SimpleCookie
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Headers, Refused
from ormco_trios.sandbox.world.state import WebSession
from ormco_trios.sandbox.world.world import World

Site: TypeAlias = Literal["communicate", "identity", "portal", "operator"]
"""Whose pages: each has a cookie of its own.  Communicate shares its with the classic sign-in; the
account dialect is at another domain [seen]."""


def current(
    world: World, call: InboundCall, site: Site = "communicate"
) -> tuple[WebSession, Headers]:
    """The browser's session, and the header that starts a new one if it had none."""
    known = _lookup(world, call, site)
    if known is not None:
        return known, ()
    return start(world, site=site)


def start(
    world: World, *, user: str | None = None, site: Site = "communicate"
) -> tuple[WebSession, Headers]:
    """A fresh session; signing in always makes one, so that nobody can plant theirs."""
    key = world.state.new_secret()
    session = WebSession(csrf=world.state.new_secret(), user=user)
    world.state.web_sessions[key] = session
    path = urlsplit(world.base_url).path or "/"
    secure = "; Secure" if world.base_url.startswith("https:") else ""
    return session, (
        (
            "set-cookie",
            f"{_cookie(world, site)}={key}; Path={path}; HttpOnly; SameSite=Lax{secure}",
        ),
    )


def check_form(
    world: World, call: InboundCall, *fields: str, site: Site = "communicate"
) -> tuple[WebSession, dict[str, str]]:
    """The session and the form's fields, if the form is one this browser was given.

    Raises:
        Refused: No session, a foreign CSRF token, or other fields than the page has.
    """
    session = _lookup(world, call, site)
    form = call.form
    sent = form.get("csrf", "")
    if session is None or not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise Refused(
            403,
            "This form has expired. Open the link again.",
            "The form's CSRF token does not belong to the browser's session cookie.",
        )
    if form.keys() != {"csrf", *fields}:
        raise Refused(
            400, "The request is invalid.", f"The form has exactly: csrf, {', '.join(fields)}."
        )
    return session, form


def _lookup(world: World, call: InboundCall, site: Site) -> WebSession | None:
    try:
        cookie = SimpleCookie(call.request.header("cookie") or "").get(_cookie(world, site))
    except CookieError:
        return None
    return world.state.web_sessions.get(cookie.value) if cookie else None


def _cookie(world: World, site: Site) -> str:
    """Its name.  Browsers do not keep the cookies of two ports or two worlds apart."""
    parts = urlsplit(world.base_url)
    place = re.sub(r"[^a-z0-9]+", "_", f"{parts.netloc}{parts.path}".lower())
    return f"sandbox_{site}_{place}"
