"""The one module that knows Playwright: it does what the flows say, and decides nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    Dialog,
    Error,
    Frame,
    JSHandle,
    Page,
    Playwright,
    Request,
    Response,
    WebSocket,
    async_playwright,
)

from ormco_trios.core.errors import ConfigurationError, NotDelivered
from ormco_trios.core.shield import Shielded
from ormco_trios.ormcodigital.browser import sites
from ormco_trios.ormcodigital.browser.actions import (
    Action,
    Arrived,
    Choose,
    Covered,
    Fill,
    Look,
    Obstructed,
    Open,
    Press,
    Submit,
)
from ormco_trios.ormcodigital.browser.page import Seen, Thing, Window

Context: TypeAlias = BrowserContext
"""Playwright's browser with its windows and cookies."""

__all__ = [  # what the recorder uses
    "Context",
    "Error",
    "Page",
    "Request",
    "Response",
    "WebSocket",
    "own_browser_async",
]

CHANNELS = ("chrome", "msedge")
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge")
_SCRIPT = files("ormco_trios.ormcodigital.browser").joinpath("page.js").read_text("utf-8")
_LEFT_OUT = frozenset({"eventsource", "image", "media", "ping", "websocket"})
"""Requests that nobody waits for."""


def _is_root() -> bool:
    """Whether Chromium refuses its own sandbox to this user."""
    if sys.platform != "win32":
        return os.geteuid() == 0
    else:
        return False


async def launch_async(
    playwright: Playwright, *, channel: str | None, executable: str | None, headless: bool
) -> BrowserContext:
    """A window of a browser that this machine has, with a profile of its own that is not kept.

    Raises:
        ConfigurationError: There is none.
    """
    choices: list[dict[str, Any]] = []
    if executable is not None:
        choices = [{"executable_path": executable}]
    elif channel is not None:
        choices = [{"channel": channel}]
    else:
        found = filter(None, map(shutil.which, EXECUTABLES))
        choices = [{"executable_path": path} for path in found]
        choices += [{"channel": each} for each in CHANNELS]
    for choice in choices:
        try:
            browser = await playwright.chromium.launch(
                headless=headless, chromium_sandbox=not _is_root(), **choice
            )
        except Error:
            continue
        return await browser.new_context(no_viewport=None if headless else True)
    raise ConfigurationError(
        "No browser could be started.",
        advice="Install Chrome, Edge or Chromium, or name one with channel= or executable=; with "
        "no screen, use headless=True.",
    )


@asynccontextmanager
async def own_browser_async(
    *, channel: str | None, executable: str | None, headless: bool
) -> AsyncGenerator[Context]:
    """A browser that lives as long as this block.

    Raises:
        ConfigurationError: There is none.
    """
    async with async_playwright() as playwright:
        context = await launch_async(
            playwright, channel=channel, executable=executable, headless=headless
        )
        try:
            yield context
        finally:
            if context.browser is not None:
                await context.browser.close()


class AsyncDriver(Shielded):
    """Does what the flows say in one browser; starts it when it is first needed.

    Args:
        address: The portal's.
        context: A browser of the caller's, which is not closed here.
        channel: Which browser to start, by Playwright's name.
        executable: Which browser to start, by its file.
        headless: Without a window.
        patience: How long a click may take, in seconds.
    """

    def __init__(
        self,
        address: str,
        *,
        context: BrowserContext | None,
        channel: str | None,
        executable: str | None,
        headless: bool,
        patience: float = 8.0,
    ) -> None:
        self._address = address
        self._given = context
        self._choice = {"channel": channel, "executable": executable}
        self._headless = headless
        self._patience = patience
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._others: set[Page] = set()
        self._led: set[Page] = set()  # those of them that were at 3Shape
        self._handles: list[JSHandle] = []
        self._waiting: dict[Request, Page | None] = {}
        self._refused = self._answers = 0
        self._said: list[str] = []
        self._asked: list[str] = []
        # A dialog is answered only while this acts: else a person has the window.
        self._acting = False
        self._dialogs: list[Dialog] = []
        # While 3Shape's window is watched: where it shall be sent back to, and was.
        self._watching = False
        self._before: dict[Page, str] | None = None
        self._away: set[Page] = set()
        self._redirect: str | None = None
        self._arrived: str | None = None

    async def perform(self, action: Action) -> Any:
        """Do it.

        Raises:
            Obstructed: It did not get through.
            NotDelivered: The portal cannot be reached.
            ConfigurationError: There is no browser.
        """
        if not isinstance(action, Look | Arrived):
            self._said.clear()
        self._acting = True
        try:
            await self._answer_dialogs()
            return await self._perform(action)
        finally:
            self._acting = False

    async def _perform(self, action: Action) -> Any:
        match action:
            case Look(seconds):
                return await self._look(seconds)
            case Open():
                return await self._open()
            case Arrived():
                return await self._arrival()
            case Press(thing, leads_away):
                if leads_away:
                    self._watch()
                return await self._act(thing, "click")
            case Fill(thing, text):
                return await self._act(thing, "fill", text)
            case Submit(thing):
                return await self._act(thing, "press", "Enter")
            case Choose(thing, option):
                return await self._act(thing, "select_option", label=option)

    async def aclose(self) -> None:
        """Close what was started here."""
        context, self._context = self._context, None
        if context is not None and self._given is None and context.browser is not None:
            await context.browser.close()
        elif context is not None:
            for name, listener in self._listeners():
                context.remove_listener(name, listener)
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            await playwright.stop()

    # --- windows ----------------------------------------------------------------------------

    async def _start(self) -> BrowserContext:
        if self._context is not None and self._is_there(self._context):
            return self._context
        context = self._given
        if context is None:
            try:
                self._playwright = self._playwright or await async_playwright().start()
            except Error as error:
                raise ConfigurationError(
                    "A browser cannot be driven from inside a running event loop.",
                    advice="Use AsyncBrowserPortal there.",
                ) from error
            context = await launch_async(self._playwright, headless=self._headless, **self._choice)
        self._others = set(context.pages)
        for name, listener in self._listeners():
            context.on(name, listener)
        self._context = context
        return context

    def _is_there(self, context: BrowserContext) -> bool:
        """Whether a person has left it open; the caller's is theirs."""
        return self._given is not None or context.browser is None or context.browser.is_connected()

    def _listeners(self) -> list[tuple[Any, Any]]:
        return [
            ("request", self._request),
            ("requestfinished", self._request_over),
            ("requestfailed", self._request_over),
            ("response", self._response),
            ("dialog", self._dialog),
        ]

    async def _open(self) -> None:
        context = await self._start()
        if await self._come_back():
            return
        if self._page is None or self._page.is_closed() or self._page not in self._windows():
            try:
                self._page = await context.new_page()
            except Error as error:
                raise ConfigurationError(
                    "The browser that was given has been closed.",
                    advice="Make another BrowserPortal, with a context that is open.",
                ) from error
        try:
            await self._page.goto(self._address, wait_until="domcontentloaded")
        except Error as error:
            raise NotDelivered(
                f"OrmcoDigital cannot be reached at {urlsplit(self._address).hostname}."
            ) from error

    def _windows(self) -> list[Page]:
        """The portal's own windows: not 3Shape's, and not others of the caller's."""
        if self._context is None:
            return []
        return [
            page
            for page in self._context.pages
            if page not in self._others and not page.is_closed() and not self._left(page)
        ]

    def _left(self, page: Page) -> bool:
        """Whether *here* opened this window, or led it away."""
        new = self._before is not None and page not in self._before
        return page in self._away or (new and self._redirect is not None)

    async def _look(self, seconds: float) -> Seen:
        # Also while the portal's only window is at 3Shape.
        open_now = self._windows() or (self._context.pages if self._context is not None else [])
        if open_now:
            with suppress(Error):  # it may be closed meanwhile
                await open_now[0].wait_for_timeout(seconds * 1000)
        for handle in self._handles:
            with suppress(Error):
                await handle.dispose()
        self._handles.clear()
        seen: list[Window] = []
        busy = False
        for page in self._windows():
            window, ready = await self._see(page, 100 * len(seen))
            busy = busy or not ready
            if window is not None:
                seen.append(window)
        waiting = [page for page in self._waiting.values() if page in self._windows()]
        busy = busy or bool(waiting)
        return Seen(
            tuple(seen),
            busy=busy,
            refused=self._refused,
            answers=self._answers,
            said=tuple(self._said),
            asked=tuple(self._asked),
        )

    async def _see(self, page: Page, number: int) -> tuple[Window | None, bool]:
        """One window with its frames, and whether it is at rest."""
        things: list[Thing] = []
        words: dict[str, bool] = {}
        main: dict[str, Any] = {}
        ready = True
        for frame in page.frames:
            try:
                if frame.parent_frame is not None:
                    element = await frame.frame_element()
                    if not await element.is_visible():
                        continue
                made = await frame.evaluate_handle(_SCRIPT)
                elements = await made.get_property("elements")
                seen = await (await made.get_property("seen")).json_value()
            except Error:
                ready = False  # it is being loaded
                continue
            self._handles += [made, elements]
            main = main or seen
            ready = ready and seen["ready"]
            number += 1
            origin = _origin(frame)
            trusted = sites.belongs(origin, self._address)
            # What somebody else shows in a frame of the page is read, and not touched.
            for index, each in enumerate(seen["things"]):
                goes = each.get("sends_to", "")
                own = trusted and (not goes or sites.belongs(goes, self._address))
                if trusted or sites.belongs(origin, page.url):
                    things.append(_thing(each, number, (elements, index), trusted=own))
            words |= {line: loud or words.get(line, False) for line, loud in seen["words"]}
        if not main:
            return None, ready
        heading = main["heading"] or main["title"]
        return Window(main["url"], heading, tuple(things), tuple(words.items())), ready

    # --- doing ------------------------------------------------------------------------------

    async def _act(self, thing: Thing, what: str, *values: str, **named: str) -> None:
        elements, index = thing.ref
        try:
            element = (await elements.get_property(str(index))).as_element()
            frame = await element.owner_frame()
            # A window behind another draws too seldom for a click.
            await frame.page.bring_to_front()
        except (AttributeError, Error):
            raise Obstructed from None
        try:
            await getattr(element, what)(*values, **named, timeout=self._patience * 1000)
            # It was drawn again while it was typed in.
            if what == "fill" and await element.evaluate("(field) => field.value === ''"):
                raise Obstructed
        except Error as error:
            # Without the error: it may hold what was typed.
            raise (Obstructed if "not attached" in error.message else Covered) from None

    async def _arrival(self) -> str | None:
        """Where 3Shape's window came."""
        if self._arrived is not None:
            await self._come_back()
        return self._arrived

    async def _come_back(self) -> bool:
        """Take a tab of the portal that was led away back to where it was."""
        back = {page: url for page, url in (self._before or {}).items() if page in self._away}
        self._away -= back.keys()
        self._leave_alone()
        for page, url in back.items():
            with suppress(Error):
                await page.goto(url, wait_until="domcontentloaded")
        return bool(back)

    # --- listening --------------------------------------------------------------------------

    def _watch(self) -> None:
        self._leave_alone()
        self._watching, self._arrived = True, None
        self._before = {page: page.url for page in self._windows()}

    def _leave_alone(self) -> None:
        """3Shape's window has done its part, or another one takes its place."""
        if self._context is not None:
            self._led |= {page for page in self._context.pages if self._left(page)}
            self._others |= self._led
        self._away.clear()
        self._before = self._redirect = None

    def _request(self, request: Request) -> None:
        page = _page_of(request)
        if request.resource_type not in _LEFT_OUT:
            self._waiting[request] = page
        if not _is_window(request):
            return
        away = page in self._led or (page in self._away and not self._watching)
        if away and page is not None and sites.belongs(request.url, self._address):
            # *Connect* opens the same window again.
            for pages in (self._led, self._away, self._others):
                pages.discard(page)
        if not self._watching or page in self._others:
            return
        redirect = sites.redirect_of(request.url)
        if redirect is not None and self._redirect is None:
            self._redirect = redirect
        if self._redirect is not None and page is not None:
            self._away.add(page)
        if self._redirect is not None and sites.brings_code(request.url, self._redirect):
            self._arrived, self._watching = request.url, False

    def _request_over(self, request: Request) -> None:
        self._waiting.pop(request, None)

    def _response(self, response: Response) -> None:
        kind = response.request.resource_type
        ours = _page_of(response.request) not in self._away | self._others
        if ours and kind in {"document", "fetch", "xhr"}:
            self._answers += 1
            self._refused += response.status >= 400

    async def _dialog(self, dialog: Dialog) -> None:
        self._dialogs.append(dialog)
        if not self._acting:
            return
        if dialog.type in {"confirm", "prompt"}:
            self._asked.append(dialog.message)
        await self._answer_dialogs()

    async def _answer_dialogs(self) -> None:
        """Of those that came while a person was at it, what is still open."""
        while self._dialogs:
            dialog = self._dialogs.pop()
            leaves = dialog.type == "beforeunload"
            if not leaves:
                self._said.append(dialog.message)
            try:
                await (dialog.accept() if leaves else dialog.dismiss())
            except Error:  # a person has answered it
                if not leaves:
                    self._said.remove(dialog.message)


def _origin(frame: Frame) -> str:
    """Where a frame comes from: one that the page around it has written is that page's."""
    while frame.url in {"about:blank", "about:srcdoc", ""} and frame.parent_frame is not None:
        frame = frame.parent_frame
    return frame.url


def _page_of(request: Request) -> Page | None:
    """The window of a request; None where it is so new that it is not known yet."""
    try:
        return request.frame.page
    except Error:
        return None


def _is_window(request: Request) -> bool:
    """Whether a whole window goes there, and no frame of one."""
    if not request.is_navigation_request():
        return False
    try:
        return request.frame.parent_frame is None
    except Error:
        return True  # the first request of a new window


def _thing(each: dict[str, Any], frame: int, ref: Any, *, trusted: bool) -> Thing:
    values: dict[str, Any] = dict(each)
    for name in {"path", "box", "options"} & values.keys():
        values[name] = tuple(values[name])
    return Thing(**values, frame=frame, ref=ref, trusted=trusted)
