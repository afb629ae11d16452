"""Evaluate predictions against true annotations: one dictionary, ready to be written as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from metassl.files.errors import MetaSSLError
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.project.structures import LabelDefinition

from .bootstrap import bootstrap_interval, bootstrap_pooled, bootstrap_ratio, nan_mean
from .dice_model import dice_agreement
from .measure import CaseMeasures, EvaluationItem
from .pairs import pair_with_truth
from .region_errors import REGIONS, RegionErrors
from .table import format_table
from .uncertainty import BINS, UncertaintyScore, auroc

__all__ = ["EvaluationItem", "evaluate", "format_table", "pair_with_truth"]

_METRICS = ("dice", "hd95_mm", "assd_mm")


def evaluate(
    items: Iterable[EvaluationItem],
    labels: Sequence[LabelDefinition],
    report: Callable[[int, str], None] | None = None,
) -> dict[str, Any]:
    """Measure every item; a case that cannot be measured is named in "failed", the rest go on.

    The result holds plain numbers, None where a figure is not defined, and never NaN:

    - "n_cases", "labels", "failed" {case: reason}
    - "dice", "hd95_mm", "assd_mm": {"mean", "interval", "per_class", "per_class_interval"}; the
      mean is over classes of each class's mean over cases, intervals are 95 % over cases
    - "missed", "invented": {label: number of cases}
    - "regions": {"UC" | "US" | "DC" | "DS": {"voxels", "errors", "error_rate",
      "error_rate_interval", "share_of_volume", "share_of_errors"}}, "flagged": the last three
      regions together
    - "uncertainty": {"auroc", "auroc_interval", "auprc", "ece", "reliability", ...}
    - "band": regions, flagged, AUROC and so on within 3 voxels of the structures, with
      "errors_in_flagged_share" {percent of the band: share of its errors}, and "error_probability",
      the same of the learnt P(error), None where the round has none
    - "predicted_dice": does the predicted Dice follow the true one (see `dice_agreement`), or None
    - "fitted_on": the cases that "error_probability" and "predicted_dice" leave out (see `EvaluationItem`)
    - "notes": what was taken over from the truths in another way than by their numbers
    - "cases": {case: {"dice", "labels", "missed", "invented", "voxels", "wrong_voxels", "auroc"}}

    `report(done, case)` is called after each case. Raises MetaSSLError when there is no item.
    """
    measured: dict[str, CaseMeasures] = {}
    failed: dict[str, str] = {}
    for done, item in enumerate(items, start=1):
        try:
            measured[item.case] = CaseMeasures(item, labels)
        except MetaSSLError as error:
            failed[item.case] = str(error)
        if report is not None:
            report(done, item.case)
    if not measured and not failed:
        raise MetaSSLError("there is nothing to evaluate: no predicted case has a true annotation")
    result: dict[str, Any] = jsonable(_result(measured, failed, [label.name for label in labels]))
    return result


def jsonable(value: Any) -> Any:
    """The same with plain Python numbers, and None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _result(measured: dict[str, CaseMeasures], failed: dict[str, str], names: list[str]) -> dict[str, Any]:
    cases = list(measured.values())
    regions = [case.regions for case in cases]
    scores = [case.uncertainty for case in cases]
    return {
        "n_cases": len(cases),
        "labels": names,
        **{metric: _over_cases(metric, cases, names) for metric in _METRICS},
        "missed": {name: sum(name in case.missed for case in cases) for name in names},
        "invented": {name: sum(name in case.invented for case in cases) for name in names},
        "regions": _regions(regions),
        "flagged": _total(regions).flagged(),
        "uncertainty": {**_uncertainty(scores), "reliability": _merged(scores).reliability()},
        "band": _band(cases),
        "predicted_dice": dice_agreement([(c.predicted_dice, c.dice) for c in cases if c.predicted_dice]),
        "fitted_on": [name for name, case in measured.items() if case.fitted],
        "cases": {name: _case(case) for name, case in measured.items()},
        "notes": [note for case in cases for note in case.notes],
        "failed": failed,
    }


def _over_cases(metric: str, cases: list[CaseMeasures], names: list[str]) -> dict[str, Any]:
    rows = [[case.metrics[name][metric] for name in names] for case in cases]
    table = np.array(rows, float).reshape(len(cases), len(names))
    means = nan_mean(table.T)
    intervals = [bootstrap_interval(column) for column in table.T]
    return {
        "mean": float(nan_mean(means)),
        "interval": bootstrap_interval(table),
        "per_class": dict(zip(names, means, strict=True)),
        "per_class_interval": dict(zip(names, intervals, strict=True)),
    }


def _regions(each: list[RegionErrors]) -> dict[str, dict[str, Any]]:
    table = _total(each).table()
    counts = np.array([one.counts for one in each]).reshape(len(each), 5, 2)
    for code, name in REGIONS.items():
        voxels, errors = counts[:, code].T
        table[name]["error_rate_interval"] = bootstrap_ratio(errors, voxels)
    return table


def _uncertainty(scores: list[UncertaintyScore]) -> dict[str, Any]:
    counts = np.array([score.counts for score in scores]).reshape(-1, 2, BINS)
    interval = bootstrap_pooled(counts, _auroc_or_nan)
    return {**_merged(scores).summary(), "auroc_interval": interval}


def _band(cases: list[CaseMeasures]) -> dict[str, Any]:
    regions = [case.band_regions for case in cases]
    scores = [case.band_uncertainty for case in cases]
    return {
        "within_voxels": ERROR_BAND_VOXELS,
        "regions": _regions(regions),
        "flagged": _total(regions).flagged(),
        **_uncertainty(scores),
        "errors_in_flagged_share": _merged(scores).errors_in_flagged_share(),
        "error_probability": _error_probability(cases),
    }


def _error_probability(cases: list[CaseMeasures]) -> dict[str, Any] | None:
    scores = [case.band_error_probability for case in cases]
    total = _merged(scores)
    if not total.counts.any():
        return None
    return {**_uncertainty(scores), "errors_in_flagged_share": total.errors_in_flagged_share()}


def _case(case: CaseMeasures) -> dict[str, Any]:
    return {
        "dice": case.dice,
        "predicted_dice": case.predicted_dice and asdict(case.predicted_dice),
        "labels": case.metrics,
        "missed": case.missed,
        "invented": case.invented,
        "voxels": case.voxels,
        "wrong_voxels": case.wrong,
        "auroc": case.uncertainty.auroc,
        "errors_flagged": case.regions.flagged()["share_of_errors"],
    }


def _total(each: list[RegionErrors]) -> RegionErrors:
    total = RegionErrors()
    for one in each:
        total.counts += one.counts
    return total


def _merged(scores: list[UncertaintyScore]) -> UncertaintyScore:
    total = UncertaintyScore()
    for score in scores:
        total.merge(score)
    return total


def _auroc_or_nan(counts: np.ndarray) -> float:
    found = auroc(counts)
    return math.nan if found is None else found
