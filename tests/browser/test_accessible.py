"""axe-core over everything that a person looks at; `nox -s accessibility` fetches it and runs this.

Each page is looked at on a phone, a tablet and a desktop, light and dark, and kept as a picture.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests.browser.conftest import SCREENS
from tests.practices import Hands
from tests.test_web import Worker

from ormco_trios import CommunicateClient, OAuthClient, Onboarding, OverallState, TaskPage
from ormco_trios.sandbox import Approval, Sandbox

AXE = Path(os.environ.get("AXE_CORE", "axe.min.js"))
SITE = Path(__file__).resolve().parents[2] / "site"
GRAVE = {"serious", "critical"}

pytestmark = [
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not AXE.exists(), reason="see `nox -s accessibility`"),
]

Open = Callable[[str, str], Page]


def problems(page: Page, within: str) -> list[str]:
    """What axe-core calls serious or critical, each with where it is."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "async within => (await axe.run({include: [within]})).violations", within
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:3]
        if "md-typeset__scrollwrap" not in node["html"]  # the documentation's theme adds it
    ]


def look(page: Page, name: str, *, within: str = "html") -> list[str]:
    """The problems of the page that is open, in every size and scheme."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    found: dict[str, None] = {}
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 760})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(50)
            page.screenshot(path=SCREENS / f"axe-{name}-{width}-{scheme}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found[f"{name}: {wide} pixels wide at {width}"] = None
            for problem in problems(page, within):
                found[f"{name}, {scheme}: {problem}"] = None
    return [*found]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    # axe-core is brought in from outside, as no page of ours may do.
    context = browser.new_context(bypass_csp=True)
    context.set_default_timeout(15_000)
    yield context
    context.close()


def sign_in(page: Page, sandbox: Sandbox) -> None:
    who = sandbox.practice
    page.get_by_label("Email", exact=True).fill(who.email)
    page.get_by_label("Password", exact=True).fill(who.password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_the_sandboxs_pages(context: BrowserContext, sandbox: Sandbox) -> None:
    page, base, who = context.new_page(), sandbox.base_url, sandbox.practice
    found: list[str] = []

    def see(path: str, name: str) -> None:
        page.goto(f"{base}{path}")
        found.extend(look(page, f"sandbox-{name}"))

    see("/", "start")
    see("/sandbox/", "operator")
    see("/nowhere", "not-found")
    see("/communicate/User/SignIn", "sign-in")
    sign_in(page, sandbox)
    me, lab = (sandbox.world.user(email) for email in (who.email, who.lab_email))
    page.wait_for_load_state()
    found += look(page, "sandbox-connections-none")
    sandbox.world.new_connection(me, lab)
    see("/communicate/User/Connections/Add?text=insignia&show=labs", "found")
    see("/communicate/User/Connections", "connections-waiting")
    sandbox.approve()
    page.reload()
    found += look(page, "sandbox-connections-active")
    for link in ("Add Connection", "Cases", "Applications"):
        page.get_by_role("link", name=link, exact=True).first.click()
        page.wait_for_load_state()
        found += look(page, f"sandbox-{link.lower().replace(' ', '-')}")
        page.go_back()
    page.goto(f"{base}/ormcodigital/")
    found += look(page, "sandbox-portal-sign-in")
    page.get_by_label("Username").fill(who.portal_username)
    page.get_by_label("Password").fill(who.portal_password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    found += look(page, "sandbox-portal-home")
    page.get_by_role("link", name="My Account").click()
    found += look(page, "sandbox-portal-account")
    page.get_by_role("link", name="My Profile").click()
    page.get_by_label("Intraoral Scanner").check()
    page.get_by_label("Scanner", exact=True).select_option("3Shape Trios")
    found += look(page, "sandbox-portal-profile")
    page.get_by_role("button", name="Connect 3 Shape to Insignia").click()
    page.wait_for_load_state()
    found += look(page, "sandbox-portal-enter-code")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="here", exact=True).click()
    second = opened.value
    second.wait_for_load_state()
    found += look(second, "sandbox-consent")
    second.get_by_role("button", name="Allow access").click()
    second.wait_for_load_state()
    found += look(second, "sandbox-landing")
    see("/communicate/User/Applications", "applications-ormco")
    page.locator("details.remove summary").click()
    found += look(page, "sandbox-applications-delete")
    see("/sandbox/", "operator-in-use")
    assert found == []


def test_the_task_page(context: BrowserContext, sandbox: Sandbox) -> None:
    found: list[str] = []
    page = context.new_page()
    with (
        contextlib.closing(Hands(sandbox)) as hands,
        OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        ) as oauth,
        CommunicateClient(sandbox.environment, auth=oauth.auth) as communicate,
        TaskPage(show=lambda _: None) as tasks,
        ThreadPoolExecutor() as pool,
    ):
        sandbox.world.set_approval(Approval.immediately(), practice=sandbox.practice.email)
        practice = Onboarding(communicate=communicate, oauth=oauth)
        connected = pool.submit(practice.run, authorize=tasks.authorize, person=tasks.ask)
        page.goto(tasks.url)
        link = page.locator("a.link")
        link.wait_for()
        found += look(page, "task-page-sign-in")
        page.locator("[name=address]").fill(sandbox.authorize(str(link.get_attribute("href"))))
        page.get_by_role("button", name="Send the address").click()
        page.get_by_text("Get the authorization code").wait_for()
        found += look(page, "task-page-address")
        page.locator("[name=address]").fill(hands.press_here())
        page.get_by_role("button", name="Send the address").click()
        page.locator("#text").wait_for()
        found += look(page, "task-page-code")
        hands.enter(page.locator("#text").input_value())
        page.get_by_role("button", name="Done").click()
        assert connected.result(60).checklist.state is OverallState.CONNECTED
        found += look(page, "task-page-over")
    page.get_by_text("You can close this page").wait_for()
    assert found == []


def test_reports(context: BrowserContext, tmp_path: Path) -> None:
    """The pages that commands write: where a fleet's practices stand, and what a recording says."""
    fleet, walk = tmp_path / "fleet.html", tmp_path / "walk.html"
    recording = tmp_path / "walk.har"
    recording.write_text(json.dumps({"log": {"entries": []}}))
    for command in (
        ("fleet", "run", "--sandbox", "20", "--report", fleet),
        ("first-contact", "judge", recording, "--html", walk, "--portal", "https://p.example"),
    ):
        subprocess.run([sys.executable, "-m", "ormco_trios", *command], stdin=subprocess.DEVNULL)
    page = context.new_page()
    found: list[str] = []
    for report in (fleet, walk):
        page.goto(report.as_uri())
        found += look(page, f"report-{report.stem}")
    assert found == []


def test_the_web_example(context: BrowserContext, tmp_path: Path) -> None:
    found: list[str] = []
    page = context.new_page()
    with Sandbox(server=True, approval=Approval.held()) as sandbox:
        worker = Worker(
            {
                "ORMCO_TRIOS_ENVIRONMENT": "sandbox",
                "ORMCO_TRIOS_SANDBOX_URL": sandbox.base_url,
                "ORMCO_TRIOS_CLIENT_ID": sandbox.account_client_id,
                "DATABASE": str(tmp_path / "practices.db"),
            }
        )
        hands = Hands(sandbox)
        try:
            worker.start(worker.url)
            page.goto(worker.url)
            found += look(page, "web-start")
            page.get_by_label("E-mail").fill(sandbox.practice.email)
            page.get_by_role("button", name="Begin").click()
            page.wait_for_load_state()
            found += look(page, "web-sign-in")
            link = page.locator("a.link").first.get_attribute("href")
            assert link is not None
            page.goto(sandbox.authorize(link))
            found += look(page, "web-waiting")
            sandbox.approve()
            page.get_by_role("button", name="Look again now").click()
            page.wait_for_load_state()
            found += look(page, "web-task-address")
            page.locator("[name=address]").fill(hands.press_here())
            page.locator("form:has([name=address]) button").first.click()
            page.wait_for_load_state()
            found += look(page, "web-task-code")
            text = page.locator("#text").input_value()
            hands.enter(text)
            page.locator("button[value=done], form:has([value=done]) button").first.click()
            page.wait_for_load_state()
            found += look(page, "web-connected")
        finally:
            hands.close()
            worker.close()
    assert found == []


def test_what_a_notebook_shows(context: BrowserContext, sandbox: Sandbox) -> None:
    """Every HTML form on a page as plain as a notebook's, on white and on black."""
    from ormco_trios import OrmcoDigitalClient

    with (
        OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        ) as oauth,
        CommunicateClient(sandbox.environment, auth=oauth.auth) as communicate,
        OrmcoDigitalClient(sandbox.environment, username="a", password="b") as portal,
    ):
        practice = Onboarding(communicate=communicate, oauth=oauth)
        first = practice.advance()
        shown: list[Any] = [communicate, oauth, portal, practice, first, practice.check()]
        practice.finish_authorization(sandbox.authorize(first.url))  # type: ignore[union-attr]
        shown += [practice.advance(), communicate, communicate.users.me(), practice.doctor()]
        shown += [*communicate.connections.list()]
        sandbox.approve()
        shown.append(practice.advance())
        forms = [one._repr_html_() for one in shown if hasattr(one, "_repr_html_")]
    assert len(forms) > 8
    page = context.new_page()
    page.set_content(
        '<!doctype html><html lang="en"><head><title>Notebook</title>'
        '<meta name="viewport" content="width=device-width"><style>'
        ":root{color-scheme:light dark}body{font:14px sans-serif;margin:8px}</style></head>"
        f"<body><main><h1>Notebook</h1>{''.join(forms)}</main></body></html>"
    )
    assert look(page, "notebook-forms") == []


@pytest.fixture
def site() -> Iterator[str]:
    if not SITE.is_dir():
        pytest.skip("the documentation is not built")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_notebook_in_the_documentation(context: BrowserContext, site: str) -> None:
    page = context.new_page()
    page.goto(f"{site}/notebook/")
    # The frame, the code and its colours are the theme's.
    assert look(page, "docs-notebook", within=".jp-RenderedHTMLCommon") == []
