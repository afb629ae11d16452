"""What a model loses where it came from, and how soon it finds a structure that it did not know.

    python Testing/benchmarks/unlearning.py DATA WORK [--source-steps 1000] [--steps 100,400]

DATA is a Decathlon folder of two structures with a splits.json (Task04_Hippocampus). A model learns the first structure
alone from the last 20 training cases as another scanner shows them (metassl_research/peers/shift.py). A project of the
first 20, as they are, begins with it and has the second structure as a new one; 3 cases are labelled. Before and after
its training both are measured on 20 test cases of either scanner. What is done already in WORK is not done again; the
figures are printed as JSON, and written to WORK/unlearning.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from metassl.imaging.images import read_image, read_labels
from metassl.imaging.writer import write_array
from metassl_research.peers.shift import shifted

OTHERS, HERE, LABELLED, MEASURED = 20, 20, 3, 20
NAMES = {1: "Anterior", 2: "Posterior"}


def write_set(folder: Path, data: Path, cases: list[str], values: tuple[int, ...], other_scanner: bool) -> Path:
    """Images and labels of some cases, in the layout of a Decathlon folder; other values are background."""
    described = folder / "dataset.json"
    if described.exists():
        return folder
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for case in cases:
        image = read_image([data / "imagesTr" / f"{case}.nii.gz"], case)
        label, _ = read_labels(data / "labelsTr" / f"{case}.nii.gz", case)
        sample = image.array, np.where(np.isin(label, values), label, 0).astype(np.uint8), image.geometry
        array, label, grid = shifted(case, sample) if other_scanner else sample
        write_array(folder / "imagesTr" / f"{case}.nii.gz", array[0], grid)
        write_array(folder / "labelsTr" / f"{case}.nii.gz", label, grid)
    files = [{"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"} for case in cases]
    labels = {"0": "background", **{str(value): NAMES[value] for value in values}}
    content = {"name": folder.name, "modality": {"0": "MRI"}, "labels": labels, "training": files, "test": []}
    described.write_text(json.dumps(content), encoding="utf-8")
    return folder


def measured(project: Path, folder: Path) -> dict[str, float]:
    """Dice per structure of the newest round, on the cases of a set."""
    arguments = [project, "--images", folder / "imagesTr", "--truth", folder / "labelsTr", "--device", "cpu", "--json"]
    found = json.loads(_metassl("evaluate", *arguments))
    return {name: round(dice, 4) for name, dice in found["dice"]["per_class"].items()}


def train(project: Path, steps: int) -> None:
    if not list(project.glob(f"rounds/*/{steps}.trained")):
        _metassl("train", project, "--iterations", steps, "--device", "cpu", "--seed", 0)
        newest = max((project / "rounds").glob("0*"))
        (newest / f"{steps}.trained").touch()


def figures(data: Path, work: Path, source_steps: int, steps: list[int]) -> dict[str, Any]:
    split = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    order, test = split["train_order"], split["test"][:MEASURED]
    there = write_set(work / "there", data, order[-OTHERS:], (1,), True)
    here = write_set(work / "here", data, order[:HERE], (1, 2), False)
    tests = {
        "there": write_set(work / "test_there", data, test, (1, 2), True),
        "here": write_set(work / "test_here", data, test, (1, 2), False),
    }
    source = work / "source"
    if not source.exists():
        _metassl("new", source, "--from", there, "--labelled", "all", "--validation", 0)
    train(source, source_steps)
    rows = []
    for number in steps:
        project = work / f"after_{number}"
        if not project.exists():
            begun = ["--from", here, "--labelled", LABELLED, "--model", source, "--structures", *NAMES.values()]
            _metassl("new", project, *begun)
        if not rows:
            rows.append({"steps": 0, **{name: measured(project, folder) for name, folder in tests.items()}})
        train(project, number)
        rows.append({"steps": number, **{name: measured(project, folder) for name, folder in tests.items()}})
    return {"source_steps": source_steps, "measured": MEASURED, "dice": rows}


def _metassl(command: str, *arguments: object) -> str:
    call = [sys.executable, "-m", "metassl", command, *map(str, arguments)]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--source-steps", type=int, default=1000)
    parser.add_argument("--steps", default="100,400", help="of the project that begins with it, each anew")
    arguments = parser.parse_args()
    steps = [int(word) for word in arguments.steps.split(",")]
    found = figures(arguments.data.resolve(), arguments.work.resolve(), arguments.source_steps, steps)
    text = json.dumps(found, indent=1)
    (arguments.work / "unlearning.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
