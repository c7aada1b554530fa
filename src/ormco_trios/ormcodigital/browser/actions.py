"""What a browser can be asked to do, as values; `driver` does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ormco_trios.ormcodigital.browser.page import Thing

STEP = 0.15
"""How long a look waits before it looks, in seconds: a page needs time to answer."""


@dataclass(frozen=True, slots=True)
class Look:
    """Wait ``seconds``, and see what there is; gives a `Seen`."""

    seconds: float = STEP


@dataclass(frozen=True, slots=True)
class Open:
    """Open the portal's address in a window of its own; or go back, where *here* led it away."""


@dataclass(frozen=True, slots=True)
class Press:
    """Click.

    Attributes:
        leads_away: The window that this opens is 3Shape's: it is left alone, and watched for the
            address that it is sent back to.
    """

    thing: Thing
    leads_away: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """Type a text into a field, instead of what is there."""

    thing: Thing
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submit:
    """Press Enter in a field."""

    thing: Thing


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose from a native list."""

    thing: Thing
    option: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """The address that 3Shape's window was sent back to; gives a text, or None."""


Action: TypeAlias = Look | Open | Press | Fill | Submit | Choose | Arrived


class Obstructed(Exception):
    """A click or a text did not get through: the page has changed meanwhile."""


class Covered(Obstructed):
    """It did not get through for as long as it may take, or nobody knows whether it did."""
