"""The regional metadata servers: cases and their files [doc, seen]."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.services.communicate import NO_PERMISSION
from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.state import CaseRecord, File
from ormco_trios.sandbox.world.world import World

PAGE_SIZE = 10
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")


def servers(world: World, call: InboundCall) -> WireReply:
    """Base addresses of every regional server."""
    return json_reply([world.public(f"/metadata-{server}") for server in ("am", "as", "eu")])


def list_cases(world: World, call: InboundCall) -> WireReply:
    """One page of the account's cases, newest first."""
    return _page(world, call, _mine(world, call))


def search(world: World, call: InboundCall) -> WireReply:
    """One page of the cases whose patient or order number contains the text."""
    wanted = call.query["searchString"].casefold()
    return _page(world, call, [c for c in _mine(world, call) if wanted in _searchable(c)])


def updated(world: World, call: InboundCall) -> WireReply:
    """Every case updated since a moment, unpaged."""
    start, end = _span(call)
    found = [c for c in _mine(world, call) if start <= c.updated <= end]
    found.sort(key=lambda case: case.updated, reverse=True)
    return json_reply([case_object(world, case) for case in found])


def get(world: World, call: InboundCall) -> WireReply:
    """The latest version of a case."""
    return json_reply(case_object(world, _case(world, call)))


def get_version(world: World, call: InboundCall) -> WireReply:
    """One saved version of a case; versions count from 1."""
    case = _case(world, call)
    number = call.path["version"]
    if not number.isdecimal() or not 1 <= int(number) <= len(case.versions):
        raise _unknown(case.id, "The case has no such version.")
    return json_reply(case_object(world, case, version=int(number)))


def get_increment(world: World, call: InboundCall) -> WireReply:
    """The case an increment belongs to."""
    increment = call.path["increment"].lower()
    for case in world.state.cases.values():
        if case.server == call.path["server"] and increment in case.increments:
            return json_reply(case_object(world, _visible(call, case)))
    raise Refused(
        400,
        f"No increment with Id {call.path['increment']} could be found",
        "No case on this regional server has this increment.",
    )


def attachment(world: World, call: InboundCall) -> WireReply:
    """The bytes of a file, by its SHA-1."""
    case = _case(world, call)
    file = next((f for f in case.files if f.sha1 == call.path["hash"].lower()), None)
    if file is None:
        raise Refused(400, NO_PERMISSION, "The case has no file with this hash.")
    is_stl = file.kind == "stl"
    if is_stl and "Lab" not in call.user.roles and not call.user.may_download_stl:
        raise Refused(
            400, NO_PERMISSION, "A practice's token gets STL files only if 3Shape granted it."
        )
    kind = "application/stl" if is_stl else "application/octet-stream"
    headers = (
        ("content-type", kind),
        ("content-disposition", f'attachment; filename="{file.sha1}"'),
        ("cache-control", "no-store"),
    )
    return WireReply(200, headers, file.data)


def comment(world: World, call: InboundCall) -> WireReply:
    """The text of a comment, as a JSON string."""
    case = _case(world, call)
    text = case.comments.get(call.path["comment"].lower())
    if text is None:
        raise Refused(400, "Comment not found", "The case has no comment with this id.")
    return json_reply(text)


def set_state(world: World, call: InboundCall) -> WireReply:
    """Approve or reject a case; saves a new version."""
    case = _case(world, call)
    state = call.path["state"]
    if state not in ("approved", "rejected"):
        raise Refused(
            400, f"Unsupported state: {state}", "A case can be approved or rejected, no more."
        )
    case.versions.append({**case.versions[-1], "State": state.capitalize()})
    case.updated = call.now
    call.wrote = True
    return WireReply(200)


# --- finding --------------------------------------------------------------------------------


def _mine(world: World, call: InboundCall) -> list[CaseRecord]:
    """The account's cases on this regional server; another region's server knows none of them."""
    found = [
        case
        for case in world.state.cases.values()
        if case.server == call.path["server"] and call.user.id in case.actors
    ]
    return sorted(found, key=lambda case: case.created, reverse=True)


def _case(world: World, call: InboundCall) -> CaseRecord:
    case = world.state.cases.get(call.path["case"].lower())
    if case is None or case.server != call.path["server"]:
        raise _unknown(call.path["case"], "This regional server has no such case.")
    return _visible(call, case)


def _visible(call: InboundCall, case: CaseRecord) -> CaseRecord:
    if call.user.id not in case.actors:
        raise Refused(
            400,
            f"You don't have permission to access case {case.id}",
            "The account is not an actor of the case.",
        )
    return case


def _unknown(case: str, explain: str) -> Refused:
    return Refused(400, f"No case with Id {case} could be found", explain)


def _searchable(case: CaseRecord) -> str:
    latest = case.versions[-1]
    return f"{latest.get('PatientName')} {latest.get('ThreeShapeOrderNo')}".casefold()


def _page(world: World, call: InboundCall, cases: list[CaseRecord]) -> WireReply:
    number = call.query["page"]
    if not number.isdecimal():
        raise Refused(400, "The request is invalid.", "Pages are numbered from 0.")
    start, end = _span(call)
    inside = [case for case in cases if start <= case.created <= end]
    first = int(number) * PAGE_SIZE
    shown = [case_object(world, case) for case in inside[first : first + PAGE_SIZE]]
    return json_reply({"Cases": shown, "Count": len(inside)})


def _span(call: InboundCall) -> tuple[float, float]:
    return _moment(call, "from", float("-inf")), _moment(call, "to", float("inf"))


def _moment(call: InboundCall, name: str, default: float) -> float:
    text = call.query.get(name)
    if text is None:
        return default
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused(
            400,
            "The request is invalid.",
            f"{name!r} is not of the form yyyy-mm-ddThh:mm:ssZ.",
        ) from None


# --- how things look on the wire ------------------------------------------------------------


def case_object(world: World, case: CaseRecord, *, version: int | None = None) -> dict[str, Json]:
    """The case object; times come with and without decimals and zone, as they do live [seen]."""
    number = version or len(case.versions)
    href = world.public(f"/metadata-{case.server}/api/cases/{case.id}/attachments/")
    answer: dict[str, Json] = {
        "Id": case.id,
        "Version": number,
        "CreatorId": case.creator,
        "Created": iso(case.created, decimals=3, zone=""),
        "UpdatedOn": iso(case.updated),
        "ReceivedOn": iso(case.created, decimals=2),
        "OperatorId": None,
        "Actors": [_actor(world, user) for user in case.actors],
        "Comments": [{"Id": key, "Created": iso(case.created)} for key in case.comments],
        **case.versions[number - 1],
    }
    for section in ("Attachments", "Scans", "Designs"):
        answer[section] = [_file(f, case, href) for f in case.files if f.section == section]
    return answer


def _actor(world: World, key: str) -> dict[str, Json]:
    user = world.state.users[key]
    return {
        "Id": user.id,
        "Roles": list(user.roles),
        "Email": user.email,
        "Name": user.fields.get("Name"),
    }


def _file(file: File, case: CaseRecord, href: str) -> dict[str, Json]:
    answer: dict[str, Json] = {
        "Id": file.id,
        "Hash": file.sha1,
        "FileType": file.kind,
        "Href": href + file.sha1,
        **file.extra,
    }
    if file.section == "Attachments":
        answer["Name"] = file.name
        answer["Created"] = iso(case.created, decimals=1)
        answer["Updated"] = None
    else:
        answer["ScanTimestamp"] = iso(case.created, zone="")
    return answer
