"""How each colour asks a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ormco_trios.onboarding.outcomes import NeedsAuthorization
from ormco_trios.ormcodigital.tasks import Address

Authorize: TypeAlias = Callable[[NeedsAuthorization], str | Address]
AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str | Address]]
