"""Where a practice stands: the guide's steps, each with its state and the evidence for it."""

from __future__ import annotations

import enum
from datetime import datetime
from html import escape

from pydantic import BaseModel, ConfigDict, computed_field


class StepState(enum.Enum):
    """How far a step is."""

    DONE = "done"
    WAITING = "waiting"
    """Somebody else has to act; time will tell."""
    MISSING = "missing"
    """Not done yet."""
    BROKEN = "broken"
    """Was done, or looks done, and does not work."""
    UNKNOWN = "unknown"
    """Could not be looked at."""


class Actor(enum.Enum):
    """Who has to act next on a step."""

    PRACTICE = "practice"
    ORMCO = "Ormco"
    LIBRARY = "this library"
    NOBODY = "nobody"


class StepName(enum.Enum):
    """The guide's steps, in its order."""

    SIGN_IN = "sign_in"
    CONNECTION = "connection"
    APPROVAL = "approval"
    PORTAL_SIGN_IN = "portal_sign_in"
    SUBMISSION_METHOD = "submission_method"
    AUTHORIZATION = "authorization"

    @property
    def title(self) -> str:
        """The step for people."""
        return _TITLES[self]


_TITLES = {
    StepName.SIGN_IN: "Signed in to 3Shape Communicate",
    StepName.CONNECTION: "Connection requested from Ormco's lab",
    StepName.APPROVAL: "Connection approved by Ormco",
    StepName.PORTAL_SIGN_IN: "Signed in to OrmcoDigital",
    StepName.SUBMISSION_METHOD: "Submission method is 3Shape Trios",
    StepName.AUTHORIZATION: "Ormco may access the 3Shape cases",
}


class Step(BaseModel):
    """One line of the checklist.

    Attributes:
        evidence: What this rests on, in one sentence.
        actor: Who has to act.
        next_action: The next thing to do, in one sentence; None when nothing is to be done.
        since: Since when it has been waiting, if that is known.
        until: When it will be looked at again.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: StepName
    state: StepState
    evidence: str
    actor: Actor = Actor.NOBODY
    next_action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot stack it on a property
    @property
    def title(self) -> str:
        """The step for people."""
        return self.name.title


class OverallState(enum.Enum):
    """All steps in one word."""

    CONNECTED = "connected"
    WAITING = "waiting"
    NEEDS_AUTHORIZATION = "needs_authorization"
    BROKEN = "broken"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


_MARKS = {
    StepState.DONE: "[x]",
    StepState.WAITING: "[~]",
    StepState.MISSING: "[ ]",
    StepState.BROKEN: "[!]",
    StepState.UNKNOWN: "[?]",
}


class Checklist(BaseModel):
    """Every step of one practice, as both services told it at one moment.

    It holds no secret and no patient data; ``str()`` is a plain text form of it.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    steps: tuple[Step, ...]
    looked_at: datetime

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot stack it on a property
    @property
    def state(self) -> OverallState:
        """All steps in one word; what has to happen first decides."""
        for step in self.steps:
            match step.state:
                case StepState.DONE:
                    continue
                case StepState.WAITING:
                    return OverallState.WAITING
                case StepState.UNKNOWN:
                    return OverallState.UNKNOWN
                case StepState.MISSING | StepState.BROKEN if step.name in _BY_PERSON:
                    return OverallState.NEEDS_AUTHORIZATION
                case StepState.BROKEN:
                    return OverallState.BROKEN
                case StepState.MISSING:
                    return OverallState.INCOMPLETE
        return OverallState.CONNECTED

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="color:{_COLOURS[step.state]};font-weight:bold;text-align:left">'
            f"{_SYMBOLS[step.state]} {escape(step.state.value)}</td>"
            f'<td style="text-align:left">{escape(step.title)}</td>'
            f'<td style="text-align:left">{escape(_remark(step))}</td></tr>'
            for step in self.steps
        )
        head = "".join(f'<th style="text-align:left">{h}</th>' for h in ("State", "Step", ""))
        return (
            f"<table><caption style='text-align:left'>{escape(self.state.value.replace('_', ' '))}"
            f"</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def __getitem__(self, name: StepName) -> Step:
        return next(step for step in self.steps if step.name is name)

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done."""
        return next((step for step in self.steps if step.state is not StepState.DONE), None)

    def __str__(self) -> str:
        lines: list[str] = []
        for step in self.steps:
            lines.append(f"{_MARKS[step.state]} {step.title}")
            if step.state is not StepState.DONE:
                lines.append(f"      {step.evidence}")
                if step.next_action:
                    lines.append(f"      Next ({step.actor.value}): {step.next_action}")
        lines.append(f"State: {self.state.value.replace('_', ' ')}")
        return "\n".join(lines)


_SYMBOLS = {
    StepState.DONE: "\u2714",
    StepState.WAITING: "\u2026",
    StepState.MISSING: "\u25cb",
    StepState.BROKEN: "\u2718",
    StepState.UNKNOWN: "?",
}
# Readable on white and on black alike.
_COLOURS = {
    StepState.DONE: "#2e9e44",
    StepState.WAITING: "#b8860b",
    StepState.MISSING: "#808080",
    StepState.BROKEN: "#d03b3b",
    StepState.UNKNOWN: "#808080",
}


def _remark(step: Step) -> str:
    """What there is to say about a step that is not done."""
    if step.state is StepState.DONE or step.next_action is None:
        return step.evidence
    return f"{step.evidence} Next ({step.actor.value}): {step.next_action}"


_BY_PERSON = frozenset({StepName.SIGN_IN, StepName.AUTHORIZATION})
