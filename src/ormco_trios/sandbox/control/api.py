"""The control API under ``/sandbox/``: look at the World, move its clock, plan faults, reset.

Not part of any contract, not in the journal, and never hit by faults.  Everything that changes
something takes JSON, which a foreign web page cannot send without being asked first.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import cast

from ormco_trios.sandbox.services import communicate, portal
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, iso, json_reply
from ormco_trios.sandbox.world.faults import Fault
from ormco_trios.sandbox.world.switches import Value
from ormco_trios.sandbox.world.world import World


def state(world: World, call: InboundCall) -> WireReply:
    """Time, connections, portal states, counts.  No secrets."""
    return json_reply(
        {
            "base_url": world.base_url,
            "now": iso(call.now),
            "connections": [
                communicate.connection_object(world, c) for c in world.state.connections.values()
            ],
            "portal": {
                account.username: portal.connection_state(world, account, call.now)
                for account in world.state.portal_accounts.values()
            },
            "operations": dict(Counter(world.journal.operations())),
            "faults_never_fired": [fault.describe() for fault in world.faults.unused()],
        }
    )


def journal(world: World, call: InboundCall) -> WireReply:
    """Every entry so far."""
    return json_reply([entry.as_json() for entry in world.journal])


def time(world: World, call: InboundCall) -> WireReply:
    """What time it is: in words, and in seconds since 1970."""
    return json_reply({"now": iso(call.now), "time": call.now})


def clock(world: World, call: InboundCall) -> WireReply:
    """Let time pass: ``advance`` by seconds, ``advance_to`` a moment, or run at a ``scale``."""
    body = dict(call.json)
    if len(body) != 1:
        raise _wrong("The body has one of advance, advance_to, scale.")
    try:
        if "scale" in body:
            world.set_time_scale(_number(body["scale"]))
        elif "advance_to" in body:
            world.advance(_moment(body["advance_to"]) - world.clock.time())
        else:
            world.advance(_number(body.get("advance")))
    except ValueError as error:
        raise _wrong(f"{error}.") from None
    except TypeError as error:
        raise Refused(409, "This clock cannot do that.", f"{error}.") from None
    now = world.clock.time()
    return json_reply({"now": iso(now), "time": now})


def approve(world: World, call: InboundCall) -> WireReply:
    """Accept, as the lab, the request with the id ``connection``, or all that wait."""
    connection = call.json.get("connection")
    if not isinstance(connection, str | None):
        raise _wrong("connection is an id.")
    try:
        return json_reply({"approved": world.approve(connection)})
    except LookupError as error:
        raise Refused(404, "There is no such connection.", f"{error}.") from None


def snapshot(world: World, call: InboundCall) -> WireReply:
    """Remember everything as it is; the answer names the snapshot."""
    return json_reply({"snapshot": world.snapshot()}, status=201)


def restore(world: World, call: InboundCall) -> WireReply:
    """Go back to a snapshot: ``{"snapshot": name}``.  Time and the journal go on."""
    name = call.json.get("snapshot")
    try:
        world.restore(name if isinstance(name, str) else "")
    except LookupError as error:
        raise Refused(404, "There is no such snapshot.", f"{error}.") from None
    return WireReply(204)


def fault(world: World, call: InboundCall) -> WireReply:
    """Plan a fault; the fields are those of `Fault`."""
    try:
        world.plan(Fault.from_json(dict(call.json)))
    except ValueError as error:
        raise _wrong(f"{error}.") from None
    return json_reply({"planned": True}, status=201)


def switches(world: World, call: InboundCall) -> WireReply:
    """Every switch and its position."""
    return json_reply(world.switches.as_dict())


def switch(world: World, call: InboundCall) -> WireReply:
    """Set switches: ``{name: position}``; the answer has all of them."""
    try:
        world.switch(**{name: cast(Value, value) for name, value in call.json.items()})
    except ValueError as error:
        raise _wrong(f"{error}.") from None
    return json_reply(world.switches.as_dict())


def clear_faults(world: World, call: InboundCall) -> WireReply:
    """Plan none."""
    world.faults.clear()
    return WireReply(204)


def reset(world: World, call: InboundCall) -> WireReply:
    """Begin again: seeds and switches as at first, no journal or faults.  The clock goes on."""
    world.reset()
    return WireReply(204)


def _number(value: Json | None) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("advance and scale are numbers")
    return value


def _moment(value: Json) -> float:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("advance_to is a moment in ISO 8601, with its zone")
    return moment.timestamp()


def _wrong(explain: str) -> Refused:
    return Refused(400, "The request is invalid.", explain)
