"""The four regions under each definition, of one trained round: how large each is and how often it is wrong.

    python Testing/benchmarks/region_definitions.py PROJECT --truth DIR [--round N] [--cases validation]

Everything is counted within 3 voxels of the structures, predicted or annotated. Thresholds come from unlabelled cases.
docs/REGION_MAP.md holds the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from metassl.data.preprocess import to_grid
from metassl.evaluation.region_errors import RegionErrors, foreground_band
from metassl.imaging.images import IGNORE, read_image, read_labels
from metassl.inference.calibration import calibrate_thresholds
from metassl.inference.model import TrainedModel
from metassl.inference.region_map import OFFICIAL, SYMMETRIC, region_map
from metassl.inference.sliding_window import predict_pair
from metassl.networks.device import choose_device
from metassl.project.masks import ERROR_BAND_VOXELS
from metassl.project.project import Project
from metassl.project.round_choice import model_round

CALIBRATION_CASES = 16


def pairs(project: Project, model: TrainedModel, cases: list[str]):
    """(case, softmaxes of the pair on the plan's grid, the transform back)."""
    for case_id in cases:
        prepared = to_grid(read_image(project.image_paths(case_id), case_id), model.plan, case_id)
        softmaxes = predict_pair(model.networks, prepared.array, model.plan, model.device, point=model.point)
        yield case_id, softmaxes, prepared.transform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--round", type=int)
    parser.add_argument("--cases", default="test", choices=("test", "validation"))
    arguments = parser.parse_args()
    project = Project.open(arguments.project)
    found = model_round(project) if arguments.round is None else project.round(arguments.round)
    model = TrainedModel.load(found.model_path, choose_device("auto"))
    pool = found.record["unlabelled"][:CALIBRATION_CASES]
    softmaxes = [softmax for _, softmax, _ in pairs(project, model, pool)]
    own = calibrate_thresholds(softmaxes, model.plan)
    definitions = {
        "all voxels, DC: both confident (official)": (
            calibrate_thresholds(softmaxes, model.plan, OFFICIAL),
            OFFICIAL,
        ),
        "near the structures, DC: both confident": (own[0], OFFICIAL),
        "near the structures, DC: at least one": (own[0], SYMMETRIC),
        "the same, own thresholds where they differ (symmetric)": (own, SYMMETRIC),
    }
    errors = {name: RegionErrors() for name in definitions}
    members = project.test_cases() if arguments.cases == "test" else project.validation_cases()
    for case_id, softmax, transform in pairs(project, model, [case.id for case in members]):
        truth, _ = read_labels(arguments.truth / f"{case_id}.nii.gz", case_id)
        first, second = (whole(transform, part) for part in softmax)
        for name, (thresholds, definition) in definitions.items():
            maps = region_map(first, second, thresholds, definition)
            shown = np.asarray(model.values, np.uint8)[maps.classes.numpy()]
            band = foreground_band(shown, truth, ERROR_BAND_VOXELS) & (truth != IGNORE)
            errors[name].add(maps.regions.numpy(), shown != truth, band)
    table = {name: {**each.table(), "flagged": each.flagged()} for name, each in errors.items()}
    print(json.dumps({"round": found.number, "cases": arguments.cases, "definitions": table}, indent=1))
    for name, rows in table.items():
        cells = [f"{region} {percent(rows[region])}" for region in ("UC", "US", "DC", "DS", "flagged")]
        print(f"{name}: {', '.join(cells)}; errors flagged {100 * rows['flagged']['share_of_errors']:.0f} %")


def whole(transform, softmax: np.ndarray) -> torch.Tensor:
    """(K, z, y, x) on the image's own grid."""
    return torch.cat([part for _, (part,) in transform.restore_slabs(softmax)], dim=1)


def percent(row: dict) -> str:
    rate = "-" if row["error_rate"] is None else f"{100 * row['error_rate']:.1f} %"
    return f"{rate} wrong in {100 * row['share_of_volume']:.2f} %"


if __name__ == "__main__":
    main()
