"""How each service says no: one refusal, put into the words of the service that was asked."""

from __future__ import annotations

from ormco_trios.sandbox.pages import rendering
from ormco_trios.sandbox.wire.messages import Area, Json, Refused, WireReply, html_reply, json_reply
from ormco_trios.sandbox.world.world import World


def area_of(path: str) -> Area:
    """Which service a path without a route would have belonged to."""
    head = path.split("/")[1] if path.startswith("/") else ""
    if head == "communicate" or head.startswith("metadata-"):
        return "communicate"
    if head == "ormcodigital":
        return "portal"
    if head in ("auth", "identity"):
        return "oauth"
    return "sandbox" if head == "sandbox" else "page"


def render(world: World, refused: Refused, area: Area) -> WireReply:
    """The answer a client of ``area`` sees.

    Args:
        world: Its switch says whether Communicate's sentences come as ``{"Message": …}`` instead
            of a bare JSON string: the documentation prints only the sentence [doc M2.1].
        refused: What was refused, and why.
        area: Who was asked.
    """
    if refused.as_page or area in ("page", "operator"):
        html = rendering.problem(world, refused.status, refused.message)
        return html_reply(html, status=refused.status, headers=refused.headers)
    body: Json
    match area:
        case "communicate":
            body = (
                {"Message": refused.message}
                if world.switches.sentences == "object"
                else refused.message
            )
        case "oauth":
            code = "invalid_request" if refused.code in ("", "bad_request") else refused.code
            body = {"error": code}
            if refused.message:
                body = {**body, "error_description": refused.message}
        case "portal":
            body = {
                "error": {
                    "code": refused.code or "refused",
                    "message": refused.message,
                    "field": refused.field,
                }
            }
        case _:
            body = {"error": refused.message, "explain": refused.explain}
    return json_reply(body, status=refused.status, headers=refused.headers)
