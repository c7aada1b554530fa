"""A page on this machine for what a person has to do: what it shows, to whom, and what it takes."""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from tests.conftest import SyncOrAsync
from tests.practices import Hands, signed_in

from ormco_trios import (
    Address,
    Connected,
    Done,
    Failed,
    NeedsPerson,
    TaskKind,
    errors,
)
from ormco_trios.forms import SCRIPT, STYLE, read_answer
from ormco_trios.onboarding._page import PageServer
from ormco_trios.ormcodigital.tasks import Reply, Task
from ormco_trios.sandbox import Approval, Sandbox

EVIL = "<script>alert(1)</script>\"'&"


class _Balanced(HTMLParser):
    """Fails if a tag is closed that is not open."""

    void = frozenset({"input", "meta", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(html: str) -> list[str]:
    parser = _Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def test_whatever_a_task_holds_is_escaped() -> None:
    from pydantic import SecretStr

    from ormco_trios.onboarding.forms import task_form

    task = Task(
        kind=TaskKind.ENTER_CODE,
        title=EVIL,
        steps=(EVIL, f"Go to https://users.example/{EVIL} now."),
        text=SecretStr(EVIL),
        replies=(Reply.ADDRESS, Reply.DONE, Reply.FAILED),
        question=EVIL,
        if_moved=(EVIL,),
        account=EVIL,
        id=EVIL,
        problem=EVIL,
    )
    html = task_form(task, f"/answer?{EVIL}", {EVIL: EVIL})
    assert "script" not in balanced(html)
    assert EVIL not in html
    assert re.search(r'<a href="https://users.example/&lt;script', html)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"answer": "done"}, Done()),
        ({"answer": "done", "account_shown": ""}, Done()),
        ({"answer": "done", "account_shown": "a@b.example"}, Done("a@b.example")),
        ({"answer": "failed", "words": "No"}, Failed("No")),
        ({"answer": "failed"}, Failed()),
        ({"answer": "address", "address": "x", "account_shown": ""}, Address("x")),
        ({"address": "x", "account_shown": "a@b.example"}, Address("x", "a@b.example")),
        ({}, Address("")),
    ],
)
def test_what_a_form_sends(fields: dict[str, str], answer: object) -> None:
    assert read_answer(fields) == answer


@pytest.mark.parametrize(
    ("replies", "asks", "asked"),
    [
        ((Reply.DONE, Reply.FAILED), True, True),
        ((Reply.DONE, Reply.FAILED), False, False),
        ((Reply.ADDRESS, Reply.FAILED), True, True),
        ((Reply.ADDRESS, Reply.DONE), True, True),
    ],
)
def test_a_form_asks_for_the_account_once(
    replies: tuple[Reply, ...], asks: bool, asked: bool
) -> None:
    from ormco_trios.onboarding.forms import task_form

    task = Task(
        kind=TaskKind.IN_THE_WINDOW,
        title="Allow access",
        steps=("Press it.",),
        replies=replies,
        account="anna@clinic.example",
        asks_account=asks,
    )
    html = task_form(task, "", {})
    assert html.count('name="account_shown"') == int(asked)
    assert ("It has to be anna@clinic.example" in html) is asked


class Browser:
    """A person at the page, in a thread of their own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.origin = url.rpartition("/")[0]
        self.client = httpx.Client(trust_env=False, timeout=20)

    def page(self, marker: str) -> str:
        """The page, once it shows what is waited for."""
        for _ in range(2000):
            page = self.client.get(self.url).text
            if marker in page:
                return page
        raise AssertionError(f"it never showed {marker}")

    def send(self, page: str, **fields: str) -> httpx.Response:
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
        data = {**hidden, **fields}
        return self.client.post(self.url, data=data, headers={"Origin": self.origin})


@pytest.fixture
def practice(both: SyncOrAsync) -> Iterator[tuple[Any, Hands]]:
    with Sandbox(approval=Approval.immediately()) as sandbox:
        yield signed_in(both, sandbox, by_hand=True), Hands(sandbox)


@pytest.mark.socket
def test_a_person_at_the_page(both: SyncOrAsync, practice: tuple[Any, Hands]) -> None:
    clients, hands = practice
    shown: list[str] = []
    page = both.make("TaskPage", show=shown.append)
    browser = Browser(page.url)

    def person() -> None:
        first = browser.page("Send the address")
        assert "Connect 3Shape to Insignia" in first
        browser.send(first, answer="address", address="hello there")
        first = browser.page('role="alert"')
        browser.send(
            first,
            answer="address",
            address=hands.press_here(),
            account_shown=hands.who.email,
        )
        second = browser.page('id="text"')
        assert browser.page('id="text"') != "", "it is there again when it is loaded again"
        (text,) = re.findall(r'id="text" readonly value="([^"]+)"', second)
        hands.enter(unescape(text))
        # What was sent before, once more: it answers an older question.
        browser.send(first, answer="address", address=hands.press_here())
        browser.send(second, answer="done")

    with ThreadPoolExecutor() as pool:
        at_the_page = pool.submit(person)
        # A request that fails does not keep the others waiting.
        at_the_page.add_done_callback(lambda done: done.exception() and page.close())
        connected = clients.onboarding.run(person=page._target.ask if both.is_async else page.ask)
        at_the_page.result(20)
    assert isinstance(connected, Connected)
    assert connected.account_checked
    assert hands.state() == "connected"
    assert shown == [page.url]
    assert "Nothing to do at the moment" in browser.client.get(page.url).text
    page.close()
    with pytest.raises(httpx.TransportError):
        browser.client.get(page.url)
    browser.client.close()


@pytest.mark.socket
def test_nobody_else_sees_it_or_answers(both: SyncOrAsync, practice: tuple[Any, Hands]) -> None:
    clients, _ = practice
    needed = clients.onboarding.advance()
    assert isinstance(needed, NeedsPerson)
    page = both.make("TaskPage", show=lambda url: None, timeout=30)
    browser = Browser(page.url)
    done = threading.Event()

    def strangers() -> None:
        shown = browser.page("Send the address")
        port = page.url.split(":")[2].partition("/")[0]
        here = f"http://127.0.0.1:{port}"
        client = browser.client
        assert client.get(f"{here}/").status_code == 404
        assert client.get(f"{page.url}x").status_code == 404
        assert client.get(page.url, headers={"Host": "evil.example"}).status_code == 404
        for origin in ("https://evil.example", "null", None):
            headers = {} if origin is None else {"Origin": origin}
            data = {"q": "0", "answer": "done"}
            assert client.post(page.url, data=data, headers=headers).status_code == 403
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
            raw.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
            assert b" 413 " in raw.recv(100)
        answer = client.get(page.url)
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        balanced(answer.text.replace(SCRIPT, "").replace(STYLE, "").replace("<!doctype html>", ""))
        done.set()
        browser.send(shown, answer="failed", words="enough")

    with ThreadPoolExecutor() as pool:
        meanwhile = pool.submit(strangers)
        answer = page.ask(needed)
        meanwhile.result(20)
    assert done.is_set()
    assert answer == Failed("enough")
    browser.client.close()


@pytest.mark.socket
def test_an_answer_of_the_last_moment_is_this_forms_and_not_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = PageServer(0)
    secret, host = "/" + page.url.rpartition("/")[2], page.url.split("/")[2]

    class Late(queue.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if block:  # the time is over, and then a person answers
                assert page.take(host, secret, f"http://{host}", "q=0&answer=failed&words=no")
                raise queue.Empty
            return super().get(block, timeout)

    monkeypatch.setattr(page, "_answers", Late())
    assert page.ask("<form></form>", 1) == Failed("no")
    monkeypatch.setattr(page, "_answers", queue.Queue())
    with pytest.raises(errors.NobodyCameBack):
        page.ask("<form></form>", 0.01)
    page.close()


@pytest.mark.socket
def test_nobody_answers(both: SyncOrAsync, practice: tuple[Any, Hands]) -> None:
    clients, _ = practice
    needed = clients.onboarding.advance()
    page = both.make("TaskPage", show=lambda url: None, timeout=0.01)
    with pytest.raises(errors.NobodyCameBack, match="Run it again"):
        page.ask(needed)
    port = int(page.url.split(":")[2].partition("/")[0])
    with pytest.raises(errors.ConfigurationError, match="port of the page"):
        both.make("TaskPage", port=port)
