"""The OpenAPI documents: the portal's own, and one of everything that the sandbox knows."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
from collections.abc import Iterable

from ormco_trios.sandbox.control.schema import ANSWERS, REFUSALS, TAKES
from ormco_trios.sandbox.dispatch.routing import Route
from ormco_trios.sandbox.services.calls import InboundCall
from ormco_trios.sandbox.wire.messages import Json, WireReply, json_reply
from ormco_trios.sandbox.world.world import World

_BODIES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


@functools.cache
def _portal() -> dict[str, Json]:
    place = importlib.resources.files("ormco_trios").joinpath("ormcodigital", "openapi.json")
    document: dict[str, Json] = json.loads(place.read_text(encoding="utf-8"))
    return document


def portal(world: World, call: InboundCall) -> WireReply:
    """The portal's interface, with this World's address."""
    here: Json = [{"url": world.public("/ormcodigital")}]
    return json_reply({**_portal(), "servers": here})


def everything(world: World, table: Iterable[Route]) -> WireReply:
    """Every route of ``table``, with where the knowledge of it comes from."""
    paths: dict[str, dict[str, Json]] = {}
    for route in table:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return json_reply(
        {
            "openapi": "3.1.0",
            "info": {"title": "ormco-trios sandbox", "version": "1"},
            "servers": [{"url": world.base_url}],
            "paths": paths,
        }
    )


def _operation(route: Route) -> Json:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.template)
    ]
    parameters += [
        {
            "name": name.rstrip("!"),
            "in": "query",
            "required": name.endswith("!"),
            "schema": {"type": "string"},
        }
        for name in route.query
    ]
    operation: dict[str, Json] = {
        "x-operation": route.operation,
        "x-provenance": route.provenance,
        "summary": (route.handler.__doc__ or route.operation).partition("\n")[0],
        "parameters": parameters,
        "responses": _responses(route),
    }
    if route.body != "none":
        takes = TAKES.get(route.operation)
        media: dict[str, Json] = {} if takes is None else {"schema": takes}
        operation["requestBody"] = {"required": True, "content": {_BODIES[route.body]: media}}
    return operation


def _responses(route: Route) -> Json:
    answers = ANSWERS.get(route.operation)
    if answers is None:
        return {"default": {"description": "See the wire contract."}}
    said: dict[str, Json] = {}
    for status, schema in {**answers, **REFUSALS}.items():
        description = "Done." if status < 400 else "Refused; `explain` says why."
        said[str(status)] = {"description": description}
        if schema is not None:
            content: Json = {"application/json": {"schema": schema}}
            said[str(status)] = {"description": description, "content": content}
    return said
