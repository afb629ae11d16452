"""The project that hostile files are put into: two rounds, really trained, in moments; all that a project can hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from metassl.commands.shared.measuring import stored_path
from metassl.evaluation.dice_model import MeasuredCase, fit_dice_model
from metassl.evaluation.evaluate import evaluate
from metassl.evaluation.measure import EvaluationItem
from metassl.files import write_json
from metassl.intake import new_project
from metassl.jobs import EventWriter, JobRecord, TrainingLock
from metassl.jobs.process import host_name
from metassl.jobs.start import engine_versions, round_record
from metassl.project import Project, Round
from metassl.project.cases import now
from metassl.training.worker import Job, run_training
from tiny_plan import tiny_plan

from .sample_project import GRID, label, write_images

LABELLED, VALIDATION, CORRECTED, SOUND = "scan_0", "scan_1", "scan_2", "scan_3"
CONFIG = {"framework": "cps", "loss": "metassl", "device": "cpu", "seed": 0, "minutes": None, "iterations": 1}


def template(folder: Path) -> Path:
    """Five cases: one labelled, one for validation, one corrected after the first round, two predicted.

    A copy of one that is made once; they share their images.
    """
    return Path(shutil.copytree(Path(_made().name) / "template", folder / "template"))


@cache
def _made() -> TemporaryDirectory:
    made = TemporaryDirectory(prefix="metassl-template-")
    _make(Path(made.name))
    return made


def _make(folder: Path) -> None:
    project, _ = new_project(folder / "template", write_images(folder / "images", 5), labelled=2)
    project.update_case(VALIDATION, split="validation")
    threads = torch.get_num_threads()
    first = _trained(project, None)
    project.add_label(CORRECTED, (label(30), GRID), "corrected")
    second = _trained(project, first)
    torch.set_num_threads(threads)
    _measured_on_many(second)
    measured = evaluate(
        [EvaluationItem(SOUND, second.prediction(SOUND), project.accepted_label(LABELLED))], project.labels
    )
    write_json(stored_path(second), measured)
    JobRecord.of(1 << 22).write(second.job_path)
    dead = {"pid": 1 << 22, "process_started": "x", "host": host_name(), "since": now(), "purpose": "round 0002"}
    write_json(TrainingLock(project.path).path, dead)


def _trained(project: Project, parent: Round | None) -> Round:
    record = round_record(
        CONFIG,
        parent,
        labels={case.id: case.label_version for case in project.labelled_cases()},
        validation={case.id: case.label_version for case in project.validation_cases()},
        unlabelled=[case.id for case in project.unlabelled_cases()],
    )
    found = project.new_round({**record, "versions": engine_versions()})
    write_json(found.plan_path, tiny_plan(patch_zyx=(8, 8, 8), filters=(2, 4, 4)).to_json())
    tell = EventWriter(found.events_path).write
    run_training(Job(project, found, tell))
    _events_of_a_longer_life(tell)
    return found


def _events_of_a_longer_life(tell: Callable[..., object]) -> None:
    tell("validation", step=1, dice={"mean": 0.5, "per_class": {"Front": 0.5, "Back": None}}, cases=1)
    tell("case_failed", case=LABELLED, file="scan_0.nrrd", reason="case scan_0: it is damaged")
    tell("warning", message="a warning")
    tell("finished", seconds=12.0)


def _measured_on_many(found: Round) -> None:
    """As if there had been enough cases for a model of the Dice."""
    path = found.error_rates_path
    figures = json.loads(found.prediction(SOUND).summary.read_text("utf-8"))["dice_features"]
    names = list(figures)
    cases = [
        MeasuredCase(
            {name: {key: 0.1 * place for key in ("stability", "agreement", "expected")} for name in names},
            {name: 0.1 * place for name in names},
        )
        for place in range(1, 7)
    ]
    write_json(path, {**json.loads(path.read_text("utf-8")), "dice_model": fit_dice_model(cases)})
