"""machines.json, the person's own list of machines. It belongs to no project: a project from elsewhere names none."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from metassl.files.atomic import make_folder
from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json, write_json
from metassl.files.json_kinds import by_name, mapping
from metassl.files.locks import file_lock

from .machine import Machine


def site_path() -> Path:
    """Where the list is: in METASSL_CONFIG if that is set, else where this system keeps what a person has set up."""
    if told := os.environ.get("METASSL_CONFIG"):
        return Path(told) / "machines.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "metassl" / "machines.json"


def list_machines() -> list[Machine]:
    """All machines, by name. Raises ProjectError where the list is damaged."""
    path = site_path()
    if not path.exists():
        return []
    document = read_json(path, "the list of machines", {"machines": by_name(mapping)}, "mend or delete it")
    try:
        found = [Machine.of_json(name, entry) for name, entry in (document.get("machines") or {}).items()]
    except ProjectError as error:
        raise ProjectError(f"{path}: {error}") from error
    return sorted(found, key=lambda machine: machine.name)


def read_machine(name: str) -> Machine:
    """The machine of that name. Raises ProjectError when there is none."""
    known = list_machines()
    for machine in known:
        if machine.name == name:
            return machine
    names = ", ".join(machine.name for machine in known) or "none is set up"
    raise ProjectError(f"there is no machine {name!r} ({names}): see `metassl machines add --help`")


def write_machine(machine: Machine) -> bool:
    """Add a machine, or put it in the place of the one of its name; whether it is new."""
    with _locked():
        others = [each for each in list_machines() if each.name != machine.name]
        is_new = len(others) == len(list_machines())
        _write([*others, machine])
    return is_new


def remove_machine(name: str) -> None:
    """Forget a machine; nothing there is touched. Raises ProjectError when there is none of that name."""
    with _locked():
        read_machine(name)
        _write([each for each in list_machines() if each.name != name])


def _locked() -> AbstractContextManager[None]:
    return file_lock(make_folder(site_path().parent) / ".machines.lock")


def _write(machines: list[Machine]) -> None:
    ordered = sorted(machines, key=lambda machine: machine.name)
    write_json(site_path(), {"machines": {machine.name: machine.to_json() for machine in ordered}})
