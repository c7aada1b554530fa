"""The web recipe of docs/web.md: two workers, one killed and restarted, one practice connected."""

from __future__ import annotations

import contextlib
import html
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import httpx
import pytest
from tests.practices import Hands

from ormco_trios.sandbox import Approval, Sandbox

pytestmark = [pytest.mark.socket, pytest.mark.timeout(110)]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

SERVE = """
import socket, sys, uvicorn
sys.path.insert(0, {examples!r})
from web_app import make_app
listener = socket.socket(fileno={fd})
config = uvicorn.Config(make_app(), log_level="warning", lifespan="on")
uvicorn.Server(config).run(sockets=[listener])
"""


class Worker:
    """A process that serves the example on a socket which outlives it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, public_url: str) -> None:
        code = SERVE.format(examples=str(EXAMPLES), fd=self._socket.fileno())
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=[self._socket.fileno()],
            env={**os.environ, **self._environ, "PUBLIC_URL": public_url},
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.kill()
        self._socket.close()


class Browser:
    """A browser that knows no difference between the workers, like one behind a balancer."""

    def __init__(self, public_url: str) -> None:
        self.client = httpx.Client(timeout=20, follow_redirects=False)
        self.origin = public_url
        self.practice = "/"  # the path of the page that is open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, url: str) -> httpx.Response:
        return self.client.get(url)

    def post(self, url: str, **form: str) -> httpx.Response:
        return self.client.post(url, data=form, headers={"Origin": self.origin})

    def press(self, worker: Worker, button: str, **form: str) -> httpx.Response:
        return self.post(f"{worker.url}{self.practice}/{button}", **form)

    def page(self, worker: Worker) -> str:
        return self.get(f"{worker.url}{self.practice}").text

    def link(self, worker: Worker) -> str:
        found = re.search(r'class="link" href="([^"]+)"', self.page(worker))
        assert found is not None, self.page(worker)
        return html.unescape(found[1])


def until(seen: Callable[[], bool]) -> None:
    for _ in range(300):
        if seen():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.held()) as made:
        yield made


@pytest.fixture
def workers(sandbox: Sandbox, tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    environ = {
        "ORMCO_TRIOS_ENVIRONMENT": "sandbox",
        "ORMCO_TRIOS_SANDBOX_URL": sandbox.base_url,
        "ORMCO_TRIOS_CLIENT_ID": sandbox.account_client_id,
        "DATABASE": str(tmp_path / "practices.db"),
    }
    first, second = Worker(environ), Worker(environ)
    with contextlib.closing(first), contextlib.closing(second):
        # A load balancer would give the public address; here it is the second's.
        first.start(second.url)
        second.start(second.url)
        yield first, second


def start(browser: Browser, worker: Worker, sandbox: Sandbox, account: str | None = None) -> None:
    done = browser.post(f"{worker.url}/start", account=account or sandbox.practice.email)
    assert done.status_code == 303
    browser.practice = done.headers["Location"]


def answer(browser: Browser, worker: Worker, **fields: str) -> str:
    """Send a form of the page as it is now, filled in, and look at what follows."""
    (task,) = set(re.findall(r'name="task" value="([^"]+)"', browser.page(worker)))
    assert browser.press(worker, "answer", task=task, **fields).status_code == 303
    return browser.page(worker)


def to_paste(page: str) -> str:
    found = re.search(r'id="text" readonly value="([^"]+)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def test_two_workers_and_a_restart(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, b = workers
    with Browser(b.url) as browser, contextlib.closing(Hands(sandbox)) as hands:
        start(browser, a, sandbox)

        address = sandbox.authorize(browser.link(a))
        assert address.startswith(f"{b.url}/callback?")
        a.kill()
        assert browser.get(address).status_code == 303
        assert "Connection approved by Ormco" in browser.page(b)
        assert sandbox.journal.count("connections.request", ok=True) == 1

        # A reload sends the same code once more, and it goes nowhere.
        exchanges = sandbox.journal.count("oauth.token")
        assert browser.get(address).status_code == 303
        assert sandbox.journal.count("oauth.token") == exchanges
        assert "No authorization is under way" in browser.page(b)

        sandbox.approve()
        a.start(b.url)
        browser.press(a, "again")
        assert "Connect 3Shape to Insignia" in browser.page(b)

        # The portal's own authorization leads to Ormco's site: its address is pasted.
        pasted = hands.press_here()
        assert "Copy the address again" in answer(
            browser, a, answer="address", address=pasted[:-20]
        )
        page = answer(browser, a, answer="address", address=pasted)
        text = to_paste(page)
        assert to_paste(browser.page(a)) == text, "a page that is loaded again shows it again"
        assert "load this page again" in browser.page(b), "the other process does not have it"

        # The process that has it ends; what was pasted before may have been entered or not.
        a.kill()
        assert "load this page again" in browser.page(b)
        browser.press(b, "again")
        assert "gone from here" in browser.page(b)
        text = to_paste(answer(browser, b, answer="address", address=hands.press_here()))
        refused = answer(browser, b, answer="failed", words="No <b>such</b> code")
        assert "The page said: No &lt;b&gt;such&lt;/b&gt; code" in refused
        text = to_paste(
            answer(
                browser,
                b,
                answer="address",
                address=hands.press_here(),
                account_shown=sandbox.practice.email,
            )
        )
        hands.enter(text)
        a.start(b.url)
        assert "Connected (the practice says; consent seen)" in answer(browser, a, answer="done")
        assert "Connected (the practice says; consent seen)" in browser.page(b)

        journal = sandbox.journal
        assert journal.count("connections.request") == 1
        assert journal.count("trios.submit_code") == 1
        assert [e.explain for e in journal if not e.ok and e.status != 401] == []


def test_a_repair_takes_nothing_away_before_a_person_is_there(
    sandbox: Sandbox, workers: tuple[Worker, Worker], tmp_path: Path
) -> None:
    a, b = workers
    sandbox.world.set_approval(Approval.immediately(), practice=sandbox.practice.email)
    with Browser(b.url) as browser, contextlib.closing(Hands(sandbox)) as hands:
        start(browser, a, sandbox)
        browser.get(sandbox.authorize(browser.link(a)))
        browser.press(a, "again")
        for nth in (1, 2):
            text = to_paste(answer(browser, a, answer="address", address=hands.press_here()))
            for stored in tmp_path.rglob("*"):
                assert not stored.is_file() or text[7:40].encode() not in stored.read_bytes()
            hands.enter(text)
            assert "Connected (" in answer(browser, a, answer="done")
            assert sandbox.journal.count("applications.remove") == nth - 1
            if nth == 1:
                assert browser.press(a, "repair").status_code == 303
                assert "Have the doctor there" in browser.page(b)
                assert sandbox.journal.count("applications.remove") == 0
                assert "Connect 3Shape to Insignia" in answer(browser, b, answer="done")
        assert "may not have arrived" in browser.page(b)


def test_a_code_is_not_sent_again_after_a_worker_died_over_it(
    sandbox: Sandbox, workers: tuple[Worker, Worker], tmp_path: Path
) -> None:
    a, b = workers
    with Browser(b.url) as browser:
        start(browser, a, sandbox)
        address = sandbox.authorize(browser.link(a))
        # The code arrives and is used; its answer does not come.
        sandbox.fault("oauth.token", network="read_timeout", when="after")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(browser.get, address)
            until(lambda: sandbox.journal.count("oauth.token") == 1)
            b.kill()
            assert isinstance(waiting.exception(20), httpx.TransportError)
        with contextlib.closing(sqlite3.connect(tmp_path / "practices.db")) as database:
            # As if its time with the practice were over.
            database.execute("UPDATE practice SET taken_until = 0")
            database.commit()

        again = address.replace(b.url, a.url)
        assert browser.get(again).status_code == 303
        assert "No authorization is under way" in browser.page(a)
        assert sandbox.journal.count("oauth.token") == 1
        assert sandbox.authorize(browser.link(a)) != address


def test_an_answer_that_belongs_to_another_practice(
    sandbox: Sandbox, workers: tuple[Worker, Worker]
) -> None:
    a, b = workers
    with Browser(b.url) as victim, Browser(b.url) as attacker, Browser(b.url) as nobody:
        start(victim, a, sandbox)
        start(attacker, b, sandbox)
        address = sandbox.authorize(attacker.link(b), email=sandbox.practices(1)[0].email)

        assert victim.get(address).status_code == 303
        assert "Use the newest authorization link" in victim.page(a)
        assert nobody.get(address).status_code == 403
        assert nobody.get(f"{a.url}{victim.practice}").status_code == 404
        assert nobody.post(f"{a.url}{victim.practice}/disconnect").status_code == 403
        forged = victim.client.post(
            f"{a.url}{victim.practice}/answer",
            data={"address": address},
            headers={"Origin": "https://evil.example"},
        )
        assert forged.status_code == 403
        # The attacker's code was sent nowhere, and the victim's own link still works.
        assert victim.get(sandbox.authorize(victim.link(a))).status_code == 303
        assert "Signed in to 3Shape Communicate</b>: done" in victim.page(b)


def test_a_known_account_opens_nothing(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, b = workers
    with Browser(b.url) as practice, Browser(b.url) as stranger:
        start(practice, a, sandbox)
        assert practice.get(sandbox.authorize(practice.link(a))).status_code == 303
        start(stranger, b, sandbox)
        assert "Nobody has authorized this account yet" in stranger.page(b)
        assert "/connect/authorize" in stranger.link(a)


def test_two_practices_in_one_browser(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, b = workers
    one, two = sandbox.practices(2)
    with Browser(b.url) as browser:
        start(browser, a, sandbox, one.email)
        first, first_link = browser.practice, browser.link(a)
        start(browser, a, sandbox, two.email)
        second, second_link = browser.practice, browser.link(b)
        # Each answer goes to the practice whose link was opened, whichever is the newer one.
        for link, who, path in ((first_link, one, first), (second_link, two, second)):
            came_back = browser.get(sandbox.authorize(link, email=who.email))
            assert came_back.headers["Location"] == path
        listed = browser.get(f"{a.url}/").text
        assert one.email in listed
        assert two.email in listed


def test_the_page_hears_what_has_changed(sandbox: Sandbox, workers: tuple[Worker, Worker]) -> None:
    a, _ = workers
    with Browser(workers[1].url) as browser:
        start(browser, a, sandbox)
        browser.get(sandbox.authorize(browser.link(a)).replace(workers[1].url, a.url))
        found = re.search(r'data-round="(\d+)"', browser.page(a))
        assert found is not None
        changed = f"{a.url}{browser.practice}/changed?since="
        assert browser.get(f"{changed}{found[1]}").status_code == 204
        sandbox.approve()
        browser.press(a, "again")
        told = browser.get(f"{changed}{found[1]}")
        assert int(told.headers["Round"]) > int(found[1])
        assert "Connect 3Shape to Insignia" in told.text


def test_disconnecting_says_what_became_of_each_place(
    sandbox: Sandbox, workers: tuple[Worker, Worker]
) -> None:
    a, b = workers
    with Browser(b.url) as browser:
        start(browser, a, sandbox)
        browser.get(sandbox.authorize(browser.link(a)))
        browser.press(a, "disconnect")
        page = browser.page(b)
        assert "The connection with Ormco&#x27;s lab: removed" in page
        assert sandbox.journal.count("connections.remove", ok=True) == 1
        browser.press(b, "again")
        assert "/connect/authorize" in browser.link(a)
