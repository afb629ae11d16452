"""A worker that takes the lock, says that it has finished, and ends: python -m faults.pid_reuse_child PROJECT ROUND"""

from __future__ import annotations

import sys
from pathlib import Path

from metassl.jobs import JobWriter, TrainingLock
from metassl.project import Project

if __name__ == "__main__":
    project = Project.open(Path(sys.argv[1]))
    lock = TrainingLock(project.path)
    lock.acquire("round", wait_s=30)
    with JobWriter(project.round(int(sys.argv[2]))) as writer:
        writer.write("started")
        writer.write("finished")
    lock.release()
