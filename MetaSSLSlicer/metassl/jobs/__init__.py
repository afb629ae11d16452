"""Jobs that outlive the program that started them: launch, follow, stop."""

from .events import Event, EventReader, EventWriter, read_events
from .fold import StatusFold, status_of_events
from .launcher import LAUNCHERS, Launcher, LocalLauncher, get_launcher, launcher_of
from .liveness import job_status, last_status
from .lock import LockHolder, TrainingLock
from .record import JobRecord
from .standing import Standing, standing_of
from .status import JobStatus
from .writer import JobWriter

__all__ = [
    "Event",
    "EventReader",
    "EventWriter",
    "JobRecord",
    "JobStatus",
    "JobWriter",
    "LAUNCHERS",
    "Launcher",
    "LocalLauncher",
    "LockHolder",
    "Standing",
    "StatusFold",
    "TrainingLock",
    "get_launcher",
    "job_status",
    "last_status",
    "launcher_of",
    "read_events",
    "standing_of",
    "status_of_events",
]
