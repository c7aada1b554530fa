"""The commands, as a shell would run them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from ormco_trios import errors
from ormco_trios.cli import settings
from ormco_trios.cli.app import cli
from ormco_trios.cli.common import reporting
from ormco_trios.cli.settings import APPROVAL_HOURS, demonstration_clock
from ormco_trios.core.clock import HurriedClock

pytestmark = pytest.mark.socket

COMMAND = [sys.executable, "-uc", "from ormco_trios.cli import main; main()"]


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(cli, arguments)


def test_connect_runs_the_main_job() -> None:
    done = subprocess.run(
        [*COMMAND, "connect", "--sandbox", "--requests"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("Connected (the portal says; consent seen)")
    assert "sandbox-" not in done.stdout + done.stderr
    seen = [line.split(maxsplit=1)[1] for line in done.stderr.splitlines()]
    for request in (
        "GET    /communicate/api/users/me",
        "GET    /communicate/api/users/{user}",
        "POST   /communicate/api/users/{user}/requestconnection/{remote}",
        "POST   /ormcodigital/api/session",
        "POST   /ormcodigital/api/integrations/3shape/authorization",
        "POST   /ormcodigital/api/integrations/3shape/code",
        "PUT    /ormcodigital/api/profile",
    ):
        assert any(line.startswith(request.split("{")[0]) for line in seen), (request, seen)
    assert sum(line.endswith("/users/me") for line in seen) > 5, "polls until accepted"


@pytest.mark.parametrize(("watched", "longest"), [(True, 4.0), (False, 0.0)])
def test_a_demonstration_takes_as_long_as_it_is_watched(watched: bool, longest: float) -> None:
    clock = demonstration_clock(watched=watched)
    assert clock.in_reality(APPROVAL_HOURS * 3600) <= longest


def test_it_is_watched_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def clock(*, watched: bool) -> HurriedClock:
        made.append(watched)
        return demonstration_clock(watched=False)

    monkeypatch.setattr(settings, "demonstration_clock", clock)
    for environ, arguments in (
        ({"FORCE_COLOR": "1"}, ["connect", "--sandbox"]),
        ({"FORCE_COLOR": "1"}, ["connect", "--sandbox", "--json"]),
        ({}, ["connect", "--sandbox"]),
    ):
        done = CliRunner(env=environ).invoke(cli, arguments)
        assert done.exit_code == 0, done.output
    assert made == [True, False, False]


def test_json_is_one_document_and_nothing_else() -> None:
    done = run("connect", "--sandbox", "--json")
    document = json.loads(done.output)  # and nothing else
    assert document["state"] == "connected"
    assert [step["state"] for step in document["steps"]] == [*["done"] * 7, "unknown"]


def test_check_shows_where_a_practice_stands() -> None:
    done = run("check", "--sandbox", "--json")
    assert done.exit_code == 4
    assert json.loads(done.stdout)["state"] == "needs_authorization"


def test_a_missing_setting_is_named() -> None:
    done = run("check")
    assert done.exit_code == 2
    assert "ORMCO_TRIOS_REDIRECT_URI" in done.output
    done = run("check", "--json")
    assert json.loads(done.stdout)["error"]["type"] == "ConfigurationError"


def test_help_says_what_the_exit_codes_mean() -> None:
    done = run("--help")
    assert "Exit codes" in done.stdout
    assert done.exit_code == 0
    assert run("connect", "--nonsense").exit_code == 2


def test_the_sandbox_says_how_to_use_it_and_is_used() -> None:
    with subprocess.Popen(
        [
            *COMMAND,
            "sandbox",
            "--fault",
            "users.me:status=503,times=1",
            "--approve-after",
            "0",
            "--switch",
            "code_layers=1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        exports: dict[str, str] = {}
        for line in server.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                exports[name] = value
            if "PORTAL_PASSWORD" in line:
                break
        try:
            done = run("check", "--json", **exports)
            server.send_signal(signal.SIGINT)
            said = server.communicate(timeout=60)[1]
        finally:
            server.kill()
    assert json.loads(done.stdout)["state"] == "needs_authorization"
    # Without a sign-in, there is nothing to ask users.me with.
    assert "This fault never fired: users.me: status=503" in said


@pytest.mark.parametrize("text", ["roles=hidden", "role=shown", "roles"])
def test_a_switch_that_is_none_is_wrong_usage(text: str) -> None:
    done = run("sandbox", "--switch", text)
    assert done.exit_code == 2
    assert "there is no switch" in done.output or "roles is one of shown" in done.output


def test_a_fault_that_cannot_be_is_wrong_usage() -> None:
    done = run("sandbox", "--fault", "users.me:colour=red")
    assert done.exit_code == 2
    assert "a fault has the fields" in done.output


def test_another_account_than_meant_is_refused() -> None:
    done = run("connect", "--sandbox", "--json", "--account", "anna@praxis.example")
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "WrongAccount"
    assert "an…a@praxis.example" in error["message"]
    done = run("check", "--sandbox", "--account", "anna")
    assert (done.exit_code, "not an e-mail address" in done.output) == (2, True)


def test_the_expected_account_is_the_one_that_is_connected() -> None:
    done = run("connect", "--sandbox", "--json", "--account", "Practice.EU@clinic.example")
    document = json.loads(done.stdout)
    assert document["state"] == "connected"
    assert "account not checked" not in document["steps"][-1]["evidence"]


def test_an_unclear_region_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), reporting(as_json=False):
        raise errors.RegionUnclear("By the country AU the lab is another one.")
    shown = capsys.readouterr().err
    assert "--region europe" in shown
    assert "country AU" in shown
    assert "Region." not in shown
