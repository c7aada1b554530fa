"""DBOS: a workflow that sleeps between rounds; its id is the practice's, so it runs once."""

from __future__ import annotations

from dbos import DBOS, SetWorkflowID
from practices import do_round


@DBOS.step()
def advance(id: str) -> tuple[float | None, str]:
    """One round.  A step that was cut off is done again: it looks first."""
    result = do_round(id)
    return result.again_in, result.problem


@DBOS.workflow()
def connect(id: str) -> str:
    """Rounds until it is connected or a person has to decide; what there is to decide."""
    while True:
        again_in, problem = advance(id)
        if again_in is None:
            return problem
        # A wake-up, such as an authorization, or the time.
        DBOS.recv("wake", timeout_seconds=again_in)


def start(id: str) -> None:
    """Begin, or join what has begun."""
    with SetWorkflowID(f"connect-{id}"):
        DBOS.start_workflow(connect, id)


def wake(id: str) -> None:
    """Go on at once; call it after `practices.authorized`."""
    DBOS.send(f"connect-{id}", "now", topic="wake")
