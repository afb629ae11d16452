"""Structures that come later, or get another name, term or colour. A value means the same structure for life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from metassl.files.errors import LabelError
from metassl.files.json_files import read_json, write_json

from .cases import now
from .documents import read_cases, read_project, write_cases
from .project import Project
from .structures import LabelDefinition, check_labels


def add_structure(project: Project, added: LabelDefinition) -> list[str]:
    """Add a structure, and return the ids of the labelled cases: what they show says nothing about it.

    LabelError when its value or name is taken.
    """
    return _change(project, lambda labels: [*labels, added])


def rename_structure(project: Project, value: int, name: str) -> str:
    """Give the structure of that value another name, and return its former one. LabelError when there is none."""
    return _replace(project, value, name=name).name


def set_term(project: Project, value: int, entry: str) -> LabelDefinition:
    """Say what the structure of that value is, by an entry of `terms.entry_of`, and return it as it was before.

    LabelError when there is none.
    """
    return _replace(project, value, terminology=entry)


def _replace(project: Project, value: int, **changes: Any) -> LabelDefinition:
    former: list[LabelDefinition] = []

    def change(labels: list[LabelDefinition]) -> list[LabelDefinition]:
        former.extend(label for label in labels if label.value == value)
        if not former:
            known = ", ".join(f"{label.value}={label.name}" for label in labels)
            raise LabelError(f"project {project.path} has no structure of the value {value} (it has {known})")
        return [replace(label, **changes) if label.value == value else label for label in labels]

    _change(project, change)
    return former[0]


def change_structures(project: Project, wanted: Iterable[LabelDefinition]) -> list[str]:
    """Make `wanted` the structures: those of new values are added, others get their names, colours and terms from it.

    Returns the ids of the labelled cases where one was added, as `add_structure` does, else []. LabelError when one of
    the project's is not among them: none is ever taken out.
    """
    chosen = list(wanted)

    def change(labels: list[LabelDefinition]) -> list[LabelDefinition]:
        lost = {label.value: label.name for label in labels}
        for label in chosen:
            lost.pop(label.value, None)
        if lost:
            listed = ", ".join(f"{value}={name}" for value, name in lost.items())
            raise LabelError(f"the structure {listed} of the project would be lost: look at its structures again")
        return chosen

    return _change(project, change)


def _change(project: Project, change: Callable[[list[LabelDefinition]], list[LabelDefinition]]) -> list[str]:
    """Cases whose labels say nothing about what was added."""
    file = project.path / "project.json"
    with project.lock():
        labels = read_project(file)["labels"]
        changed = check_labels(change(labels))
        told = [label.value for label in labels]
        silent = [] if len(changed) == len(told) else _keep_silent(project, told)
        write_json(file, {**read_json(file, "the project"), "labels": [asdict(label) for label in changed]})
    project.labels = changed
    return silent


def _keep_silent(project: Project, told: list[int]) -> list[str]:
    """Before there is a structure: a label must never speak about what it did not know."""
    cases = read_cases(project.path / "cases.json")
    labelled = [case.id for case in cases.values() if case.label_version is not None]
    for case_id in labelled:
        if cases[case_id].coverage is None:
            cases[case_id] = replace(cases[case_id], coverage=list(told), updated=now())
    write_cases(project.path / "cases.json", cases)
    return labelled
