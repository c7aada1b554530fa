"""A sandbox practice with its clients, sync or async: what most tests begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ormco_trios import (
    Address,
    AuthorizationCode,
    Done,
    Environment,
    Failed,
    NeedsPerson,
    OrmcoDigitalClient,
    TaskKind,
    errors,
)
from ormco_trios.core.transport import Gateway
from ormco_trios.ormcodigital.tasks import TaskAnswer
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
    by_hand: bool = False,
    **onboarding: Any,
) -> Clients:
    """Clients for the sample practice, or for ``who``; ``by_hand`` without one for the portal."""
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
    ormco = None
    if not by_hand:
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


class Hands:
    """What a person does at the portal and at 3Shape, following nothing but a task's words."""

    def __init__(self, sandbox: Sandbox, who: Practice | None = None) -> None:
        self.sandbox = sandbox
        self.who = who or sandbox.practice
        self.tasks: list[TaskKind] = []
        self.entered: list[str] = []
        self._portal = OrmcoDigitalClient(
            sandbox.environment,
            username=self.who.portal_username,
            password=self.who.portal_password,
        )

    def close(self) -> None:
        self._portal.close()

    def press_here(self, **options: Any) -> str:
        """Click *here*, sign in, allow access: the address of the page that this leads to."""
        link = self._portal.trios.authorization_request().authorization_url
        return self.sandbox.authorize(link, email=self.who.email, **options)

    def enter(self, text: str) -> None:
        """Paste it into *Enter Code*, press *Ok* and *Update*."""
        self.entered.append(text)
        self._portal.trios.submit_code(AuthorizationCode.from_pasted(text))

    def do(self, needed: NeedsPerson) -> TaskAnswer:
        """Do a task as it says, and answer it."""
        task = needed.task
        self.tasks.append(task.kind)
        if task.kind is TaskKind.GET_ADDRESS:
            return Address(self.press_here(), account_shown=self.who.email)
        if task.kind is TaskKind.ENTER_CODE:
            assert task.text is not None
            try:
                self.enter(task.text.get_secret_value())
            except errors.CodeRefused:
                return Failed("The code was not accepted.")
        if task.kind is TaskKind.DISCONNECT:
            self._portal.trios.disconnect()
        return Done()

    def state(self) -> str:
        """What the portal itself says of its connection."""
        return self._portal.trios.status().state.value


HOUR = timedelta(hours=1)
