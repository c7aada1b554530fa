"""Celery: a task does one round and sends itself again.

Celery keeps tasks with a countdown in a worker's memory, so hours of waiting are given to ``beat``:
`sweep` runs each minute and sends what has become due.
"""

from __future__ import annotations

import time

from celery import Celery
from practices import do_round

app = Celery("ormco", broker="memory://")
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
app.conf.beat_schedule = {"sweep": {"task": "ormco.sweep", "schedule": 60.0}}

due: dict[str, float] = {}  # yours is a column


@app.task(name="ormco.advance")
def advance(id: str) -> None:
    """One round.  A lock per practice, in your database, keeps two from running at once."""
    result = do_round(id)
    if result.again_in is None:
        due.pop(id, None)
    else:
        due[id] = time.time() + result.again_in


@app.task(name="ormco.sweep")
def sweep() -> None:
    """Send what is due."""
    for id, moment in list(due.items()):
        if moment <= time.time():
            advance.delay(id)
