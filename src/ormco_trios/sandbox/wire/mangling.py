"""Answers that arrive whole and are wrong inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from ormco_trios.sandbox.wire.messages import Json, WireReply

Mangle: TypeAlias = Literal["html", "not_json", "wrong_types", "extra_fields", "missing_fields"]
"""A page where JSON belongs; JSON that ends too early; numbers for text and text for numbers;
fields that nobody knows; none of the fields that everybody expects."""

_PAGE = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
_EXTRA: Mapping[str, Json] = {
    "FieldOfTomorrow": {"Nested": [1, "two", None]},
    "field_of_tomorrow": True,
}


def mangle(reply: WireReply, how: Mangle) -> WireReply:
    """``reply`` with its body spoilt; what is no JSON stays as it is, except for ``html``."""
    headers = tuple(pair for pair in reply.headers if pair[0].lower() != "etag")
    if how == "html":
        kind = (("content-type", "text/html; charset=utf-8"),)
        rest = tuple(pair for pair in headers if pair[0].lower() != "content-type")
        return WireReply(reply.status, kind + rest, _PAGE.encode())
    try:
        value: Json = json.loads(reply.body)
    except ValueError:
        return reply
    if how == "not_json":
        return WireReply(reply.status, headers, reply.body[: len(reply.body) // 2])
    body = json.dumps(_mangled(value, how), ensure_ascii=False).encode()
    return WireReply(reply.status, reply.headers, body)


def _mangled(value: Json, how: Mangle) -> Json:
    if isinstance(value, Mapping):
        if how == "missing_fields":
            return {}
        if how == "wrong_types":
            return {name: _other_type(inner) for name, inner in value.items()}
        return {**{name: _mangled(inner, how) for name, inner in value.items()}, **_EXTRA}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_mangled(inner, how) for inner in value]
    return value


def _other_type(value: Json) -> Json:
    """Something that cannot be read as what ``value`` is."""
    return 17 if isinstance(value, str | Sequence | Mapping) else [["neither", "nor"]]
