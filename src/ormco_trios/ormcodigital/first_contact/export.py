"""What a browser's own export lacks: which host is the portal, and what the person typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, unquote, urlsplit

from ormco_trios.core.errors import ConfigurationError
from ormco_trios.ormcodigital.browser.sites import brings_code, redirect_of
from ormco_trios.ormcodigital.documents import Json, as_list, as_object
from ormco_trios.ormcodigital.first_contact.redact import THREESHAPE, Sites, entries_of
from ormco_trios.ormcodigital.first_contact.values import found


def code_in(har: Json, threeshape: tuple[str, ...] = THREESHAPE) -> str | None:
    """The code that the doctor was sent back with, decoded; None if none was recorded."""
    sites = Sites("https://none.invalid", threeshape)
    urls = [str(entry["request"].get("url", "")) for entry in entries_of(har)]
    at_3shape = [url for url in urls if sites.service(url) == "3shape"]
    # A portal's own sign-in may bring a code of its own, so 3Shape's is where 3Shape sends it.
    told = [address for url in at_3shape if (address := redirect_of(url)) is not None]
    for url in urls:
        if url in at_3shape or (told and not any(brings_code(url, each) for each in told)):
            continue
        for name, value in parse_qsl(urlsplit(url).query):
            if name == "code" and value:
                return _decoded(value)
    return None


def _decoded(code: str) -> str:
    """A classic code has an exclamation mark, however often it was encoded [dnoa]."""
    for _ in range(3):
        if "!" in code or "%" not in code:
            break
        code = unquote(code)
    return code


def portal_in(har: Json, code: str | None, threeshape: tuple[str, ...] = THREESHAPE) -> str:
    """The address of the portal: the host that the code was sent to, else that gave the link.

    Raises:
        ConfigurationError: It cannot be told.
    """
    sites = Sites("https://none.invalid", threeshape)
    others = [e for e in entries_of(har) if sites.service(str(e["request"].get("url"))) is None]
    for wanted in (_posts(code), _answers_link):
        for entry in others:
            if wanted(entry):
                parts = urlsplit(str(entry["request"]["url"]))
                return f"{parts.scheme}://{parts.netloc}"
    raise ConfigurationError(
        "Which host of the recording is the portal cannot be told.",
        advice="Name it, such as https://www.ormcodigital.com.",
    )


def logins_in(har: Json, portal: str) -> dict[str, str]:
    """User name and password, found where a page of the portal asked for a password.

    Only a form with a password field tells; what a script sends has to be named by the person.
    """
    sites = Sites(portal)
    names: set[tuple[str, str]] = set()
    typed: dict[str, str] = {}
    for entry in entries_of(har):
        if sites.service(str(entry["request"].get("url", ""))) != "portal":
            continue
        posted = dict(_form(as_object(entry["request"].get("postData"))))
        for user, password in names:
            if posted.get(password):
                typed["password"] = posted[password]
                if posted.get(user):
                    typed["username"] = posted[user]
        page = _Login()
        page.feed(_answer(entry))
        if page.password:
            names.add((page.user, page.password))
    return typed


def _posts(code: str | None) -> Callable[[Json], bool]:
    def posts(entry: Json) -> bool:
        post = as_object(entry["request"].get("postData"))
        texts = [
            str(post.get("text") or ""),
            *(str(as_object(each).get("value")) for each in as_list(post.get("params"))),
        ]
        return bool(code) and any(any(found(str(code), text)) for text in texts)

    return posts


def _answers_link(entry: Json) -> bool:
    headers = as_list(as_object(entry.get("response")).get("headers"))
    said = [_answer(entry), *(str(as_object(each).get("value")) for each in headers)]
    return any(re.search(r"authori[sz]e\?[^\"'<>\s]*client_id=", text) for text in said)


def _answer(entry: Json) -> str:
    content = as_object(as_object(entry.get("response")).get("content"))
    return str(content.get("text") or "")


def _form(post: dict[str, Json]) -> Iterator[tuple[str, str]]:
    params = as_list(post.get("params"))
    for each in map(as_object, params):
        yield str(each.get("name")), unquote(str(each.get("value") or ""))
    if not params:
        yield from parse_qsl(str(post.get("text") or ""))


class _Login(HTMLParser):
    """The names of the fields for user name and password on a page."""

    user = ""
    password = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "input" or self.password:
            return
        field = dict(attrs)
        kind = (field.get("type") or "text").lower()
        if kind == "password":
            self.password = field.get("name") or ""
        elif kind in {"text", "email"}:
            self.user = field.get("name") or ""
