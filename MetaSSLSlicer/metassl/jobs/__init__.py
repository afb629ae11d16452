"""Jobs that outlive the program that started them: launch, follow, stop."""

from .events import EventReader, EventWriter, read_events
from .follower import JobFollower, job_status
from .launcher import LAUNCHERS, Launcher, LocalLauncher, get_launcher
from .lock import LockHolder, TrainingLock
from .record import JobRecord
from .status import JobStatus, StatusFold

__all__ = [
    "EventReader",
    "EventWriter",
    "JobFollower",
    "JobRecord",
    "JobStatus",
    "LAUNCHERS",
    "Launcher",
    "LocalLauncher",
    "LockHolder",
    "StatusFold",
    "TrainingLock",
    "get_launcher",
    "job_status",
    "read_events",
]
