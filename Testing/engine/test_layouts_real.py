"""The same real images in four layouts give the same project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from metassl.intake import new_project
from metassl.project import Project

CASES = 10


def source(name: str) -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: {folder}")
    return folder


def copies(data: Path, to: Path) -> dict[str, Path]:
    """The first cases as a Decathlon folder, for nnU-Net, as images/ and labels/, and as a folder per patient."""
    content = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    names = [Path(entry["label"]).name for entry in content["training"]][:CASES]
    places = {
        "decathlon": ("imagesTr/{}", "labelsTr/{}"),
        "nnunet": ("imagesTr/{}_0000", "labelsTr/{}"),
        "pairs": ("images/{}", "labels/{}"),
        "patients": ("{}/image", "{}/label"),
    }
    for layout, (image, label) in places.items():
        for name in names:
            base = name.removesuffix(".nii.gz")
            for kind, pattern in (("imagesTr", image), ("labelsTr", label)):
                target = to / layout / f"{pattern.format(base)}.nii.gz"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(data / kind / name, target)
    structures = {value: int(key) for key, value in content["labels"].items()}
    listed = [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names]
    (to / "decathlon" / "dataset.json").write_text(json.dumps({**content, "training": listed}), encoding="utf-8")
    nnunet = {
        "channel_names": {"0": "image"},
        "labels": structures,
        "file_ending": ".nii.gz",
        "numTraining": len(names),
    }
    (to / "nnunet" / "dataset.json").write_text(json.dumps(nnunet), encoding="utf-8")
    return {layout: to / layout for layout in places}


def facts(project: Project) -> dict:
    cases = {case.id: (case.split, case.state, case.label_version) for case in project.cases.values()}
    return {"cases": cases, "structures": [(label.value, label.name) for label in project.labels]}


@pytest.mark.parametrize("name", ["Task04_Hippocampus", "Task27_ACDC"])
def test_four_layouts_give_the_same_project(name, tmp_path):
    data = source(name)
    content = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    labels = [f"{key}={value}" for key, value in content["labels"].items() if int(key)]
    found = {}
    for layout, folder in copies(data, tmp_path / "data").items():
        named = None if (folder / "dataset.json").exists() else labels
        project, warnings = new_project(tmp_path / layout, folder, labels=named)
        assert [warning for warning in warnings if "left out" in warning] == []
        found[layout] = facts(project)
    assert len(found["decathlon"]["cases"]) == CASES
    assert all(each == found["decathlon"] for each in found.values())
