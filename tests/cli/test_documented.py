"""Every command that the documentation shows does what it says there.

A comment such as ``# exit code 4`` behind a command is part of it; without one, it ends with 0.
"""

from __future__ import annotations

import re
import shlex
import urllib.request
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from ormco_trios.cli import simulator
from ormco_trios.cli.app import cli
from ormco_trios.cli.practice import EXIT_CODES
from ormco_trios.sandbox import Sandbox

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
                # What is before && installs; where it was installed does not matter here.
                command = re.sub(r"(?<!\S)\S*/ormco-trios", "ormco-trios", line.split("&&")[-1])
                if re.search(r"(^|[|;] *)ormco-trios ", command.strip()):
                    found.append(command.strip())
        found += INLINE.findall(text)
    return list(dict.fromkeys(found))


COMMANDS = shown()
CONTEXT = click.Context(cli)
ALL = {name: cli.get_command(CONTEXT, name) for name in cli.list_commands(CONTEXT)}


def run(command: str) -> Result:
    """Run what a shell would run, in this process, which starts a hundred times faster."""
    words = shlex.split(command, comments=True)
    typed = ""
    if words[0] == "echo" and words[2] == "|":
        typed, words = f"{words[1]}\n", words[3:]
    assert words[0] == "ormco-trios", f"a form of command that this test does not know: {command}"
    return CliRunner().invoke(cli, words[1:], input=typed)


@pytest.mark.socket
@pytest.mark.parametrize("command", [c for c in COMMANDS if "ormco-trios sandbox" not in c])
def test_a_command_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = re.search(r"# exit code (\d+)", command)
    if "--sandbox" not in command:
        # Within a sentence it is only named: that it exists is what can be shown.
        command += " --help"
    done = run(command)
    assert done.exit_code == (int(code[1]) if code else 0), done.output
    assert done.stdout


@pytest.mark.socket
@pytest.mark.parametrize("command", [c for c in COMMANDS if "ormco-trios sandbox" in c])
def test_the_sandbox_runs_until_it_is_stopped(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def introduce_and_be_stopped(box: Sandbox) -> NoReturn:
        introduce(box)
        assert urllib.request.urlopen(f"{box.base_url}/sandbox/").status == 200
        raise KeyboardInterrupt

    introduce = simulator._introduce
    monkeypatch.setattr(simulator, "_introduce", introduce_and_be_stopped)
    done = run(command)
    assert "PORTAL_PASSWORD" in done.stdout
    assert done.exit_code == 130


def test_there_is_something_to_run() -> None:
    words = {word for command in COMMANDS for word in command.split()}
    assert words >= set(ALL), "each command is shown somewhere"


def options(command: click.Command | None) -> set[str]:
    """Its own, and those of the commands below it."""
    assert command is not None
    own = {name for parameter in command.params for name in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*(options(each) for each in below))


def test_every_option_that_is_named_exists() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", CLI_PAGE, re.MULTILINE)
    described = dict(rows)
    assert set(described) == set(ALL)
    for name, text in described.items():
        assert set(re.findall(r"`(--[a-z-]+)", text)) <= options(ALL[name]), name
    known = {"--help"}.union(*map(options, ALL.values()))
    assert set(re.findall(r"--[a-z]+[a-z-]*", CLI_PAGE)) <= known


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI_PAGE, re.MULTILINE)}
    assert documented == {*EXIT_CODES.values(), 1, 2, 130}
