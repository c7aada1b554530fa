"""An application's registration and one account's tokens: what every OAuth flow needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from ormco_trios.core.auth import check_token_fits
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow, Local, Pause
from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import AuthorizationNeeded, ConfigurationError, TransportError
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.operations import Grant, TokenReply, ask_for_token, revoke_token
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.token import AsyncTokenStore, Token, TokenStore

LEEWAY = timedelta(seconds=60)
"""A token is renewed this long before it ends, so that it does not end on the way."""

LOCK_INTERVAL = 0.05
"""Seconds between looks while somebody else refreshes."""

LOCK_PATIENCE = 60.0
"""Seconds until a lock that nobody gives back is an error."""


@dataclass(frozen=True, slots=True)
class Application:
    """A registered application, in one environment, for one account.

    Attributes:
        account: Under which name the store keeps the tokens, such as your id of the practice.
    """

    environment: Environment
    server: AuthorizationServer
    client_id: str
    client_secret: SecretStr | None
    redirect_uri: str
    store: TokenStore | AsyncTokenStore = field(repr=False)
    account: str = field(repr=False)
    clock: Clock = field(repr=False)

    def authorization_request(self, scopes: tuple[str, ...] | None) -> AuthorizationRequest:
        return AuthorizationRequest.create(
            self.server,
            base_url=self.environment.base_url(self.server.service),
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            scopes=scopes,
        )

    def exchange(self, code: AuthorizationCode, request: AuthorizationRequest) -> Flow[Token]:
        code.spend("the exchange for a token")
        form = {"code": code.reveal("canonical"), "redirect_uri": request.redirect_uri}
        if request.code_verifier is not None:
            form["code_verifier"] = request.code_verifier.get_secret_value()
        call = self._ask("authorization_code", form)
        del form
        reply = yield from call
        return (yield from self.keep(reply.token(self.clock)))

    def password(self, username: str, password: SecretStr) -> Flow[Token]:
        if not self.server.password_grant:
            raise ConfigurationError("Only the classic sign-in takes a user name and password.")
        reply = yield from self._ask(
            "password", {"username": username, "password": password.get_secret_value()}
        )
        return (yield from self.keep(reply.token(self.clock)))

    def refresh(self, token: Token) -> Flow[Token]:
        if token.refresh_token is None:
            raise AuthorizationNeeded("The access token has ended and cannot be refreshed.")
        reply = yield from self._ask(
            "refresh_token", {"refresh_token": token.refresh_token.get_secret_value()}
        )
        return (yield from self.keep(reply.token(self.clock).keeping(token)))

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
        return call is not None

    def load(self) -> Flow[Token | None]:
        token: Token | None = yield from Local(self.store.load, (self.account,))
        return token

    def keep(self, token: Token) -> Flow[Token]:
        """Save ``token`` before anybody sees it."""
        yield from Local(self.store.save, (self.account, token))
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
        self._token: Token | None = None

    def current(self) -> SecretStr | None:
        token = self._token
        return token.access_token if token is not None and self._lasts(token) else None

    def renew(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """The stored token if it will do, otherwise a refreshed one.

        Raises:
            AuthorizationNeeded: Nobody has authorized this account, or nothing is left to refresh.
            GrantRevoked: The refresh token is no longer accepted.
        """
        app = self._application
        patience = LOCK_PATIENCE
        while (token := (yield from self._stored(rejected))) is None:
            if (yield from Local(app.store.try_lock, (app.account,))):
                break
            if patience <= 0:
                raise TransportError(
                    "Somebody else has been refreshing this account's token for a minute.",
                    advice="Try again; if it lasts, end the process that holds the lock.",
                )
            patience -= LOCK_INTERVAL
            yield from Pause(LOCK_INTERVAL)
        if token is not None:
            return token
        try:
            # Whoever had the lock before may have done it already.
            token = yield from self._stored(rejected)
            if token is None:
                old = yield from app.load()
                if old is None:
                    raise AuthorizationNeeded("Nobody has authorized this account yet.")
                self._token = yield from app.refresh(old)
                token = self._token.access_token
            return token
        finally:
            yield from Local(app.store.unlock, (app.account,))

    def _stored(self, rejected: SecretStr | None) -> Flow[SecretStr | None]:
        """The stored access token, if it has not ended and is not the rejected one."""
        app = self._application
        stored = yield from app.load()
        if stored is None or stored.access_token == rejected:
            return None
        if not self._lasts(stored):
            return None
        self._token = stored
        return stored.access_token

    def _lasts(self, token: Token) -> bool:
        """Whether to use it as it is; one that cannot be refreshed is used to its end."""
        leeway = LEEWAY if token.refresh_token is not None else timedelta(0)
        return token.usable(self._application.clock.now(), leeway)
