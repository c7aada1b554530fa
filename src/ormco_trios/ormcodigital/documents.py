"""JSON documents of others, read without relying on their shape."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

Json: TypeAlias = Any
"""Any JSON value."""


def is_object(value: object) -> TypeGuard[dict[str, Json]]:
    """Whether it is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Json]]:
    """Whether it is a list."""
    return isinstance(value, list)


def as_object(value: object) -> dict[str, Json]:
    """``value`` if it is an object, else an empty one."""
    return value if is_object(value) else {}


def as_list(value: object) -> list[Json]:
    """``value`` if it is a list, else an empty one."""
    return value if is_list(value) else []
