"""Is a process alive, and is it still the same one? A pid alone may have been given to another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

UNKNOWN = "unknown"
"""The mark of a process that exists, and of which the system tells no more."""
ENDED = "ended"
"""The mark of a process that was gone before it could be looked at."""

_LARGEST_PID = 2**31


def host_name() -> str:
    """The name of this machine."""
    if sys.platform == "darwin":  # whose gethostname changes with the network
        return _local_name_of_a_mac() or socket.gethostname()
    return socket.gethostname()


@cache
def _local_name_of_a_mac() -> str:
    try:
        return subprocess.run(["scutil", "--get", "LocalHostName"], capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def process_started(pid: int) -> str | None:
    """A mark of when the process `pid` started, unlike that of any other process with this pid.

    None when there is no such process, or it has ended and only waits to be collected; "unknown"
    when it exists but the system does not tell more.
    """
    if not 0 < pid < _LARGEST_PID:
        return None
    if sys.platform == "win32":
        return _started_windows(pid)
    if Path("/proc/self/stat").exists():
        return _started_linux(pid)
    return _started_ps(pid)


def same_process(pid: int, started: str) -> bool:
    """True when the process `pid` lives and is the one that started at `started`."""
    present = process_started(pid)
    if present is None:
        return False
    return present == started or (UNKNOWN in (present, started) and started != ENDED)


def kill(pid: int) -> None:
    """End a process, and on POSIX the group that it leads, at once. Nothing if it is gone."""
    try:
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)  # TerminateProcess
        elif os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except OSError:
        if process_started(pid) is not None:
            raise


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return _exists(pid)
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return f"{_boot()}:{fields[19].decode()}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started_ps(pid: int) -> str | None:
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    state, _, started = done.stdout.strip().partition(" ")
    if not state:
        return _exists(pid) if done.returncode not in (0, 1) else None
    return None if state.startswith("Z") else started.strip() or UNKNOWN


def _exists(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return UNKNOWN
    except OSError:
        return None
    return UNKNOWN


def _started_windows(pid: int) -> str | None:
    if sys.platform != "win32":
        raise OSError("this is not Windows")
    import ctypes
    from ctypes import wintypes

    query_limited, still_active, access_denied = 0x1000, 259, 5
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
    kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4)
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    handle = kernel.OpenProcess(query_limited, False, pid)
    if not handle:
        return UNKNOWN if ctypes.get_last_error() == access_denied else None
    try:
        code = wintypes.DWORD()
        if kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value != still_active:
            return None
        times = [wintypes.FILETIME() for _ in range(4)]
        if not kernel.GetProcessTimes(handle, *[ctypes.byref(time) for time in times]):
            return UNKNOWN
        return str((times[0].dwHighDateTime << 32) | times[0].dwLowDateTime)
    finally:
        kernel.CloseHandle(handle)
