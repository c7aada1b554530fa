"""What a handler is given: a request that has passed the checks every request must pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias
from urllib.parse import parse_qsl

from ormco_trios.sandbox.wire.messages import Json, Refused, WireReply, WireRequest
from ormco_trios.sandbox.world.state import PortalAccount, TokenRecord, UserRecord
from ormco_trios.sandbox.world.world import World


@dataclass
class InboundCall:
    """A request that was admitted.

    Attributes:
        template: The route's, below the sandbox's base address.
        path: What the template's braces matched, decoded.
        query: The query's parameters, decoded once.
        now: World time in seconds since 1970.
        wrote: Set by handlers that changed something.
    """

    request: WireRequest = field(repr=False)
    template: str
    path: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    now: float
    signed_in: UserRecord | None = field(default=None, repr=False)
    bearer: TokenRecord | None = field(default=None, repr=False)
    portal: PortalAccount | None = field(default=None, repr=False)
    wrote: bool = False

    @property
    def user(self) -> UserRecord:
        """Whose Communicate token this is; only on routes with access ``bearer``."""
        if self.signed_in is None:
            raise LookupError("this route has no bearer token")
        return self.signed_in

    @property
    def account(self) -> PortalAccount:
        """Whose portal session this is; only on routes with access ``portal``."""
        if self.portal is None:
            raise LookupError("this route has no portal session")
        return self.portal

    @cached_property
    def form(self) -> dict[str, str]:
        """The form-encoded body."""
        return parameters(self.request.body.decode("utf-8", "replace"), "form")

    @cached_property
    def json(self) -> Mapping[str, Json]:
        """The JSON body, which must be an object."""
        try:
            value: Json = json.loads(self.request.body)
        except RecursionError:
            raise bad_request("The JSON is nested too deeply.") from None
        except ValueError:
            value = None
        if not isinstance(value, Mapping):
            raise Refused(
                400,
                "The body is not a JSON object.",
                "This operation takes a JSON object.",
                code="bad_request",
            )
        return value


Handler: TypeAlias = Callable[[World, InboundCall], WireReply]


def parameters(text: str, where: str) -> dict[str, str]:
    """Decode a query or form once; no parameter may come twice [rfc 6749, 3.1]."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in found:
            raise bad_request(f"The {where} parameter {shown(name)} comes twice.")
        found[name] = value
    return found


def bad_request(explain: str) -> Refused:
    """Status 400, for what no route takes."""
    return Refused(400, "The request is invalid.", explain, code="bad_request")


def shown(name: str) -> str:
    """``name`` if it is one: explanations are kept, and a pasted code may be in its place."""
    return repr(name) if re.fullmatch(r"[A-Za-z_]{1,24}", name) else "(a name it cannot show)"
