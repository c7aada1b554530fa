"""A token goes to the environment's own hosts, whatever an answer says and however it is spelt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.trust.wire import Wire

from ormco_trios import Environment, errors
from ormco_trios.communicate.operations import ME
from ormco_trios.core.effects import Call
from ormco_trios.sandbox import InProcessGateway, Sandbox

PRODUCTION = Environment.production()
SANDBOX = Environment.sandbox("http://127.0.0.1:8025")

GOOD = ["eumetadata.3shapecommunicate.com", "users.3shapecommunicate.com", "identity.3shape.com"]
EVIL = [
    "evil.example",
    "3shapecommunicate.com.evil.example",
    "evil3shapecommunicate.com",
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:169.254.169.254]",
    "169.254.169.254",
    "xn--eumetadata-9vh.3shapecommunicate.com",
    "us\u0435rs.3shapecommunicate.com",
    "users.3shapecommunicate\u3002com",
    "users\uff0e3shape.com",
    "users.3shap\u00e9.com",
    "users.3shape.com%2eevil.example",
    "users.3shape.com%00.evil.example",
    "%75sers.3shape.com",
    ".3shape.com",
    "..3shape.com",
    "users.3shape.com.",
    "-.3shape.com",
    "users_.3shape.com",
    "localhost",
    "",
]
ODD = " \t\r\n\0\x0b\x7f\\@:/?#%;&[].\u00ad\u200b\u2028\u3002\uff0f\uff20\ufeff"

urls = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(
        "https://|http://|HTTPS://|https:|https:/|https:///|//||ftp://|javascript://|https:\\\\|"
        " https://|https://https://|h\nttps://|file:///".split("|")
    ),
    st.sampled_from(["", "", "", "a@", "a:b@", "users.3shape.com@", "users.3shape.com:443@", "@"]),
    st.sampled_from(GOOD + EVIL),
    st.sampled_from(["", "", "", ":443", ":8443", ":80", ":", ":0443", ":65536", ":-1", ":\u0661"]),
    st.sampled_from(["", "/", "/api", "?x", "#x", "\\api", "/\\evil.example", "//evil.example"]),
    st.sampled_from(
        ["", "", "@evil.example", "@evil.example/", "?@evil.example", "#@evil.example"]
    ),
)


@st.composite
def hostile(draw: Any) -> str:
    """An address, perhaps with an odd character somewhere in it."""
    url = draw(urls)
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(url)))
        url = url[:place] + draw(st.sampled_from(ODD)) + url[place:]
    return str(url)


def accepted(environment: Environment, url: str) -> bool:
    try:
        environment.check_trusted(url)
    except errors.UntrustedHost:
        return False
    return True


@given(hostile() | st.text(max_size=80))
@example("https://users.3shape.com\\@evil.example")
@example("https://evil.example#.3shape.com")
@example("https://users.3shape.com\n")
@example("https://.3shape.com")
def test_what_is_trusted_is_where_httpx_goes(url: str) -> None:
    if accepted(PRODUCTION, url):
        there = httpx.URL(url)
        assert there.scheme == "https"
        assert there.port is None
        assert there.userinfo == b""
        host = there.raw_host.decode()
        assert host == there.host
        assert host.endswith((".3shapecommunicate.com", ".3shape.com"))
        assert all(label.strip("-") == label != "" for label in host.split("."))


@given(hostile())
@example("http://127.0.0.1:8025@evil.example")
@example("http://127.0.0.1:80255")
def test_a_sandbox_is_trusted_exactly(url: str) -> None:
    assert not accepted(SANDBOX, url)


@pytest.mark.parametrize("host", EVIL)
def test_a_hostile_region_gets_nothing(both: Any, host: str) -> None:
    """`RegionUri` and `Href` reach a call as its base address."""
    wire = Wire(InProcessGateway(Sandbox().world))
    environment = replace(PRODUCTION, gateway=wire)
    client = both.communicate(environment=environment, token="t")
    target = getattr(client, "_target", client)
    for url in (f"https://{host}", f"https://{host}/", f"https://users.3shape.com@{host}"):
        with pytest.raises(errors.UntrustedHost):
            both.run(target._runner.run, Call(ME, base_url=url))
    assert wire.requests == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["https://evil.example/", "//evil.example", "/elsewhere", "\\\\evil.example", "", "x:"],
)
def test_no_redirect_is_followed(both: Any, status: int, location: str) -> None:
    """Not even with a client of the caller's that follows redirects by itself."""
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(status, headers={"location": location})

    kind: Any = httpx.AsyncClient if both.is_async else httpx.Client
    client = both.communicate(
        environment=PRODUCTION,
        token="t",
        http_client=kind(transport=httpx.MockTransport(answer), follow_redirects=True),
    )
    with pytest.raises(errors.InvalidRequest, match="redirects are not followed"):
        client.users.me()
    assert hosts == ["users.3shapecommunicate.com"]
