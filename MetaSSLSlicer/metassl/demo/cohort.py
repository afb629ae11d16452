"""The demo's cohort: a Decathlon-style folder of synthetic cases, the same bytes on every run."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from metassl.files.atomic import atomic_write, make_folder, write_text

from .phantom import SHAPE_ZYX, STRUCTURES, make_phantom, rotation

CASES = 24
SEED = 2026
VALIDATION, TEST = 2, 6
NOISY = (2, 6, 9, 13)
"""Places in train_order whose annotation is a hurried one. The first three hold one of them, so
that a project that starts with three labelled cases starts as real ones do."""

README = """# Synthetic cohort

Made by `metassl demo`: nobody's images. {cases} volumes of {shape} voxels of 1 mm that look a
little like MRI. Each shows a bent organ of two parts, 1 Head and 2 Body, of nearly the same
brightness, with a bias field, noise, a neighbour of equal brightness that touches it, and a decoy.
The scans are tilted as real ones are, so the image axes are not the patient's axes.

- imagesTr/, labelsTr/: images and annotations. These cases carry annotation noise, as if drawn in
  a hurry: {noisy}
- truthTr/: the exact annotation of every case
- splits.json: train_order (take the first N as labelled), val, test
"""


def make_cohort(folder: Path, cases: int = CASES, seed: int = SEED) -> Path:
    """Write the cohort into `folder` (made if need be) and return it.

    With the standard 24 cases: 16 to train on, in the order of splits.json, 2 for validation and
    6 for the test; fewer cases keep a quarter for the test. Same arguments, same bytes. Raises
    ValueError for fewer than 6 cases, ProjectError when the folder cannot be written.
    """
    if cases < 6:
        raise ValueError(f"a cohort needs at least 6 cases, not {cases}")
    folder = Path(folder)
    names = [f"case_{number:02d}" for number in range(1, cases + 1)]
    test = min(TEST, cases // 4)
    validation = min(VALIDATION, cases // 6)
    train = cases - test - validation
    noisy = [names[place] for place in NOISY if place < train]
    for number, name in enumerate(names):
        _write_case(folder, name, np.random.default_rng([seed, number]), name in noisy)
    split: dict[str, object] = {
        "note": "first three of train_order: two clean annotations and one hurried one",
        "train_order": names[:train],
        "val": names[train : train + validation],
        "test": names[train + validation :],
        "noisy": noisy,
    }
    _write_json(folder / "splits.json", split)
    shape = "x".join(str(n) for n in reversed(SHAPE_ZYX))
    readme = README.format(cases=cases, shape=shape, noisy=", ".join(noisy) or "none")
    write_text(folder / "README.md", readme)
    # written last: a folder with a dataset.json is a whole cohort
    _write_json(folder / "dataset.json", _dataset(names))
    return folder


def _write_case(folder: Path, name: str, rng: np.random.Generator, noisy: bool) -> None:
    phantom = make_phantom(rng)
    truth = phantom.truth
    label = phantom.hurried_annotation(rng) if noisy else truth
    frame = _tilted_frame(rng)
    for kind, array in (("imagesTr", phantom.image), ("labelsTr", label), ("truthTr", truth)):
        image = sitk.GetImageFromArray(array)
        image.CopyInformation(frame)
        path = make_folder(folder / kind) / f"{name}.nii.gz"
        atomic_write(path, partial(_write_image, image))


def _write_image(image: sitk.Image, path: Path) -> None:
    sitk.WriteImage(image, str(path))


def _tilted_frame(rng: np.random.Generator) -> sitk.Image:
    """An image whose header holds the case's geometry: centred, tilted by up to 12 degrees."""
    size = [int(n) for n in reversed(SHAPE_ZYX)]
    frame = sitk.Image(size, sitk.sitkUInt8)
    direction = rotation(rng.uniform(-12, 12, 3)) @ np.diag([-1.0, -1.0, 1.0])
    frame.SetDirection(direction.ravel().tolist())
    centre = np.array(frame.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size]))
    frame.SetOrigin((-centre).tolist())
    return frame


def _dataset(names: list[str]) -> dict[str, object]:
    pairs = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    return {
        "name": "MetaSSL demo cohort",
        "description": "Synthetic volumes of a bent organ of two parts; no real patients",
        "licence": "CC0-1.0",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": {"0": "background"} | {str(value): name for value, name in STRUCTURES.items()},
        "numTraining": len(names),
        "numTest": 0,
        "training": pairs,
        "test": [],
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")
