"""How often the map is right: P(error | region) on validation cases and on the corrections made so far."""

from __future__ import annotations

import numpy as np

from metassl.data.preprocess import to_grid
from metassl.evaluation.region_errors import RegionErrors
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import predict_prepared
from metassl.inference.region_map import UC
from metassl.project.errors import MetaSSLError
from metassl.project.images import IGNORE, read_image, read_labels
from metassl.project.project import Project
from metassl.project.rounds import Round

REVIEWED = ("accepted", "corrected")


def measured_error_rates(project: Project, found: Round, model: TrainedModel) -> dict | None:
    """{"rates": {"UC": rate or None, ...}, "validation_cases": n, "corrected_cases": n}, or None without either."""
    errors = RegionErrors()
    validation = [case for case in project.validation_cases() if _add_validation(errors, project, case.id, model)]
    reviewed = [case for case in project.labelled_cases() if case.state in REVIEWED]
    corrected = [case for case in reviewed if _add_correction(errors, project, case.id, found.number)]
    if not validation and not corrected:
        return None
    table = errors.table()
    return {
        "rates": {region: row["error_rate"] for region, row in table.items()},
        "validation_cases": len(validation),
        "corrected_cases": len(corrected),
    }


def _add_validation(errors: RegionErrors, project: Project, case_id: str, model: TrainedModel) -> bool:
    try:
        image = read_image(project.image_paths(case_id), case_id)
        label, geometry = project.read_label(case_id)
        prediction = predict_prepared(model, to_grid(image, model.plan, case_id))
    except MetaSSLError:
        return False
    if prediction.geometry.difference(geometry):
        return False
    errors.add(prediction.regions, prediction.segmentation != label, label != IGNORE)
    return True


def _add_correction(errors: RegionErrors, project: Project, case_id: str, before: int) -> bool:
    """The last prediction that an earlier round made of a case that was then accepted or corrected."""
    for earlier in reversed(project.rounds()):
        paths = earlier.prediction(case_id)
        if earlier.number >= before or not paths.complete:
            continue
        try:
            segmentation, _ = read_labels(paths.segmentation, case_id)
            regions, _ = read_labels(paths.regions, case_id)
            label, _ = project.read_label(case_id)
        except MetaSSLError:
            return False
        looked_at = label != IGNORE
        if np.array_equal(looked_at, regions == UC):
            return False  # the confident part was kept as it was: nobody has looked for errors there
        errors.add(regions, segmentation != label, looked_at)
        return True
    return False
