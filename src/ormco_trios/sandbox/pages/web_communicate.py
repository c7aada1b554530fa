"""3Shape Communicate's pages: sign-in, Connections, Add Connection, Applications [guide]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ormco_trios.sandbox.pages import rendering, sessions
from ormco_trios.sandbox.pages.web import Visit, attempt
from ormco_trios.sandbox.services import communicate
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, html_reply
from ormco_trios.sandbox.world.state import UserRecord
from ormco_trios.sandbox.world.world import World

SIGN_IN = "/communicate/User/SignIn"
CONNECTIONS = "/communicate/User/Connections"
ADD = "/communicate/User/Connections/Add"
APPLICATIONS = "/communicate/User/Applications"

_KINDS = {"labs": "Lab", "practices": "Clinic"}


def sign_in(world: World, call: InboundCall) -> WireReply:
    """The sign-in page."""
    return _sign_in(Visit.of(world, call, "communicate"))


def send_sign_in(world: World, call: InboundCall) -> WireReply:
    """The sign-in form, sent."""
    visit = Visit.with_form(world, call, "communicate", "email", "password")
    user = world.state.user_by_email(call.form["email"])
    if user is None or user.password != call.form["password"]:
        return _sign_in(visit, "The e-mail address or the password is wrong.", call.form["email"])
    visit.session, visit.cookie = sessions.start(world, user=user.id)
    return visit.go(CONNECTIONS)


def _sign_in(visit: Visit, error: str = "", email: str = "") -> WireReply:
    html = rendering.render(
        "sign_in",
        "Log in to your account",
        action=visit.world.page_address(SIGN_IN),
        token=visit.session.csrf,
        email=email,
        error=error,
    )
    why = (("x-sandbox-explain", "No account has this e-mail and password."),) if error else ()
    return html_reply(html, status=400 if error else 200, headers=visit.cookie + why)


def sign_out(world: World, call: InboundCall) -> WireReply:
    """Forget the session."""
    visit = Visit.of(world, call, "communicate")
    visit.session.user = None
    return visit.go(SIGN_IN)


# --- connections ----------------------------------------------------------------------------


def connections(world: World, call: InboundCall) -> WireReply:
    """The account's connections; each look at them is a look at users/me."""
    return _connections(Visit.of(world, call, "communicate"))


def remove(world: World, call: InboundCall) -> WireReply:
    """The red X, confirmed."""
    return _act(world, call, communicate.remove_connection, "connection", CONNECTIONS, _connections)


def accept(world: World, call: InboundCall) -> WireReply:
    """What the lab does with a request."""
    return _act(
        world, call, communicate.approve_connection, "connection", CONNECTIONS, _connections
    )


def _act(
    world: World,
    call: InboundCall,
    handler: Any,
    field: str,
    back: str,
    page: Callable[[Visit, Refused | None], WireReply],
    *,
    parameter: str | None = None,
) -> WireReply:
    """Do what a form asks for with the account's own API call, then go ``back``.

    ``field`` names the object in the form, and in the API too unless ``parameter`` does; what is
    refused shows on ``page``.
    """
    visit = Visit.with_form(world, call, "communicate", field)
    if visit.user is None:
        return visit.go(SIGN_IN)
    path = {"user": visit.user.id, parameter or field: call.form[field]}

    def deed() -> WireReply:
        visit.ask(handler, path=path)
        return visit.go(back)

    return attempt(lambda refused: page(visit, refused), deed)


def _connections(visit: Visit, refused: Refused | None = None) -> WireReply:
    user = visit.user
    if user is None:
        return visit.go(SIGN_IN)
    rows: list[Mapping[str, object]] = []
    for connection in visit.ask(communicate.me)["Connections"]:
        incoming = connection["RemoteUserId"] == user.id
        other = visit.world.state.users[connection["InviterUserId" if incoming else "RemoteUserId"]]
        rows.append(
            {
                **_shown(visit.world, other, user),
                "id": connection["Id"],
                "incoming": incoming,
                "active": bool(connection["ConnectionAccepted"]),
            }
        )
    return _page(visit, "connections", "Connections", refused, rows=rows)


# --- adding one -----------------------------------------------------------------------------


def find(world: World, call: InboundCall) -> WireReply:
    """Search by e-mail, or by a part of the name."""
    return _find(Visit.of(world, call, "communicate"))


def add(world: World, call: InboundCall) -> WireReply:
    """A search result, selected."""
    return _act(
        world, call, communicate.request_connection, "user", CONNECTIONS, _find, parameter="remote"
    )


def _find(visit: Visit, refused: Refused | None = None) -> WireReply:
    user = visit.user
    if user is None:
        return visit.go(SIGN_IN)
    text, show = visit.call.query.get("text", ""), visit.call.query.get("show", "labs")
    found = None
    if text.strip():
        found = [
            _shown(visit.world, other, user)
            for other in _matching(visit, text.strip())
            if _KINDS.get(show) in other.roles and other is not user
        ]
    return _page(
        visit, "add_connection", "Connect to a Practice or Lab", refused,
        text=text, show=show, found=found,
    )  # fmt: skip


def _matching(visit: Visit, text: str) -> list[UserRecord]:
    state = visit.world.state
    if "@" in text:
        try:
            answer = visit.ask(communicate.get, path={"key": text})
        except Refused:
            return []
        return [state.users[answer["Id"]]]
    return [one for one in state.users.values() if text.casefold() in one.text("Name").casefold()]


def _shown(world: World, other: UserRecord, viewer: UserRecord) -> Mapping[str, object]:
    """What a row shows: nothing that the API would keep from this viewer."""
    seen = communicate.user_object(world, other, viewer=viewer)

    def text(*names: str) -> str:
        return ", ".join(str(seen[name]) for name in names if seen.get(name))

    return {
        "id": other.id,
        "name": text("Name"),
        "email": text("Email"),
        "phone": text("PhoneNumber"),
        "place": text("City", "Country"),
        "street": text("AddressLine"),
        "address": text("AddressLine", "PostalCode", "City", "Country"),
        "kind": {"Clinic": "Practice"}.get(other.roles[0], other.roles[0]),
    }


# --- applications ---------------------------------------------------------------------------


def applications(world: World, call: InboundCall) -> WireReply:
    """Who has access."""
    return _applications(Visit.of(world, call, "communicate"))


def remove_application(world: World, call: InboundCall) -> WireReply:
    """The square icon, confirmed."""
    return _act(
        world, call, communicate.remove_application, "application", APPLICATIONS, _applications
    )


def _applications(visit: Visit, refused: Refused | None = None) -> WireReply:
    if visit.user is None:
        return visit.go(SIGN_IN)
    rows = visit.ask(communicate.list_applications, path={"user": visit.user.id})
    return _page(visit, "applications", "Applications", refused, rows=rows)


def _page(
    visit: Visit, template: str, title: str, refused: Refused | None, **values: Any
) -> WireReply:
    address = visit.world.page_address
    html = rendering.render(
        template,
        title,
        links=[
            ("Connections", address(CONNECTIONS)),
            ("Applications", address(APPLICATIONS)),
            ("Sign out", address("/communicate/User/SignOut")),
        ],
        here=title if title != "Connect to a Practice or Lab" else "Connections",
        base=address("/communicate"),
        token=visit.session.csrf,
        who=visit.user.email if visit.user else "",
        error=refused.message if refused else "",
        **values,
    )
    return html_reply(html, headers=visit.cookie)
