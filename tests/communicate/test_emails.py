"""When two e-mails are the same account's, and what of one is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios.communicate.emails import folded, is_email, masked, masked_apart, same

emails = st.builds(
    "{}@{}".format,
    st.text(
        st.sampled_from("abAB.-1ßé\u017f\u212a\u0130\u0430\u200b\x07 "), min_size=1, max_size=6
    ),
    st.sampled_from(["praxis.example", "PRAXIS.example", "pr\u0430xis.example", "other.example"]),
)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("anna@praxis.example", " Anna@PRAXIS.example ", True),
        ("élodie@praxis.example", "ÉLODIE@praxis.example", True),
        ("anna@praxis.example", "anna@praxis.example.evil.example", False),
        # Folding these would make them Latin letters: other accounts pass for Ormco's.
        ("insignia.support@ormco.com", "in\u017fignia.support@ormco.com", False),
        ("mark@praxis.example", "mar\u212a@praxis.example", False),
        ("strasse@praxis.example", "straße@praxis.example", False),
        ("anna@praxis.example", "\u0430nna@praxis.example", False),
        # As a browser sends it.
        ("anna@bücher.example", "Anna@XN--bcher-kva.Example", True),
        ("anna@bücher.example", "anna@xn--bcher-kva.example.evil.example", False),
        ("anna@strasse.example", "anna@xn--strae-oqa.example", False),
        ("anna@praxis.example", "anna@xn--praxis-.example", False),
        ("anna@praxis.example", "anna@xn--praxis.example", False),
        ("xn--bcher-kva@praxis.example", "bücher@praxis.example", False),
        (None, "anna@praxis.example", False),
        (None, None, False),
    ],
)
def test_the_same(one: str | None, other: str | None, is_same: bool) -> None:
    assert same(one, other) is is_same


@given(emails)
def test_case_alone_is_no_difference(email: str) -> None:
    assert same(email, email)
    if email.isascii():
        assert same(email, email.upper())
        assert folded(email) == email.strip().casefold()
    else:
        assert not folded(email).isascii()


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("anna@praxis.example", "an…a@praxis.example"),
        (" Dr.Mueller@praxis.example ", "Dr…r@praxis.example"),
        ("ann@praxis.example", "an…n@praxis.example"),
        ("bo@praxis.example", "b…@praxis.example"),
        ("b@praxis.example", "b…@praxis.example"),
        ("\u0430nna@praxis.example", "\\u0430n…a@praxis.example"),
        ("an\x1b[2J\u202ena@praxis.example", "an…a@praxis.example"),
        ("anna@pra\nxis.example", "an…a@pra\\nxis.example"),
    ],
)
def test_masked(email: str, shown: str) -> None:
    assert masked(email) == shown


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("anna@a.example", "ben@b.example", ("an…a@a.example", "be…n@b.example")),
        ("anna@a.example", "anita@a.example", ("ann…a@a.example", "ani…a@a.example")),
        ("dr.mueller@a.example", "dr.meier@a.example", ("dr.mu…r@a.example", "dr.me…r@a.example")),
        ("ab@a.example", "ac@a.example", ("ab@a.example", "ac@a.example")),
        # Only the case differs, so all of both is shown.
        ("anna@a.example", "ANNA@a.example", ("anna@a.example", "ANNA@a.example")),
    ],
)
def test_masked_apart(one: str, other: str, shown: tuple[str, str]) -> None:
    assert masked_apart(one, other) == shown


@given(emails, emails)
def test_two_that_differ_look_different(one: str, other: str) -> None:
    shown = masked_apart(one, other)
    assert all(text.replace("…", "").isascii() and text.isprintable() for text in shown)
    if not same(one, other):
        assert shown[0].casefold() != shown[1].casefold()


@pytest.mark.parametrize(
    "text", ["", "anna", "@praxis.example", "anna@", "a@b@c", "an na@praxis.example", "a@b\nc"]
)
def test_no_email(text: str) -> None:
    assert not is_email(text)
    assert not is_email(f"{'a' * 250}@b.example")
    assert is_email("anna@praxis.example")
