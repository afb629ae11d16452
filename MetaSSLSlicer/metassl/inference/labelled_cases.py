"""What is known of the labelled cases of a round: written beside its model, read when cases are ranked."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from metassl.data.streams import PreparedCase
from metassl.files.errors import MetaSSLError
from metassl.files.json_files import write_json
from metassl.inference.features import image_features
from metassl.inference.model import TrainedModel
from metassl.inference.smaller_windows import with_smaller_windows
from metassl.project.project import Project
from metassl.project.rounds import Round


def write_labelled_cases(project: Project, found: Round, model: TrainedModel, cases: Iterable[PreparedCase]) -> None:
    """Features and the annotated volume of every structure, in ml, of the cases that the round learnt from."""
    path = found.labelled_path
    if path.exists():
        return
    entries = {}
    for case in cases:
        features = with_smaller_windows(model, case.id, partial(_features, image=case.image))
        entries[case.id] = {"features": features, "volume_ml": _volumes(project, found, case.id)}
    write_json(path, {"cases": entries})


def _features(model: TrainedModel, image: np.ndarray) -> list[float] | None:
    return image_features(model.networks[0], image, model.plan, model.device)


def _volumes(project: Project, found: Round, case_id: str) -> dict[str, float]:
    try:
        label, geometry = project.read_label(case_id, found.record["labels"][case_id])
    except MetaSSLError:
        return {}  # its file went away meanwhile
    voxels = np.bincount(label.ravel(), minlength=256)
    return {each.name: float(voxels[each.value] * geometry.voxel_ml) for each in project.labels}
