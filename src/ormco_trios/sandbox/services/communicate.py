"""3Shape Communicate's user service: accounts, connections, applications [doc, seen]."""

from __future__ import annotations

import base64
import re

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire import addresses
from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.state import ConnectionRecord, Server, UserRecord, absent
from ormco_trios.sandbox.world.world import World

NO_PERMISSION = "You don't have permission to access this resource."
_SERVICE_ID = "0b4f4b5e-6f0a-4c43-9d0c-2f8f6a1d7b01"
_COUNTRIES: dict[str, Server] = {
    **dict.fromkeys(("AR", "BR", "CA", "CL", "CO", "MX", "PE", "US"), "am"),
    **dict.fromkeys(
        ("AU", "CN", "HK", "ID", "IN", "JP", "KR", "MY", "NZ", "PH", "SG", "TH", "TW", "VN"), "as"
    ),
}
_LOGO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQAY3Y2wAAAAAElFTkSuQmCC"
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RENAMED = {"Lab": "Laboratory", "Clinic": "Practice"}
_REGION_NAMES: dict[Server, str] = {"am": "America", "as": "Asia", "eu": "Europe"}
_REGION_IDS: dict[Server, str] = {
    "am": "0b4f4b5e-6f0a-4c43-9d0c-2f8f6a1d7a01",
    "as": "0b4f4b5e-6f0a-4c43-9d0c-2f8f6a1d7a02",
    "eu": "0b4f4b5e-6f0a-4c43-9d0c-2f8f6a1d7a03",
}

# What the filter "matches your relationship" [doc] leaves; the lists themselves are [assumed],
# the first from what the guide's search results show.
_OWN_ONLY = (
    "ClientVersion",
    "Dongles",
    "Tags",
    "ContactConsentGiven",
    "NewsletterConsentGiven",
    "NotificationSettings",
)
_PARTNERS_ONLY = (
    "FirstName",
    "LastName",
    "MobilePhoneNumber",
    "Website",
    "IsApproved",
    "ContactName",
    "ContactEmail",
    "ContactPhoneNumber",
)


def me(world: World, call: InboundCall) -> WireReply:
    """The account the token belongs to, with every connection it takes part in."""
    for connection in world.state.connections_of(call.user.id):
        if connection.inviter == call.user.id and not connection.accepted:
            _count_poll(connection)
    return json_reply(user_object(world, call.user, viewer=call.user))


def logo(world: World, call: InboundCall) -> WireReply:
    """An account's logo [client]."""
    found = world.state.users.get(call.path["user"].lower())
    if found is None or not found.has_logo:
        raise Refused(400, NO_PERMISSION, "There is no such account, or it has no logo.")
    kind = (("content-type", "image/png"), ("cache-control", "no-store"))
    return WireReply(200, kind, _LOGO)


def _count_poll(connection: ConnectionRecord) -> None:
    if connection.approval.kind != "after_polls":
        return
    if connection.polls >= connection.approval.polls:
        connection.accepted = True
    connection.polls += 1


def get(world: World, call: InboundCall) -> WireReply:
    """An account by id or by e-mail, filtered by the relationship with it."""
    key = call.path["key"]
    if _GUID.fullmatch(key):
        found = world.state.users.get(key.lower())
    elif "@" in key:
        instead = world.state.misdirected.get(key.casefold())
        found = world.state.user_by_email(instead or key)
    else:
        raise Refused(
            400,
            "The request is invalid.",
            "users/{key} takes 'me', a GUID or an e-mail address.",
        )
    if found is None:
        raise Refused(
            400,
            f"No user with Id {key} could be found",
            "No account has this id or e-mail; Communicate says so with status 400.",
        )
    return json_reply(user_object(world, found, viewer=call.user))


def request_connection(world: World, call: InboundCall) -> WireReply:
    """Ask another account for a connection; the answer is the connection [doc U3.1]."""
    _need_self(call)
    _need_scope(call, "communicate.connections.manage")
    remote = world.state.users.get(call.path["remote"].lower())
    if remote is None:
        raise Refused(
            400,
            f"No user with Id {call.path['remote']} could be found",
            "The remote user does not exist; Communicate says so with status 400.",
        )
    if remote.id == call.user.id:
        raise Refused(400, "The request is invalid.", "Nobody connects with their own account.")
    if world.state.between(call.user.id, remote.id) is not None:
        raise Refused(
            400,
            "A connection with this user exists already.",
            "There is a request or a connection between the two accounts; a second one is not "
            "made. Read users/me before asking.",
        )
    made = world.new_connection(call.user, remote)
    call.wrote = True
    return json_reply(connection_object(world, made))


def approve_connection(world: World, call: InboundCall) -> WireReply:
    """Accept a request; only the account that was asked may."""
    _need_self(call)
    _need_scope(call, "communicate.connections.manage")
    connection = _own_connection(world, call)
    if connection.remote != call.user.id:
        raise Refused(
            400,
            NO_PERMISSION,
            "Only the account that was asked can accept a connection, with its own token.",
        )
    call.wrote = not connection.accepted
    connection.accepted = True
    return WireReply(200)


def remove_connection(world: World, call: InboundCall) -> WireReply:
    """Reject a request, take it back, or end a connection, whatever its state [doc U3.3]."""
    _need_self(call)
    _need_scope(call, "communicate.connections.manage")
    connection = _own_connection(world, call)
    side = "inviter" if connection.inviter == call.user.id else "remote"
    if world.switches.removal not in ("both", side):
        raise Refused(
            400, NO_PERMISSION, f"The switch removal lets only the {world.switches.removal} do it."
        )
    world.state.drop_connection(connection)
    call.wrote = True
    return WireReply(200)


# --- which server ---------------------------------------------------------------------------


def default_service(world: World, call: InboundCall) -> WireReply:
    """The account's own server of a kind."""
    kind = call.path["kind"]
    heads = {
        "MetaDataService": f"/metadata-{call.user.server}",
        "MasterDataService": "/communicate",
        "DmeService": f"/metadata-{call.user.server}",
    }
    if kind not in heads:
        raise Refused(
            400, "The request is invalid.", f"There are the kinds {', '.join(sorted(heads))}."
        )
    uri = named_host(world.switches.services, call.user.server, world.public(heads[kind]))
    return json_reply({"Id": _SERVICE_ID, "Uri": uri, "ServiceType": kind})


def master_data(world: World, call: InboundCall) -> WireReply:
    """Which server a country belongs to; the shape of the answer is [assumed]."""
    country = call.path["country"].upper()
    if not re.fullmatch(r"[A-Z]{2}", country) or call.path["version"] != "15":
        raise Refused(400, "The request is invalid.", "It takes a country of two letters, and 15.")
    server = _COUNTRIES.get(country, "eu")
    uri = named_host(world.switches.master_data, server, world.public("/communicate"))
    return json_reply({"Id": _SERVICE_ID, "Uri": uri, "ServiceType": "MasterDataService"})


def named_host(position: str, server: Server, right: str) -> str | None:
    """The address that an answer names: the right one, or what its switch says."""
    others = {
        "retired": f"https://{addresses.RETIRED[server]}",
        "foreign": f"https://{addresses.FOREIGN}",
        "null": None,
    }
    return others.get(position, right)


# --- applications ---------------------------------------------------------------------------


def list_applications(world: World, call: InboundCall) -> WireReply:
    """The applications this account gave access to."""
    _need_self(call)
    rows: list[Json] = [
        {
            "Id": grant.client,
            "Name": world.state.clients[grant.client].name,
            "AuthorizedOn": iso(grant.created),
        }
        for grant in world.state.grants.values()
        if grant.user == call.user.id and not grant.revoked
    ]
    return json_reply(rows)


def remove_application(world: World, call: InboundCall) -> WireReply:
    """Withdraw an application's access, at once and for all its tokens."""
    _need_self(call)
    grant = world.state.active_grant(call.user.id, call.path["application"])
    if grant is None:
        raise Refused(
            400,
            f"No application with Id {call.path['application']} could be found",
            "This account has not given access to such an application.",
        )
    grant.revoked = True
    call.wrote = True
    return WireReply(200)


def _need_self(call: InboundCall) -> None:
    if call.path["user"].lower() != call.user.id:
        raise Refused(
            400, NO_PERMISSION, "The user id in the path is not the one the token belongs to."
        )


def _need_scope(call: InboundCall, scope: str) -> None:
    token = call.bearer
    if token is not None and token.dialect == "account" and scope not in token.scope.split():
        raise Refused(400, NO_PERMISSION, f"The token lacks the scope {scope}.")


def _own_connection(world: World, call: InboundCall) -> ConnectionRecord:
    connection = world.state.connections.get(call.path["connection"].lower())
    if connection is None or call.user.id not in (connection.inviter, connection.remote):
        raise Refused(
            400,
            f"No connection with Id {call.path['connection']} could be found",
            "This account takes part in no such connection; it may have been removed.",
        )
    return connection


# --- how things look on the wire ------------------------------------------------------------


def user_object(world: World, user: UserRecord, *, viewer: UserRecord) -> dict[str, Json]:
    """The user object, as much of it as ``viewer`` may see."""
    relation = world.state.between(user.id, viewer.id)
    partner = relation is not None and relation.accepted
    everything: dict[str, Json] = {"Id": user.id, "Email": user.email, **user.fields}
    everything["Roles"] = list(user.roles)
    if user.has_logo:
        href = world.public(f"/communicate/api/users/{user.id}/logo")
        everything |= {"HasLogo": True, "Logo": {"Href": href, "IsAvailable": True}}
    if user is viewer:
        own = world.state.connections_of(user.id)
        partners = [c.remote if c.inviter == user.id else c.inviter for c in own if c.accepted]
        return {
            **everything,
            **_region(world, user),
            "ConnectedUsers": list[Json](partners),
            "Connections": [connection_object(world, c) for c in _listed(world, user)],
        }
    if partner:
        return absent(everything, *_OWN_ONLY)
    hidden = absent(everything, *_OWN_ONLY, *_PARTNERS_ONLY, "Roles")
    return hidden | _stranger_roles(world.switches.roles, user)


def _stranger_roles(position: str, user: UserRecord) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "shown": list(user.roles),
        "null": None,
        "empty": [],
        "text": user.roles[0],
        "renamed": [_RENAMED.get(role, role) for role in user.roles],
    }
    return {"Roles": shown[position]} if position in shown else {}


def _listed(world: World, user: UserRecord) -> list[ConnectionRecord]:
    """The account's own connections, and those of its company that it takes no part in."""
    own = world.state.connections_of(user.id)
    if user.company is None:
        return own
    theirs = world.state.connections_of(user.company)
    return own + [c for c in theirs if user.id not in (c.inviter, c.remote)]


def connection_object(world: World, connection: ConnectionRecord) -> dict[str, Json]:
    """The connection object, with both sides named."""
    pending = world.switches.pending
    as_null = connection.pending_as_null if pending == "either" else pending == "null"
    waiting = None if as_null else False
    answer: dict[str, Json] = {
        "Id": connection.id,
        "ConnectionAccepted": True if connection.accepted else waiting,
    }
    for side, key in (("Inviter", connection.inviter), ("Remote", connection.remote)):
        user = world.state.users[key]
        answer[f"{side}UserId"] = user.id
        answer[f"{side}UserEmail"] = user.email
        answer[f"{side}UserName"] = user.fields.get("Name")
        answer[f"{side}UserType"] = _user_type(world.switches.user_types, user)
        # The nested objects are there for active connections only [assumed].
        nested: dict[str, Json] = {"Id": user.id, "Email": user.email, "Roles": list(user.roles)}
        answer[f"{side}User"] = nested if connection.accepted else None
    return answer


def _user_type(position: str, user: UserRecord) -> str | None:
    role = user.roles[0] if user.roles and position != "null" else None
    return _RENAMED.get(role or "") if position == "renamed" else role


def _region(world: World, user: UserRecord) -> dict[str, Json]:
    """``RegionUri`` and ``Region``, which say where the account's cases are."""
    own = world.public(f"/metadata-{user.server}")
    uris: dict[str, Json] = {
        "published": addresses.RETIRED[user.server],
        "v1.5": addresses.CURRENT[user.server],
        "address": own.partition("://")[2],
        "null": None,
        "unknown": addresses.UNKNOWN,
        "foreign": addresses.FOREIGN,
    }
    whole: dict[str, Json] = {
        "Id": _REGION_IDS[user.server],
        "RegionName": _REGION_NAMES[user.server],
        "Url": own,
        "Servers": None,
        "Services": None,
    }
    regions: dict[str, Json] = {
        "whole": whole,
        "name": {**dict.fromkeys(whole), "RegionName": _REGION_NAMES[user.server]},
        "null": None,
        "unknown": {**dict.fromkeys(whole), "RegionName": "Atlantis"},
    }
    answer: dict[str, Json] = {}
    if user.region_uri is not None:
        answer["RegionUri"] = user.region_uri.format(url=own, place=own.partition("://")[2])
    elif world.switches.region_uri in uris:
        answer["RegionUri"] = uris[world.switches.region_uri]
    if world.switches.region in regions:
        answer["Region"] = regions[world.switches.region]
    return answer
