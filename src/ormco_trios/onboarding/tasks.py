"""What only a person can do, in the words to show: the tasks that are not the portal's own."""

from __future__ import annotations

from ormco_trios.ormcodigital.tasks import Task, TaskKind

_CONNECTION = """\
The connection with Ormco's lab is about to be removed and requested again.
No scan can be sent until Ormco has approved it: up to 24 hours.
"""
_ACCESS = """\
Ormco's access to the 3Shape cases is about to be taken away and given again.
No scan arrives until that is done. It takes a few minutes, and the sign-ins of OrmcoDigital and \
of 3Shape Communicate.
"""
_APPLICATIONS_MOVED = """\
If the page has moved: look for Applications in the settings of your 3Shape account, and there \
for Ormco.
If Ormco is not listed there, nothing has to be removed: say done.
"""


def begin_repair(*, connection: bool) -> Task:
    """Before something is taken away: a person has to be there to renew it.

    Args:
        connection: Whether it is the connection with the lab.
    """
    what = _CONNECTION if connection else _ACCESS
    return Task(
        kind=TaskKind.BEGIN_REPAIR,
        title="Have the doctor there before the repair begins",
        steps=(*what.splitlines(), "Say done when it can begin."),
        question="Can it begin?",
    )


def remove_access(page: str) -> Task:
    """Take Ormco's access away, on 3Shape's page [guide].

    Args:
        page: The page's address, as the guide prints it; it may have moved.
    """
    return Task(
        kind=TaskKind.REMOVE_ACCESS,
        title="Remove Ormco under Applications at 3Shape",
        steps=(
            f"Go to {page} and log in with your 3Shape Communicate e-mail and password.",
            "Click the square icon next to Ormco.",
            "Confirm to delete.",
        ),
        question="What did the page say?",
        if_moved=tuple(_APPLICATIONS_MOVED.splitlines()),
    )
