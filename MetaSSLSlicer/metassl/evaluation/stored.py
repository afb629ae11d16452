"""An evaluation that is read back from a file: what the report relies on is checked, and told, here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from metassl.files.errors import ProjectError
from metassl.files.json_files import read_json
from metassl.files.json_kinds import Kind, by_name, list_of, maybe, number, share, text, texts, whole, whole_of
from metassl.project.former_names import renamed
from metassl.project.project import Project
from metassl.project.rounds import Round, trained_on

from .pairs import fitted_on
from .region_errors import REGIONS

_figure, _part = maybe(number), maybe(share)
_interval = list_of(_figure, 2)
_over_cases = whole_of(
    mean=_figure, interval=_interval, per_class=by_name(_figure), per_class_interval=by_name(_interval)
)
_parts = dict.fromkeys(("error_rate", "share_of_volume", "share_of_errors"), _part)
_counted = {"voxels": whole, "errors": whole, **_parts}
_region = whole_of(**_counted, error_rate_interval=_interval)
_found: dict[str, Kind] = {**dict.fromkeys(("auroc", "auprc", "ece"), _figure), "auroc_interval": _interval}
_in_band: dict[str, Kind] = {**_found, "errors_in_flagged_share": by_name(_part)}
_structure = whole_of(dice=_part, hd95_mm=_figure)
_case = whole_of(dice=_part, labels=by_name(_structure), missed=texts, invented=texts, errors_flagged=_part)

_KINDS: dict[str, Kind] = {
    "n_cases": whole,
    "labels": texts,
    "failed": by_name(text),
    **dict.fromkeys(("dice", "hd95_mm", "assd_mm"), _over_cases),
    **dict.fromkeys(("missed", "invented"), by_name(whole)),
    "regions": whole_of(**dict.fromkeys(REGIONS.values(), _region)),
    "flagged": whole_of(**_counted),
    "uncertainty": whole_of(
        **_found,
        voxels=whole,
        reliability=list_of(whole_of(uncertainty=share, error_rate=share, voxels=whole)),
    ),
    "band": whole_of(within_voxels=whole, **_in_band, error_probability=maybe(whole_of(**_in_band))),
    "cases": by_name(_case),
}
_OPTIONAL: dict[str, Kind] = {
    "group": text,
    **dict.fromkeys(("trained_on", "fitted_on", "notes"), texts),
    "predicted_dice": whole_of(
        **dict.fromkeys(("spearman", "mean_error"), _figure),
        **{"cases": whole, "spearman_interval": _interval, "level": share, "coverage": share},
    ),
}


def read_evaluation(path: Path) -> dict[str, Any]:
    """What `evaluate` returned, from a file. ProjectError, which names the file, when it holds something else."""
    remedy = "measure again with `metassl evaluate`"
    found = read_json(path, "the evaluation", {**_KINDS, **_OPTIONAL}, remedy, renamed)
    if missing := [name for name in _KINDS if found.get(name) is None]:
        raise ProjectError(f"{path} is not an evaluation: it has no {missing[0]!r}; {remedy}")
    names = set(found["labels"])
    tables = [
        found[metric][key] for metric in ("dice", "hd95_mm", "assd_mm") for key in ("per_class", "per_class_interval")
    ]
    tables += [found["missed"], found["invented"], *(case["labels"] for case in found["cases"].values())]
    if not all(names <= table.keys() for table in tables):
        raise ProjectError(f"the evaluation is damaged: {path} has no figures for some of its labels; {remedy}")
    return found


def fair_evaluation(evaluation: dict[str, Any], project: Project, found: Round) -> tuple[dict[str, Any], list[str]]:
    """The evaluation, and those of its cases that the model was trained on.

    A former version of `evaluate` judged P(error) and the predicted Dice on such cases too, and on those that they were
    learnt from ("fitted_on"): from its files these figures are left out.
    """
    if evaluation.get("group") == "images":
        return evaluation, []  # not of the project, whatever they are called
    measured = next((one for one in project.rounds() if one.number == evaluation.get("round")), found)
    known = trained_on(measured)
    trained = [case for case in evaluation["cases"] if case in known]
    is_former = "fitted_on" not in evaluation
    if is_former:
        evaluation = {**evaluation, "fitted_on": _fitted(evaluation, project, measured)}
    if trained or (is_former and evaluation["fitted_on"]):
        band = {**evaluation["band"], "error_probability": None}
        evaluation = {**evaluation, "predicted_dice": None, "band": band}
    return evaluation, trained


def _fitted(evaluation: dict[str, Any], project: Project, measured: Round) -> list[str]:
    if not evaluation.get("predicted_dice") and not evaluation["band"].get("error_probability"):
        return []  # nothing was learnt, or nothing judged
    whole = evaluation.get("group") == "validation"
    fitted = fitted_on(project, measured)
    return [case for case in evaluation["cases"] if whole or case in fitted]
