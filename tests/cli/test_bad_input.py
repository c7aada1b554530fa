"""Bad input to the command: one short message, a documented exit code, nothing of Python's."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from ormco_trios import FileTokenStore, Token
from ormco_trios.cli.app import cli
from ormco_trios.cli.commands.practice import connect, repair
from ormco_trios.cli.common import NobodyAnswered, prompt
from ormco_trios.communicate.regions import Region
from ormco_trios.core._http import connection
from ormco_trios.core.clock import Clock
from ormco_trios.fleet.encryption import Encryption
from ormco_trios.onboarding.outcomes import Repair
from ormco_trios.ormcodigital.portal import PortalWay

pytestmark = pytest.mark.socket

ROOT = Path(__file__).resolve().parents[2]
CODES = set(
    map(
        int,
        re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "cli.md").read_text("utf-8"), re.MULTILINE),
    )
)
NOWHERE = "http://127.0.0.1:9"
APPLICATION = {"CLIENT_ID": "app", "REDIRECT_URI": "https://app.example/callback"}
DEAD = {"COMMUNICATE_URL": NOWHERE, "AUTH_CLASSIC_URL": NOWHERE, "METADATA_URL": NOWHERE}


@dataclass
class Bad:
    """One wrong input.

    Attributes:
        says: What the message has to name.
        settings: Variables without their prefix, besides those of an application.
        files: What is in the folder, whose name replaces ``{here}``.
        typed: On standard input, which is no terminal and ends.
    """

    name: str
    command: str
    says: str
    code: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    application: bool = True
    typed: str = ""


TABLE = [
    Bad("unknown command", "conect", "conect"),
    Bad("unknown option", "connect --sandbx", "--sandbx"),
    Bad("unknown region", "check --region moon", "north_america"),
    Bad(
        "all settings missing",
        "check",
        r"^ORMCO_TRIOS_CLIENT_ID, ORMCO_TRIOS_REDIRECT_URI are not set",
        application=False,
    ),
    Bad(
        "the portal's missing as well",
        "check",
        r"^ORMCO_TRIOS_PORTAL_USERNAME, ORMCO_TRIOS_PORTAL_PASSWORD are not set",
        settings={"ORMCODIGITAL_URL": NOWHERE},
    ),
    Bad(
        "no address of the sandbox",
        "check --portal manual",
        r"^ORMCO_TRIOS_SANDBOX_URL is not set",
        settings={"ENVIRONMENT": "sandbox"},
    ),
    Bad(
        "the fleet's missing",
        "fleet migrate",
        r"^ORMCO_TRIOS_FLEET_DATABASE, ORMCO_TRIOS_FLEET_KEYS are not set",
    ),
    Bad("environment", "check", "ORMCO_TRIOS_ENVIRONMENT", settings={"ENVIRONMENT": "prod"}),
    Bad("dialect", "check", "ORMCO_TRIOS_DIALECT", settings={"DIALECT": "new"}),
    Bad("address", "check", "https", settings={"COMMUNICATE_URL": "http://users.example"}),
    Bad("redirect", "connect", "REDIRECT_URI", settings={"REDIRECT_URI": "app.example/callback"}),
    Bad("redirect's port", "connect", "REDIRECT_URI", settings={"REDIRECT_URI": "http://a:70000/"}),
    Bad(
        "redirect's fragment", "connect", "REDIRECT_URI", settings={"REDIRECT_URI": "https://a/#b"}
    ),
    Bad("id with a line break", "connect", "_CLIENT_ID", settings={"CLIENT_ID": "app\n"}),
    Bad("secret with a tab", "connect", "_CLIENT_SECRET", settings={"CLIENT_SECRET": "a\t"}),
    Bad(
        "portal of the environment",
        "check",
        "ORMCO_TRIOS_PORTAL",
        settings={"PORTAL": "fax"},
    ),
    Bad("rate", "fleet run {here}/l.csv --rate nan", "rate", files={"l.csv": b"id\na\n"}),
    Bad("line of the list", "fleet run {here}/l.jsonl", "Line 1", files={"l.jsonl": b"{"}),
    Bad(
        "times exchanged",
        "cases list --sandbox --since 2026-02-01 --until 2026-01-01",
        "Exchange",
    ),
    Bad(
        "token folder is a file",
        "check",
        "folder of tokens",
        settings={"TOKEN_FOLDER": "{here}/file"},
        files={"file": b"x"},
    ),
    Bad(
        "token folder cannot be made",
        "connect",
        "folder of tokens",
        settings={"TOKEN_FOLDER": "{here}/file/tokens"},
        files={"file": b"x"},
    ),
    Bad("taken port", "sandbox --port {taken}", "--port"),
    Bad("no such port", "sandbox --port 70000", "--port"),
    Bad("fault", "sandbox --fault broken", "fault"),
    Bad("fault's operation", "sandbox --fault nothing.here:status=503", "--fault.*nothing"),
    Bad("never approved", "sandbox --approve-after nan", "--approve-after"),
    Bad("switch", "sandbox --switch nothing=1", "nothing"),
    Bad("broken seed", "sandbox --seed {here}/s.yaml", "seed", files={"s.yaml": b"a: ["}),
    Bad("seed of bytes", "sandbox --seed {here}/s.json", "seed", files={"s.json": b"\xff\xfe"}),
    Bad("list of bytes", "fleet run {here}/l.csv", "list", files={"l.csv": b"\xff\xfe\0"}),
    Bad("broken list", "fleet run {here}/l.csv", "[Ll]ine 2", files={"l.csv": b"id\n1,2,3\n"}),
    Bad("no list", "fleet run {here}/l.csv", "does not exist"),
    Bad(
        "records that are none",
        "fleet status --records {here}/r",
        "record",
        files={"r": b"no database"},
    ),
    Bad("report nowhere", "fleet run --sandbox 2 --report {here}/no/r.html", "--report"),
    Bad(
        "database's address",
        "fleet migrate",
        "postgresql://",
        settings={
            "FLEET_DATABASE": "127.0.0.1",
            "FLEET_KEYS": Encryption.new_key(),
        },
    ),
    Bad(
        "cursor of bytes",
        "cases sync --sandbox --cursor {here}/c",
        "cursor",
        files={"c": b"\xff\xfe\0"},
    ),
    Bad("cursor nowhere", "cases sync --sandbox --cursor {here}/no/c", "--cursor"),
    Bad("unknown case", "cases get --sandbox nothing", "id", code=1),
    Bad("recording", "first-contact judge {here}/h.har", "HAR", files={"h.har": b"{}"}),
    Bad(
        "page nowhere",
        "first-contact judge {here}/h --html {here}/no/p",
        "--html",
        files={"h": b""},
    ),
    Bad("nobody of that name", "approve --sandbox nobody@clinic.example", "approve", code=1),
    Bad("nothing pasted", "code", "ENTIRE address", code=1),
    Bad("nobody there to confirm", "disconnect", "standard input has ended", code=4),
    Bad("nobody there to search", "cases list --search", "standard input has ended", code=4),
    Bad("a dead network", "cases list", "network", code=7, settings=DEAD),
]


@pytest.fixture(autouse=True)
def pauses_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: None)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run(command: str, settings: dict[str, str], typed: str = "") -> Result:
        environ = {f"ORMCO_TRIOS_{name}": value for name, value in settings.items()}
        environ.setdefault("ORMCO_TRIOS_TOKEN_FOLDER", str(tmp_path / "tokens"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # getpass's, that a paste may be shown
            return CliRunner(env=environ).invoke(cli, command.split(), input=typed)

    return run


def signed_in(folder: Path) -> None:
    """As after a sign-in whose token still holds."""
    token = Token(
        access_token=SecretStr("token"), expires_at=datetime.now(UTC) + timedelta(hours=1)
    )
    FileTokenStore(folder).save("production:default", token)


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_one_message_and_a_documented_exit_code(
    bad: Bad, run: Callable[..., Result], tmp_path: Path, taken: int
) -> None:
    for name, content in bad.files.items():
        (tmp_path / name).write_bytes(content)
    if bad.settings is DEAD:
        signed_in(tmp_path / "tokens")
    fill = {"here": tmp_path, "taken": taken}
    settings = APPLICATION if bad.application else {}
    settings = settings | {name: value.format(**fill) for name, value in bad.settings.items()}
    done = run(bad.command.format(**fill), settings, bad.typed)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == bad.code, done.output
    assert bad.code in CODES
    assert done.stdout.strip() == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if bad.code == 4:
        lines = lines[-1:]  # above it is the question
    assert len(lines) <= 3, done.stderr
    assert re.search(bad.says, done.stderr), done.stderr
    assert not re.search(r"Traceback|ConnectError|status \d{3}|Warning", done.stderr)


def test_a_closed_standard_input_is_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(NobodyAnswered):
        prompt("Search for")


def test_an_encoding_without_the_marks_has_plain_ones() -> None:
    program = "from ormco_trios.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--sandbox"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert done.returncode == 4, done.stderr
    # How far apart the two are depends on rich.
    assert re.match(rb"- +Signed in to 3Shape Communicate: to do", done.stdout)


@pytest.mark.parametrize(
    "wrong",
    [
        {"HTTPS_PROXY": "ftp://127.0.0.1:9"},
        {"HTTPS_PROXY": "socks5://127.0.0.1:9"},
        {"SSL_CERT_FILE": "/no"},
    ],
    ids=lambda wrong: "".join(wrong.values()),
)
def test_what_the_machine_sets_wrongly(
    wrong: dict[str, str],
    run: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "SSL_CERT_FILE" in wrong and httpx.__version__ < "0.28":
        pytest.skip("httpx 0.27 passes over a file that is not there")
    signed_in(tmp_path / "tokens")
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    # No SOCKS where its package is not installed.
    monkeypatch.setitem(sys.modules, "socksio", None)
    connection.tls_context.cache_clear()
    nowhere = {name: value.replace("http:", "https:") for name, value in DEAD.items()}
    nowhere = {
        name: value.replace("127.0.0.1", "nowhere.example") for name, value in nowhere.items()
    }
    done = run("cases list", APPLICATION | nowhere)
    connection.tls_context.cache_clear()
    connection.proxy_for.cache_clear()
    assert done.exit_code == 2
    assert next(iter(wrong)) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_verbose_says_what_support_needs(run: Callable[..., Result], tmp_path: Path) -> None:
    signed_in(tmp_path / "tokens")
    done = run("cases list --verbose", APPLICATION | DEAD)
    assert done.exit_code == 7
    assert "[ConnectError]" in done.stderr


def test_a_dead_network_is_not_known_rather_than_a_persons_turn(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    signed_in(tmp_path / "tokens")
    done = run("check", APPLICATION | DEAD)
    assert done.exit_code == 7
    assert "ConnectError" not in done.output


def test_json_carries_what_is_wrong(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run(f"fleet status --json --records {tmp_path}/none.db", {})
    assert done.exit_code == 2
    assert "There is no fleet yet" in json.loads(done.stdout)["error"]["message"]
    assert done.stderr == ""


def test_json_carries_the_link(run: Callable[..., Result]) -> None:
    done = run("connect --json", APPLICATION)
    assert done.exit_code == 4
    said = json.loads(done.stdout)
    assert said["state"] == "needs_authorization"
    assert said["link"].startswith("https://auth.3shapecommunicate.com/")
    assert said["error"]["type"] == "NobodyAnswered"


def test_a_link_of_other_settings_is_not_shown_again(run: Callable[..., Result]) -> None:
    first = json.loads(run("connect --json", APPLICATION).stdout)["link"]
    assert json.loads(run("connect --json", APPLICATION).stdout)["link"] == first
    moved = APPLICATION | {"REDIRECT_URI": "https://new.example/callback"}
    assert "new.example" in json.loads(run("connect --json", moved).stdout)["link"]


def test_a_missing_extra_is_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("ormco_trios.sandbox.serve.s")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = run("connect --sandbox", {})
    assert done.exit_code == 2
    assert "pip install 'ormco-trios[sandbox]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_choices_are_the_librarys() -> None:
    """They are written out, so that `--help` need not load it."""

    def choices(command: click.Command, option: str) -> set[str]:
        (found,) = (p for p in command.params if p.name == option)
        assert isinstance(found.type, click.Choice)
        return set(found.type.choices)

    assert choices(connect, "region") == {region.value for region in Region}
    assert choices(repair, "extent") == {r.value.replace(" ", "-") for r in Repair}
    assert choices(connect, "portal") <= {way.value for way in PortalWay}


def helps(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from helps(below, (*path, name))


def test_help_loads_nothing_that_it_does_not_need() -> None:
    program = (
        "import sys\n"
        "from ormco_trios.cli.app import cli\n"
        "for words in {!r}:\n"
        "    try: cli([*words, '--help'])\n"
        "    except SystemExit: pass\n"
        "heavy = 'httpx pydantic asyncio ssl sqlite3 rich ormco_trios.onboarding'.split()\n"
        "print(*(m for m in heavy if m in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.format([*helps(cli)])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == ""
    assert done.stdout.count("Usage:") == len([*helps(cli)])
