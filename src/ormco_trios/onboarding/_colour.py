"""How each colour asks a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ormco_trios.onboarding.outcomes import NeedsAuthorization

Authorize: TypeAlias = Callable[[NeedsAuthorization], str]
AsyncAuthorize: TypeAlias = Callable[[NeedsAuthorization], Awaitable[str]]
