"""Packages that only an extra brings."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ormco_trios.core.errors import MissingExtra


@contextmanager
def extra(name: str) -> Generator[None]:
    """Imports what the extra ``name`` brings.

    Raises:
        MissingExtra: It is not installed; the error says how to install it.
    """
    missing = None
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name
    if missing is not None:
        raise missing_extra(name, missing) from None


def missing_extra(name: str, package: str | None) -> MissingExtra:
    """That ``package`` is not installed, which the extra ``name`` brings."""
    return MissingExtra(
        f"The package {package} is not installed.",
        advice=f"Install the extra: pip install 'ormco-trios[{name}]'",
    )
