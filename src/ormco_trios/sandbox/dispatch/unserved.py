"""How an address answers that is not there as the contract has it; a switch says how."""

from __future__ import annotations

from ormco_trios.sandbox.wire.messages import Headers, WireReply, html_reply, json_reply

_HEADERS: dict[str, Headers] = {
    "301": (("location", "/"),),
    "302": (("location", "/"),),
    "405": (("allow", "GET, HEAD"),),
    "429": (("retry-after", "30"),),
}


def unserved(switch: str, position: str) -> WireReply:
    """The answer of a web server that knows no such address, or has something else there.

    Args:
        switch: Its name, for the explanation.
        position: ``html``, ``other_shape`` or a status, as in `switches.Served`.
    """
    explain: Headers = (("x-sandbox-explain", f"The switch {switch} is at {position}."),)
    if position == "other_shape":
        return json_reply({"result": [{"value": 1}], "success": True}, headers=explain)
    status = int(position) if position.isdecimal() else 200
    title = f"Error {status}" if status >= 400 else "Welcome"
    page = f"<!doctype html><html><title>{title}</title><h1>{title}</h1></html>"
    return html_reply(page, status=status, headers=explain + _HEADERS.get(position, ()))
