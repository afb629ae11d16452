"""machines.json, the person's own list of machines. It belongs to no project: a project from elsewhere names none."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from metassl.files.atomic import make_folder
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import mapping
from metassl.files.locks import file_lock

from .machine import Machine


def site_path() -> Path:
    """Where the list is: in METASSL_CONFIG if that is set, else where this system keeps what a person has set up.

    Raises ProjectError where nobody has a home, as in some containers.
    """
    if told := os.environ.get("METASSL_CONFIG"):
        return Path(told) / "machines.json"
    try:
        return _kept_by_system() / "metassl" / "machines.json"
    except RuntimeError as error:
        raise ProjectError("nobody's home folder is known here: set METASSL_CONFIG to one for machines.json") from error


def _kept_by_system() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def list_machines() -> list[Machine]:
    """All machines that can be used, by name. Raises ProjectError where the file is damaged as a whole."""
    found = [each for each in _read().values() if isinstance(each, Machine)]
    return sorted(found, key=lambda machine: machine.name)


def unusable_machines() -> dict[str, str]:
    """What is wrong with each entry of the list that is none of a machine. Raises ProjectError as `list_machines`."""
    return {name: each for name, each in sorted(_read().items()) if isinstance(each, str)}


def read_machine(name: str) -> Machine:
    """The machine of that name. Raises ProjectError when there is none, or its entry is wrong."""
    known = _read()
    found = known.get(name)
    if isinstance(found, Machine):
        return found
    if found is not None:
        raise ProjectError(
            f"{found}; mend that in {site_path()}, set it up anew with `metassl machines add {name}`, or take it out "
            f"with `metassl machines remove {name}`"
        )
    names = ", ".join(sorted(known)) or "none is set up"
    raise ProjectError(f"there is no machine {name!r} ({names}): see `metassl machines add --help`")


def write_machine(machine: Machine) -> bool:
    """Add a machine, or put it in the place of the one of its name; whether it is new."""
    with site_lock():
        entries = _entries()
        is_new = machine.name not in entries
        _write({**entries, machine.name: machine.to_json()})
    return is_new


def remove_machine(name: str) -> None:
    """Forget a machine; nothing there is touched. Raises ProjectError when there is none of that name."""
    with site_lock():
        entries = _entries()
        if name not in entries:
            read_machine(name)
        del entries[name]
        _write(entries)


def site_lock() -> AbstractContextManager[None]:
    """To be held while something beside the list is read and written."""
    return file_lock(make_folder(site_path().parent) / ".machines.lock")


def _entries() -> dict[str, Any]:
    """As they stand in the file: those that are wrong stay as they are when another one is written."""
    path = site_path()
    if not path.exists():
        return {}
    return read_json(path, "the list of machines", {"machines": mapping}, "mend or delete it").get("machines") or {}


def _read() -> dict[str, Machine | str]:
    """Each machine, or what is wrong with its entry."""
    return {name: _machine(name, entry) for name, entry in _entries().items()}


def _machine(name: str, entry: Any) -> Machine | str:
    if not isinstance(entry, dict):
        return f"machine {name}: its entry is no object"
    try:
        return Machine.of_json(name, entry)
    except ProjectError as error:
        return str(error)


def _write(entries: dict[str, Any]) -> None:
    write_json(site_path(), {"machines": dict(sorted(entries.items()))})
