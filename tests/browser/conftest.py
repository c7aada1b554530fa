"""Debian's Chromium, and a camera: every page that a test shows is kept as a picture."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ormco_trios.sandbox import Approval, Sandbox

CHROMIUM = Path("/usr/bin/chromium")
SCREENS = Path(__file__).resolve().parents[2] / ".artefacts" / "screens"
CONTRAST = Path(__file__).with_name("contrast.js").read_text("utf-8")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


# Not for the whole session: Playwright's loop runs as long as it lives, and hinders every other.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM.exists() and "CI" not in os.environ:
        pytest.skip(f"Chromium is missing ({CHROMIUM}); apt-get install chromium brings it")
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, env={**environment}
        )
        yield browser
        browser.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(server=True, approval=Approval.held()) as sandbox:
        yield sandbox


class Person:
    """A person at a browser."""

    def __init__(self, page: Page, sandbox: Sandbox, series: str) -> None:
        self.page = page
        self.sandbox = sandbox
        self._series = series
        self._shot = 0

    def open(self, path: str) -> None:
        self.page.goto(f"{self.sandbox.base_url}{path}")

    def fill(self, **fields: str) -> None:
        for label, value in fields.items():
            self.page.get_by_label(label.replace("_", " "), exact=True).fill(value)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()

    def look(self, name: str) -> None:
        """Take a picture, on a phone too, and check what must hold for every page."""
        check(self.page)
        self._shot += 1
        SCREENS.mkdir(parents=True, exist_ok=True)
        stem = f"{self._series}-{self._shot:02d}-{name}"
        self.page.screenshot(path=SCREENS / f"{stem}.png", full_page=True)
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": 360, "height": 720})
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        self.page.screenshot(path=SCREENS / f"{stem}-phone.png", full_page=True)
        assert wide <= 360, f"{name} is {wide} pixels wide on a phone"
        assert size is not None
        self.page.set_viewport_size(size)

    def sign_in(self, email: str | None = None) -> None:
        user = self.sandbox.world.user(email or self.sandbox.practice.email)
        self.fill(Email=user.email, Password=user.password)
        self.press("Sign in")


def faint(page: Page) -> list[str]:
    """Texts too near in colour to their ground, in the light scheme and in the dark one."""
    found: list[str] = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        seen = page.evaluate(CONTRAST)
        assert seen["texts"] > 0
        found += [f"{scheme}, {text}" for text in seen["faint"]]
    return found


def check(page: Page) -> None:
    """What every page has: a language, one heading, names for all controls, nothing foreign.

    And enough contrast.
    """
    page.locator("h1").first.wait_for()  # a click returns before the next page is read
    assert page.locator("html[lang=en]").count() == 1
    assert page.locator("h1").count() == 1
    assert page.title()
    assert page.locator("script").count() == 0
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
            'input:not([type=hidden]), select, textarea, button, a, summary')]
        .filter(e => !(e.labels && e.labels.length) && !e.getAttribute('aria-label')
                     && !e.textContent.trim())
        .map(e => e.outerHTML)"""
    )
    assert nameless == []
    foreign = page.evaluate(
        "() => performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(n => !n.startsWith(location.origin) && !n.startsWith('data:'))"
    )
    assert foreign == []
    assert faint(page) == []


@pytest.fixture
def person(browser: Browser, sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 1000, "height": 760})
    context.set_default_timeout(10_000)
    series = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    yield Person(context.new_page(), sandbox, series)
    context.close()
