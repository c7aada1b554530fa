"""Which hosts: production, staging, the sandbox, or your own.

This is the only place that knows a base URL.  Paths are in the service modules.
"""

from __future__ import annotations

import enum
import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError, UntrustedHost
from ormco_trios.core.pacing import AsyncPacer, Pacer
from ormco_trios.core.transport import Gateway

SANDBOX_TOKEN_PREFIX = "sandbox-"
"""Every token and secret the sandbox hands out begins with this; no live host is ever sent one."""

_LABEL = r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?(?:[/?#][!-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)
"""Scheme, host, perhaps a port, and a path of visible ASCII without a backslash: nothing else."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PORTS = {"http": 80, "https": 443}


RETIRED: Mapping[str, str] = {
    "us.3shapecommunicate.com": "America",
    "as1.3shapecommunicate.com": "Asia",
    "www.3shapecommunicate.com": "Europe",
}
"""Servers of version 1.0, and their regions [doc]: ``RegionUri`` names them; they get no token."""

_SUFFIX = ".3shapecommunicate.com"
_REGIONS = {
    "America": f"https://ammetadata{_SUFFIX}",
    "Asia": f"https://asmetadata{_SUFFIX}",
    "Europe": f"https://eumetadata{_SUFFIX}",
}
_STAGING_REGIONS = {
    "America": f"https://staging-ammetadata{_SUFFIX}",
    "Europe": f"https://staging-eumetadata{_SUFFIX}",
}


def origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of a plain address; None if it is malformed or hides its host.

    Two programs may read an odd address differently, so only plain ones are read at all.
    """
    return _origin(url) if _PLAIN.fullmatch(url) else None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port, which may be the scheme's own; None if ``url`` is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", _PORTS.get(parts.scheme) if port is None else port


class Service(enum.Enum):
    """The services an operation can belong to; each has a base URL in the environment."""

    COMMUNICATE = "communicate"
    METADATA = "metadata"
    AUTH_CLASSIC = "auth_classic"
    AUTH_ACCOUNT = "auth_account"
    ORMCODIGITAL = "ormcodigital"

    # Enum's own is written in Python; a client is made with many of these for keys.
    __hash__ = object.__hash__


@dataclass(frozen=True)
class Environment:
    """Base URLs of the services, and which hosts may be given a token.

    Attributes:
        name: For messages and logs.
        communicate: 3Shape Communicate's user service [doc].
        metadata: A server of its case service [doc]: the only one where ``regions`` is empty, and
            otherwise the one that is asked which server has the account's cases.
        auth_classic: Classic sign-in [doc].
        auth_account: Today's sign-in [seen].
        ormcodigital: The portal's API, if there is one: none is published, so name only an address
            that Ormco gave for it [assumed].
        regions: 3Shape's regions (America, Asia, Europe), and the address of each one's case
            service [doc]; which is the account's is found out, see `communicate.cases`.
        trusted: Host names, or suffixes with a leading dot, that may be given a token, besides
            exactly the origins above.
        gateway: How to reach the services without a network; the sandbox's.
        clock: The environment's own time, if it has one; the sandbox's.
        pacer: Limits the rate of requests, all clients of this environment together; see
            `paced`.
    """

    name: str
    communicate: str
    metadata: str
    auth_classic: str
    auth_account: str
    ormcodigital: str | None = None
    regions: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    trusted: tuple[str, ...] = ()
    gateway: Gateway | None = field(default=None, repr=False, compare=False)
    clock: Clock | None = field(default=None, repr=False, compare=False)
    pacer: Pacer | AsyncPacer | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        addresses = {service.value: self.base_url(service) for service in self.base_urls}
        addresses |= {f"metadata ({name})": url for name, url in self.regions.items()}
        for name, url in addresses.items():
            scheme, host, _ = _origin(url) or ("", "", None)
            if scheme == "http" and host in _LOOPBACK:
                continue
            if scheme != "https" or not host or "@" in urlsplit(url).netloc:
                raise ConfigurationError(
                    f"The {name} address is not an https address; "
                    "http is only allowed to this machine.",
                    advice="Correct it (a setting ORMCO_TRIOS_…_URL may name it) and try again.",
                )
            if host in RETIRED:
                raise ConfigurationError(
                    f"The {name} address is a server that 3Shape has retired.",
                    advice="Name one of today's, such as eumetadata.3shapecommunicate.com.",
                )

    def paced(self, pacer: Pacer | AsyncPacer) -> Environment:
        """The same environment with a limit on its rate, such as ``TokenBucket(10)``."""
        return replace(self, pacer=pacer)

    @classmethod
    def production(cls, portal_api: str | None = None) -> Environment:
        """The live services.

        Args:
            portal_api: The address of an API of OrmcoDigital, if Ormco gave you one; it is trusted
                with the portal's password, so name no other.
        """
        return cls(
            name="production",
            communicate="https://users.3shapecommunicate.com",
            metadata=_REGIONS["Europe"],
            auth_classic="https://auth.3shapecommunicate.com",
            auth_account="https://identity.3shape.com",
            ormcodigital=portal_api,
            regions=_REGIONS,
            trusted=(".3shapecommunicate.com", ".3shape.com"),
        )

    @classmethod
    def staging(cls, portal_api: str | None = None) -> Environment:
        """3Shape's staging services; ``portal_api`` is as in `production`."""
        return cls(
            name="staging",
            communicate="https://staging-users.3shapecommunicate.com",
            metadata=_STAGING_REGIONS["Europe"],
            auth_classic="https://staging-auth.3shapecommunicate.com",
            auth_account="https://staging-identity.3shape.com",
            ormcodigital=portal_api,
            regions=_STAGING_REGIONS,
            trusted=(".3shapecommunicate.com", ".3shape.com"),
        )

    @classmethod
    def sandbox(
        cls, base_url: str, *, gateway: Gateway | None = None, clock: Clock | None = None
    ) -> Environment:
        """A sandbox server at ``base_url``, such as ``http://127.0.0.1:8025``."""
        base = base_url.rstrip("/")
        return cls(
            name="sandbox",
            communicate=f"{base}/communicate",
            metadata=f"{base}/metadata-eu",
            auth_classic=f"{base}/auth",
            auth_account=f"{base}/identity",
            ormcodigital=f"{base}/ormcodigital",
            regions={
                "America": f"{base}/metadata-am",
                "Asia": f"{base}/metadata-as",
                "Europe": f"{base}/metadata-eu",
            },
            gateway=gateway,
            clock=clock,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Environment:
        """Read the settings ``ORMCO_TRIOS_*``.

        ``ORMCO_TRIOS_ENVIRONMENT`` is ``production`` (the default), ``staging`` or ``sandbox``;
        the last needs ``ORMCO_TRIOS_SANDBOX_URL``.  ``ORMCO_TRIOS_COMMUNICATE_URL``,
        ``_METADATA_URL``, ``_AUTH_CLASSIC_URL``, ``_AUTH_ACCOUNT_URL`` and ``_ORMCODIGITAL_URL``
        replace single addresses; the last names the portal's API, of which production and staging
        know none.  A ``_METADATA_URL`` is used whatever an account's region.

        Raises:
            ConfigurationError: An unknown name, a missing or an unsafe address.
        """
        source = os.environ if environ is None else environ
        name = source.get("ORMCO_TRIOS_ENVIRONMENT", "production")
        if name == "production":
            environment = cls.production()
        elif name == "staging":
            environment = cls.staging()
        elif name == "sandbox":
            url = source.get("ORMCO_TRIOS_SANDBOX_URL")
            if not url:
                raise ConfigurationError(
                    "ORMCO_TRIOS_ENVIRONMENT is sandbox, but ORMCO_TRIOS_SANDBOX_URL is not set.",
                    advice="Set it to the address that `ormco-trios sandbox` prints.",
                )
            environment = cls.sandbox(url)
        else:
            raise ConfigurationError(
                "ORMCO_TRIOS_ENVIRONMENT must be production, staging or sandbox."
            )
        urls = {
            service.value: url
            for service in Service
            if (url := source.get(f"ORMCO_TRIOS_{service.name}_URL"))
        }
        if Service.METADATA.value in urls:
            environment = replace(environment, regions={})
        return replace(environment, **urls)  # type: ignore[arg-type]

    def base_url(self, service: Service) -> str:
        """Where ``service`` is, without a trailing slash.

        Raises:
            ConfigurationError: The environment knows no such address.
        """
        url = self.base_urls.get(service)
        if url is None:
            raise ConfigurationError(
                f"The environment {self.name!r} knows no API of the portal; OrmcoDigital publishes "
                "none.",
                advice="Leave `ormco` out, and a person does the portal's part; or name the "
                "address that Ormco gave for it (portal_api, ORMCO_TRIOS_ORMCODIGITAL_URL).",
            )
        return url

    @functools.cached_property
    def base_urls(self) -> Mapping[Service, str]:
        """Where each service is that has an address, without trailing slashes."""
        urls: dict[Service, str | None] = {each: getattr(self, each.value) for each in Service}
        return {service: url.rstrip("/") for service, url in urls.items() if url is not None}

    @functools.cached_property
    def is_local(self) -> bool:
        """Whether every service is on this machine, as the sandbox is."""
        return all(urlsplit(self.base_url(s)).hostname in _LOOPBACK for s in self.base_urls) or (
            self.gateway is not None
        )

    def check_trusted(self, url: str) -> None:
        """Make sure that ``url`` may be given a token.

        Raises:
            UntrustedHost: It is not https (loopback excepted), names a user or a port of its own,
                or lies outside the environment.
        """
        here = origin(url)
        if here is None:
            raise UntrustedHost("The address is malformed or hides its host.")
        if here[1] in RETIRED:
            raise UntrustedHost("The address is a server that 3Shape has retired.")
        if here in {_origin(self.base_url(service)) for service in self.base_urls}:
            return
        scheme, host, port = here
        suffix = any(
            host.endswith(rule) if rule.startswith(".") else host == rule for rule in self.trusted
        )
        if scheme == "https" and port == 443 and suffix:
            return
        raise UntrustedHost(
            f"The address lies outside the environment {self.name!r}, so it gets no token."
        )
