"""A real TLS server with a certificate of its own authority, and a real proxy."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from tests.trust.servers import Server, json_answer, proxy

import ormco_trios
from ormco_trios import Environment, Retry, errors
from ormco_trios.core._http import connection

pytestmark = pytest.mark.socket

ME = b'{"Id": "1e4ec1f5-0000-4000-8000-000000000001"}'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with Server(json_answer(ME), tls=context) as running:
        yield running


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    """The process has one TLS context, made from its settings when it is first needed."""
    connection.tls_context.cache_clear()
    connection.proxy_for.cache_clear()
    yield
    connection.tls_context.cache_clear()
    connection.proxy_for.cache_clear()


def me(both: Any, url: str, **options: Any) -> Any:
    environment = Environment.sandbox(url)
    client = both.communicate(
        environment=environment, token="t0ken", retry=Retry.never(), **options
    )
    return client.users.me()


def test_an_unknown_authority_is_refused(both: Any, server: Server) -> None:
    with pytest.raises(errors.NotDelivered, match="certificate could not be verified"):
        me(both, server.url)
    assert server.heads == []


def test_another_name_is_refused(
    both: Any, server: Server, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    with pytest.raises(errors.NotDelivered, match="certificate could not be verified"):
        me(both, server.url.replace("localhost", "127.0.0.1"))
    assert server.heads == []


def test_ssl_cert_file_names_an_authority(
    both: Any, server: Server, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    assert me(both, server.url).id
    assert b"Bearer t0ken" in server.heads[0]


def test_an_injected_client_names_an_authority(both: Any, server: Server, bundle: str) -> None:
    kind: Any = httpx.AsyncClient if both.is_async else httpx.Client
    context = ssl.create_default_context(cafile=bundle)
    own = kind(verify=context, trust_env=False)
    with both.wrap(own):
        assert me(both, server.url, http_client=own).id


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_from_the_settings(
    both: Any, server: Server, bundle: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as between:
        monkeypatch.setenv("SSL_CERT_FILE", bundle)
        monkeypatch.setenv(variable, f"http://127.0.0.1:{between.port}")
        assert me(both, server.url).id
        (head,) = between.heads
    assert head.startswith(b"CONNECT localhost:")
    assert b"t0ken" not in head, "a proxy sees the host and nothing else"


def test_a_proxy_for_plain_http(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as between, Server(json_answer(ME)) as plain:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{between.port}")
        assert me(both, plain.url).id
        assert len(between.heads) == len(plain.heads) == 1


def test_no_proxy(both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as between, Server(json_answer(ME)) as plain:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{between.port}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert me(both, plain.url).id
        assert between.heads == []


def test_an_injected_client_names_a_proxy(both: Any) -> None:
    kind: Any = httpx.AsyncClient if both.is_async else httpx.Client
    with proxy() as between, Server(json_answer(ME)) as plain:
        own = kind(proxy=f"http://127.0.0.1:{between.port}", trust_env=False)
        with both.wrap(own):
            assert me(both, plain.url, http_client=own).id
        assert len(between.heads) == 1


def test_no_option_turns_verification_off() -> None:
    """And no setting: only a client of the caller's own could, and it is theirs."""
    for name in ormco_trios.__all__:
        value = getattr(ormco_trios, name)
        if isinstance(value, type) and not issubclass(value, BaseException):
            options = inspect.signature(value).parameters
            assert not {o for o in options if "verify" in o or "ssl" in o or "cert" in o}, name
    words = ("verify=False", "CERT_NONE", "check_hostname", "_unverified")
    found = [
        f"{path.name}: {word}"
        for path in Path(str(ormco_trios.__file__)).parent.rglob("*.py")
        for word in words
        if word in path.read_text("utf-8")
    ]
    assert found == []
    context = connection.tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
