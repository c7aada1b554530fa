"""The guide, walked by its screens, by a person who has only the guide."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from tests.browser.conftest import faint

from ormco_trios.sandbox import Sandbox, Switches

pytestmark = pytest.mark.socket

LANDING = "ormco/?code="


def connect_to_the_lab(person, sandbox: Sandbox) -> None:
    """Pages 3 to 6 of the guide."""
    person.open("/communicate/User/SignIn")
    person.look("communicate-sign-in")
    person.sign_in()
    person.look("no-connections")
    person.follow("Add Connection")
    label = "Fill in email or name of the one you want to connect to"
    person.page.get_by_label(label).fill(sandbox.practice.lab_email)
    person.page.get_by_label("Show me Labs").check()
    person.press("Find")
    person.look("search-results")
    person.page.get_by_role("button", name="Connect to Ormco").click()
    row = person.page.locator("[data-connection]")
    assert "Request sent, waiting for approval" in row.inner_text()
    assert grey(row.locator(".dot"))
    person.look("waiting")


def grey(dot) -> bool:
    red, green, blue = (
        int(part)
        for part in dot.evaluate("e => getComputedStyle(e).backgroundColor")[4:-1].split(",")
    )
    return max(red, green, blue) - min(red, green, blue) < 30


def sign_in_at_the_portal(person, sandbox: Sandbox) -> None:
    person.open("/ormcodigital/")
    person.look("portal-sign-in")
    who = sandbox.practice
    person.fill(Username=who.portal_username, Password=who.portal_password)
    person.press("Sign in")
    person.follow("My Account")
    person.follow("My Profile")


def fetch_the_address(person, sandbox: Sandbox, *, button: str = "Allow access") -> str:
    """Pages 7 to 9: the link opens a second window; its address bar is what is copied."""
    with person.page.expect_popup() as opened:
        person.follow("here")
    second = type(person)(opened.value, sandbox, f"{person._series}-window")
    second.page.set_viewport_size({"width": 1000, "height": 760})
    if second.page.get_by_label("Password").count():
        second.look("sign-in-for-ormco")
        second.sign_in()
    second.look("authorize")
    second.press(button)
    second.look("redirected")
    address = str(second.page.url)
    shown = second.page.locator("#address").inner_text()
    assert shown == address
    second.page.close()
    return address


def by_the_book(address: str, sandbox: Sandbox) -> str:
    """Page 10: Home, remove the beginning; remove the 25 between % and 21."""
    code = address.removeprefix(f"{sandbox.base_url}/{LANDING}")
    assert code != address
    at = code.index("%2521")
    return code[: at + 1] + code[at + 3 :]


def enter(person, code: str) -> None:
    person.fill(**{"Enter_Code_:": code})
    person.press("Ok")


def update(person) -> None:
    person.press("Update")
    assert "Your profile was saved." in person.page.get_by_role("status").inner_text()


def state_of(sandbox: Sandbox) -> str:
    import httpx

    state = httpx.get(f"{sandbox.base_url}/sandbox/state", trust_env=False).json()
    return str(state["portal"][sandbox.practice.portal_username])


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "not_edited"])
def test_the_whole_guide(person, sandbox, edited) -> None:
    connect_to_the_lab(person, sandbox)

    # Ormco approves; the lab's inbox is below, in a test of its own.
    sandbox.approve()
    person.page.reload()
    row = person.page.locator("[data-connection]")
    assert "Active" in row.inner_text()
    assert not grey(row.locator(".dot"))
    person.look("active")

    sign_in_at_the_portal(person, sandbox)
    person.look("profile")
    person.fill(Address_2="Second floor")
    person.page.get_by_label("Intraoral Scanner").check()
    person.page.get_by_label("Scanner", exact=True).select_option("3Shape Trios")
    person.press("Connect 3 Shape to Insignia")
    person.look("enter-code")
    address = fetch_the_address(person, sandbox)
    if edited:
        enter(person, by_the_book(address, sandbox))
    else:
        # Pasted as it is: the field says what is wrong, and takes what a browser decodes.
        enter(person, address)
        assert "does not look like" in person.page.get_by_role("alert").inner_text()
        person.look("address-refused")
        code = address.removeprefix(f"{sandbox.base_url}/{LANDING}")
        enter(person, code.replace("%2521", "!"))
    assert state_of(sandbox) == "draft"
    assert person.page.get_by_label("Address 2").input_value() == "Second floor"
    person.look("code-waiting")
    update(person)
    assert state_of(sandbox) == "connected"
    person.look("connected")
    profile = sandbox.world.state.portal_accounts[sandbox.practice.portal_username].profile
    assert profile["submission_method"] == {"source": "IntraoralScanner", "scanner": "3Shape Trios"}
    assert profile["default_shipping_address"]["address2"] == "Second floor"


def test_denied_consent(person, sandbox) -> None:
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    address = fetch_the_address(person, sandbox, button="Cancel")
    assert "error=access_denied" in address
    assert "code=" not in address
    person.press("Cancel")
    assert state_of(sandbox) == "not_connected"


def test_closing_the_dialog_loses_the_draft(person, sandbox) -> None:
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    enter(person, by_the_book(fetch_the_address(person, sandbox), sandbox))
    person.press("Connect 3 Shape to Insignia")
    person.press("Cancel")
    assert state_of(sandbox) == "not_connected"


def test_repair_through_applications(person, sandbox) -> None:
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    enter(person, by_the_book(fetch_the_address(person, sandbox), sandbox))
    update(person)

    person.open("/communicate/User/Applications")
    person.look("applications")
    person.page.get_by_label("Remove Ormco").click()
    person.look("confirm")
    person.press("Delete")
    assert "No application has access." in person.page.inner_text("main")
    assert state_of(sandbox) == "needs_repair"

    person.open("/ormcodigital/my-account/profile")
    person.look("needs-repair")
    person.press("Connect 3 Shape to Insignia")
    enter(person, by_the_book(fetch_the_address(person, sandbox), sandbox))
    update(person)
    assert state_of(sandbox) == "connected"


def test_a_spent_code_is_refused_at_update(person, sandbox) -> None:
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    address = fetch_the_address(person, sandbox)
    sandbox.clock.advance(200)
    enter(person, by_the_book(address, sandbox))
    person.press("Update")
    assert "Get a fresh one" in person.page.get_by_role("alert").inner_text()
    person.look("code-refused")
    assert state_of(sandbox) == "not_connected"


def test_the_labs_inbox(person, sandbox) -> None:
    world = sandbox.world
    world.new_connection(world.user(sandbox.practice.email), world.user(sandbox.practice.lab_email))
    person.open("/communicate/User/Connections")
    person.sign_in(sandbox.practice.lab_email)
    person.look("inbox")
    person.page.get_by_role("button", name="Accept").click()
    assert "Active" in person.page.locator("[data-connection]").inner_text()
    person.look("accepted")

    # Either side may end it with the red X.
    person.page.get_by_label("Remove Kieferorthop\u00e4die").click()
    person.press("Remove")
    assert "no connections yet" in person.page.inner_text("main")


def test_the_operators_page(person, sandbox) -> None:
    world = sandbox.world
    world.new_connection(world.user(sandbox.practice.email), world.user(sandbox.practice.lab_email))
    person.open("/sandbox/")
    before = world.clock.time()
    person.fill(Hours_to_advance="24")
    person.press("Advance")
    assert world.clock.time() == before + 86_400
    person.fill(Plan_a_fault="users.me:status=503,times=2")
    person.press("Plan")
    person.page.get_by_role("button", name="Approve").click()
    assert world.connections()[0].accepted
    person.open("/communicate/User/SignIn")
    person.open("/sandbox/")
    person.look("operator")
    person.fill(Plan_a_fault="nonsense")
    person.press("Plan")
    assert "a fault is written as" in person.page.get_by_role("alert").inner_text()
    person.press("Begin again")
    assert not world.connections()


def test_by_keyboard_alone(person, sandbox) -> None:
    person.open("/communicate/User/SignIn")
    seen = []
    for _ in range(5):
        person.page.keyboard.press("Tab")
        seen.append(
            person.page.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
    assert seen == ["Skip to the content", "All pages", "email", "password", "Sign in"]


def test_a_form_of_another_session_is_refused(person, sandbox) -> None:
    person.open("/communicate/User/SignIn")
    person.page.context.clear_cookies()
    person.sign_in()
    assert "form has expired" in person.page.get_by_role("alert").inner_text()
    person.look("expired")


def test_contrast_is_measured(person) -> None:
    """The ratios of a page made for it; every other test here asks for them on every page."""
    person.page.set_content(
        """<body style="background:#fff"><style>
        @media (prefers-color-scheme: dark) { .scheme { background: #555 } }</style>
        <p style="color:#767676">4.54</p><p style="color:#777">4.48</p>
        <h1 style="color:#949494;font-size:24px">3.03</h1><b style="color:#949494">3.03</b>
        <div style="background:rgb(0 0 0 / 50%)"><i style="color:#fff">3.98</i></div>
        <p class="scheme" style="color:#333">only in the dark</p>
        <input name="field" value="x" style="color:#888;background:#fff">
        <p hidden style="color:#fff">nobody sees it</p>"""
    )
    always = ["4.48: 4.48", "3.03: 3.03", "3.98: 3.98", "3.54: field"]
    in_the_dark = [*always[:3], "1.69: only in the dark", always[3]]
    assert faint(person.page) == [
        *(f"dark, {text}" for text in in_the_dark),
        *(f"light, {text}" for text in always),
    ]


def test_a_case_is_sent_by_a_click(person, sandbox) -> None:
    """What the whole guide is for."""
    world, lab = sandbox.world, sandbox.practice.lab_email
    person.open("/communicate/User/Cases")
    person.sign_in()
    person.open("/communicate/User/Cases")
    newest = person.page.locator("[data-case]").first
    assert "Created" in newest.inner_text()
    assert newest.get_by_role("button").count() == 0
    assert "once a lab has accepted" in person.page.inner_text("main")
    world.new_connection(world.user(sandbox.practice.email), world.user(lab))
    world.approve()
    person.page.reload()
    person.look("cases")
    newest.get_by_role("button", name="Send", exact=False).click()
    assert "Sent: Ormco" in newest.inner_text()
    person.press("Scan a new patient")
    assert "Created" in newest.inner_text()
    person.look("scanned")

    person.follow("Sign out")
    person.sign_in(lab)
    person.follow("Cases")
    assert person.page.locator("[data-case]").count() == 10
    assert person.page.get_by_role("button").count() == 0
    person.look("at-the-lab")


def test_the_first_page_leads_everywhere(person, sandbox) -> None:
    person.open("/")
    person.look("start")
    links = person.page.locator("main a").evaluate_all("all => all.map(a => a.href)")
    assert len(links) == 14
    assert {person.page.request.get(link).status for link in links} == {200}
    people = person.page.locator("tbody tr").first.locator("code").all_inner_texts()
    person.follow("3Shape Communicate")
    person.fill(Email=people[0], Password=people[1])
    person.press("Sign in")
    assert "There are no connections yet." in person.page.inner_text("main")
    person.follow("All pages")
    assert person.page.title() == "All pages | Sandbox"


def test_the_operator_sets_switches(person, sandbox) -> None:
    person.open("/sandbox/")
    person.page.get_by_text(f"0 of {len(Switches().as_dict())} changed").click()
    person.page.get_by_label("portal_api", exact=True).select_option("404")
    person.page.get_by_label("code_layers", exact=True).select_option("3")
    person.look("switches")
    person.press("Set switches")
    assert sandbox.world.switches == Switches(portal_api="404", code_layers=3)
    assert "changed: code_layers=3, portal_api=404" in person.page.inner_text("main")


def test_without_its_api_the_portals_pages_do_their_part(person, sandbox) -> None:
    sandbox.switch(portal_api="404")
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    enter(person, by_the_book(fetch_the_address(person, sandbox), sandbox))
    update(person)
    assert state_of(sandbox) == "connected"


def test_the_consent_page_says_whose_account_it_is(person, sandbox) -> None:
    person.open("/communicate/User/SignIn")
    other = sandbox.practice_in("am").email
    person.sign_in(other)
    sign_in_at_the_portal(person, sandbox)
    person.press("Connect 3 Shape to Insignia")
    with person.page.expect_popup() as opened:
        person.follow("here")
    assert opened.value.locator("#account").inner_text() == other


def test_what_was_typed_is_escaped(person, sandbox) -> None:
    person.open("/communicate/User/SignIn")
    person.sign_in()
    person.open(f"/communicate/User/Connections/Add?text={quote('<b>x</b>')}&show=labs")
    assert person.page.locator("b").count() == 0
