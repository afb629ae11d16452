"""A real sshd on the loopback with keys, known_hosts and a config of its own. It needs no root."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

SSHD = shutil.which("sshd", path=os.pathsep.join(["/usr/sbin", "/usr/local/sbin", os.environ.get("PATH", "")]))
ALIAS = "gpu-room"
PATH = os.pathsep.join([os.path.dirname(sys.executable), "/usr/bin", "/bin"])


def why_not() -> str:
    """Why there can be no sshd here; "" where there can."""
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "no OpenSSH server is installed: `make ssh-test` installs it on Debian and Ubuntu"
    if os.name != "posix":
        return "it is started on POSIX systems only"
    return ""


class Sshd:
    """Serves this user at `ALIAS`, by `self.variables`. `home` is what a login there has for its home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.port = _free_port()
        for name in ("host_key", "user_key", "other_key"):
            _make_key(folder / name)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self.log = folder / "sshd.log"
        self.process: subprocess.Popen | None = None
        self.config = folder / "ssh_config"
        self._write_config()
        self.trust("host_key")

    @property
    def variables(self) -> dict[str, str]:
        """What ssh needs of the environment to get here, and nothing of the person's own."""
        return {"METASSL_SSH": f"ssh -F {self.config}"}

    def start(self, key: str = "host_key", environment: Mapping[str, str] | None = None) -> Sshd:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        told = {"HOME": str(self.home), "PATH": PATH, "OMP_NUM_THREADS": "1", **(environment or {})}
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / key}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'sshd.pid'}",
            *("UsePAM no", "StrictModes no", "PasswordAuthentication no", "KbdInteractiveAuthentication no"),
            "SetEnv " + " ".join(f'{name}="{value}"' for name, value in told.items()),
        ]
        file = self.folder / "sshd_config"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert SSHD is not None
        self.process = subprocess.Popen([SSHD, "-D", "-f", str(file), "-E", str(self.log)])
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            time.sleep(0.02)
        raise AssertionError("sshd does not listen")

    def sessions(self) -> list[int]:
        """The processes that serve a connection."""
        assert self.process is not None
        return [pid for pid in _descendants(self.process.pid) if os.path.basename(_program(pid)).startswith(b"sshd")]

    def cut(self) -> None:
        """End all connections, as a cable that is pulled does; new ones are served."""
        for pid in self.sessions():
            _kill(pid)

    def stop(self) -> None:
        if self.process is not None:
            self.cut()
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def trust(self, *keys: str) -> None:
        """These keys are those that known_hosts has for it."""
        lines = []
        for key in keys:
            public = (self.folder / f"{key}.pub").read_text(encoding="utf-8").split()
            lines.append(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        (self.folder / "known_hosts").write_text("".join(lines), encoding="utf-8")

    def fingerprint(self, key: str = "host_key") -> str:
        told = subprocess.run(["ssh-keygen", "-lf", self.folder / f"{key}.pub"], capture_output=True, text=True)
        return told.stdout.split()[1]

    def _write_config(self) -> None:
        self.config.write_text(
            f"Host {ALIAS}\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.folder / 'user_key'}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {self.folder / 'known_hosts'}\n  GlobalKnownHostsFile /dev/null\n",
            encoding="utf-8",
        )


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents.setdefault(int(stat[stat.rindex(")") + 2 :].split()[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def _program(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].partition(b":")[0]
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
