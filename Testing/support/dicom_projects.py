"""Projects whose images are DICOM series, with their labels; and what the readers of others find in a segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import write_slices
from metassl.files import write_json
from metassl.imaging import Geometry, write_array
from metassl.project import Case, LabelDefinition, Project

PATIENT = {
    "PatientName": "Wimbledon^Ottoline",
    "PatientID": "PID9081726",
    "PatientBirthDate": "19310427",
    "PatientSex": "F",
    "PatientAge": "094Y",
    "StudyDate": "20250314",
    "StudyTime": "101112",
    "StudyID": "STUDY4711",
    "AccessionNumber": "ACC0815",
    "ReferringPhysicianName": "Quackenbush^Hugo",
    "StudyDescription": "Abdomen of Ottoline",
}
"""What a segmentation has to take over, and nothing else may hold."""

FRAME_OF_REFERENCE = "2.25.31415926"
_ENTRY = "Segmentation category and type - DICOM master list~{}~{}~{}~Anatomic codes - DICOM master list~^^~^^"
ANATOMY = "SCT^123037004^Anatomical Structure"


def entry(kind: str, modifier: str = "^^", category: str = ANATOMY) -> str:
    return _ENTRY.format(category, kind, modifier)


LIVER = LabelDefinition(1, "Liver", "#DD8265", entry("SCT^10200004^Liver"))
KIDNEY = LabelDefinition(3, "Left kidney", "#B96654", entry("SCT^64033007^Kidney", "SCT^7771000^Left"))
MASS = LabelDefinition(
    200, "Tumour", "#90EE90", entry("SCT^4147007^Mass", category="SCT^49755003^Morphologically Altered Structure")
)
STRUCTURES = (LIVER, KIDNEY, MASS)


def grid(shape: tuple[int, int, int], axes: Sequence[float] = (1, 0, 0, 0, 1, 0), **changes: Any) -> Geometry:
    """A grid for arrays (z, y, x), as DICOM has them: slices follow each other along x cross y. axes: of x and y."""
    x, y = np.array(axes, float).reshape(2, 3)
    direction = tuple(np.array([x, y, np.cross(x, y)]).T.ravel().tolist())
    return Geometry(
        shape[::-1], changes.get("spacing", (0.75, 0.8, 2.5)), changes.get("origin", (-31.5, 12.25, -140.0)), direction
    )


def write_series_on(folder: Path, array: np.ndarray, geometry: Geometry, reverse: bool = False, **tags: Any) -> Path:
    """A series of single slices (int16, z y x) on that grid. reverse: numbered and named from the last to the first."""
    direction = np.array(geometry.direction).reshape(3, 3)
    step = direction[:, 2] * geometry.spacing_xyz[2]
    positions = [np.array(geometry.origin_xyz) + number * step for number in range(len(array))]
    own = {
        "ImageOrientationPatient": [f"{n:.9f}" for n in direction[:, :2].T.ravel()],
        "PixelSpacing": [f"{n:.9g}" for n in geometry.spacing_xyz[1::-1]],
        "SliceThickness": f"{1.25 * geometry.spacing_xyz[2]:.6g}",
        "FrameOfReferenceUID": FRAME_OF_REFERENCE,
        **PATIENT,
        **tags,
    }
    if reverse:
        array, positions = array[::-1], positions[::-1]
    return write_slices(folder, array, positions, **own)


def voxels(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-200, 900, shape).astype(np.int16)


def drawn(shape: tuple[int, int, int], values: Sequence[int] = (1, 3, 200)) -> np.ndarray:
    """A label in which no structure is symmetric, and some slices are empty."""
    label = np.zeros(shape, np.uint8)
    z, y, x = shape
    for number, value in enumerate(values):
        label[1 + number : z - 2 - number, 1 + number : y // 2, number * x // 4 : (number + 1) * x // 4] = value
    label[z // 2, y // 2 + 1 :, : x // 3] = values[0]
    label[z // 2 + 1, -2:, -3:] = values[-1]
    return label


def make_project(path: Path, images: Mapping[str, Path], structures: Sequence[LabelDefinition] = STRUCTURES) -> Project:
    with Project.making(path, "abdomen", list(structures), ["CT"]) as project:
        project.add_cases(Case(case, [str(image)]) for case, image in images.items())
    return project


def predict(
    project: Project, case: str, label: np.ndarray, geometry: Geometry, maps: Mapping[str, np.ndarray], **told: Any
) -> None:
    """A complete prediction of the newest round, with maps such as `error_probability`."""
    found = project.latest_round() or project.new_round({"config": {}, "labels": {}})
    paths = found.prediction(case)
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, label, geometry)
    for name, array in maps.items():
        write_array(getattr(paths, name), array, geometry)
    write_json(paths.summary, {"case": case, **told})
    project.mark_predicted([case])
