"""Keep several programs running, show what they say, stop them in order; whatever programs they are.

Read `supervisor` (all of them, from the start to the last one's end), `child` (one of them, kept running),
then `leash` (what ends them should the supervisor be killed).
"""

from worker.supervise.child import Process
from worker.supervise.supervisor import NotReadyError, supervise

__all__ = ["NotReadyError", "Process", "supervise"]
