"""Which addresses are the portal's, and which one brings the code."""

from __future__ import annotations

import ipaddress
from urllib.parse import parse_qs, urlsplit

from ormco_trios.core.errors import ConfigurationError

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def portal_address(address: str) -> str:
    """``address``, if a password may be typed there.

    Raises:
        ConfigurationError: It is not https, or no address.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)):
        raise ConfigurationError(
            "The portal's address has to begin with https://.",
            advice="Give the address at which the practice signs in to OrmcoDigital.",
        )
    return address


def belongs(url: str, address: str) -> bool:
    """Whether ``url`` is of the portal at ``address``: its host, or a sibling such as its sign-in.

    So the practice's password is typed on no other page, whatever leads there.
    """
    here, there = urlsplit(url), urlsplit(address)
    if here.scheme != there.scheme:
        return False
    host, home = here.hostname or "", there.hostname or ""
    if host == home:
        return here.port == there.port
    if _is_number(home) or home in _LOCAL:
        return False
    parent = home.partition(".")[2] if home.count(".") > 1 else home
    return host == parent or host.endswith(f".{parent}")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def redirect_of(url: str) -> str | None:
    """Where a link says that the doctor shall be sent back to; None if it is no authorization."""
    return next(iter(parse_qs(urlsplit(url).query).get("redirect_uri", ())), None)


def brings_code(url: str, redirect: str) -> bool:
    """Whether this is ``redirect`` with a code, or with a refusal."""
    here, there = urlsplit(url), urlsplit(redirect)
    return (here.scheme, here.netloc, here.path.rstrip("/")) == (
        there.scheme,
        there.netloc,
        there.path.rstrip("/"),
    ) and bool({"code", "error"} & parse_qs(here.query).keys())
