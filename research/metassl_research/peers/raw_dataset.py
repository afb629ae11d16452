"""A data set as nnU-Net takes it, of a few cases of an experiment, all of them annotated."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from metassl.exports.nnunet import plain_names
from metassl.files.atomic import make_folder, write_text
from metassl.files.errors import LabelError
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import IGNORE, read_image
from metassl.imaging.writer import write_array
from metassl.project.project import Project

NAME = "Dataset501_Peers"
ENDING = ".nii.gz"

Sample = tuple[np.ndarray, np.ndarray, Geometry]
"""Image (C, z, y, x), label (z, y, x) in the values of the project, and the grid of both."""


Change = Callable[[str, Sample], Sample]
"""What is written of a case, by its id."""


def write_raw(folder: Path, project: Project, cases: Iterable[str], changed: Change | None = None) -> Path:
    """The data set of these cases below `folder`, made there if need be. Structures have the values 1, 2, ...

    LabelError for a case that is not annotated everywhere.
    """
    target = folder / NAME
    if target.is_dir():
        return target
    part = folder / f"{NAME}.part"
    shutil.rmtree(part, ignore_errors=True)
    images, labels = (make_folder(part / name) for name in ("imagesTr", "labelsTr"))
    position = {label.value: place for place, label in enumerate(project.labels, start=1)}
    names = plain_names(cases)
    for case, name in names.items():
        image = read_image(project.image_paths(case), case)
        label, _ = project.read_label(case)
        if (label == IGNORE).any():
            raise LabelError(f"case {case}: some of it is not annotated, and a peer would learn it as background")
        array, label, grid = image.array, label, image.geometry
        if changed is not None:
            array, label, grid = changed(case, (array, label, grid))
        for number, channel in enumerate(array):
            write_array(images / f"{name}_{number:04d}{ENDING}", channel, grid)
        write_array(labels / f"{name}{ENDING}", translated(label, position), grid)
    described = {
        "channel_names": {str(number): name for number, name in enumerate(project.channels)},
        "labels": {"background": 0, **{label.name: place for place, label in enumerate(project.labels, start=1)}},
        "numTraining": len(names),
        "file_ending": ENDING,
    }
    write_text(part / "dataset.json", json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    os.replace(part, target)
    return target


def translated(label: np.ndarray, values: Mapping[int, int]) -> np.ndarray:
    """uint8, each value as `values` has it, all else 0."""
    table = np.zeros(256, np.uint8)
    for value, becomes in values.items():
        table[value] = becomes
    found: np.ndarray = table[label]
    return found
