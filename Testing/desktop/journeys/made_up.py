"""Runs inside Slicer: a project of made-up images, or of real ones, with predictions as a training writes them."""

import json
from dataclasses import asdict

import numpy as np
import SimpleITK as sitk
from metassl.files import write_json
from metassl.imaging import Geometry, read_labels, write_array
from metassl.imaging.unit_maps import write_unit_map
from metassl.project import Case, LabelDefinition, Project
from metassl.project.effort.expected import EffortModel, expected_effort

STRUCTURES = (("Liver", (0.34, 0.44, 0.66), (0.19, 0.17, 0.23)), ("Kidney", (0.65, 0.60, 0.47), (0.06, 0.07, 0.15)))
"""Name, middle and radii, as shares of the sides of the image (x, y, z)."""
_UNSURE_VOXELS = 3.0


def makeProject(folder, shapeZyx, spacing, cases=2, channels=("image",), tilt=False):
    """The project; every case has a prediction that is wrong at one end of each structure."""
    structures = [LabelDefinition(value, name) for value, (name, *_rest) in enumerate(STRUCTURES, 1)]
    project = Project.create(folder, "Made up", structures, list(channels))
    direction = (0.96, -0.28, 0, 0.28, 0.96, 0, 0, 0, 1) if tilt else (1, 0, 0, 0, 1, 0, 0, 0, 1)
    geometry = Geometry(tuple(shapeZyx[::-1]), tuple(spacing), (-100.0, -120.0, 40.0), direction)
    made = []
    for number in range(cases):
        labels = _labels(shapeZyx, number)
        paths = []
        for channel in channels:
            path = folder / "images" / f"case_{number}_{channel}.nrrd"
            path.parent.mkdir(exist_ok=True)
            noise = np.random.default_rng(number).integers(-20, 20, shapeZyx, dtype=np.int16)
            write_array(path, noise + np.array([-80, 70, 130], np.int16)[labels], geometry)
            paths.append(str(path))
        made.append(Case(f"case_{number}", paths))
    project.add_cases(made)
    newRound(project, geometry, shapeZyx)
    return project


def makeProjectOf(folder, data, cases):
    """A project of the first images of a data set that lies as in the Medical Segmentation Decathlon."""
    described = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    structures = [LabelDefinition(int(key), name) for key, name in described["labels"].items() if int(key) > 0]
    project = Project.create(folder, described["name"], structures, ["image"])
    images = sorted((data / "imagesTr").glob("*.nii.gz"))[:cases]
    project.add_cases(Case(path.name.removesuffix(".nii.gz"), [str(path)]) for path in images)
    found = project.new_round({"config": {}, "labels": {}})
    for path, caseId in zip(images, project.cases, strict=True):
        labels, geometry = read_labels(data / "labelsTr" / path.name, caseId)
        _predict(found, caseId, labels, geometry, shift=1)
    project.mark_predicted(list(project.cases))


def newRound(project, geometry, shapeZyx, shift=0):
    """One more round with a prediction of every case."""
    found = project.new_round({"config": {}, "labels": {}})
    for number, caseId in enumerate(project.cases):
        _predict(found, caseId, _labels(shapeZyx, number), geometry, shift)
    project.mark_predicted(list(project.cases))


def _predict(found, caseId, labels, geometry, shift):
    paths = found.prediction(caseId)
    paths.folder.mkdir(parents=True)
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(sitk.GetImageFromArray((labels > 0).astype(np.uint8)), False, False, False)
    )
    uncertainty = np.exp(-((distance / _UNSURE_VOXELS) ** 2)).astype(np.float32)
    regions = np.where(uncertainty > 0.3, 2, 1).astype(np.uint8)
    regions[uncertainty > 0.95] = 4
    segmentation = np.roll(labels, shift, 2)
    write_array(paths.segmentation, segmentation, geometry)
    write_array(paths.regions, regions, geometry)
    write_array(paths.uncertainty, uncertainty, geometry)
    deep = np.where(uncertainty > 0.95, np.float32(0.5), np.float32(0))
    write_unit_map(paths.deep_errors, deep, geometry)
    effort = expected_effort(segmentation, deep, geometry, EffortModel(2.0, 1.0, 2.5, 5))
    voxels = {key: int((regions == value).sum()) for value, key in enumerate(("UC", "US", "DC", "DS"), 1)}
    summary = {"case": caseId, "round": found.number, "voxels": voxels, "error_rates": None, "effort": asdict(effort)}
    write_json(paths.summary, summary)


def _labels(shapeZyx, number):
    z, y, x = np.ogrid[tuple(slice(0, n) for n in shapeZyx)]
    labels = np.zeros(shapeZyx, np.uint8)
    for value, (_name, middle, radii) in enumerate(STRUCTURES, 1):
        parts = (
            ((axis - (m + 0.01 * number) * n) / (r * n)) ** 2
            for axis, m, r, n in zip((x, y, z), middle, radii, shapeZyx[::-1], strict=True)
        )
        labels[sum(parts) < 1] = value
    return labels
