"""The regional metadata servers: cases and their files [doc, seen]."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.services.communicate import NO_PERMISSION, named_host
from ormco_trios.sandbox.wire.messages import Headers, Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.state import CaseRecord, FileRecord, Server
from ormco_trios.sandbox.world.world import World

PAGE_SIZE = 10
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")


def servers(world: World, call: InboundCall) -> WireReply:
    """Base addresses of the regional servers, the account's own first."""
    own = call.user.server
    rest = [server for server in get_args(Server) if server != own]
    first = named_host(world.switches.servers, own, world.public(f"/metadata-{own}"))
    hosts = [first, *(world.public(f"/metadata-{server}") for server in rest)]
    return json_reply([host and f"{host}/api/" for host in hosts])


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
    if "to" in call.query and world.switches.updated_until != "heeded":
        if world.switches.updated_until == "refused":
            raise Refused(400, "The request is invalid.", "The switch updated_until refuses 'to'.")
        end = float("inf")
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
    """A file, by its SHA-1 as in the example, or by its id as in the address line [doc M3.1]."""
    file = _case_file(world, call)
    is_stl = file.kind == "stl"
    if is_stl and "Lab" not in call.user.roles and not call.user.may_download_stl:
        raise Refused(
            400, NO_PERMISSION, "A practice's token gets STL files only if 3Shape granted it."
        )
    kind = "application/stl" if is_stl else "application/octet-stream"
    if isinstance(file.content, bytes):
        return WireReply(200, _file_headers(kind, file.sha1), file.content)
    return WireReply(200, _file_headers(kind, file.sha1), content=file.content)


def as_ply(world: World, call: InboundCall) -> WireReply:
    """A scan, converted to PLY by the server [seen]."""
    file = _case_file(world, call)
    if file.section != "Scans":
        raise Refused(400, NO_PERMISSION, "Only scans can be converted.")
    text = f"ply\nformat ascii 1.0\ncomment {file.sha1}\nelement vertex 0\nend_header\n"
    return WireReply(200, _file_headers("application/octet-stream", file.sha1), text.encode())


def _case_file(world: World, call: InboundCall) -> FileRecord:
    wanted = call.path["hash"].lower()
    for file in _case(world, call).files:
        if wanted in (file.sha1, file.id):
            return file
    raise Refused(400, NO_PERMISSION, "The case has no file with this hash.")


def _file_headers(kind: str, name: str) -> Headers:
    return (
        ("content-type", kind),
        ("content-disposition", f'attachment; filename="{name}"'),
        ("cache-control", "no-store"),
    )


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
    case.save_version(call.now, StateFlag=state.capitalize())
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
    href = world.public(f"/metadata-{case.server}/api/cases/{case.id}")
    answer: dict[str, Json] = {
        "Id": case.id,
        "Href": href,
        "Version": number,
        "CreatorId": case.creator,
        "Created": iso(case.created, decimals=3, zone=""),
        "UpdatedOn": iso(case.updated),
        "ReceivedOn": iso(case.received, decimals=2),
        "OperatorId": None,
        "Actors": [_actor(world, user) for user in case.actors],
        "Comments": [{"Id": key, "Created": iso(case.created)} for key in case.comments],
        **case.versions[number - 1],
    }
    answer["Attachments"] = [_attachment(file, case, href) for file in case.files]
    for section in ("Scans", "Designs"):
        rows = [_listed(file, case, href) for file in case.files if file.section == section]
        answer[section] = list[Json](rows)
    return answer


def _actor(world: World, key: str) -> dict[str, Json]:
    user = world.state.users[key]
    named = world.switches.actors == "named"
    return {
        "Id": user.id,
        "Roles": list(user.roles),
        "Email": user.email if named else None,
        "Name": user.fields.get("Name") if named else None,
    }


def _attachment(file: FileRecord, case: CaseRecord, href: str) -> dict[str, Json]:
    return {
        "Id": file.id,
        "Name": file.name,
        "Hash": file.sha1,
        "FileType": file.kind,
        "Created": iso(case.created, decimals=1),
        "Updated": None,
        "Href": f"{href}/attachments/{file.sha1}",
        "Type": file.type,
    }


def _listed(file: FileRecord, case: CaseRecord, href: str) -> dict[str, Json]:
    """A file that is listed a second time, among the scans or the designs."""
    return {
        "Id": file.id,
        "ScanTimestamp": iso(case.created, zone=""),
        "Type": file.type,
        **({"JawType": file.jaw} if file.jaw else {}),
        "Href": f"{href}/attachments/{file.sha1}",
        "Hash": file.sha1,
        "FileType": file.kind,
    }
