"""nnU-Net itself checks and plans what is exported for it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metassl.exports import export_project
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project

if importlib.util.find_spec("nnunetv2") is None:
    pytest.skip("nnunetv2 is not installed: make export-test", allow_module_level=True)

GRID = Geometry((28, 32, 24), (0.8, 0.8, 1.5), (-3.0, 4.0, 5.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


def planned(folder: Path, tmp_path: Path) -> tuple[str, dict, Path]:
    """What nnU-Net says while it checks and plans a data set, its plan, and its folder of it."""
    for name in ("preprocessed", "results"):
        (tmp_path / name).mkdir()
    places = {"raw": folder.parent, "preprocessed": tmp_path / "preprocessed", "results": tmp_path / "results"}
    environment = {**os.environ, **{f"nnUNet_{name}": str(path) for name, path in places.items()}}
    program = Path(sys.executable).with_name("nnUNetv2_plan_and_preprocess")
    options = ["--verify_dataset_integrity", "--no_pp", "-np", "2", "-npfp", "2"]
    number = str(int(folder.name[7:10]))
    done = subprocess.run(
        [program, "-d", number, *options], env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = places["preprocessed"] / folder.name
    return done.stdout, json.loads((made / "nnUNetPlans.json").read_text(encoding="utf-8")), made


def assert_no_complaint(said: str) -> None:
    assert "verify_dataset_integrity Done" in said
    assert not [line for line in said.splitlines() if line.startswith(("Error", "Warning", "WARNING"))]


def test_two_channels_with_voxels_to_ignore_and_a_split_pass_its_check_and_are_planned(tmp_path):
    random = np.random.default_rng(0)
    structures = [LabelDefinition(3, "Organ"), LabelDefinition(7, "Tumour, größer")]
    with Project.making(tmp_path / "project", "Two", structures, ["T1", "T2"]) as project:
        for case in ("Müller 1", "b.2", "c", "d", "e"):
            paths = [tmp_path / f"{case} {channel}.nrrd" for channel in range(2)]
            for path in paths:
                write_array(path, random.normal(100, 10, GRID.shape_zyx).astype(np.float32), GRID)
            project.add_cases([Case(case, list(map(str, paths)), "validation" if case == "d" else "pool")])
    label = np.zeros(GRID.shape_zyx, np.uint8)
    label[8:16, 8:20, 8:20], label[10:13, 10:14, 10:14], label[20:] = 3, 7, 255
    for case in ("Müller 1", "b.2", "c", "d"):
        project.add_label(case, (label, GRID))
    result = export_project(project, tmp_path / "raw" / "Dataset042_Two", format="nnunet")
    said, plans, folder = planned(result.folder, tmp_path)
    assert_no_complaint(said)
    assert plans["configurations"]["3d_fullres"]["normalization_schemes"] == ["ZScoreNormalization"] * 2
    splits = json.loads((folder / "splits_final.json").read_text(encoding="utf-8"))
    assert splits == [{"train": ["Muller_1", "b_2", "c"], "val": ["d"]}], "nnU-Net takes our split over"


def test_twenty_real_hippocampi_pass_its_check_and_are_planned(hippocampi, tmp_path):
    result = export_project(hippocampi, tmp_path / "raw" / "Dataset504_Hippocampus", format="nnunet")
    assert len(result.labels) == 20 and result.failed == {}
    said, plans, _ = planned(result.folder, tmp_path)
    assert_no_complaint(said)
    assert plans["configurations"]["3d_fullres"]["spacing"] == [1.0, 1.0, 1.0]
