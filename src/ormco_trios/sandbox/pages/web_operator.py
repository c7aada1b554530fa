"""The operator's page: what is there, and buttons for what the control API does."""

from __future__ import annotations

from ormco_trios.sandbox.pages import rendering, web_communicate, web_portal
from ormco_trios.sandbox.pages.web import Visit, attempt
from ormco_trios.sandbox.services import portal
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, html_reply, iso
from ormco_trios.sandbox.world.faults import Fault
from ormco_trios.sandbox.world.seeds import LAB_EMAILS
from ormco_trios.sandbox.world.world import World

PAGE = "/sandbox/"
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
    accounts = [
        {"where": "3Shape", "name": user.email, "password": user.password, "state": ""}
        for user in state.users.values()
        if user.email.casefold() in LAB_EMAILS.values()
    ]
    for account in list(state.portal_accounts.values())[:_MOST]:
        email = account.profile["email"]
        user = state.user_by_email(str(email))
        if user is not None:
            accounts.append(
                {"where": "3Shape", "name": user.email, "password": user.password, "state": ""}
            )
        accounts.append(
            {
                "where": "OrmcoDigital",
                "name": account.username,
                "password": account.password,
                "state": portal.connection_state(world, account, visit.call.now),
            }
        )
    html = rendering.render(
        "operator",
        "Operator",
        site="sandbox",
        error=refused.message if refused else "",
        action=address("/sandbox/act"),
        token=visit.session.csrf,
        now=iso(world.clock.time()),
        base_url=world.base_url,
        pages=[
            ("3Shape Communicate", address(web_communicate.SIGN_IN)),
            ("OrmcoDigital", address(web_portal.SIGN_IN)),
        ],
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
        accounts=accounts,
        journal=list(world.journal)[: -_LAST - 1 : -1],
        total=len(world.journal),
    )
    return html_reply(html, headers=visit.cookie)
