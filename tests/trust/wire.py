"""A wire between the library and the sandbox that remembers what passes, and makes trouble.

Everything that crosses it and can be a secret or a person is a *sentinel*: no matter which field
it was in, nobody may find it in a log, a message, a `repr` or a traceback.  So a new field, or a
new operation, is watched without being added to a list.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ormco_trios.core.transport import Answer, AsyncTransport, Gateway, Request, Transport

Trouble = Callable[[Request, Callable[[], Answer]], Answer]
"""Makes an answer of its own, or raises, or passes on what the function gives."""

SHORTEST = 6
"""Shorter values (a country, a state) cannot be told from words of a message."""

MARK = "s3ntinel"
_UNMARK = re.compile(rb',? *"Mark": *"s3ntinel-field"')

# What a model lists as printable, or what tells nothing about a person.
SAFE_KEYS = frozenset(
    """
    InviterUserId RemoteUserId ConnectedUsers CreatorId OperatorId Roles InviterUserType
    RemoteUserType RegionUri Url RegionName ClientVersion Servers Services token_type scope
    connected_at
    last_checked_at source scanner issuer grant_type redirect_uri client_id
    authorization_endpoint token_endpoint revocation_endpoint userinfo_endpoint
    """.split()
)
SAFE_VALUES = frozenset(
    {
        "identity",
        "invalid_request",
        "Sandbox Practice App",
        "application/json",
        "application/x-www-form-urlencoded",
        # Ormco's three labs are public.
        "insignia.support@ormco.com",
        "insignia.supportasia@ormco.com",
        "insignia.supporteurope@ormco.com",
        "Ormco Corporation",
        "8008541741",
        "not_connected",
        "connected",
        "approved",
        "rejected",
        "needs_repair",
    }
)
SAFE_HEADERS = frozenset(
    "accept accept-encoding user-agent content-type content-length host date "
    "x-request-id retry-after server cache-control x-sandbox-explain".split()
)


class Wire:
    """A `Gateway` in front of another one."""

    def __init__(self, inner: Gateway) -> None:
        self.inner = inner
        self.sentinels: set[str] = set()
        self.requests = 0
        self.trouble: Trouble | None = None
        self.first = 1
        self.times: int | None = None

    def open(self) -> Transport:
        return _Sync(self, self.inner.open())

    def open_async(self) -> AsyncTransport:
        return _Async(self, self.inner)

    def arm(self, trouble: Trouble | None, *, first: int = 1, times: int | None = None) -> None:
        """Make trouble from the ``first`` request after now on, ``times`` times."""
        self.trouble, self.first, self.times, self.requests = trouble, first, times, 0

    def strikes(self) -> bool:
        self.requests += 1
        return (
            self.trouble is not None
            and self.requests >= self.first
            and (self.times is None or self.requests < self.first + self.times)
        )

    def remember(self, *values: str) -> None:
        """Count these among the sentinels, in the encodings they have on the way."""
        for value in values:
            self.sentinels |= _encodings(value)

    # --- what passes ------------------------------------------------------------------------

    def request(self, request: Request) -> Request:
        """The request as it goes on, without our marks, remembered."""
        for name, value in request.headers:
            if name.lower() == "authorization":
                kind, _, rest = value.partition(" ")
                self.remember(rest)
                if kind == "Basic":
                    self.remember(base64.b64decode(rest).decode().partition(":")[2])
            elif name.lower() not in SAFE_HEADERS:
                self.remember(value)
        parts = urlsplit(request.url)
        for key, value in parse_qsl(parts.query):
            if key not in {"page", "from", "to", *SAFE_KEYS}:
                self.remember(value)
        segments = parts.path.split("/")
        self.remember(*(unquote(s) for s in segments if "@" in unquote(s)))
        self.body(request.body)
        # A file comes whole, so that its content is remembered, too.
        return replace(request, body=_UNMARK.sub(b"", request.body), stream=False)

    def answer(self, answer: Answer) -> Answer:
        """The answer with a field and a header more, remembered."""
        headers = {**answer.headers, "x-mark": f"{MARK}-header"}
        body = _with_marks(answer.body)
        for name, value in headers.items():
            if name not in SAFE_HEADERS:
                self.remember(value)
        self.body(body)
        return Answer(answer.status, headers, body)

    def body(self, body: bytes) -> None:
        self.sentinels |= _within(body)


# A sandbox answers the same thousands of times, with the same ids.


@functools.lru_cache(10_000)
def _encodings(value: str) -> frozenset[str]:
    """The sentinels that a value gives."""
    texts = {value, unquote(value), unquote(unquote(value))}
    return frozenset(text for text in texts if len(text) >= SHORTEST) - SAFE_VALUES


@functools.lru_cache(10_000)
def _within(body: bytes) -> frozenset[str]:
    """The sentinels that a body gives."""
    try:
        value = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        if not re.fullmatch(r"[\w.%+*=&-]+", text):
            return frozenset()
        found = [part for key, part in parse_qsl(text) if key not in SAFE_KEYS]
    else:
        found = list(_leaves(value))
    return frozenset[str]().union(*map(_encodings, found))


@functools.lru_cache(10_000)
def _with_marks(body: bytes) -> bytes:
    """The body with one more field in every object, if it is JSON."""
    try:
        return json.dumps(_marked(json.loads(body)), ensure_ascii=False).encode()
    except ValueError:
        return body


def _marked(value: Any) -> Any:
    """The same with one more field in every object, as a newer service might send it."""
    if isinstance(value, dict):
        return {**{k: _marked(v) for k, v in value.items()}, "Mark": f"{MARK}-field"}
    return [_marked(v) for v in value] if isinstance(value, list) else value


def _leaves(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        of_patient = {"PatientName", "Patient", "Hash", "FirstName"} & value.keys()
        person = {"Email", "Name"} <= value.keys()
        for name, part in value.items():
            if name in SAFE_KEYS or (name == "Id" and (person or not of_patient)):
                continue
            yield from _leaves(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, key)
    elif isinstance(value, str):
        yield value


class _Sync:
    def __init__(self, wire: Wire, inner: Transport) -> None:
        self.wire, self.inner = wire, inner

    def send(self, request: Request) -> Answer:
        wire = self.wire
        request = wire.request(request)
        if wire.strikes():
            assert wire.trouble is not None
            return wire.answer(wire.trouble(request, lambda: self.inner.send(request)))
        return wire.answer(self.inner.send(request))

    def close(self) -> None:
        self.inner.close()


class _Async:
    def __init__(self, wire: Wire, inner: Gateway) -> None:
        self.wire, self.inner, self.blocking = wire, inner.open_async(), inner.open()

    async def send(self, request: Request) -> Answer:
        wire = self.wire
        request = wire.request(request)
        if wire.strikes():
            assert wire.trouble is not None
            return wire.answer(wire.trouble(request, lambda: self.blocking.send(request)))
        return wire.answer(await self.inner.send(request))

    async def aclose(self) -> None:
        self.blocking.close()
        await self.inner.aclose()
