"""What slices of many cases teach beside a few whole cases.

    python Testing/benchmarks/partly_annotated.py DATA WORK [--steps 600] [--seeds 2] [--arms as_partial,without]

DATA is a Decathlon folder with a splits.json (Task04_Hippocampus). Three cases are annotated as a whole; of twenty
others three slices are: a quarter, a half and three quarters through the annotated structures. Arms: `as_partial`, as
the product treats them; `as_whole`, as it did before: no unlabelled data any more, each drawn as often as a whole case,
patches anywhere; `without`: these twenty without any annotation. 20 test cases are measured. One JSON line a training
in WORK/partly_annotated.jsonl; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from metassl.files import read_json, write_json
from metassl.imaging import IGNORE
from metassl.imaging.images import read_labels
from metassl.project import Case, LabelDefinition, Project

WHOLE, PARTIAL, UNLABELLED, MEASURED, SLICES = 3, 20, 20, 20, 3
ARMS = ("as_partial", "as_whole", "without")


def begin(folder: Path, data: Path, arm: str) -> Project:
    """A project with its annotations."""
    split = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    order = split["train_order"][: WHOLE + PARTIAL + UNLABELLED]
    roles = [(case, "pool") for case in order] + [(case, "test") for case in split["test"][:MEASURED]]
    with Project.making(
        folder, folder.name, [LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")], ["MR"]
    ) as made:
        made.add_cases(Case(case, [str(data / "imagesTr" / f"{case}.nii.gz")], role) for case, role in roles)
    project = Project.open(folder)
    for number, case in enumerate(order[: WHOLE + (0 if arm == "without" else PARTIAL)]):
        array, grid = read_labels(data / "labelsTr" / f"{case}.nii.gz", case)
        if number >= WHOLE:
            shown = np.flatnonzero((array > 0).any(axis=(1, 2)))
            chosen = shown[[round(len(shown) * (k + 1) / (SLICES + 1)) for k in range(SLICES)]]
            part = np.full_like(array, IGNORE)
            part[chosen] = array[chosen]
            array = part
        project.add_label(case, (array, grid), annotator="benchmark")
    if arm == "as_whole":
        hide_gaps(project)
    return project


def hide_gaps(project: Project) -> None:
    """Count the voxels of all labels as projects of former versions did: not at all."""
    path = project.path / "cases.json"
    document = {key: value for key, value in read_json(path, "the cases").items() if key != "schema_version"}
    cases = document["cases"]
    for entry in cases.values() if isinstance(cases, dict) else cases:
        entry["label_voxels"] = {}
    write_json(path, document)


def run(arm: str, seed: int, data: Path, work: Path, steps: int) -> dict:
    """Train and measure one project."""
    folder = work / f"{arm}_{seed}"
    project = Project.open(folder) if (folder / "project.json").exists() else begin(folder, data, arm)
    if not any(found.model_path.exists() for found in project.rounds()):
        metassl("train", folder, "--iterations", steps, "--device", "cpu", "--seed", seed)
    metassl("evaluate", folder, "--truth", data / "labelsTr", "--cases", "test", "--device", "cpu")
    found = project.rounds()[-1]
    result = json.loads((found.path / "evaluation.json").read_text(encoding="utf-8"))
    record = found.record
    counts = {"labelled": len(record["labels"]), "unlabelled": len(record["unlabelled"])}
    dice = {"dice": result["dice"]["mean"], **result["dice"]["per_class"]}
    return {"arm": arm, "seed": seed, "steps": steps, **counts, "test": result["n_cases"], **dice}


def metassl(command: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "metassl", command, *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--arms", default=",".join(ARMS))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    out = arguments.work / "partly_annotated.jsonl"
    done = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    for seed in range(arguments.seeds):
        for arm in arguments.arms.split(","):
            if not any((each["arm"], each["seed"], each["steps"]) == (arm, seed, arguments.steps) for each in done):
                line = json.dumps(run(arm, seed, arguments.data.resolve(), arguments.work, arguments.steps))
                with out.open("a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
    print(out.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
