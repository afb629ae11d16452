"""Jobs that outlive the program that started them: launch, follow, stop."""

from .events import EventReader, EventWriter, read_events
from .launcher import LAUNCHERS, Launcher, LocalLauncher, get_launcher
from .lock import LockHolder, TrainingLock
from .record import JobRecord
from .status import JobFollower, JobStatus, StatusFold, job_status

__all__ = [
    "LAUNCHERS",
    "EventReader",
    "EventWriter",
    "JobFollower",
    "JobRecord",
    "JobStatus",
    "Launcher",
    "LocalLauncher",
    "LockHolder",
    "StatusFold",
    "TrainingLock",
    "get_launcher",
    "job_status",
    "read_events",
]
