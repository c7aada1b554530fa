"""What crosses the border of the sandbox: one request in, one reply out, and refusals.

Plain values only.  The adapters (in process, ASGI, a server) translate to and from these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = None | bool | int | float | str | "Sequence[Json]" | "Mapping[str, Json]"
else:  # what refers to itself by name cannot be read at run time from another module
    Json = None | bool | int | float | str | Sequence | Mapping
"""A JSON value; sequences and mappings are read-only so that callers may pass any kind."""

Headers: TypeAlias = tuple[tuple[str, str], ...]

Network: TypeAlias = Literal["connect", "reset", "close", "read_timeout", "truncate", "slow_body"]
"""How an exchange fails below HTTP: never connected; reset, closed, or silent instead of an answer;
an answer whose body ends too early, or comes a byte at a time."""

Area: TypeAlias = Literal["communicate", "oauth", "page", "portal", "sandbox", "operator"]
"""Which service speaks; each has its own way of saying no."""

OWN_AREAS: tuple[Area, ...] = ("sandbox", "operator")
"""Of the sandbox itself: not in the journal, and never hit by a fault."""

_CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_NO_STORE: Headers = (("cache-control", "no-store"),)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request, as it arrived.

    Attributes:
        method: Upper case.
        path: Below the sandbox's base address, beginning with a slash, still percent-encoded.
        query: Without the question mark, still percent-encoded.
        headers: In the order sent; names in any case.
        body: Complete.
    """

    method: str
    path: str = field(repr=False)
    query: str = field(default="", repr=False)
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first header called ``name`` (any case)."""
        return _header(self.headers, name)


class Content(Protocol):
    """A body too long to be held in memory."""

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Its blocks; each iteration begins again."""
        ...


@dataclass(frozen=True, slots=True)
class WireReply:
    """One reply.

    Attributes:
        broken: Set by a network fault: the adapter must fail in this way instead of answering.
        content: The body instead of ``body``, if it is a long one.
    """

    status: int
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    broken: Network | None = None
    content: Content | None = field(default=None, repr=False)

    def whole(self) -> bytes:
        """The body, for those who have to have it in one piece."""
        return self.body if self.content is None else b"".join(self.content)

    def blocks(self) -> Iterator[bytes]:
        """The body, block by block."""
        return iter((self.body,)) if self.content is None else iter(self.content)

    @property
    def size(self) -> int:
        """The length of the body in bytes."""
        return len(self.body) if self.content is None else self.content.size

    def header(self, name: str) -> str | None:
        """The first header called ``name`` (any case)."""
        return _header(self.headers, name)

    def json(self) -> Json:
        """The body as JSON."""
        value: Json = json.loads(self.body)
        return value

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()


def _header(headers: Headers, name: str) -> str | None:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)


def json_reply(value: Json, *, status: int = 200, headers: Headers = ()) -> WireReply:
    """A JSON answer that no cache keeps."""
    body = json.dumps(value, ensure_ascii=False).encode()
    kind = (("content-type", "application/json; charset=utf-8"),)
    return WireReply(status, kind + _NO_STORE + headers, body)


def html_reply(html: str, *, status: int = 200, headers: Headers = ()) -> WireReply:
    """A page: no cache keeps it, no other site learns its address, nothing foreign loads."""
    kind = (
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            _CONTENT_POLICY,
        ),
    )
    return WireReply(status, kind + _NO_STORE + headers, html.encode())


def redirect(location: str, *, headers: Headers = (), status: int = 302) -> WireReply:
    """A redirect to ``location``, unchanged."""
    place = (("location", location), ("referrer-policy", "no-referrer"))
    return WireReply(status, place + _NO_STORE + headers)


class Refused(Exception):
    """A handler says no; the dispatcher puts it into the words of the service that was asked.

    Attributes:
        status: HTTP status code.
        message: What the real service would say (part of the body).
        explain: Why, in words, naming the rule (``X-Sandbox-Explain``); holds no value sent.
        code: The error's short name, for services that have one.
        field: The field at fault, for the portal.
        as_page: Answer with an HTML page whatever the service's habit.
    """

    def __init__(
        self,
        status: int,
        message: str,
        explain: str,
        *,
        code: str = "",
        field: str | None = None,
        headers: Headers = (),
        as_page: bool = False,
    ) -> None:
        super().__init__(explain)
        self.status = status
        self.message = message
        self.explain = explain
        self.code = code
        self.field = field
        self.headers = headers
        self.as_page = as_page


def iso(moment: float, *, decimals: int = 0, zone: str = "Z") -> str:
    """``moment`` (seconds since 1970) as the services print it; they vary in both options."""
    when = datetime.fromtimestamp(moment, UTC)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    if decimals:
        text += f".{when.microsecond:06d}"[: decimals + 1]
    return text + zone
