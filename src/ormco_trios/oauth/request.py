"""One authorization under way: what was asked, and what it takes to finish it elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from ormco_trios.core.clock import Clock
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.core.operation import url_encoded
from ormco_trios.core.shield import shielded
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.server import AuthorizationServer


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A link for a person to open, and what to check their answer against.

    `to_json` and `from_json` carry it from the process that begins to the one that finishes; the
    text holds the PKCE verifier, so keep it on the server.

    Attributes:
        url: The link: the person signs in there and chooses *Allow access*.
        client_id: The application that asks; the code is for it alone.
        redirect_uri: Where they are sent afterwards; they paste that address.
        server: The dialect.
        issuer: Whom the person is asked to trust; an answer that names another is refused.
        expires_at: When the link stops working, if that is known.
    """

    url: str = field(repr=False)
    client_id: str
    redirect_uri: str
    server: AuthorizationServer = field(repr=False)
    issuer: str | None = None
    state: SecretStr | None = None
    code_verifier: SecretStr | None = None
    expires_at: datetime | None = None

    @classmethod
    def create(
        cls,
        server: AuthorizationServer,
        *,
        base_url: str,
        client_id: str,
        redirect_uri: str,
        scopes: tuple[str, ...] | None = None,
        login_hint: str | None = None,
    ) -> AuthorizationRequest:
        """A new authorization with a fresh ``state`` and, where the dialect has it, PKCE.

        A ``login_hint`` asks for a sign-in as that account, whichever is signed in; only the
        account dialect takes one (OpenID Connect Core, 3.1.2.1) [assumed].
        """
        state = secrets.token_urlsafe(24)
        query = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "state": state,
        }
        verifier = None
        if asked := server.scopes if scopes is None else scopes:
            query["scope"] = " ".join(asked)
        if server.pkce:
            verifier = secrets.token_urlsafe(48)
            digest = hashlib.sha256(verifier.encode("ascii")).digest()
            query["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            query["code_challenge_method"] = "S256"
            query["nonce"] = secrets.token_urlsafe(16)
        if login_hint is not None and server.name == "account":
            query |= {"login_hint": login_hint, "prompt": "login"}
        link = server.authorize if "://" in server.authorize else base_url + server.authorize
        return cls(
            url=f"{link}{'&' if '?' in link else '?'}{url_encoded(query)}",
            client_id=client_id,
            redirect_uri=redirect_uri,
            server=server,
            issuer=base_url,
            state=SecretStr(state),
            code_verifier=SecretStr(verifier) if verifier else None,
        )

    @classmethod
    def from_url(cls, url: str, *, expires_at: datetime | None = None) -> AuthorizationRequest:
        """The authorization behind a link that another program made, such as OrmcoDigital's.

        Raises:
            ConfigurationError: It is not an authorization link.
        """
        query = parse_qs(urlsplit(url).query)
        if "client_id" not in query or "redirect_uri" not in query:
            raise ConfigurationError("This is not an authorization link.")
        server = (
            AuthorizationServer.account()
            if "code_challenge" in query
            else AuthorizationServer.classic()
        )
        state = query.get("state")
        issuer, known, _ = url.partition(f"{server.authorize}?")
        return cls(
            url=url,
            client_id=query["client_id"][0],
            redirect_uri=query["redirect_uri"][0],
            server=server,
            issuer=issuer if known else None,
            state=SecretStr(state[0]) if state else None,
            expires_at=expires_at,
        )

    @property
    def provable(self) -> bool:
        """Whether an answer to this can be told from one that a stranger has made."""
        return self.state is not None or self.server.names_issuer

    @shielded
    def finish(self, pasted: str, *, clock: Clock | None = None) -> AuthorizationCode:
        """The code in what the person pasted.

        Raises:
            PasteError: There is no usable code in it; nothing is lost, paste again.
            ConsentDenied: The person chose *Cancel*.
            AuthorizationRefused: The server sent another error instead of a code.
            IssuerMismatch: The answer comes from another server, or hides from which.
        """
        return AuthorizationCode.from_pasted(
            pasted,
            expected_state=None if self.state is None else self.state.get_secret_value(),
            expected_issuer=self.issuer,
            issuer_required=self.server.names_issuer,
            shape=self.server.shape,
            clock=clock,
        )

    def to_json(self) -> str:
        """Everything `from_json` needs; holds secrets."""
        return json.dumps(
            {
                "url": self.url,
                "client_id": self.client_id,
                "redirect_uri": self.redirect_uri,
                "server": self.server.name,
                "names_issuer": self.server.names_issuer,
                "issuer": self.issuer,
                "state": self.state and self.state.get_secret_value(),
                "code_verifier": self.code_verifier and self.code_verifier.get_secret_value(),
                "expires_at": self.expires_at and self.expires_at.isoformat(),
            }
        )

    @classmethod
    @shielded
    def from_json(cls, text: str) -> AuthorizationRequest:
        """The request that `to_json` wrote.

        Raises:
            ConfigurationError: It is not such a text.
        """
        request = _read(text)
        if request is None:
            raise ConfigurationError("This is not a saved authorization request.")
        return request


def _read(text: str) -> AuthorizationRequest | None:
    try:
        data = json.loads(text)
        return AuthorizationRequest(
            url=str(data["url"]),
            client_id=str(data["client_id"]),
            redirect_uri=str(data["redirect_uri"]),
            server=replace(
                AuthorizationServer.named(data["server"]), names_issuer=bool(data["names_issuer"])
            ),
            issuer=data["issuer"] and str(data["issuer"]),
            state=SecretStr(data["state"]) if data["state"] else None,
            code_verifier=SecretStr(data["code_verifier"]) if data["code_verifier"] else None,
            expires_at=datetime.fromisoformat(data["expires_at"]) if data["expires_at"] else None,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
