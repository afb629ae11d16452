"""Models that nnU-Net itself has trained say the same here as by nnU-Net's own predictor."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from metassl.data.preprocess import to_grid
from metassl.exports import export_project
from metassl.imaging import Geometry, write_array
from metassl.imaging.images import read_image
from metassl.inference.elsewhere.sources import nnunet_model
from metassl.inference.sliding_window import predict_pair
from metassl.project import Case, LabelDefinition, Project

if importlib.util.find_spec("nnunetv2") is None:
    pytest.skip("nnunetv2 is not installed: make model-test", allow_module_level=True)

HERE = Path(__file__).parent
IMAGES = HERE.parents[2] / "shared" / "data" / "Task04_Hippocampus"
STEPS, WIDTH = os.environ.get("MODEL_STEPS", "250"), "8"
MODELS = {
    "plain": "nnUNetTrainer__nnUNetPlans__3d_fullres",
    "slices": "nnUNetTrainer__nnUNetPlans__2d",
    "residual": "nnUNetTrainer__nnUNetResEncUNetMPlans__3d_fullres",
}
TRAINED = ("3d_fullres:ExperimentPlanner:0,1", "2d:ExperimentPlanner:0,1", "3d_fullres:nnUNetPlannerResEncM:0")
EQUAL_LABELS, CLOSE, CLOSE_VOXELS = 0.999, 1e-3, 0.9999
"""nnU-Net adds logits up in half precision: which way the last bit falls may differ in a few voxels of a million."""


def python(*words: object) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """nnU-Net's results on twenty hippocampi; minutes of training. MODEL_RESULTS: those of a former run."""
    if not IMAGES.is_dir():
        pytest.skip(f"the real images are not here: {IMAGES}")
    if kept := os.environ.get("MODEL_RESULTS"):
        return Path(kept)
    place = tmp_path_factory.mktemp("nnunet")
    structures = [LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")]
    labels = sorted((IMAGES / "labelsTr").glob("hippocampus_*.nii.gz"))[:20]
    with Project.making(place / "project", "Hippocampi", structures, ["MRI"]) as project:
        project.add_cases(
            [Case(path.name.removesuffix(".nii.gz"), [str(IMAGES / "imagesTr" / path.name)]) for path in labels]
        )
    for path in labels:
        project.add_label(path.name.removesuffix(".nii.gz"), path, names={1: "Anterior", 2: "Posterior"})
    raw = place / "raw" / "Dataset504_Hippocampus"
    export_project(project, raw, format="nnunet")
    python(HERE / "train_nnunet.py", raw, place, *TRAINED, "--steps", STEPS, "--width", WIDTH)
    return place / "results" / raw.name


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    """Four that no model has seen: as it is, with air round it and other voxels, of thick slices, and a large one."""
    folder = tmp_path_factory.mktemp("images")
    path = sorted((IMAGES / "imagesTr").glob("hippocampus_*.nii.gz"))[30]
    image = read_image([path], "case")
    array, direction = image.array[0], image.geometry.direction

    def written(name: str, array: np.ndarray, spacing: tuple[float, float, float]) -> Path:
        shape = (array.shape[2], array.shape[1], array.shape[0])
        write_array(folder / name, array.astype(np.float32), Geometry(shape, spacing, (3.0, 4.0, 5.0), direction))
        return folder / name

    return [
        path,
        written("air.nii.gz", np.pad(array, ((5, 3), (4, 9), (0, 2))), (1.2, 0.9, 0.8)),
        written("thick.nii.gz", array[::4], (0.9, 1.1, 4.0)),
        written("large.nii.gz", np.tile(array, (2, 2, 1)), (1.0, 1.0, 1.0)),
    ]


def by_nnunet(model: Path, fold: str, images: list[Path], out: Path) -> list[dict[str, np.ndarray]]:
    out.mkdir()
    python(HERE / "nnunet_itself.py", model, out, fold, *images)
    return [dict(np.load(out / f"{number}.npz")) for number in range(len(images))]


def compare(folder: Path, fold: int, images: list[Path], out: Path) -> None:
    """Asserts that the network of a fold says the same of all images."""
    model = nnunet_model(folder, torch.device("cpu"))
    structures = 0
    for path, theirs in zip(images, by_nnunet(folder, str(fold), images, out), strict=True):
        prepared = to_grid(read_image([path], "case"), model.plan, "case")
        (found,) = predict_pair([model.networks[fold]], prepared.array, model.plan, model.device)
        ours = prepared.transform.restore(found)
        difference = np.abs(ours - theirs["probabilities"]).max(0)
        equal = np.mean(ours.argmax(0) == theirs["labels"])
        structures += np.count_nonzero(theirs["labels"])
        print(f"{folder.name} fold {fold} {path.name}: largest difference {difference.max():.6f}, {equal:.6f} equal")
        assert equal >= EQUAL_LABELS
        assert np.mean(difference <= CLOSE) >= CLOSE_VOXELS and difference.max() < 10 * CLOSE
    print(f"{folder.name} fold {fold}: {structures} voxels of structures")


@pytest.mark.parametrize(("name", "fold"), [("plain", 0), ("plain", 1), ("slices", 0), ("slices", 1), ("residual", 0)])
def test_each_fold_says_the_same_as_by_nnunets_predictor(results, images, tmp_path, name, fold):
    compare(results / MODELS[name], fold, images, tmp_path / "out")


def test_a_model_of_low_resolution_says_the_same_too(results, images, tmp_path):
    folder = tmp_path / "lowres"
    shutil.copytree(results / MODELS["plain"], folder)
    plans = json.loads((folder / "plans.json").read_text(encoding="utf-8"))
    plans["configurations"]["3d_fullres"]["spacing"] = [1.6, 1.4, 1.5]
    (folder / "plans.json").write_text(json.dumps(plans), encoding="utf-8")
    compare(folder, 0, images, tmp_path / "out")


@pytest.mark.parametrize("name", ["plain", "slices"])
def test_both_folds_together_label_voxels_as_nnunet_with_both(results, images, tmp_path, name):
    model = nnunet_model(results / MODELS[name], torch.device("cpu"))
    for path, theirs in zip(
        images, by_nnunet(results / MODELS[name], "all folds", images, tmp_path / "out"), strict=True
    ):
        prepared = to_grid(read_image([path], "case"), model.plan, "case")
        pair = predict_pair(model.networks, prepared.array, model.plan, model.device)
        ours = sum(prepared.transform.restore(softmax) for softmax in pair)
        equal = np.mean(ours.argmax(0) == theirs["labels"])
        print(f"{name}, both folds, {path.name}: {equal:.6f} equal")
        assert equal >= EQUAL_LABELS, "the mean of softmaxes is not that of logits, and nearly so"
