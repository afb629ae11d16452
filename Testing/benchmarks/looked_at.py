"""What the estimate of deep errors is worth when of the reviewed cases only the doubtful slices were looked at.

    python Testing/benchmarks/looked_at.py PROJECT TRUTH OUT.json [--round N] [--chances 0.9 0.5 0.3]

PROJECT has a round with predictions of many cases; TRUTH holds CASE.nii.gz of each. Ten times, 24 cases are reviewed:
of each the slices in which a deep error is expected, by what is assumed before anything is measured, with this chance
or a higher one, and those beside a wrong slice. The estimate is measured on them in three ways: as if all was
looked at, so that the rest is right (`rest_is_right`); on what was looked at (`looked_at`); and on the whole truth of
these cases (`all_known`). Then it says how many slices of the other cases are wrong.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from metassl.evaluation.effort_model import fit_effort_model, measured_effort
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import read_labels
from metassl.project import Project
from metassl.project.effort.depth import deep_errors, tolerance_of
from metassl.project.effort.expected import EffortModel, expected_effort, review_axis, slice_sums
from metassl.project.effort.maps import read_work
from metassl.project.effort.slices import with_slices
from metassl.project.round_files import read_summary

REPEATS, REVIEWED = 10, 24
WAYS = ("rest_is_right", "looked_at", "all_known")


@dataclass
class Predicted:
    segmentation: np.ndarray
    expected: np.ndarray
    truth: np.ndarray
    geometry: Geometry
    wrong: np.ndarray
    """Which slices hold a deep error."""


def read(project: Project, number: int, truth: Path) -> list[Predicted]:
    found, made = project.round(number), []
    for case in found.predicted_cases():
        paths = found.prediction(case)
        segmentation, geometry = read_labels(paths.segmentation, case)
        _effort, expected = read_work(paths, read_summary(paths.summary, case), geometry, case)
        label, _ = read_labels(truth / f"{case}.nii.gz", case)
        deep = deep_errors(segmentation, label, geometry.spacing_zyx, project.values[1:], tolerance_of(project))
        wrong = slice_sums(deep, review_axis(geometry)) > 0
        made.append(Predicted(segmentation, expected, label, geometry, wrong))
    return made


def looked_at(case: Predicted, chance: float, assumed: EffortModel) -> list[int]:
    effort = expected_effort(case.segmentation, case.expected, case.geometry, assumed)
    looked, waiting = set(), [place for place, wrong in enumerate(effort.wrong) if wrong >= chance]
    while waiting:
        place = waiting.pop()
        looked.add(place)
        if case.wrong[place]:
            beside = {place - 1, place + 1} - looked
            waiting += [each for each in beside if 0 <= each < len(case.wrong)]
    return sorted(looked)


def label_of(case: Predicted, looked: list[int], way: str) -> np.ndarray:
    axis = review_axis(case.geometry)
    if way == "all_known":
        return case.truth
    return with_slices(case.truth, None if way == "looked_at" else case.segmentation, axis, looked)


def measure(cases: list[Predicted], chance: float, values: list[int], tolerance_mm: float) -> dict:
    random, assumed = np.random.default_rng(0), EffortModel.of(None, tolerance_mm)
    said: dict[str, list] = {way: [] for way in WAYS}
    true = []
    for _ in range(REPEATS):
        order = random.permutation(len(cases))
        others = [cases[place] for place in order[REVIEWED:]]
        true.append(np.mean([case.wrong.sum() for case in others]))
        for way in WAYS:
            measured = []
            for case in (cases[place] for place in order[:REVIEWED]):
                label = label_of(case, looked_at(case, chance, assumed), way)
                about = case.segmentation, case.expected, label, case.geometry, values, tolerance_mm
                measured.append(measured_effort(*about))
            model = EffortModel.of(fit_effort_model([each for each in measured if each], tolerance_mm), tolerance_mm)
            efforts = [expected_effort(each.segmentation, each.expected, each.geometry, model) for each in others]
            wrong = np.mean([each.wrong_slices for each in efforts])
            said[way].append((wrong, np.mean([sum(np.array(each.wrong) >= chance) for each in efforts])))
    means = {way: np.mean(rows, axis=0) for way, rows in said.items()}
    return {
        "chance": chance,
        "wrong_slices": round(float(np.mean(true)), 2),
        **{f"{way}_wrong_slices": round(float(wrong), 2) for way, (wrong, _) in means.items()},
        **{f"{way}_slices_to_look_at": round(float(slices), 2) for way, (_, slices) in means.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--round", type=int, help="default: the newest")
    parser.add_argument("--chances", type=float, nargs="+", default=[0.9, 0.5, 0.3])
    arguments = parser.parse_args()
    project = Project.open(arguments.project)
    number = arguments.round or project.rounds()[-1].number
    cases = read(project, number, arguments.truth)
    values, tolerance_mm = project.values[1:], tolerance_of(project)
    rows = [measure(cases, chance, values, tolerance_mm) for chance in arguments.chances]
    content = {"cases": len(cases), "reviewed": REVIEWED, "tolerance_mm": tolerance_mm, "chances": rows}
    arguments.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
