"""What OrmcoDigital needs of a code, so that it need not know where codes come from."""

from __future__ import annotations

from typing import Literal, Protocol


class HandedOver(Protocol):
    """A single-use code; `ormco_trios.AuthorizationCode` is one."""

    def spend(self, purpose: str) -> None:
        """Mark the code as used.

        Raises:
            CodeSpent: It was used before.
        """
        ...

    def reveal(self, form: Literal["portal"], /) -> str:
        """The code as the portal's field wants it."""
        ...
