"""An application's registration and one account's tokens: what every OAuth flow needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

from ormco_trios.core.auth import check_token_fits
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow, Local, Pause, Uninterrupted
from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import (
    AuthorizationNeeded,
    ConfigurationError,
    IssuerMismatch,
    NotFound,
    OrmcoTriosError,
    TokenNotSaved,
    TransportError,
)
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.operations import (
    Grant,
    TokenReply,
    ask_for_token,
    read_metadata,
    revoke_token,
)
from ormco_trios.oauth.paste import same_issuer
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.token import AsyncTokenStore, Token, TokenStore

LEEWAY = timedelta(seconds=60)
"""A token is renewed this long before it ends, so that it does not end on the way."""

_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]+")
"""A client's id or secret; one that was read from a file may end with a line break."""

LOCK_INTERVAL = 0.05
"""Seconds between looks while another program refreshes."""

LOCK_LOOKS = 1200
"""How often it is looked (a minute in all) until a lock that nobody gives back is an error."""


@dataclass(slots=True)
class Application:
    """A registered application, in one environment, for one account.

    Attributes:
        server: The dialect; `discover` replaces it by what the server says about itself.
        account: Under which name the store keeps the tokens, such as your id of the practice.
        owner: Whose tokens they are; those of another owner under this name are not used.
        latest: The stored token, as it was last seen or saved here.
    """

    environment: Environment
    server: AuthorizationServer
    client_id: str
    client_secret: SecretStr | None
    redirect_uri: str
    store: TokenStore | AsyncTokenStore = field(repr=False)
    account: str = field(repr=False)
    owner: str | None = field(repr=False)
    clock: Clock = field(repr=False)
    latest: Token | None = field(default=None, init=False, repr=False)
    _unsaved: tuple[Token, Token] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        secret = self.client_secret
        if not _ONE_LINE.fullmatch(self.client_id or ""):
            raise _unlike("client_id")
        if secret is not None and not _ONE_LINE.fullmatch(secret.get_secret_value() or " "):
            raise _unlike("client_secret")
        if _registered(self.redirect_uri) is None:
            raise ConfigurationError(
                "The redirect address is no address, or one with a fragment (#).",
                advice="Give redirect_uri (ORMCO_TRIOS_REDIRECT_URI) as it is registered with "
                "3Shape, such as https://app.example/callback.",
            )

    def made(self, request: AuthorizationRequest) -> bool:
        """Whether that link is this application's, as it is registered now."""
        return (request.client_id, request.server.name, _registered(request.redirect_uri)) == (
            self.client_id,
            self.server.name,
            _registered(self.redirect_uri),
        )

    def discover(self) -> Flow[AuthorizationServer]:
        """Use the endpoints that the server names, where it does; the contract's otherwise."""
        call = read_metadata(self.server)
        if call is None:
            return self.server
        try:
            metadata = yield from call
        except NotFound:
            return self.server
        if not same_issuer(metadata.issuer, self.environment.base_url(self.server.service)):
            raise IssuerMismatch(
                "The sign-in server describes itself as another one.",
                advice="Check the environment's address of the sign-in server.",
            )
        server = self.server.described_by(metadata)
        for endpoint in (server.authorize, server.token, server.revocation):
            if endpoint is not None:
                self.environment.check_trusted(endpoint)
        self.server = server
        return server

    def authorization_request(
        self,
        scopes: tuple[str, ...] | None,
        redirect_uri: str | None = None,
        *,
        login_hint: str | None = None,
    ) -> AuthorizationRequest:
        return AuthorizationRequest.create(
            self.server,
            base_url=self.environment.base_url(self.server.service),
            client_id=self.client_id,
            redirect_uri=self.redirect_uri if redirect_uri is None else redirect_uri,
            scopes=scopes,
            login_hint=login_hint,
        )

    def exchange(self, code: AuthorizationCode, request: AuthorizationRequest) -> Flow[Token]:
        if request.client_id != self.client_id:
            raise ConfigurationError(
                "The code was issued to another application, so only that one can use it; "
                "nothing was sent."
            )
        code.spend("the exchange for a token")
        form = {"code": code.reveal("canonical"), "redirect_uri": request.redirect_uri}
        if request.code_verifier is not None:
            form["code_verifier"] = request.code_verifier.get_secret_value()
        return (yield from Uninterrupted(self._get("authorization_code", form)))

    def password(self, username: str, password: SecretStr) -> Flow[Token]:
        if not self.server.password_grant:
            raise ConfigurationError("Only the classic sign-in takes a user name and password.")
        form = {"username": username, "password": password.get_secret_value()}
        return (yield from Uninterrupted(self._get("password", form)))

    def renew(self, rejected: SecretStr | None, *, held: Token | None = None) -> Flow[Token]:
        """The stored token if it lasts and is not the rejected one, otherwise a refreshed one.

        However many ask at a time, over one store: one refreshes, the others get what it saved.

        Args:
            rejected: An access token that is of no use any more.
            held: What to refresh if the store has nothing.
        """
        for _ in range(LOCK_LOOKS):
            stored = yield from self.load()
            if stored is not None and self._serves(stored, rejected):
                return stored
            token = yield from Uninterrupted(self._renew_unless_locked(rejected, held))
            if token is not None:
                return token
            yield from Pause(LOCK_INTERVAL)
        raise TransportError(
            "Another program has been refreshing this account's token for a minute.",
            advice="Try again; if it lasts, end the process that holds the lock.",
        )

    def _renew_unless_locked(
        self, rejected: SecretStr | None, held: Token | None
    ) -> Flow[Token | None]:
        """As `renew`; None while another program has the lock."""
        if not (yield from Local(self.store.try_lock, (self.account,))):
            return None
        try:
            old = (yield from self.load()) or held
            if old is None:
                raise AuthorizationNeeded("Nobody has authorized this account yet.")
            if self._unsaved is not None and self._unsaved[0] == old:
                old = yield from self._keep(self._unsaved[1], instead_of=old)
            if self._serves(old, rejected):
                # The one that had the lock before has done it already.
                return old
            return (yield from self._refresh(old))
        finally:
            yield from Local(self.store.unlock, (self.account,))

    def revoke(self, token: Token) -> Flow[bool]:
        """Take the grant back; False where only the Applications page can."""
        call = revoke_token(
            self.server,
            token.refresh_token or token.access_token,
            client_id=self.client_id,
            client_secret=self.client_secret,
        )
        if call is not None:
            yield from call
        yield from Local(self.store.delete, (self.account,))
        self.latest = None
        return call is not None

    def forget(self) -> Flow[None]:
        """Drop the token that was used last, unless another one has been stored meanwhile."""
        used = self.latest
        if (yield from self.load()) == used:
            yield from Local(self.store.delete, (self.account,))
            self.latest = None

    def delete(self) -> Flow[bool]:
        """Delete what is stored under this account, also if it cannot be read; was there any?"""
        try:
            there = (yield from Local(self.store.load, (self.account,))) is not None
        except OrmcoTriosError:
            there = True
        yield from Local(self.store.delete, (self.account,))
        self.latest = None
        return there

    def load(self) -> Flow[Token | None]:
        token: Token | None = yield from Local(self.store.load, (self.account,))
        ours = token is not None and token.owner in (None, self.owner)
        self.latest = token if ours else None
        return self.latest

    def lasts(self, token: Token) -> bool:
        """Whether to use it as it is; one that cannot be refreshed is used to its end."""
        leeway = LEEWAY if token.refresh_token is not None else timedelta(0)
        return token.usable(self.clock.now(), leeway)

    def _serves(self, token: Token, rejected: SecretStr | None) -> bool:
        return token.access_token != rejected and self.lasts(token)

    def _refresh(self, old: Token) -> Flow[Token]:
        if old.refresh_token is None:
            raise AuthorizationNeeded("The access token has ended and cannot be refreshed.")
        call = self._ask("refresh_token", {"refresh_token": old.refresh_token.get_secret_value()})
        still_locked = getattr(self.store, "still_locked", None)
        if still_locked is not None:
            call = replace(call, permit=Local(still_locked, (self.account,)))
        reply = yield from call
        return (yield from self._keep(reply.token(self.clock).keeping(old), instead_of=old))

    def _get(self, grant: Grant, form: dict[str, str]) -> Flow[Token]:
        reply = yield from self._ask(grant, form)
        return (yield from self._keep(reply.token(self.clock)))

    def _keep(self, token: Token, *, instead_of: Token | None = None) -> Flow[Token]:
        """Save ``token`` before it is used.

        If the store fails, or is interrupted, the old refresh token may be worth nothing already:
        the new one is remembered here, and the next `renew` saves it before anything else.
        """
        token = replace(token, owner=self.owner)
        self._unsaved = None if instead_of is None else (instead_of, token)
        try:
            yield from Local(self.store.save, (self.account, token))
        except Exception as error:
            raise TokenNotSaved(
                f"The token store failed to save a new token ({type(error).__name__}).",
                token=token,
            ) from error
        self._unsaved = None
        self.latest = token
        return token

    def _ask(self, grant: Grant, form: dict[str, str]) -> Call[TokenReply]:
        if self.client_secret is not None:
            check_token_fits(self.client_secret, self.environment)
        return ask_for_token(
            self.server,
            grant,
            form,
            client_id=self.client_id,
            client_secret=self.client_secret,
        )


class TokenAuth:
    """A bearer sign-in that refreshes by itself, once for however many need it at a time."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def current(self) -> SecretStr | None:
        token = self._application.latest
        if token is None or not self._application.lasts(token):
            return None
        return token.access_token

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """The stored token if it will do, otherwise a refreshed one.

        Raises:
            AuthorizationNeeded: Nobody has authorized this account, or nothing is left to refresh.
            GrantRevoked: The refresh token is no longer accepted.
            TokenNotSaved: The store failed; the next call saves the new token first.
        """
        token = yield from self._application.renew(rejected)
        return token.access_token


def _unlike(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"The {name} is empty, or has a line break or another control character in it.",
        advice=f"Give {name} (ORMCO_TRIOS_{name.upper()}) exactly as 3Shape gave it to you.",
    )


def _registered(redirect_uri: str) -> str | None:
    """A redirect address as it is registered: of this machine, any port will do; None if bad."""
    try:
        parts = urlsplit(redirect_uri)
        port = parts.port
    except ValueError:
        return None
    if not (parts.scheme and (parts.netloc or parts.path.startswith("/") or parts.scheme == "urn")):
        return None
    if parts.fragment:
        return None
    if port is not None and parts.hostname in {"127.0.0.1", "localhost"}:
        return redirect_uri.replace(f":{port}", "", 1)
    return redirect_uri
