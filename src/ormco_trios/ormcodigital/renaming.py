"""The portal's operations with other routes and field names, for tools inside Ormco.

What the API does stays as it is: a code is a draft until *Update*, and a profile has a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar, cast

from ormco_trios.core.operation import Method, Operation
from ormco_trios.core.transport import Answer
from ormco_trios.ormcodigital import operations
from ormco_trios.ormcodigital.documents import is_list, is_object

T = TypeVar("T")

Operations: TypeAlias = Mapping[str, Operation[Any]]
"""Operations that take the place of others, by the name of the one that is replaced."""

PORTAL: Operations = {
    each.name: each
    for each in (
        operations.SIGN_IN,
        operations.PROFILE,
        operations.SAVE_PROFILE,
        operations.METHODS,
        operations.AUTHORIZATION,
        operations.SUBMIT_CODE,
        operations.STATUS,
        operations.DISCONNECT,
    )
}
"""The portal's operations as this library assumes them, by name."""


def renamed(
    operation: Operation[T],
    *,
    method: Method | None = None,
    route: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> Operation[T]:
    """The same operation under another method, route, or names of its fields.

    Args:
        operation: One of `PORTAL`.
        method: Instead of its own.
        route: Instead of its own, below the same base address.
        fields: Their names by ours, in the request and in the answer, with dots where one is inside
            another: ``{"submission_method.source": "submission.kind"}``.  A field that is not named
            keeps its name, and one that we do not know is kept and sent back.
    """
    names = dict(fields or {})

    def write(body: bytes) -> bytes:
        return _moved(body, list(names.items()))

    def parse(answer: Answer) -> T:
        back = [(theirs, ours) for ours, theirs in names.items()]
        return operation.parse(replace(answer, body=_moved(answer.body, back)))

    return replace(
        operation,
        method=method or operation.method,
        route=route or operation.route,
        parse=parse if names else operation.parse,
        write=write if names else operation.write,
    )


def _moved(body: bytes, moves: list[tuple[str, str]]) -> bytes:
    """A JSON body with its fields under other names; any other body as it is."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return body
    for each in document if is_list(document) else [document]:
        if is_object(each):
            _move(each, moves)
    return json.dumps(document).encode()


def _move(document: dict[str, Any], moves: list[tuple[str, str]]) -> None:
    taken = [(path, _take(document, old.split("."))) for old, path in moves]
    for path, found in taken:
        if found:
            *parents, last = path.split(".")
            place: dict[str, Any] = document
            for name in parents:
                if not isinstance(place.get(name), dict):
                    place[name] = {}
                place = place[name]
            place[last] = found[0]


def _take(document: dict[str, Any], names: list[str]) -> list[Any]:
    """What is at this place, taken away with what is empty then; nothing if there is nothing."""
    first, *rest = names
    if first not in document:
        return []
    if not rest:
        return [document.pop(first)]
    inner = document[first]
    if not isinstance(inner, dict):
        return []
    found = _take(cast(dict[str, Any], inner), rest)
    if found and not inner:
        del document[first]
    return found
