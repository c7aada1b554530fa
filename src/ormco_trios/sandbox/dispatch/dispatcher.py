"""The dispatcher: takes a request, and gives the reply of the World that it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from ormco_trios.sandbox.dispatch.refusals import area_of, render
from ormco_trios.sandbox.dispatch.routing import Route, match
from ormco_trios.sandbox.dispatch.table import PORTAL_API, TABLE
from ormco_trios.sandbox.dispatch.unserved import unserved
from ormco_trios.sandbox.services import portal, tokens
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import OWN_AREAS, Area, Refused, WireReply, WireRequest
from ormco_trios.sandbox.world import magic
from ormco_trios.sandbox.world.faults import Fault
from ormco_trios.sandbox.world.journal import Entry
from ormco_trios.sandbox.world.switches import Served
from ormco_trios.sandbox.world.world import World

NAMES = frozenset(
    name for route in TABLE if route.area not in OWN_AREAS for name in route.all_names
)
"""What a fault can be planned for."""

FAULT_HEADER = "X-Sandbox-Fault"
"""A request with it meets the fault that it spells, as `Fault.parse` reads it."""


class Dispatcher:
    """Answers requests with one World, by the table of routes.

    It keeps nothing itself, so one World can have several.

    Args:
        world: What the requests are about.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        world.faults.operations = NAMES

    def handle(self, request: WireRequest) -> WireReply:
        """Answer one request, and write it into the journal."""
        world = self.world
        with world.lock:
            now = world.clock.time()
            world.state.requests += 1
            request_id = f"sandbox-{world.state.requests:06d}"
            route: Route | None = None
            call: InboundCall | None = None
            fault: Fault | None = None
            area: Area = area_of(request.path)
            result: WireReply | Refused
            try:
                route, path = match(TABLE, request.method, request.path)
                area = route.area
                if area not in OWN_AREAS:
                    fault = self._fault_for(route, request)
                if fault is not None and fault.when == "before":
                    result = fault.reply()
                elif (position := self._position(route)) is not None:
                    result = unserved(route.switch, position)
                else:
                    call = self._admit(route, path, request, now)
                    result = route.handler(world, call)
            except Refused as refused:
                result = refused
                portal_api = world.switches.portal_api
                if request.path.startswith(PORTAL_API) and route is None and portal_api != "served":
                    result = unserved("portal_api", portal_api)
            if fault is not None and fault.when == "after":
                if isinstance(result, Refused):
                    result = render(world, result, area)
                result = fault.reply(result)
            explain = fault.explain if fault else ""
            if isinstance(result, Refused):
                explain = explain or result.explain
                result = render(world, result, area)
            reply = _finished(result, explain, request_id)
            if area not in OWN_AREAS:
                world.journal.add(
                    Entry(
                        time=now,
                        operation=route.operation if route else "unknown",
                        method=request.method,
                        route=route.template if route else "",
                        status=reply.status,
                        explain=reply.header("x-sandbox-explain") or "",
                        wrote=call.wrote if call else False,
                        request_id=request_id,
                        broken=reply.broken,
                    )
                )
            return reply

    def _position(self, route: Route) -> str | None:
        """Where the route's switch is, if the route is not served as it should be."""
        position = getattr(self.world.switches, route.switch) if route.switch else "served"
        return None if position not in get_args(Served) or position == "served" else position

    def _fault_for(self, route: Route, request: WireRequest) -> Fault | None:
        """The planned fault that fires; or one that the request itself asks for."""
        planned = self.world.faults.take(*route.names(request))
        asked = request.header(FAULT_HEADER)
        if planned is not None or asked is None:
            return planned or magic.fault_of(request)
        try:
            return Fault.parse(asked)
        except ValueError as error:
            explain = f"The header {FAULT_HEADER} is not a fault: {error}."
            raise Refused(400, "The request is invalid.", explain, code="bad_request") from None

    def _admit(
        self, route: Route, path: Mapping[str, str], request: WireRequest, now: float
    ) -> InboundCall:
        """Check what every request must fulfil, in the order in which a real server would."""
        self.world.state.settle(now)
        header = request.header("authorization")
        call = InboundCall(request, route.template, path, {}, now)
        if route.access == "bearer":
            call.signed_in, call.bearer = tokens.signed_in(self.world, header, now)
        elif route.access == "portal":
            call.portal = portal.signed_in(self.world, header, now)
        call.query = route.check(request)
        return call


def _finished(reply: WireReply, explain: str, request_id: str) -> WireReply:
    """The reply with the headers that every answer has."""
    headers = (*reply.headers, ("x-request-id", request_id))
    if explain:
        plain = explain.encode("ascii", "replace").decode()
        headers += (("x-sandbox-explain", "".join(c if c.isprintable() else "?" for c in plain)),)
    return replace(reply, headers=headers)
