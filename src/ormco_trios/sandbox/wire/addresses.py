"""Where the parts of a World are reachable: below one address, or at an environment's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ormco_trios.core.environment import Environment

LIVE_LANDING = "https://ormco.com"
"""Where Ormco's application sends the browser [guide]."""


def addresses_of(environment: Environment) -> dict[str, str]:
    """The address of every service of ``environment``, by the first part of a World's path."""
    places = {
        "communicate": environment.communicate,
        "auth": environment.auth_classic,
        "identity": environment.auth_account,
        "ormcodigital": environment.ormcodigital,
        "ormco": LIVE_LANDING,
    }
    for server, region in (("am", "America"), ("as", "Asia"), ("eu", "Europe")):
        if region in environment.regions:
            places[f"metadata-{server}"] = environment.regions[region]
    if not environment.regions:
        places["metadata-eu"] = environment.metadata
    return {head: place.rstrip("/") for head, place in places.items()}


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
