"""Which hosts there are, and which of them may see a token."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from ormco_trios import Environment, errors
from ormco_trios.core.environment import Service

LIVE = Environment.production()


@pytest.mark.parametrize(
    "url",
    [
        "https://eumetadata.3shapecommunicate.com/api/cases",
        "https://EUMETADATA.3ShapeCommunicate.com",
        "https://identity.3shape.com:443/x",
        "https://users.3shapecommunicate.com",
    ],
)
def test_trusted(url: str) -> None:
    LIVE.check_trusted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://users.3shapecommunicate.com",
        "https://3shapecommunicate.com.evil.example",
        "https://evil3shapecommunicate.com",
        "https://users.3shapecommunicate.com@evil.example",
        "https://users.3shapecommunicate.com:8443",
        "https://users.3shapecommunicate.com.",
        "https://us\u0435rs.3shap\u0435communicate.com",
        "https://evil.example/users.3shapecommunicate.com",
        "https:\\\\evil.example",
        "https://127.0.0.1",
        "https://[::1",
        "https://[:::::]/",
        "https://users.3shapecommunicate.com:0",
        "https://users.3shapecommunicate.com:65536",
        "ftp://users.3shapecommunicate.com",
        "javascript:alert(1)",
        "//users.3shapecommunicate.com",
        "",
    ],
)
def test_untrusted(url: str) -> None:
    with pytest.raises(errors.UntrustedHost):
        LIVE.check_trusted(url)


def test_a_sandbox_trusts_itself_alone() -> None:
    sandbox = Environment.sandbox("http://127.0.0.1:8025/")
    assert sandbox.name == "sandbox"
    assert sandbox.communicate == "http://127.0.0.1:8025/communicate"
    sandbox.check_trusted("http://127.0.0.1:8025/metadata-eu/x")
    for url in ("http://127.0.0.1:8026", "https://users.3shapecommunicate.com"):
        with pytest.raises(errors.UntrustedHost):
            sandbox.check_trusted(url)


OF_3SHAPE = [service for service in Service if service is not Service.ORMCODIGITAL]


def test_the_live_hosts() -> None:
    """As the contract has them; no API of the portal is known."""
    live = Environment.production()
    assert [live.base_url(service) for service in live.base_urls] == [
        "https://users.3shapecommunicate.com",
        "https://eumetadata.3shapecommunicate.com",
        "https://auth.3shapecommunicate.com",
        "https://identity.3shape.com",
    ]
    staging = Environment.staging()
    assert [staging.base_url(service) for service in staging.base_urls] == [
        "https://staging-users.3shapecommunicate.com",
        "https://staging-eumetadata.3shapecommunicate.com",
        "https://staging-auth.3shapecommunicate.com",
        "https://staging-identity.3shape.com",
    ]
    assert tuple(live.base_urls) == tuple(staging.base_urls) == tuple(OF_3SHAPE)


def test_the_portals_api_is_the_one_that_is_named() -> None:
    for environment in (Environment.production, Environment.staging):
        assert environment(portal_api=None).ormcodigital is None
        with pytest.raises(errors.ConfigurationError, match="Leave `ormco` out"):
            environment().base_url(Service.ORMCODIGITAL)
        own = environment(portal_api="https://api.portal.example/v1/")
        assert own.base_url(Service.ORMCODIGITAL) == "https://api.portal.example/v1"
        own.check_trusted("https://api.portal.example/anything")
        for other in (
            "https://portal.example",
            "https://b.api.portal.example",
            "https://api.portal.example:8443",
            "http://api.portal.example",
            "https://www.ormcodigital.com",
        ):
            with pytest.raises(errors.UntrustedHost):
                own.check_trusted(other)
        with pytest.raises(errors.ConfigurationError, match="not an https address"):
            environment(portal_api="http://portal.example")


@pytest.mark.parametrize("name", ["production", "staging"])
@pytest.mark.parametrize("host", ["usmetadata.3shapecommunicate.com", "a.3shape.com"])
def test_a_live_environment_trusts_its_owners_other_hosts(name: str, host: str) -> None:
    environment = Environment.from_env({"ORMCO_TRIOS_ENVIRONMENT": name})
    environment.check_trusted(f"https://{host}/api")
    with pytest.raises(errors.UntrustedHost):
        environment.check_trusted(f"https://{host}.example/api")


def test_a_name_without_a_dot_before_it_is_one_host() -> None:
    own = replace(LIVE, trusted=("portal.example",))
    own.check_trusted("https://Portal.example/api")
    for url in ("https://a.portal.example", "https://evilportal.example", "https://b.example"):
        with pytest.raises(errors.UntrustedHost):
            own.check_trusted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://users.example",
        "ftp://127.0.0.1",
        "https://",
        "https://a@b.example",
        "https://[:::::]",
        "https://users.example:65536",
        "http://127.0.0.1:65536",
        "x",
    ],
)
def test_only_https_or_this_machine(url: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        Environment.sandbox(url)


def test_every_address_is_looked_at() -> None:
    """Also behind one that may be http, since it is on this machine."""
    sandbox = Environment.sandbox("http://127.0.0.1:9")
    for field in ("metadata", "auth_classic", "auth_account", "ormcodigital"):
        with pytest.raises(errors.ConfigurationError):
            dataclasses.replace(sandbox, **{field: "http://users.example"})  # type: ignore[arg-type] # a name of a str


def test_from_env() -> None:
    assert Environment.from_env({}) == LIVE
    assert Environment.from_env({"ORMCO_TRIOS_ENVIRONMENT": "staging"}).name == "staging"
    box = Environment.from_env(
        {
            "ORMCO_TRIOS_ENVIRONMENT": "sandbox",
            "ORMCO_TRIOS_SANDBOX_URL": "http://127.0.0.1:1",
        }
    )
    assert box.base_url(Service.COMMUNICATE) == "http://127.0.0.1:1/communicate"
    own = Environment.from_env({"ORMCO_TRIOS_ORMCODIGITAL_URL": "https://portal.ormco.example"})
    own.check_trusted("https://portal.ormco.example/api")
    assert own.communicate == LIVE.communicate


def test_from_env_reads_the_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORMCO_TRIOS_ENVIRONMENT", "staging")
    assert Environment.from_env() == Environment.staging()


@pytest.mark.parametrize("service", Service)
def test_each_address_can_be_replaced(service: Service) -> None:
    settings = {f"ORMCO_TRIOS_{service.name}_URL": "https://own.example:8443/below/"}
    own = Environment.from_env(settings)
    assert own.base_url(service) == "https://own.example:8443/below"
    others = [s for s in OF_3SHAPE if s is not service]
    assert [own.base_url(s) for s in others] == [LIVE.base_url(s) for s in others]
    own.check_trusted("https://own.example:8443/elsewhere")
    Environment.from_env({f"ORMCO_TRIOS_{service.name}_URL": "https://own.example"}).check_trusted(
        "https://own.example:443/elsewhere"
    )
    for other in ("https://own.example", "https://a.own.example:8443", "http://own.example:8443"):
        with pytest.raises(errors.UntrustedHost):
            own.check_trusted(other)


def test_an_address_on_this_machine_trusts_nothing_else_on_it() -> None:
    own = Environment.from_env({"ORMCO_TRIOS_METADATA_URL": "http://127.0.0.1:8025"})
    own.check_trusted("http://127.0.0.1:8025/api")
    for other in ("https://127.0.0.1/api", "http://127.0.0.1:8026/api"):
        with pytest.raises(errors.UntrustedHost):
            own.check_trusted(other)


@pytest.mark.parametrize(
    "settings",
    [
        {"ORMCO_TRIOS_ENVIRONMENT": "moon"},
        {"ORMCO_TRIOS_ENVIRONMENT": "sandbox"},
        {"ORMCO_TRIOS_COMMUNICATE_URL": "http://users.example"},
    ],
)
def test_wrong_settings_say_so(settings: dict[str, str]) -> None:
    with pytest.raises(errors.ConfigurationError):
        Environment.from_env(settings)
