"""Small synthetic data that several test files share."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from metassl.imaging import Geometry, write_array
from metassl.intake import new_project
from metassl.project import LabelDefinition, Project
from metassl.project.cases import now

SHAPE_ZYX = (10, 14, 12)
BOXES = "Task99_Boxes"
OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def synthetic_case(seed: int = 0, shape: tuple[int, int, int] = SHAPE_ZYX):
    """A noisy image (float32) with two bright boxes side by side, and their labels (uint8)."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    z, y, x = (length // 4 for length in shape)
    labels[z:-z, y : 2 * y, x:-x] = 1
    labels[z:-z, 2 * y : 3 * y, x:-x] = 2
    image = random.normal(100, 10, shape) + 60.0 * labels
    return image.astype(np.float32), labels


def grid_of(shape: tuple[int, int, int] = SHAPE_ZYX, direction: tuple = OBLIQUE) -> Geometry:
    """A grid for arrays of `shape`: anisotropic, off the origin and, by default, oblique."""
    return Geometry(shape[::-1], (1.0, 1.25, 2.5), (-12.5, 7.0, 31.0), direction)


@pytest.fixture
def make_case() -> Callable:
    """make_case(seed, shape) -> (image float32, labels uint8)."""
    return synthetic_case


@pytest.fixture
def make_grid() -> Callable:
    """make_grid(shape, direction) -> Geometry."""
    return grid_of


@pytest.fixture(scope="session", autouse=True)
def without_machines_of_ones_own(tmp_path_factory) -> Iterator[None]:
    """No test knows, or changes, the machines of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METASSL_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session", autouse=True)
def without_waiting_for_the_disk() -> Iterator[None]:
    """Files go to the system alone: no test pulls the plug. One that wants to know about fsync puts its own there."""

    def fsync(descriptor: int) -> None:
        os.fstat(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `decathlon` and `tiny_project` copy."""
    folder = tmp_path_factory.mktemp("made_once")
    boxes = folder / BOXES
    (boxes / "imagesTr").mkdir(parents=True)
    (boxes / "labelsTr").mkdir()
    training = []
    for number in range(6):
        name = f"case_{number}.nii.gz"
        image, labels = synthetic_case(number)
        write_array(boxes / "imagesTr" / name, image, grid_of())
        write_array(boxes / "labelsTr" / name, labels, grid_of())
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    description = {
        "name": "Boxes",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Front", "2": "Back"},
        "training": training,
    }
    (boxes / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    _project, warnings = new_project(folder / "project", boxes, labelled=2, validation=1)
    assert warnings == []
    return folder


@pytest.fixture
def decathlon(tmp_path: Path, made_once: Path) -> Path:
    """A Decathlon folder of six cases, case_0 to case_5, with two structures and labels."""
    return Path(shutil.copytree(made_once / BOXES, tmp_path / BOXES))


@pytest.fixture
def tiny_project(tmp_path: Path, decathlon: Path, made_once: Path) -> Project:
    """A project of the six cases: two labelled, one for validation, three unlabelled."""
    made = tmp_path / "project"
    shutil.copytree(made_once / "project", made, ignore=shutil.ignore_patterns(".lock"))
    _replace(made / "cases.json", _quoted(made_once), _quoted(tmp_path))
    _replace(made / "project.json", Project.open(made).created, now())  # by which a project is known again
    return Project.open(made)


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def _quoted(folder: Path) -> str:
    """As it stands in JSON."""
    return json.dumps(str(folder), ensure_ascii=False)[1:-1]


@pytest.fixture
def two_labels() -> list[LabelDefinition]:
    """The label definitions 1=Front and 2=Back."""
    return [LabelDefinition(1, "Front"), LabelDefinition(2, "Back")]
