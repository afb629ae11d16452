"""A project that is quick to write, and all that can be read of one: for comparing before and after a fault."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from metassl.files import ProjectError, read_json
from metassl.imaging import Geometry, read_labels, read_volume, write_array
from metassl.intake import new_project
from metassl.jobs import JobRecord, TrainingLock, read_events
from metassl.networks.checkpoint import load_checkpoint
from metassl.project import Project, Round
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, autosaves, readAutosave

SHAPE = (4, 6, 5)
GRID = Geometry(SHAPE[::-1], (1.0, 1.25, 2.5), (-12.5, 7.0, 31.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
JSON_OF_ROUND = ("round", "plan", "inputs", "error_rates", "labelled", "ranking", "evaluation")


def image(seed: int) -> np.ndarray:
    """Noise, float32."""
    return np.random.default_rng(seed).normal(100, 10, SHAPE).astype(np.float32)


def label(seed: int) -> np.ndarray:
    """Values 0 to 2 at random, uint8; another seed, another annotation."""
    return np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)


def write_images(folder: Path, count: int = 4) -> Path:
    """A data set of the images scan_0, scan_1, ... and their labels."""
    training = []
    for number in range(count):
        for kind, array in (("imagesTr", image(number)), ("labelsTr", label(number))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_array(folder / kind / f"scan_{number}.nrrd", array, GRID)
        training.append({"image": f"imagesTr/scan_{number}.nrrd", "label": f"labelsTr/scan_{number}.nrrd"})
    labels = {"0": "background", "1": "Front", "2": "Back"}
    document = {"name": "Noise", "modality": {"0": "MRI"}, "labels": labels, "training": training}
    (folder / "dataset.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def make_project(path: Path, images: Path, labelled: int = 1) -> Project:
    """A project of the images, so many of them labelled."""
    project, warnings = new_project(path, images, labelled=labelled)
    assert not warnings
    return project


def state_of(path: Path) -> dict[str, Any]:
    """All that can be read of the project in `path`, by name; {} when there is no project.

    Raises MetaSSLError, or anything else, when something that is there cannot be read.
    """
    if not (path / "project.json").exists():
        return {}
    project = Project.open(path)
    found: dict[str, Any] = {
        "project": (project.name, project.channels, project.labels, project.settings),
        "training": TrainingLock(path).holder(),
    }
    for case in project.cases.values():
        found[f"case {case.id}"] = case
        if case.label_version is not None:
            found[f"label {case.id}"] = _digest(project.read_label(case.id)[0])
            assert np.array_equal(project.read_label(case.id)[0], project.read_label(case.id, case.label_version)[0])
    for case_id in autosaves(project):
        autosave = readAutosave(autosavePath(project, case_id), GRID, case_id, project.labels)
        found[f"journal {case_id}"] = _digest(autosave.array)
    for each in project.rounds():
        found |= {f"round {each.number} {name}": content for name, content in _state_of_round(each).items()}
    return found


def _state_of_round(found: Round) -> dict[str, Any]:
    state: dict[str, Any] = {"job": JobRecord.read(found.job_path), "events": read_events(found.events_path)}
    for name in JSON_OF_ROUND:
        if (found.path / f"{name}.json").exists():
            state[name] = read_json(found.path / f"{name}.json", name)
    if found.last_checkpoint_path.exists():
        state["checkpoint"] = _digest(load_checkpoint(found.last_checkpoint_path)["weights"].numpy())
    for case_id in found.predicted_cases():
        paths = found.prediction(case_id)
        maps = [read_labels(paths.segmentation, case_id)[0], read_labels(paths.regions, case_id)[0]]
        maps += read_volume(paths.uncertainty, case_id)[0]
        state[f"prediction of {case_id}"] = (*map(_digest, maps), str(read_json(paths.summary, "the summary")))
    return state


def label_versions(path: Path) -> set[str]:
    """Every version of an annotation in the project's history that can be read, by its file's name. LabelError."""
    found = set()
    for file in (path / "labels" / ".history").glob("[!.]*.nrrd"):
        read_labels(file, file.name)
        found.add(file.name)
    return found


def is_refused(path: Path) -> str:
    """What opening the folder says; "" when it opens."""
    try:
        Project.open(path)
    except ProjectError as error:
        return str(error)
    return ""


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
