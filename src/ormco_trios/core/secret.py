"""What must not be printed."""

from __future__ import annotations

from typing import overload

from pydantic import SecretStr


@overload
def as_secret(value: str | SecretStr) -> SecretStr: ...
@overload
def as_secret(value: str | SecretStr | None) -> SecretStr | None: ...
def as_secret(value: str | SecretStr | None) -> SecretStr | None:
    """A caller's secret, wrapped unless it is already."""
    return SecretStr(value) if isinstance(value, str) else value
