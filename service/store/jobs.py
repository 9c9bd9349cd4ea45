"""Work for a worker process, put in the queue in the caller's own transaction.

The queue is procrastinate's. Its own connectors open connections of their own, so a job could be
seen before the row it is about; its SQL function on our connection cannot. A job carries an id
and may run twice: the row it names is the truth. The queue's trigger notifies, which holds up
every other writer for one commit, so no transaction on a bed, hold or stay writes a job.
"""

import json
from typing import Final

from sqlalchemy import Connection, text

PLANNING_QUEUE: Final = "planning"
SCENARIO_QUEUE: Final = "scenarios"
"""What-ifs have a queue of their own: a plan for now never waits behind ten of them."""
SOLVE_RUN: Final = "rehab_beds.solve_run"
SOLVE_SCENARIOS: Final = "rehab_beds.solve_scenarios"
EXPLAINING_QUEUE: Final = "explaining"
"""A plan is there before its explanations, and the next one never waits for them."""
EXPLAIN_RUN: Final = "rehab_beds.explain_run"
WEIGHING_QUEUE: Final = "weighing"
"""What one more bed would buy takes longest and holds up nothing."""
WEIGH_RUN: Final = "rehab_beds.weigh_run"

_DEFER = text(
    """
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, NULL, :queueing_lock, CAST(:args AS jsonb), NULL)
    ]::procrastinate_job_to_defer_v1[]))
    """
)


def enqueue(conn: Connection, queue: str, task: str, *, subject: str) -> int:
    """Queue ``task`` for the record ``subject``; returns the job's number.

    The queueing lock is the record's id, so one record waits in the queue at most once.
    """
    number = conn.execute(
        _DEFER,
        {
            "queue": queue,
            "task": task,
            "queueing_lock": f"{task}:{subject}",
            "args": json.dumps({"subject": subject}),
        },
    ).scalar_one()
    return int(number)
