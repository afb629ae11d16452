"""The volumes of all structures, with the range in which the model's uncertainty leaves them: one table."""

from __future__ import annotations

from typing import Any

import numpy as np

from metassl.imaging.images import IGNORE
from metassl.project.cases import Case
from metassl.project.coverage import unknown_to, with_present_names
from metassl.project.round_files import read_summary

from .export import Export
from .tables import write_table


def write(export: Export) -> None:
    """measurements.csv: a row for each case, structure and source ("label" or "prediction").

    `volume_ml`; of a prediction also `low_ml` and `high_ml`, and `level`: the share of cases whose true volume lies
    between them as measured on validation cases, empty where it was not measured. `annotated`: the share of the image
    that the label speaks about (under 1, the volume may be larger). `voxels`; `round`: of the prediction.
    """
    rows: list[dict[str, Any]] = []
    for case in export.cases():
        if case.id in export.labelled:
            with export.attempt(case.id):
                rows += _of_label(export, case)
                export.result.labels.append(case.id)
        if case.id in export.predicted:
            with export.attempt(case.id):
                rows += _of_prediction(export, case)
                export.result.predictions.append(case.id)
    if rows:
        write_table(export.folder / "measurements.csv", rows)


def _of_label(export: Export, case: Case) -> list[dict[str, Any]]:
    array, geometry = export.label(case.id)
    voxels = np.bincount(array.ravel(), minlength=256)
    annotated = 1 - voxels[IGNORE] / array.size
    missing = case.missing(export.project.values)
    return [
        _row(case, label.name, "label", int(voxels[label.value]), geometry.voxel_ml, annotated=f"{annotated:.4g}")
        for label in export.project.labels
        if label.value not in missing
    ]


def _of_prediction(export: Export, case: Case) -> list[dict[str, Any]]:
    source = export.predicted[case.id]
    array, geometry = export.prediction(case.id)
    labels = export.project.labels
    summary = with_present_names(read_summary(source.prediction(case.id).summary, case.id), labels)
    voxels = np.bincount(array.ravel(), minlength=256)
    ranges, unknown = summary.volume_range_ml or {}, unknown_to(summary, labels)
    rows = []
    for label in labels:
        if label in unknown:
            continue  # the structure was added after the model was trained
        row = _row(case, label.name, "prediction", int(voxels[label.value]), geometry.voxel_ml, round=source.number)
        if label.name in ranges:
            low, high = ranges[label.name]
            level = "" if summary.volume_level is None else f"{summary.volume_level:.3g}"
            row.update(low_ml=f"{low:.6g}", high_ml=f"{high:.6g}", level=level)
        rows.append(row)
    return rows


def _row(case: Case, structure: str, source: str, voxels: int, voxel_ml: float, **more: Any) -> dict[str, Any]:
    cells = dict.fromkeys(("low_ml", "high_ml", "level", "annotated", "round"), "")
    first = {"case": case.id, "structure": structure, "source": source, "volume_ml": f"{voxels * voxel_ml:.6g}"}
    return {**first, **cells, "voxels": voxels, **more}
