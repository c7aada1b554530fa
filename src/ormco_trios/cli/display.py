"""How a checklist looks: a live table on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ormco_trios.communicate.approval import describe
from ormco_trios.onboarding.checklist import Checklist, Step, StepName, StepState
from ormco_trios.onboarding.doctor import Diagnosis, Verdict

_STYLES = {
    StepState.DONE: ("✔", "green"),
    StepState.WAITING: ("…", "yellow"),
    StepState.MISSING: ("○", "dim"),
    StepState.BROKEN: ("✘", "bold red"),
    StepState.UNKNOWN: ("?", "dim"),
}
_WORDS = {
    StepState.DONE: "done",
    StepState.WAITING: "waiting",
    StepState.MISSING: "to do",
    StepState.BROKEN: "broken",
    StepState.UNKNOWN: "not known yet",
}


class Display(Protocol):
    """Shows how far it is, as it happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def update(self, checklist: Checklist) -> None: ...

    def say(self, text: str) -> None: ...

    def pause(self) -> None:
        """Leave the terminal to a prompt."""
        ...


class Silent:
    """Nothing: with ``--json`` only the document is printed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
                line = f"{step.title}: {_WORDS[step.state]}{_waited(step, checklist)}"
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, checklist: Checklist) -> None:
        self._checklist = checklist
        self._live.start()
        self._live.update(table(checklist, self._note), refresh=True)

    def say(self, text: str) -> None:
        self._note = text
        if self._checklist is not None:
            self.update(self._checklist)

    def pause(self) -> None:
        self._live.stop()


def table(checklist: Checklist, note: str = "") -> Table:
    """The checklist as a table for a terminal."""
    view = Table(box=None, show_header=False, pad_edge=False, caption=note or None)
    view.caption_justify = "left"
    view.add_column(width=1)
    view.add_column()
    view.add_column(style="dim")
    for step in checklist.steps:
        mark, style = _STYLES[step.state]
        detail = f"{_WORDS[step.state]}{_waited(step, checklist)}"
        view.add_row(Text(mark, style=style), Text(step.title), Text(detail))
    return view


def print_result(console: Console, checklist: Checklist) -> None:
    """The checklist at the end, with what to do about each step that is not done."""
    console.print(table(checklist))
    for step in checklist.steps:
        if step.state is not StepState.DONE and step.next_action:
            console.print()
            console.print(Text(f"{step.title}: {step.evidence}"))
            console.print(Text(f"Next ({step.actor.value}): {step.next_action}"))
            break
    console.print()
    style = "bold green" if checklist.state.value == "connected" else "bold yellow"
    console.print(Text(checklist.state.value.replace("_", " ").capitalize(), style=style))


_VERDICTS = {
    Verdict.WELL: ("✔", "green"),
    Verdict.ILL: ("✘", "bold red"),
    Verdict.UNKNOWN: ("?", "dim"),
}


def print_diagnosis(console: Console, diagnosis: Diagnosis, *, verbose: bool) -> None:
    """What was found, and the first thing to mend at the end, where it is read."""
    view = Table(box=None, show_header=False, pad_edge=False)
    view.add_column(width=1)
    view.add_column(no_wrap=True)
    view.add_column()
    for finding in diagnosis.findings:
        mark, style = _VERDICTS[finding.verdict]
        said = f"{finding.said} ({finding.detail})" if verbose and finding.detail else finding.said
        view.add_row(Text(mark, style=style), Text(finding.subject), Text(said))
    console.print(view)
    console.print()
    if (first := diagnosis.first) is not None:
        console.print(Text(f"Mend this first: {first.subject}", style="bold"))
        console.print(Text(first.advice or first.said))
    else:
        console.print(Text("Nothing is wrong, as far as can be seen."))


def _waited(step: Step, checklist: Checklist) -> str:
    if step.state is not StepState.WAITING or step.since is None:
        return ""
    so_far = describe((checklist.looked_at - step.since).total_seconds())
    if step.until is None:
        return f", {so_far} so far"
    ahead = describe((step.until - checklist.looked_at).total_seconds())
    return f", {so_far} so far; next look in {ahead}"
