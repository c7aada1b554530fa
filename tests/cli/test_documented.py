"""Every command that the documentation shows does what it says there.

A comment such as ``# exit code 4`` behind a command is part of it; without one, it ends with 0.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ormco_trios.cli.app import EXIT_CODES, cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")

SHELL = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(ormco-trios(?: [^`]+)?)`")


def shown() -> list[str]:
    """The commands, each once, in blocks and within sentences."""
    found: list[str] = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in SHELL.findall(text):
            for line in block.splitlines():
                # What stands before && installs; where it was installed does not matter here.
                command = re.sub(r"(?<!\S)\S*/ormco-trios", "ormco-trios", line.split("&&")[-1])
                if re.search(r"(^|[|;] *)ormco-trios ", command.strip()):
                    found.append(command.strip())
        found += INLINE.findall(text)
    return list(dict.fromkeys(found))


COMMANDS = shown()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A shell that finds this very library under the command's name."""
    script = tmp_path / "bin" / "ormco-trios"
    script.parent.mkdir()
    run = "from ormco_trios.cli import main; main()"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -uc "{run}" "$@"\n')
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.socket
@pytest.mark.parametrize("command", [c for c in COMMANDS if "ormco-trios sandbox" not in c])
def test_a_command_runs(command: str, environ: dict[str, str]) -> None:
    if "--sandbox" not in command:
        # Within a sentence it is only named: that it exists is what can be shown.
        command += " --help"
    done = subprocess.run(
        ["sh", "-c", command],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    code = re.search(r"# exit code (\d+)", command)
    assert done.returncode == (int(code[1]) if code else 0), done.stdout + done.stderr
    assert done.stdout


@pytest.mark.socket
@pytest.mark.parametrize("command", [c for c in COMMANDS if "ormco-trios sandbox" in c])
def test_the_sandbox_runs_until_it_is_stopped(command: str, environ: dict[str, str]) -> None:
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"], env=environ, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            assert any("PORTAL_PASSWORD" in line for line in server.stdout)
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130


def test_there_is_something_to_run() -> None:
    words = {word for command in COMMANDS for word in command.split()}
    assert words >= set(cli.commands), "each command is shown somewhere"


def options(command: click.Command) -> set[str]:
    """Its own, and those of the commands below it."""
    own = {name for parameter in command.params for name in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options(each) for each in below))


def test_every_option_that_is_named_exists() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (.*) \|$", CLI_PAGE, re.MULTILINE)
    described = dict(rows)
    assert set(described) == set(cli.commands)
    for name, text in described.items():
        assert set(re.findall(r"`(--[a-z-]+)", text)) <= options(cli.commands[name]), name
    assert set(re.findall(r"--[a-z]+[a-z-]*", CLI_PAGE)) <= options(cli)


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI_PAGE, re.MULTILINE)}
    assert documented == {*EXIT_CODES.values(), 1, 2, 130}
