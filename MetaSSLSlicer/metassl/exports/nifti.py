"""Labels and predictions as plain files for other programs: NIfTI images and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from metassl.files.atomic import write_text
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE
from metassl.imaging.label_tables import label_description
from metassl.imaging.writer import write_array
from metassl.project.cases import Case
from metassl.project.project import Project
from metassl.project.regions import FLAGGED
from metassl.project.round_files import read_summary
from metassl.project.structures import segments_of

from .export import Export
from .tables import write_table


def write(export: Export) -> None:
    """labels/CASE.nii.gz, predictions/CASE.nii.gz, summary.csv, structures.csv and labels.txt (for ITK-SNAP)."""
    project = export.project
    rows = {case.id: _row(project, case) for case in export.chosen}

    def one(path: Path, case: Case, array: np.ndarray, geometry: Geometry) -> None:
        row, kind = rows[case.id], path.parent.name
        if kind == "predictions":
            source = export.predicted[case.id]
            uncertainty = read_summary(source.prediction(case.id).summary, case.id).uncertainty or {}
            found = {region: uncertainty[region] for region in FLAGGED if uncertainty.get(region) is not None}
            row.update(
                {f"uncertainty_{region}": f"{share:.4f}" for region, share in found.items()}, round=source.number
            )
        for label in project.labels:
            ml = np.count_nonzero(array == label.value) * geometry.voxel_ml
            row[f"{kind[:-1]}_ml {label.name}"] = f"{ml:.6g}"
        write_array(path.with_name(f"{path.name}.nii.gz"), array, geometry)

    export.write_each(one)
    for case, problem in export.result.failed.items():
        rows[case]["problem"] = problem
    write_table(export.folder / "summary.csv", list(rows.values()))
    write_table(export.folder / "structures.csv", _structures(project))
    write_text(export.folder / "labels.txt", label_description(segments_of(project.labels, "not annotated")))


def _row(project: Project, case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "split": case.split,
        "state": case.state,
        "unseen": "yes" if case.unseen else "",
        "slices_looked_at": "" if case.looked is None else len(case.looked),
        "seconds_spent": round(case.seconds_spent, 1),
        "dice_of_prediction": "" if case.dice is None else f"{case.dice:.4f}",
        "label_version": (case.label_version or "")[:16],
        "round": "",
        **{f"uncertainty_{region}": "" for region in FLAGGED},
        **{f"{kind}_ml {label.name}": "" for kind in ("label", "prediction") for label in project.labels},
        "problem": "",
    }


def _structures(project: Project) -> list[dict[str, Any]]:
    return [
        {"value": 0, "name": "background", "color": ""},
        *({"value": label.value, "name": label.name, "color": label.color} for label in project.labels),
        {"value": IGNORE, "name": "not annotated", "color": ""},
    ]
