"""3Shape Communicate's pages: sign-in, Connections, Add Connection, Applications [guide]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ormco_trios.sandbox.pages import rendering, sessions
from ormco_trios.sandbox.pages.web import Visit, attempt
from ormco_trios.sandbox.services import cases, communicate
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, html_reply
from ormco_trios.sandbox.world.seeds import PATIENTS
from ormco_trios.sandbox.world.state import UserRecord
from ormco_trios.sandbox.world.world import World

SIGN_IN = "/communicate/User/SignIn"
CONNECTIONS = "/communicate/User/Connections"
ADD = "/communicate/User/Connections/Add"
APPLICATIONS = "/communicate/User/Applications"
CASES = "/communicate/User/Cases"

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
        visit.world,
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
    """Search by e-mail, or by what it, the name or the city begins with [client]."""
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
    begins = text.casefold()
    return [
        one
        for one in state.users.values()
        if any(
            text.casefold().startswith(begins)
            for text in (one.email, one.text("Name"), one.text("City"))
        )
    ][:20]


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


# --- cases ----------------------------------------------------------------------------------


def list_cases(world: World, call: InboundCall) -> WireReply:
    """The newest cases; a practice can send them from here, as it does in TRIOS [assumed]."""
    return _cases(Visit.of(world, call, "communicate"))


def send_case(world: World, call: InboundCall) -> WireReply:
    """A case, sent to a lab."""
    visit = Visit.with_form(world, call, "communicate", "case", "lab")
    user = visit.user
    if user is None:
        return visit.go(SIGN_IN)

    def deed() -> WireReply:
        case = world.state.cases.get(call.form["case"])
        lab = world.state.users.get(call.form["lab"])
        if case is None or case.creator != user.id or lab is None:
            raise Refused(400, "There is no such case, or no such lab.", "The page has no such.")
        try:
            world.send_case(case.id, lab.email)
        except ValueError as error:
            raise Refused(400, "The lab is not connected with you.", f"{error}.") from None
        call.wrote = True
        return visit.go(CASES)

    return attempt(lambda refused: _cases(visit, refused), deed)


def scan(world: World, call: InboundCall) -> WireReply:
    """One more case, as if a patient had been scanned."""
    visit = Visit.with_form(world, call, "communicate")
    if visit.user is None:
        return visit.go(SIGN_IN)
    patient = PATIENTS[len(world.state.cases) % len(PATIENTS)]
    world.add_case(visit.user.email, patient=patient)
    call.wrote = True
    return visit.go(CASES)


def _cases(visit: Visit, refused: Refused | None = None) -> WireReply:
    user, users = visit.user, visit.world.state.users
    if user is None:
        return visit.go(SIGN_IN)
    page = visit.ask(cases.list_cases, path={"server": user.server}, query={"page": "0"})
    rows: list[Mapping[str, object]] = []
    for case in page["Cases"]:
        others = [actor["Id"] for actor in case["Actors"] if actor["Id"] != user.id]
        rows.append(
            {
                "id": case["Id"],
                "patient": case["PatientName"],
                "order": case["ThreeShapeOrderNo"],
                "created": case["Created"][:16].replace("T", " "),
                "state": case["State"],
                "flag": case["StateFlag"],
                "files": len(case["Attachments"]),
                "actors": [actor["Id"] for actor in case["Actors"]],
                "sent_to": ", ".join(users[key].text("Name") for key in others),
            }
        )
    partners = [users[key] for key in visit.ask(communicate.me)["ConnectedUsers"]]
    labs = [{"id": one.id, "name": one.text("Name")} for one in partners if "Lab" in one.roles]
    practice = "Clinic" in user.roles
    return _page(
        visit, "cases", "Cases", refused, rows=rows, labs=labs if practice else [],
        practice=practice, more=page["Count"] - len(rows),
    )  # fmt: skip


def _page(
    visit: Visit, template: str, title: str, refused: Refused | None, **values: Any
) -> WireReply:
    address = visit.world.page_address
    html = rendering.render(
        visit.world,
        template,
        title,
        links=[
            ("Connections", address(CONNECTIONS)),
            ("Cases", address(CASES)),
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
