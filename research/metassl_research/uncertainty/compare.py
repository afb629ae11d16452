"""Measure every method on the same cases, against the errors of the same segmentation: the one that is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from metassl.evaluation.bootstrap import bootstrap_pooled
from metassl.evaluation.evaluate import jsonable
from metassl.evaluation.metrics import dice
from metassl.evaluation.region_errors import MapErrors, foreground_band
from metassl.evaluation.uncertainty import UncertaintyScore, auroc, calibration_error_on_unseen
from metassl.files.errors import LabelError, MetaSSLError
from metassl.imaging.images import IGNORE, read_image, read_labels
from metassl.inference.model import TrainedModel
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.project.structures import LabelDefinition

from metassl_research.uncertainty.methods import Method, Score, score_case


class Comparison:
    """Adds up cases. Voxels count that lie within 3 voxels of a structure, shown or annotated."""

    def __init__(self, labels: Sequence[LabelDefinition]) -> None:
        self.labels = labels
        self.map = MapErrors({label.value: label.name for label in labels})
        self.scores: dict[Method, list[UncertaintyScore]] = {}
        self.dice: dict[Method, list[list[float]]] = {}
        self.seconds: dict[Method, float] = {}
        self.cases: list[str] = []

    def add(self, case: str, shown: Any, found: Mapping[Method, Score], truth: np.ndarray) -> None:
        """`shown`: a CasePrediction; `truth`: annotation values (z, y, x), 255 where nothing was annotated."""
        known = truth != IGNORE
        wrong = shown.segmentation != truth
        band = foreground_band(shown.segmentation, truth, ERROR_BAND_VOXELS) & known
        self.map.add(shown.segmentation, shown.regions, shown.uncertainty, truth)
        for method, each in found.items():
            score = UncertaintyScore()
            score.add(each.score, wrong, band)
            self.scores.setdefault(method, []).append(score)
            own = [dice((each.segmentation == one.value) & known, truth == one.value) for one in self.labels]
            self.dice.setdefault(method, []).append(own)
            self.seconds[method] = self.seconds.get(method, 0.0) + each.seconds
        self.cases.append(case)

    def result(self) -> dict[str, Any]:
        """{"cases", "within_voxels", "methods": [...], "regions", "class_rates"}; "-" figures are None."""
        found = self.map.to_json() if self.cases else {"band": {"regions": {}}, "class_rates": {}}
        result: dict[str, Any] = jsonable(
            {
                "cases": self.cases,
                "within_voxels": ERROR_BAND_VOXELS,
                "methods": [self._row(method) for method in self.scores],
                "regions": found["band"]["regions"],
                "class_rates": found["class_rates"],
            }
        )
        return result

    def _row(self, method: Method) -> dict[str, Any]:
        scores, total = self.scores[method], UncertaintyScore()
        for score in scores:
            total.merge(score)
        counts = np.array([score.counts for score in scores])
        table = np.array(self.dice[method], float)
        known = [column[~np.isnan(column)] for column in table.T]
        per_class = {
            label.name: float(column.mean()) if column.size else math.nan
            for label, column in zip(self.labels, known, strict=True)
        }
        means = [value for value in per_class.values() if not math.isnan(value)]
        return {
            "name": method.name,
            "passes": method.passes,
            "seconds": self.seconds[method] / len(scores),
            **total.summary(),
            "auroc_interval": bootstrap_pooled(counts, lambda pooled: auroc(pooled) or math.nan),
            "ece": total.ece if method.is_share else None,
            "ece_calibrated": calibration_error_on_unseen(list(counts)),
            "errors_in_flagged_share": total.errors_in_flagged_share(),
            "dice": {"mean": float(np.mean(means)) if means else math.nan, "per_class": per_class},
        }


def compare(
    model: TrainedModel,
    cases: Mapping[str, tuple[Sequence[Path], Path]],
    labels: Sequence[LabelDefinition],
    second: TrainedModel | None = None,
    report: Callable[[int, str], None] | None = None,
) -> dict[str, Any]:
    """`Comparison.result()` and "failed" {case: reason}. `cases`: {case: (images, true annotation)}.

    Raises MetaSSLError when `second` has other labels or channels.
    """
    if second is not None and (second.values, second.plan.in_channels) != (model.values, model.plan.in_channels):
        raise MetaSSLError("the second model has other labels or channels than the first: give one of the same project")
    comparison, failed = Comparison(labels), {}
    for done, (case, (images, truth_path)) in enumerate(cases.items(), start=1):
        try:
            image = read_image(list(images), case)
            truth, grid = read_labels(truth_path, case)
            if difference := grid.difference(image.geometry):
                raise LabelError(f"case {case}: {truth_path} is not on the image's grid: {difference}")
            comparison.add(case, *score_case(model, image, case, second), truth)
        except MetaSSLError as error:
            failed[case] = str(error)
        if report is not None:
            report(done, case)
    return {**comparison.result(), "failed": failed}
