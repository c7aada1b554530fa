"""How each colour asks a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ormco_trios.onboarding.flow import Asking
from ormco_trios.onboarding.outcomes import NeedsAuthorization, NeedsPerson
from ormco_trios.ormcodigital.tasks import Address, TaskAnswer

Authorize: TypeAlias = Callable[[NeedsAuthorization], str | Address]
AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str | Address]]
Person: TypeAlias = Callable[[NeedsPerson], TaskAnswer | str]
AsyncPerson: TypeAlias = Callable[[NeedsPerson], Awaitable[TaskAnswer | str]]


def asking(authorize: object, person: object) -> Asking:
    """Whom a run can ask."""
    return Asking(authorize=authorize is not None, person=person is not None)


def ask_by_kind(authorize: Any, person: Any) -> Callable[[Any], Any]:
    """One callback for both, of either colour: links go to the one, tasks to the other."""

    def ask(needed: NeedsAuthorization | NeedsPerson) -> Any:
        return (person if isinstance(needed, NeedsPerson) else authorize)(needed)

    return ask
