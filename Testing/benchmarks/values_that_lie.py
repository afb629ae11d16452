"""What padding, wild voxels and NaN cost a trained model, and whether images of other intensities are flagged.

    python Testing/benchmarks/values_that_lie.py DATA WORK [--minutes 2]

DATA is a Decathlon folder of two structures with a splits.json (Task04_Hippocampus). A model is trained once, with the
default, on eight labelled and twelve unlabelled cases. Twenty test images are measured as they are and spoilt in each
of these ways:

padded    the outer tenth, at the face that shows least of a structure, is -32767
grown     a tenth of the file is padding of -32767 round an untouched image
wild      0.1 % of the voxels have values of both signs, up to a thousand times the largest of the image
nan       0.1 % of the voxels are NaN
scaled    times 0.1, plus 500: as another scanner may write it
inverted  black for white
squared   as of another sequence

What is done already in WORK is not done again. For each: mean Dice, how much less than of the images as they are, the
largest loss of one image, and of how many images something was told. Printed as JSON, and written to
WORK/values_that_lie.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from metassl.files.json_files import write_json
from metassl.imaging import Geometry
from metassl.imaging.images import read_labels, read_volume
from metassl.imaging.writer import write_array
from metassl.project import Project
from metassl.project.round_files import read_summary
from structure_later import FIRST, MEASURED, SECOND, begun, label

PADDING, SHARE, BAD = -32767, 0.1, 0.001
Spoil = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def padded(image: np.ndarray, truth: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    faces = []
    for axis, length in enumerate(image.shape):
        thick = round(SHARE * length)
        faces += [(slice(None),) * axis + (part,) for part in (slice(None, thick), slice(length - thick, None))]
    image[min(faces, key=lambda face: np.count_nonzero(truth[face]))] = PADDING
    return image


def grown(image: np.ndarray, _truth: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    thick = round(SHARE / (1 - SHARE) * image.shape[2])
    return np.pad(image, ((0, 0), (0, 0), (0, thick)), constant_values=PADDING)


def wild(image: np.ndarray, _truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bad = rng.random(image.shape) < BAD
    signs = rng.choice((-1, 1), bad.sum())
    image[bad] = signs * np.abs(image).max() * 10 ** rng.uniform(2, 3, bad.sum())
    return image


def nan(image: np.ndarray, _truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image[rng.random(image.shape) < BAD] = np.nan
    return image


SPOILT: dict[str, Spoil] = {
    "plain": lambda image, truth, rng: image,
    "padded": padded,
    "grown": grown,
    "wild": wild,
    "nan": nan,
    "scaled": lambda image, truth, rng: image * np.float32(0.1) + 500,
    "inverted": lambda image, truth, rng: image.max() + image.min() - image,
    "squared": lambda image, truth, rng: (image / image.max()) ** 2,
}


def trained(folder: Path, data: Path, minutes: float) -> None:
    """The project with its model."""
    project, cases = begun(folder, data, [FIRST, SECOND], unlabelled=12)
    for case in cases:
        if not project.case(case).is_labelled:
            label(project, data, case, (1, 2))
    if project.latest_round() is None:
        _metassl("train", folder, "--minutes", minutes, "--device", "cpu", "--seed", 0)


def measure(kind: str, data: Path, work: Path) -> dict:
    """Dice of the images that are spoilt so, and what was told of them."""
    kept, images = work / f"{kind}.json", work / kind
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    images.mkdir(exist_ok=True)
    for case in json.loads((data / "splits.json").read_text(encoding="utf-8"))["test"][:MEASURED]:
        (array, *_), grid = read_volume(data / "imagesTr" / f"{case}.nii.gz", case)
        truth, _ = read_labels(data / "labelsTr" / f"{case}.nii.gz", case)
        spoilt = SPOILT[kind](array.astype(np.float32), truth, np.random.default_rng(int(case[-3:])))
        size = tuple(reversed(spoilt.shape))
        written = Geometry(size, grid.spacing_xyz, grid.origin_xyz, grid.direction)
        write_array(images / f"{case}.nrrd", spoilt.astype(np.float32), written)
    truths = ["--truth", data / "labelsTr", "--images", images, "--device", "cpu", "--json"]
    done = _metassl("evaluate", work / "project", *truths, capture_output=True)
    result = json.loads(done.stdout)
    notes = [line.partition("note: ")[2] for line in done.stderr.replace("\r", "\n").splitlines() if "note: " in line]
    found = {
        "dice": {case: values["dice"] for case, values in result["cases"].items()},
        "told": sum("unlike" not in note for note in notes),
        "unlike": sum("unlike" in note for note in notes),
        "example": next(iter(notes), ""),
    }
    write_json(kept, found)
    return found


def figures(measured: dict[str, dict]) -> dict:
    """Of each kind its mean Dice, and how much less than as they are; of how many images something was told."""
    plain, found = measured["plain"]["dice"], {}
    for kind, result in measured.items():
        losses = [plain[case] - dice for case, dice in result["dice"].items()]
        found[kind] = {
            "cases": len(losses),
            "dice": round(float(np.mean(list(result["dice"].values()))), 4),
            "loss": round(float(np.mean(losses)), 4),
            "largest loss": round(float(max(losses)), 4),
            "told of its values": result["told"],
            "told to be unlike": result["unlike"],
        }
    return found


def _metassl(command: str, *arguments: object, **options: bool) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "metassl", command, *map(str, arguments)]
    return subprocess.run(line, check=True, text=True, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=2, help="of training")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    trained(arguments.work / "project", arguments.data.resolve(), arguments.minutes)
    measured = {kind: measure(kind, arguments.data.resolve(), arguments.work) for kind in SPOILT}
    model = Project.open(arguments.work / "project").rounds()[-1]
    case = next(iter(model.predicted_cases()))
    steps = read_summary(model.prediction(case).summary, case).step
    found = {"minutes": arguments.minutes, "steps": steps, **figures(measured)}
    text = json.dumps(found, indent=1)
    (arguments.work / "values_that_lie.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
