"""How well two segmentations of one case agree, and how another round saw the open case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from metassl.files import LabelError
from metassl.imaging import IGNORE, Geometry, read_labels
from metassl.project import LabelDefinition, Project

from ...Translation import _
from .CaseFiles import onGrid


def diceOfValues(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Dice of each value in two uint8 arrays (z, y, x): float (256,), NaN for a value that neither holds.

    A voxel that is 255, "not annotated", in either array counts nowhere. A value that only one of them holds has 0.
    """
    if first.shape != second.shape:
        raise ValueError(f"shapes {first.shape} and {second.shape} are not one grid")
    sizes, common = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for a, b in zip(first, second):  # plane by plane: little memory
        counted = (a != IGNORE) & (b != IGNORE)
        a, b = a[counted], b[counted]
        sizes += np.bincount(a, minlength=256) + np.bincount(b, minlength=256)
        common += np.bincount(a[a == b], minlength=256)
    return np.where(sizes > 0, 2.0 * common / np.maximum(sizes, 1), np.nan)


def meanDice(first: np.ndarray, second: np.ndarray) -> float | None:
    """The mean Dice over the structures in either of two uint8 arrays (z, y, x); None when there are none."""
    found = diceOfValues(first, second)[1:]
    return float(np.nanmean(found)) if np.isfinite(found).any() else None


@dataclass(frozen=True)
class RoundComparison:
    """The other round's segmentation (uint8, z y x), and its Dice with the reference for each structure."""

    caseId: str
    round: int
    segmentation: np.ndarray
    dice: dict[str, float | None]
    reference: str

    @property
    def text(self) -> str:
        absent = _("absent in both")
        each = ", ".join(f"{name} {absent if v is None else format(v, '.2f')}" for name, v in self.dice.items())
        text = _("{case}: round {number} and {reference} agree by Dice {each}.")
        return text.format(case=self.caseId, number=self.round, reference=self.reference, each=each)


def compareRound(
    project: Project, caseId: str, number: int, geometry: Geometry, reference: np.ndarray, name: str
) -> RoundComparison:
    """Read what the round `number` predicted of a case and compare it with `reference`, called `name`.

    LabelError when that round has no prediction of it, or a damaged one.
    """
    paths = project.round(number).prediction(caseId)
    if not paths.complete:
        raise LabelError(f"round {number} did not predict case {caseId}: choose another round")
    segmentation = onGrid(read_labels(paths.segmentation, caseId), geometry, paths.segmentation, caseId)
    dice = dicePerStructure(segmentation, reference, project.labels)
    return RoundComparison(caseId, number, segmentation, dice, name)


def dicePerStructure(
    first: np.ndarray, second: np.ndarray, labels: Sequence[LabelDefinition]
) -> dict[str, float | None]:
    """Dice of each structure; voxels that are not annotated in either count nowhere, None: absent in both."""
    dice = diceOfValues(first, second)
    return {label.name: None if np.isnan(dice[label.value]) else float(dice[label.value]) for label in labels}
