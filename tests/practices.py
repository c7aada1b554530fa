"""A sandbox practice with its clients, in either colour: what most tests begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ormco_trios import Environment
from ormco_trios.core.transport import Gateway
from ormco_trios.sandbox import Practice, Sandbox


@dataclass
class Clients:
    """One practice's clients, and its onboarding."""

    sandbox: Sandbox
    oauth: Any
    communicate: Any
    ormco: Any
    onboarding: Any
    authorize: Any

    def run(self, **options: Any) -> Any:
        return self.onboarding.run(authorize=self.authorize, **options)


def clients(
    both: Any,
    sandbox: Sandbox,
    *,
    who: Practice | None = None,
    gateway: Gateway | None = None,
    password: str | None = None,
    allow: bool = True,
    store: Any = None,
    account_dialect: bool = False,
    **onboarding: Any,
) -> Clients:
    """Clients for the sample practice, or for ``who``."""
    who = who or sandbox.practice
    environment = sandbox.environment
    if gateway is not None:
        environment = Environment.sandbox(
            sandbox.base_url, gateway=gateway, clock=sandbox.world.clock
        )
    options: dict[str, Any] = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
    }
    if account_dialect:
        from ormco_trios import AuthorizationServer

        options = {
            "client_id": sandbox.account_client_id,
            "server": AuthorizationServer.account(),
        }
    oauth = both.oauth(
        environment=environment, redirect_uri=sandbox.redirect_uri, store=store, **options
    )
    communicate = both.communicate(environment=environment, auth=oauth.auth)
    ormco = both.ormcodigital(
        environment=environment,
        username=who.portal_username,
        password=password or who.portal_password,
    )

    def play(needed: Any) -> str:
        return sandbox.authorize(needed.url, allow=allow, email=who.email)

    return Clients(
        sandbox,
        oauth,
        communicate,
        ormco,
        both.onboarding(communicate=communicate, ormco=ormco, oauth=oauth, **onboarding),
        both.callback(play),
    )


def signed_in(both: Any, sandbox: Sandbox, **options: Any) -> Clients:
    """As `clients`, with a token of the practice already there."""
    made = clients(both, sandbox, **options)
    who = options.get("who") or sandbox.practice
    made.oauth.sign_in_with_password(who.email, who.password)
    return made


HOUR = timedelta(hours=1)
