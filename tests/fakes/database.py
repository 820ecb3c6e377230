"""The database's commits as steps of a plan: the other half of what is durable.

The rules this module keeps
 * Only transactions that write are steps; before the commit nothing of it is kept, after it all.
 * Once the power is off no transaction begins, so that nothing is tidied up after the end.
 * An error at a commit is one that the drivers raise when the server goes away.
"""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from tests.fakes.faults import FaultPlan


def watch(engine: Engine, plan: FaultPlan) -> None:
    """Make every writing commit of an engine a step."""
    commit = engine.dialect.do_commit
    current = threading.local()

    def alive(_: Connection) -> None:
        plan.alive()

    def committing(connection: Connection) -> None:
        current.writes = connection.get_execution_options().get("catalogue_writes", False)

    def do_commit(connection: Any) -> None:
        if getattr(current, "writes", False):
            current.writes = False
            plan.do("catalogue commit", lambda: commit(connection))
        else:
            commit(connection)

    event.listen(engine, "begin", alive)
    event.listen(engine, "commit", committing)
    engine.dialect.do_commit = do_commit  # type: ignore[assignment,method-assign]


def lost_connection(step: str) -> None:
    """What a client sees when its server is gone."""
    raise OperationalError(step, None, OSError("server closed the connection unexpectedly"))
