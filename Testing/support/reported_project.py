"""A project with a trained and evaluated round, made up, and a reader of the page that reports it."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from metassl.evaluation.evaluate import evaluate
from metassl.evaluation.measure import EvaluationItem
from metassl.evaluation.report.write import write_report
from metassl.files import write_json
from metassl.imaging import Geometry, write_array
from metassl.jobs import JobWriter
from metassl.project import Case, LabelDefinition, Project, Round
from metassl.selection.rank import rank

GRID = Geometry((24, 24, 16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
VOID = {"img", "meta", "br", "col"}


class Page(HTMLParser):
    """Checks that every element is closed, and collects texts, tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += [(key, value or "") for key, value in attributes]
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))  # no-break spaces become spaces


def build_project(folder: Path, cases: int = 8, name: str = "Hippocampus") -> Project:
    """A project with images of noise, two structures, three labelled and two test cases."""
    labels = [LabelDefinition(1, "Anterior"), LabelDefinition(2, "Posterior")]
    project = Project.create(folder, name, labels, ["T1"])
    random = np.random.default_rng(0)
    for number in range(cases):
        image, truth = volume(number, random)
        path = folder / "images" / f"case_{number:02d}.nrrd"
        path.parent.mkdir(exist_ok=True)
        write_array(path, image, GRID)
        split = "test" if number >= cases - 2 else "pool"
        project.add_cases([Case(f"case_{number:02d}", [str(path)], split=split)])
        if number < 3:
            project.add_label(f"case_{number:02d}", (truth, GRID))
    return project


def volume(number: int, random) -> tuple[np.ndarray, np.ndarray]:
    """An image with two touching ellipsoids, and their labels."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in GRID.shape_zyx), indexing="ij")
    centre = np.array([8, 12, 12]) + random.normal(0, 0.7, 3)
    inside = ((z - centre[0]) / 5) ** 2 + ((y - centre[1]) / 8) ** 2 + ((x - centre[2]) / 6) ** 2
    labels = np.where(inside > 1, 0, np.where(y < centre[1], 1, 2)).astype(np.uint8)
    image = 100 + 40 * (labels > 0) + random.normal(0, 12, labels.shape)
    return image.astype(np.float32), labels


def predict(project: Project, found: Round, case_id: str, seed: int) -> Path:
    """Write a made-up prediction of a case; returns the path of its made-up truth."""
    random = np.random.default_rng(seed)
    _, truth = volume(seed, np.random.default_rng(seed))
    smooth = np.abs(random.normal(0, 0.35, truth.shape))
    border = sum(np.roll(truth, step, axis) != truth for axis in range(3) for step in (-1, 1)) > 0
    wrong = border & (random.random(truth.shape) < 0.25)
    segmentation = np.where(wrong, np.roll(truth, 1, 1), truth).astype(np.uint8)
    uncertainty = np.clip(0.02 * smooth + 0.45 * border + 0.2 * wrong, 0, 1).astype(np.float32)
    regions = np.ones(truth.shape, np.uint8)
    regions[border] = random.choice([1, 2, 2, 2, 3, 4], int(border.sum()))
    paths = found.prediction(case_id)
    paths.folder.mkdir(parents=True)
    write_array(paths.segmentation, segmentation, GRID)
    write_array(paths.regions, regions, GRID)
    write_array(paths.uncertainty, uncertainty, GRID)
    voxels = dict(zip(("UC", "US", "DC", "DS"), np.bincount(regions.ravel(), minlength=5)[1:], strict=True))
    near = dict(zip(voxels, np.bincount(regions[border], minlength=5)[1:], strict=True))
    write_json(
        paths.summary,
        {
            "case": case_id,
            "round": found.number,
            "voxels": {key: int(value) for key, value in voxels.items()},
            "band_voxels": {key: int(value) for key, value in near.items()},
            "structure_voxels": int((segmentation > 0).sum()),
            "volume_ml": {
                label.name: float((segmentation == label.value).sum() * GRID.voxel_ml) for label in project.labels
            },
            "mean_uncertainty": float(uncertainty[border].mean()),
            "mutual_information": 0.03,
            "uncertainty": {"US": 0.2, "DC": 0.05, "DS": 0.04},
            "error_rates": None,
        },
    )
    truths = project.path.parent / "truth"
    truths.mkdir(exist_ok=True)
    write_array(truths / f"{case_id}.nrrd", truth, GRID)
    return truths / f"{case_id}.nrrd"


def build_round(project: Project, steps: int = 300) -> Round:
    """A round as the worker leaves it: record, events, predictions, ranking."""
    labelled = project.labelled_cases()
    found = project.new_round(
        {
            "config": {"framework": "cps", "loss": "metassl", "minutes": 4.0, "seed": 7},
            "parent": None,
            "labels": {case.id: case.label_version for case in labelled},
            "validation": {},
            "unlabelled": [case.id for case in project.unlabelled_cases()],
            "versions": {"metassl": "0.1.0", "torch": "2.13.0"},
        }
    )
    events = JobWriter(found, every_s=0.0)
    events.write("started", device="cpu", device_name="CPU (2 cores)", threads=2, precision="fp32")
    events.write("plan", summary="1 x 1 x 1 mm · patch 32 x 48 x 32 · z-score per case")
    events.write("stage", stage="training", total=steps)
    for step in range(1, steps + 1, 3):
        report_step(events, step, steps)
        if step % 75 == 1:
            mean = 0.86 * (1 - math.exp(-step / 60))
            dice = {"mean": mean, "per_class": {"Anterior": mean + 0.01, "Posterior": mean - 0.01}}
            events.write("validation", step=step, dice=dice, cases=2)
    for seed, case in enumerate(project.unlabelled_cases()):
        predict(project, found, case.id, seed)
        events.write("predicted", case=case.id, uncertainty={"US": 0.2, "DC": 0.05, "DS": 0.04})
    rank(project, found)
    events.write("finished", seconds=232.0)
    return found


def report_step(events: JobWriter, step: int, total: int) -> None:
    supervised = 0.1 + 1.2 * math.exp(-step / 80) + 0.05 * math.sin(step)
    consistency = 0.04 + 0.3 * math.exp(-step / 50)
    events.write(
        "progress",
        stage="training",
        step=step,
        total=total,
        eta_s=1.0,
        seconds_per_step=0.41,
        data_wait_share=0.012,
        loss={
            "total": supervised + consistency,
            "supervised": supervised,
            "consistency": consistency,
        },
        regions={
            "UC": 0.9,
            "US": 0.05 + 0.2 * math.exp(-step / 60),
            "DC": 0.02 + 0.03 * math.exp(-step / 90),
            "DS": 0.015 + 0.04 * math.exp(-step / 30),
        },
        lr=1e-3,
        memory_mb=1400,
    )


def build_evaluation(project: Project, found: Round) -> dict:
    """Predict the test cases and measure them."""
    items = []
    for seed, case in enumerate(project.test_cases(), start=50):
        truth = predict(project, found, case.id, seed)
        items.append(EvaluationItem(case.id, found.prediction(case.id), truth))
    return {"group": "test", **evaluate(items, project.labels)}


def written(project: Project, found: Round, evaluation=None, with_pictures=False) -> tuple[str, Page]:
    out = project.path.parent / "out" / "report.html"
    assert write_report(project, found, out, evaluation, pictures=with_pictures) == out
    text = out.read_text(encoding="utf-8")
    return text, Page(text)
