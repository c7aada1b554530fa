"""`approve`, the lab's side, and `cases`: what they show, ask, change and print as JSON."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ormco_trios import Environment, OAuthClient
from ormco_trios.cli.app import cli
from ormco_trios.oauth.stores import FileTokenStore
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.services import cases as cases_service

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


@pytest.mark.parametrize(("answer", "code", "count"), [("y\n", 0, 3), ("n\n", 130, 0)])
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


def test_an_account_that_is_not_signed_in_is_asked_to(sandbox: Sandbox, monkeypatch: Any) -> None:
    def paste(text: str, **options: Any) -> str:
        assert options == {"hide_input": sys.stdin.isatty(), "err": True}
        return sandbox.authorize(shown[-1], email=sandbox.practice.lab_email)

    shown: list[str] = []

    def echo(message: str, **options: Any) -> None:
        shown.extend(word for word in message.split() if word.startswith("http"))

    monkeypatch.setattr("click.prompt", paste)
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
    done = run("cases", "list", *extra)
    assert done.exit_code == 0
    assert all(id in done.output for id in own_cases(practice))
    assert [name for name in patients(practice) if name in done.output] == []
    done = run("cases", "list", "--patients", *extra)
    assert [name for name in patients(practice) if name not in done.output] == []


def test_limits_and_spans(practice: Sandbox) -> None:
    def count(*arguments: str) -> tuple[int, bool]:
        document = json.loads(run("cases", "list", "--json", *arguments).stdout)
        return len(document["cases"]), document["more"]

    assert count() == (12, False)
    assert count("--limit", "12") == (12, False)
    assert count("--limit", "5") == (5, True)
    assert count("--since", "2025-12-30") == (2, False)
    assert count("--since", "2025-12-20", "--until", "2025-12-22T00:00:00") == (2, False)
    assert "see more with --limit" in run("cases", "list", "--limit", "5").output


def test_what_to_search_for_is_asked_and_no_argument(practice: Sandbox) -> None:
    done = run("cases", "list", "--search", "--json", typed="SANDBOX-00007\n")
    # Before click 8.2, its runner gives what was typed as well.
    shown = done.stdout[done.stdout.index("{") :]
    assert len(json.loads(shown)["cases"]) == 1
    assert "no such cases" in run("cases", "list", "--search", typed="nobody\n").output


@pytest.mark.parametrize("command", ["approve", "cases list", "cases sync --cursor c"])
def test_a_missing_setting_is_named(command: str) -> None:
    done = run(*command.split(), "--json")
    assert done.exit_code == 2
    assert "ORMCO_TRIOS_REDIRECT_URI" in json.loads(done.stdout)["error"]["message"]


# --- files, and keeping up -----------------------------------------------------------------------


def newest(sandbox: Sandbox) -> Any:
    return max(sandbox.world.state.cases.values(), key=lambda case: case.created)


def sent(sandbox: Sandbox) -> list[str]:
    """The cases that the lab can read."""
    lab = sandbox.world.user(sandbox.practice.lab_email).id
    return sorted(case.id for case in sandbox.world.state.cases.values() if lab in case.actors)


@pytest.fixture
def laboratory(sandbox: Sandbox, tmp_path: Path) -> Sandbox:
    """Ormco's lab is signed in, and a second practice has sent it two cases."""
    other, *_ = sandbox.practices(1)
    email = sandbox.practice.lab_email
    sandbox.world.new_connection(sandbox.world.user(other.email), sandbox.world.user(email))
    sandbox.approve()
    for _ in range(2):
        sandbox.world.add_case(other.email, patient=("Otto", "Other"), sent_to=email)
    sign_in(sandbox, tmp_path, email)
    return sandbox


def test_one_case_and_an_earlier_version(practice: Sandbox) -> None:
    case = newest(practice)
    done = run("cases", "get", case.id)
    assert done.exit_code == 0
    assert "upper" in done.output
    assert [name for name in patients(practice) if name in done.output] == []
    case.save_version(practice.world.clock.time(), StateFlag="Approved")
    shown = [
        json.loads(run("cases", "get", case.id, "--json", *more).stdout)
        for more in ([], ["--version", "1"])
    ]
    assert [each["version"] for each in shown] == [2, 1]
    assert shown[0]["state_flag"] == "Approved" != shown[1]["state_flag"]
    assert run("cases", "get", "0f8fad5b-d9cb-469f-a165-70867728950e").exit_code == 1


def test_files_are_fetched_under_names_of_our_own(laboratory: Sandbox, tmp_path: Path) -> None:
    case = next(c for c in laboratory.world.state.cases.values() if len(c.files) == 4)
    case.files[0].name = "../../evil.dcm"
    to = tmp_path / "in"
    done = run("cases", "download", case.id, "--to", str(to), "--json")
    assert done.exit_code == 0, done.output
    files = json.loads(done.stdout)["files"]
    names = ["01-upper.dcm", "02-lower.dcm", "03.png", "04.stl"]
    assert [Path(each["path"]).name for each in files] == names
    assert sorted(path.name for path in to.iterdir()) == names
    assert all(each["verified"] for each in files)
    asked = laboratory.journal.count("cases.download")
    assert run("cases", "download", case.id, "--to", str(to)).exit_code == 0
    assert laboratory.journal.count("cases.download") == asked, "what is there is not fetched again"
    (to / "03.png").write_bytes(b"mine")
    kept = run("cases", "download", case.id, "--to", str(to))
    assert (kept.exit_code, (to / "03.png").read_bytes()) == (2, b"mine")
    assert "--overwrite" in kept.output
    assert run("cases", "download", case.id, "--to", str(to), "--overwrite").exit_code == 0
    assert (to / "03.png").read_bytes() != b"mine"
    some = tmp_path / "some"
    for more, expected in [
        (["--type", ".PNG"], {"03.png"}),
        (["--as-ply"], {"01-upper.ply", "02-lower.ply"}),
    ]:
        run("cases", "download", case.id, "--to", str(some), *more)
        assert {path.name for path in some.iterdir()} == expected
        for path in some.iterdir():
            path.unlink()
    none = run("cases", "download", case.id, "--to", str(some), "--type", "docx")
    assert (none.exit_code, list(some.iterdir())) == (1, [])


def test_a_file_that_is_refused_does_not_keep_the_others(practice: Sandbox, tmp_path: Path) -> None:
    case = next(c for c in practice.world.state.cases.values() if len(c.files) == 4)
    done = run("cases", "download", case.id, "--to", str(tmp_path / "in"), "--json")
    assert done.exit_code == 1
    *whole, refused = json.loads(done.stdout)["files"]
    assert (len(whole), refused["error"]) == (3, "PermissionDenied")
    told = run("cases", "download", case.id, "--to", str(tmp_path / "in"))
    assert (told.exit_code, "account of the lab" in told.output) == (1, True)


def test_a_disk_that_is_full_is_said(
    practice: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ormco_trios.core.files.NewFile.write", full)
    done = run("cases", "download", newest(practice).id, "--to", str(tmp_path / "in"))
    assert done.exit_code == 2
    assert "No space left" in done.output
    assert list((tmp_path / "in").iterdir()) == []


def test_what_has_changed_comes_once(laboratory: Sandbox, tmp_path: Path) -> None:
    cursor, to = tmp_path / "cursor.json", tmp_path / "in"

    def sync(*more: str) -> list[str]:
        done = run("cases", "sync", "--cursor", str(cursor), "--json", *more)
        assert done.exit_code == 0, done.output
        return [
            case["id"] for line in done.stdout.splitlines() for case in json.loads(line)["cases"]
        ]

    assert sorted(sync("--to", str(to))) == sent(laboratory)
    assert sorted(path.name.rpartition("-v")[0] for path in to.iterdir()) == sent(laboratory)
    assert sync() == []
    last = json.loads(run("cases", "sync", "--cursor", str(cursor), "--json").stdout)
    assert last["position"] is not None
    assert "Nothing has changed" in run("cases", "sync", "--cursor", str(cursor)).output
    case = laboratory.world.state.cases[sent(laboratory)[0]]
    case.save_version(laboratory.world.clock.time(), StateFlag="Approved")
    assert sync() == [case.id]
    assert cursor.stat().st_mode & 0o777 == 0o600
    cursor.write_text("no cursor")
    assert run("cases", "sync", "--cursor", str(cursor)).exit_code == 2


def test_a_sync_that_stops_in_the_middle_goes_on_there(laboratory: Sandbox, tmp_path: Path) -> None:
    cursor, to = str(tmp_path / "cursor.json"), str(tmp_path / "in")
    laboratory.fault("cases.download", status=429, retry_after=9999, nth=36, times=None)
    done = run("cases", "sync", "--cursor", cursor, "--to", to, "--json")
    assert done.exit_code == 7
    *lines, error = done.stdout.splitlines()
    assert json.loads(error)["error"]["type"] == "RateLimited"
    first = [case["id"] for line in lines for case in json.loads(line)["cases"]]
    assert len(first) == 10
    laboratory.world.faults.clear()
    rest = run("cases", "sync", "--cursor", cursor, "--to", to, "--json").stdout.splitlines()
    second = [case["id"] for line in rest for case in json.loads(line)["cases"]]
    assert sorted(first + second) == sent(laboratory)


@pytest.mark.parametrize("hashes", ["named", "not named"])
@pytest.mark.parametrize("more", [(), ("--as-ply",)])
def test_a_sync_that_is_killed_before_it_has_stored_the_cursor(
    laboratory: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hashes: str,
    more: tuple[str, ...],
) -> None:
    if hashes == "not named":
        for function in ("_attachment", "_listed"):
            wire = getattr(cases_service, function)
            nameless = functools.partial(lambda wire, *given: wire(*given) | {"Hash": None}, wire)
            monkeypatch.setattr(cases_service, function, nameless)
    cursor, to = tmp_path / "cursor.json", tmp_path / "in"
    arguments = ("cases", "sync", "--cursor", str(cursor), "--to", str(to), "--json", *more)
    first = run(*arguments)
    cursor.unlink()
    second = run(*arguments)
    assert (second.exit_code, second.stdout) == (first.exit_code, first.stdout)
    listed = [case for line in second.stdout.splitlines() for case in json.loads(line)["cases"]]
    made = [file for case in listed for file in case["downloads"]]
    assert made
    assert {file["verified"] for file in made} == {hashes == "named" and not more}


def test_a_case_without_a_version_has_a_folder_for_each_change(
    laboratory: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = cases_service.case_object
    monkeypatch.setattr(
        cases_service, "case_object", lambda *of, **more: wire(*of, **more) | {"Version": None}
    )
    cursor, to = str(tmp_path / "cursor.json"), tmp_path / "in"
    assert run("cases", "sync", "--cursor", cursor, "--to", str(to)).exit_code == 0
    before = {path.name for path in to.iterdir()}
    case = laboratory.world.state.cases[sent(laboratory)[0]]
    case.save_version(laboratory.world.clock.time(), StateFlag="Approved")
    assert run("cases", "sync", "--cursor", cursor, "--to", str(to)).exit_code == 0
    (new,) = {path.name for path in to.iterdir()} - before
    assert new.startswith(f"{case.id}-v")


def test_a_lab_shows_one_practices_cases(laboratory: Sandbox, tmp_path: Path) -> None:
    cases = laboratory.world.state.cases
    *_, theirs = cases.values()
    mine = laboratory.world.user(laboratory.practice.email).id
    for id, count in [(mine, 11), (theirs.creator, 2)]:
        listed = json.loads(run("cases", "list", "--practice", id, "--json").stdout)["cases"]
        assert len(listed) == count
        assert {case["creator"] for case in listed} == {id}
        cursor = str(tmp_path / f"{count}.json")
        synced = run("cases", "sync", "--cursor", cursor, "--practice", id, "--json").stdout
        assert len(json.loads(synced)["cases"]) == count
        assert run("cases", "sync", "--cursor", cursor).exit_code == 2, "another filter's cursor"
    assert run("cases", "get", theirs.id).exit_code == 0
    assert run("cases", "get", theirs.id, "--practice", mine).exit_code == 1
    for wrong in ("", "practice.eu@clinic.example"):
        assert run("cases", "list", "--practice", wrong).exit_code == 2
