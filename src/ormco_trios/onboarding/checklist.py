"""The status of a practice: the guide's steps, each with its state and the evidence for it."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from html import escape

from pydantic import BaseModel, ConfigDict, computed_field

from ormco_trios.communicate.approval import describe
from ormco_trios.onboarding.hints import HINTS, Hint
from ormco_trios.ormcodigital.facts import Source, weakest
from ormco_trios.ormcodigital.portal import PortalWay


class StepState(enum.Enum):
    """How far a step is."""

    DONE = "done"
    WAITING = "waiting"
    """Another person has to act: the lab, mostly."""
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
    """The guide's steps, in its order, and then two witnesses."""

    SIGN_IN = "sign_in"
    CONNECTION = "connection"
    APPROVAL = "approval"
    PORTAL_SIGN_IN = "portal_sign_in"
    SUBMISSION_METHOD = "submission_method"
    AUTHORIZATION = "authorization"
    CONSENT = "consent"
    CASE_ARRIVED = "case_arrived"

    @property
    def is_witness(self) -> bool:
        """Whether it only confirms other steps: unseen, it is evidence against none."""
        return self in {StepName.CONSENT, StepName.CASE_ARRIVED}

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
    StepName.CONSENT: "3Shape lists Ormco under Applications",
    StepName.CASE_ARRIVED: "A case has reached Ormco's account",
}


class Step(BaseModel):
    """One line of the checklist.

    Attributes:
        evidence: What this rests on, in one sentence.
        source: Who says so; None where nobody was asked.
        said_at: When they said it.
        actor: Who has to act.
        next_action: The next thing to do, in one sentence; None when nothing is to be done.
        since: Since when it has been waiting, if that is known.
        until: When it will be looked at again.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: StepName
    state: StepState
    evidence: str
    source: Source | None = None
    said_at: datetime | None = None
    actor: Actor = Actor.NOBODY
    next_action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot stack it on a property
    @property
    def title(self) -> str:
        """The step for people."""
        return self.name.title

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot stack it on a property
    @property
    def hints(self) -> tuple[Hint, ...]:
        """What helps a person here, and whom to turn to, each with its label."""
        return HINTS.get((self.name.value, self.state.value), ())

    @property
    def next_sentence(self) -> str:
        """Who does what next, empty when nothing is to be done."""
        if self.state is StepState.DONE or not self.next_action:
            return ""
        who = "" if self.actor is Actor.NOBODY else f" ({self.actor.value})"
        return f"Next{who}: {self.next_action}"

    @property
    def witness(self) -> str:
        """Who says so and when, for people; empty where nobody was asked."""
        if self.source is None:
            return ""
        said = self.source.value
        if self.said_at is not None:
            said += f", {self.said_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return said

    @property
    def grounds(self) -> str:
        """The evidence and who says so, for people."""
        return f"{self.evidence} ({self.witness})" if self.witness else self.evidence

    def words(self, looked_at: datetime) -> str:
        """The state for people, with how long it has been waiting."""
        said = _WORDS[self.state]
        if self.state is StepState.WAITING and self.since is not None:
            said += f", {describe((looked_at - self.since).total_seconds())} so far"
            if self.until is not None:
                said += f"; next look in {describe((self.until - looked_at).total_seconds())}"
        return said


_WORDS = {
    StepState.DONE: "done",
    StepState.WAITING: "waiting",
    StepState.MISSING: "to do",
    StepState.BROKEN: "broken",
    StepState.UNKNOWN: "not known",
}


class OverallState(enum.Enum):
    """All steps in one word."""

    CONNECTED = "connected"
    WAITING = "waiting"
    NEEDS_AUTHORIZATION = "needs_authorization"
    NEEDS_PERSON = "needs_person"
    """A person has to do the portal's part."""
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
    """Every step of one practice, as far as it was known at one moment, and who says so.

    It holds no secret and no patient data.  ``str()`` is a plain text form of it, a notebook shows
    it as a table, and the command line on a terminal; all three show the same.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    steps: tuple[Step, ...]
    looked_at: datetime
    portal: PortalWay = PortalWay.API
    """What does the portal's part."""

    @computed_field  # type: ignore[prop-decorator]  # mypy cannot stack it on a property
    @property
    def state(self) -> OverallState:
        """All steps in one word; what has to happen first decides."""
        for step in self._needed:
            match step.state:
                case StepState.DONE:
                    continue
                case StepState.WAITING:
                    return OverallState.WAITING
                case StepState.UNKNOWN:
                    return OverallState.UNKNOWN
                case StepState.MISSING | StepState.BROKEN if step.name is StepName.SIGN_IN:
                    return OverallState.NEEDS_AUTHORIZATION
                case StepState.MISSING | StepState.BROKEN if (
                    step.name in _AT_THE_PORTAL and self.portal is not PortalWay.API
                ):
                    return OverallState.NEEDS_PERSON
                case StepState.MISSING | StepState.BROKEN if step.name is StepName.AUTHORIZATION:
                    return OverallState.NEEDS_AUTHORIZATION
                case StepState.BROKEN:
                    return OverallState.BROKEN
                case StepState.MISSING if (
                    step.name is StepName.SUBMISSION_METHOD
                    and self[StepName.AUTHORIZATION].state is not StepState.DONE
                ):
                    continue  # one Update sets both
                case StepState.MISSING:
                    return OverallState.INCOMPLETE
        return OverallState.CONNECTED

    @property
    def source(self) -> Source | None:
        """Who says that it is connected: the weakest source of all; None if it is not."""
        if self.state is not OverallState.CONNECTED:
            return None
        return weakest(step.source for step in self._needed if step.source is not None)

    @property
    def _needed(self) -> tuple[Step, ...]:
        """The steps without the two witnesses."""
        return tuple(step for step in self.steps if not step.name.is_witness)

    @property
    def summary(self) -> str:
        """When it was looked at, all steps in one word, and on whose word, for people."""
        said = self.state.value.replace("_", " ").capitalize()
        if self.source is not None:
            seen = [step.name for step in self.steps if step.state is StepState.DONE]
            beside = [words for name, words in _WITNESSES.items() if name in seen]
            said += f" ({'; '.join((self.source.value, *beside))})"
        return f"Looked at {self.looked_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {said}"

    def _repr_html_(self) -> str:
        return (
            '<table style="border-collapse:collapse;margin:.5em 0">'
            f'<caption style="{_LEFT};caption-side:bottom;padding:.6em .5em 0;font-weight:bold">'
            f"{escape(self.summary)}</caption><tbody>"
            f"{''.join(self._row(step) for step in self.steps)}</tbody></table>"
        )

    def _row(self, step: Step) -> str:
        colour = _COLOURS[step.state]
        ahead = f"<div><b>{escape(step.next_sentence)}</b></div>" if step.next_sentence else ""
        hints = "".join(f'<div style="opacity:.75">{escape(str(h))}</div>' for h in step.hints)
        return (
            f'<tr style="background:none"><td style="{_LEFT};width:5px;padding:0 .8em 0 0;'
            f'border-left:5px solid {colour};"></td>'
            f'<td style="{_LEFT};padding:.15em .5em .45em 0">'
            f"<div><b>{SYMBOLS[step.state]} {escape(step.title)}</b>: "
            f"{escape(step.words(self.looked_at))}</div>"
            f'<div style="opacity:.75">{escape(step.grounds)}</div>{ahead}{hints}</td></tr>'
        )

    def __getitem__(self, name: StepName) -> Step:
        return next(step for step in self.steps if step.name is name)

    @property
    def next_step(self) -> Step | None:
        """The first step that is not done, of those that are needed."""
        return next((step for step in self._needed if step.state is not StepState.DONE), None)

    def __str__(self) -> str:
        lines: list[str] = []
        for step in self.steps:
            lines.append(f"{_MARKS[step.state]} {step.title}: {step.words(self.looked_at)}")
            lines += (f"      {text}" for text in (step.grounds, step.next_sentence) if text)
            lines += (f"      {hint}" for hint in step.hints)
        return "\n".join((*lines, self.summary))


SYMBOLS = {
    StepState.DONE: "\u2714",
    StepState.WAITING: "\u2026",
    StepState.MISSING: "\u25cb",
    StepState.BROKEN: "\u2718",
    StepState.UNKNOWN: "?",
}
# Of a line beside the text: no colour of a text is readable on white and on every dark ground.
_COLOURS = {
    StepState.DONE: "#2e9e44",
    StepState.WAITING: "#b8860b",
    StepState.MISSING: "#808080",
    StepState.BROKEN: "#d03b3b",
    StepState.UNKNOWN: "#808080",
}

_LEFT = "text-align:left;vertical-align:top;overflow-wrap:anywhere"


_AT_THE_PORTAL = frozenset(
    {StepName.PORTAL_SIGN_IN, StepName.SUBMISSION_METHOD, StepName.AUTHORIZATION}
)
_WITNESSES = {StepName.CONSENT: "consent seen", StepName.CASE_ARRIVED: "a case has arrived"}
