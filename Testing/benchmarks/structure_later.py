"""A structure that is added after the first round, against a project that had it from the start.

    python Testing/benchmarks/structure_later.py DATA WORK [--steps 500] [--framework cps] [--unlabelled 12] [--arm ARM]

DATA is a Decathlon folder of two structures with a splits.json (Task04_Hippocampus). Eight cases are labelled: at first
with structure 1 alone, structure 2 counting as background. Before the second round half of them are labelled again,
with both. The project that had both from the start has these last labels in both of its rounds: four cases with both
structures, four that say nothing about the second one. What is done already in WORK is not done again; the figures of
both are printed as JSON, and written to WORK/structure_later.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from metassl.imaging.images import read_labels
from metassl.project import Case, LabelDefinition, Project
from metassl.project.structure_changes import add_structure

LABELLED, RELABELLED, MEASURED = 8, 4, 20
FIRST, SECOND = LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")
ARMS = ("later", "from_the_start")


def begun(folder: Path, data: Path, structures: list[LabelDefinition], unlabelled: int) -> tuple[Project, list[str]]:
    """The project with its images, and the cases to label."""
    split = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    order, measured = split["train_order"][: LABELLED + unlabelled], split["test"][:MEASURED]
    if (folder / "project.json").exists():
        return Project.open(folder), order[:LABELLED]
    with Project.making(folder, folder.name, structures, ["MR"]) as made:
        cases = [(case, "pool") for case in order] + [(case, "test") for case in measured]
        made.add_cases(Case(case, [str(data / "imagesTr" / f"{case}.nii.gz")], role) for case, role in cases)
    return Project.open(folder), order[:LABELLED]


def label(project: Project, data: Path, case: str, values: tuple[int, ...]) -> None:
    """Label a case with some structures only; the others count as background that may be any of them."""
    array, grid = read_labels(data / "labelsTr" / f"{case}.nii.gz", case)
    project.add_label(case, (np.where(np.isin(array, values), array, 0), grid), coverage=values, annotator="benchmark")


def train(project: Project, rounds: int, steps: int, framework: str) -> None:
    """Train until so many rounds are finished."""
    done = sum(found.model_path.exists() for found in project.rounds())
    for _ in range(done, rounds):
        _metassl("train", project.path, "--iterations", steps, "--framework", framework, "--device", "cpu", "--seed", 0)


def run(arm: str, data: Path, work: Path, steps: int, framework: str, unlabelled: int) -> None:
    """One of the two projects, to its figures in evaluation.json of its second round."""
    structures = [FIRST] if arm == "later" else [FIRST, SECOND]
    project, cases = begun(work / arm, data, structures, unlabelled)
    if arm == "later" and len(project.labels) == 1:
        for case in cases:
            label(project, data, case, (1,))
        train(project, 1, steps, framework)
        add_structure(project, SECOND)
    for number, case in enumerate(cases):
        if not project.case(case).is_labelled or (number < RELABELLED and project.case(case).missing(project.values)):
            label(project, data, case, (1, 2) if number < RELABELLED else (1,))
    train(project, 2, steps, framework)
    _metassl("evaluate", project.path, "--truth", data / "labelsTr", "--cases", "test", "--device", "cpu")


def figures(work: Path) -> dict:
    """Mean Dice per structure of the projects that are measured, and the difference of their means."""
    found: dict = {}
    for arm in ARMS:
        measured = work / arm / "rounds" / "0002" / "evaluation.json"
        if measured.exists():
            result = json.loads(measured.read_text(encoding="utf-8"))
            found[arm] = {"cases": result["n_cases"], "mean": result["dice"]["mean"], **result["dice"]["per_class"]}
    if len(found) == len(ARMS):
        found["difference"] = found["later"]["mean"] - found["from_the_start"]["mean"]
    return found


def _metassl(command: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "metassl", command, *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=500, help="of each round")
    parser.add_argument("--framework", default="cps", help="and its loss metassl")
    parser.add_argument("--unlabelled", type=int, default=12, help="cases without a label, to train on and to predict")
    parser.add_argument("--arm", choices=ARMS, help="only this one")
    arguments = parser.parse_args()
    for arm in [arguments.arm] if arguments.arm else ARMS:
        run(arm, arguments.data.resolve(), arguments.work, arguments.steps, arguments.framework, arguments.unlabelled)
    chosen = {"framework": arguments.framework, "steps": arguments.steps, "unlabelled": arguments.unlabelled}
    found = {**chosen, **figures(arguments.work)}
    text = json.dumps(found, indent=1)
    (arguments.work / "structure_later.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
