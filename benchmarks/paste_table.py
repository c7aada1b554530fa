"""What five libraries make of what people paste: runs each of them, and writes the table.

    python benchmarks/paste_table.py docs/paste-table.md

Nothing leaves the process: where a library would post to a token endpoint, its HTTP session is
replaced by one that notes the form and answers like an endpoint.  `nox -s paste-table` installs the
libraries first.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlparse

import requests

from ormco_trios import AuthorizationCode, errors
from ormco_trios._version import __version__

TOKEN_URL = "https://auth.example/oauth/token"
REDIRECT = "https://ormco.com/"
STATE = "hG7-kd_20-pL4"


def invented_code(first: int) -> str:
    """A code with the layout of the classic sign-in, and nothing behind it."""
    message = b"\x01" + bytes(range(first, first + 48))
    payload = b"\x20\0\0\0" + bytes(range(200, 232)) + len(message).to_bytes(4, "little") + message
    return f"Kq-{first % 10}!{urlsafe_b64encode(payload).decode().rstrip('=')}"


CODE = invented_code(103)
OTHER = invented_code(54)
ONCE = CODE.replace("!", "%21")
TWICE = CODE.replace("!", "%2521")
THRICE = CODE.replace("!", "%252521")
ADDRESS = f"{REDIRECT}?code={TWICE}&state={STATE}"
LINK = (
    "https://auth.3shapecommunicate.com/oauth/authorise?client_id=x&response_type=code"
    f"&redirect_uri=https%3A%2F%2Formco.com%2F&state={STATE}"
)

INTRODUCTION = """\
# What libraries make of a paste

A person who has been sent to `https://ormco.com/?code=…&state=…` pastes what they see. Each row is
one such paste of an invented code, given to the function that each library has for it, with the
same expected state:

- ✓: the right code would be posted to the token endpoint;
- `SomeError`: nothing would be posted, and the library says so with this error;
- **bold**: something else would be posted. A server refuses that, and a real code is spent by it.

The other four are good libraries for what they are made for: a redirect that their own program
receives, from a server that encodes once. MSAL takes parameters and no text; it is given what its
own receiver would make of the address.

`nox -s paste-table` runs the real libraries and writes this page (`benchmarks/paste_table.py`).
"""

PASTES: dict[str, str] = {
    "The whole address, as the address bar shows it": ADDRESS,
    "… with one layer of encoding": ADDRESS.replace(TWICE, ONCE),
    "… with none": ADDRESS.replace(TWICE, CODE),
    "… with three": ADDRESS.replace(TWICE, THRICE),
    "`code=…&state=…` alone": f"code={TWICE}&state={STATE}",
    "`?code=…&state=…`": f"?code={TWICE}&state={STATE}",
    "Edited as the guide says, state left": f"{ONCE}&state={STATE}",
    "A line wrap in the middle of the code": ADDRESS.replace(TWICE, TWICE[:40] + "\n" + TWICE[40:]),
    "In quotes": f'"{ADDRESS}"',
    "In angle brackets": f"<{ADDRESS}>",
    "Zero-width spaces in it": ADDRESS.replace(TWICE, "\u200b".join((TWICE[:30], TWICE[30:]))),
    "`&amp;` for `&`": ADDRESS.replace("&", "&amp;"),
    "`#_=_` behind it": f"{ADDRESS}#_=_",
    "Code in the fragment": f"{REDIRECT}#code={TWICE}&state={STATE}",
    "Without its end": f"{REDIRECT}?state={STATE}&code={TWICE[:-7]}",
    "Shortened with an ellipsis": f"{REDIRECT}?state={STATE}&code={TWICE[:60]}…",
    "Two different codes": f"{ADDRESS}&code={OTHER}",
    "Wrong state": ADDRESS.replace(STATE, "another"),
    "No state": ADDRESS.partition("&")[0],
    "The bare code": CODE,
    "*Cancel* was chosen": f"{REDIRECT}?error=access_denied&state={STATE}",
    "The authorization link itself": LINK,
    "The address of the login page": "https://users.3shapecommunicate.com/Account/LogOn",
    "Nothing": "",
    "Something else": "I could not find it, sorry",
}


class Endpoint(requests.adapters.BaseAdapter):
    """A token endpoint within the process, which remembers the last form."""

    form: dict[str, str] | None = None

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or ""
        self.form = dict(parse_qsl(body.decode() if isinstance(body, bytes) else body))
        answer = requests.Response()
        answer.status_code = 200
        answer.headers["Content-Type"] = "application/json"
        answer._content = json.dumps(
            {"access_token": "t", "token_type": "bearer", "expires_in": 60, "scope": ""}
        ).encode()
        answer.request, answer.url = request, request.url or ""
        return answer

    def close(self) -> None:
        pass


def ormco_trios(text: str, endpoint: Endpoint) -> None:
    code = AuthorizationCode.from_pasted(text, expected_state=STATE)
    endpoint.form = {"grant_type": "authorization_code", "code": code.reveal("canonical")}


def authlib(text: str, endpoint: Endpoint) -> None:
    from authlib.integrations.requests_client import OAuth2Session

    session = OAuth2Session("id", "secret", redirect_uri=REDIRECT, state=STATE)
    session.mount("https://", endpoint)
    session.fetch_token(TOKEN_URL, authorization_response=text)


def oauthlib(text: str, endpoint: Endpoint) -> None:
    from requests_oauthlib import OAuth2Session

    session = OAuth2Session("id", redirect_uri=REDIRECT, state=STATE)
    session.mount("https://", endpoint)
    session.fetch_token(TOKEN_URL, authorization_response=text, client_secret="secret")


def msal(text: str, endpoint: Endpoint) -> None:
    """MSAL leaves the parsing to its caller; this is how its own receiver does it."""
    from msal.oauth2cli.oauth2 import Client

    session = requests.Session()
    session.mount("https://", endpoint)
    client = Client(
        {"authorization_endpoint": LINK, "token_endpoint": TOKEN_URL},
        "id",
        client_secret="secret",
        http_client=session,
    )
    flow = client.initiate_auth_code_flow(redirect_uri=REDIRECT, state=STATE)
    answer = {name: values[0] for name, values in parse_qs(urlparse(text).query).items()}
    result = client.obtain_token_by_auth_code_flow(flow, answer)
    if endpoint.form is None:
        raise LookupError(str(result.get("error", "no code")))


def spotipy(text: str, endpoint: Endpoint) -> None:
    from spotipy.cache_handler import MemoryCacheHandler
    from spotipy.oauth2 import SpotifyOAuth

    session = requests.Session()
    session.mount("https://", endpoint)
    auth = SpotifyOAuth(
        "id",
        "secret",
        REDIRECT,
        state=STATE,
        open_browser=False,
        cache_handler=MemoryCacheHandler(),
        requests_session=session,
    )
    auth._get_user_input = lambda _: text
    auth.get_access_token(as_dict=False, check_cache=False)


LIBRARIES: dict[str, tuple[str, Callable[[str, Endpoint], None]]] = {
    f"ormco-trios {__version__}": ("", ormco_trios),
    "Authlib": ("Authlib", authlib),
    "oauthlib, requests-oauthlib": ("oauthlib", oauthlib),
    "MSAL": ("msal", msal),
    "spotipy": ("spotipy", spotipy),
}


def outcome(library: Callable[[str, Endpoint], None], text: str) -> str:
    """What came of it, as a cell: what was posted, else the error."""
    endpoint = Endpoint()
    error: Exception | None = None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            library(text, endpoint)
    except Exception as caught:  # noqa: BLE001 - any of them is an answer
        error = caught
    form = endpoint.form
    if form is None:
        if error is None:
            return "nothing"
        name = "" if isinstance(error, LookupError) else f"`{type(error).__name__}`"
        return name or f"error `{error}`"
    if form.get("grant_type") != "authorization_code":
        return f"**asks for `{form.get('grant_type')}`**"
    code = form.get("code", "")
    if code == CODE:
        return "✓"
    known = {
        ONCE: "**sends `%21`**",
        TWICE: "**sends `%2521`**",
        "": "**sends no code**",
        CODE[:-7]: "**sends the rest of the code**",
        OTHER: "**sends the second code**",
        text: "**sends the paste as the code**",
    }
    if code in known:
        return known[code]
    if code.replace("%25", "%").replace("%21", "!").startswith("Kq-"):
        return "**sends a damaged code**"
    return "**sends something else**"


def table() -> str:
    heads = [
        name if not package else f"{name} {version(package)}"
        for name, (package, _) in LIBRARIES.items()
    ]
    lines = [
        INTRODUCTION,
        f"| pasted | {' | '.join(heads)} |",
        f"| --- {'| --- ' * len(heads)}|",
    ]
    for name, text in PASTES.items():
        cells = [outcome(library, text) for _, library in LIBRARIES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def check() -> None:
    """This library's column has no bold cell, and the right code for every whole one."""
    for name, text in PASTES.items():
        said = outcome(ormco_trios, text)
        assert "**" not in said, (name, said)
        assert said == "✓" or hasattr(errors, said.strip("`")), (name, said)


if __name__ == "__main__":
    check()
    written = table()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(written, encoding="utf-8")
    else:
        print(written)
