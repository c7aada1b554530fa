"""Ormco's three lab accounts [guide], and which region a country belongs to [assumed]."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta

from ormco_trios.core.errors import RegionUnclear

DAY = timedelta(hours=24)
"""How long an approval by one of Ormco's labs can take [guide]."""


class Region(enum.Enum):
    """Ormco's regions: each has one lab account."""

    NORTH_AMERICA = "north_america"
    ASIA_PACIFIC = "asia_pacific"
    EUROPE = "europe"

    @property
    def label(self) -> str:
        """The region's name for people."""
        return self.value.replace("_", " ").title()

    @classmethod
    def for_country(cls, country: str) -> Region:
        """The region of an ISO 3166 alpha-2 country code, in any case, where it is clear.

        No public list says which country belongs to which account, so only countries that lie
        plainly in North America (US, CA), in Europe (the EU, EFTA and the UK) or in Asia Pacific
        are answered [assumed]; name the region yourself for the rest.

        Raises:
            RegionUnclear: Any other country, or not a country code.
        """
        code = country.strip().upper()
        for region, countries in _CLEAR.items():
            if code in countries:
                return region
        shown = code if len(code) == 2 and code.isascii() and code.isalpha() else "this"
        raise RegionUnclear(
            f"No public list says which of Ormco's accounts serves the country {shown}."
            if shown != "this"
            else "The country must be an ISO 3166 alpha-2 code, such as DE or us."
        )


_CLEAR = {
    Region.NORTH_AMERICA: frozenset({"US", "CA"}),
    Region.EUROPE: frozenset(
        "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO "
        "SE SI SK".split()
    ),
    Region.ASIA_PACIFIC: frozenset("AU HK IN ID JP KR MY NZ PH SG TH TW VN".split()),
}


@dataclass(frozen=True, slots=True)
class LabAccount:
    """One of Ormco's accounts, as the guide prints it.

    The case-folded e-mail is the only identity: name, street and country differ between screens.
    """

    region: Region
    email: str
    name: str
    address: str
    phone: str = "8008541741"


DIRECTORY = (
    LabAccount(
        Region.NORTH_AMERICA,
        "insignia.support@ormco.com",
        "Ormco Corporation",
        "1332 S Lone Hill Ave, Glendora, us",
    ),
    LabAccount(
        Region.ASIA_PACIFIC,
        "insignia.supportasia@ormco.com",
        "Ormco Corporation",
        "10/112-118 Talavera Rd, Macquarie Park, in",
    ),
    LabAccount(
        Region.EUROPE,
        "insignia.supporteurope@ormco.com",
        "Ormco",
        "Basicweg 20, 3821 BR Amersfoort, Netherlands",
    ),
)


def lab_account(region: Region) -> LabAccount:
    """Ormco's account of a region."""
    return next(account for account in DIRECTORY if account.region is region)


def region_of(email: str | None) -> Region | None:
    """The region whose account has this e-mail, in any case."""
    folded = (email or "").strip().casefold()
    return next((account.region for account in DIRECTORY if account.email == folded), None)
