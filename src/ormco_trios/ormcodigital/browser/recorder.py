"""Records one walk through the guide, in memory, and gives away only what `redact` leaves of it."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from importlib.resources import files
from typing import Any

from ormco_trios.core.shield import Shielded
from ormco_trios.ormcodigital.browser.async_driver import (
    Context,
    Error,
    Page,
    Request,
    Response,
    WebSocket,
    own_browser_async,
)
from ormco_trios.ormcodigital.documents import Json
from ormco_trios.ormcodigital.first_contact.export import code_in
from ormco_trios.ormcodigital.first_contact.redact import Sites, redact

_SCRIPT = files("ormco_trios.ormcodigital.browser").joinpath("typed.js").read_text("utf-8")
_TEXT = ("application/", "text/", "multipart/")
_MOST = 4_000_000
"""Longer answers are no pages and no data of a form, in bytes."""

_NAMES = {
    "portal": ("username", "password"),
    "3shape": ("3shape e-mail", "3shape password"),
}
"""What is typed where, first what can be read."""


class Recorder(Shielded):
    """Listens to a browser.

    Attributes:
        typed: What was typed, by name.

    Args:
        sites: Which hosts are recorded; of others only the address that brings the code.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._entries: list[Json] = []
        self._open: dict[Request, Json] = {}
        self._fields: dict[str, str] = {}
        self._pages: dict[str, str] = {}  # where each password was asked for
        self._asked: dict[str, str] = {}  # the last field of each page that is no password
        self._reading: set[asyncio.Task[None]] = set()
        self.typed: dict[str, str] = {}

    async def attach(self, context: Context) -> None:
        """Listen to everything in this browser from now on."""
        name = f"_{secrets.token_hex(8)}"
        # Playwright does not say what a callback gives.
        await context.expose_binding(name, self._type)  # pyright: ignore[reportUnknownMemberType]
        await context.add_init_script(_SCRIPT.replace("BINDING", name))
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("page", lambda page: page.on("websocket", self._socket))

    async def redacted(self) -> Json:
        """The recording, without anything personal or secret.

        Raises:
            ConfigurationError: Something that was typed would be left in it.
        """
        if self._reading:
            await asyncio.wait(self._reading, timeout=10)
        har = {"log": {"version": "1.2", "entries": self._entries}}
        typed = dict(self.typed)
        code = code_in(har, self._sites.threeshape)
        if code is not None:
            typed = {name: value for name, value in typed.items() if not _is_code(value, code)}
            typed["code"] = code
        return redact(har, typed, self._sites)

    def _type(self, source: dict[str, Any], told: dict[str, Any]) -> None:
        """Keep what is in a field now; what was typed at the portal before is the user name."""
        key = told["field"]
        if key not in self._fields:
            url, secret = source["frame"].url, told["secret"]
            self._fields[key] = self._name(url, told["value"], secret=secret)
        self.typed[self._fields[key]] = told["value"]

    def _name(self, url: str, value: str, *, secret: bool) -> str:
        """What a new field is called: by what it is for, once, or else by a number."""
        other = f"field {len(self._fields) + 1}"
        names = _NAMES.get(self._sites.service(url) or "")
        if names is None:
            return other
        plain, hidden = names
        page = url.partition("?")[0]
        if not secret and hidden not in self.typed and plain not in self.typed:
            return plain
        if not secret:
            self._asked[page] = other
            return other
        if self.typed.get(hidden) == value:
            return hidden  # the page has drawn the field again
        if hidden in self.typed:
            again = self._asked.pop(page, None)
            if again is None or self._pages.get(hidden) != page:
                return other
            # The same form once more: what was typed the last time was wrong.
            self._rename(plain, f"earlier {plain} {len(self._fields)}")
            self._rename(hidden, f"earlier {hidden} {len(self._fields)}")
            self._rename(again, plain)
        self._pages[hidden] = page
        return hidden

    def _rename(self, old: str, new: str) -> None:
        self._fields = {key: new if name == old else name for key, name in self._fields.items()}
        if old in self.typed:
            self.typed[new] = self.typed.pop(old)

    def _request(self, request: Request) -> None:
        known = self._sites.service(request.url) is not None
        if not known and not request.is_navigation_request():
            return
        entry: Json = {"request": {"method": request.method, "url": request.url, "headers": []}}
        self._entries.append(entry)
        self._open[request] = entry
        if request.post_data_buffer is not None:
            kind = request.headers.get("content-type", "")
            text = request.post_data_buffer.decode("utf-8", "replace")
            entry["request"]["postData"] = {"mimeType": kind, "text": text}
        if known:
            task = asyncio.ensure_future(self._read(request, entry))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    def _response(self, response: Response) -> None:
        """At once: the window may be closed by the answer."""
        entry = self._open.pop(response.request, None)
        if entry is not None:
            entry["response"] = {
                "status": response.status,
                "headers": _headers(response.headers),
                "content": {"mimeType": response.headers.get("content-type", "")},
            }

    async def _read(self, request: Request, entry: Json) -> None:
        """Fill in the entry; what cannot be read, as where the window was closed, stays out."""
        with suppress(Error):
            entry["request"]["headers"] = _headers(await request.all_headers())
            response = await request.response()
            if response is None:
                return
            self._response(response)
            content = entry["response"]["content"]
            if content["mimeType"].startswith(_TEXT) and not 300 <= response.status < 400:
                with suppress(Error):
                    body = await response.body()
                    content["text"] = body.decode("utf-8", "replace") if len(body) < _MOST else ""
            entry["response"]["headers"] = _headers(await response.all_headers())

    def _socket(self, socket: WebSocket) -> None:
        url = socket.url.replace("ws", "http", 1)
        messages: list[Json] = []
        self._entries.append(
            {"request": {"method": "GET", "url": url}, "_webSocketMessages": messages}
        )
        for event, kind in (("framesent", "send"), ("framereceived", "receive")):
            socket.on(
                event,  # type: ignore[call-overload]  # each event has an overload of its own
                lambda data, kind=kind: messages.append({"type": kind, "data": str(data)}),
            )


def _headers(headers: dict[str, str]) -> list[Json]:
    return [
        {"name": name, "value": value}
        for name, values in headers.items()
        for value in values.split("\n")
    ]


def _is_code(value: str, code: str) -> bool:
    """Whether what was typed is the code, in whatever form the portal wants it."""
    return value.replace("%21", "!") == code.replace("%21", "!")


async def record(
    address: str,
    sites: Sites,
    *,
    channel: str | None = None,
    executable: str | None = None,
    headless: bool = False,
) -> Json:
    """Open the portal and record until the person has closed every window; redacted.

    Raises:
        ConfigurationError: No browser could be started, or something that was typed would be left.
    """
    recorder = Recorder(sites)
    async with own_browser_async(
        channel=channel, executable=executable, headless=headless
    ) as context:
        await recorder.attach(context)
        page = await context.new_page()
        with suppress(Error):  # the page says what is wrong
            await page.goto(address)
        await _closed(context)
        return await recorder.redacted()


async def _closed(context: Context) -> None:
    while context.pages:
        page: Page = context.pages[0]
        with suppress(Error):
            await page.wait_for_event("close", timeout=0)
