"""Structures that come later, or get another name or term. A value means the same structure for life."""

from __future__ import annotations

from collections.abc import Callable
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
    labelled: list[str] = []

    def change(labels: list[LabelDefinition]) -> list[LabelDefinition]:
        changed = check_labels([*labels, added])
        cases = read_cases(project.path / "cases.json")
        for case in [each for each in cases.values() if each.label_version is not None]:
            labelled.append(case.id)
            if case.coverage is None:
                told = [label.value for label in labels]
                cases[case.id] = replace(case, coverage=told, updated=now())
        write_cases(project.path / "cases.json", cases)  # first: a label must never speak about what it did not know
        return changed

    _change(project, change)
    return labelled


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
        return check_labels(replace(label, **changes) if label.value == value else label for label in labels)

    _change(project, change)
    return former[0]


def _change(project: Project, change: Callable[[list[LabelDefinition]], list[LabelDefinition]]) -> None:
    file = project.path / "project.json"
    with project.lock():
        changed = change(read_project(file)["labels"])
        write_json(file, {**read_json(file, "the project"), "labels": [asdict(label) for label in changed]})
    project.labels = changed
