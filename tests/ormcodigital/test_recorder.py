"""What the recorder calls what a person types."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ormco_trios.ormcodigital.browser.recorder import Recorder
from ormco_trios.ormcodigital.first_contact.redact import Sites

LOGIN = "https://portal.example/login?next=/"
CONSENT = "https://auth.3shapecommunicate.com/oauth/authorise?client_id=1"


def typed(*told: tuple[str, str, bool, str]) -> dict[str, str]:
    recorder = Recorder(Sites("https://portal.example"))
    for url, field, secret, value in told:
        source = {"frame": SimpleNamespace(url=url)}
        recorder._type(source, {"field": field, "secret": secret, "value": value})
    return recorder.typed


ANNA = (LOGIN, "1", False, "anna")
SECRET = (LOGIN, "2", True, "a secret")


def test_each_by_what_it_is_for() -> None:
    assert typed(
        ANNA,
        SECRET,
        ("https://portal.example/me", "3", False, "the code"),
        (CONSENT, "4", False, "anna@clinic.example"),
        (CONSENT, "5", True, "another secret"),
        ("https://other.example/", "6", True, "a third"),
    ) == {
        "username": "anna",
        "password": "a secret",
        "field 3": "the code",
        "3shape e-mail": "anna@clinic.example",
        "3shape password": "another secret",
        "field 6": "a third",
    }


def test_the_last_value_of_a_field_counts() -> None:
    assert typed((LOGIN, "1", False, "ann"), ANNA) == {"username": "anna"}


@pytest.mark.parametrize("again", [LOGIN, "https://portal.example/login?error=1"])
def test_a_second_try_is_the_one_that_signs_in(again: str) -> None:
    found = typed(ANNA, SECRET, (again, "3", False, "anna"), (again, "4", True, "the right one"))
    assert (found["username"], found["password"]) == ("anna", "the right one")
    assert "a secret" in found.values()


def test_a_field_that_is_drawn_again_is_the_same() -> None:
    found = typed(ANNA, SECRET, (LOGIN, "3", False, "anna"), (LOGIN, "4", True, "a secret"))
    assert (found["username"], found["password"]) == ("anna", "a secret")
    assert set(found.values()) == {"anna", "a secret"}


def test_a_page_that_draws_itself_has_other_fields() -> None:
    """All of it has one address."""
    found = typed(ANNA, SECRET, (LOGIN, "3", False, "the code"), (LOGIN, "4", False, "a city"))
    assert found == {
        "username": "anna",
        "password": "a secret",
        "field 3": "the code",
        "field 4": "a city",
    }
    found = typed(ANNA, SECRET, (LOGIN, "3", True, "a new one"))
    assert (found["password"], found["field 3"]) == ("a secret", "a new one")


def test_a_new_password_is_another_field() -> None:
    found = typed(ANNA, SECRET, ("https://portal.example/renew", "3", True, "a new one"))
    assert (found["password"], found["field 3"]) == ("a secret", "a new one")
