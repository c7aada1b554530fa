"""Which region a country is in, and which countries leave it unclear."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ormco_trios import Region, errors


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
