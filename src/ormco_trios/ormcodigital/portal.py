"""The portal's half of the guide as one interface, whatever carries it out.

OrmcoDigital publishes no API, so there are several ways to do its part: a person does it (the
default), a browser does it before a person's eyes, or an API does it where there is one.  Each is a
`Portal`; the onboarding sees nothing else of it.  Its methods are flows, so that one implementation
serves threads and event loops alike.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ormco_trios.core.channel import Channel
from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Flow
from ormco_trios.core.environment import Service
from ormco_trios.core.transport import AsyncTransport, Transport
from ormco_trios.ormcodigital.facts import PortalMemory, PortalView
from ormco_trios.ormcodigital.flows import PortalCode
from ormco_trios.ormcodigital.models import PortalAuthorization
from ormco_trios.ormcodigital.tasks import Address, Task, TaskKind


class PortalWay(enum.Enum):
    """What does the portal's half."""

    MANUAL = "manual"
    BROWSER = "browser"
    API = "api"


@dataclass(slots=True)
class PortalVisit:
    """What a portal has to know of the practice whose turn it is.

    Attributes:
        memory: Kept by the onboarding from round to round, and changed by the portal.
        account: The e-mail of the 3Shape account that the consent page has to show, if one is
            expected; `PortalAuthorization` links cannot say, so tasks do.
    """

    clock: Clock
    memory: PortalMemory = field(default_factory=PortalMemory)
    account: str | None = None


class Portal(Protocol):
    """The portal's half of the guide, as flows.

    Where a person has to do something first, a method ends with the `Task` for them instead of its
    result, and is called again after they have answered it.  Trouble is raised as one of the
    library's errors, except by `look`.
    """

    @property
    def way(self) -> PortalWay:
        """What does it."""
        ...

    def look(self, visit: PortalVisit, *, everything: bool = True) -> Flow[PortalView]:
        """What is known now; trouble is in its ``problem`` and is not raised.

        Without ``everything`` it is enough to find out whether the practice's login works.
        """
        ...

    def link(self, visit: PortalVisit) -> Flow[PortalAuthorization | Address | Task]:
        """Press *here*: the link for the doctor, or the address that they were sent to already.

        A `Task` says that the person presses *here* over there, and brings the address.
        """
        ...

    def enter_code(self, code: PortalCode, visit: PortalVisit) -> Flow[Task | None]:
        """Enter the code, *Ok*, *Update*.

        It is spent before it is sent or typed anywhere.  A portal that only shows it to a person
        leaves that to the onboarding, which spends it when they answer: until then the same
        `Task` can be had again.
        """
        ...

    def set_submission_method(self, visit: PortalVisit) -> Flow[Task | None]:
        """Choose *Intraoral Scanner*, *3Shape Trios*, and *Update*."""
        ...

    def save_draft(self, visit: PortalVisit) -> Flow[Task | None]:
        """Press *Update* for a code that was entered and not saved, where `look` says *draft*."""
        ...

    def renew(self, visit: PortalVisit) -> Flow[None]:
        """Before a repair: let `look` no longer say *connected*, so that it is set up again."""
        ...

    def disconnect(self, visit: PortalVisit) -> Flow[bool | Task]:
        """Take the connection back; whether there was one."""
        ...

    def done(self, task: TaskKind, visit: PortalVisit) -> None:
        """A person says that they have done one of this portal's tasks: remember what that tells.

        Nothing turns that into more than *the practice says*.
        """
        ...

    def failed(self, task: TaskKind, visit: PortalVisit) -> None:
        """A person says that one of this portal's tasks did not work: begin that part again."""
        ...


class PortalAccess:
    """What ``ormco=`` of `Onboarding` takes.

    Attributes:
        portal: The portal's half.
        channels: What its calls go over; a portal that sends nothing has none.
    """

    portal: Portal
    channels: Mapping[Service, Channel[Transport]]


class AsyncPortalAccess:
    """What ``ormco=`` of `AsyncOnboarding` takes.

    Attributes:
        portal: The portal's half.
        channels: What its calls go over; a portal that sends nothing has none.
    """

    portal: Portal
    channels: Mapping[Service, Channel[AsyncTransport]]
