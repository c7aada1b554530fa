"""The commands for many practices, as a shell would run them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ormco_trios.cli.app import cli
from ormco_trios.core.clock import Clock
from ormco_trios.fleet import FleetStatus, Stage
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket

WORKER = [sys.executable, "-c", "from ormco_trios.cli import main; main()", "fleet", "worker"]


class Shell:
    """A shell in a folder of its own, set up for a sandbox with three practices."""

    def __init__(self, sandbox: Sandbox, folder: Path, **settings: str) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.doctors = {f"p{n}": who for n, who in enumerate(sandbox.practices(3))}
        lines = [
            f"{id},{who.portal_username},{who.portal_password}" for id, who in self.doctors.items()
        ]
        text = "\n".join(["id,portal_username,portal_password", *lines])
        (folder / "list.csv").write_text(text)
        self.environ = {
            "ORMCO_TRIOS_ENVIRONMENT": "sandbox",
            "ORMCO_TRIOS_SANDBOX_URL": sandbox.base_url,
            "ORMCO_TRIOS_CLIENT_ID": sandbox.client_id,
            "ORMCO_TRIOS_CLIENT_SECRET": sandbox.client_secret,
            "ORMCO_TRIOS_REDIRECT_URI": sandbox.redirect_uri,
            "ORMCO_TRIOS_TOKEN_FOLDER": str(folder / "tokens"),
            **settings,
        }

    def __call__(self, *arguments: str, paste: str = "", code: int = 0) -> str:
        done = self.invoke(*arguments, paste=paste)
        assert done.exit_code == code, done.output
        return done.stdout

    def error(self, *arguments: str) -> str:
        """What a command says that does not work."""
        done = self.invoke(*arguments, paste="x\n")
        assert done.exit_code in (1, 2)
        return done.output

    def invoke(self, *arguments: str, paste: str = "") -> Result:
        # In this process: to start another one takes as long as ten such commands.
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(cli, ["fleet", *arguments], paste, env=self.environ)
        if not isinstance(done.exception, SystemExit | None):
            raise done.exception
        for who in self.doctors.values():
            assert who.portal_password not in done.output
        return done

    def open_links(self, *extra: str) -> int:
        """Each doctor opens their link, and an operator pastes what they were sent to."""
        links = dict(line.split("\t") for line in self("status", "--links").splitlines())
        for practice, link in links.items():
            address = self.sandbox.authorize(link, email=self.doctors[practice].email)
            self("authorize", practice, *extra, paste=address + "\n")
        return len(links)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, clock=Clock(), approval=Approval.immediately()) as sandbox:
        yield sandbox


def test_one_machine(sandbox: Sandbox, tmp_path: Path) -> None:
    shell = Shell(sandbox, tmp_path)
    quickly = ("run", "list.csv", "--rate", "1000")
    assert "no fleet yet" in shell.error("status")
    for _ in range(2):  # to sign in, and for Ormco
        assert "Practices that have to open a link: 3" in shell(*quickly, code=4)
        # Nothing happens without people, so it does not wait.
        shell(*quickly, code=4)
        assert shell.open_links("--list", "list.csv") == 3
    arguments = ("authorize", "nobody", "--list", "list.csv")
    assert "no such practice" in shell.error(*arguments)
    assert "folder does not exist" in shell.error("run", "list.csv", "--report", "no/x.html")
    assert "Connected" in shell(*quickly, "--report", "report.html")
    status = FleetStatus.model_validate_json(shell("status", "--json"))
    assert status.stages[Stage.CONNECTED] == 3
    report = tmp_path / "report.html"
    assert "3 of 3 practices connected" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0
    assert sandbox.journal.count("connections.request", wrote=True) == 3


def test_a_practice_is_forgotten(sandbox: Sandbox, tmp_path: Path) -> None:
    shell = Shell(sandbox, tmp_path)
    assert "no fleet yet" in shell.error("forget", "p0")
    for _ in range(2):
        shell("run", "list.csv", "--rate", "1000", code=4)
        shell.open_links("--list", "list.csv")
    shell("run", "list.csv", "--rate", "1000")
    assert "no such practice" in shell.error("forget", "nobody")
    assert "--list" in shell.error("forget", "p0", "--take-back")

    told = shell("forget", "p0", "--list", "list.csv", "--take-back", "--report", "report.html")
    assert "The connection with Ormco's lab: removed" in told
    assert "The fleet's record: removed" in told
    assert len(sandbox.world.connections()) == 2
    report = (tmp_path / "report.html").read_text()
    assert "2 of 2 practices connected" in report

    lines = (tmp_path / "list.csv").read_text().splitlines()
    (tmp_path / "list.csv").write_text("\n".join([lines[0], lines[3]]))
    said = shell.invoke("run", "list.csv", "--rate", "1000")
    assert "No longer in the list, but their records are kept: p1." in said.output
    told = shell("forget", "p1", "--json")
    assert {each["place"]: each["state"] for each in json.loads(told)} == {
        "The stored sign-in": "removed",
        "The fleet's record": "removed",
    }
    assert len(list((tmp_path / "tokens").glob("*.json"))) == 1
    assert len(sandbox.world.connections()) == 2, "nothing was taken back"


@pytest.mark.slow  # the worker is a process
def test_many_machines(sandbox: Sandbox, tmp_path: Path, conninfo: str) -> None:
    shell = Shell(
        sandbox,
        tmp_path,
        ORMCO_TRIOS_FLEET_DATABASE=conninfo,
        ORMCO_TRIOS_FLEET_KEYS=Encryption.new_key(),
    )
    assert "older than this version" in shell.error("enroll", "list.csv")
    assert "version 1" in shell("migrate")
    assert "New: 3 of 3" in shell("enroll", "list.csv")
    assert "New: 0 of 3" in shell("enroll", "list.csv")
    shell("pause")
    worker = subprocess.Popen(
        [*WORKER, "--rate", "50"],
        cwd=tmp_path,
        env={**os.environ, **shell.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        shell("resume")
        opened = 0
        for _ in range(60):
            status = until(shell)
            if status.stages[Stage.CONNECTED] == 3:
                break
            opened += shell.open_links()
        assert opened == 6
    finally:
        worker.terminate()
        _, told = worker.communicate(timeout=30)
    assert worker.returncode == 0, told
    assert "sandbox-" not in told
    assert shell("reseal").startswith("9 secrets")
    told = shell("forget", "p0", "--take-back")
    assert "What it signs in to the portal with: removed" in told
    assert "no such practice" in shell.error("forget", "p0")
    assert shell("reseal").startswith("6 secrets")
    assert sandbox.journal.count("connections.request", wrote=True) == 3


def until(shell: Shell) -> FleetStatus:
    """The status as soon as there is a link, or everybody is connected."""
    for _ in range(200):
        done = shell.invoke("status", "--json")
        if done.exit_code in (0, 4):
            return FleetStatus.model_validate_json(done.stdout)
        time.sleep(0.05)
    pytest.fail("the worker does nothing")


def test_a_simulated_fleet() -> None:
    done = CliRunner().invoke(cli, ["fleet", "run", "--sandbox", "8", "--json"])
    status = FleetStatus.model_validate_json(done.output)  # and nothing else
    assert done.exit_code == 6, "one was removed, and one has a wrong password"
    assert (status.total, len(status.failures)) == (8, 2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "Give a LIST"),
        (["run", "list.csv", "--sandbox", "3"], "Give a LIST"),
        (["authorize", "p0"], "--list"),
        (["authorize", "p0", "--list", "list.csv"], "no fleet yet"),
        (["worker"], "ORMCO_TRIOS_FLEET_DATABASE"),
        (["enroll", "list.csv"], "ORMCO_TRIOS_FLEET_DATABASE"),
    ],
)
def test_wrong_usage(sandbox: Sandbox, tmp_path: Path, arguments: list[str], says: str) -> None:
    assert says in Shell(sandbox, tmp_path).error(*arguments)


def test_errors_as_json(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id\n")
    done = CliRunner().invoke(cli, ["fleet", "run", str(tmp_path / "list.csv"), "--json"])
    assert json.loads(done.stdout)["error"]["type"] == "ConfigurationError"
