"""OrmcoDigital's pages: sign-in, My Profile, Enter Authorization Code [guide]."""

from __future__ import annotations

from typing import Any

from ormco_trios.sandbox.pages import rendering, sessions
from ormco_trios.sandbox.pages.web import Visit, attempt
from ormco_trios.sandbox.services import portal
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Refused, WireReply, html_reply
from ormco_trios.sandbox.world.world import World

SIGN_IN = "/ormcodigital/"
HOME = "/ormcodigital/home"
ACCOUNT = "/ormcodigital/my-account"
PROFILE = "/ormcodigital/my-account/profile"
CODE = "/ormcodigital/my-account/profile/code"

_ADDRESS = ("address1", "address2", "city", "country", "state", "zip")
_FIELDS = (*_ADDRESS, "source", "scanner")


def sign_in(world: World, call: InboundCall) -> WireReply:
    """The sign-in page."""
    return _sign_in(Visit.of(world, call, "portal"))


def send_sign_in(world: World, call: InboundCall) -> WireReply:
    """The sign-in form, sent."""
    visit = Visit.with_form(world, call, "portal", "username", "password")
    form = call.form

    def deed() -> WireReply:
        body = {"username": form["username"], "password": form["password"]}
        visit.ask(portal.create_session, body=body)
        visit.session, visit.cookie = sessions.start(
            world, user=form["username"].casefold(), site="portal"
        )
        return visit.go(HOME)

    return attempt(lambda refused: _sign_in(visit, refused, form["username"]), deed)


def _sign_in(visit: Visit, refused: Refused | None = None, username: str = "") -> WireReply:
    html = rendering.render(
        visit.world,
        "sign_in",
        "Log in",
        site="portal",
        action=visit.world.page_address(SIGN_IN),
        token=visit.session.csrf,
        username_label="Username",
        email=username,
        error=refused.message if refused else "",
    )
    return html_reply(html, headers=visit.cookie)


def sign_out(world: World, call: InboundCall) -> WireReply:
    """Forget the session."""
    visit = Visit.of(world, call, "portal")
    visit.session.user = None
    return visit.go(SIGN_IN)


# --- My Account ---------------------------------------------------------------------------


def home(world: World, call: InboundCall) -> WireReply:
    """Where one is after signing in."""
    return _plain(world, call, "portal_home", "Welcome to OrmcoDigital")


def account(world: World, call: InboundCall) -> WireReply:
    """The menu *My Account*."""
    return _plain(world, call, "portal_account", "My Account")


def _plain(world: World, call: InboundCall, template: str, title: str) -> WireReply:
    visit = Visit.of(world, call, "portal")
    if visit.account is None:
        return visit.go(SIGN_IN)
    profile = world.page_address(PROFILE)
    return _page(visit, template, title, None, name=visit.account.profile["name"], profile=profile)


# --- My Profile -----------------------------------------------------------------------------


def profile(world: World, call: InboundCall) -> WireReply:
    """The profile, or what was typed into it and not saved yet."""
    visit = Visit.of(world, call, "portal")
    done = visit.session.notice
    visit.session.notice = ""
    return _profile(visit, done=done)


def save(world: World, call: InboundCall) -> WireReply:
    """*Update*; or *Connect 3Shape to Insignia*, which keeps what was typed and saves nothing."""
    visit = Visit.with_form(world, call, "portal", *_FIELDS, "version", "button")
    if visit.account is None:
        return visit.go(SIGN_IN)
    form = call.form
    visit.session.typed = {name: form[name] for name in _FIELDS}
    if form["button"] == "connect":
        return visit.go(CODE)

    def deed() -> WireReply:
        body = visit.ask(portal.get_profile)
        body["default_shipping_address"] = {name: form[name] or None for name in _ADDRESS}
        scanner = form["scanner"] if form["source"] != "PVS" else None
        body["submission_method"] = {"source": form["source"], "scanner": scanner}
        visit.ask(portal.update_profile, body=body, headers=(("if-match", form["version"]),))
        visit.session.typed = {}
        visit.session.notice = "Your profile was saved."
        return visit.go(PROFILE)

    return attempt(lambda refused: _profile(visit, refused), deed)


def _profile(visit: Visit, refused: Refused | None = None, *, done: str = "") -> WireReply:
    account = visit.account
    if account is None:
        return visit.go(SIGN_IN)
    saved = visit.ask(portal.get_profile)
    method = saved["submission_method"]
    form: dict[str, Any] = {
        **{name: saved["default_shipping_address"][name] or "" for name in _ADDRESS},
        "source": method["source"],
        "scanner": method["scanner"],
        **visit.session.typed,
    }
    return _page(
        visit,
        "profile",
        "My Profile",
        refused,
        form=form,
        version=portal.etag(account),
        done=done,
        state=portal.connection_state(visit.world, account, visit.call.now),
        scanners=[one["scanner"] for one in portal.SUBMISSION_METHODS if one["scanner"]],
    )


# --- Enter Authorization Code ---------------------------------------------------------------


def code(world: World, call: InboundCall) -> WireReply:
    """The dialog."""
    return _code(Visit.of(world, call, "portal"))


def send_code(world: World, call: InboundCall) -> WireReply:
    """*Ok* keeps the code as a draft; *Cancel* closes the dialog, and a draft is lost."""
    visit = Visit.with_form(world, call, "portal", "code", "button")
    if visit.account is None:
        return visit.go(SIGN_IN)
    if call.form["button"] == "cancel":
        visit.account.draft = None
        return visit.go(PROFILE)

    def deed() -> WireReply:
        visit.ask(portal.submit_code, body={"code": call.form["code"].strip()})
        return visit.go(PROFILE)

    return attempt(lambda refused: _code(visit, refused), deed)


def _code(visit: Visit, refused: Refused | None = None) -> WireReply:
    if visit.account is None:
        return visit.go(SIGN_IN)
    link = visit.ask(portal.start_authorization)["authorization_url"]
    return _page(visit, "enter_code", "Enter Authorization Code", refused, link=link)


def _page(
    visit: Visit, template: str, title: str, refused: Refused | None, **values: Any
) -> WireReply:
    address = visit.world.page_address
    html = rendering.render(
        visit.world,
        template,
        title,
        site="portal",
        links=[("My Account", address(ACCOUNT)), ("Sign out", address("/ormcodigital/sign-out"))],
        here="" if template == "portal_home" else "My Account",
        base=address("/ormcodigital"),
        token=visit.session.csrf,
        who=visit.account.username if visit.account else "",
        error=refused.message if refused else "",
        **values,
    )
    return html_reply(html, headers=visit.cookie)
