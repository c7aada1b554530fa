"""Names that want to be more than text, in every page that shows one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from tests.browser.conftest import check

from ormco_trios.sandbox import Approval, Sandbox

pytestmark = pytest.mark.socket

ATTACKS = (
    "<script>document.title='hacked'</script>",
    "'\"><img src=x onerror=\"document.title='hacked'\">",
    "</title></style></textarea><svg onload=\"document.title='hacked'\">",
    "{{ 7*191 }}{% include 'style.css' %}",
    "javascript:document.title='hacked'",
)
NAME = " ".join(ATTACKS)

OTHER = "o'b&lt{{7*191}}@clinic.example"
"""An e-mail that a browser accepts."""


@pytest.fixture
def sandbox(tmp_path) -> Iterator[Sandbox]:
    """Every text that a stranger can choose is an attack."""
    account: dict[str, str] = dict.fromkeys(
        ("Name", "FirstName", "LastName", "PhoneNumber", "AddressLine", "PostalCode", "City"), NAME
    )
    address = dict.fromkeys(("address1", "address2", "city", "country", "state", "zip"), NAME)
    seed: dict[str, object] = {
        "practices": [
            {
                "name": name,
                "connection": "active",
                "portal": "connected",
                "account": account | {"Country": NAME},
                "profile": {"name": NAME, "phone": NAME, "default_shipping_address": address},
                "cases": [{"patient": [NAME, NAME], "files": {f"{NAME}.dcm": 10}}],
            }
            for name in ("mallory", OTHER.partition("@")[0])
        ]
    }
    place = tmp_path / "seed.json"
    place.write_text(json.dumps(seed))
    with Sandbox(server=True, approval=Approval.held(), seed_file=place) as sandbox:
        world = sandbox.world
        lab = world.user(sandbox.practice.lab_email)
        lab.fields["Name"] = NAME
        world.new_connection(world.user("mallory@clinic.example"), world.user(OTHER))
        for client in world.state.clients.values():
            object.__setattr__(client, "name", NAME)
        yield sandbox


def attacked(person, shows: str = NAME) -> None:
    """The attack is on the page, and nothing but text."""
    page = person.page
    check(page)
    seen = page.evaluate(
        "document.body.innerText + [...document.querySelectorAll("
        "'input, [aria-label], [title]')].map(e => "
        "e.value + e.getAttribute('aria-label') + e.title).join()"
    )
    assert " ".join(shows.split()) in " ".join(seen.split())
    assert "1337" not in seen
    assert "hacked" not in page.title().replace("document.title='hacked'", "")
    odd = "script, img, svg, iframe, object, [onerror], [onload], a[href^='javascript']"
    assert page.locator(odd).count() == 0
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"


def test_names_are_text_at_3shape(person, sandbox) -> None:
    dialogs: list[object] = []
    person.page.on("dialog", lambda dialog: dialogs.append(dialog))
    person.open("/communicate/User/SignIn")
    person.sign_in("mallory@clinic.example")
    attacked(person)
    person.look("connections")
    person.page.get_by_label("Remove", exact=False).first.click()
    attacked(person)
    for page in ("Cases", "Applications"):
        person.follow(page)
        attacked(person)
        person.look(page.lower())
    person.open(f"/communicate/User/Connections/Add?{urlencode({'text': NAME, 'show': 'labs'})}")
    attacked(person)
    person.look("found")
    query = urlencode({"text": "<script", "show": "practices"})
    person.open(f"/communicate/User/Connections/Add?{query}")
    attacked(person)
    person.follow("Connections")
    person.follow("Sign out")
    person.sign_in(sandbox.practice.lab_email)
    attacked(person)
    person.look("at-the-lab")
    person.follow("Sign out")
    person.sign_in(OTHER)
    attacked(person, "Wants to connect with you")
    attacked(person, OTHER)
    assert dialogs == []


def test_names_are_text_at_the_portal(person, sandbox) -> None:
    who = sandbox.practice_with("mallory@clinic.example")
    person.open("/ormcodigital/")
    person.fill(Username=who.portal_username, Password=who.portal_password)
    person.press("Sign in")
    attacked(person)
    person.follow("My Account")
    person.follow("My Profile")
    attacked(person)
    person.look("profile")
    person.press("Connect 3 Shape to Insignia")
    person.fill(**{"Enter_Code_:": NAME})
    person.press("Ok")
    attacked(person, "does not look like an authorization code")


def test_names_are_text_where_access_is_allowed(person, sandbox) -> None:
    link = {
        "client_id": sandbox.client_id,
        "redirect_uri": sandbox.redirect_uri,
        "response_type": "code",
        "state": NAME,
    }
    person.open(f"/auth/oauth/authorise?{urlencode(link)}")
    attacked(person)
    person.sign_in(OTHER)
    attacked(person)
    attacked(person, OTHER)
    person.look("authorize")
    person.press("Cancel")
    attacked(person, "error=access_denied")
    person.open(f"/practice-app/?error={quote(NAME)}")
    attacked(person, "There is no code in this page's address.")
    person.open(f"/{quote(NAME)}")
    attacked(person, "There is nothing at this address.")


def test_names_are_text_for_the_operator(person, sandbox) -> None:
    person.open("/")
    attacked(person, OTHER)
    person.open("/sandbox/")
    attacked(person, OTHER)
    person.fill(Plan_a_fault=f"users.me:body={NAME.replace(',', ' ').replace(':', ' ')}")
    person.press("Plan")
    attacked(person, "users.me")
    person.fill(Plan_a_fault=f"{ATTACKS[0]}:status=500")
    person.press("Plan")
    attacked(person, f"there is no operation {ATTACKS[0]!r}")
