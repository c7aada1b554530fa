"""The command that judges a recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.ormcodigital.test_first_contact import (
    PATIENT,
    SITES,
    TYPED,
    as_assumed,
    with_forms,
)

from ormco_trios.cli.commands.first_contact import first_contact
from ormco_trios.ormcodigital.first_contact.redact import redact


def run(file: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(first_contact, ["judge", str(file), *arguments])
    return done.exit_code, done.output


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A browser's own export, with everything in it, of a portal that is made of forms."""
    recording = with_forms()
    page = '<form><input name="txtUser"><input type="password" name="txtWord"></form>'
    recording["log"]["entries"].insert(
        0,
        {
            "request": {"method": "GET", "url": "https://portal.example/login.aspx"},
            "response": {"status": 200, "content": {"mimeType": "text/html", "text": page}},
        },
    )
    file = tmp_path / "devtools.har"
    file.write_text(json.dumps(recording))
    return file


def test_a_browsers_export_needs_no_telling(export: Path) -> None:
    code, output = run(export)
    assert code == 0
    assert "[differs] sign_in.route" in output
    assert "POST /login.aspx" in output
    assert "[holds] code.form" in output


def test_it_shows_nothing_personal(export: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    _, output = run(export, "--json", "--html", str(page))
    assert json.loads(output)["judgements"]
    for written in (output, page.read_text()):
        for value in (*TYPED.values(), PATIENT):
            assert value not in written


def test_a_redacted_recording_is_judged_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "walk.har"
    file.write_text(json.dumps(redact(as_assumed(), TYPED, SITES)))
    code, output = run(file)
    assert code == 0
    assert "[differs]" not in output


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"log": {"entries": "none"}}', "\x00"])
def test_what_is_no_recording_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "nonsense.har"
    file.write_text(content)
    code, output = run(file)
    assert code == 2
    assert "HAR" in output
    assert "Traceback" not in output
