"""How each service says no: one refusal, put into the words of the service that was asked."""

from __future__ import annotations

from ormco_trios.sandbox.pages import rendering
from ormco_trios.sandbox.wire.messages import Area, Json, Refused, WireReply, html_reply, json_reply


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


def render(refused: Refused, area: Area, *, sentences_as_object: bool) -> WireReply:
    """The answer a client of ``area`` sees.

    Args:
        refused: What was refused, and why.
        area: Who was asked.
        sentences_as_object: Communicate's sentences as ``{"Message": …}`` instead of a bare JSON
            string.  The documentation prints only the sentence, so both must be expected [doc].
    """
    if refused.as_page or area in ("page", "operator"):
        html = rendering.problem(refused.status, refused.message)
        return html_reply(html, status=refused.status, headers=refused.headers)
    body: Json
    match area:
        case "communicate":
            body = {"Message": refused.message} if sentences_as_object else refused.message
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
