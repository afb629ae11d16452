"""How good the segmentations of the test cases are: the same of every arm, and one number a case and measure."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from metassl.evaluation.evaluate import evaluate, jsonable
from metassl.evaluation.measure import EvaluationItem
from metassl.files.errors import MetaSSLError
from metassl.imaging.images import read_labels
from metassl.imaging.writer import write_array
from metassl.inference.predictor import CasePrediction

from metassl_research.experiment import Experiment
from metassl_research.measure import Segmentation
from metassl_research.peers.raw_dataset import translated

MEASURES = "dice", "hd95_mm"


def of_files(experiment: Experiment, files: dict[str, Path]) -> dict[str, Any]:
    """{"dice", "hd95_mm": mean over the cases, "cases": {case: {measure: mean over its structures}}, "missed"}.

    files: {case: its segmentation}, with structures as 1, 2, ... in the project's order. "missed": how often a
    structure was not found at all, which has a Dice of 0 and no HD95. MetaSSLError when a case cannot be measured.
    """
    values = {place: label.value for place, label in enumerate(experiment.labels, start=1)}

    def items() -> Iterable[EvaluationItem]:
        with tempfile.TemporaryDirectory() as folder:
            for case, path in files.items():
                labels, grid = read_labels(path, case)
                written = Path(folder) / "segmentation.nii.gz"
                write_array(written, translated(labels, values), grid)
                yield EvaluationItem(case, Segmentation(written), experiment.truth(case))

    return _figures(experiment, items())


def of_predictions(experiment: Experiment, predictions: Iterable[tuple[str, CasePrediction]]) -> dict[str, Any]:
    """The same of predictions in memory."""

    def items() -> Iterable[EvaluationItem]:
        with tempfile.TemporaryDirectory() as folder:
            for case, found in predictions:
                written = Path(folder) / "segmentation.nii.gz"
                write_array(written, found.segmentation, found.geometry)
                yield EvaluationItem(case, Segmentation(written), experiment.truth(case))

    return _figures(experiment, items())


def _figures(experiment: Experiment, items: Iterable[EvaluationItem]) -> dict[str, Any]:
    result = evaluate(items, experiment.labels)
    if result["failed"]:
        raise MetaSSLError("; ".join(result["failed"].values()))
    cases = {
        case: {measure: _mean(each[measure] for each in row["labels"].values()) for measure in MEASURES}
        for case, row in result["cases"].items()
    }
    found: dict[str, Any] = jsonable(
        {
            **{measure: _mean(row[measure] for row in cases.values()) for measure in MEASURES},
            "cases": cases,
            "missed": sum(result["missed"].values()),
        }
    )
    return found


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else math.nan
