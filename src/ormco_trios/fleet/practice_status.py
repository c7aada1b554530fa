"""The status of one practice of a fleet, and when to look at it again: pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ormco_trios.communicate.approval import (
    TRANSIENT,
    Jitter,
    PollSchedule,
    hint_in,
    random_jitter,
)
from ormco_trios.communicate.emails import masked
from ormco_trios.core.errors import (
    AuthorizationNeeded,
    OrmcoTriosError,
    StorageUnavailable,
    TokenNotSaved,
)
from ormco_trios.onboarding.checklist import Actor
from ormco_trios.onboarding.outcomes import (
    Connected,
    NeedsAuthorization,
    NeedsPerson,
    Outcome,
    Progress,
    Purpose,
    Waiting,
)
from ormco_trios.ormcodigital.facts import Source
from ormco_trios.ormcodigital.manual import address_task
from ormco_trios.ormcodigital.tasks import Task


class Stage(enum.Enum):
    """What a practice is waiting for."""

    ENROLLED = "enrolled"
    """Not looked at yet."""
    UNREACHABLE = "unreachable"
    """Its last round failed in a way that may pass; it is tried again, ever more rarely."""
    WAITING = "waiting"
    """For Ormco's approval."""
    NEEDS_AUTHORIZATION = "needs_authorization"
    """For a person at the practice, who has to open a link."""
    NEEDS_PERSON = "needs_person"
    """For a person at the practice, who has to do the portal's part by hand."""
    FAILED = "failed"
    """For a person who decides: nothing more happens until ``retry``."""
    CONNECTED = "connected"

    @property
    def title(self) -> str:
        """The stage for people."""
        return _TITLES[self]

    @property
    def actor(self) -> Actor:
        """Who has to act."""
        return _ACTORS[self]


_TITLES = {
    Stage.ENROLLED: "Not looked at yet",
    Stage.UNREACHABLE: "A service cannot be reached",
    Stage.WAITING: "Waiting for Ormco's approval",
    Stage.NEEDS_AUTHORIZATION: "Link to be opened by the practice",
    Stage.NEEDS_PERSON: "To be done at OrmcoDigital by the practice",
    Stage.FAILED: "Failed: a person has to decide",
    Stage.CONNECTED: "Connected",
}

_ACTORS = {
    Stage.ENROLLED: Actor.LIBRARY,
    Stage.UNREACHABLE: Actor.LIBRARY,
    Stage.WAITING: Actor.ORMCO,
    Stage.NEEDS_AUTHORIZATION: Actor.PRACTICE,
    Stage.NEEDS_PERSON: Actor.PRACTICE,
    Stage.FAILED: Actor.PRACTICE,
    Stage.CONNECTED: Actor.NOBODY,
}


UNREADABLE = "What is stored of this practice cannot be read."
"""The problem of such a practice: it is named, and it hides no other."""


@dataclass(frozen=True, slots=True)
class PracticeStatus:
    """One practice of a fleet, as its last round left it.

    Attributes:
        practice: Its id.
        since: Since when it is in this stage.
        due: When to look again; None when nothing happens by itself any more.
        rounds: Rounds so far.
        problem: Why it failed, in words for people.
        progress: For the next round; holds secrets.
        version: How often it had been written when it was read; what is made of an older one is
            not kept.
    """

    practice: str
    stage: Stage
    since: datetime
    due: datetime | None
    rounds: int = 0
    problem: str | None = None
    progress: Progress = field(default_factory=Progress, repr=False)
    version: int = 0

    @classmethod
    def enrolled(cls, practice: str, now: datetime) -> PracticeStatus:
        """A practice that is new to the fleet, and due."""
        return cls(practice, Stage.ENROLLED, since=now, due=now)

    @property
    def link(self) -> str | None:
        """What the practice has to open, while it needs authorization."""
        pending = self.progress.pending
        if self.stage is not Stage.NEEDS_AUTHORIZATION or pending is None:
            return None
        return pending[1].url

    @property
    def rests(self) -> bool:
        """Whether nothing happens with it until a person acts, if at all."""
        return self.due is None or self.link is not None or self.task is not None

    @property
    def purpose(self) -> Purpose | None:
        """What the link is for."""
        pending = self.progress.pending
        return None if self.link is None or pending is None else pending[0]

    @property
    def task(self) -> Task | None:
        """What a person has to do at the portal: always the first task, which has no code in it.

        The second is given to the request that brings the address, and is kept nowhere.
        """
        under_way, pinned = self.progress.task, self.progress.account
        if self.stage is not Stage.NEEDS_PERSON or under_way is None:
            return None
        account = None if pinned is None else pinned.expected or pinned.email
        task = address_task(None if account is None else masked(account))
        return replace(task, id=under_way.id, problem=under_way.problem or self.problem)

    @property
    def source(self) -> Source | None:
        """Who says that the portal is connected, as far as that was not the portal itself."""
        told = self.progress.portal.connection
        return None if self.stage is not Stage.CONNECTED or told is None else told.source

    def due_at(self, moment: datetime) -> PracticeStatus:
        """The same, to be looked at again at ``moment``."""
        return replace(self, due=moment)

    def claimed(self, now: datetime) -> PracticeStatus:
        """While what the person came back with is used: nobody else has the link.

        Raises:
            AuthorizationNeeded: The practice was not asked, or has answered already.
        """
        # Whatever its last round met, such as an outage, a link that is out is good.
        if self.progress.pending is None and self.progress.task is None:
            raise AuthorizationNeeded(
                "This practice was not asked for anything, or has answered already.",
                advice="See its status; if it needs one, it is given a fresh link or task.",
            )
        # If the process that uses it dies, there is a fresh link after this time.
        due = None if self.due is None else now + _TO_USE_IT
        return replace(self, due=due, progress=replace(self.progress, pending=None, task=None))

    def answered(self, asked: PracticeStatus, now: datetime) -> PracticeStatus:
        """After the answer to what ``asked`` waits for, which is still good if it was not used."""
        waits = asked.progress.pending is not None or asked.progress.task is not None
        due = asked.due if waits else now
        if self.due is None:
            due = None  # it has failed, and a person has to decide
        return replace(self, due=due, progress=asked.progress)

    def after(
        self,
        answer: Outcome | Exception,
        *,
        now: datetime,
        schedule: PollSchedule,
        jitter: Jitter = random_jitter,
    ) -> PracticeStatus:
        """Its status after a round."""
        hint: float | None = None
        problem: str | None = None
        since: datetime | None = None
        match answer:
            case Connected():
                stage = Stage.CONNECTED
            case Waiting():
                stage, since = Stage.WAITING, answer.since
            case NeedsAuthorization():
                stage, problem = Stage.NEEDS_AUTHORIZATION, answer.problem
            case NeedsPerson():
                stage, problem = Stage.NEEDS_PERSON, answer.problem
            case OrmcoTriosError() if isinstance(answer, _PASSING):
                stage, problem, hint = Stage.UNREACHABLE, answer.message, hint_in(answer)
            case OrmcoTriosError():
                stage, problem = Stage.FAILED, answer.message
            case _:
                # Not ours, so nothing is known of what its text may hold.
                stage, problem = Stage.FAILED, f"It failed with {type(answer).__name__}."
        if since is None:
            since = self.since if stage is self.stage else now
        due: datetime | None = None
        if isinstance(answer, Waiting):
            due = answer.until
        elif stage in _LOOKED_AT_AGAIN:
            hint = None if hint is None else min(hint, _LONGEST_HINT)
            pause = schedule.next((now - since).total_seconds(), hint, jitter())
            due = now + timedelta(seconds=pause)
        return replace(
            self, stage=stage, since=since, due=due, rounds=self.rounds + 1, problem=problem
        )


_PASSING = (*TRANSIENT, TokenNotSaved, StorageUnavailable)
_TO_USE_IT = timedelta(minutes=1)
_LONGEST_HINT = 86_400.0
"""Seconds: whatever a service asks for, a practice is looked at once a day."""

_LOOKED_AT_AGAIN = frozenset({Stage.UNREACHABLE, Stage.NEEDS_AUTHORIZATION, Stage.NEEDS_PERSON})
