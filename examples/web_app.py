"""A web back end that connects practices, with any number of workers over one database.

What a worker remembers is in the database, so any worker can do the next step of any
practice, and a worker that dies takes nothing with it, but for one thing: the code that a practice
is entering at OrmcoDigital is in the memory of the worker that took it, and nowhere else::

    export ORMCO_TRIOS_CLIENT_ID=… PUBLIC_URL=https://connect.example DATABASE=practices.db
    uvicorn --factory --workers 2 web_app:make_app

No password is asked for: the practice signs in to 3Shape itself, and does OrmcoDigital's part
itself, as the pages say.  It needs the packages starlette and uvicorn.
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
from dataclasses import dataclass, replace
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
    Address,
    AsyncCommunicateClient,
    AsyncOAuthClient,
    AsyncOnboarding,
    AuthorizationServer,
    Checklist,
    Connected,
    Environment,
    FileTokenStore,
    NeedsAuthorization,
    NeedsPerson,
    Outcome,
    Progress,
    Repair,
    TaskAnswer,
    Waiting,
    errors,
)
from ormco_trios.forms import SCRIPT, STYLE, read_answer

LOG = logging.getLogger("web_app")

LEASE = 120.0
"""Seconds after which a worker that took a practice and did not give it back counts as dead."""

TEND = 1.0
"""Seconds between two looks for practices whose next round is due."""

SHOWN = 600.0
"""Seconds for which a worker can show a code again; it works for three minutes."""

Changes = dict[str, str | float | None]
"""New values of columns."""

PASSING = (errors.TransportError, errors.ServerError, errors.RateLimited)
"""What time mends; with all else, a person has to act first."""


@dataclass(frozen=True)
class Wish:
    """What the page asks for in a round.

    Attributes:
        redirected: The address that 3Shape has sent the browser to.
        answer: What a form has sent: an address from elsewhere, or how a task went.
        task: The id of the task that it was about.
        repair: A repair to begin.
        disconnect: Take everything back.
    """

    redirected: str | None = None
    answer: TaskAnswer | None = None
    task: str | None = None
    repair: Repair | None = None
    disconnect: bool = False


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
                id TEXT PRIMARY KEY,
                browser TEXT NOT NULL,     -- the cookie of the one that started it
                account TEXT NOT NULL,     -- e-mail of the 3Shape account that is meant, or ''
                progress TEXT NOT NULL,    -- encrypt this in a real application
                due REAL,                  -- when the next round is due; NULL: nothing to do
                taken_until REAL NOT NULL DEFAULT 0,
                form TEXT NOT NULL DEFAULT '',  -- what a person has to do, without any code
                has_code INTEGER NOT NULL DEFAULT 0,  -- a worker can show one with it
                problem TEXT NOT NULL DEFAULT '',
                checklist TEXT NOT NULL DEFAULT '',
                gone TEXT NOT NULL DEFAULT '',  -- what disconnecting has done at each place
                rounds INTEGER NOT NULL DEFAULT 0
            )"""
        )

    def add(self, browser: str, account: str) -> str:
        practice = secrets.token_urlsafe(12)
        self._db.execute(
            "INSERT INTO practice (id, browser, account, progress, due) VALUES (?, ?, ?, ?, 0)",
            (practice, browser, account, Progress().to_json()),
        )
        return practice

    def of(self, browser: str) -> list[sqlite3.Row]:
        """The practices that this browser started, the newest first."""
        return self._db.execute(
            "SELECT * FROM practice WHERE browser = ? ORDER BY rowid DESC", (browser,)
        ).fetchall()

    def take(self, practice: str) -> sqlite3.Row | None:
        """The practice, for this worker alone; None if another one has it."""
        return self._take("id = :id", id=practice)

    def take_due(self) -> sqlite3.Row | None:
        """A practice whose next round is due and that no worker has."""
        return self._take("due <= :now")

    def _take(self, which: str, **values: str) -> sqlite3.Row | None:
        now = time.time()
        (*taken,) = self._db.execute(
            "UPDATE practice SET taken_until = :until WHERE id = ("
            f"SELECT id FROM practice WHERE {which} AND taken_until < :now LIMIT 1"
            ") RETURNING *",
            {"now": now, "until": now + LEASE, **values},
        )
        return taken[0] if taken else None

    def change(self, row: sqlite3.Row, changes: Changes) -> None:
        """Write what has changed, unless another worker has taken the practice over meanwhile."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        self._db.execute(
            f"UPDATE practice SET {columns} WHERE id = ? AND taken_until = ?",
            (*changes.values(), row["id"], row["taken_until"]),
        )

    def give_back(self, row: sqlite3.Row, changes: Changes) -> None:
        self.change(row, {**changes, "rounds": row["rounds"] + 1, "taken_until": 0})


class Worker:
    """What one process does: serve pages, and do the rounds that are due."""

    def __init__(self) -> None:
        self.environment = Environment.from_env()
        self.public_url = os.environ["PUBLIC_URL"].rstrip("/")
        database = os.environ["DATABASE"]
        self.practices = Practices(database)
        # For workers on one machine; on several, an `AsyncTokenStore` over your database.
        self.tokens = FileTokenStore(Path(f"{database}.tokens"))
        # Forms with a code in them, by practice, and until when: in this process and nowhere else.
        self.codes: dict[str, tuple[str, float]] = {}

    @contextlib.asynccontextmanager
    async def onboarding(self, row: sqlite3.Row) -> AsyncIterator[AsyncOnboarding]:
        async with (
            AsyncOAuthClient(
                self.environment,
                client_id=os.environ["ORMCO_TRIOS_CLIENT_ID"],
                client_secret=os.environ.get("ORMCO_TRIOS_CLIENT_SECRET"),
                redirect_uri=f"{self.public_url}/callback",
                server=AuthorizationServer.named(os.environ.get("ORMCO_TRIOS_DIALECT", "account")),
                store=self.tokens,
                # Not the e-mail: any visitor can type that, and would be given its tokens.
                account=row["id"],
            ) as oauth,
            AsyncCommunicateClient(self.environment, auth=oauth.auth) as communicate,
        ):
            yield AsyncOnboarding(
                communicate=communicate,
                oauth=oauth,
                account=row["account"] or None,
                progress=Progress.from_json(row["progress"]),
            )

    async def round(self, row: sqlite3.Row, wish: Wish | None = None) -> None:
        """One round of a practice that was taken: a few requests, and what came of them is kept.

        What a person brought is used up in here, in the request that brought it: a code lives three
        minutes, so it never goes into a queue.
        """
        wish = wish or Wish()
        changes: Changes = {"problem": "", "due": None, "gone": ""}
        async with self.onboarding(row) as onboarding:
            try:
                if wish.disconnect:
                    gone = await onboarding.disconnect(sign_out=True)
                    changes |= {"gone": str(gone), "form": "", "has_code": 0, "checklist": ""}
                    return
                try:
                    await self._use(row, onboarding, wish)
                except (errors.AuthorizationError, errors.OutcomeUnknown) as error:
                    # Its text says what to do, and holds nothing that must not be shown.
                    changes["problem"] = error.message
                try:
                    outcome = await onboarding.advance(repair=wish.repair)
                except errors.WrongAccount as error:
                    # Its sign-in was dropped, so there is a fresh link for the right one.
                    changes["problem"] = error.message
                    outcome = await onboarding.advance()
            except errors.OrmcoTriosError as error:
                changes["problem"] = error.message
                if isinstance(error, PASSING):
                    changes["due"] = time.time() + 60
            else:
                changes |= self._shown(row["id"], outcome)
            finally:
                # Also if it was cancelled: the next round goes on from here.
                changes["progress"] = onboarding.progress.to_json()
                self.practices.give_back(row, changes)

    async def _use(self, row: sqlite3.Row, onboarding: AsyncOnboarding, wish: Wish) -> None:
        """What the person brought; an address counts as used also if this process dies over it."""
        before = onboarding.progress
        address = None if wish.redirected is None else Address(wish.redirected)
        if before.pending is not None and isinstance(wish.answer, Address):
            address = wish.answer  # of a sign-in that did not lead back here
        if address is not None:
            used = replace(before, pending=None)
            self.practices.change(row, {"progress": used.to_json()})
            await onboarding.finish_authorization(address.text, account_shown=address.account_shown)
        elif wish.answer is not None:
            await onboarding.finish_task(wish.answer, id=wish.task)

    def _shown(self, practice: str, outcome: Outcome) -> Changes:
        """What the page shows from now on."""
        self.codes.pop(practice, None)
        answer = f"/practice/{practice}/answer"
        checklist = outcome.checklist.model_dump_json()
        changes: Changes = {"form": "", "has_code": 0, "checklist": checklist}
        match outcome:
            case NeedsAuthorization():
                changes["form"] = outcome.form(answer, comes_back=True)
            case NeedsPerson():
                task = outcome.task
                if task.text is not None:
                    self.codes[practice] = (outcome.form(answer), time.monotonic() + SHOWN)
                    outcome = replace(outcome, task=replace(task, text=None))
                    changes["has_code"] = 1
                changes["form"] = outcome.form(answer)
            case Waiting():
                changes["due"] = outcome.until.timestamp()
            case Connected():
                if outcome.repaired is not None and outcome.repaired.interruption is not None:
                    changes["problem"] = str(outcome.repaired.interruption)
        return changes

    async def tend(self) -> None:
        """Do what is due, for ever; every worker does this, and they share the work."""
        while True:
            now = time.monotonic()
            self.codes = {key: kept for key, kept in self.codes.items() if kept[1] > now}
            while (row := self.practices.take_due()) is not None:
                try:
                    await self.round(row)
                except Exception:
                    LOG.exception("a round failed in an unforeseen way")
            await asyncio.sleep(TEND)

    # --- pages ------------------------------------------------------------------------------

    async def home(self, request: Request) -> Response:
        """The practices of this browser, and a form to begin with one more."""
        mine = self.practices.of(_browser(request))
        if len(mine) == 1 and "more" not in request.query_params:
            return RedirectResponse(f"/practice/{mine[0]['id']}", 303)
        listed = "".join(
            f'<li><a href="/practice/{row["id"]}">{_name(row)}</a></li>' for row in mine
        )
        return _page(f"<h2>Your practices</h2><ul>{listed}</ul>{START}" if mine else START)

    async def start(self, request: Request) -> Response:
        """The first round is done at once, so that the page that follows has the link."""
        account = (await _form(request)).get("account", "").strip()
        if account and not re.fullmatch(r"[^@\s]+@[^@\s]+", account):
            return _page("<p>The 3Shape account is an e-mail address.</p>", status=422)
        browser = _browser(request)
        if not self.practices.of(browser):
            browser = secrets.token_urlsafe(32)  # one that only we have chosen
        practice = self.practices.add(browser, account)
        row = self.practices.take(practice)
        if row is not None:
            await self.round(row)
        response = RedirectResponse(f"/practice/{practice}", 303)
        # Lax, since the browser has to send it when 3Shape sends it back here.
        response.set_cookie(
            "browser",
            browser,
            httponly=True,
            samesite="lax",
            secure=self.public_url.startswith("https:"),
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Where 3Shape sends the browser.

        The practice is one of this browser's: the one whose pending authorization expects this
        ``state``. An address that another visitor began is refused.
        """
        mine = self.practices.of(_browser(request))
        state = request.query_params.get("state")
        waiting = (row for row in mine if state is not None and _expects(row) == state)
        row = next(waiting, mine[0] if mine else None)
        return await self._do(row, Wish(redirected=str(request.url)))

    async def answer(self, request: Request) -> Response:
        """What the page's forms send: an address from elsewhere, or how a task went."""
        fields = await _form(request)
        wish = Wish(answer=read_answer(fields), task=fields.get("task"))
        return await self._do(self._mine(request), wish)

    async def repair(self, request: Request) -> Response:
        """Begin a repair, though all looks well: scans do not arrive."""
        return await self._do(self._mine(request), Wish(repair=Repair.AUTHORIZE_AGAIN))

    async def disconnect(self, request: Request) -> Response:
        """Take everything back, and show what became of each place."""
        return await self._do(self._mine(request), Wish(disconnect=True))

    async def again(self, request: Request) -> Response:
        """Another look, and the first step again where the code is in another process."""
        return await self._do(self._mine(request), Wish())

    async def _do(self, known: sqlite3.Row | None, wish: Wish) -> Response:
        if known is None:
            return _page("<p>Start here first.</p>", status=403)
        for _ in range(50):
            row = self.practices.take(known["id"])
            if row is not None:
                await self.round(row, wish)
                return RedirectResponse(f"/practice/{row['id']}", 303)
            await asyncio.sleep(0.1)  # another worker is about to finish a round of it
        return _page("<p>Please send this once more.</p>", status=503)

    async def page(self, request: Request) -> Response:
        """Its status; reads the database, and what this process alone knows."""
        row = self._mine(request)
        if row is None:
            return _page(START, status=404)
        return _page(
            f'<p>{_name(row)} &middot; <a href="/?more">Connect another practice</a></p>'
            f'<div aria-live="polite" data-round="{row["rounds"]}">{self._now(row)}</div>'
        )

    async def changed(self, request: Request) -> Response:
        """What has changed on the page since a round; its script asks, so nobody has to reload."""
        row = self._mine(request)
        if row is None or request.query_params.get("since") == str(row["rounds"]):
            return Response(status_code=204)
        return HTMLResponse(self._now(row), headers={**HEADERS, "Round": str(row["rounds"])})

    async def script(self, _: Request) -> Response:
        return Response(SCRIPT + WATCH, media_type="text/javascript")

    def _now(self, row: sqlite3.Row) -> str:
        return _status(row, self.codes.get(row["id"], (None, 0.0))[0])

    def _mine(self, request: Request) -> sqlite3.Row | None:
        wanted = request.path_params["practice"]
        mine = self.practices.of(_browser(request))
        return next((row for row in mine if row["id"] == wanted), None)


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


def _browser(request: Request) -> str:
    return request.cookies.get("browser", "")


def _name(row: sqlite3.Row) -> str:
    return escape(row["account"] or "A practice")


def _expects(row: sqlite3.Row) -> str | None:
    """The ``state`` of the link that this practice has been shown."""
    pending = Progress.from_json(row["progress"]).pending
    state = None if pending is None else pending[1].state
    return None if state is None else state.get_secret_value()


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > 262_144:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _status(row: sqlite3.Row, with_code: str | None) -> str:
    here = f"/practice/{row['id']}"
    parts: list[str] = []
    if row["problem"]:
        parts.append(f'<p role="alert">{escape(row["problem"])}</p>')
    if row["gone"]:
        places = "".join(f"<li>{escape(line)}</li>" for line in row["gone"].splitlines())
        parts.append(f"<h2>Disconnected</h2><ul>{places}</ul>")
        return "".join((*parts, _button(f"{here}/again", "Connect again")))
    parts.append(with_code or row["form"])
    if row["has_code"] and not with_code:
        # It was taken by another process, or by one that has ended.
        parts.append(
            "<p>What to paste is shown by the process that took your address: load this page "
            "again. If it does not come, begin again.</p>"
        )
    if row["checklist"]:
        checklist = Checklist.model_validate_json(row["checklist"])
        parts.append(
            f"<details{'' if row['form'] else ' open'}>"
            f"<summary>{escape(checklist.summary)}</summary>"
            f"{checklist._repr_html_()}</details>"
        )
    if not with_code:
        parts.append(
            _button(f"{here}/again", "Begin again" if row["has_code"] else "Look again now")
        )
    if not row["form"]:
        parts.append(
            "<details><summary>Scans do not arrive</summary><p>Ormco's access is taken away and "
            "given again. Have the sign-ins of OrmcoDigital and 3Shape at hand.</p>"
            f"{_button(f'{here}/repair', 'Repair')}</details>"
        )
    parts.append(
        "<details><summary>Disconnect</summary><p>Scans can no longer be sent afterwards.</p>"
        f"{_button(f'{here}/disconnect', 'Disconnect')}</details>"
    )
    return "".join(parts)


def _button(action: str, words: str) -> str:
    return f'<form method="post" action="{action}"><button class="plain">{words}</button></form>'


WATCH = """
const shown = document.querySelector("[data-round]");
if (shown) setInterval(async () => {
  if (document.hidden) return;
  const since = shown.dataset.round;
  const answer = await fetch(`${location.pathname}/changed?since=${since}`).catch(() => null);
  if (answer === null || answer.status !== 200) return;
  const summaries = () => [...shown.querySelectorAll("details > summary")];
  const open = summaries().filter(one => one.parentElement.open).map(one => one.textContent);
  shown.innerHTML = await answer.text();
  shown.dataset.round = answer.headers.get("Round");
  for (const one of summaries()) one.parentElement.open ||= open.includes(one.textContent);
}, 2000);
"""
"""Shows what other rounds have changed, such as the approval, without loading the page again."""

START = """<section class="trios"><h2>Connect your TRIOS scanner to Ormco</h2>
<form method="post" action="/start">
<label for="account">E-mail of your 3Shape account</label>
<input id="account" name="account" autocomplete="email" inputmode="email">
<button>Begin</button></form></section>"""


HEADERS = {
    # It may show a code.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
}


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Connect</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>:root{{color-scheme:light dark}}body{{margin:1.2em}}{STYLE}</style></head>"
        f'<body><main class="trios"><h1>TRIOS and Ormco</h1>{body}</main>'
        '<script src="/script.js"></script></body></html>',
        status,
        headers=HEADERS,
    )


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
            Route("/", worker.home),
            Route("/script.js", worker.script),
            Route("/start", worker.start, methods=["POST"]),
            Route("/callback", worker.callback),
            Route("/practice/{practice}", worker.page),
            Route("/practice/{practice}/changed", worker.changed),
            Route("/practice/{practice}/answer", worker.answer, methods=["POST"]),
            Route("/practice/{practice}/again", worker.again, methods=["POST"]),
            Route("/practice/{practice}/repair", worker.repair, methods=["POST"]),
            Route("/practice/{practice}/disconnect", worker.disconnect, methods=["POST"]),
        ],
        middleware=[Middleware(SameOrigin, origin=worker.public_url)],
        lifespan=lifespan,
    )
