"""What annotations and predictions say nothing about: structures that came later than they."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metassl.files.errors import MetaSSLError

from .cases import Case
from .project import Project
from .records import Summary
from .round_files import read_summary
from .structures import LabelDefinition


def silent_labels(labels: Iterable[LabelDefinition], cases: Sequence[Case]) -> dict[str, int]:
    """Structure → how many of the annotations of `cases` say nothing about it; those that all speak about left out."""
    count = {label.name: sum(bool(case.missing([label.value])) for case in cases) for label in labels}
    return {name: silent for name, silent in count.items() if silent}


def unknown_to(summary: Summary, labels: Sequence[LabelDefinition]) -> list[LabelDefinition]:
    """The structures that the model of a prediction did not know, as they were added later."""
    if summary.values is not None:
        return [label for label in labels if label.value not in summary.values]
    names = summary.volume_ml  # of former versions, by the names of then
    if names is None or len(names) >= len(labels):
        return []
    return [label for label in labels if label.name not in names]


def with_present_names(summary: Summary, labels: Sequence[LabelDefinition]) -> Summary:
    """`summary` by the names that its structures have in `labels`, which may be others than when it was written.

    They are known again by their values; without these (former versions) the names stay.
    """
    then = list(summary.volume_ml or ())
    if summary.values is None or len(then) != len(summary.values):
        return summary
    present = {label.value: label.name for label in labels}
    names = {name: present.get(value, name) for name, value in zip(then, summary.values)}

    def named(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
        return None if figures is None else {names.get(name, name): each for name, each in figures.items()}

    dice = summary.predicted_dice
    return replace(
        summary,
        volume_ml=named(summary.volume_ml),
        volume_range_ml=named(summary.volume_range_ml),
        classes=named(summary.classes),
        class_error_rates=named(summary.class_error_rates),
        dice_features=named(summary.dice_features),
        predicted_dice=None if dice is None else replace(dice, classes=named(dice.classes) or {}),
    )


def unknown_in(project: Project, file: Path) -> list[LabelDefinition]:
    """`unknown_to` where the file is a prediction of one of the project's rounds; [] for any other file."""
    path = file.resolve()
    for found in project.rounds():
        for case_id in found.predicted_cases() if path.is_relative_to(found.path.resolve()) else ():
            paths = found.prediction(case_id)
            if paths.segmentation.resolve() == path:
                try:
                    return unknown_to(read_summary(paths.summary, case_id), project.labels)
                except MetaSSLError:
                    return []
    return []
