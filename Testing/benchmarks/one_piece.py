"""What showing structures in one piece brings, and whether it is safe. Nothing is trained.

    python Testing/benchmarks/one_piece.py DATA OUT.json NAME=MODEL.pt [NAME=MODEL.pt ...]

DATA is a Decathlon folder with splits.json; the models have seen neither its `val` nor its `test`. The annotations of
`val` say which structures are one piece, as those of a project do. For each model the test cases with all pieces and
with one: Dice, HD95, how many cases gain or lose 0.001 of Dice or more, how many of the voxels that were taken off were
wrong, and how many of them are then among the most uncertain 15 % near the structures. OUT.json keeps other models.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metassl.data.preprocess import prepare_image
from metassl.evaluation.metrics import case_metrics
from metassl.evaluation.region_errors import foreground_band
from metassl.files.json_files import read_json, write_json
from metassl.imaging.images import read_labels
from metassl.inference.model import TrainedModel
from metassl.inference.operating_point.one_piece import classes_in_one_piece
from metassl.inference.operating_point.point import AS_IT_IS, Point
from metassl.inference.predictor import predict_prepared
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.project.structures import LabelDefinition

NOTABLE, FLAGGED = 0.001, 0.15


def prepared_case(data: Path, name: str, model: TrainedModel) -> tuple[Any, np.ndarray]:
    (image,) = (data / "imagesTr").glob(f"{name}*")
    (label,) = (data / "labelsTr").glob(f"{name}*")
    return prepare_image([image], model.plan, name), read_labels(label, name)[0]


def as_classes(model: TrainedModel, data: Path, name: str) -> np.ndarray:
    """The annotation on the plan's grid, in the model's classes."""
    prepared, label = prepared_case(data, name, model)
    table = np.zeros(256, np.uint8)
    table[model.values] = np.arange(len(model.values))
    found: np.ndarray = table[prepared.transform.labels_to_grid(label)]
    return found


def measured(data: Path, path: Path) -> dict[str, Any]:
    model = replace(TrainedModel.load(path, torch.device("cpu")), point=AS_IT_IS, error_model=None)
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    known = [(as_classes(model, data, name), ()) for name in splits["val"]]
    chosen = classes_in_one_piece(known, len(model.values))
    one = replace(model, point=Point(None, list(chosen)))
    rows, wrong, flagged, taken = [], 0, 0, 0
    for name in splits["test"]:
        prepared, label = prepared_case(data, name, model)
        spacing = prepared.transform.geometry.spacing_zyx
        before, after = (predict_prepared(each, prepared) for each in (model, one))
        rows.append([_means(found.segmentation, label, spacing, model.values) for found in (before, after)])
        off = before.segmentation != after.segmentation
        band = foreground_band(before.segmentation, label, ERROR_BAND_VOXELS)
        limit = np.quantile(after.uncertainty[band], 1 - FLAGGED)
        taken += int(off.sum())
        wrong += int((before.segmentation != label)[off].sum())
        flagged += int((after.uncertainty[off] >= limit).sum())
    table = np.array(rows)
    gain = table[:, 1, 0] - table[:, 0, 0]
    return {
        "data": data.name,
        "steps": model.step,
        "one_piece": {str(model.values[k]): number for k, number in chosen.items()},
        "test_cases": len(rows),
        "dice": np.nanmean(table[:, :, 0], axis=0).round(4).tolist(),
        "hd95_mm": np.nanmean(table[:, :, 1], axis=0).round(2).tolist(),
        "better": int((gain >= NOTABLE).sum()),
        "worse": int((gain <= -NOTABLE).sum()),
        "worst": round(float(gain.min()), 4),
        "voxels": {"taken_off": taken, "were_wrong": wrong, "most_uncertain_afterwards": flagged},
    }


def _means(found: np.ndarray, label: np.ndarray, spacing: tuple[float, ...], values: list[int]) -> list[float]:
    metrics = case_metrics(found, label, spacing, [LabelDefinition(value, str(value)) for value in values[1:]]).values()
    return [float(np.nanmean([each[name] for each in metrics])) for name in ("dice", "hd95_mm")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL.pt")
    arguments = parser.parse_args()
    for named in arguments.models:
        name, _, path = named.partition("=")
        kept = read_json(arguments.out, "the results")["models"] if arguments.out.exists() else {}
        found = measured(arguments.data, Path(path))
        write_json(arguments.out, {"models": {**kept, name: found}})
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
