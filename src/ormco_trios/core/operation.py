"""An endpoint as a value: what to send, what the answer means, and whether twice is harmless."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ormco_trios.core.environment import Service
from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.core.provenance import Fact, Facts
from ormco_trios.core.transport import Answer

T = TypeVar("T")


class Safety(enum.Enum):
    """What sending the same request twice does; the retry table is built on this."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    WRITE = "write"
    ONCE = "once"
    """Holds a single-use code or token: must never be sent again once it may have arrived."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One endpoint.

    Attributes:
        name: For errors, logs and the sandbox's journal, such as ``users.me``.
        service: Whose base URL and whose sign-in it uses.
        route: Path below the base URL, with ``{name}`` for each path parameter.
        parse: Turns a successful answer into the result; may raise ``ValueError``.
        refuse: Turns an unsuccessful answer into an error.
        authenticated: Whether it carries the service's bearer token.
        provenance: How it is known: under ``path`` what it is for, under ``answer`` what comes
            back, and each refusal under its status and words.
    """

    name: str
    service: Service
    method: str
    route: str
    parse: Callable[[Answer], T] = field(repr=False)
    refuse: Callable[[Operation[Any], Answer], OrmcoTriosError] = field(repr=False)
    safety: Safety = Safety.READ
    authenticated: bool = True
    provenance: Facts = field(default_factory=dict[str, Fact], repr=False, compare=False)
