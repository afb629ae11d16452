"""Whether a machine is ready, asked in the order in which it would fail, each with what to type."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from metassl.files.errors import ErrorCode, MetaSSLError, ProjectError
from metassl.jobs.launcher import ENGINE_ROOT
from metassl.jobs.start import engine_versions

from ..checks import Check
from ..machine import Machine
from .engine_copy import engine_there
from .remote import Remote

LEAST_FREE = 5 << 30
PATIENCE_S = 240.0
_OLDEST = (3, 11)
_INSTALL_PYTHON = "install Python 3.11 or newer there, or name one with --python"
_NEEDED = ("torch", "monai", "SimpleITK", "numpy")


def ready_engine(remote: Remote) -> str:
    """As `engine_there`, where a training can run. ProjectError with the line that installs what lacks."""
    name, version = remote.machine.name, remote.about["version"]
    if not _is_new(version):
        message = f"{name} has Python {version}, and 3.11 or newer is needed: {_INSTALL_PYTHON}"
        raise ProjectError(message, ErrorCode.MISSING_PACKAGE)
    if missing := remote.ask("lacking", packages=_NEEDED)[0]["packages"]:
        message = f"{name} lacks {', '.join(missing)}, and nothing was sent: {_install_line(remote)}"
        raise ProjectError(message, ErrorCode.MISSING_PACKAGE)
    return engine_there(remote)


def check_machine(machine: Machine, packages: bool = True) -> list[Check]:
    """The connection, Python, the disk; and, unless its nodes are others, our packages, the GPU and the versions."""
    checks: list[Check] = []

    def add(what: str, is_fine: bool, words: str, remedy: str = "") -> None:
        checks.append(Check(what, is_fine, words, "" if is_fine else remedy))

    try:
        with Remote(machine) as remote:
            add("connection", True, f"{machine.host}, {remote.about['system']} {remote.about['host']}")
            _check_there(remote, add, packages)
    except MetaSSLError as error:
        add("connection" if not checks else "answer", False, str(error))
    return checks


def _check_there(remote: Remote, add: Callable[..., None], packages: bool) -> None:
    about = remote.about
    python, version = about["python"], about["version"]
    is_new = _is_new(version)
    add("Python", is_new, f"{version} ({python})", _INSTALL_PYTHON)
    free = about["free"]
    words = f"{free / 1e9:.0f} GB free at {about['folder']}"
    add(
        "disk", free >= LEAST_FREE and about["writable"], words, "make room there, or name another folder with --folder"
    )
    if not (is_new and packages):
        return
    engine = engine_there(remote)
    found = _examined(remote, python, engine)
    versions = found.get("versions", {})
    missing = [name for name in _NEEDED if versions.get(name, "not installed") == "not installed"]
    add("packages", not missing, _listed(versions) or found.get("error", ""), _install_line(remote))
    if missing:
        return
    for each in found.get("checks", []):
        if each["name"] in ("torch", "GPU"):
            add(each["name"], each["state"] != "failed", each["text"], each.get("advice", ""))
    add("versions", *_compared(versions))


def _is_new(version: str) -> bool:
    return tuple(map(int, version.split(".")[:2])) >= _OLDEST


def _install_line(remote: Remote) -> str:
    command = f"{remote.about['python']} -m pip install {shlex.join(_requirements())}"
    return f"on {remote.machine.name} type: {command}"


def _examined(remote: Remote, python: str, engine: str) -> dict[str, Any]:
    command, environment = [python, "-m", "metassl", "doctor", "--json"], {"PYTHONPATH": engine}
    done = remote.run(command, environment=environment, timeout_s=PATIENCE_S)
    try:
        found = json.loads(done.out)
    except ValueError:
        return {"error": done.said}
    return found if isinstance(found, dict) else {"error": done.said}


def _requirements() -> list[str]:
    """What pip has to install; where this metassl came without its list of requirements, any version."""
    try:
        lines = (ENGINE_ROOT / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return list(_NEEDED)
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _compared(there: dict[str, str]) -> tuple[bool, str]:
    """A training goes on to the bit only with the same torch; MetaSSL itself is always ours."""
    here = engine_versions()
    known = {name: version for name, version in here.items() if version != "not installed" and name in there}
    others = [f"{name} {there[name]} (here {version})" for name, version in known.items() if there[name] != version]
    words = f"MetaSSL {there.get('metassl')} on both sides"
    return True, f"{words}; other than here: {', '.join(others)}" if others else f"{words}, all as here"
