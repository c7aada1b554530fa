"""Which region a country is in, and which countries leave it unclear."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios import Environment, Region, User, errors
from ormco_trios.communicate.regions import DIRECTORY, choose_region


@pytest.mark.parametrize(
    ("country", "region"),
    [
        ("us", Region.NORTH_AMERICA),
        ("CA", Region.NORTH_AMERICA),
        ("De", Region.EUROPE),
        (" gb ", Region.EUROPE),
        ("jp", Region.ASIA_PACIFIC),
        ("AU", Region.ASIA_PACIFIC),
    ],
)
def test_clear_countries(country: str, region: Region) -> None:
    assert Region.for_country(country) is region


@pytest.mark.parametrize("country", ["BR", "mx", "TR", "ZA", "RU", "", "Germany", "1", "ß"])
def test_unclear_countries_name_the_choices(country: str) -> None:
    with pytest.raises(errors.RegionUnclear) as caught:
        Region.for_country(country)
    for region in Region:
        assert f"Region.{region.name}" in str(caught.value)


@given(st.text(max_size=8))
def test_any_text_is_a_region_or_unclear(text: str) -> None:
    with contextlib.suppress(errors.RegionUnclear):
        assert isinstance(Region.for_country(text), Region)


def account(country: str | None, uri: str | None = None, name: str | None = None) -> User:
    region = None if name is None else {"RegionName": name}
    return User.model_validate({"Id": "1", "Country": country, "RegionUri": uri, "Region": region})


WWW, US, AS1 = (f"{name}.3shapecommunicate.com" for name in ("www", "us", "as1"))


@pytest.mark.parametrize(
    ("me", "region", "inferred"),
    [
        # The country decides where it is clear, and the account's own region may agree.
        (account("de"), Region.EUROPE, False),
        (account("DK", WWW, "Europe"), Region.EUROPE, False),
        (account("us", US), Region.NORTH_AMERICA, False),
        # What is not understood says nothing.
        (account("au", "evil.example", "Atlantis"), Region.ASIA_PACIFIC, False),
        # Brazil, Dubai, Cairo: the account's own region decides, and says that this is inferred.
        (account("br", US, "America"), Region.NORTH_AMERICA, True),
        (account("AE", WWW), Region.EUROPE, True),
        (account("EG", None, "Europe"), Region.EUROPE, True),
        (account("AE", "https://asmetadata.3shapecommunicate.com/api/"), Region.ASIA_PACIFIC, True),
        (account(None, None, "asia"), Region.ASIA_PACIFIC, True),
    ],
)
def test_the_account_says_the_region(me: User, region: Region, inferred: bool) -> None:
    chosen = choose_region(me, Environment.production())
    assert (chosen.region, chosen.inferred) == (region, inferred)
    assert ("inferred" in chosen.reason) is inferred
    assert (me.country or "an account").upper() in chosen.reason.upper()


@pytest.mark.parametrize(
    ("me", "said"),
    [
        (account("BR"), "the country BR"),
        (account("BR", "evil.example"), "the country BR"),
        (account(None), "no ISO 3166 code"),
        # A guess would send scans to one of two labs.
        (account("AU", WWW, "Europe"), "country AU .* Asia Pacific, but .* in Europe"),
        (account("DE", US), "country DE .* Europe, but .* in America"),
        (account("DE", WWW, "Asia"), "in Asia and in Europe"),
        (account("BR", WWW, "America"), "in America and in Europe"),
    ],
)
def test_what_is_unclear_is_not_guessed(me: User, said: str) -> None:
    with pytest.raises(errors.RegionUnclear, match=said) as caught:
        choose_region(me, Environment.production())
    for region in Region:
        assert region.name in caught.value.advice
        assert region.name not in caught.value.happened


def test_what_is_odd_about_an_account_is_data() -> None:
    asia, *others = (a for r in (Region.ASIA_PACIFIC, *Region) for a in DIRECTORY if a.region is r)
    assert asia.country == "in"
    assert "Sydney" in asia.note
    assert {other.country for other in others} == {"us", "in", "nl"}
