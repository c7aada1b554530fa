# Generated from async_receiver.py by tools/mirror.py; edit that file.
"""Receives a browser on this machine, where the registered redirect address is a loopback one."""

from __future__ import annotations

from ormco_trios.core._acompat import Closing, call_blocking
from ormco_trios.oauth._listener import Listener
from ormco_trios.oauth.request import AuthorizationRequest


class RedirectReceiver(Closing):
    """Waits for the browser to come back from the sign-in, so that nobody has to paste.

    It listens from the moment it is made until it is closed, on 127.0.0.1 alone.  Requests for
    anything else, such as a browser's for an icon, are answered and forgotten.

    Args:
        redirect_uri: A registered loopback address, such as ``http://127.0.0.1/callback``; without
            a port in it, any free one is taken, as RFC 8252 has it.

    Attributes:
        redirect_uri: The same with its port: what the authorization has to name.

    Raises:
        ConfigurationError: It is not a loopback address, or its port is taken.
    """

    redirect_uri: str

    def __init__(self, redirect_uri: str) -> None:
        self._listener = Listener(redirect_uri)
        self.redirect_uri = self._listener.redirect_uri

    def expect(self, request: AuthorizationRequest) -> None:
        """Take the answer to ``request`` and no other.

        `OAuthClient.authorization_request` does this for a receiver of the same client.
        """
        if request.state is not None:
            self._listener.expect(request.state.get_secret_value())

    def wait(self, *, timeout: float = 300.0) -> str:
        """The address the browser was sent to: give it to `AuthorizationRequest.finish`.

        Call it again if that refuses the address: a program that finds the port can send one.

        Raises:
            NobodyCameBack: Not within ``timeout`` seconds.
        """
        return call_blocking(self._listener.wait, timeout)

    def close(self) -> None:
        """Stop listening; safe to repeat."""
        self._listener.close()
