"""The status of a whole fleet: one value, in words, as JSON and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from ormco_trios.communicate.approval import describe
from ormco_trios.fleet.practice_status import PracticeStatus, Stage
from ormco_trios.onboarding.checklist import Actor
from ormco_trios.ormcodigital.facts import Source

RATE_OVER = timedelta(hours=1)
"""The stretch of time that ``connected_lately`` speaks of."""


class Link(BaseModel):
    """What to send to a practice that has to authorize.

    Attributes:
        purpose: ``sign_in`` for this library, ``ormco`` for Ormco's access to the cases.
        problem: What was wrong with the last answer, if there was one.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    practice: str
    purpose: str
    url: str
    since: datetime
    problem: str | None = None


class ByHand(BaseModel):
    """What a practice has to do at the portal by hand; without a code.

    Attributes:
        id: Names the task; an answer that names another one is not used.
        steps: What to do, in order.
        if_moved: What to look for when a page or a word is not where the steps say.
        problem: What was wrong with the last answer, if there was one.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    practice: str
    id: str
    title: str
    steps: tuple[str, ...]
    if_moved: tuple[str, ...]
    since: datetime
    problem: str | None = None


class Failure(BaseModel):
    """A practice that waits for a person to decide."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    practice: str
    since: datetime
    problem: str


class FleetNumbers(BaseModel):
    """All practices of a fleet at one moment, as values and in words.

    It names practices by your ids and holds no patient data.  The links are for the practices they
    belong to, and for nobody else.

    Attributes:
        resting: With how many nothing happens until a person acts, if at all.
        stages: How many practices are in each stage.
        actors: How many have to be acted on by whom.
        connected_lately: How many were connected in the last hour.
        oldest_wait: Since when the practice that has waited longest for Ormco is waiting.
        waits: For how long each practice in a stage has been there, in seconds, ascending.
        connected_at: When each connected practice was, ascending.
        tasks: What practices have to do at the portal by hand.
        said: How many of the connected are so because the practice says so, and nobody else.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    looked_at: datetime
    total: int
    resting: int
    stages: dict[Stage, int]
    actors: dict[Actor, int]
    connected_lately: int
    oldest_wait: datetime | None
    oldest_waiting: str | None
    waits: dict[Stage, list[float]]
    connected_at: list[datetime]
    links: list[Link]
    tasks: list[ByHand] = []
    failures: list[Failure]
    said: int = 0

    @classmethod
    def of(cls, statuses: Iterable[PracticeStatus], *, now: datetime) -> Self:
        """What the records say."""
        stages: Counter[Stage] = Counter()
        actors: Counter[Actor] = Counter()
        waits: dict[Stage, list[float]] = {stage: [] for stage in Stage}
        connected: list[datetime] = []
        links: list[Link] = []
        tasks: list[ByHand] = []
        said = 0
        failures: list[Failure] = []
        oldest: PracticeStatus | None = None
        resting = 0
        for each in statuses:
            resting += each.rests
            stages[each.stage] += 1
            actors[each.stage.actor] += 1
            waits[each.stage].append(max(0.0, (now - each.since).total_seconds()))
            if each.stage is Stage.CONNECTED:
                connected.append(each.since)
                said += each.source is Source.PRACTICE
            elif each.stage is Stage.FAILED:
                failures.append(
                    Failure(practice=each.practice, since=each.since, problem=each.problem or "")
                )
            elif each.stage is Stage.WAITING and (oldest is None or each.since < oldest.since):
                oldest = each
            if each.task is not None:
                tasks.append(
                    ByHand(
                        practice=each.practice,
                        id=each.task.id,
                        title=each.task.title,
                        steps=each.task.steps,
                        if_moved=each.task.if_moved,
                        since=each.since,
                        problem=each.task.problem,
                    )
                )
            if each.link is not None and each.purpose is not None:
                links.append(
                    Link(
                        practice=each.practice,
                        purpose=each.purpose.value,
                        url=each.link,
                        since=each.since,
                        problem=each.problem,
                    )
                )
        return cls(
            looked_at=now,
            total=stages.total(),
            resting=resting,
            stages={stage: stages[stage] for stage in Stage},
            actors={actor: actors[actor] for actor in Actor},
            connected_lately=sum(now - moment <= RATE_OVER for moment in connected),
            oldest_wait=None if oldest is None else oldest.since,
            oldest_waiting=None if oldest is None else oldest.practice,
            waits={stage: sorted(times) for stage, times in waits.items()},
            connected_at=sorted(connected),
            links=links,
            tasks=tasks,
            said=said,
            failures=failures,
        )

    @property
    def done(self) -> bool:
        """Whether every practice is connected or has failed."""
        return self.stages[Stage.CONNECTED] + self.stages[Stage.FAILED] == self.total

    @property
    def waits_for_people_only(self) -> bool:
        """Whether nothing happens any more until a person acts, if at all."""
        return self.resting == self.total

    def notes(self) -> list[tuple[str, str]]:
        """How fast it goes, and the longest wait, each with its name."""
        rows = [("Connected in the last hour", str(self.connected_lately))]
        if self.said:
            rows.append(("Connected, as only the practice says", str(self.said)))
        if self.oldest_wait is not None:
            age = describe((self.looked_at - self.oldest_wait).total_seconds())
            rows.append(("Longest wait for Ormco", f"{age} ({self.oldest_waiting})"))
        return rows

    def summary(self) -> list[tuple[str, str]]:
        """All numbers with their names, for whichever form shows them."""
        stages = [(stage.title, str(self.stages[stage])) for stage in Stage if self.stages[stage]]
        return [*stages, *self.notes()]

    @property
    def practices(self) -> str:
        """How many there are, in words."""
        return f"{self.total} practice{'' if self.total == 1 else 's'}"

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.summary())
        lines = [self.practices]
        lines += [f"  {name.ljust(width)}  {value}" for name, value in self.summary()]
        lines += [f"  {each.practice}: {each.problem}" for each in self.failures]
        return "\n".join(lines)

    def __repr_args__(self) -> Any:
        yield "total", self.total
        yield "stages", {stage.value: n for stage, n in self.stages.items() if n}
