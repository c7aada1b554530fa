"""What the control API takes and answers, as JSON Schema; `documents` serves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ormco_trios.sandbox.wire.mangling import Mangle
from ormco_trios.sandbox.wire.messages import Json, Network
from ormco_trios.sandbox.world.faults import When
from ormco_trios.sandbox.world.switches import choices

_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_COUNT: Json = {"type": "integer", "minimum": 0}


def _object(properties: Mapping[str, Json], *optional: str, closed: bool = True) -> Json:
    """An object with all of these fields but the ``optional`` ones, and no other if ``closed``."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": not closed,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_NOTHING = _object({}, closed=False)
_TIME = _object({"now": {"type": "string", "format": "date-time"}, "time": {"type": "number"}})
_ERROR = _object({"error": _TEXT, "explain": _TEXT})

_CONNECTION = _object(
    {
        "Id": _TEXT,
        "ConnectionAccepted": {"type": ["boolean", "null"]},
        **{
            f"{side}User{what}": _TEXT_OR_NULL
            for side in ("Inviter", "Remote")
            for what in ("Id", "Email", "Name", "Type")
        },
        **{f"{side}User": {"type": ["object", "null"]} for side in ("Inviter", "Remote")},
    }
)

_ENTRY = _object(
    {
        "time": {"type": "number"},
        "operation": _TEXT,
        "method": _TEXT,
        "route": _TEXT,
        "status": {"type": "integer"},
        "explain": _TEXT,
        "wrote": {"type": "boolean"},
        "request_id": _TEXT,
        "broken": {"enum": [*get_args(Network), None]},
        "ok": {"type": "boolean"},
    }
)

_FAULT: dict[str, Json] = {
    "operation": _TEXT_OR_NULL,
    "status": {"type": ["integer", "null"], "minimum": 200, "maximum": 599},
    "retry_after": {"type": ["number", "string", "null"]},
    "body": {},
    "network": {"enum": [*get_args(Network), None]},
    "times": {"type": ["integer", "null"], "minimum": 1},
    "nth": {"type": "integer", "minimum": 1},
    "when": {"enum": [*get_args(When)]},
    "mangle": {"enum": [*get_args(Mangle), None]},
    "rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "seed": {"type": "integer"},
}

_SWITCHES: dict[str, Json] = {name: {"enum": list(values)} for name, values in choices().items()}

_ADVANCE: Json = {"type": "number", "minimum": 0}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_SCALE: Json = {"type": "number", "minimum": 0, "exclusiveMaximum": 1e9}

_STATE = _object(
    {
        "base_url": _TEXT,
        "now": _MOMENT,
        "connections": _list(_CONNECTION),
        "portal": {
            "type": "object",
            "additionalProperties": {
                "enum": ["not_connected", "draft", "connected", "needs_repair"]
            },
        },
        "operations": {"type": "object", "additionalProperties": _COUNT},
        "faults_never_fired": _list(_TEXT),
    }
)

TAKES: Mapping[str, Json] = {
    "sandbox.clock": {
        "oneOf": [
            _object({"advance": _ADVANCE}),
            _object({"advance_to": _MOMENT}),
            _object({"scale": _SCALE}),
        ]
    },
    "sandbox.approve": _object({"connection": _TEXT_OR_NULL}, "connection", closed=False),
    "sandbox.fault": _object(_FAULT, *_FAULT),
    "sandbox.switch": _object(_SWITCHES, *_SWITCHES),
    "sandbox.reset": _NOTHING,
    "sandbox.snapshot": _NOTHING,
    "sandbox.restore": _object({"snapshot": _TEXT}, closed=False),
}
"""The body of each operation that has one."""

ANSWERS: Mapping[str, Mapping[int, Json | None]] = {
    "sandbox.openapi": {200: _NOTHING},
    "sandbox.portal_openapi": {200: _NOTHING},
    "sandbox.state": {200: _STATE},
    "sandbox.journal": {200: _list(_ENTRY)},
    "sandbox.time": {200: _TIME},
    "sandbox.clock": {200: _TIME, 409: _ERROR},
    "sandbox.approve": {200: _object({"approved": _COUNT}), 404: _ERROR},
    "sandbox.fault": {201: _object({"planned": {"const": True}})},
    "sandbox.clear_faults": {204: None},
    "sandbox.switches": {200: _object(_SWITCHES)},
    "sandbox.switch": {200: _object(_SWITCHES)},
    "sandbox.reset": {204: None},
    "sandbox.snapshot": {201: _object({"snapshot": _TEXT})},
    "sandbox.restore": {204: None, 404: _ERROR},
}
"""By operation and status; None for no body.  Each can be refused as well, see `REFUSALS`."""

REFUSALS: Mapping[int, Json] = {400: _ERROR, 415: _ERROR}
"""For a parameter or a body that the operation does not know, and for another kind of body."""
