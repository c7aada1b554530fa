"""The portal by hand: a person does its half, following the guide, and says what they saw.

Nothing is assumed about the portal but what the guide's screens print [guide], and nothing is sent
to it: no password of it is asked for, stored or used.
"""

from __future__ import annotations

from types import MappingProxyType

from pydantic import SecretStr

from ormco_trios.core.effects import Flow
from ormco_trios.core.shield import Shielded
from ormco_trios.ormcodigital.facts import (
    ConnectionFact,
    MethodFact,
    PortalView,
    SignInFact,
    Source,
)
from ormco_trios.ormcodigital.flows import PortalCode
from ormco_trios.ormcodigital.models import SubmissionMethod, TriosState
from ormco_trios.ormcodigital.portal import AsyncPortalAccess, PortalAccess, PortalVisit, PortalWay
from ormco_trios.ormcodigital.tasks import CONSENT, Reply, Task, TaskKind

_PROFILE = (
    "Sign in to OrmcoDigital with your Username and Password.",
    "Go to My Account > My Profile.",
)
_METHOD = (
    "Under Submission Method, choose Intraoral Scanner, and 3Shape Trios in the list beside it."
)
_UPDATE = "Press Update at the end of the page. Without Update nothing is saved."
_PORTAL_MOVED = (
    "If a page has moved: look for Profile in your account's menu, and on that page for "
    "Submission Method, Connect 3Shape to Insignia (or Connect 3 Shape to Insignia) and "
    "Enter Authorization Code."
)
_GET_ADDRESS = """\
Press Connect 3Shape to Insignia. A window opens: Enter Authorization Code. Leave it open.
In that window, click the link "here". You are sent to 3Shape: sign in there with your 3Shape \
Communicate e-mail and password.
Check which e-mail the consent page shows. {account}
Read what the page asks. In plain words: {consent}
Press Allow access. From then on the code works for at most three minutes.
Copy the ENTIRE address of the page that you are sent to, even if that page shows an error, and \
paste it here.
"""
_YOUR_ACCOUNT = (
    "It has to be the account of your practice; if it is another one, press Cancel, sign out of "
    "3Shape, and begin again in a private window."
)
_THIS_ACCOUNT = (
    "It has to be {}; if it is another one, press Cancel, sign out of 3Shape, and begin again in "
    "a private window."
)
_SIGNED_IN_BY_ITSELF = (
    "If 3Shape signs you in by itself, with another account: use a private window, or clear the "
    "browser's cookies and history."
)
_ENTER_CODE = """\
Go back to the window Enter Authorization Code.
Paste the text below into the field Enter Code. It is ready: nothing has to be removed from it.
Press Ok.
"""
_WHAT_DID_IT_SAY = "What did OrmcoDigital say?"


def address_task(account: str | None) -> Task:
    """The first of the two tasks: get the address that holds the code.

    Args:
        account: The e-mail that the consent page has to show, if one is expected.
    """
    shown = _YOUR_ACCOUNT if account is None else _THIS_ACCOUNT.format(account)
    steps = _GET_ADDRESS.format(account=shown, consent=CONSENT)
    return Task(
        kind=TaskKind.GET_ADDRESS,
        title="Get the authorization code from OrmcoDigital",
        steps=(*_PROFILE, _METHOD, *steps.splitlines()),
        replies=(Reply.ADDRESS, Reply.FAILED),
        question="The address",
        if_moved=(_PORTAL_MOVED, _SIGNED_IN_BY_ITSELF),
        account=account,
        asks_account=True,
    )


class HandPortal:
    """`Portal` for a person: it asks for everything and sends nothing."""

    way = PortalWay.MANUAL

    def look(self, visit: PortalVisit, *, everything: bool = True) -> Flow[PortalView]:
        yield from ()
        return visit.memory.view()

    def link(self, visit: PortalVisit) -> Flow[Task]:
        yield from ()
        return address_task(visit.account)

    def enter_code(self, code: PortalCode, visit: PortalVisit) -> Flow[Task]:
        yield from ()
        return Task(
            kind=TaskKind.ENTER_CODE,
            title="Enter the code at OrmcoDigital, and press Update",
            steps=(*_ENTER_CODE.splitlines(), _UPDATE),
            text=SecretStr(code.reveal("portal")),
            question=_WHAT_DID_IT_SAY,
            if_moved=(_PORTAL_MOVED,),
        )

    def set_submission_method(self, visit: PortalVisit) -> Flow[Task]:
        yield from ()
        return Task(
            kind=TaskKind.SET_METHOD,
            title="Choose 3Shape Trios at OrmcoDigital",
            steps=(*_PROFILE, _METHOD, _UPDATE),
            question=_WHAT_DID_IT_SAY,
            if_moved=(_PORTAL_MOVED,),
        )

    def renew(self, visit: PortalVisit) -> Flow[None]:
        yield from ()
        visit.memory.forget()

    save_draft = set_submission_method

    def disconnect(self, visit: PortalVisit) -> Flow[Task]:
        yield from ()
        return Task(
            kind=TaskKind.DISCONNECT,
            title="Take the connection back at OrmcoDigital",
            steps=(
                *_PROFILE,
                "If there is a way to disconnect 3Shape there, use it; the guide shows none.",
                "Choose the Submission Method that you will use from now on, such as PVS.",
                _UPDATE,
            ),
            question=_WHAT_DID_IT_SAY,
            if_moved=(_PORTAL_MOVED,),
        )

    def done(self, task: TaskKind, visit: PortalVisit) -> None:
        memory, now = visit.memory, visit.clock.now()
        if task is TaskKind.DISCONNECT:
            memory.forget()
            state = TriosState.NOT_CONNECTED
            memory.connection = ConnectionFact(value=state, source=Source.PRACTICE, at=now)
            return
        memory.signed_in = SignInFact(value=True, source=Source.PRACTICE, at=now)
        if task in {TaskKind.ENTER_CODE, TaskKind.SET_METHOD}:
            memory.submission_method = MethodFact(
                value=SubmissionMethod.trios(), source=Source.PRACTICE, at=now
            )
        if task is TaskKind.ENTER_CODE:
            state = TriosState.CONNECTED
            memory.connection = ConnectionFact(value=state, source=Source.PRACTICE, at=now)

    def failed(self, task: TaskKind, visit: PortalVisit) -> None:
        """Nothing: the same task comes again."""


class ManualPortal(Shielded, PortalAccess):
    """The portal's half by hand: `Onboarding` asks a person for it, and sends nothing there.

    It is what `Onboarding` uses when no ``ormco`` is given.
    """

    def __init__(self) -> None:
        self.portal = HandPortal()
        self.channels = MappingProxyType({})


class AsyncManualPortal(Shielded, AsyncPortalAccess):
    """The portal's half by hand: `AsyncOnboarding` asks a person for it, and sends nothing there.

    It is what `AsyncOnboarding` uses when no ``ormco`` is given.
    """

    def __init__(self) -> None:
        self.portal = HandPortal()
        self.channels = MappingProxyType({})
