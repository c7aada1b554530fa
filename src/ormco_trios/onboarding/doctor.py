"""What a person at the telephone needs to know: which part fails, and whose it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ormco_trios.core.clock import Clock
from ormco_trios.core.effects import Call, Flow
from ormco_trios.core.environment import Service
from ormco_trios.core.errors import ApiError, OrmcoTriosError, TransportError
from ormco_trios.core.html import card
from ormco_trios.core.operation import Operation
from ormco_trios.core.transport import Answer
from ormco_trios.onboarding.checklist import Checklist, StepName, StepState
from ormco_trios.onboarding.context import Context
from ormco_trios.onboarding.flow import check

SKEW = 120.0
"""Seconds by which a clock may be wrong before it is worth mentioning; a code lives 180."""

_NAMES = {
    Service.COMMUNICATE: "3Shape Communicate",
    Service.AUTH_CLASSIC: "3Shape's classic sign-in",
    Service.AUTH_ACCOUNT: "3Shape's account sign-in",
    Service.ORMCODIGITAL: "OrmcoDigital",
}


class Verdict(enum.Enum):
    """What a look at one thing said."""

    WELL = "well"
    ILL = "ill"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        said: In words for a practice.
        advice: The next thing to do; empty when all is well.
        detail: In words for support.
    """

    subject: str
    verdict: Verdict
    said: str
    advice: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at, from the network to the portal."""

    findings: tuple[Finding, ...]
    checklist: Checklist

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong, as far as can be seen."""
        return all(finding.verdict is Verdict.WELL for finding in self.findings)

    def _repr_html_(self) -> str:
        rows = [
            (f"{f.subject}: {f.verdict.value}", f"{f.said} {f.advice}".rstrip())
            for f in self.findings
        ]
        return card("All is well" if self.healthy else "Not everything is well", rows)

    @property
    def first(self) -> Finding | None:
        """The first thing to correct; the others may follow from it."""
        return next((f for f in self.findings if f.verdict is Verdict.ILL), None)

    def __str__(self) -> str:
        return "\n".join(
            f"[{f.verdict.value}] {f.subject}: {f.said}{f' Next: {f.advice}' if f.advice else ''}"
            for f in self.findings
        )


class _Reached(OrmcoTriosError):
    """Any answer at all will do."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("It answers.")
        self.date = answer.headers.get("date")


def _refuse(_: Operation[Any], answer: Answer) -> OrmcoTriosError:
    return _Reached(answer)


def examine(context: Context, services: tuple[Service, ...]) -> Flow[Diagnosis]:
    """Look at hosts, certificates, clocks, and then at every step."""
    skews: list[float] = []
    findings: list[Finding] = []
    for service in services:
        finding = yield from _host(service, context.clock, skews)
        findings.append(finding)
    findings.append(_clock(skews))
    checklist = yield from check(context)
    for step in checklist.steps:
        if step.name is StepName.CASE_ARRIVED and step.state is not StepState.DONE:
            continue  # a practice that has not sent a scan yet is healthy
        if step.name is StepName.CONSENT and step.source is None:
            continue  # a page that cannot be asked is no finding
        verdict = {StepState.DONE: Verdict.WELL, StepState.UNKNOWN: Verdict.UNKNOWN}.get(
            step.state, Verdict.UNKNOWN if step.name.is_witness else Verdict.ILL
        )
        findings.append(
            Finding(
                step.title,
                verdict,
                step.grounds,
                "" if verdict is Verdict.WELL else step.next_action or "",
                f"step {step.name.value}, state {step.state.value}, {step.actor.value} acts",
            )
        )
    return Diagnosis(tuple(findings), checklist)


def _host(service: Service, clock: Clock, skews: list[float]) -> Flow[Finding]:
    probe: Operation[str | None] = Operation(
        "doctor.probe",
        service,
        "GET",
        "/",
        parse=lambda answer: answer.headers.get("date"),
        refuse=_refuse,
        authenticated=False,
    )
    name = _NAMES[service]
    try:
        date = yield from Call(probe)
    except _Reached as reached:
        date = reached.date
    except (TransportError, ApiError) as error:
        return Finding(name, Verdict.ILL, error.happened, error.advice, _detail(error))
    skew = _skew(date, clock.now())
    if skew is not None:
        skews.append(skew)
    detail = "sends no date" if skew is None else f"its clock is {skew:+.0f} s from ours"
    return Finding(name, Verdict.WELL, "It answers.", detail=detail)


def _detail(error: OrmcoTriosError) -> str:
    name = type(error).__name__
    return f"{name}, {error.detail}" if error.detail else name


def _skew(date: str | None, now: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(date or "") - now).total_seconds()
    except (ValueError, TypeError):
        return None


def _clock(skews: list[float]) -> Finding:
    if not skews:
        return Finding("This machine's clock", Verdict.WELL, "No problem was found.")
    skew = sorted(skews)[len(skews) // 2]
    if abs(skew) <= SKEW:
        return Finding("This machine's clock", Verdict.WELL, "It agrees with the services' clocks.")
    return Finding(
        "This machine's clock",
        Verdict.ILL,
        f"It is {abs(skew):.0f} seconds {'behind' if skew > 0 else 'ahead of'} the services'.",
        "Correct it: how long tokens and codes are valid is measured with it.",
    )
