"""3Shape Communicate's user service: accounts, connections, applications [doc, seen]."""

from __future__ import annotations

import re

from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.state import ConnectionRecord, Server, UserRecord, absent
from ormco_trios.sandbox.world.world import World

NO_PERMISSION = "You don't have permission to access this resource."
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
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
    """Ask another account for a connection."""
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
    world.new_connection(call.user, remote)
    call.wrote = True
    return json_reply(user_object(world, call.user, viewer=call.user))


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
    return json_reply(user_object(world, call.user, viewer=call.user))


def remove_connection(world: World, call: InboundCall) -> WireReply:
    """Take a request back, or end a connection; either side may."""
    _need_self(call)
    _need_scope(call, "communicate.connections.manage")
    connection = _own_connection(world, call)
    world.state.drop_connection(connection)
    call.wrote = True
    return json_reply(user_object(world, call.user, viewer=call.user))


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
    if user is viewer:
        own = world.state.connections_of(user.id)
        partners = [c.remote if c.inviter == user.id else c.inviter for c in own if c.accepted]
        return {
            **everything,
            "RegionUri": _region_uri(world, user),
            "Region": _region(world, user),
            "ConnectedUsers": list[Json](partners),
            "Connections": [connection_object(world, c) for c in _listed(world, user)],
        }
    return absent(everything, *_OWN_ONLY, *(() if partner else _PARTNERS_ONLY))


def _listed(world: World, user: UserRecord) -> list[ConnectionRecord]:
    """The account's own connections, and those of its company that it takes no part in."""
    own = world.state.connections_of(user.id)
    if user.company is None:
        return own
    theirs = world.state.connections_of(user.company)
    return own + [c for c in theirs if user.id not in (c.inviter, c.remote)]


def connection_object(world: World, connection: ConnectionRecord) -> dict[str, Json]:
    """The connection object, with both sides named."""
    waiting = None if connection.pending_as_null else False
    answer: dict[str, Json] = {
        "Id": connection.id,
        "ConnectionAccepted": True if connection.accepted else waiting,
    }
    for side, key in (("Inviter", connection.inviter), ("Remote", connection.remote)):
        user = world.state.users[key]
        answer[f"{side}UserId"] = user.id
        answer[f"{side}UserEmail"] = user.email
        answer[f"{side}UserName"] = user.fields.get("Name")
        answer[f"{side}UserType"] = user.roles[0] if user.roles else None
        # The nested objects are there for active connections only [assumed].
        nested: dict[str, Json] = {"Id": user.id, "Email": user.email, "Roles": list(user.roles)}
        answer[f"{side}User"] = nested if connection.accepted else None
    return answer


def _region_uri(world: World, user: UserRecord) -> str | None:
    if user.region_uri is None:
        return None
    url = world.public(f"/metadata-{user.server}")
    return user.region_uri.format(url=url, place=url.partition("://")[2])


def _region(world: World, user: UserRecord) -> dict[str, Json]:
    return {
        "Id": _REGION_IDS[user.server],
        "RegionName": _REGION_NAMES[user.server],
        "Url": world.public(f"/metadata-{user.server}"),
        "Servers": None,
        "Services": None,
    }
