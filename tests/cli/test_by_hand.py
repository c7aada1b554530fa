"""OrmcoDigital's part by hand, from a terminal: the two tasks, and `ormco-trios code` alone."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.oauth.test_paste import ADDRESS, CODE, ONCE
from tests.practices import Hands

from ormco_trios import Done, Failed, Task, TaskKind
from ormco_trios.cli import code as code_module
from ormco_trios.cli.app import cli
from ormco_trios.cli.person import ask_for_task
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.immediately()) as made:
        yield made


class Terminal:
    """Answers the questions of a command, and keeps what it says."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.hands = Hands(sandbox)
        self.asked: list[str] = []
        self.said: list[str] = []
        self.stop_at = -1
        environ = {
            "ENVIRONMENT": "production",
            "CLIENT_ID": sandbox.client_id,
            "CLIENT_SECRET": sandbox.client_secret,
            "REDIRECT_URI": sandbox.redirect_uri,
            "TOKEN_FOLDER": str(folder),
        }
        # The live environment knows no portal; only 3Shape's addresses are the sandbox's.
        for name, below in (
            ("COMMUNICATE", "communicate"),
            ("METADATA", "metadata-eu"),
            ("AUTH_CLASSIC", "auth"),
            ("AUTH_ACCOUNT", "identity"),
        ):
            environ[f"{name}_URL"] = f"{sandbox.base_url}/{below}"
        for name, value in environ.items():
            monkeypatch.setenv(f"ORMCO_TRIOS_{name}", value)
        monkeypatch.setattr("click.prompt", self.answer)
        echo = click.echo

        def keep(message: object = None, **options: Any) -> None:
            self.said.append(str(message))
            echo(message, **options)

        monkeypatch.setattr("ormco_trios.cli.person.click.echo", keep)

    def answer(self, question: str, **_: Any) -> str:
        self.asked.append(question.strip())
        if len(self.asked) == self.stop_at:
            raise KeyboardInterrupt
        said = "\n".join(self.said)
        self.said.clear()
        if "Which e-mail" in question:
            return self.sandbox.practice.email
        if question == "Address":
            return self.sandbox.authorize(
                next(word for word in said.split() if word.startswith("http"))
            )
        if "or the word" in question or "or one of the words" in question:
            assert "Connect 3Shape to Insignia" in said
            return self.hands.press_here()
        assert "Update" in said
        lines = said.splitlines()
        self.hands.enter(lines[next(n for n, line in enumerate(lines) if "Paste this" in line) + 2])
        return "done"

    def close(self) -> None:
        self.hands.close()

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)


@pytest.fixture
def terminal(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    with contextlib.closing(Terminal(sandbox, tmp_path, monkeypatch)) as made:
        yield made


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("\n\nDone.\n", Done()),
        ("yes\n", Done()),
        ("FAILED!\n", Failed("")),
        ("\nIt is not valid.\n", Failed("It is not valid.")),
    ],
)
def test_an_empty_line_says_nothing(typed: str, said: object) -> None:
    task = Task(kind=TaskKind.ENTER_CODE, title="Enter it", steps=("Press Update.",))
    answers: list[object] = []

    @click.command()
    def asks() -> None:
        answers.append(ask_for_task(task, checked_at=datetime.now(UTC)))

    assert CliRunner().invoke(asks, input=typed).exit_code == 0
    assert answers == [said]


def test_from_nothing_to_connected_without_a_portal_setting(terminal: Terminal) -> None:
    done = terminal.run("connect")
    assert done.exit_code == 0, done.output
    assert "Connected (the practice says; consent seen)" in done.output
    assert terminal.hands.state() == "connected"
    assert [question.partition(" (")[0] for question in terminal.asked] == [
        "Address",
        "The address",
        "Which e-mail did 3Shape's page show?",
        "What did OrmcoDigital say?",
    ]
    # What the practice said is remembered for the next command.
    again = terminal.run("check", "--json")
    document = json.loads(again.stdout)
    assert document["state"] == "connected"
    assert document["portal"] == "manual"
    assert document["steps"][5]["source"] == "the practice says"
    assert terminal.run("doctor").exit_code == 0


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_interrupted_at_any_question(terminal: Terminal, tmp_path: Path, at: int) -> None:
    terminal.stop_at = at
    done = terminal.run("connect")
    assert done.exit_code == 130
    assert "Nothing is lost" in done.output
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        text = path.read_text("utf-8", "replace")
        assert not any(entered[7:40] in text for entered in terminal.hands.entered)
        assert terminal.sandbox.practice.portal_password not in text
    terminal.stop_at = -1
    assert terminal.run("connect").exit_code == 0
    assert len(terminal.hands.entered) == 1
    assert terminal.sandbox.journal.count("connections.request", ok=True) == 1


def test_what_the_page_said_leads_back_to_the_first_task(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Callable[..., str] = terminal.answer
    failed: list[str] = []

    def fail_once(question: str, **options: Any) -> str:
        if "What did OrmcoDigital say" in question and not failed:
            failed.append(question)
            terminal.said.clear()
            return "This code is not valid"
        return answer(question, **options)

    monkeypatch.setattr("click.prompt", fail_once)
    done = terminal.run("connect")
    assert done.exit_code == 0, done.output
    assert "It did not work. The page said: This code is not valid" in done.output


def test_a_person_repairs_and_disconnects(terminal: Terminal) -> None:
    terminal.run("connect")
    repaired = terminal.run("repair", "--extent", "authorize-again")
    assert repaired.exit_code == 0, repaired.output
    assert "send them again" in repaired.output
    assert len(terminal.hands.entered) == 2
    done = terminal.run("disconnect", "--yes", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 1, "what only a person can take back is named"
    assert [place["state"] for place in document["places"]] == [
        "removed",
        "needs_person",
        "removed",
    ]
    assert "My Account > My Profile" in document["places"][1]["remark"]


def test_a_progress_that_cannot_be_read_is_begun_anew(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("connect")
    (path,) = tmp_path.glob("*.progress")
    path.write_bytes(b"\xff{")
    done = terminal.run("check", "--json")
    assert json.loads(done.stdout)["state"] == "needs_person"
    assert done.exit_code == 4


def test_an_api_is_used_where_it_is_named(
    terminal: Terminal, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = terminal.run("check", "--portal", "api")
    assert done.exit_code == 2
    assert "Leave --portal api out" in done.output
    monkeypatch.setenv("ORMCO_TRIOS_ORMCODIGITAL_URL", f"{sandbox.base_url}/ormcodigital")
    done = terminal.run("check")
    assert "ORMCO_TRIOS_PORTAL_USERNAME" in done.output
    monkeypatch.setenv("ORMCO_TRIOS_PORTAL_USERNAME", sandbox.practice.portal_username)
    monkeypatch.setenv("ORMCO_TRIOS_PORTAL_PASSWORD", sandbox.practice.portal_password)
    assert json.loads(terminal.run("check", "--json").stdout)["portal"] == "api"
    assert json.loads(terminal.run("check", "--json", "--portal", "manual").stdout)["portal"] == (
        "manual"
    )


def test_a_browser_needs_to_know_where(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    done = terminal.run("check", "--portal", "browser")
    assert done.exit_code == 2
    assert "ORMCO_TRIOS_PORTAL_PAGE" in done.output
    monkeypatch.setenv("ORMCO_TRIOS_PORTAL_PAGE", "http://portal.example/")
    done = terminal.run("check", "--portal", "browser")
    assert done.exit_code == 2
    assert "https" in done.output
    done = CliRunner().invoke(cli, ["connect", "--sandbox", "--portal", "browser"])
    assert done.exit_code == 2
    assert "plays the doctor" in done.output


def test_an_address_that_is_no_api_loses_nothing(
    terminal: Terminal, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.switch(portal_api="html")
    for name, value in {
        "ORMCODIGITAL_URL": f"{sandbox.base_url}/ormcodigital",
        "PORTAL_USERNAME": sandbox.practice.portal_username,
        "PORTAL_PASSWORD": sandbox.practice.portal_password,
    }.items():
        monkeypatch.setenv(f"ORMCO_TRIOS_{name}", value)
    for command in (["connect"], ["repair"]):
        done = terminal.run(*command)
        assert done.exit_code == 1
        assert "by hand" in done.output
    document = json.loads(terminal.run("check", "--json").stdout)
    assert [step["state"] for step in document["steps"][:4]] == ["done", "done", "done", "unknown"]
    assert terminal.run("doctor").exit_code == 1
    done = terminal.run("disconnect", "--yes", "--json")
    assert [place["state"] for place in json.loads(done.stdout)["places"]] == [
        "absent",
        "failed",
        "removed",
    ]
    assert sandbox.journal.count("session.create") == 0


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["done", "anna@clinic.example"], Done("anna@clinic.example")),
        (["done", ""], Done()),
        (["It was another one."], Failed("It was another one.")),
    ],
)
def test_which_account_a_window_showed(
    answers: list[str], expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: answers.pop(0))
    task = Task(TaskKind.IN_THE_WINDOW, "Allow access", ("Press it.",), asks_account=True)
    assert ask_for_task(task, checked_at=datetime.now(UTC)) == expected
    assert answers == []


def test_the_sandbox_plays_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["connect", "--sandbox", "--portal", "manual"])
    assert done.exit_code == 0, done.output
    assert "Get the authorization code from OrmcoDigital" in done.output
    assert "Enter the code at OrmcoDigital, and press Update" in done.output
    assert "Connected (the practice says; consent seen)" in done.output


# --- ormco-trios code -----------------------------------------------------------------------


def test_the_code_alone() -> None:
    done = CliRunner().invoke(cli, ["code"], input=f"see <{ADDRESS}>.\n")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == ONCE
    assert "Update" in done.output
    document = json.loads(CliRunner().invoke(cli, ["code", "--json"], input=ADDRESS).stdout)
    assert document["text"] == ONCE
    assert document["recognised"]


@pytest.mark.parametrize("text", ["", "hello world", ADDRESS[:60], "?error=access_denied"])
def test_what_is_no_address_is_said(text: str) -> None:
    done = CliRunner().invoke(cli, ["code"], input=text)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert CODE[7:40] not in done.output


def test_whatever_is_piped_is_read_or_refused() -> None:
    latin_1 = f"Grüße, {ADDRESS} Zoë".encode("latin-1")
    assert CliRunner().invoke(cli, ["code"], input=latin_1).stdout.splitlines()[0] == ONCE
    utf_16 = CliRunner().invoke(cli, ["code"], input=ADDRESS.encode("utf-16"))
    assert "control characters" in utf_16.output
    huge = CliRunner().invoke(cli, ["code"], input=ADDRESS + "\n" * 2**20)
    assert "64 KiB" in huge.output


def test_a_closed_input_is_no_address() -> None:
    code = "import os; os.close(0); import sys; sys.stdin = None; import ormco_trios.cli as c; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.argv[1:] = ['code']; c.main()"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Copy the ENTIRE address" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_shape_is_shown_and_warned_of() -> None:
    done = CliRunner().invoke(cli, ["code"], input="?code=0123456789ABCDEF-1")
    assert done.exit_code == 0
    assert "0123456789ABCDEF-1" in done.stdout
    assert "does not look like" in done.output


def test_the_clipboard_only_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyperclip

    copied: list[str] = []
    monkeypatch.setattr(pyperclip, "copy", copied.append)
    CliRunner().invoke(cli, ["code"], input=ADDRESS)
    assert copied == []
    assert "clipboard" in CliRunner().invoke(cli, ["code", "--copy"], input=ADDRESS).output
    assert copied == [ONCE]

    def no_clipboard(_: str) -> None:
        raise pyperclip.PyperclipException("none")

    monkeypatch.setattr(pyperclip, "copy", no_clipboard)
    done = CliRunner().invoke(cli, ["code", "--copy"], input=ADDRESS)
    assert done.exit_code == 2
    assert "Leave --copy out" in done.output


def test_it_counts_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ormco_trios import AuthorizationCode
    from ormco_trios.sandbox import ControlledClock

    clock = ControlledClock(0.0)
    found = AuthorizationCode(CODE, clock=clock)
    monkeypatch.setattr(clock, "sleep", clock.advance)
    code_module._count_down(found, clock)
    said = capsys.readouterr().err.split("\r")
    assert said[1].startswith("At most 3:00 left")
    assert said[2].startswith("At most 2:59 left")
    assert len(said) == 182
    assert "Probably too old now" in said[-1]


def test_it_needs_nothing_and_is_there_at_once() -> None:
    script = """
import sys, time
began = time.process_time()
sys.argv = ["ormco-trios", "code"]
from ormco_trios.cli import main
try:
    main()
finally:
    print([time.process_time() - began, *sorted(sys.modules)], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=ADDRESS,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.splitlines()[0] == ONCE
    took, *modules = ast.literal_eval(done.stderr.splitlines()[-1])
    assert {"asyncio", "httpx", "pydantic", "rich", "socket", "ssl"} & {*modules} == set()
    peer = subprocess.run(
        [sys.executable, "-c", "import httpx, pydantic, time; print(time.process_time())"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
    )
    assert took <= float(peer.stdout)
