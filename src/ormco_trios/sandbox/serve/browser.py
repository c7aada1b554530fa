"""Plays the doctor: opens a link, fills in the forms that are really there, presses a button."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ormco_trios.core.log import quietly
from ormco_trios.sandbox.pages.rendering import JourneyFailed
from ormco_trios.sandbox.world.world import World

if TYPE_CHECKING:
    import httpx

_MOST_PAGES = 12


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    kinds: dict[str, str] = field(default_factory=dict[str, str])
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


class _ParsedPage(HTMLParser):
    """The forms of a page, whose buttons are known by their words, and the account it names."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._button: tuple[str, str] | None = None
        self._label = ""
        self.account: str | None = None
        self._in_account = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_account = values.get("id") == "account"
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
        if self._in_account:
            self.account = data

    def handle_endtag(self, tag: str) -> None:
        self._in_account = False
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[self._label.strip()] = self._button
            self._button = None


class Browser:
    """A browser with its cookies, and a person before it who reads no more than she has to.

    Args:
        world: Whose pages it opens.
        served: Go over the socket that the World is served on, instead of into the World.

    Attributes:
        account: The e-mail that the last consent page showed: whose account it was.
    """

    def __init__(self, world: World, *, served: bool) -> None:
        # Needs httpx, which is slow to import.
        from ormco_trios.sandbox.serve._httpx import browser_client

        self._world = world
        self._client = browser_client(world, served=served)
        self.account: str | None = None

    def clear(self) -> None:
        """Clear cookies and history, as the guide advises."""
        self._client.cookies.clear()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def authorize(
        self,
        url: str,
        *,
        allow: bool = True,
        email: str | None = None,
        password: str | None = None,
    ) -> str:
        """Open an authorization link, sign in where the page asks for it, and press a button.

        Args:
            url: The link.
            allow: Press *Allow access*, or else *Cancel*.
            email: Whose account, if there is a sign-in page: a browser that is signed in shows
                none, and then it is the account that it is signed in as.  The sample practice's
                by default.
            password: The account's own by default.

        Returns:
            The address the browser ends at, as its address bar shows it.

        Raises:
            JourneyFailed: A page refused, or the sign-in was wrong.
        """
        email = self._world.practice().email if email is None else email
        if password is None:
            known = self._world.state.user_by_email(email)
            password = known.password if known else ""
        goal = parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]
        with quietly():
            return self._travel(url, goal, email, password, "Allow access" if allow else "Cancel")

    def _travel(self, url: str, goal: str, email: str, password: str, button: str) -> str:
        request = self._client.build_request("GET", url)
        signed_in = False
        for _ in range(_MOST_PAGES):
            here = str(request.url)
            response = self._client.send(request)
            if response.is_redirect:
                place = response.headers["location"]
                if goal and place.startswith(goal):
                    self._visit(place)
                    return place
                request = self._client.build_request("GET", urljoin(here, place))
                continue
            page = _page(response)
            form = page.forms[0]
            if "password" in form.kinds:
                if signed_in:
                    raise _failed(response)
                signed_in = True
                form.fields[form.kinds["email"]] = email
                form.fields[form.kinds["password"]] = password
            else:
                self.account = page.account
                name, value = form.buttons[button]
                form.fields[name] = value
            request = self._client.build_request(
                "POST",
                urljoin(here, form.action),
                content=urlencode(form.fields),
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
        raise JourneyFailed(0, "The pages go round in circles.")

    def _visit(self, place: str) -> None:
        """Open the page behind the redirect if the sandbox has it; an application's is its own."""
        if self._world.locate(place) is not None:
            response = self._client.get(place)
            if response.status_code >= 400:
                raise _failed(response)


def _page(response: httpx.Response) -> _ParsedPage:
    page = _ParsedPage()
    page.feed(response.text)
    if not page.forms:
        raise _failed(response)
    return page


def _failed(response: httpx.Response) -> JourneyFailed:
    return JourneyFailed(response.status_code, response.headers.get("x-sandbox-explain", ""))
