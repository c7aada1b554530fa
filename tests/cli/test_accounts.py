"""`approve`, the lab's side, and `cases`: what they show, ask, change and print as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ormco_trios import Environment, OAuthClient
from ormco_trios.cli.app import cli
from ormco_trios.oauth.stores import FileTokenStore
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.held()) as made:
        for name, value in {
            "ENVIRONMENT": "sandbox",
            "SANDBOX_URL": made.base_url,
            "CLIENT_ID": made.client_id,
            "CLIENT_SECRET": made.client_secret,
            "REDIRECT_URI": made.redirect_uri,
            "TOKEN_FOLDER": str(tmp_path),
        }.items():
            monkeypatch.setenv(f"ORMCO_TRIOS_{name}", value)
        yield made


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=typed)


def sign_in(sandbox: Sandbox, folder: Path, email: str) -> None:
    """As an earlier run of the command left it."""
    with OAuthClient(
        Environment.sandbox(sandbox.base_url),
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,
        redirect_uri=sandbox.redirect_uri,
        store=FileTokenStore(folder),
        account="sandbox:default",
    ) as oauth:
        oauth.sign_in_with_password(email, sandbox.world.user(email).password)


@pytest.fixture
def lab(sandbox: Sandbox, tmp_path: Path) -> list[str]:
    """Three practices wait for the lab, which is signed in; their e-mails."""
    email = sandbox.practice.lab_email
    asking = [practice.email for practice in sandbox.practices(3)]
    for each in asking:
        sandbox.world.new_connection(sandbox.world.user(each), sandbox.world.user(email))
    sign_in(sandbox, tmp_path, email)
    return asking


def accepted(sandbox: Sandbox) -> int:
    return sum(connection.accepted for connection in sandbox.world.connections())


def test_who_waits_is_listed_and_nothing_is_changed(sandbox: Sandbox, lab: list[str]) -> None:
    done = run("approve")
    assert done.exit_code == 0
    assert all(email in done.output for email in lab)
    listed = json.loads(run("approve", "--json").stdout)["waiting"]
    assert [each["email"] for each in listed] == lab
    assert accepted(sandbox) == 0


@pytest.mark.parametrize(
    ("who", "count"), [("{0}", 1), ("{0} {1}", 2), ("*@CLINIC.example", 3), ("*", 3), ("{id}", 1)]
)
def test_one_or_all_that_match_are_approved(
    sandbox: Sandbox, lab: list[str], who: str, count: int
) -> None:
    words = who.format(*lab, id=sandbox.world.connections()[0].id).split()
    done = run("approve", *words, "--yes", "--json")
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["approved"]) == accepted(sandbox) == count
    assert len(json.loads(run("approve", "--json").stdout)["waiting"]) == 3 - count


@pytest.mark.parametrize(
    ("answer", "code", "count"), [("y\n", 0, 3), ("n\n", 130, 0), ("", 130, 0)]
)
def test_it_asks_first(
    sandbox: Sandbox, lab: list[str], answer: str, code: int, count: int
) -> None:
    done = run("approve", "*", typed=answer)
    assert done.exit_code == code
    assert all(email in done.output for email in lab)
    assert accepted(sandbox) == count


def test_a_name_that_nobody_has_changes_nothing(sandbox: Sandbox, lab: list[str]) -> None:
    done = run("approve", lab[0], "nobody@clinic.example", "--yes")
    assert done.exit_code == 1
    assert "nothing was approved" in done.output
    assert accepted(sandbox) == 0


def test_one_that_fails_does_not_keep_the_others(sandbox: Sandbox, lab: list[str]) -> None:
    sandbox.fault("connections.approve", status=403)
    done = run("approve", "*", "--yes", "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert [each["error"] for each in document["failed"]] == ["PermissionDenied"]
    assert accepted(sandbox) == len(document["approved"]) == 2


def test_whoever_is_not_signed_in_is_asked_to(sandbox: Sandbox, monkeypatch: Any) -> None:
    def paste(text: str, **options: Any) -> str:
        assert options == {"hide_input": True, "err": True}
        return sandbox.authorize(shown[-1], email=sandbox.practice.lab_email)

    shown: list[str] = []

    def echo(message: str, **options: Any) -> None:
        shown.extend(word for word in message.split() if word.startswith("http"))

    monkeypatch.setattr("ormco_trios.cli.person.click.prompt", paste)
    monkeypatch.setattr("ormco_trios.cli.person.click.echo", echo)
    done = run("approve", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"waiting": []}
    assert len(shown) == 1


@pytest.fixture
def practice(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    sign_in(sandbox, tmp_path, sandbox.practice.email)
    return sandbox


def own_cases(sandbox: Sandbox) -> list[str]:
    owner = sandbox.world.user(sandbox.practice.email).id
    return [case.id for case in sandbox.world.state.cases.values() if case.creator == owner]


def patients(sandbox: Sandbox) -> set[str]:
    latest = [sandbox.world.state.cases[id].versions[-1] for id in own_cases(sandbox)]
    return {str(fields[name]) for fields in latest for name in ("PatientName", "ThreeShapeOrderNo")}


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_cases_are_shown_without_patients_unless_asked_for(
    practice: Sandbox, extra: list[str]
) -> None:
    done = run("cases", *extra)
    assert done.exit_code == 0
    assert all(id in done.output for id in own_cases(practice))
    assert [name for name in patients(practice) if name in done.output] == []
    done = run("cases", "--patients", *extra)
    assert [name for name in patients(practice) if name not in done.output] == []


def test_limits_and_spans(practice: Sandbox) -> None:
    def count(*arguments: str) -> tuple[int, bool]:
        document = json.loads(run("cases", "--json", *arguments).stdout)
        return len(document["cases"]), document["more"]

    assert count() == (12, False)
    assert count("--limit", "12") == (12, False)
    assert count("--limit", "5") == (5, True)
    assert count("--since", "2025-12-30") == (2, False)
    assert count("--since", "2025-12-20", "--until", "2025-12-22T00:00:00") == (2, False)
    assert "see more with --limit" in run("cases", "--limit", "5").output


def test_what_to_search_for_is_asked_and_no_argument(practice: Sandbox) -> None:
    done = run("cases", "--search", "--json", typed="SANDBOX-00007\n")
    # Before click 8.2, its runner gives the question, which goes to standard error, as well.
    shown = done.stdout.removeprefix("Search for: SANDBOX-00007\n")
    assert len(json.loads(shown)["cases"]) == 1
    assert "no such cases" in run("cases", "--search", typed="nobody\n").output


@pytest.mark.parametrize("command", ["approve", "cases"])
def test_a_missing_setting_is_named(command: str) -> None:
    done = run(command, "--json")
    assert done.exit_code == 2
    assert "ORMCO_TRIOS_REDIRECT_URI" in json.loads(done.stdout)["error"]["message"]
