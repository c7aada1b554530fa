"""How a checklist looks: a live table on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ormco_trios.core._acompat import Closing
from ormco_trios.onboarding.checklist import (
    SYMBOLS,
    Checklist,
    OverallState,
    StepName,
    StepState,
)
from ormco_trios.onboarding.doctor import Diagnosis, Verdict

_STYLES = {
    StepState.DONE: "green",
    StepState.WAITING: "yellow",
    StepState.MISSING: "cyan",
    StepState.BROKEN: "bold red",
    StepState.UNKNOWN: "magenta",
}


class Display(Closing, Protocol):
    """Shows how far it is, as it happens."""

    def update(self, checklist: Checklist) -> None: ...

    def say(self, text: str) -> None: ...

    def pause(self) -> None:
        """Leave the terminal to a prompt."""
        ...


class Silent(Closing):
    """Nothing: with ``--json`` only the document is printed."""

    def close(self) -> None:
        return

    def update(self, checklist: Checklist) -> None:
        return

    def say(self, text: str) -> None:
        return

    def pause(self) -> None:
        return


class Lines(Silent):
    """One line for each step whenever it changes, and while waiting as the wait doubles."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[StepName, tuple[StepState, int]] = {}

    def update(self, checklist: Checklist) -> None:
        for step in checklist.steps:
            if step.state is StepState.UNKNOWN:
                continue
            if step.state is StepState.WAITING and step.until is None:
                continue
            waited = (
                0 if step.since is None else int((checklist.looked_at - step.since).total_seconds())
            )
            key = (step.state, waited.bit_length())
            if self._shown.get(step.name) != key:
                self._shown[step.name] = key
                line = f"{step.title}: {step.words(checklist.looked_at)}"
                self._console.print(line, highlight=False, markup=False)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


class LiveTable(Silent):
    """A table that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._note = ""
        self._checklist: Checklist | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def close(self) -> None:
        self._live.stop()

    def update(self, checklist: Checklist) -> None:
        self._checklist = checklist
        self._live.start()
        self._live.update(table(checklist, self._note), refresh=True)

    def say(self, text: str) -> None:
        self._note = text
        if self._checklist is not None:
            self.update(self._checklist)

    pause = close


def table(checklist: Checklist, note: str = "") -> Table:
    """The checklist for a terminal; shows what its plain and its HTML form show."""
    view = Table.grid(padding=(0, 1))
    view.add_column(width=1)
    view.add_column()
    for step in checklist.steps:
        style = _STYLES[step.state]
        said = Text(step.title, style="bold").append(": ", style="not bold")
        said.append(step.words(checklist.looked_at), style=f"not bold {style}")
        view.add_row(Text(SYMBOLS[step.state], style=style), said)
        view.add_row("", Text(step.evidence, style="dim"))
        if step.next_sentence:
            view.add_row("", Text(step.next_sentence))
        for hint in step.hints:
            view.add_row("", Text(str(hint), style="dim"))
    style = "bold green" if checklist.state is OverallState.CONNECTED else "bold yellow"
    view.add_row()
    view.add_row("", Text(note or checklist.summary, style="" if note else style))
    return view


def print_result(console: Console, checklist: Checklist) -> None:
    """The checklist at the end."""
    console.print(table(checklist))


_VERDICTS = {
    Verdict.WELL: ("✔", "green"),
    Verdict.ILL: ("✘", "bold red"),
    Verdict.UNKNOWN: ("?", "magenta"),
}


def print_diagnosis(console: Console, diagnosis: Diagnosis, *, verbose: bool) -> None:
    """What was found, and the first thing to correct at the end, where it is read."""
    view = Table.grid(padding=(0, 1))
    view.add_column(width=1)
    view.add_column()
    for finding in diagnosis.findings:
        mark, style = _VERDICTS[finding.verdict]
        said = Text(finding.subject, style="bold").append(f": {finding.said}", style="not bold")
        view.add_row(Text(mark, style=style), said)
        if verbose and finding.detail:
            view.add_row("", Text(finding.detail, style="dim"))
    console.print(view)
    console.print()
    if (first := diagnosis.first) is not None:
        console.print(Text(f"Correct this first: {first.subject}", style="bold"))
        console.print(Text(first.advice or first.said))
    else:
        console.print(Text("No problem was found."))
