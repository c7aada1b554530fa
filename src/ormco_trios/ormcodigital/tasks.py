"""What only a person can do at the portal, in the guide's words and order, and their answers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Address:
    """The address that a person was sent to, or whatever they pasted for it.

    Attributes:
        text: The paste; holds a code.
        account_shown: The e-mail that the person saw on the consent page, if they were asked.
    """

    text: str = field(repr=False)
    account_shown: str | None = field(default=None, repr=False)
