"""Real images through fingerprint, plan, preprocessing and back (skipped where they are not)."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from metassl.data.fingerprint import fingerprint
from metassl.data.plan import make_plan
from metassl.data.preprocess import labels_to_grid, to_grid
from metassl.imaging.images import read_image, read_labels

CASES = 12


def real_set(name: str) -> Path:
    """The folder of a real data set beside the repository; skips the test when it is missing."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: {folder}")
    return folder


def read_cases(name: str) -> list[tuple]:
    folder = real_set(name)
    order = json.loads((folder / "splits.json").read_text(encoding="utf-8"))["train_order"]
    spread = order[:: max(1, len(order) // CASES)][:CASES]
    return [
        (
            case,
            read_image([folder / "imagesTr" / f"{case}.nii.gz"], case),
            read_labels(folder / "labelsTr" / f"{case}.nii.gz", case)[0],
        )
        for case in spread
    ]


def plan_for(cases, classes):
    labelled = [(case, image, labels if i < 3 else None) for i, (case, image, labels) in enumerate(cases)]
    return make_plan(fingerprint(labelled), classes, "cpu", 8 * 10**9)


def lowest_dice(first, second):
    values = set(np.unique(second)) - {0}
    overlaps = [(2 * ((first == v) & (second == v)).sum(), (first == v).sum()) for v in values]
    return min(both / (one + (second == v).sum()) for (both, one), v in zip(overlaps, values, strict=True))


def round_trip(image, labels, plan):
    """The lowest Dice of any structure after going to the grid and back as probabilities."""
    prepared = to_grid(image, plan)
    on_grid = labels_to_grid(labels, image.geometry, plan)
    one_hot = np.stack([on_grid == v for v in range(plan.classes)]).astype(np.float32)
    restored = prepared.transform.restore(one_hot).argmax(0)
    assert restored.shape == labels.shape
    return prepared.array.astype(np.float32), on_grid, lowest_dice(restored, labels)


def lowest_dice_of_shares(image, labels, plan):
    """The same, where the grid holds each structure's share of a voxel, as a network may."""
    transform = to_grid(image, plan).transform
    shares = np.empty((plan.classes, *transform.shape_zyx), np.float16)
    for value, share in enumerate(shares):
        transform.to_grid((labels == value).astype(np.float32), share)
    return lowest_dice(transform.restore(shares).argmax(0), labels)


def test_hippocampi_of_all_intensity_scales_look_alike_and_come_back_exactly():
    cases = read_cases("Task04_Hippocampus")
    plan = plan_for(cases, classes=3)
    assert plan.spacing_zyx == (1, 1, 1) and not plan.is_stack
    assert plan.patch_zyx == (40, 56, 40)
    raw, scaled = [], []
    for _, image, labels in cases:
        array, on_grid, dice = round_trip(image, labels, plan)
        assert dice == 1
        assert np.abs(array).max() < 5
        raw.append(image.array[0][labels > 0].mean())
        scaled.append(array[0][on_grid > 0].mean())
    assert max(raw) > 3 * min(raw)
    assert np.std(scaled) < 0.25


def test_heart_stacks_keep_their_slices_and_come_back_nearly_unchanged():
    cases = read_cases("Task27_ACDC")
    plan = plan_for(cases, classes=4)
    assert plan.is_stack and plan.spacing_zyx[0] == 10
    assert 1.6 < plan.spacing_zyx[1] / plan.source_spacing_zyx[1] <= 2
    as_fine = replace(plan, spacing_zyx=plan.source_spacing_zyx)
    lowest = []
    for _, image, labels in cases:
        assert lowest_dice_of_shares(image, labels, plan) > 0.98, "nothing that matters is lost on the coarser plane"
        array, on_grid, dice = round_trip(image, labels, as_fine)
        assert array.shape[1] == labels.shape[0]
        assert np.abs(array).max() < 8
        assert set(np.unique(on_grid)) == set(np.unique(labels))
        lowest.append(dice)
    assert min(lowest) > 0.95 and np.mean(lowest) > 0.98
