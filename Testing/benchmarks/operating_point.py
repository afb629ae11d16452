"""What the operating point brings: offsets chosen on validation cases, judged on test cases. Nothing is trained.

    python Testing/benchmarks/operating_point.py DATA OUT.json NAME=MODEL.pt [NAME=MODEL.pt ...]

DATA is a Decathlon folder with splits.json; the models have seen neither its `val` nor its `test`. For each model: the
offsets that all validation cases choose, and whether a training would use them; then the test cases without and with
them, used or not, everything else (thresholds, P(error)) made anew from the validation cases: Dice, and within 3 voxels
of the structures AUROC and the share of the errors in the most uncertain 15 %, by the entropy and by the learnt
P(error). And the same choice by 3, 5 and 8 of the validation cases, drawn by chance. OUT.json keeps other models.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metassl.data.preprocess import Prepared, prepare_image
from metassl.evaluation.metrics import dice
from metassl.evaluation.region_errors import foreground_band
from metassl.evaluation.uncertainty import UncertaintyScore
from metassl.files.json_files import read_json, write_json
from metassl.imaging.images import read_labels
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.error_model import checked_error_model, take_sample
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import Pass
from metassl.inference.operating_point.offsets import KnownCase, KnownCases, Offsets, known_case, moved
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.inference.predictor import predict_prepared
from metassl.inference.sliding_window import predict_pair
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.training.operating_point import LEAST_CASES, by_validation

CPU = torch.device("cpu")
DRAWS, SIZES = 40, (3, 5, 8)
SAMPLE = 40_000
FLAGGED = "15"


class Case:
    """An image, the softmaxes of the model on it, not moved, and its annotation."""

    def __init__(self, data: Path, name: str, model: TrainedModel) -> None:
        (image,) = (data / "imagesTr").glob(f"{name}*")
        (label,) = (data / "labelsTr").glob(f"{name}*")
        self.prepared: Prepared = prepare_image([image], model.plan, name)
        self.pair = predict_pair(model.networks, self.prepared.array, model.plan, CPU)
        self.label = read_labels(label, name)[0]
        self.truth = self.prepared.transform.labels_to_grid(self.label)

    def at(self, offsets: Offsets) -> np.ndarray:
        return moved(self.pair.copy(), offsets)

    def known(self, model: TrainedModel) -> KnownCase:
        return known_case(self.pair, self.truth, model.values)


def judged(model: TrainedModel, validation: list[Case], test: list[Case], offsets: Offsets) -> dict[str, Any]:
    """The test cases at these offsets, by a model that was calibrated at them."""
    pairs = [case.at(offsets) for case in validation]
    thresholds = calibrate_thresholds(pairs, model.plan, model.definition)
    samples = [
        take_sample(pair, case.prepared.array, case.truth, model.values, model.plan, place, SAMPLE)
        for place, (case, pair) in enumerate(zip(validation, pairs, strict=True))
    ]
    learnt, _, _ = checked_error_model([sample for sample in samples if sample is not None], model.plan)
    at = replace(model, thresholds=thresholds, error_model=learnt, point=Point(offsets))
    entropy, chance, rows = UncertaintyScore(), UncertaintyScore(), []
    for case in test:
        shown = predict_prepared(at, case.prepared, Pass(case.at(offsets)))
        rows.append([dice(shown.segmentation == value, case.label == value) for value in model.values[1:]])
        wrong = shown.segmentation != case.label
        band = foreground_band(shown.segmentation, case.label, ERROR_BAND_VOXELS)
        entropy.add(shown.uncertainty, wrong, band)
        if shown.error_probability is not None:
            chance.add(shown.error_probability, wrong, band)
    table = np.array(rows)
    return {
        "dice": round(float(np.nanmean(table, axis=1).mean()), 4),
        "per_structure": np.nanmean(table, axis=0).round(4).tolist(),
        "cases": np.nanmean(table, axis=1).round(4).tolist(),
        "entropy": figures(entropy),
        "learnt": None if learnt is None else figures(chance),
    }


def figures(score: UncertaintyScore) -> dict[str, float]:
    share = score.errors_in_flagged_share()[FLAGGED]
    return {"auroc": round(score.auroc or 0.0, 4), f"errors_in_{FLAGGED}_percent": round(share or 0.0, 4)}


def drawn(validation: list[KnownCase], test: KnownCases, values: list[int], size: int) -> dict[str, Any]:
    """Gains in points of Dice on the test cases, where `size` validation cases choose."""
    random = np.random.default_rng(size)
    always, used = [], []
    zero = test.dice(test.zero).mean()
    for _ in range(DRAWS):
        chosen = [validation[place] for place in random.permutation(len(validation))[:size]]
        best = KnownCases(chosen).best()
        always.append(100 * (test.dice(best).mean() - zero))
        used.append(size >= LEAST_CASES and by_validation(chosen, [], values).used)
    gains = np.where(used, always, 0.0)
    return {
        "cases": size,
        "draws": DRAWS,
        "always": {"mean": round(float(np.mean(always)), 2), "worst": round(float(np.min(always)), 2)},
        "as_a_training_does": {
            "used": int(np.sum(used)),
            "mean": round(float(gains.mean()), 2),
            "worst": round(float(gains.min()), 2),
        },
    }


def measured(data: Path, path: Path) -> dict[str, Any]:
    model = replace(TrainedModel.load(path, CPU), point=AS_IT_IS, error_model=None)
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    validation, test = ([Case(data, name, model) for name in splits[part]] for part in ("val", "test"))
    known = [case.known(model) for case in validation]
    point = by_validation(known, [], model.values)
    offsets = [0.0, *point.offsets.values()]
    without, moved_to = (judged(model, validation, test, each) for each in (None, offsets))
    gains = 100 * (np.array(moved_to["cases"]) - np.array(without["cases"]))
    on_grid = KnownCases([case.known(model) for case in test])
    return {
        "data": data.name,
        "framework": model.framework,
        "steps": model.step,
        "validation_cases": len(validation),
        "test_cases": len(test),
        "operating_point": point.to_json(),
        "without": without,
        "with": moved_to,
        "points_of_dice": {
            "mean": round(float(gains.mean()), 2),
            "error": round(float(gains.std(ddof=1) / len(gains) ** 0.5), 2),
        },
        "fewer_validation_cases": [drawn(known, on_grid, model.values, size) for size in SIZES],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL.pt")
    arguments = parser.parse_args()
    for text in arguments.models:
        name, _, path = text.partition("=")
        found = measured(arguments.data, Path(path))
        document = read_json(arguments.out, "the figures") if arguments.out.exists() else {"models": {}}
        document["models"][name] = found
        write_json(arguments.out, document)
        print(name, {key: found[key] for key in ("operating_point", "points_of_dice", "fewer_validation_cases")})


if __name__ == "__main__":
    main()
