"""The control API under ``/sandbox/``: look at the World, move its clock, plan faults, reset.

Not part of any contract, not in the journal, and never hit by faults.  Everything that changes
something takes JSON, which a foreign web page cannot send without being asked first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard, get_args

from ormco_trios.core.clock import ManualClock
from ormco_trios.sandbox import communicate, portal
from ormco_trios.sandbox.faults import Fault, When
from ormco_trios.sandbox.routing import Call
from ormco_trios.sandbox.wire import Json, Network, Refused, WireReply, iso, json_reply

if TYPE_CHECKING:
    from ormco_trios.sandbox.world import World


def state(world: World, call: Call) -> WireReply:
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
            "faults_never_fired": len(world.faults.unused()),
        }
    )


def journal(world: World, call: Call) -> WireReply:
    """Every entry so far."""
    return json_reply([entry.as_json() for entry in world.journal])


def clock(world: World, call: Call) -> WireReply:
    """Let time pass: ``{"advance": seconds}``."""
    seconds = call.json.get("advance")
    if not _is_number(seconds) or seconds < 0:
        raise _wrong('The body is {"advance": seconds}; time only advances.')
    if not isinstance(world.clock, ManualClock):
        raise Refused(409, "This clock runs by itself.", "Only a manual clock can be advanced.")
    world.clock.advance(seconds)
    return json_reply({"now": iso(world.clock.time())})


def fault(world: World, call: Call) -> WireReply:
    """Plan a fault; the fields are those of `World.fault`."""
    try:
        world.plan(_fault(call.json))
    except ValueError as error:
        raise _wrong(f"{error}.") from None
    return json_reply({"planned": True}, status=201)


def clear_faults(world: World, call: Call) -> WireReply:
    """Plan none."""
    world.faults.clear()
    return WireReply(204)


def reset(world: World, call: Call) -> WireReply:
    """Begin again: seeds, an empty journal, no faults.  The clock goes on."""
    world.reset()
    return WireReply(204)


def _fault(body: Mapping[str, Json]) -> Fault:
    known = {"operation", "status", "retry_after", "body", "network", "times", "nth", "when"}
    if body.keys() - known:
        raise _wrong(f"A fault has the fields {', '.join(sorted(known))}.")
    operation, status = body.get("operation"), body.get("status")
    retry_after, network = body.get("retry_after"), body.get("network")
    times, nth, when = body.get("times", 1), body.get("nth", 1), body.get("when", "before")
    if not (operation is None or isinstance(operation, str)):
        raise _wrong("operation is a name or null.")
    if not (status is None or _is_int(status)) or not (times is None or _is_int(times)):
        raise _wrong("status and times are whole numbers or null.")
    if not _is_int(nth):
        raise _wrong("nth is a whole number.")
    if not (retry_after is None or isinstance(retry_after, str) or _is_number(retry_after)):
        raise _wrong("retry_after is a number of seconds, a date as text, or null.")
    if not (network is None or _is_network(network)) or not _is_when(when):
        raise _wrong("network is connect, reset or read_timeout; when is before or after.")
    return Fault(
        operation=operation,
        status=status,
        retry_after=retry_after,
        body=body.get("body"),
        network=network,
        times=times,
        nth=nth,
        when=when,
    )


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_network(value: Json) -> TypeGuard[Network]:
    return value in get_args(Network)


def _is_when(value: Json) -> TypeGuard[When]:
    return value in get_args(When)


def _wrong(explain: str) -> Refused:
    return Refused(400, "The request is invalid.", explain)
