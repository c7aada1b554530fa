"""`ormco-trios first-contact record` and `judge`: a real browser, and a person who types in it.

The person is another program that holds the browser from outside, as the person's hands do.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.ormcodigital.portals.base import PASSWORD, PATIENT, USERNAME, Asked, Said, as_json
from tests.ormcodigital.portals.spa import SpaPortal
from tests.ormcodigital.portals.walking import CHROMIUM

from ormco_trios.ormcodigital.first_contact.judge import Verdict, judge
from ormco_trios.ormcodigital.first_contact.values import found
from ormco_trios.sandbox import Approval, Sandbox
from ormco_trios.sandbox.serve import server

pytestmark = [
    pytest.mark.socket,
    pytest.mark.skipif(not CHROMIUM.exists() and "CI" not in os.environ, reason="no Chromium"),
]

AT_3SHAPE = "auth.3shapecommunicate.com"
COOKIE = "c00k1e-0f-4-pr4ct1c3"


class TellingPortal(SpaPortal):
    """It says everything that it knows, in every way."""

    def link(self) -> str:
        """By 3Shape's real name, which the browser is told to look for here."""
        return super().link().replace("127.0.0.1", AT_3SHAPE, 1)

    def handle(self, asked: Asked) -> Said:
        said = super().handle(asked)
        if asked.path == "/bff/cases":
            half = len(PASSWORD) // 2
            first, last = PATIENT.split()
            layers = [PASSWORD]
            for _ in range(3):
                layers.append(quote(layers[-1], safe=""))
            said = as_json(
                {
                    "cases": [{"patient": PATIENT, first: {last: "2019-03-04"}}],
                    "echo": layers,
                    "base64": base64.b64encode(PASSWORD.encode()).decode(),
                    "text": json.dumps({"user": USERNAME, "list": [PASSWORD[:half]]}),
                    "split": [*PASSWORD],
                    "Wolken": {"Kuckuck": [PASSWORD[half:]]},
                    "children": {last: first},
                }
            )
        said.headers["set-cookie"] = f"session={COOKIE}; Path=/"
        return said


class Recording:
    """The command while it runs, and the person's hands at its browser."""

    def __init__(self, folder: Path, portal: str) -> None:
        from playwright.sync_api import sync_playwright

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        browser = folder / "browser"
        browser.write_text(
            f"#!/bin/sh\nexec {CHROMIUM} --headless=new --remote-debugging-port={port} "
            f'--host-resolver-rules="MAP {AT_3SHAPE} 127.0.0.1" "$@"\n'
        )
        browser.chmod(0o755)
        self.out = folder / "walk.har"
        command = ("record", str(self.out), "--portal", portal, "--browser", str(browser))
        self._process = subprocess.Popen(
            (sys.executable, "-m", "ormco_trios", "first-contact", *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._playwright = sync_playwright().start()
        self.context = self._connected(port).contexts[0]

    def _connected(self, port: int) -> Any:
        from playwright.sync_api import Error

        address = f"http://127.0.0.1:{port}"
        while self._process.poll() is None:
            try:
                browser = self._playwright.chromium.connect_over_cdp(address)
            except Error:
                continue
            if browser.contexts and browser.contexts[0].pages:
                return browser
            browser.close()
        raise AssertionError(self._process.communicate())

    def done(self) -> tuple[str, str]:
        """Close the windows; what the command prints then."""
        for page in self.context.pages:
            page.close()
        printed = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, printed
        return printed

    def stop(self) -> None:
        self._playwright.stop()
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def at_the_portal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Recording, TellingPortal]]:
    monkeypatch.setattr(server, "_LOOPBACK", (*server._LOOPBACK, AT_3SHAPE))
    with Sandbox(server=True, approval=Approval.immediately()) as sandbox:
        portal = TellingPortal(sandbox)
        with portal.serve() as address:
            recording = Recording(tmp_path, address)
            try:
                yield recording, portal
            finally:
                recording.stop()


def walk(context: Any, sandbox: Sandbox) -> str:
    """What the guide says, with the keyboard; gives the code as it was copied."""
    page = context.pages[0]
    page.get_by_label("Username").press_sequentially(USERNAME)
    page.get_by_label("Password", exact=True).press_sequentially(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("menuitem", name="MY ACCOUNT").click()
    page.get_by_role("menuitem", name="My Profile").click()
    page.get_by_role("radio", name="Intraoral Scanner").click()
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="3Shape Trios").click()
    page.get_by_role("button", name="Connect 3Shape to Insignia").click()
    with context.expect_page() as opened:
        page.get_by_role("link", name="here").click()
    consent = opened.value
    consent.get_by_label("Email").press_sequentially(sandbox.practice.email)
    consent.get_by_label("Password").press_sequentially(sandbox.practice.password)
    consent.get_by_role("button", name="Sign in").click()
    consent.get_by_role("button", name="Allow access").click()
    consent.wait_for_url("**code=**")
    # As the guide says: without what stands before it, and without the 25.
    code = str(consent.url).partition("code=")[2].replace("%2521", "%21")
    page.get_by_label("Enter code:").press_sequentially(code)
    page.get_by_role("button", name="OK").click()
    page.get_by_role("button", name="Update", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    return code


def test_a_walk_is_recorded_and_judged(at_the_portal: Any, tmp_path: Path) -> None:
    recording, portal = at_the_portal
    sandbox = portal.sandbox
    code = walk(recording.context, sandbox)
    assert portal.connected
    printed = recording.done()

    page = tmp_path / "report.html"
    judged = [
        subprocess.run(
            (sys.executable, "-m", "ormco_trios", "first-contact", "judge", recording.out, *how),
            capture_output=True,
            text=True,
            check=True,
        )
        for how in (("--html", str(page)), ("--json",))
    ]
    report = judge(json.loads(recording.out.read_text("utf-8")))
    said = {each.name: each.verdict for each in report.judgements}
    assert {name for name, verdict in said.items() if verdict is Verdict.HOLDS} >= {
        *("sign_in.by", "session.carrier", "link.dialect", "link.state", "redirect.layers"),
        *("code.form", "code.draft"),
    }
    assert said["sign_in.route"] is Verdict.DIFFERS
    assert json.loads(judged[1].stdout)["judgements"]

    written = [
        *(recording.out.read_text("utf-8"), page.read_text("utf-8"), *printed),
        *(text for each in judged for text in (each.stdout, each.stderr)),
    ]
    secrets = (
        *(USERNAME, PASSWORD, code, code.replace("%21", "!"), COOKIE, *portal.sessions),
        *(sandbox.practice.email, sandbox.practice.password),
        *(PATIENT, *PATIENT.split(), "Wolken", "Kuckuck", "2019-03-04"),
    )
    for secret in secrets:
        for text in written:
            assert not any(found(secret, text)), secret
            assert squeezed(secret) not in squeezed(text), secret


def squeezed(text: str) -> str:
    """Without what JSON puts between the pieces of a value."""
    return "".join(each for each in text if each.isalnum()).casefold()


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    there = tmp_path / "walk.har"
    there.write_text("the last one")
    command = ("first-contact", "record", str(there), "--portal", "https://portal.example")
    ended = subprocess.run(
        (sys.executable, "-m", "ormco_trios", *command), capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "already" in ended.stderr
    assert there.read_text() == "the last one"
