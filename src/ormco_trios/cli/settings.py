"""From options and environment variables to a practice that can be connected."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, TypeVar

from ormco_trios.cli.person import ask_for_address
from ormco_trios.cli.progress import SavedProgress
from ormco_trios.communicate.client import CommunicateClient
from ormco_trios.communicate.emails import folded
from ormco_trios.communicate.regions import Region
from ormco_trios.core.clock import HurriedClock
from ormco_trios.core.environment import Environment
from ormco_trios.core.errors import ConfigurationError
from ormco_trios.oauth.client import OAuthClient
from ormco_trios.oauth.code import AuthorizationCode
from ormco_trios.oauth.receiver import RedirectReceiver
from ormco_trios.oauth.server import AuthorizationServer
from ormco_trios.oauth.stores import FileTokenStore
from ormco_trios.onboarding.account import sign_in_hint
from ormco_trios.onboarding.observation import SIGNED_OUT
from ormco_trios.onboarding.onboarding import Onboarding
from ormco_trios.onboarding.outcomes import NeedsAuthorization, NeedsPerson, Purpose
from ormco_trios.ormcodigital.client import OrmcoDigitalClient
from ormco_trios.ormcodigital.portal import PortalAccess, PortalWay
from ormco_trios.ormcodigital.tasks import Address, Done, TaskAnswer, TaskKind

if TYPE_CHECKING:
    from ormco_trios.sandbox import Sandbox

T = TypeVar("T")

SPEED = 7200.0
"""With ``--sandbox``, two hours of waiting take a second for a person who watches."""

APPROVAL_HOURS = 6.0
"""With ``--sandbox``, when Ormco's lab approves."""


class Play:
    """Plays the doctor in the sandbox: does what links and tasks ask for."""

    def __init__(self, sandbox: Sandbox, portal: OrmcoDigitalClient) -> None:
        self._sandbox = sandbox
        self._portal = portal

    def authorize(self, needed: NeedsAuthorization) -> Address:
        """Sign in, and allow access."""
        return self._allow(needed.url)

    def do(self, needed: NeedsPerson) -> TaskAnswer:
        """What the task says."""
        task = needed.task
        if task.kind is TaskKind.GET_ADDRESS:
            return self._allow(self._portal.trios.authorization_request().authorization_url)
        if task.kind is TaskKind.ENTER_CODE and task.text is not None:
            code = AuthorizationCode.from_pasted(task.text.get_secret_value())
            self._portal.trios.submit_code(code)
        elif task.kind is TaskKind.DISCONNECT:
            self._portal.trios.disconnect()
        return Done()

    def _allow(self, link: str) -> Address:
        return Address(self._sandbox.authorize(link), self._sandbox.practice.email)


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice, ready to be connected.

    Attributes:
        play: Plays the doctor, in the sandbox; None where a person has to be asked.
        receiver: Where the browser comes back to, if the application's redirect address allows.
        sandbox: The simulator, if that is what it is connected to.
        saved: Where its progress is kept for the next command.
    """

    onboarding: Onboarding
    play: Play | None = None
    receiver: RedirectReceiver | None = None
    sandbox: Sandbox | None = None
    saved: SavedProgress | None = None

    def remember(self) -> None:
        """Keep the progress: an interrupted command is gone on from."""
        if self.saved is not None:
            self.saved.save(self.onboarding.progress)


@dataclass(frozen=True, slots=True)
class Account:
    """One account at Communicate, a lab's or a practice's.

    Attributes:
        receiver: Where the browser comes back to, if the application's redirect address allows.
    """

    communicate: CommunicateClient
    oauth: OAuthClient
    receiver: RedirectReceiver | None = None

    def use(self, action: Callable[[], T]) -> T:
        """What ``action`` gives, after signing in if that turns out to be missing."""
        try:
            return action()
        except SIGNED_OUT:
            request = self.oauth.authorization_request()
            pasted = ask_for_address(
                request,
                Purpose.SIGN_IN.explanation,
                hint=sign_in_hint(None, request.server),
                problem=None,
                receiver=self.receiver,
            )
            self.oauth.exchange(request.finish(pasted), request)
        return action()


def demonstration_clock(*, watched: bool) -> HurriedClock:
    """The time of a demonstration; where no person watches it, waiting takes no time at all."""
    return HurriedClock(SPEED if watched else math.inf)


@contextmanager
def sandbox_practice(
    region: Region | None,
    email: str | None,
    way: PortalWay | None,
    *,
    lived: bool = False,
    watched: bool = False,
) -> Generator[Practice]:
    """The sandbox's sample practice, on a server that lives as long as this block.

    Args:
        region: Of Ormco's lab; by default what the account's country clearly says.
        email: Of the account that is meant.
        way: What does the portal's part; by default its API.
        lived: It was connected, and Ormco's access has been taken away since.
        watched: A person watches, so waiting takes a moment.
    """
    if way is PortalWay.BROWSER:
        raise ConfigurationError(
            "The sandbox plays the doctor, who would have to sit at the browser's window.",
            advice="Try --portal manual or api, or run `ormco-trios sandbox` and use its pages.",
        )
    from ormco_trios.sandbox import Approval, Sandbox

    clock = demonstration_clock(watched=watched)
    approval = Approval.immediately() if lived else Approval.after(APPROVAL_HOURS * 3600)
    with Sandbox(server=True, clock=clock, approval=approval) as sandbox:
        who = sandbox.practice
        with (
            _account_in(sandbox) as account,
            OrmcoDigitalClient(
                sandbox.environment,
                username=who.portal_username,
                password=who.portal_password,
            ) as ormco,
        ):
            onboarding = Onboarding(
                communicate=account.communicate,
                ormco=None if way is PortalWay.MANUAL else ormco,
                oauth=account.oauth,
                account=email,
                region=region,
            )
            play = Play(sandbox, ormco)
            if lived:
                onboarding.run(authorize=play.authorize, person=play.do)
                sandbox.world.revoke(who.email)
                sandbox.journal.clear()
            yield Practice(onboarding, play, sandbox=sandbox)


@contextmanager
def sandbox_account(*, lab: bool) -> Generator[Account]:
    """The sandbox's sample practice, or its lab with three practices that wait for it."""
    from ormco_trios.sandbox import Approval, Sandbox

    with Sandbox(approval=Approval.held()) as sandbox:
        who = sandbox.world.user(sandbox.practice.lab_email if lab else sandbox.practice.email)
        if lab:
            for practice in sandbox.practices(3):
                sandbox.world.new_connection(sandbox.world.user(practice.email), who)
        with _account_in(sandbox) as account:
            account.oauth.sign_in_with_password(who.email, who.password)
            yield account


@contextmanager
def _account_in(sandbox: Sandbox) -> Generator[Account]:
    """An account of the sandbox that nobody has signed in to yet."""
    with (
        OAuthClient(
            sandbox.environment,
            client_id=sandbox.client_id,
            client_secret=sandbox.client_secret,
            redirect_uri=sandbox.redirect_uri,
        ) as oauth,
        CommunicateClient(sandbox.environment, auth=oauth.auth) as communicate,
    ):
        yield Account(communicate, oauth)


@contextmanager
def configured_account(
    environ: Mapping[str, str] | None = None, *, email: str | None = None
) -> Generator[Account]:
    """The account at Communicate that the environment variables ``ORMCO_TRIOS_*`` describe.

    Its sign-in is kept under ``email`` if that is known, and no name was set.

    Raises:
        ConfigurationError: One is missing or wrong.
    """
    source = os.environ if environ is None else environ
    application = configured_application(source)
    environment = Environment.from_env(source)
    account = (
        source.get("ORMCO_TRIOS_ACCOUNT")
        or (email and folded(email))
        or source.get("ORMCO_TRIOS_PORTAL_USERNAME")
        or "default"
    )
    with _receiver(application["redirect_uri"], source) as receiver:
        if receiver is not None:
            application["redirect_uri"] = receiver.redirect_uri
        with (
            OAuthClient(
                environment,
                **application,
                store=configured_store(source),
                account=f"{environment.name}:{account}",
            ) as oauth,
            CommunicateClient(environment, auth=oauth.auth) as communicate,
        ):
            yield Account(communicate, oauth, receiver)


@contextmanager
def configured_practice(
    region: Region | None,
    email: str | None,
    way: PortalWay | None,
    environ: Mapping[str, str] | None = None,
) -> Generator[Practice]:
    """The practice that the environment variables ``ORMCO_TRIOS_*`` describe.

    Args:
        region: Of Ormco's lab; by default what the account says.
        email: Of the account that is meant.
        way: What does the portal's part; by default its API if one is named, or else a person.
        environ: Instead of the process's own variables.

    Raises:
        ConfigurationError: A setting is missing or wrong.
    """
    source = os.environ if environ is None else environ
    named = source.get("ORMCO_TRIOS_ORMCODIGITAL_URL") or _means_sandbox(source)
    needed_settings(
        source, APPLICATION | (PORTAL if named and way in (None, PortalWay.API) else {})
    )
    with (
        configured_account(source, email=email) as account,
        _portal(way, account.communicate.environment, source) as portal,
    ):
        saved = SavedProgress(
            account.oauth.application.account, source.get("ORMCO_TRIOS_TOKEN_FOLDER")
        )
        yield Practice(
            Onboarding(
                communicate=account.communicate,
                ormco=portal,
                oauth=account.oauth,
                account=email,
                region=region,
                progress=saved.load(),
            ),
            receiver=account.receiver,
            saved=saved,
        )


@contextmanager
def _portal(
    way: PortalWay | None, environment: Environment, source: Mapping[str, str]
) -> Generator[PortalAccess | None]:
    """What does the portal's part; None if a person does."""
    if way is None and environment.ormcodigital is not None:
        way = PortalWay.API
    match way:
        case PortalWay.API:
            if environment.ormcodigital is None:
                raise ConfigurationError(
                    "OrmcoDigital publishes no API, and no address of one is set.",
                    advice="Leave --portal api out and do the portal's part yourself, or set "
                    "ORMCO_TRIOS_ORMCODIGITAL_URL to the address that Ormco gave you.",
                )
            username, password = needed_settings(source, PORTAL)[:2]
            with OrmcoDigitalClient(environment, username=username, password=password) as client:
                yield client
        case PortalWay.BROWSER:
            # Here, since it needs an extra.
            from ormco_trios.ormcodigital.browser.portal import BrowserPortal

            with BrowserPortal(
                needed_settings(source, PORTAL_PAGE)[0],
                username=source.get("ORMCO_TRIOS_PORTAL_USERNAME"),
                password=source.get("ORMCO_TRIOS_PORTAL_PASSWORD"),
            ) as browser:
                yield browser
        case _:
            yield None


class ApplicationSettings(TypedDict):
    """An application's registration at 3Shape."""

    client_id: str
    client_secret: str | None
    redirect_uri: str
    server: AuthorizationServer


def configured_application(source: Mapping[str, str]) -> ApplicationSettings:
    """The application that the variables ``ORMCO_TRIOS_*`` describe.

    Raises:
        ConfigurationError: One is missing, or there is no such dialect.
    """
    client_id, redirect_uri = needed_settings(source, APPLICATION)[:2]
    return {
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "client_secret": source.get("ORMCO_TRIOS_CLIENT_SECRET") or None,
        "server": _server(source),
    }


def _server(source: Mapping[str, str]) -> AuthorizationServer:
    try:
        return AuthorizationServer.named(source.get("ORMCO_TRIOS_DIALECT", "classic"))
    except ValueError:
        raise ConfigurationError("ORMCO_TRIOS_DIALECT must be classic or account.") from None


def configured_store(source: Mapping[str, str]) -> FileTokenStore:
    """Where this machine keeps tokens."""
    return FileTokenStore(source.get("ORMCO_TRIOS_TOKEN_FOLDER"))


@contextmanager
def _receiver(redirect_uri: str, source: Mapping[str, str]) -> Generator[RedirectReceiver | None]:
    """Where a browser on this machine can come back to; None if the address has to be pasted."""
    elsewhere = "SSH_CONNECTION" in source
    del source  # a suspended frame is no place for a password
    try:
        if elsewhere:
            raise ConfigurationError("The browser is on another machine.")
        receiver = RedirectReceiver(redirect_uri)
    except ConfigurationError:
        yield None
    else:
        with receiver:
            yield receiver


APPLICATION = {
    "CLIENT_ID": "the id of your application at 3Shape",
    "REDIRECT_URI": "its registered redirect address",
}
PORTAL = {
    "PORTAL_USERNAME": "the practice's user name at OrmcoDigital",
    "PORTAL_PASSWORD": "its password",
}
PORTAL_PAGE = {"PORTAL_PAGE": "the page where you sign in to OrmcoDigital"}
_SANDBOX = {"SANDBOX_URL": "the sandbox's address"}


def _means_sandbox(source: Mapping[str, str]) -> bool:
    return source.get("ORMCO_TRIOS_ENVIRONMENT") == "sandbox"


def needed_settings(source: Mapping[str, str], meanings: Mapping[str, str]) -> list[str]:
    """The environment variables ``ORMCO_TRIOS_`` and these names, in this order.

    Raises:
        ConfigurationError: Some are not set; it names all of them.
    """
    if _means_sandbox(source):
        meanings = {**meanings, **_SANDBOX}
    values = {name: source.get(f"ORMCO_TRIOS_{name}") for name in meanings}
    if missing := [name for name, value in values.items() if not value]:
        names = ", ".join(f"ORMCO_TRIOS_{name}" for name in missing)
        verb, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise ConfigurationError(
            "; ".join(f"{name}: {meanings[name]}" for name in missing),
            advice=f"{names} {verb} not set. Set {them}; `connect --sandbox` needs none of them.",
        )
    return [value for value in values.values() if value]
