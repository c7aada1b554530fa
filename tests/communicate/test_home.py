"""The server that has the cases: found in the contract's order, and no other one gets a token."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ormco_trios import CommunicateClient, Environment, Retry, errors
from ormco_trios.communicate.home import Home, said_regions
from ormco_trios.communicate.models import CaseFile, ServerRegion, User
from ormco_trios.core.environment import RETIRED, Service
from ormco_trios.core.transport import Answer, Request, Transport

PRODUCTION, STAGING = Environment.production(), Environment.staging()
SUFFIX = ".3shapecommunicate.com"
V15 = [f"{name}metadata{SUFFIX}" for name in ("am", "as", "eu")]
STAGED = [f"staging-{name}metadata{SUFFIX}" for name in ("am", "eu")]


@dataclass
class Service3Shape:
    """Answers as scripted; remembers every request that carries a token."""

    me: dict[str, Any] = field(default_factory=dict)
    default: object = None
    servers: object = None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def open(self) -> Transport:
        return self

    def open_async(self) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def send(self, request: Request) -> Answer:
        parts = urlsplit(request.url)
        assert any(name == "Authorization" for name, _ in request.headers)
        self.seen.append((parts.hostname or "", parts.path))
        if parts.path == "/api/users/me":
            return _answer({"Id": "1", **self.me})
        if parts.path.startswith("/api/services/default/"):
            return _answer(self.default)
        if parts.path == "/api/servers":
            return _answer(self.servers)
        if parts.path == "/api/updatedcases":
            return _answer([])
        return _answer({"Cases": [], "Count": 0})

    @property
    def cases(self) -> set[str]:
        """Hosts that were asked for cases."""
        return {host for host, path in self.seen if path.startswith("/api/cases")}


def _answer(said: object) -> Answer:
    """An object as JSON, bytes as they are, a number as a status, None as *not found*."""
    if said is None or isinstance(said, int):
        return Answer(404 if said is None else said, {}, b"")
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return Answer(200, {"content-type": "application/json"}, body)


def asked(service: Service3Shape, environment: Environment = PRODUCTION) -> set[str]:
    """Where cases are asked for."""
    client = CommunicateClient(
        replace(environment, gateway=service), token="t", retry=Retry(attempts=1)
    )
    list(client.cases.list())
    return service.cases


def server(name: str) -> dict[str, str]:
    return {"Id": "7", "Uri": name, "ServiceType": "MetaDataService"}


EU, AM, AS = V15[2], V15[0], V15[1]


@pytest.mark.parametrize(
    ("me", "host"),
    [
        # The only published form: the server of version 1.0.
        ({"RegionUri": "www.3shapecommunicate.com"}, EU),
        ({"RegionUri": "us.3shapecommunicate.com"}, AM),
        ({"RegionUri": "as1.3shapecommunicate.com"}, AS),
        ({"RegionUri": "https://WWW.3ShapeCommunicate.com/"}, EU),
        ({"RegionUri": "https://ammetadata.3shapecommunicate.com/api/"}, AM),
        ({"RegionUri": "staging-ammetadata.3shapecommunicate.com"}, AM),
        ({"RegionUri": None, "Region": {"RegionName": "Asia"}}, AS),
        ({"Region": {"RegionName": " america "}}, AM),
        ({"RegionUri": " ", "Region": {"RegionName": "Europe", "Url": "us" + SUFFIX}}, EU),
        ({"RegionUri": "www" + SUFFIX, "Region": {"RegionName": "Europe"}}, EU),
    ],
)
def test_what_is_clear_takes_no_request(me: dict[str, Any], host: str) -> None:
    service = Service3Shape(me)
    assert asked(service) == {host}
    assert len(service.seen) == 2


@pytest.mark.parametrize("id", ["1", "2"])
def test_the_server_changes_with_the_account(id: str) -> None:
    service = Service3Shape({"RegionUri": "www" + SUFFIX})
    client = CommunicateClient(replace(PRODUCTION, gateway=service), token="t")
    list(client.cases.sync())
    service.me = {"Id": id, "RegionUri": "us" + SUFFIX}  # it has moved, or is another one
    list(client.cases.sync())
    asked = [host for host, path in service.seen if path == "/api/updatedcases"]
    assert asked == [EU, AM]


UNCLEAR: list[dict[str, Any]] = [
    {},
    {"RegionUri": None, "Region": None},
    {"RegionUri": "", "Region": {}},
    {"RegionUri": "us" + SUFFIX, "Region": {"RegionName": "Europe"}},
    {"RegionUri": "users" + SUFFIX},
    {"RegionUri": "africa" + SUFFIX},
    {"RegionUri": "evil.example", "Region": {"RegionName": "Europe"}},
    {"Region": {"RegionName": "Oceania"}},
    {"RegionUri": "http://www" + SUFFIX},
]


@pytest.mark.parametrize("me", UNCLEAR)
@pytest.mark.parametrize(
    ("default", "servers", "host"),
    [
        (server(f"https://{AS}/api/"), None, AS),
        (server(AM), None, AM),
        (server("www.3shapecommunicate.com"), None, EU),
        (server(f"https://cametadata{SUFFIX}"), None, "cametadata" + SUFFIX),
        # What is no usable host goes on to the next.
        (None, [f"https://{AM}/api/", f"https://{EU}/api/"], AM),
        (403, [server(f"https://{AS}/api/")], AS),
        (b"<html>Sign in</html>", ["https://us.3shapecommunicate.com/api/"], AM),
        ([], [f"https://{EU}"], EU),
        ({"Uri": None}, [f"https://xx{SUFFIX}/api/"], "xx" + SUFFIX),
        (server("https://evil.example"), [EU], EU),
        (server(f"https://users{SUFFIX}/api"), [EU], EU),
        (503, [EU], EU),
    ],
)
def test_what_is_unclear_is_asked_for(
    me: dict[str, Any], default: object, servers: object, host: str
) -> None:
    assert asked(Service3Shape(me, default, servers)) == {host}


@pytest.mark.parametrize("me", UNCLEAR)
@pytest.mark.parametrize(
    ("default", "servers"),
    [
        (None, None),
        (403, b"<html>"),
        (server("https://evil.example"), ["http://eumetadata.3shapecommunicate.com/api/"]),
        (server(""), []),
        # The account's own comes first: another one is another region's.
        (None, ["https://evil.example", f"https://{EU}/api/"]),
        (server(f"https://{EU}:8443"), [{"Name": "Europe"}]),
        (server(f"https://a.b{SUFFIX}"), [f"https://xx{SUFFIX}/elsewhere/api/"]),
        (server("https://auth" + SUFFIX), ["https://identity.3shape.com"]),
    ],
)
def test_where_nobody_says_nothing_is_guessed(
    me: dict[str, Any], default: object, servers: object
) -> None:
    service = Service3Shape(me, default, servers)
    with pytest.raises(errors.ConfigurationError, match="ORMCO_TRIOS_METADATA_URL") as caught:
        asked(service)
    named = any(said_regions(User(id="1"), PRODUCTION)) or me.get("RegionUri")
    assert not named or isinstance(caught.value, errors.UntrustedHost)
    assert service.cases == set()


@pytest.mark.parametrize("failure", [500, 503, 429])
def test_an_outage_is_not_taken_for_an_answer(failure: int) -> None:
    with pytest.raises((errors.ServerError, errors.RateLimited)):
        asked(Service3Shape({}, failure, None))
    with pytest.raises((errors.ServerError, errors.RateLimited)):
        asked(Service3Shape({}, None, failure))


def test_staging_keeps_to_its_own_servers() -> None:
    assert asked(Service3Shape({"RegionUri": EU}), STAGING) == {STAGED[1]}
    assert asked(Service3Shape({"Region": {"RegionName": "America"}}), STAGING) == {STAGED[0]}
    # There is none in Asia.
    with pytest.raises(errors.ConfigurationError):
        asked(Service3Shape({"RegionUri": AS}), STAGING)


def test_a_server_that_was_set_is_the_one() -> None:
    own = Environment.from_env({"ORMCO_TRIOS_METADATA_URL": "https://cases.example"})
    service = Service3Shape({"RegionUri": "www" + SUFFIX})
    assert asked(service, own) == {"cases.example"}
    assert len(service.seen) == 1


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_server_cannot_be_set(name: str) -> None:
    for setting in ("METADATA", "COMMUNICATE"):
        with pytest.raises(errors.ConfigurationError, match="retired"):
            Environment.from_env({f"ORMCO_TRIOS_{setting}_URL": f"https://{name}/"})
    with pytest.raises(errors.UntrustedHost, match="retired"):
        PRODUCTION.check_trusted(f"https://{name.upper()}/api/cases")


# --- whatever is answered ------------------------------------------------------------------------

HOSTS = [
    *RETIRED,
    *V15,
    *STAGED,
    *(f"{name}{SUFFIX}" for name in ("users", "auth", "staging-users", "xxmetadata", "a.b", "")),
    "identity.3shape.com",
    "www.ormcodigital.com",
    "evil.example",
    "eumetadata.3shapecommunicate.com.evil.example",
    "evil3shapecommunicate.com",
    "127.0.0.1",
    "WWW.3SHAPECOMMUNICATE.COM",
    "ww\N{FULLWIDTH LATIN SMALL LETTER W}.3shapecommunicate.com",
    "www.3shapecommunicate.com.",
    "www.3shapecommunicate.com:443",
    "eumetadata.3shapecommunicate.com:8443",
    "us.3shapecommunicate.com@eumetadata.3shapecommunicate.com",
    "eumetadata.3shapecommunicate.com\\@evil.example",
]
addresses = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", "https://", "https://", "http://", "HTTPS://", "//", "https:", " "]),
    st.sampled_from(HOSTS),
    st.sampled_from(["", "", "", "/", "/api/", "/api/cases", "/x", "?x", "#x", "/../", "//", " "]),
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | addresses,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Uri", "Url", "Id", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
failures = st.sampled_from([None, 401, 403, 404, 500, b"<html>", b"", b"\xff"])
defaults = addresses.map(server) | failures | jsons
lists = st.lists(addresses | addresses.map(server), min_size=1, max_size=3) | failures | jsons
optional = st.none() | addresses | st.text(max_size=20)
users = st.fixed_dictionaries(
    {},
    optional={
        "RegionUri": optional,
        "Region": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "RegionName": st.none()
                | st.sampled_from(["Europe", "ASIA", "america", "Mars", ""]),
                "Url": optional,
                "Servers": jsons,
            },
        ),
    },
)


def is_named(said: object, host: str) -> bool:
    return host in json.dumps(said, default=repr, ensure_ascii=False).lower()


@given(users | st.just({}), defaults, lists, st.sampled_from([PRODUCTION, STAGING]), addresses)
@example({"RegionUri": "www" + SUFFIX}, None, None, PRODUCTION, "https://www" + SUFFIX)
@example({}, server("https://www" + SUFFIX), None, PRODUCTION, "https://users" + SUFFIX)
@example({}, server("users" + SUFFIX), None, PRODUCTION, "https://users" + SUFFIX)
@example({}, None, ["https://xxmetadata" + SUFFIX], STAGING, "https://xxmetadata" + SUFFIX)
@settings(max_examples=300)
def test_no_other_server_gets_a_token(
    me: dict[str, Any], default: object, servers: object, environment: Environment, href: str
) -> None:
    """Whatever the account, 3Shape's two lists and a file's address say."""
    service = Service3Shape(me, default, servers)
    client = CommunicateClient(
        replace(environment, gateway=service), token="t", retry=Retry(attempts=1)
    )
    table = {urlsplit(url).hostname for url in environment.regions.values()}
    file = CaseFile(href=f"{href}/api/cases/1/attachments/2")
    for attempt in (
        lambda: list(client.cases.list()),
        lambda: client.cases.download(file, Path("nowhere") / "file"),
    ):
        with suppress(errors.OrmcoTriosError, OSError):
            attempt()
    users_host = urlsplit(environment.communicate).hostname
    for host, path in service.seen:
        if path.startswith(("/api/users/", "/api/services/")):
            assert host == users_host
        elif path == "/api/servers":
            assert host == urlsplit(environment.metadata).hostname
        else:
            assert path.startswith("/api/cases")
            assert host not in RETIRED
            assert host not in {
                urlsplit(url).hostname
                for service, url in environment.base_urls.items()
                if service is not Service.METADATA
            }
            if host not in table:
                assert host.endswith(SUFFIX)
                assert is_named(default, host) or is_named(servers, host)


@given(addresses, st.sampled_from([PRODUCTION, STAGING, Environment.sandbox("http://127.0.0.1:9")]))
def test_an_address_is_a_server_of_the_table_or_none(
    address: str, environment: Environment
) -> None:
    allowed = {*environment.regions.values(), environment.metadata, None}
    assert Home(environment).server(address) in allowed


def test_a_region_prints_no_address() -> None:
    region = ServerRegion(region_name="Europe", url="https://evil.example")
    assert "evil" not in repr(region)
