"""What is known about the portal, and who says so."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from ormco_trios.core.errors import OrmcoTriosError
from ormco_trios.core.model import IfReadable, Moment
from ormco_trios.ormcodigital.models import SubmissionMethod, TriosState
from ormco_trios.ormcodigital.tasks import Task


class Source(enum.Enum):
    """Who says so, from the strongest to the weakest."""

    COMMUNICATE = "3Shape says"
    PORTAL = "the portal says"
    BROWSER = "seen in the browser"
    PRACTICE = "the practice says"


def weakest(sources: Iterable[Source]) -> Source | None:
    """The weakest of several; None of none."""
    return max(sources, key=list(Source).index, default=None)


class PortalFact(BaseModel):
    """One thing that is known.

    Attributes:
        source: Who says so.
        at: When they said it.
        evidence: What it rests on, in one sentence; empty where the source says it all.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    source: Source
    at: Moment
    evidence: str = ""


class SignInFact(PortalFact):
    """Whether the practice's login works."""

    value: bool


class MethodFact(PortalFact):
    """What the profile says; None if nothing was ever chosen."""

    value: SubmissionMethod | None


class ConnectionFact(PortalFact):
    """The portal's connection to 3Shape."""

    value: TriosState


@dataclass(frozen=True, slots=True)
class PortalView:
    """What is known about the portal at one moment; None where nothing is.

    Attributes:
        signed_in: That the practice's login works.
        submission_method: What the profile says; its value is None if nothing was ever chosen.
        connection: The portal's connection to 3Shape.
        connected_at: When the portal was connected, if that is known.
        last_worked: When the connection was last seen to work, if that is known.
        problem: Why nothing more is known, if something went wrong.
        task: What a person has to do before anything can be seen or done here.
    """

    signed_in: SignInFact | None = None
    submission_method: MethodFact | None = None
    connection: ConnectionFact | None = None
    connected_at: datetime | None = None
    last_worked: datetime | None = None
    problem: OrmcoTriosError | None = None
    task: Task | None = None


class PortalMemory(BaseModel):
    """What the portal cannot be asked for again, kept in `Progress`; holds no secret and no code.

    Attributes:
        signed_in: What a person or a browser has told, as in `PortalView`; so are the next two.
        looked: Whether the portal was looked at since this practice began.
        differs: Addresses that got a password and did not answer as the portal's API would, each
            with the status it answered with: they get no other.
    """

    model_config = ConfigDict(defer_build=True)

    signed_in: IfReadable[SignInFact] = None
    submission_method: IfReadable[MethodFact] = None
    connection: IfReadable[ConnectionFact] = None
    looked: bool = False
    differs: dict[str, int] = Field(default_factory=dict[str, int])

    def forget(self) -> None:
        """Forget what a person or a browser has told, so that it is asked for again."""
        self.signed_in = self.submission_method = self.connection = None

    def view(self) -> PortalView:
        """What a person or a browser has told."""
        connection = self.connection
        return PortalView(
            signed_in=self.signed_in,
            submission_method=self.submission_method,
            connection=connection,
            connected_at=None if connection is None else connection.at,
        )
