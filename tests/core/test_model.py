"""What an object of the services is, whatever they put into it."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import TypeAdapter, ValidationError

from ormco_trios.core.model import PascalModel, Seconds


class Box(PascalModel):
    printed: ClassVar[frozenset[str]] = frozenset({"id", "size"})

    id: str
    size: int = 0
    owner_name: str | None = None


def test_only_what_is_listed_is_printed() -> None:
    box = Box.model_validate_json(b'{"Id": 7, "Size": 2, "OwnerName": "Mira", "Extra": "Mira"}')
    assert f"{box!r} {box}" == "Box(id='7', size=2) Box(id='7', size=2)"
    assert box.owner_name == "Mira"


def test_it_is_open_and_cannot_be_changed() -> None:
    box = Box.model_validate_json(b'{"Id": "a", "Extra": [1]}')
    assert box.model_extra == {"Extra": [1]}
    assert Box(id="a") == Box.model_validate({"Id": "a"})
    with pytest.raises(ValidationError, match="frozen"):
        box.id = "b"


@pytest.mark.parametrize(
    ("seconds", "fits"), [(-1, False), (0, True), (10**9, True), (10**9 + 1, False)]
)
def test_how_long_something_can_last(seconds: int, fits: bool) -> None:
    adapter = TypeAdapter[int](Seconds)
    if fits:
        assert adapter.validate_python(seconds) == seconds
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(seconds)
