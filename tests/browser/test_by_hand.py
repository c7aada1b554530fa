"""From nothing to connected by a person at a browser, who follows only what they are told.

The sandbox's portal has its pages and no API.  The program is killed before the person answers, and
started again: the terminal's command, the web example, and a notebook each go on.

``BY_HAND=all`` tries every way with every moment; `nox -s by-hand` does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.doctor import Doctor
from tests.test_web import Worker

from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.services import portal

pytestmark = [pytest.mark.socket, pytest.mark.slow]

CONNECTED = "Connected (the practice says; consent seen)"
SIGN_IN, ADDRESS, CODE = 1, 2, 3
"""What the person is about to answer when the program is killed."""


class Scene:
    """One practice, one program, one person."""

    def __init__(self, doctor: Doctor, folder: Path, killed: int) -> None:
        self.doctor = doctor
        self.sandbox = doctor.sandbox
        self.folder = folder
        self.killed = killed
        self.pasted: list[str] = []
        box = self.sandbox
        addresses = {
            "COMMUNICATE": "communicate",
            "METADATA": "metadata-eu",
            "AUTH_CLASSIC": "auth",
            "AUTH_ACCOUNT": "identity",
        }
        self.environ = {
            "ORMCO_TRIOS_ENVIRONMENT": "production",  # which knows no portal
            "ORMCO_TRIOS_CLIENT_ID": box.client_id,
            "ORMCO_TRIOS_CLIENT_SECRET": box.client_secret or "",
            "ORMCO_TRIOS_REDIRECT_URI": box.redirect_uri,
            "ORMCO_TRIOS_TOKEN_FOLDER": str(folder),
            **{
                f"ORMCO_TRIOS_{name}_URL": f"{box.base_url}/{below}"
                for name, below in addresses.items()
            },
        }

    def strikes(self, now: int) -> bool:
        """Whether the program is to be killed at this moment, which happens once."""
        if self.killed != now:
            return False
        self.killed = 0
        return True

    def do(self, steps: list[str], text: str | None) -> str:
        """What the person does of a task; the address that they bring, if it is about one."""
        if text is not None:
            self.pasted.append(text)
        return self.doctor.follow(steps, text)

    def ends_well(self) -> None:
        """What must hold, whatever happened on the way."""
        assert self.doctor.not_understood == []
        box = self.sandbox
        account = box.world.state.portal_accounts[self.doctor.who.portal_username.casefold()]
        assert portal.connection_state(box.world, account, box.clock.time()) == "connected"
        assert box.journal.count("connections.request", ok=True) == 1
        assert box.journal.count("session.create") == 0
        secrets = [self.doctor.who.portal_password, *(text[7:60] for text in self.pasted)]
        for path in self.folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert not [each for each in secrets if each.encode() in content], path.name


# --- through a terminal ---------------------------------------------------------------------


class Command:
    """The command ``connect``, whose questions a person answers."""

    def __init__(self, scene: Scene) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-uc", "from ormco_trios.cli import main; main()", "connect"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # no terminal of ours to read the paste from
            env={**os.environ, **scene.environ, "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"},
        )
        self.said = ""

    def next_question(self) -> str:
        """All that was said since the last answer; empty when the command has ended."""
        assert self.process.stdout is not None
        self.said, new = "", ""
        while character := self.process.stdout.read(1):
            self.said += character
            new = self.said.rpartition("\n")[2]
            if new.endswith(": ") and new.startswith(
                ("Address", "The address", "Which e-mail", "What did OrmcoDigital")
            ):
                return new
        self.process.wait(30)
        return ""

    def answer(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def steps_in(said: str) -> list[str]:
    lines = [line.partition(". ") for line in said.splitlines()]
    return [step for number, _, step in lines if number.isdecimal()]


def through_a_terminal(scene: Scene) -> None:
    command = Command(scene)
    try:
        while question := command.next_question():
            said = command.said
            if question.startswith("Which e-mail"):
                command.answer(scene.doctor.email_shown)
                continue
            now = (
                SIGN_IN
                if question.startswith("Address")
                else ADDRESS
                if "The address" in question
                else CODE
            )
            if now == SIGN_IN:
                link = next(word for word in said.split() if word.startswith("http"))
                answer = scene.doctor.at_3shape(link)
            else:
                lines = said.splitlines()
                text = None
                if now == CODE:
                    text = lines[next(n for n, s in enumerate(lines) if "Paste this" in s) + 2]
                if scene.strikes(now):
                    command.kill()
                    command = Command(scene)
                    continue
                answer = scene.do(steps_in(said), text) or "done"
            if scene.strikes(now):
                command.kill()
                command = Command(scene)
                continue
            command.answer(answer)
        assert CONNECTED in command.said
    finally:
        command.kill()


# --- forms, on the web and on a page beside a notebook --------------------------------------


def answer_form(scene: Scene, page: Page, killed: Callable[[], None]) -> None:
    """Do what the form says, and send the answer."""
    if page.locator("a.link").count():
        if scene.strikes(SIGN_IN):
            killed()
            return
        link = str(page.locator("a.link").get_attribute("href"))
        address, now = scene.doctor.at_3shape(link), SIGN_IN
        if "code=" not in address:
            page.goto(address)  # the browser was sent back by itself
            return
    else:
        text_field = page.locator("#text")
        text = text_field.input_value() if text_field.count() else None
        now = ADDRESS if page.locator("textarea").count() else CODE
        if scene.strikes(now):
            killed()
            return
        address = scene.do(page.locator("section.trios ol li").all_inner_texts(), text)
    if scene.strikes(now):
        killed()
    elif not address:
        page.get_by_role("button", name="Done").click()
    else:
        if not page.locator("textarea").is_visible():
            page.get_by_text("If you are not sent back here").click()
        page.locator("textarea").fill(address)
        if page.get_by_label("Which e-mail did 3Shape's page show?").count():
            page.get_by_label("Which e-mail did 3Shape's page show?").fill(scene.doctor.email_shown)
        page.get_by_role("button", name="Send the address").click()
    page.wait_for_load_state()


def through_the_web(scene: Scene) -> None:
    environ = {
        **scene.environ,
        "ORMCO_TRIOS_CLIENT_ID": scene.sandbox.account_client_id,
        "DATABASE": str(scene.folder / "practices.db"),
    }
    del environ["ORMCO_TRIOS_CLIENT_SECRET"]  # it is a public client
    worker = Worker(environ)
    with contextlib.closing(worker):
        worker.start(worker.url)
        page = scene.doctor.context.new_page()
        page.set_viewport_size({"width": 375, "height": 720})
        page.goto(worker.url)
        page.get_by_label("E-mail of your 3Shape account").fill(scene.doctor.who.email)
        page.get_by_role("button", name="Begin", exact=True).click()

        def killed() -> None:
            worker.kill()
            worker.start(worker.url)
            page.goto(worker.url)
            if page.get_by_role("button", name="Begin again").count():
                page.get_by_role("button", name="Begin again").click()

        for _ in range(12):
            page.wait_for_load_state()
            assert page.evaluate("document.documentElement.scrollWidth") <= 375
            if CONNECTED in page.locator("body").inner_text():
                return
            if page.locator("section.trios").count():
                answer_form(scene, page, killed)
            else:
                page.get_by_role("button", name="Look again now").click()
        raise AssertionError(page.locator("body").inner_text())


NOTEBOOK = """
import os
from pathlib import Path
from ormco_trios import (
    CommunicateClient, Environment, FileTokenStore, OAuthClient, Onboarding, Progress, TaskPage
)

folder = Path(os.environ["ORMCO_TRIOS_TOKEN_FOLDER"])
saved = folder / "progress.json"
oauth = OAuthClient(
    client_id=os.environ["ORMCO_TRIOS_CLIENT_ID"],
    client_secret=os.environ["ORMCO_TRIOS_CLIENT_SECRET"],
    redirect_uri=os.environ["ORMCO_TRIOS_REDIRECT_URI"],
    store=FileTokenStore(folder),
)
practice = Onboarding(
    communicate=CommunicateClient(auth=oauth.auth),
    oauth=oauth,
    progress=Progress.from_json(saved.read_text()) if saved.exists() else None,
)


def save(checklist):
    saved.write_text(practice.progress.to_json())


with TaskPage() as page:
    (folder / "page").write_text(page.url)
    connected = practice.run(authorize=page.authorize, person=page.ask, on_update=save)
connected.checklist
"""


RUN_IT = """
import nbclient, nbformat, sys
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[1])])
nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


class Kernel:
    """A notebook that runs, in processes of its own, and is saved when it has run."""

    def __init__(self, scene: Scene) -> None:
        (scene.folder / "page").unlink(missing_ok=True)
        self.saved = scene.folder / "saved.ipynb"
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN_IT, NOTEBOOK, str(self.saved)],
            start_new_session=True,
            env={**os.environ, **scene.environ},
        )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """All of it at once: its processes are a group of their own."""
        if self.runs:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)


def through_a_notebook(scene: Scene) -> None:
    kernel = Kernel(scene)
    page = scene.doctor.context.new_page()

    def killed() -> None:
        nonlocal kernel
        kernel.kill()
        kernel = Kernel(scene)

    try:
        while kernel.runs:
            address = scene.folder / "page"
            if not address.exists():
                page.wait_for_timeout(50)
                continue
            with contextlib.suppress(Exception):
                page.goto(address.read_text())
            if page.locator("section.trios form").count():
                answer_form(scene, page, killed)
            else:
                page.wait_for_timeout(50)
        # What is saved leads to the page, and holds nothing of it: `ends_well` looks for the code.
        saved = kernel.saved.read_text()
        assert CONNECTED in saved
        assert "Open the next step" in saved
    finally:
        kernel.kill()


WAYS = (through_a_terminal, through_the_web, through_a_notebook)
MOMENTS = (0, SIGN_IN, ADDRESS, CODE)
PAIRS = [
    (through_a_terminal, CODE),
    (through_the_web, CODE),
    (through_a_notebook, ADDRESS),
]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.immediately()) as made:
        made.switch(portal_api="404")
        yield made


@pytest.mark.parametrize(
    ("way", "killed"),
    [*product(WAYS, MOMENTS)] if os.environ.get("BY_HAND") == "all" else PAIRS,
)
def test_a_person_who_follows_the_words(
    browser: Browser, sandbox: Sandbox, tmp_path: Path, way: Callable[[Scene], None], killed: int
) -> None:
    context = browser.new_context()
    context.set_default_timeout(20_000)
    scene = Scene(Doctor(context, sandbox, sandbox.practice), tmp_path, killed)
    try:
        way(scene)
        scene.ends_well()
    finally:
        context.close()
