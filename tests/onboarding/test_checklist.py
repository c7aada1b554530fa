"""The checklist's forms: each shows the same, and it survives being stored."""

from __future__ import annotations

import html
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ormco_trios.cli.display import table
from ormco_trios.onboarding.checklist import Actor, Checklist, Step, StepName, StepState
from ormco_trios.onboarding.hints import HINTS

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

sentences = st.sampled_from(["It is so.", "Isn't it? <b>&amp;", "[bold]no markup[/bold] [x]"])


@st.composite
def checklists(draw: st.DrawFn) -> Checklist:
    since = draw(st.none() | st.just(NOW - timedelta(hours=2)))
    until = draw(st.none() | st.just(NOW + timedelta(minutes=11)))
    return Checklist(
        looked_at=NOW,
        steps=tuple(
            Step(
                name=name,
                state=draw(st.sampled_from(StepState)),
                evidence=draw(sentences),
                actor=draw(st.sampled_from(Actor)),
                next_action=draw(st.none() | sentences),
                since=since,
                until=until,
            )
            for name in StepName
        ),
    )


def plain(checklist: Checklist) -> str:
    return re.sub(r"^\[[x~ !?]\]", "", str(checklist), flags=re.MULTILINE)


def rich(checklist: Checklist) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(table(checklist))
    return re.sub(r"^[\u2714\u2026\u25cb\u2718?] ", "", out.getvalue(), flags=re.MULTILINE)


def notebook(checklist: Checklist) -> str:
    caption, rows = re.fullmatch(
        r"<table[^>]*>(<caption.*</caption>)<tbody>(.*)</tbody></table>",
        checklist._repr_html_(),
        re.DOTALL,
    ).groups()  # type: ignore[union-attr]  # no match fails the test as well
    # The summary comes last where people look.
    rows = re.sub(r"<b>\S (.*?)</b>: ", r"\1: ", rows)
    return html.unescape(re.sub(r"<[^>]*>", " ", rows + caption))


@given(checklists())
def test_every_form_shows_the_same(checklist: Checklist) -> None:
    words = plain(checklist).split()
    assert rich(checklist).split() == words
    assert notebook(checklist).split() == words
    for step in checklist.steps:
        for text in (step.title, step.evidence, step.next_sentence):
            assert text in str(checklist)
        for hint in step.hints:
            assert f"{hint.text} [{hint.label}]" in str(checklist)


@given(checklists())
def test_it_survives_being_stored(checklist: Checklist) -> None:
    assert Checklist.model_validate_json(checklist.model_dump_json()) == checklist


def test_every_hint_belongs_to_a_step() -> None:
    assert {name for name, _ in HINTS} <= {name.value for name in StepName}
    assert {state for _, state in HINTS} <= {state.value for state in StepState}


@pytest.mark.parametrize(
    ("step", "state", "said"),
    [
        (StepName.SIGN_IN, StepState.MISSING, ("forgotten password", "new account", "private")),
        (StepName.CONNECTION, StepState.MISSING, ("agreement", "[seen]")),
        (StepName.APPROVAL, StepState.WAITING, ("24 hours", "8008541741")),
        (StepName.APPROVAL, StepState.DONE, ("refresh the lab connections", "TRIOS", "[seen]")),
        (StepName.PORTAL_SIGN_IN, StepState.BROKEN, ("Ormco gives new ones",)),
        (StepName.AUTHORIZATION, StepState.BROKEN, ("private window", "local 3Shape reseller")),
    ],
)
def test_a_step_says_whom_to_turn_to(
    step: StepName, state: StepState, said: tuple[str, ...]
) -> None:
    shown = str(Checklist(steps=(Step(name=step, state=state, evidence="So."),), looked_at=NOW))
    assert all(words in shown for words in said)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_it_fits_a_terminal(width: int) -> None:
    step = Step(
        name=StepName.APPROVAL,
        state=StepState.WAITING,
        evidence="The request is sent and waits for approval.",
        actor=Actor.ORMCO,
        next_action="Wait; it can take up to 24 hours.",
        since=NOW - timedelta(hours=2),
    )
    out = io.StringIO()
    Console(file=out, width=width).print(table(Checklist(steps=(step,), looked_at=NOW)))
    assert all(len(line) <= width for line in out.getvalue().splitlines())
    assert "2.0 h so far" in out.getvalue()
