"""Writes a small project as the present version does, for all later versions to open.

    python Testing/data/projects/make.py

Run once for each release, before the format changes again. The folder is named after the version.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from metassl import __version__
from metassl.data.plan import Plan
from metassl.imaging import Geometry, read_labels, write_array
from metassl.inference.model import TrainedModel
from metassl.jobs import JobWriter
from metassl.jobs.start import round_record
from metassl.project import Case, LabelDefinition, Project
from metassl.training.worker import Job, run_training

HERE = Path(__file__).parent
GRID = Geometry((12, 10, 8), (1.0, 1.25, 2.5), (-12.5, 7.0, 31.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
LABELS = [LabelDefinition(1, "Vorne"), LabelDefinition(3, "Hinten", "#56B4E9")]
PLAN = Plan(
    axes="patient",
    spacing_zyx=(2.5, 1.25, 1.0),
    source_spacing_zyx=(2.5, 1.25, 1.0),
    patch_zyx=(8, 16, 16),
    batch=(1, 1),
    intensity=({"scheme": "robust_zscore"},),
    filters=(2, 2, 2),
    kernels=((1, 1, 1), (1, 3, 3), (1, 3, 3)),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    in_channels=1,
    classes=3,
    precision="fp32",
)
CONFIG = {"framework": "cps", "loss": "metassl", "device": "cpu", "seed": 5, "minutes": None, "iterations": 40}


def make(folder: Path) -> Project:
    """Four cases: one labelled and then corrected, one labelled, one to measure with, one predicted by a round."""
    project = Project.create(folder, "Größe", LABELS, ["T1"])
    (folder / "images").mkdir()
    for number in range(4):
        image, truth = volume(number)
        path = folder / "images" / f"case_{number}.nrrd"
        write_array(path, image, GRID)
        project.add_cases([Case(f"case_{number}", [str(path)])])
        if number < 3:
            project.add_label(f"case_{number}", (truth, GRID))
    project.update_case("case_2", split="validation")
    corrected = volume(0)[1]
    corrected[0] = 255
    project.add_label("case_0", (corrected, GRID), state="corrected")
    found = project.new_round(
        round_record(
            CONFIG,
            None,
            labels={case.id: case.label_version for case in project.labelled_cases()},
            validation={case.id: case.label_version for case in project.validation_cases()},
            unlabelled=[case.id for case in project.unlabelled_cases()],
        )
    )
    (found.path / "plan.json").write_text(json.dumps({"schema_version": 1, **PLAN.to_json()}), encoding="utf-8")
    torch.set_num_threads(1)
    run_training(Job(project, found, JobWriter(found, every_s=0.0).write))
    # What a finished round can be without, and what would be large.
    shutil.rmtree(folder / "cache")
    for path in (found.last_checkpoint_path, found.best_path):
        path.unlink(missing_ok=True)
    return project


def volume(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (int16) of two boxes and their labels (uint8)."""
    random = np.random.default_rng(seed)
    truth = np.zeros(GRID.shape_zyx, np.uint8)
    truth[2:6, 2:5, 3:9] = 1
    truth[2:6, 5:8, 3 + seed % 2 : 9] = 3
    return (100 + 60 * (truth > 0) + 60 * (truth > 1) + random.integers(0, 9, truth.shape)).astype(np.int16), truth


if __name__ == "__main__":
    target = HERE / __version__
    project = make(target)
    model = TrainedModel.load(project.latest_round().model_path, torch.device("cpu"))
    found = read_labels(project.latest_round().prediction("case_3").segmentation, "case_3")[0]
    print(f"{target}: round of {model.step} steps; predicted {np.bincount(found.ravel(), minlength=4).tolist()}")
