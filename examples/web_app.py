"""A web back end that connects practices, with any number of workers over one database.

What a worker remembers stands in the database and nowhere else, so any worker can do the next
step of any practice, and a worker that dies takes nothing with it::

    export ORMCO_TRIOS_CLIENT_ID=… PUBLIC_URL=https://connect.example DATABASE=practices.db
    uvicorn --factory --workers 2 web_app:make_app

It needs the packages starlette and uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ormco_trios import (
    AsyncCommunicateClient,
    AsyncOAuthClient,
    AsyncOnboarding,
    AsyncOrmcoDigitalClient,
    AuthorizationServer,
    Checklist,
    Environment,
    FileTokenStore,
    NeedsAuthorization,
    Progress,
    Waiting,
    errors,
)

LOG = logging.getLogger("web_app")

LEASE = 120.0
"""Seconds after which a worker that took a practice and did not give it back counts as dead."""

TEND = 1.0
"""Seconds between two looks for practices whose next round is due."""


Changes = dict[str, str | float | None]
"""New values of columns."""

PASSING = (errors.TransportError, errors.ServerError, errors.RateLimited)
"""What time mends; with all else, a person has to act first."""


class Practices:
    """The table of practices.

    A worker *takes* one before it does anything with it and *gives it back* with what has changed,
    so that no two workers do a round of the same practice at once.
    """

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            """CREATE TABLE IF NOT EXISTS practice (
                session TEXT PRIMARY KEY,  -- of the browser that started it
                username TEXT NOT NULL,
                password TEXT NOT NULL,    -- encrypt this, and progress, in a real application
                account TEXT NOT NULL,     -- e-mail of the 3Shape account that is meant, or ''
                progress TEXT NOT NULL,
                due REAL,                  -- when the next round is due; NULL: nothing to do
                taken_until REAL NOT NULL DEFAULT 0,
                link TEXT,                 -- what a person has to open, and why
                explanation TEXT NOT NULL DEFAULT '',
                problem TEXT NOT NULL DEFAULT '',
                checklist TEXT NOT NULL DEFAULT ''
            )"""
        )

    def add(self, username: str, password: str, account: str) -> str:
        session = secrets.token_urlsafe(32)
        self._db.execute(
            "INSERT INTO practice (session, username, password, account, progress, due)"
            " VALUES (?, ?, ?, ?, ?, 0)",
            (session, username, password, account, Progress().to_json()),
        )
        return session

    def of(self, session: str) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM practice WHERE session = ?", (session,)
        ).fetchone()
        return found

    def take(self, session: str) -> sqlite3.Row | None:
        """The practice, for this worker alone; None if another one has it."""
        return self._take("session = :session", session=session)

    def take_due(self) -> sqlite3.Row | None:
        """A practice whose next round is due and that no worker has."""
        return self._take("due <= :now")

    def _take(self, which: str, **values: str) -> sqlite3.Row | None:
        now = time.time()
        (*taken,) = self._db.execute(
            "UPDATE practice SET taken_until = :until WHERE session = ("
            f"SELECT session FROM practice WHERE {which} AND taken_until < :now LIMIT 1"
            ") RETURNING *",
            {"now": now, "until": now + LEASE, **values},
        )
        return taken[0] if taken else None

    def change(self, row: sqlite3.Row, changes: Changes) -> None:
        """Write what has changed, unless another worker has taken the practice over meanwhile."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        self._db.execute(
            f"UPDATE practice SET {columns} WHERE session = ? AND taken_until = ?",
            (*changes.values(), row["session"], row["taken_until"]),
        )

    def give_back(self, row: sqlite3.Row, changes: Changes) -> None:
        self.change(row, {**changes, "taken_until": 0})

    def look_now(self, session: str) -> None:
        self._db.execute("UPDATE practice SET due = 0 WHERE session = ?", (session,))


class Worker:
    """What one process does: serve pages, and do the rounds that are due."""

    def __init__(self) -> None:
        self.environment = Environment.from_env()
        self.public_url = os.environ["PUBLIC_URL"].rstrip("/")
        database = os.environ["DATABASE"]
        self.practices = Practices(database)
        # For workers on one machine; on several, an `AsyncTokenStore` over your database.
        self.tokens = FileTokenStore(Path(f"{database}.tokens"))

    @contextlib.asynccontextmanager
    async def onboarding(self, row: sqlite3.Row) -> AsyncIterator[AsyncOnboarding]:
        async with (
            AsyncOAuthClient(
                self.environment,
                client_id=os.environ["ORMCO_TRIOS_CLIENT_ID"],
                client_secret=os.environ.get("ORMCO_TRIOS_CLIENT_SECRET"),
                redirect_uri=f"{self.public_url}/callback",
                server=AuthorizationServer.account(),
                store=self.tokens,
                # Not the user name: anybody can type that, and would be given its tokens.
                account=row["session"],
            ) as oauth,
            AsyncCommunicateClient(self.environment, auth=oauth.auth) as communicate,
            AsyncOrmcoDigitalClient(
                self.environment, username=row["username"], password=row["password"]
            ) as ormco,
        ):
            yield AsyncOnboarding(
                communicate=communicate,
                ormco=ormco,
                oauth=oauth,
                account=row["account"] or None,
                progress=Progress.from_json(row["progress"]),
            )

    async def round(
        self, row: sqlite3.Row, address: str | None = None, account_shown: str | None = None
    ) -> None:
        """One round of a practice that was taken: a few requests, and what came of them is kept.

        The address that a person came back with is used up in here, in the request that brought
        it: a code lives three minutes, so it never goes into a queue.
        """
        changes: Changes = {"problem": "", "due": None}
        async with self.onboarding(row) as onboarding:
            try:
                if address is not None:
                    # From here on the link counts as used, also if this process dies now.
                    used = replace(onboarding.progress, pending=None)
                    self.practices.change(row, {"progress": used.to_json()})
                    try:
                        await onboarding.finish_authorization(address, account_shown=account_shown)
                    except (errors.AuthorizationError, errors.OutcomeUnknown) as error:
                        # Its text says what to do, and holds nothing that must not be shown.
                        changes["problem"] = str(error)
                try:
                    outcome = await onboarding.advance()
                except errors.WrongAccount as error:
                    # Its sign-in was dropped, so there is a fresh link for the right one.
                    changes["problem"] = str(error)
                    outcome = await onboarding.advance()
            except errors.OrmcoTriosError as error:
                changes["problem"] = str(error)
                if isinstance(error, PASSING):
                    changes["due"] = time.time() + 60
            else:
                changes.update(link=None, explanation="")
                changes["checklist"] = outcome.checklist.model_dump_json()
                if isinstance(outcome, NeedsAuthorization):
                    said = f"{outcome.purpose.explanation} {outcome.hint}"
                    changes.update(link=outcome.url, explanation=said)
                elif isinstance(outcome, Waiting):
                    changes["due"] = outcome.until.timestamp()
            finally:
                # Also if it was cancelled: the next round goes on from here.
                changes["progress"] = onboarding.progress.to_json()
                self.practices.give_back(row, changes)

    async def tend(self) -> None:
        """Do what is due, for ever; every worker does this, and they share the work."""
        while True:
            while (row := self.practices.take_due()) is not None:
                try:
                    await self.round(row)
                except Exception:
                    LOG.exception("a round failed in an unforeseen way")
            await asyncio.sleep(TEND)

    # --- pages ------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """The first round is done at once, so that the page that follows has the link."""
        form = await _form(request)
        account = form.get("account", "").strip()
        if account and not re.fullmatch(r"[^@\s]+@[^@\s]+", account):
            return HTMLResponse("The 3Shape account is an e-mail address.", 422)
        session = self.practices.add(form.get("username", ""), form.get("password", ""), account)
        row = self.practices.take(session)
        if row is not None:
            await self.round(row)
        response = RedirectResponse("/", 303)
        # Lax, since the browser has to send it when 3Shape sends it back here.
        response.set_cookie(
            "practice",
            session,
            httponly=True,
            samesite="lax",
            secure=self.public_url.startswith("https:"),
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Where 3Shape sends the browser.

        The practice is the one of the browser's cookie, and its pending authorization knows which
        ``state`` it expects: an address that somebody else began is refused.
        """
        return await self._finish(request, str(request.url))

    async def paste(self, request: Request) -> Response:
        """For authorizations that lead to another site, as Ormco's own does."""
        form = await _form(request)
        return await self._finish(request, form.get("address", ""), form.get("account_shown"))

    async def _finish(
        self, request: Request, address: str, account_shown: str | None = None
    ) -> Response:
        known = self._mine(request)
        if known is None:
            return HTMLResponse("Start here first.", 403)
        for _ in range(50):
            row = self.practices.take(known["session"])
            if row is not None:
                await self.round(row, address, account_shown)
                return RedirectResponse("/", 303)
            await asyncio.sleep(0.1)  # another worker is about to finish a round of it
        return HTMLResponse("Please send this once more.", 503)

    async def look(self, request: Request) -> Response:
        """Make the next round due now; whichever worker comes first does it."""
        self.practices.look_now(request.cookies.get("practice", ""))
        return RedirectResponse("/", 303)

    async def page(self, request: Request) -> Response:
        """Where it stands; reads the database and nothing else."""
        row = self._mine(request)
        return HTMLResponse(START if row is None else _standing(row))

    def _mine(self, request: Request) -> sqlite3.Row | None:
        return self.practices.of(request.cookies.get("practice", ""))


class SameOrigin:
    """Refuses every form that was not sent from a page of ours."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self.app, self.origin = app, origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] != "http" or scope["method"] in ("GET", "HEAD")
        if reads or Headers(scope=scope).get("origin") == self.origin:
            await self.app(scope, receive, send)
        else:
            await PlainTextResponse("Not from here.", 403)(scope, receive, send)


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > 65536:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _standing(row: sqlite3.Row) -> str:
    parts = ["<!doctype html><title>Connect</title>"]
    if row["problem"]:
        parts.append(f'<p role="alert">{escape(row["problem"])}</p>')
    if row["link"]:
        parts.append(
            f"<p>{escape(row['explanation'])}</p>"
            f'<p><a href="{escape(row["link"])}">Sign in to 3Shape and allow access</a></p>'
            "<p>If you end on another site, copy the ENTIRE address of that page and paste it here"
            " within three minutes:</p>"
            '<form method="post" action="/paste">'
            '<input name="address" size="60" autocomplete="off">'
            "<label>E-mail that 3Shape's page showed, if it did "
            '<input name="account_shown" autocomplete="off"></label>'
            "<button>Send</button></form>"
        )
    if row["checklist"]:
        parts.append(Checklist.model_validate_json(row["checklist"])._repr_html_())
    parts.append('<form method="post" action="/look"><button>Look again now</button></form>')
    return "".join(parts)


START = """<!doctype html><title>Connect</title>
<form method="post" action="/start">
<input name="username" placeholder="OrmcoDigital user name" autocomplete="username">
<input name="password" type="password" placeholder="password" autocomplete="current-password">
<input name="account" type="email" placeholder="e-mail of your 3Shape account">
<button>Connect</button></form>"""


def make_app() -> Starlette:
    worker = Worker()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(worker.tend())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return Starlette(
        routes=[
            Route("/", worker.page),
            Route("/start", worker.start, methods=["POST"]),
            Route("/callback", worker.callback),
            Route("/paste", worker.paste, methods=["POST"]),
            Route("/look", worker.look, methods=["POST"]),
        ],
        middleware=[Middleware(SameOrigin, origin=worker.public_url)],
        lifespan=lifespan,
    )
