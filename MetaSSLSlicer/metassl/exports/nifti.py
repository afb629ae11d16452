"""Labels and predictions as plain files for other programs: NIfTI images and two tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from metassl.files.atomic import make_folder, write_text
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_labels
from metassl.imaging.writer import write_array
from metassl.project.cases import Case
from metassl.project.project import Project
from metassl.project.regions import FLAGGED
from metassl.project.round_files import read_summary
from metassl.project.rounds import PredictionPaths, Round

from ..choices.exporters import WHAT, Exported, Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_project(
    project: Project,
    folder: Path,
    what: Sequence[str] = WHAT,
    report: Report = lambda done, total, case: None,
) -> Exported:
    """Write labels/CASE.nii.gz, predictions/CASE.nii.gz, summary.csv and structures.csv into a new or empty folder.

    A prediction is that of the round which is reviewed. A case whose files are damaged is named in the result and in
    the table, and the rest go on. Raises ProjectError when the folder holds anything, or there is nothing to write.
    """
    folder = Path(folder).expanduser().absolute()
    if unknown := set(what) - set(WHAT):
        raise ProjectError(f"cannot export {', '.join(sorted(unknown))}: choose from {' and '.join(WHAT)}")
    cases = list(project.cases.values())
    labelled = {case.id for case in cases if case.is_labelled} if "labels" in what else set()
    predicted = project.predictions() if "predictions" in what else {}
    chosen = [case for case in cases if case.id in labelled or case.id in predicted]
    if not chosen:
        raise ProjectError(f"project {project.path} has no {' and no '.join(what)} to export yet")
    make_folder(folder)
    if any(folder.iterdir()):
        raise ProjectError(f"{folder} is not empty: choose a new or empty folder, as an export overwrites nothing")
    result, rows = Exported(folder), []
    for place, case in enumerate(chosen, start=1):
        row = _Row(project, case)
        if case.id in labelled:
            row.write(folder / "labels", result.labels, result.failed, row.label)
        if case.id in predicted:
            read = partial(row.prediction, predicted[case.id])
            row.write(folder / "predictions", result.predictions, result.failed, read)
        rows.append(row.cells)
        report(place, len(chosen), case.id)
    write_text(folder / "summary.csv", _table(rows))
    write_text(folder / "structures.csv", _table(_structures(project)))
    return result


class _Row:
    """One case: its line in the table, and its files."""

    def __init__(self, project: Project, case: Case) -> None:
        self.project, self.case = project, case
        self.cells: dict[str, Any] = {
            "case": case.id,
            "split": case.split,
            "state": case.state,
            "seconds_spent": round(case.seconds_spent, 1),
            "dice_of_prediction": "" if case.dice is None else f"{case.dice:.4f}",
            "label_version": (case.label_version or "")[:16],
            "round": "",
            **{f"uncertainty_{region}": "" for region in FLAGGED},
            **{f"{kind}_ml {label.name}": "" for kind in ("label", "prediction") for label in project.labels},
            "problem": "",
        }

    def write(self, folder: Path, done: list[str], failed: dict[str, str], read: Callable) -> None:
        """Copy what `read` gives; a damaged file is noted, a disk that cannot be written to is raised."""
        try:
            array, geometry = read()
        except MetaSSLError as error:
            failed[self.case.id] = self.cells["problem"] = str(error)
            return
        write_array(make_folder(folder) / f"{self.case.id}.nii.gz", array, geometry)
        done.append(self.case.id)

    def label(self) -> tuple[np.ndarray, Geometry]:
        """The accepted annotation."""
        array, geometry = self.project.read_label(self.case.id)
        self._measure("label", array, geometry)
        return array, geometry

    def prediction(self, source: Round) -> tuple[np.ndarray, Geometry]:
        """The prediction that is reviewed."""
        paths: PredictionPaths = source.prediction(self.case.id)
        array, geometry = read_labels(paths.segmentation, self.case.id)
        uncertainty = read_summary(paths.summary, self.case.id).uncertainty
        self.cells["round"] = source.number
        for region in FLAGGED:
            if uncertainty and uncertainty.get(region) is not None:
                self.cells[f"uncertainty_{region}"] = f"{uncertainty[region]:.4f}"
        self._measure("prediction", array, geometry)
        return array, geometry

    def _measure(self, kind: str, array: np.ndarray, geometry: Geometry) -> None:
        for label in self.project.labels:
            ml = np.count_nonzero(array == label.value) * geometry.voxel_ml
            self.cells[f"{kind}_ml {label.name}"] = f"{ml:.6g}"


def _structures(project: Project) -> list[dict[str, Any]]:
    return [
        {"value": 0, "name": "background", "color": ""},
        *({"value": label.value, "name": label.name, "color": label.color} for label in project.labels),
        {"value": IGNORE, "name": "not annotated", "color": ""},
    ]


def _inert(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front, which it does not show."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _inert(cell) for key, cell in row.items()} for row in rows)
    return text.getvalue()
