"""Wait for a job to end, on behalf of a caller: by looking at its row, ever less often."""

import time
from uuid import UUID

from models.jobs import SETTLED, Job, JobState
from worker import db, jobs

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
_GROWTH = 1.3


def wait_for(job_id: UUID, seconds: float) -> Job:
    """The job once it is settled or held, or as it stands when the time is up.

    A held job is not waited for: it moves only when somebody acts.

    Raises:
        JobNotFound: no such job.
    """
    until = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        with db.transaction() as session:
            job = jobs.get(session, job_id)
        left = until - time.monotonic()
        if job.state in {*SETTLED, JobState.HELD} or left <= 0:
            return job
        time.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
