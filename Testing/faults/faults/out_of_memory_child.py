"""A worker that gets only so much more memory than it has when its training begins: a true limit of the system.

    python -m faults.out_of_memory_child PROJECT ROUND KILOBYTES

Linux only: there RLIMIT_DATA counts all that a process allocates.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from metassl.training import train, worker


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


def under_a_limit(step, room: int):
    """The step of a training, which gets so many more bytes than there are when it begins."""

    def limited(*arguments):
        most = data_bytes() + room
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        return step(*arguments)

    return limited


if __name__ == "__main__":
    project, number, kilobytes = sys.argv[1:]
    train._leave_time_to_train = under_a_limit(train._leave_time_to_train, int(kilobytes) << 10)
    sys.exit(worker.main([project, number]))
