"""Made-up abdominal CTs, 512 x 512 x 300 voxels of 0.78 x 0.78 x 1.5 mm, as a Decathlon folder.

    python Testing/benchmarks/made_up_cts.py FOLDER [--count 5] [--labelled 2] [--shrink 1]

A body of fat and muscle with a spine holds a liver-like and two kidney-like structures, which are annotated, and a
spleen-like one of nearly the brightness of the liver, which is not: what is which is told by what lies around it. The
truth of all of them is in FOLDER/labelsTr; dataset.json names the labelled ones alone. CT n is the same on every run.
--shrink 2.5: a body so many times as small in all directions, in voxels of the same size: 205 x 205 x 120 of them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

SHAPE_ZYX, SPACING_XYZ = (300, 512, 512), (0.78, 0.78, 1.5)
LABELS = {"background": 0, "Liver": 1, "Kidney": 2}
AIR, FAT, MUSCLE, BONE, LIVER, SPLEEN, KIDNEY = -1000, -90, 55, 350, 75, 85, 130
NOISE, MOVES, GROWS = 25.0, 12.0, 0.12


def make_ct(number: int, shrink: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(HU int16, annotation uint8), both (z, y, x)."""
    random = np.random.default_rng(number)
    axes = np.ogrid[tuple(slice(0, n, shrink) for n in SHAPE_ZYX)]
    shape = tuple(axis.size for axis in axes)
    image = np.full(shape, AIR, np.float32)
    truth = np.zeros(shape, np.uint8)

    def place(hu: int, centre: tuple, radii: tuple, label: int = 0, moves: float = MOVES) -> None:
        middle = np.add(centre, random.normal(0, moves, 3))
        size = np.multiply(radii, 1 + random.normal(0, GROWS, 3).clip(-2 * GROWS, 2 * GROWS))
        inside = sum(((axis - m) / r) ** 2 for axis, m, r in zip(axes, middle, size, strict=True)) < 1
        inside &= image > AIR
        image[inside] = hu
        truth[inside] = label

    y, x = axes[1][0] - 256, axes[2][0] - 256
    body = x**2 / 200**2 + y**2 / 140**2 < 1
    wall = x**2 / 180**2 + y**2 / 120**2 > 1
    image[:, body] = FAT
    image[:, body & wall] = MUSCLE
    place(BONE, (150, 345, 256), (400, 28, 30), moves=3)
    place(LIVER, (200, 230, 170), (70, 75, 85), LABELS["Liver"])
    place(SPLEEN, (205, 265, 375), (40, 42, 32))
    place(KIDNEY, (140, 310, 190), (42, 32, 28), LABELS["Kidney"], moves=8)
    place(KIDNEY, (145, 310, 325), (42, 32, 28), LABELS["Kidney"], moves=8)
    image += random.normal(0, NOISE, image.shape).astype(np.float32)
    return np.clip(image, -1024, 3000).astype(np.int16), truth


def write(array: np.ndarray, path: Path) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_XYZ)
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)


def make_cts(folder: Path, count: int, labelled: int, shrink: float = 1.0) -> None:
    """What is there already stays."""
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = [f"ct_{number:03d}" for number in range(count)]
    for number, name in enumerate(names):
        image, label = (folder / each / f"{name}.nii.gz" for each in ("imagesTr", "labelsTr"))
        if not label.exists():
            hu, truth = make_ct(number, shrink)
            write(hu, image)
            write(truth, label)
    pairs = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names[:labelled]]
    content = {"name": "MadeUpCT", "channel_names": {"0": "CT"}, "labels": LABELS, "file_ending": ".nii.gz"}
    content.update(numTraining=count, training=pairs)
    (folder / "dataset.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--labelled", type=int, default=2)
    parser.add_argument("--shrink", type=float, default=1.0)
    arguments = parser.parse_args()
    make_cts(arguments.folder, arguments.count, arguments.labelled, arguments.shrink)
