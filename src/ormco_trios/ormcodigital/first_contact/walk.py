"""One walk through the guide, read from a redacted recording: who carried what, and where.

Nothing is found by its name: a request is the sign-in because it carries the password that was
typed, whatever the field is called and whatever the body is made of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ormco_trios.ormcodigital.documents import Json, as_list, as_object
from ormco_trios.ormcodigital.first_contact.redact import entries_of
from ormco_trios.ormcodigital.phrases import UPDATE, folded

_PASSIVE = frozenset({"GET", "HEAD", "OPTIONS"})
_NUMBER = re.compile(r"#(\d+)\}")


@dataclass(frozen=True, slots=True)
class Field:
    """One value and where it was: ``json``, ``form``, ``query``, ``header``, ``page`` and so on."""

    where: str
    name: str
    value: str

    @property
    def number(self) -> str | None:
        """Which of the recording's values this is."""
        found = _NUMBER.search(self.value)
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.where} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer."""

    service: str
    method: str
    host: str
    route: str
    status: int
    sent: tuple[Field, ...]
    received: tuple[Field, ...]

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method not in _PASSIVE

    def carries(self, typed: str) -> Field | None:
        """The field of the request that holds what was typed under this name."""
        return next((field for field in self.sent if is_typed(field.value, typed)), None)

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


@dataclass(frozen=True, slots=True)
class Walk:
    """The steps of the guide, each the request that did it; None where it was not recorded."""

    exchanges: tuple[Exchange, ...]
    sign_in: Exchange | None
    profile: Exchange | None
    link: Exchange | None
    authorize: Exchange | None
    redirect: Exchange | None
    code: Exchange | None
    update: Exchange | None

    @property
    def portal(self) -> Iterator[Exchange]:
        """What went to the portal, in order."""
        return (each for each in self.exchanges if each.service == "portal")


def is_typed(value: str, name: str) -> bool:
    """Whether a placeholder is for what was typed under ``name``."""
    return value.startswith(("{typed:" + name + "}", "{typed:" + name + " "))


def read_walk(har: Json) -> Walk:
    """The steps in a recording that `redact` made."""
    exchanges = tuple(each for entry in entries_of(har) for each in _exchanges(entry))

    def first(wanted: Callable[[Exchange], bool], start: int = 0) -> int | None:
        return next((n for n in range(start, len(exchanges)) if wanted(exchanges[n])), None)

    def portal(each: Exchange) -> bool:
        return each.service == "portal"

    sign_in = first(lambda each: portal(each) and each.carries("password") is not None)
    authorize = first(lambda each: each.service == "3shape" and _is_authorization(each))
    redirect = first(
        lambda each: (
            each.service != "3shape"
            and not each.changes
            and any(f.where == "query" and is_typed(f.value, "code") for f in each.sent)
        )
    )
    code = first(
        lambda each: portal(each) and each.carries("code") is not None, (redirect or -1) + 1
    )
    profile = first(lambda each: portal(each) and _shows_method(each), (sign_in or -1) + 1)
    link = None
    if authorize is not None:
        link = next(
            (n for n in reversed(range(authorize)) if _gives_link(exchanges[n])),
            None,
        )
    update = None
    if code is not None:
        later = [n for n in range(code + 1, len(exchanges)) if _changes_portal(exchanges[n])]
        # One request saves both if it says so itself; else the walk may have ended before Update.
        sent = exchanges[code].sent
        both = bool(method_fields(sent)) or any(UPDATE.matches(field.value) for field in sent)
        update = later[0] if later else code if both else None

    def at(number: int | None) -> Exchange | None:
        return None if number is None else exchanges[number]

    steps = (sign_in, profile, link, authorize, redirect, code, update)
    return Walk(exchanges, *map(at, steps))


def _changes_portal(each: Exchange) -> bool:
    return each.service == "portal" and each.changes


def _is_authorization(each: Exchange) -> bool:
    return any(field.where == "query" and field.name == "client_id" for field in each.sent)


def _gives_link(each: Exchange) -> bool:
    return each.service == "portal" and any("client_id=" in field.value for field in each.received)


_METHODS = frozenset(map(folded, ("3Shape Trios", "Intraoral Scanner", "IntraoralScanner", "PVS")))


def method_fields(fields: tuple[Field, ...]) -> list[Field]:
    """Those that say how the practice sends its cases; a program only knows the words."""
    return [each for each in fields if each.where != "script" and folded(each.value) in _METHODS]


def _shows_method(each: Exchange) -> bool:
    """Whether it reads the profile: what saves it sends the words itself."""
    return bool(method_fields(each.received)) and not method_fields(each.sent)


def _exchanges(entry: Json) -> Iterator[Exchange]:
    request, response = entry["request"], as_object(entry.get("response"))
    host, route, query = _parts(str(request["url"]))
    sent = [*_query(query), *_headers(request), *_posted(as_object(request.get("postData")))]
    received = [*_headers(response), *_body(as_object(response.get("content")))]
    service = str(entry.get("_service", ""))
    status = int(response.get("status") or 0)
    yield Exchange(
        *(service, str(request["method"]), host, route, status),
        tuple(sent),
        tuple(received),
    )
    for message in map(as_object, as_list(entry.get("_webSocketMessages"))):
        fields = tuple(_leaves("message", message.get("data")))
        outgoing = message.get("type") == "send"
        yield Exchange(
            *(service, "SEND" if outgoing else "GET", host, route, status),
            fields if outgoing else (),
            () if outgoing else fields,
        )


def _parts(url: str) -> tuple[str, str, str]:
    """Host, route and query; the number sign of a placeholder begins no fragment."""
    host, slash, rest = url.partition("://")[2].partition("/")
    route, _, query = rest.partition("?")
    return host, slash + route or "/", query


def _query(query: str) -> Iterator[Field]:
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield Field("query", name, value)


def _headers(message: Json) -> Iterator[Field]:
    for header in map(as_object, as_list(message.get("headers"))):
        name, value = str(header["name"]), str(header["value"])
        if name not in {"cookie", "set-cookie"}:
            yield Field("header", name, value)
            continue
        for pair in value.split("; "):
            key, _, each = pair.partition("=")
            yield Field("cookie", key, each)


def _posted(post: dict[str, Json]) -> Iterator[Field]:
    for each in map(as_object, as_list(post.get("params"))):
        yield Field("form", str(each["name"]), str(each["value"]))
    yield from _body(post)


def _body(content: dict[str, Json]) -> Iterator[Field]:
    text = content.get("text")
    kind = str(content.get("mimeType"))
    if text:
        where = "page" if "html" in kind else "script" if "javascript" in kind else "text"
        yield from _leaves(where, text)


def _leaves(where: str, text: object) -> Iterator[Field]:
    """The values of a body, whatever it is made of."""
    try:
        document: Json = json.loads(str(text))
    except ValueError:
        document = None
    if as_object(document) or as_list(document):
        yield from _json("script" if where == "script" else "json", "", document)
        return
    # A page, or XML: words between tags, and values of attributes.
    path: list[str] = []
    for tag, words in re.findall(r"<([^>]*)>|([^<]+)", str(text)):
        if not tag:
            within = "/".join(path[-1:])
            source = "script" if within == "script" else where
            yield from (Field(source, within, line) for line in words.split("\n"))
            continue
        name, _, rest = tag.partition(" ")
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        label = attributes.get("name") or attributes.get("id") or name
        for key in ("value", "href", "action", "alt", "label", "placeholder"):
            if attributes.get(key):
                yield Field(where, label, attributes[key])
        if tag.startswith("/"):
            del path[-1:]
        elif name not in {"img", "input", "meta"}:
            path.append(label)


def _json(where: str, name: str, value: Json) -> Iterator[Field]:
    for key, each in as_object(value).items():
        yield from _json(where, f"{name}.{key}" if name else key, each)
    for each in as_list(value):
        yield from _json(where, f"{name}[]", each)
    if isinstance(value, str):
        nested = value[:1] in {"{", "["} and value[1:2] in {'"', "{", "["}
        yield from _leaves(where, value) if nested else iter([Field(where, name, value)])
