"""Ormco's three lab accounts [guide], and which region a country belongs to [assumed]."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ormco_trios.communicate.emails import same
from ormco_trios.communicate.home import said_regions
from ormco_trios.communicate.models import User
from ormco_trios.core.environment import Environment
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
        region = _clear(country)
        if region is None:
            raise RegionUnclear(
                f"No public list says which of Ormco's labs serves {_name(country)}."
            )
        return region


def _clear(country: str) -> Region | None:
    code = country.strip().upper()
    return next((region for region, countries in _CLEAR.items() if code in countries), None)


def _name(country: str) -> str:
    """The country for a message."""
    code = country.strip().upper()
    is_code = len(code) == 2 and code.isascii() and code.isalpha()
    return f"the country {code}" if is_code else "an account whose country is no ISO 3166 code"


@dataclass(frozen=True, slots=True)
class ChosenRegion:
    """A region, and why it is that one.

    Attributes:
        reason: In words for people, to follow the region's name.
        inferred: Whether no document says that this reason decides [inferred].
    """

    region: Region
    reason: str
    inferred: bool = False


_OF_3SHAPE = {
    "America": Region.NORTH_AMERICA,
    "Asia": Region.ASIA_PACIFIC,
    "Europe": Region.EUROPE,
}
"""That the lab in the account's own region is the right one is [inferred]."""


def choose_region(
    me: User, environment: Environment, *, known: Region | None = None
) -> ChosenRegion:
    """Which of Ormco's labs is the account's, where nobody has said.

    The country decides where it is clear [guide]; where it says nothing, the one lab of Ormco's
    that the account has a connection with, or else the account's own region at 3Shape [inferred].

    Args:
        me: The account.
        environment: Where its servers are.
        known: What was chosen before; it stays where the account says nothing clear.

    Raises:
        RegionUnclear: Neither says it, or they say different regions.
    """
    country = me.country or ""
    clear = _clear(country)
    said = {region for region in said_regions(me, environment) if region is not None}
    own = sorted(said)
    if clear is not None and all(_OF_3SHAPE[region] is clear for region in own):
        return ChosenRegion(clear, f"for {_name(country)}")
    if known is not None:
        return ChosenRegion(known, "as chosen before")
    connected = {*(_connected(me) if clear is None else ())}
    if len(connected) == 1 and connected != {_OF_3SHAPE[each] for each in own}:
        reason = "inferred from the account's connection with it"
        return ChosenRegion(connected.pop(), reason, inferred=True)
    if clear is None and not own:
        raise RegionUnclear(
            f"No public list says which of Ormco's labs serves {_name(country)}, and the account "
            "shows no region of 3Shape's that is known."
        )
    if clear is None and len(own) == 1:
        return ChosenRegion(
            _OF_3SHAPE[own[0]],
            f"inferred from the account's own region at 3Shape, {own[0]}, since nothing is "
            f"published for {_name(country)}",
            inferred=True,
        )
    kept = f"3Shape keeps the account in {' and in '.join(own)}"
    if clear is None:
        raise RegionUnclear(f"{kept}, and nothing is published for {_name(country)}.")
    raise RegionUnclear(f"By {_name(country)} the lab is the one for {clear.label}, but {kept}.")


def _connected(me: User) -> Iterator[Region]:
    """The regions whose labs the account has a connection with."""
    for connection in me.connections or ():
        sides = (connection.inviter, connection.remote) if connection.owned_by(me.id) else ()
        yield from (region for side in sides if (region := region_of(side.email)) is not None)


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

    The e-mail, in any case, is the only identity: name, street and country differ between screens.

    Attributes:
        country: ISO 3166 alpha-2 in lower case, of the country that is printed.
        note: What is odd about it; empty where nothing is.
    """

    region: Region
    email: str
    name: str
    address: str
    country: str
    phone: str = "8008541741"
    note: str = ""


DIRECTORY = (
    LabAccount(
        Region.NORTH_AMERICA,
        "insignia.support@ormco.com",
        "Ormco Corporation",
        "1332 S Lone Hill Ave, Glendora, us",
        "us",
    ),
    LabAccount(
        Region.ASIA_PACIFIC,
        "insignia.supportasia@ormco.com",
        "Ormco Corporation",
        "10/112-118 Talavera Rd, Macquarie Park, in",
        "in",
        note="The country is printed as India, and the street is in Sydney, Australia.",
    ),
    LabAccount(
        Region.EUROPE,
        "insignia.supporteurope@ormco.com",
        "Ormco",
        "Basicweg 20, 3821 BR Amersfoort, Netherlands",
        "nl",
    ),
)


def lab_account(region: Region) -> LabAccount:
    """Ormco's account of a region."""
    return next(account for account in DIRECTORY if account.region is region)


def region_of(email: str | None) -> Region | None:
    """The region whose account has this e-mail, in any case."""
    return next((account.region for account in DIRECTORY if same(account.email, email)), None)
