"""Plays the doctor: opens a link, fills in the forms that are really there, presses a button."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from ormco_trios.core.log import quietly
from ormco_trios.sandbox.pages.rendering import JourneyFailed
from ormco_trios.sandbox.serve._httpx import browser_client
from ormco_trios.sandbox.world.world import World

_MOST_PAGES = 12


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


class _Forms(HTMLParser):
    """The forms of a page; a button is known by what stands on it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._button: tuple[str, str] | None = None
        self._label = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(values.get("action", "")))
        elif tag == "input" and self.forms:
            self.forms[-1].fields[values.get("name", "")] = values.get("value", "")
            self.forms[-1].kinds[values.get("type", "text")] = values.get("name", "")
        elif tag == "button" and self.forms:
            self._button = (values.get("name", ""), values.get("value", ""))
            self._label = ""

    def handle_data(self, data: str) -> None:
        self._label += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[self._label.strip()] = self._button
            self._button = None


def authorize(
    world: World, url: str, *, allow: bool, email: str, password: str, served: bool
) -> str:
    """Go through sign-in and consent like a person with a fresh browser.

    Returns:
        The address the browser ends at, as its address bar shows it.

    Raises:
        JourneyFailed: A page refused, or the sign-in was wrong.
    """
    goal = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
    with quietly(), browser_client(world, served=served) as client:
        request = client.build_request("GET", url)
        signed_in = False
        for _ in range(_MOST_PAGES):
            here = str(request.url)
            response = client.send(request)
            if response.is_redirect:
                place = response.headers["location"]
                if goal and place.startswith(goal):
                    _visit(client, world, place)
                    return place
                request = client.build_request("GET", urljoin(here, place))
                continue
            form = _form(response)
            if "password" in form.kinds:
                if signed_in:
                    raise _failed(response)
                signed_in = True
                form.fields[form.kinds["email"]] = email
                form.fields[form.kinds["password"]] = password
            else:
                name, value = form.buttons["Allow access" if allow else "Cancel"]
                form.fields[name] = value
            request = client.build_request(
                "POST",
                urljoin(here, form.action),
                content=urlencode(form.fields),
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
    raise JourneyFailed(0, "The pages go round in circles.")


def _visit(client: httpx.Client, world: World, place: str) -> None:
    """Open the page behind the redirect if the sandbox has it; an application's own is its own."""
    if world.locate(place) is not None:
        response = client.get(place)
        if response.status_code >= 400:
            raise _failed(response)


def _form(response: httpx.Response) -> _Form:
    parser = _Forms()
    parser.feed(response.text)
    if not parser.forms:
        raise _failed(response)
    return parser.forms[0]


def _failed(response: httpx.Response) -> JourneyFailed:
    return JourneyFailed(response.status_code, response.headers.get("x-sandbox-explain", ""))
