"""The system's own ssh: how it is called, and what its refusals mean.

Keys, agent, known_hosts and ~/.ssh/config are the system's. No password is asked for, and every host key is checked.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence

from metassl.files.errors import MetaSSLError, ProjectError

from ..machine import Machine

PROGRAM = "METASSL_SSH"
"""The environment variable that names another ssh, or options of it: "ssh -F /path/to/config"."""

_OPTIONS = (
    *("-T", "-a", "-x"),
    *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "NumberOfPasswordPrompts=0"),
    *("-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
    # A connection that a person keeps open is used; none of ours stays open.
    *("-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no", "-o", "ControlMaster=no"),
)
_KEY = re.compile(r"Server host key: (\S+) (SHA256:\S+)")
_OFFENDING = re.compile(r"Offending .*? in (.+?):\d+\s*$", re.MULTILINE)


class ConnectionLost(MetaSSLError):
    """The other computer cannot be reached just now: it is worth trying again."""


class ConnectionRefused(ProjectError):
    """Somebody has to do something first: a host key, a key of one's own, a name."""


def ssh_command(machine: Machine, command: str, *more: str) -> list[str]:
    """What to start for one command line there."""
    return [*_program(), *_OPTIONS, *more, machine.host, command]


def ssh_word(machine: Machine) -> str:
    """What a person types to get there."""
    return shlex.join([*_program(), machine.host])


def there_command(machine: Machine, words: Sequence[str]) -> str:
    """A command line for the shell there, after the machine's own lines. A Windows there knows no such lines."""
    if not machine.setup:
        return " ".join(map(_quoted, words))
    return " && ".join([*machine.setup, f"exec {shlex.join(words)}"])


def refusal(machine: Machine, said: str) -> MetaSSLError:
    """What the words on ssh's stderr mean for who has to do something."""
    name, word = machine.name, ssh_word(machine)
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        key, file = _key_in(said), _OFFENDING.search(said)
        remove = f"ssh-keygen -R {_known_name(said, machine)}" + (f" -f {file[1]}" if file else "")
        return ConnectionRefused(
            f"the host key of {name} ({machine.host}) has changed, and nothing was sent: somebody may be listening, or "
            f"it was installed anew. Ask who looks after it whether its key is {key} now; only then type: "
            f"{remove} && {word}"
        )
    if "host key is known" in said or "Host key verification failed" in said:
        return ConnectionRefused(
            f"{name} ({machine.host}) is not known to ssh yet: its host key is {_key_in(said)}. Compare that with what "
            f"the one who looks after it says, then type once, and answer yes: {word}"
        )
    if "Permission denied" in said or "Too many authentication failures" in said:
        return ConnectionRefused(
            f"{name} ({machine.host}) takes none of your keys, and no password is asked for: put your key there with "
            f"`ssh-copy-id {machine.host}`, or load it with `ssh-add`, until this works: {word}"
        )
    if "Could not resolve hostname" in said:
        return ConnectionLost(f"{name}: the name {machine.host} leads nowhere: is the network (or the VPN) there?")
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("debug1:")]
    return ConnectionLost(
        f"no connection to {name} ({machine.host}): {lines[-1] if lines else 'ssh ended without a word'}"
    )


def start(machine: Machine, command: str, *more: str) -> subprocess.Popen:
    """An ssh that runs one command line there, with pipes. Raises ProjectError where there is no ssh."""
    called = ssh_command(machine, command, *more)
    pipe = subprocess.PIPE
    # A group of its own: what ends Slicer or the terminal does not end it in the middle of a word.
    options = (
        {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}  # type: ignore[attr-defined]
    )
    try:
        return subprocess.Popen(called, stdin=pipe, stdout=pipe, stderr=pipe, **options)
    except OSError as error:
        raise ProjectError(
            f"{called[0]} cannot be started ({error.strerror or error}): install OpenSSH (in Windows: Settings > "
            f"Optional features > OpenSSH Client), or name another one in {PROGRAM}"
        ) from error


def explained(machine: Machine) -> MetaSSLError:
    """Why a connection fails, from one more try that tells everything, as the fingerprint of a key."""
    process = start(machine, "exit 0", "-v")
    try:
        said = process.communicate(timeout=40)[1].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ConnectionLost(f"{machine.name} ({machine.host}) does not answer")
    return refusal(machine, said)


def _program() -> list[str]:
    told = os.environ.get(PROGRAM, "")
    if not told or os.path.isfile(told):
        return [told or "ssh"]
    return shlex.split(told, posix=os.name != "nt")


def _quoted(word: str) -> str:
    """For sh, csh, fish, cmd and PowerShell alike, as long as nothing special is in it."""
    plain = re.fullmatch(r"[\w@%+=:,./~-]+", word)
    return word if plain else f'"{word}"' if re.fullmatch(r"[^\"$`!%]*", word) else shlex.quote(word)


def _key_in(said: str) -> str:
    found = _KEY.search(said)
    return f"{found[2]} ({found[1]})" if found else "not told"


def _known_name(said: str, machine: Machine) -> str:
    """The name by which known_hosts knows it: with its port, where that is not the usual one."""
    found = re.search(r"(?:host key for|Host key for) (\S+) has changed", said)
    name = found[1] if found else machine.host.rpartition("@")[2]
    return f'"{name}"' if "[" in name else name
