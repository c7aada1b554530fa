"""The server that has an account's cases: what names it, and which addresses get a token.

An answer of the service names hosts, and an answer can be wrong or hostile: what it says is read as
the name of a region, or, where 3Shape's own list says it, as a host below its own domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

from ormco_trios.communicate.models import User, plain_id
from ormco_trios.communicate.operations import DEFAULT_SERVER, ME, SERVERS
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.environment import RETIRED, Environment, Service, origin
from ormco_trios.core.errors import (
    ApiError,
    AuthorizationNeeded,
    ConfigurationError,
    NotSignedIn,
    RateLimited,
    ServerError,
    TransportError,
    UntrustedHost,
)

_PASSING = (TransportError, ServerError, RateLimited, NotSignedIn, AuthorizationNeeded)


def _hosts() -> Iterator[tuple[str, str]]:
    yield from RETIRED.items()
    for environment in (Environment.production(), Environment.staging()):
        for region, url in environment.regions.items():
            yield url.removeprefix("https://"), region


_REGION_OF = MappingProxyType(dict(_hosts()))
"""3Shape's servers by their host names, of either version [doc]."""


@dataclass(slots=True)
class Home:
    """Where the cases of one client's account are, once that was found out.

    Attributes:
        base: The server's address; None before it was looked for.
        of: The account that it was found for, with what that account said of its region.
        named: Servers outside the table that 3Shape's own list has named.
    """

    environment: Environment
    base: str | None = None
    of: tuple[str, frozenset[str | None]] | None = None
    named: set[str] = field(default_factory=set[str])

    def server(self, address: str) -> str | None:
        """The address that serves what ``address`` means; None if no token may go there."""
        if (region := region_at(address, self.environment)) is not None:
            return self.environment.regions.get(region)
        plain = _plain(address, self.environment)
        own = self.environment.base_url(Service.METADATA)
        return plain if plain in {own, *self.named} else None


def find_home(home: Home, me: User | None = None) -> Flow[str]:
    """The address of the account's server.

    Args:
        home: What is known of it.
        me: The account, if it has answered a moment ago.

    Raises:
        UntrustedHost: The account names a server that nobody knows, and 3Shape's lists do not help.
        ConfigurationError: The account names none, and 3Shape's lists do not help.
    """
    if not home.environment.regions:
        return home.environment.base_url(Service.METADATA)
    if me is None and home.base is None:
        me = yield from Call(ME)
    if me is not None:
        # Another account may have signed in, and an account can move.
        of = (plain_id(me.id), frozenset(said_regions(me, home.environment)))
        if home.base is None or home.of not in (None, of):
            home.base, home.of = (yield from _look_for(home, of[1])), of
    assert home.base is not None
    return home.base


def _look_for(home: Home, said: frozenset[str | None]) -> Flow[str]:
    """The table where the account is clear; then what 3Shape's two lists say."""
    region = next(iter(said)) if len(said) == 1 else None
    if region is not None and region in home.environment.regions:
        return home.environment.regions[region]
    passing: Exception | None = None
    for ask in (_default_server, _first_server):
        try:
            address = yield from ask()
        except (ApiError, TransportError, AuthorizationNeeded) as error:
            passing = error if isinstance(error, _PASSING) else passing
            continue
        if (base := _named(home, address)) is not None:
            return base
    if passing is not None:
        raise passing
    advice = (
        "Ask 3Shape on which metadata server the account's cases are, and set "
        "ORMCO_TRIOS_METADATA_URL to it."
    )
    if said:
        raise UntrustedHost(
            "The account names a server or a region that is not known, so no token goes there.",
            advice=advice,
        )
    raise ConfigurationError("The account does not say which server has its cases.", advice=advice)


def _default_server() -> Flow[str]:
    answer = yield from Call(DEFAULT_SERVER, path={"kind": "MetaDataService"})
    return answer.uri or ""


def _first_server() -> Flow[str]:
    """The account's own comes first [seen], by one program."""
    servers = yield from Call(SERVERS)
    if not servers:
        return ""
    first = servers[0]
    return first if isinstance(first, str) else first.uri or ""


def _named(home: Home, address: str) -> str | None:
    """A server that 3Shape's own list names: one of the table, or another one of its domain."""
    known = home.server(address)
    if known is not None or region_at(address, home.environment) is not None:
        return known
    base = _plain(address, home.environment)
    here, own = origin(base), origin(home.environment.metadata)
    if here is None or own is None or here[::2] != ("https", 443):
        return None
    domain = own[1].partition(".")[2]
    if "." not in domain or here[1].partition(".")[2] != domain or base != f"https://{here[1]}":
        return None
    if here in {origin(url) for url in home.environment.base_urls.values()}:
        return None  # it keeps to its own calls
    home.named.add(base)
    return base


def said_regions(me: User, environment: Environment) -> Iterator[str | None]:
    """What the account's ``RegionUri`` and ``Region.RegionName`` say, where they say anything.

    Yields:
        The name of one of 3Shape's regions, or None for what is not understood.
    """
    if uri := (me.region_uri or "").strip():
        yield region_at(uri, environment)
    if name := ((me.region and me.region.region_name) or "").strip():
        yield name.title() if name.title() in RETIRED.values() else None


def region_at(address: str, environment: Environment) -> str | None:
    """3Shape's region whose server ``address`` names, of any version and environment."""
    plain = _plain(address, environment)
    for region, url in environment.regions.items():
        if plain == url:
            return region
    # A bare name of 3Shape's is read in the sandbox as well, whose own addresses are http.
    here = origin(plain if "://" in address else f"https://{plain.partition('://')[2]}")
    return _REGION_OF.get(here[1]) if here is not None and here[::2] == ("https", 443) else None


def _plain(address: str, environment: Environment) -> str:
    """``address`` with a scheme, and without the path that all case services have."""
    address = address.strip()
    if "://" not in address:
        address = f"{environment.metadata.partition('://')[0]}://{address}"
    scheme, _, rest = address.rstrip("/").removesuffix("/api").rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"
