"""What a route is, and how a request finds its own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

from ormco_trios.core.provenance import Label
from ormco_trios.sandbox.services.calls import Handler, bad_request, parameters, shown
from ormco_trios.sandbox.wire.messages import Area, Refused, WireRequest

Access: TypeAlias = Literal["open", "bearer", "portal"]
"""Who may call: everyone (pages keep their own session), a Communicate token, a portal session."""

Body: TypeAlias = Literal["none", "form", "json"]

Provenance: TypeAlias = Literal[Label, "sandbox"]
"""How it is known, by its strongest label; ``sandbox`` is the sandbox's own."""

_PATTERNS = {"server": "am|as|eu"}


@dataclass(frozen=True)
class Route:
    """One thing that can be asked.

    Attributes:
        template: Below the sandbox's base address; braces match one path segment each.
        operation: Its name in the journal and for faults; several routes may share one.
        query: Parameters it knows; an exclamation mark after the name: it must be there.
        switch: The name of the switch that says whether it is served at all.
        kinds: What a token request can be, by its ``grant_type``; a fault can be planned for each
            of them as well, by the name that the library's errors and events have.
    """

    method: str
    template: str
    operation: str
    provenance: Provenance
    area: Area
    handler: Handler
    access: Access = "open"
    body: Body = "none"
    query: tuple[str, ...] = ()
    switch: str = ""
    kinds: tuple[str, ...] = ()

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name that a fault for it can have."""
        return self.operation, *(f"oauth.{kind}" for kind in self.kinds)

    def names(self, request: WireRequest) -> tuple[str, ...]:
        """Those that ``request`` meets."""
        if not self.kinds:
            return (self.operation,)
        kind = dict(parse_qsl(request.body.decode("latin-1"))).get("grant_type")
        return (self.operation, f"oauth.{kind}") if kind in self.kinds else (self.operation,)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The template as an expression over the encoded path."""
        parts = re.split(r"\{(\w+)\}", self.template)
        text = "".join(
            f"(?P<{part}>{_PATTERNS.get(part, '[^/]+')})" if odd % 2 else re.escape(part)
            for odd, part in enumerate(parts)
        )
        return re.compile(text)

    def check(self, request: WireRequest) -> Mapping[str, str]:
        """Refuse what the contract does not know, and return the query's parameters."""
        query = parameters(request.query, "query")
        known = {name.rstrip("!") for name in self.query}
        for name in query.keys() - known:
            raise bad_request(f"{self.operation} knows no query parameter {shown(name)}.")
        for name in self.query:
            if name.endswith("!") and name[:-1] not in query:
                raise bad_request(f"{self.operation} needs the query parameter {name[:-1]!r}.")
        self._check_body(request)
        return query

    def _check_body(self, request: WireRequest) -> None:
        if self.body == "none":
            if request.body:
                raise bad_request(f"{self.operation} takes no body.")
            return
        wanted = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
        kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != wanted[self.body]:
            raise Refused(
                400 if self.area == "oauth" else 415,
                "The content type is not supported.",
                f"{self.operation} takes {wanted[self.body]}; the content type says otherwise.",
                code="invalid_request" if self.area == "oauth" else "unsupported_media_type",
            )


def match(table: tuple[Route, ...], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route for a request.

    Raises:
        Refused: 404 naming the nearest template, or 405 with ``Allow``.
    """
    allowed: list[Route] = []
    for route in table:
        found = route.pattern.fullmatch(path)
        if found is None:
            continue
        if route.method == method:
            return route, {name: unquote(part) for name, part in found.groupdict().items()}
        allowed.append(route)
    if allowed:
        methods = ", ".join(sorted({route.method for route in allowed}))
        raise Refused(
            405,
            "The requested resource does not support this method.",
            f"{allowed[0].template} exists, but only for {methods}.",
            code="method_not_allowed",
            headers=(("allow", methods),),
        )
    near = difflib.get_close_matches(path, [route.template for route in table], n=1, cutoff=0.0)
    raise Refused(
        404,
        "There is nothing at this address.",
        f"The contract knows no such path; the nearest is {near[0]}{_difference(path, near[0])}.",
        code="not_found",
    )


def _difference(path: str, template: str) -> str:
    """Where ``path`` leaves ``template``, in words that do not hold what was sent."""
    sent, known = path.split("/"), template.split("/")
    for place, (one, other) in enumerate(zip(sent, known, strict=False)):
        if one != other and not other.startswith("{"):
            return f", which has {other!r} as part {place} where this path has something else"
    if len(sent) == len(known):
        return ", with another value in braces"
    return f", which has {len(known) - 1} parts where this path has {len(sent) - 1}"
