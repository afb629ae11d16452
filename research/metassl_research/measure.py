"""What is measured of one run: its training, and its last and its best model on the test cases."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metassl.evaluation.evaluate import evaluate
from metassl.evaluation.measure import EvaluationItem
from metassl.files.errors import MetaSSLError
from metassl.inference.predictor import CasePrediction, write_prediction
from metassl.jobs.events import read_events
from metassl.networks.checkpoint import load_checkpoint
from metassl.project.records import Summary
from metassl.project.rounds import PredictionPaths, Round

from metassl_research.experiment import Experiment

METRICS = ("dice", "hd95_mm", "assd_mm")


@dataclass(frozen=True)
class Segmentation:
    """A prediction without its maps, for `EvaluationItem`."""

    segmentation: Path
    regions: None = None
    uncertainty: None = None


def measured(experiment: Experiment, found: Round) -> dict[str, Any]:
    """Of a finished round {"round", "steps", "seconds", "device", "threads", "versions", "last", "best"}.

    "last": {metric: {"mean", "per_class"}} for Dice, HD95 and ASSD in mm, "cases" {case: Dice}, and the map's "regions"
    {name: {"error_rate", "share"}}, "auroc" and "errors_in_15_percent" in the band around the structures; "learnt": the
    last two of the learnt P(error), None where the round has none.
    "best": {"step", metrics}, or None without validation cases. Raises MetaSSLError when a case cannot be measured.
    """
    state = load_checkpoint(found.last_checkpoint_path)
    started = [event for event in read_events(found.events_path) if event.event == "started"][-1]
    last = _evaluated(experiment, found, best=False)
    band = last["band"]
    return {
        "round": found.number,
        "steps": state["step"],
        "seconds": round(state["elapsed"], 1),
        "device": started.device_name,
        "threads": started.threads,
        "versions": found.record["versions"],
        "last": {
            **_metrics(last),
            "cases": {case: row["dice"] for case, row in last["cases"].items()},
            "regions": {
                name: {"error_rate": row["error_rate"], "share": row["share_of_volume"]}
                for name, row in band["regions"].items()
            },
            "auroc": band["auroc"],
            "errors_in_15_percent": band["errors_in_flagged_share"]["15"],
            "learnt": _learnt(band["error_probability"]),
        },
        "best": _best(experiment, found, state["step"], last),
    }


def _best(experiment: Experiment, found: Round, last_step: int, last: dict[str, Any]) -> dict[str, Any] | None:
    if not found.best_path.exists():
        return None
    step = experiment.model(found, best=True).step
    result = last if step == last_step else _evaluated(experiment, found, best=True)
    return {"step": step, **_metrics(result)}


def _learnt(found: dict[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"auroc": found["auroc"], "errors_in_15_percent": found["errors_in_flagged_share"]["15"]}


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: result[name][key] for key in ("mean", "per_class")} for name in METRICS}


def _evaluated(experiment: Experiment, found: Round, best: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        items = _items(experiment, experiment.predictions(found, experiment.test, best), Path(folder), maps=not best)
        result = evaluate(items, experiment.labels)
    if result["failed"]:
        raise MetaSSLError("; ".join(result["failed"].values()))
    return result


def _items(
    experiment: Experiment, predictions: Iterator[tuple[str, CasePrediction]], folder: Path, maps: bool
) -> Iterator[EvaluationItem]:
    """One case at a time, over the files of the one before it."""
    paths = PredictionPaths.at(folder)
    for case_id, prediction in predictions:
        write_prediction(paths, prediction, Summary())
        files = paths if maps else Segmentation(paths.segmentation)
        yield EvaluationItem(case_id, files, experiment.truth(case_id))
