"""Modules that are imported when something of them is first used."""

from __future__ import annotations

import urllib.parse

import pytest

from ormco_trios.core.later import Later


def test_it_is_the_modules_own() -> None:
    later = Later("urllib", "parse")
    assert "quote" not in vars(later)
    assert later.quote is urllib.parse.quote
    assert vars(later)["quote"] is urllib.parse.quote, "asked for once"


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(Later("urllib", "parse"), "non" + "sense")
    with pytest.raises(ModuleNotFoundError, match=r"urllib\.nonsense"):
        getattr(Later("urllib", "nonsense"), "anything")  # noqa: B009 - a checker would object
