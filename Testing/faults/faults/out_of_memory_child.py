"""A worker that gets only so much more memory than it has when its training begins: a true limit of the system.

    python -m faults.out_of_memory_child PROJECT ROUND KILOBYTES

Linux only: there RLIMIT_DATA counts all that a process allocates.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from metassl.training import worker


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


class ScarceJob(worker.Job):
    """A job under the limit."""

    room = 0

    def _leave_time_to_train(self) -> None:
        most = data_bytes() + self.room
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        super()._leave_time_to_train()


if __name__ == "__main__":
    project, number, kilobytes = sys.argv[1:]
    ScarceJob.room = int(kilobytes) << 10
    worker.Job = ScarceJob
    sys.exit(worker.main([project, number]))
