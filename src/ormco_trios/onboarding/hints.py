"""The last metre: what helps a person beside a step, whom to turn to, and how that is known.

A hint is no step and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ormco_trios.communicate.regions import DIRECTORY
from ormco_trios.core.provenance import Label
from ormco_trios.onboarding.account import NO_PASSWORD, PRIVATE_WINDOW


@dataclass(frozen=True, slots=True)
class Hint:
    """Something to know beside a step of the checklist.

    Attributes:
        label: How it is known, as on the documentation's page about provenance.
    """

    text: str
    label: Label

    def __str__(self) -> str:
        return f"{self.text} [{self.label}]"


PASSWORD = Hint(text=NO_PASSWORD, label="guide")
PRIVATE = Hint(text=PRIVATE_WINDOW, label="inferred")
RESELLER = Hint(
    text="If it still does not work after a repair: ask your local 3Shape reseller.", label="guide"
)
AGREEMENT = Hint(
    text="On 3Shape's own page, pressing Connect asks to accept an agreement; this program accepts "
    "nothing for you. If the request does not get through here, press Connect there.",
    label="seen",
)
OVERDUE = Hint(
    text="After 24 hours, ask Ormco: the telephone number that its lab accounts show is "
    f"{DIRECTORY[0].phone}.",
    label="guide",
)
REFRESH = Hint(
    text="Where TRIOS does not offer Ormco yet, refresh the lab connections in TRIOS or Unite.",
    label="seen",
)
PORTAL_PASSWORD = Hint(
    text="OrmcoDigital's user name and password are not those of 3Shape: Ormco gives new ones.",
    label="inferred",
)

HINTS: Final[Mapping[tuple[str, str], tuple[Hint, ...]]] = {
    ("sign_in", "missing"): (PASSWORD, PRIVATE),
    ("sign_in", "broken"): (PASSWORD, PRIVATE),
    ("connection", "missing"): (AGREEMENT,),
    ("approval", "waiting"): (OVERDUE,),
    ("approval", "done"): (REFRESH,),
    ("portal_sign_in", "missing"): (PORTAL_PASSWORD,),
    ("portal_sign_in", "broken"): (PORTAL_PASSWORD,),
    ("authorization", "missing"): (PRIVATE,),
    ("authorization", "broken"): (PRIVATE, RESELLER),
}
"""By the names of a step and of its state."""
