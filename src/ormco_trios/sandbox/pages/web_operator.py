"""The operator's page: what is there, and buttons for what the control API does."""

from __future__ import annotations

from collections.abc import Mapping

from ormco_trios.sandbox.pages import rendering, web_communicate, web_portal
from ormco_trios.sandbox.pages.web import Visit, attempt
from ormco_trios.sandbox.services import portal
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, html_reply, iso
from ormco_trios.sandbox.world.faults import Fault
from ormco_trios.sandbox.world.seeds import LAB_EMAILS
from ormco_trios.sandbox.world.switches import Switches, choices
from ormco_trios.sandbox.world.world import World

PAGE = "/sandbox/"
SWITCHES = "/sandbox/set-switches"
_LAST = 40
_MOST = 12


def show(world: World, call: InboundCall) -> WireReply:
    """The page."""
    return _page(Visit.of(world, call, "operator"))


def act(world: World, call: InboundCall) -> WireReply:
    """One of its buttons."""
    visit = Visit.with_form(world, call, "operator", "do", "value")

    def deed() -> WireReply:
        try:
            _do(world, call.form["do"], call.form["value"])
        except (LookupError, ValueError, TypeError) as error:
            raise Refused(
                400, f"{error}.", "The operator's page asked for the impossible."
            ) from None
        return visit.go(PAGE)

    return attempt(lambda refused: _page(visit, refused), deed)


def _do(world: World, deed: str, value: str) -> None:
    match deed:
        case "approve":
            world.approve(value)
        case "remove":
            world.remove(value)
        case "advance":
            world.advance(float(value) * 3600)
        case "fault":
            world.plan(Fault.parse(value))
        case "clear_faults":
            world.faults.clear()
        case "reset":
            world.reset()
        case _:
            raise ValueError("There is no such button")


def _page(visit: Visit, refused: Refused | None = None) -> WireReply:
    world, state = visit.world, visit.world.state
    address = world.page_address
    switches = world.switches.as_dict()
    first = Switches().as_dict()
    html = rendering.render(
        world,
        "operator",
        "Operator",
        site="sandbox",
        error=refused.message if refused else "",
        action=address("/sandbox/act"),
        token=visit.session.csrf,
        now=iso(world.clock.time()),
        base_url=world.base_url,
        set_switches=address(SWITCHES),
        switches=[(name, switches[name], values) for name, values in choices().items()],
        changed=[f"{name}={each}" for name, each in switches.items() if each != first[name]],
        connections=[
            {
                "id": row.id,
                "inviter": state.users[row.inviter].email,
                "remote": state.users[row.remote].email,
                "active": row.accepted,
            }
            for row in state.connections.values()
        ],
        faults=list(world.faults),
        accounts=_accounts(world, visit.call.now),
        journal=list(world.journal)[: -_LAST - 1 : -1],
        total=len(world.journal),
    )
    return html_reply(html, headers=visit.cookie)


def set_switches(world: World, call: InboundCall) -> WireReply:
    """The switches, all of them."""
    visit = Visit.with_form(world, call, "operator", *choices())

    def deed() -> WireReply:
        try:
            world.switch(**{name: call.form[name] for name in choices()})
        except ValueError as error:
            raise Refused(400, f"{error}.", "The page has no such position.") from None
        return visit.go(PAGE)

    return attempt(lambda refused: _page(visit, refused), deed)


def start(world: World, call: InboundCall) -> WireReply:
    """The page that leads everywhere."""
    at = world.page_address
    groups = [
        (
            "For a practice, and for Ormco's lab",
            [
                ("3Shape Communicate", at(web_communicate.SIGN_IN), "sign in"),
                ("Connections", at(web_communicate.CONNECTIONS), "whom one works with"),
                ("Add Connection", at(web_communicate.ADD), "find a lab, and ask it"),
                ("Cases", at(web_communicate.CASES), "look at them, and send them"),
                ("Applications", at(web_communicate.APPLICATIONS), "who may read the cases"),
                ("OrmcoDigital", at(web_portal.SIGN_IN), "sign in"),
                ("My Account", at(web_portal.ACCOUNT), "its menu"),
                ("My Profile", at(web_portal.PROFILE), "how scans come, and from where"),
            ],
        ),
        (
            "For those who test",
            [
                ("Operator", at(PAGE), "approve, let time pass, make trouble, set switches"),
                ("State", at("/sandbox/state"), "as JSON"),
                ("Journal", at("/sandbox/journal"), "every request, as JSON"),
                ("Switches", at("/sandbox/switches"), "as JSON"),
                ("Everything", at("/sandbox/openapi.json"), "as OpenAPI, with how it is known"),
                ("The portal's API", at("/ormcodigital/openapi.json"), "as OpenAPI; assumed"),
            ],
        ),
    ]
    html = rendering.render(
        world, "start", "All pages", site="sandbox", groups=groups, now=iso(call.now),
        accounts=_accounts(world, call.now),
    )  # fmt: skip
    return html_reply(html)


def _accounts(world: World, now: float) -> list[Mapping[str, str]]:
    """Those one can sign in with: Ormco's labs, and the first practices."""
    state = world.state

    def row(whose: str, where: str, name: str, password: str, says: str = "") -> Mapping[str, str]:
        return {
            "whose": whose, "where": where, "name": name, "password": password, "state": says,
        }  # fmt: skip

    rows = [
        row("Ormco's lab", "3Shape", user.email, user.password)
        for user in state.users.values()
        if user.email.casefold() in LAB_EMAILS.values()
    ]
    for account in list(state.portal_accounts.values())[:_MOST]:
        user = state.user_by_email(str(account.profile["email"]))
        if user is not None:
            rows.append(row("A practice", "3Shape", user.email, user.password))
        says = portal.connection_state(world, account, now)
        rows.append(row("A practice", "OrmcoDigital", account.username, account.password, says))
    return rows
