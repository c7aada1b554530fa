"""Where the parts of a World are reachable: below one address, or at an environment's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ormco_trios.core import environment
from ormco_trios.core.environment import Environment

LIVE_LANDING = "https://ormco.com"
"""Where Ormco's application sends the browser [guide]."""


SERVERS = {"America": "am", "Asia": "as", "Europe": "eu"}
"""3Shape's regions, and what the sandbox calls their metadata servers."""

RETIRED = {SERVERS[region]: host for host, region in environment.RETIRED.items()}
"""The hosts of API v1.0 [doc M1]; one of them is what a published ``RegionUri`` names."""

CURRENT = {
    SERVERS[region]: url.removeprefix("https://")
    for region, url in Environment.production().regions.items()
}
"""Those of v1.5 [doc M1], which programs use [seen]."""

UNKNOWN = "africametadata.3shapecommunicate.com"
FOREIGN = "metadata.clinic.example"
"""What no table knows: a host that could be 3Shape's, and one that cannot."""


def addresses_of(of: Environment) -> dict[str, str]:
    """The address of every service of an environment, by the first part of a World's path."""
    places = {
        "communicate": of.communicate,
        "auth": of.auth_classic,
        "identity": of.auth_account,
        "ormcodigital": of.ormcodigital,
        "ormco": LIVE_LANDING,
    }
    for region, url in of.regions.items():
        places[f"metadata-{SERVERS[region]}"] = url
    if not of.regions:
        places["metadata-eu"] = of.metadata
    return {head: place.rstrip("/") for head, place in places.items() if place}


def public(base_url: str, places: Mapping[str, str], path: str) -> str:
    """The full address of ``path``, which is a path of the World."""
    head, slash, rest = path.removeprefix("/").partition("/")
    place = places.get(head)
    return base_url + path if place is None else place + slash + rest


def locate(base_url: str, places: Mapping[str, str], url: str) -> str | None:
    """The World's path, and query, of a full address; ``None`` if it is not the World's."""
    for head, place in places.items():
        rest = _below(place, url)
        if rest is not None:
            return f"/{head}{rest}"
    return _below(base_url, url)


def _below(place: str, url: str) -> str | None:
    """What follows ``place`` in ``url``; scheme and host are compared in lower case."""
    parts, own = urlsplit(url), urlsplit(place)
    if (parts.scheme, parts.netloc.lower()) != (own.scheme, own.netloc.lower()):
        return None
    if own.path and not parts.path.startswith(own.path + "/"):
        return None
    rest = parts.path[len(own.path) :] or "/"
    return f"{rest}?{parts.query}" if parts.query else rest
