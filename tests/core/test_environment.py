"""Which hosts there are, and which of them may see a token."""

from __future__ import annotations

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
    sandbox.check_trusted("http://127.0.0.1:8025/metadata-eu/x")
    for url in ("http://127.0.0.1:8026", "https://users.3shapecommunicate.com"):
        with pytest.raises(errors.UntrustedHost):
            sandbox.check_trusted(url)


@pytest.mark.parametrize(
    "url", ["http://users.example", "ftp://127.0.0.1", "https://", "https://a@b.example", "x"]
)
def test_only_https_or_this_machine(url: str) -> None:
    with pytest.raises(errors.ConfigurationError):
        Environment.sandbox(url)


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
