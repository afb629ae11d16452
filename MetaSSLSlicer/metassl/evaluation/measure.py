"""Everything that is measured on one case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from metassl.files.errors import ImageError, LabelError
from metassl.imaging.annotations import read_annotation
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_labels
from metassl.imaging.segments import values_in
from metassl.imaging.unit_maps import read_unit_map
from metassl.project.effort.looked import only_looked_at
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.project.records import PredictedDice
from metassl.project.round_files import read_summary
from metassl.project.structures import LabelDefinition
from metassl.project.words import count

from .metrics import as_annotated, case_metrics
from .region_errors import RegionErrors, foreground_band
from .uncertainty import UncertaintyScore


class PredictionFiles(Protocol):
    """The files of one prediction; `regions` and `uncertainty` may be None when there are none.

    `error_probability` and `summary` are read where they are there.
    """

    @property
    def segmentation(self) -> Path: ...
    @property
    def regions(self) -> Path | None: ...
    @property
    def uncertainty(self) -> Path | None: ...


@dataclass(frozen=True)
class EvaluationItem:
    """A case to evaluate: its predicted files and its true annotation.

    fitted: what the round has learnt of its own errors it has learnt there, so that P(error) and the predicted Dice are
    not judged on the case. own: the truth is a label of the project itself, to be believed by its numbers. missing: the
    values of the structures that it says nothing about. looked: the only slices of it that somebody looked at, as in
    `Case`.
    """

    case: str
    prediction: PredictionFiles
    truth: Path
    fitted: bool = False
    own: bool = False
    missing: Sequence[int] = ()
    looked: Sequence[int] | None = None


class CaseMeasures:
    """The figures of one case, ready to be added up with others."""

    def __init__(self, item: EvaluationItem, labels: Sequence[LabelDefinition]) -> None:
        """Read the files and measure. Raises MetaSSLError naming the case and the file."""
        case = item.case
        self.notes: list[str] = []
        segmented = Path(item.prediction.segmentation)
        segmentation, grid = read_labels(segmented, case)
        if item.own:
            truth = _on_grid(item.truth, case, grid, segmented)
            _check_values(truth, labels, case, item.truth)
        else:
            read = read_annotation(item.truth, grid, labels, case, image=segmented)
            truth, self.notes = read.array, read.notes
        if item.looked is not None:
            truth = only_looked_at(truth, grid, item.looked)
            self.notes.append(f"case {case}: measured where somebody looked, in {count(len(item.looked), 'slice')}")
        _check_values(segmentation, labels, case, segmented)
        segmentation = as_annotated(segmentation, item.missing)
        valid = truth != IGNORE
        if not valid.any():
            raise LabelError(f"case {case}: {item.truth} has no annotated voxel")
        wrong = (segmentation != truth) & valid
        self.metrics = case_metrics(segmentation, truth, grid.spacing_zyx, labels)
        self.voxels, self.wrong = int(valid.sum()), int(wrong.sum())
        self.regions, self.band_regions = RegionErrors(), RegionErrors()
        self.uncertainty, self.band_uncertainty = UncertaintyScore(), UncertaintyScore()
        band = foreground_band(segmentation, truth, ERROR_BAND_VOXELS) & valid
        if item.prediction.regions is not None:
            regions = _on_grid(Path(item.prediction.regions), case, grid, segmented)
            if regions.max() > 4:
                raise LabelError(
                    f"case {case}: {item.prediction.regions} is no region map: it holds "
                    f"{regions.max()}; predict the case again"
                )
            self.regions.add(regions, wrong, valid)
            self.band_regions.add(regions, wrong, band)
            valid, band = valid & (regions > 0), band & (regions > 0)
        if item.prediction.uncertainty is not None:
            uncertainty = _read_uncertainty(Path(item.prediction.uncertainty), case, grid, segmented)
            self.uncertainty.add(uncertainty, wrong, valid)
            self.band_uncertainty.add(uncertainty, wrong, band)
        self.band_error_probability = UncertaintyScore()
        learnt = getattr(item.prediction, "error_probability", None)
        learnt = learnt if learnt is not None and Path(learnt).is_file() else None
        predicted_dice = _predicted_dice(getattr(item.prediction, "summary", None), case)
        self.fitted = item.fitted and (learnt is not None or predicted_dice is not None)
        if learnt is not None and not self.fitted:
            probability = _read_uncertainty(Path(learnt), case, grid, segmented)
            self.band_error_probability.add(probability, wrong, band)
        self.predicted_dice = None if self.fitted else predicted_dice

    @property
    def dice(self) -> float:
        """The mean Dice over the structures that the case has; NaN when it has none."""
        known = [row["dice"] for row in self.metrics.values() if not math.isnan(row["dice"])]
        return sum(known) / len(known) if known else math.nan

    @property
    def missed(self) -> list[str]:
        """The structures that are annotated and were not predicted at all."""
        return self._in_one_only("truth_ml", "predicted_ml")

    @property
    def invented(self) -> list[str]:
        """The structures that were predicted and are not annotated at all."""
        return self._in_one_only("predicted_ml", "truth_ml")

    def _in_one_only(self, there: str, missing: str) -> list[str]:
        return [name for name, row in self.metrics.items() if row[there] and not row[missing]]


def _on_grid(path: Path, case: str, grid: Geometry, segmented: Path) -> np.ndarray:
    array, own = read_labels(path, case)
    _check_grid(path, case, own, grid, segmented)
    return array


def _predicted_dice(summary: Path | None, case: str) -> PredictedDice | None:
    if summary is None or not Path(summary).is_file():
        return None
    return read_summary(Path(summary), case).predicted_dice


def _read_uncertainty(path: Path, case: str, grid: Geometry, segmented: Path) -> np.ndarray:
    if not path.is_file():
        raise ImageError(f"case {case}: there is no file {path}; predict the case again")
    try:
        array, own = read_unit_map(path, case)
    except ImageError as error:
        raise ImageError(f"{error}; predict the case again") from error
    _check_grid(path, case, own, grid, segmented)
    return array


def _check_grid(path: Path, case: str, own: Geometry, grid: Geometry, segmented: Path) -> None:
    if difference := own.difference(grid):
        raise LabelError(f"case {case}: {path} is not on the grid of {segmented}: {difference}; predict the case again")


def _check_values(array: np.ndarray, labels: Sequence[LabelDefinition], case: str, path: Path) -> None:
    known = {0, IGNORE, *(label.value for label in labels)}
    strange = [value for value in values_in(array) if value not in known]
    if strange:
        listed = ", ".join(str(value) for value in strange[:8])
        raise LabelError(
            f"case {case}: {path} holds the values {listed}, which the project's labels do not have; relabel the file"
        )
