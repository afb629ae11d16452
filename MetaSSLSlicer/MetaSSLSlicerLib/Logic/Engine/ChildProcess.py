"""Programs beside Slicer, ended with all that they started: PythonSlicer only starts the real Python."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

OWN_GROUP: dict[str, Any] = (
    {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
)
"""For Popen: a group of its own, and no window."""


def killAll(pid: int) -> None:
    """End a process and its group at once."""
    try:
        if os.name == "nt":
            quietly = {"capture_output": True, "creationflags": subprocess.CREATE_NO_WINDOW}
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], **quietly)
        else:
            os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass  # it has ended meanwhile


def interruptAll(pid: int) -> None:
    """Ask a process and its group to stop and tidy up, as Ctrl+C does. Windows can only end them."""
    if os.name == "nt":
        killAll(pid)
        return
    try:
        os.killpg(pid, signal.SIGINT)
    except OSError:
        pass
