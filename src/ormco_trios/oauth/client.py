# Generated from async_client.py by tools/mirror.py; edit that file.
"""3Shape's sign-in: the authorization link, the code, the tokens."""

from __future__ import annotations

from weakref import WeakValueDictionary

from pydantic import SecretStr

from ormco_trios.core import _client
from ormco_trios.core._http.transport import HttpClient
from ormco_trios.core.auth import as_secret
from ormco_trios.core.base_client import BaseClient
from ormco_trios.core.clock import Clock
from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import AuthorizationNeeded
from ormco_trios.core.events import OnAudit, OnEvent
from ormco_trios.core.retry import Retry
from ormco_trios.core.transport import Timeout
from ormco_trios.oauth import application, stores
from ormco_trios.oauth import server as dialects
from ormco_trios.oauth.application import Application, TokenAuth
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.receiver import RedirectReceiver
from ormco_trios.oauth.request import AuthorizationRequest
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.token import AnyTokenStore, Token


class OAuthClient(BaseClient):
    """An application's sign-in for one account.

    Args:
        environment: Which hosts; by default `Environment.from_env`.
        client_id: The application's id, from 3Shape.
        client_secret: Its secret; a public client (account dialect, PKCE) has none.
        redirect_uri: Where people are sent after the consent, as registered with 3Shape.
        server: The dialect; the guide's classic one unless you say otherwise.
        store: Where tokens are kept; by default in memory.
        account: The name the store keeps them under, such as your id of the practice.
        owner: Whose they are, if the name alone does not say it: a token that is kept under this
            name for another owner is not used.  It is kept inside the token, never as a name.
        timeout: Limits of one attempt, in seconds.
        retry: How often and how patiently one call is repeated.
        clock: For tests and the sandbox.
        on_event: Called after each request with a `CallEvent`, which is safe to log.
        on_audit: Called as well with an `AuditEvent`, which says whose data it was.
        http_client: An httpx client of your own, for proxies or certificates; you close it.

    Attributes:
        auth: What a `CommunicateClient`, sync or async, signs its requests with; it refreshes by
            itself.
        application: The registration, as the flows use it.
    """

    auth: TokenAuth
    application: Application
    _receivers: WeakValueDictionary[str, RedirectReceiver]

    def __init__(
        self,
        environment: Environment | None = None,
        *,
        client_id: str,
        client_secret: str | SecretStr | None = None,
        redirect_uri: str,
        server: AuthorizationServer | None = None,
        store: AnyTokenStore | None = None,
        account: str = "default",
        owner: str | None = None,
        timeout: Timeout | None = None,
        retry: Retry | None = None,
        clock: Clock | None = None,
        on_event: OnEvent | None = None,
        on_audit: OnAudit | None = None,
        http_client: HttpClient | None = None,
    ) -> None:
        self._use(
            _client.open_channel(
                environment,
                auth={},
                timeout=timeout,
                retry=retry,
                clock=clock,
                on_event=on_event,
                on_audit=on_audit,
                http_client=http_client,
            )
        )
        self.application = application.Application(
            environment=self.channel.environment,
            server=server or dialects.AuthorizationServer.classic(),
            client_id=client_id,
            client_secret=as_secret(client_secret),
            redirect_uri=redirect_uri,
            store=stores.MemoryTokenStore() if store is None else store,
            account=account,
            owner=owner,
            clock=self.channel.clock,
        )
        self.auth = application.TokenAuth(self.application)
        self._receivers = WeakValueDictionary()

    def discover(self) -> AuthorizationServer:
        """Ask the server where its endpoints are, and use those from now on.

        Where the dialect or the server has no such description, the contract's paths stay.

        Raises:
            IssuerMismatch: The server describes itself as another one; nothing has changed.
            UntrustedHost: An endpoint lies outside the environment; nothing has changed.
        """
        return self._runner.run(self.application.discover())

    def authorization_request(
        self,
        *,
        scopes: tuple[str, ...] | None = None,
        redirect_uri: str | None = None,
        login_hint: str | None = None,
    ) -> AuthorizationRequest:
        """A new authorization link, with ``state`` and, where the dialect has it, PKCE.

        No request is made.  Keep the result (`AuthorizationRequest.to_json`) until the person
        comes back: it is what their answer is checked against.

        Args:
            scopes: What to ask for; by default what the dialect's programs ask for.
            redirect_uri: Another registered address than the client's own, such as the one of
                `receive_redirect`.
            login_hint: The e-mail of the account that is meant.  The account dialect then asks for
                a sign-in as that account; the classic one takes no such hint.
        """
        request = self.application.authorization_request(
            scopes, redirect_uri, login_hint=login_hint
        )
        if (receiver := self._receivers.get(request.redirect_uri)) is not None:
            receiver.expect(request)
        return request

    def receive_redirect(self, *, redirect_uri: str | None = None) -> RedirectReceiver:
        """Wait for the browser on this machine, instead of asking for a paste.

        ::

            with oauth.receive_redirect() as receiver:
                request = oauth.authorization_request(redirect_uri=receiver.redirect_uri)
                webbrowser.open(request.url)
                code = request.finish(receiver.wait())

        Args:
            redirect_uri: A registered loopback address; by default the client's own.

        Raises:
            ConfigurationError: It is not a loopback address, or its port is taken.
        """
        receiver = RedirectReceiver(redirect_uri or self.application.redirect_uri)
        self._receivers[receiver.redirect_uri] = receiver
        return receiver

    def exchange(self, code: AuthorizationCode, request: AuthorizationRequest) -> Token:
        """Turn the code into tokens, and save them.

        The code is spent by this, whatever comes of it.  It is sent a second time only if the first
        time was provably not carried out: it never arrived, or the server answered 429 and named a
        short delay.

        Raises:
            CodeSpent: It was used before; nothing was sent.
            CodeRefused: Expired, used, damaged or issued for another address.
            CodeOutcomeUnknown: The answer was lost.
            RateLimited: The server asks for fewer requests, for longer than is waited; get a fresh
                code then.
            ClientRefused: The application's id or secret is wrong.
            AuthorizationServerFailed: A page came instead of a token.
            ConfigurationError: The code is for another application, such as Ormco's; it is not
                spent.
            TokenNotSaved: The store failed; the error carries the token.
        """
        return self._runner.run(self.application.exchange(code, request))

    def sign_in_with_password(self, username: str, password: str | SecretStr) -> Token:
        """Get tokens for a user name and password [doc A2.1]; classic dialect only.

        The password is used for this one request and not kept.

        Raises:
            AuthorizationRefused: The server refused them.
            ConfigurationError: The dialect has no such grant.
        """
        return self._runner.run(self.application.password(username, as_secret(password)))

    def token(self) -> Token | None:
        """The stored token, without any request."""
        return self._runner.run(self.application.load())

    def refresh(self, token: Token) -> Token:
        """A newer token than this one, saved.

        Seldom needed: `auth` does it by itself.  Either way one refresh serves everybody who shares
        the store: if another program has renewed this token meanwhile, its token is the answer.

        Raises:
            AuthorizationNeeded: The token has no refresh token.
            GrantRevoked: The refresh token is no longer accepted.
            CodeOutcomeUnknown: The answer was lost; a rotated token may be gone with it.
            TokenNotSaved: The store failed; the error carries the token.
        """
        return self._runner.run(self.application.renew(token.access_token, held=token))

    def revoke(self, token: Token | None = None) -> bool:
        """Take the grant back and forget the stored token.

        Returns:
            False where the dialect has no endpoint for it: the token is forgotten here, and the
            grant stays until it is removed under Applications.

        Raises:
            AuthorizationNeeded: There is no token.
        """
        token = token or self.token()
        if token is None:
            raise AuthorizationNeeded("There is no token to take back.")
        return self._runner.run(self.application.revoke(token))
