"""The base of every object the services send."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from ormco_trios.core.html import card

LONGEST = 10**9
"""Seconds: 31 years, since a calendar cannot hold every number."""

Seconds: TypeAlias = Annotated[int, Field(ge=0, le=LONGEST)]
"""How long something lasts."""


class WireModel(BaseModel):
    """Keeps unknown fields, may lack any optional one, and prints only what is safe to print.

    A subclass lists in ``printed`` the fields that can hold neither a person nor a secret.
    """

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        defer_build=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )

    printed: ClassVar[frozenset[str]] = frozenset()

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        for name in type(self).model_fields:
            if name in self.printed:
                yield name, getattr(self, name)

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        rows = ((name or "", value) for name, value in self.__repr_args__())
        return card(type(self).__name__, rows)


class PascalModel(WireModel):
    """PascalCase on the wire, as Communicate writes it [doc]; snake_case in Python."""

    model_config = ConfigDict(alias_generator=to_pascal)
