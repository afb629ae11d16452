"""How well the work that a case will cost is foretold, beside its predicted Dice.

    python Testing/benchmarks/effort.py PROJECT TRUTH OUT.json [--tolerances 1.5 2]

PROJECT has a finished round, validation cases and test cases; TRUTH holds CASE.nii.gz of the latter. What is learnt is
learnt on the validation cases alone. Real work: by the same costs, from where the prediction is wrong by more than the
tolerance. Spearman over the test cases; totals over all of them; areas under the curves of slices and of places: how
much of all deep errors is found in the first half of the seconds that it takes to look at all and correct them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from metassl.data.preprocess import prepare_image
from metassl.evaluation.dice_model import spearman
from metassl.evaluation.effort_model import fit_effort_model, measured_effort
from metassl.imaging.images import read_labels
from metassl.inference.deep_errors import expected_deep_errors
from metassl.inference.model import TrainedModel
from metassl.inference.predictor import CasePrediction, Pass, predict_prepared, summarise
from metassl.project import Project
from metassl.project.effort.cost import ASSUMED
from metassl.project.effort.depth import deep_errors
from metassl.project.effort.expected import Effort, EffortModel, expected_effort, slice_sums
from metassl.project.records import ErrorRates
from metassl.project.round_files import read_error_rates


class Cases:
    """The pass over each case is made once."""

    def __init__(self, project: Project, truth: Path) -> None:
        self.project, self.truth = project, truth
        self.round = project.rounds()[-1]
        self.model = TrainedModel.load(self.round.model_path, torch.device("cpu"))
        self.measured = read_error_rates(self.round) or ErrorRates()
        self._made: dict = {}
        self.milliseconds: list[float] = []

    def predict(self, case: str, tolerance_mm: float) -> CasePrediction:
        if case not in self._made:
            prepared = prepare_image(self.project.image_paths(case), self.model.plan, case)
            self._made[case] = prepared, self._pass(prepared.array)
        prepared, made = self._made[case]
        begin = time.perf_counter()
        expected_deep_errors(made.pair, prepared.transform.spacing_zyx, tolerance_mm)
        self.milliseconds.append(1000 * (time.perf_counter() - begin))
        return predict_prepared(self.model, prepared, made, tolerance_mm=tolerance_mm)

    def _pass(self, image: np.ndarray) -> Pass:
        model = self.model
        return Pass.over(model.networks, image, model.plan, model.device, model.point)

    def label(self, case: str) -> np.ndarray:
        return read_labels(self.truth / f"{case}.nii.gz", case)[0]


def real_effort(deep: np.ndarray, expected: Effort) -> tuple[np.ndarray, float]:
    """The deep voxels of each slice, and the seconds that it will have cost."""
    voxels = slice_sums(deep, expected.axis)
    return voxels, ASSUMED.review(expected.looked, float(np.count_nonzero(voxels)), float(voxels.sum()))


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """That a wrong slice has a higher score than one that is not; half where they are alike."""
    right = np.sort(score[~wrong])
    below = np.searchsorted(right, score[wrong], "left") + np.searchsorted(right, score[wrong], "right")
    return float(below.mean() / 2 / len(right))


def found_in_half(order: np.ndarray, deep: np.ndarray, seconds: np.ndarray) -> float:
    """The share of the deep voxels that is found in half of the seconds, in this order."""
    spent, found = np.cumsum(seconds[order]), np.cumsum(deep[order])
    return float(np.interp(spent[-1] / 2, spent, found) / found[-1])


def measure(cases: Cases, tolerance_mm: float) -> dict:
    project, values = cases.project, cases.project.values[1:]
    learnt = []
    for case in project.validation_cases():
        prediction = cases.predict(case.id, tolerance_mm)
        label, grid = project.read_label(case.id)
        learnt.append(
            measured_effort(prediction.segmentation, prediction.deep_errors, label, grid, values, tolerance_mm)
        )
    model = fit_effort_model(learnt, tolerance_mm)
    rows, slices = [], []
    for case in project.test_cases():
        if not (cases.truth / f"{case.id}.nii.gz").is_file():
            continue
        prediction, label = cases.predict(case.id, tolerance_mm), cases.label(case.id)
        summary = summarise(prediction, case.id, 1, project.labels, cases.measured, 1)
        spacing = prediction.geometry.spacing_zyx
        deep = deep_errors(prediction.segmentation, label, spacing, values, tolerance_mm)
        arguments = prediction.segmentation, prediction.deep_errors, prediction.geometry
        expected = expected_effort(*arguments, EffortModel.of(model, tolerance_mm))
        assumed = expected_effort(*arguments, EffortModel.of(None, tolerance_mm))
        real, seconds = real_effort(deep, expected)
        dice = summary.predicted_dice
        doubt = slice_sums(prediction.uncertainty, expected.axis)
        slices.append((np.array(expected.voxels), np.array(expected.wrong), real, doubt))
        rows.append(
            {
                "case": case.id,
                "deep_voxels": float(real.sum()),
                "seconds": seconds,
                "expected_voxels": expected.wrong_voxels,
                "expected_seconds": expected.seconds(),
                "assumed_voxels": assumed.wrong_voxels,
                "assumed_seconds": assumed.seconds(),
                "wrong_slices": int(np.count_nonzero(real)),
                "expected_wrong_slices": expected.wrong_slices,
                "predicted_dice": None if dice is None else dice.mean,
            }
        )
    voxels, wrong, deep_voxels, doubt = (np.concatenate(each) for each in zip(*slices, strict=True))
    column = {name: np.array([row[name] for row in rows], float) for name in rows[0] if name != "case"}
    per_second = column["deep_voxels"] / column["seconds"]
    costs = ASSUMED.look_slice + np.array([ASSUMED.correction(float(each > 0), float(each)) for each in deep_voxels])
    expected_costs = np.array(
        [ASSUMED.look_slice + ASSUMED.correction(*each) for each in zip(wrong, voxels, strict=True)]
    )
    chance = np.random.default_rng(0).permutation(len(voxels))
    return {
        "tolerance_mm": tolerance_mm,
        "test_cases": len(rows),
        "learnt": model,
        "spearman_with_deep_voxels": {
            "expected voxels": spearman(column["expected_voxels"], column["deep_voxels"]),
            "predicted Dice, reversed": spearman(-column["predicted_dice"], column["deep_voxels"]),
        },
        "spearman_with_deep_voxels_per_second": {
            "expected": spearman(column["expected_voxels"] / column["expected_seconds"], per_second),
            "predicted Dice, reversed": spearman(-column["predicted_dice"], per_second),
        },
        "spearman_with_seconds": {
            "expected seconds": spearman(column["expected_seconds"], column["seconds"]),
            "predicted Dice, reversed": spearman(-column["predicted_dice"], column["seconds"]),
        },
        "totals": {name: round(float(values.sum()), 1) for name, values in column.items() if name != "predicted_dice"},
        "mean_error_s": {
            "expected": float(np.abs(column["expected_seconds"] - column["seconds"]).mean()),
            "the mean of all": float(np.abs(column["seconds"].mean() - column["seconds"]).mean()),
        },
        "slices": {
            "auroc, expected": auroc(wrong, deep_voxels > 0),
            "auroc, entropy": auroc(doubt, deep_voxels > 0),
            "found_in_half_of_the_seconds": {
                "expected per second": found_in_half(np.argsort(-voxels / expected_costs), deep_voxels, costs),
                "entropy": found_in_half(np.argsort(-doubt), deep_voxels, costs),
                "at random": found_in_half(chance, deep_voxels, costs),
            },
        },
        "milliseconds_a_case": float(np.median(cases.milliseconds)),
        "cases": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1.5, 2.0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cases = Cases(Project.open(arguments.project), arguments.truth)
    result = [measure(cases, tolerance) for tolerance in arguments.tolerances]
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for each in result:
        print(json.dumps({key: value for key, value in each.items() if key != "cases"}, indent=1))


if __name__ == "__main__":
    main()
