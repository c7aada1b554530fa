"""The one list of what exists in the sandbox, and where the knowledge of each comes from."""

from __future__ import annotations

from ormco_trios.sandbox.control import api
from ormco_trios.sandbox.dispatch import documents
from ormco_trios.sandbox.dispatch.routing import Provenance, Route
from ormco_trios.sandbox.pages import (
    web_authorization,
    web_communicate,
    web_operator,
    web_portal,
)
from ormco_trios.sandbox.services import cases, communicate, portal, tokens
from ormco_trios.sandbox.services.calls import Handler, InboundCall
from ormco_trios.sandbox.wire.messages import WireReply
from ormco_trios.sandbox.world.world import World

PORTAL_API = "/ormcodigital/api/"
WELL_KNOWN = "/.well-known/oauth-authorization-server"

_CLASSIC = ("client_id!", "redirect_uri!", "response_type!", "state", "scope")
_ACCOUNT = (
    "client_id!",
    "redirect_uri!",
    "response_type!",
    "scope!",
    "code_challenge!",
    "code_challenge_method!",
    "state",
    "nonce",
    "response_mode",
    "login_hint",
    "prompt",
)
_SPAN = ("from", "to")


def _users(
    method: str,
    path: str,
    operation: str,
    provenance: Provenance,
    handler: Handler,
    *,
    switch: str = "",
) -> Route:
    return Route(
        method,
        f"/communicate/api{path}",
        operation,
        provenance,
        "communicate",
        handler,
        access="bearer",
        switch=switch,
    )


def _cases(
    method: str,
    path: str,
    operation: str,
    handler: Handler,
    *,
    provenance: Provenance = "doc",
    query: tuple[str, ...] = (),
    switch: str = "",
) -> Route:
    return Route(
        method,
        f"/metadata-{{server}}{path}",
        operation,
        provenance,
        "communicate",
        handler,
        access="bearer",
        query=query,
        switch=switch,
    )


def _portal(method: str, path: str, operation: str, handler: Handler, *, json: bool) -> Route:
    return Route(
        method,
        f"{PORTAL_API}{path.removeprefix('/')}",
        operation,
        "assumed",
        "portal",
        handler,
        switch="portal_api",
        access="open" if operation == "session.create" else "portal",
        body="json" if json else "none",
    )


def _control(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(
        method,
        f"/sandbox/{path}",
        f"sandbox.{operation}",
        "sandbox",
        "sandbox",
        handler,
        body="json" if method == "POST" else "none",
    )


def _page(
    method: str,
    path: str,
    operation: str,
    handler: Handler,
    provenance: Provenance = "guide",
    *,
    query: tuple[str, ...] = (),
) -> Route:
    return Route(
        method,
        path,
        f"pages.{operation}",
        provenance,
        "page",
        handler,
        body="form" if method == "POST" else "none",
        query=query,
    )


def _form(path: str, operation: str, show: Handler, send: Handler) -> tuple[Route, Route]:
    """A page with a form, and the form, sent."""
    return _page("GET", path, operation, show), _page("POST", path, f"{operation}_send", send)


def _everything(world: World, call: InboundCall) -> WireReply:
    """Every route of the World, with where the knowledge of it comes from."""
    return documents.everything(world, TABLE)


TABLE: tuple[Route, ...] = (
    # 3Shape Communicate: contract, section 2.  "me" comes before what would match it too.
    _users("GET", "/users/me", "users.me", "doc", communicate.me),
    _users("GET", "/users/{key}", "users.get", "doc", communicate.get),
    _users("GET", "/users/{user}/logo", "users.logo", "client", communicate.logo),
    _users(
        "POST", "/users/{user}/requestconnection/{remote}", "connections.request", "doc",
        communicate.request_connection,
    ),
    _users(
        "POST", "/users/{user}/connection/{connection}/approve", "connections.approve", "doc",
        communicate.approve_connection,
    ),
    _users(
        "DELETE", "/users/{user}/connection/{connection}", "connections.remove", "doc",
        communicate.remove_connection,
    ),
    _users(
        "GET", "/users/{user}/applications", "applications.list", "assumed",
        communicate.list_applications, switch="applications",
    ),
    _users(
        "DELETE", "/users/{user}/applications/{application}", "applications.remove", "assumed",
        communicate.remove_application, switch="applications",
    ),
    # Which server: section 3.
    _users(
        "GET", "/services/default/{kind}", "services.default", "client",
        communicate.default_service, switch="services",
    ),
    _users(
        "GET", "/regions/masterdataserver/{country}/{version}", "regions.master_data", "client",
        communicate.master_data, switch="master_data",
    ),
    # Cases: section 3.
    _cases("GET", "/api/servers", "servers.list", cases.servers, provenance="client",
        switch="servers",
    ),
    _cases("GET", "/api/cases", "cases.list", cases.list_cases, query=("page!", *_SPAN)),
    _cases(
        "GET", "/api/cases/search", "cases.search", cases.search,
        query=("searchString!", "page!", *_SPAN),
    ),
    _cases(
        "GET", "/api/v3/cases/search", "cases.search", cases.search, provenance="seen",
        query=("searchString!", "page!", *_SPAN),
    ),
    _cases("GET", "/api/updatedcases", "cases.updated", cases.updated, query=("from!", "to")),
    _cases("GET", "/api/cases/{case}", "cases.get", cases.get),
    _cases("GET", "/api/cases/{case}/version/{version}", "cases.version", cases.get_version),
    _cases("GET", "/api/cases/increments/{increment}", "cases.increment", cases.get_increment),
    _cases("GET", "/api/cases/{case}/attachments/{hash}", "cases.download", cases.attachment),
    _cases(
        "GET", "/api/cases/{case}/attachments/{hash}/ply", "cases.ply", cases.as_ply,
        provenance="seen",
    ),
    _cases("GET", "/api/cases/{case}/comments/{comment}/text", "cases.comment", cases.comment),
    _cases("PUT", "/api/cases/{case}/state/{state}", "cases.set_state", cases.set_state),
    # Sign-in, classic: section 1.
    Route(
        "GET", "/auth/oauth/authorise", "oauth.authorize", "doc", "page",
        web_authorization.authorize, query=_CLASSIC,
    ),
    Route(
        "POST", "/auth/oauth/sign-in", "oauth.sign_in", "assumed", "page",
        web_authorization.sign_in, body="form", query=_CLASSIC,
    ),
    Route(
        "POST", "/auth/oauth/consent", "oauth.consent", "assumed", "page",
        web_authorization.consent, body="form", query=_CLASSIC,
    ),
    Route(
        "POST", "/auth/oauth/token", "oauth.token", "doc", "oauth", tokens.classic_token,
        body="form", kinds=("authorization_code", "refresh_token", "password"),
    ),
    Route(
        "GET", "/auth/oauth/token", "oauth.token_info", "doc", "communicate", tokens.token_info,
        query=("access_token!",),
    ),
    # Sign-in, account.
    Route(
        "GET", "/identity/connect/authorize", "oauth.authorize", "seen", "page",
        web_authorization.authorize, query=_ACCOUNT,
    ),
    Route(
        "POST", "/identity/sign-in", "oauth.sign_in", "assumed", "page",
        web_authorization.sign_in, body="form", query=_ACCOUNT,
    ),
    Route(
        "POST", "/identity/consent", "oauth.consent", "assumed", "page",
        web_authorization.consent, body="form", query=_ACCOUNT,
    ),
    Route(
        "POST", "/identity/connect/token", "oauth.token", "seen", "oauth",
        tokens.account_token, body="form", kinds=("authorization_code", "refresh_token"),
    ),
    Route(
        "POST", "/identity/connect/revocation", "oauth.revoke", "assumed", "oauth",
        tokens.revoke, body="form", switch="revocation",
    ),
    Route(
        "GET", "/identity/connect/userinfo", "oauth.userinfo", "assumed", "oauth",
        tokens.userinfo, access="bearer",
    ),
    Route(
        "GET", "/identity/.well-known/openid-configuration", "oauth.discovery", "seen",
        "oauth", tokens.discovery, switch="discovery",
    ),
    # Where RFC 8414 has it: between the host and the issuer's path, here and where it has none.
    *(
        Route(
            "GET", path, "oauth.discovery", "assumed", "oauth", tokens.discovery,
            switch="discovery",
        )
        for path in (f"{WELL_KNOWN}/identity", f"/identity{WELL_KNOWN}")
    ),
    # Where applications send the browser: the guide's https://ormco.com/, and the sandbox's own.
    Route(
        "GET", "/ormco/", "pages.landing", "guide", "page", web_authorization.landing,
        query=("code", "state", "error", "error_description"),
    ),
    Route(
        "GET", "/practice-app/", "pages.landing", "sandbox", "page", web_authorization.landing,
        query=("code", "state", "iss", "error", "error_description"),
    ),
    # OrmcoDigital: section 5 and ormcodigital/openapi.json.
    _portal("POST", "/session", "session.create", portal.create_session, json=True),
    _portal("GET", "/profile", "profile.get", portal.get_profile, json=False),
    _portal("PUT", "/profile", "profile.update", portal.update_profile, json=True),
    _portal(
        "GET", "/submission-methods", "submission_methods.list", portal.submission_methods,
        json=False,
    ),
    _portal(
        "POST", "/integrations/3shape/authorization", "trios.authorization",
        portal.start_authorization, json=False,
    ),
    _portal(
        "POST", "/integrations/3shape/code", "trios.submit_code", portal.submit_code, json=True
    ),
    _portal("GET", "/integrations/3shape", "trios.status", portal.status, json=False),
    _portal("DELETE", "/integrations/3shape", "trios.disconnect", portal.disconnect, json=False),
    # Pages for a person: what the guide's screens do, at addresses of our own, except for the
    # Applications page [guide].
    _page("GET", web_communicate.SIGN_IN, "sign_in", web_communicate.sign_in),
    _page("POST", web_communicate.SIGN_IN, "sign_in_send", web_communicate.send_sign_in),
    _page("GET", "/communicate/User/SignOut", "sign_out", web_communicate.sign_out, "assumed"),
    _page("GET", web_communicate.CONNECTIONS, "connections", web_communicate.connections),
    _page("POST", f"{web_communicate.CONNECTIONS}/Remove", "remove", web_communicate.remove),
    _page(
        "POST", f"{web_communicate.CONNECTIONS}/Accept", "accept", web_communicate.accept,
        "assumed",
    ),
    _page("GET", web_communicate.ADD, "find", web_communicate.find, query=("text", "show")),
    _page("POST", web_communicate.ADD, "add", web_communicate.add),
    _page("GET", web_communicate.APPLICATIONS, "applications", web_communicate.applications),
    _page(
        "POST", f"{web_communicate.APPLICATIONS}/Remove", "remove_application",
        web_communicate.remove_application,
    ),
    _page("GET", web_communicate.CASES, "cases", web_communicate.list_cases, "assumed"),
    _page(
        "POST", f"{web_communicate.CASES}/Send", "send_case", web_communicate.send_case, "assumed"
    ),
    _page("POST", f"{web_communicate.CASES}/Scan", "scan", web_communicate.scan, "assumed"),
    *_form(web_portal.SIGN_IN, "portal_sign_in", web_portal.sign_in, web_portal.send_sign_in),
    _page("GET", "/ormcodigital/sign-out", "portal_sign_out", web_portal.sign_out, "assumed"),
    _page("GET", web_portal.HOME, "portal_home", web_portal.home, "assumed"),
    _page("GET", web_portal.ACCOUNT, "account", web_portal.account),
    *_form(web_portal.PROFILE, "profile", web_portal.profile, web_portal.save),
    *_form(web_portal.CODE, "code", web_portal.code, web_portal.send_code),
    # The sandbox's own controls.
    Route("GET", "/", "sandbox.start", "sandbox", "operator", web_operator.start),
    Route(
        "POST", web_operator.SWITCHES, "sandbox.set_switches", "sandbox", "operator",
        web_operator.set_switches, body="form",
    ),
    Route("GET", web_operator.PAGE, "sandbox.page", "sandbox", "operator", web_operator.show),
    Route(
        "POST", "/sandbox/act", "sandbox.act", "sandbox", "operator", web_operator.act,
        body="form",
    ),
    _control("GET", "openapi.json", "openapi", _everything),
    Route(
        "GET", "/ormcodigital/openapi.json", "sandbox.portal_openapi", "sandbox", "sandbox",
        documents.portal,
    ),
    _control("GET", "state", "state", api.state),
    _control("GET", "journal", "journal", api.journal),
    _control("GET", "clock", "time", api.time),
    _control("POST", "clock", "clock", api.clock),
    _control("POST", "approve", "approve", api.approve),
    _control("POST", "faults", "fault", api.fault),
    _control("DELETE", "faults", "clear_faults", api.clear_faults),
    _control("GET", "switches", "switches", api.switches),
    _control("POST", "switches", "switch", api.switch),
    _control("POST", "reset", "reset", api.reset),
    _control("POST", "snapshots", "snapshot", api.snapshot),
    _control("POST", "restore", "restore", api.restore),
)  # fmt: skip
