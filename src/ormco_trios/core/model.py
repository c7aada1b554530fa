"""The base of every object the services send."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel, to_pascal

from ormco_trios.core.html import card

LONGEST = 10**9
"""Seconds: 31 years, since a calendar cannot hold every number."""

Seconds: TypeAlias = Annotated[int, Field(ge=0, le=LONGEST)]
"""How long something lasts."""

T = TypeVar("T")


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


IfReadable: TypeAlias = Annotated[T | None, WrapValidator(_or_none)]
"""What no decision needs: None if it comes in another shape, and so stops nothing."""


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; one without a zone is taken for UTC [assumed].

    Raises:
        ValueError: It lies outside the calendar.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None


Moment: TypeAlias = Annotated[datetime, AfterValidator(in_utc)]
"""Aware and in UTC."""


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
    """PascalCase on the wire, as Communicate writes it [doc]; snake_case in Python.

    camelCase is read as well: today's servers of the same make write it by default [assumed].
    """

    model_config = ConfigDict(
        alias_generator=AliasGenerator(
            alias=to_pascal,
            validation_alias=lambda name: AliasChoices(to_pascal(name), to_camel(name)),
            serialization_alias=to_pascal,
        )
    )
