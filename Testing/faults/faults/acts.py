"""All that a session writes into a project, one act after the other; each is a call of the product."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from metassl.data.cache import PreprocessCache
from metassl.exports import export_project
from metassl.files import write_json
from metassl.files.atomic import remove_file
from metassl.imaging.volumes import split_volumes
from metassl.inference.predictor import CasePrediction, write_prediction
from metassl.jobs import EventWriter, JobRecord, LocalLauncher, TrainingLock
from metassl.networks.checkpoint import save_checkpoint
from metassl.project import Case, Project, Round
from metassl.project.records import Summary
from metassl.project.round_choice import choose_newest, review_round
from metassl.selection.rank import rank
from metassl.training.inputs import ImageRecord
from MetaSSLSlicerLib.Logic.Autosave.AutosaveFormat import autosavePath, writeAutosave

from .sample_project import GRID, image, label, make_project

CREATE = "create a project"


@dataclass(frozen=True)
class Act:
    """do(project folder, folder of images). lasting: what it wrote is there after a power loss once it returned.

    remade: what it replaces is derived, so that a fault may take it away until it is made again.
    """

    name: str
    do: Callable[[Path, Path], object]
    lasting: bool = True
    remade: str = ""


def _add_label(case: str, seed: int, state: str = "labelled") -> Callable[[Path, Path], object]:
    return lambda path, images: Project.open(path).add_label(case, (label(seed), GRID), state)


def _case(case: str, **changes: object) -> Callable[[Path, Path], object]:
    return lambda path, images: Project.open(path).update_case(case, **changes)


def _of_round(do: Callable[[Round], object]) -> Callable[[Path, Path], object]:
    return lambda path, images: do(Project.open(path).latest_round())


def _json(name: str, seed: int = 0) -> Callable[[Path, Path], object]:
    return _of_round(lambda found: write_json(found.path / f"{name}.json", {"seed": seed}))


def _autosave(seed: int) -> Callable[[Path, Path], object]:
    def do(path: Path, images: Path) -> None:
        project = Project.open(path)
        writeAutosave(autosavePath(project, "scan_1"), label(seed), GRID, project.labels)

    return do


def _predict(seed: int) -> Callable[[Path, Path], object]:
    def do(found: Round) -> None:
        regions, uncertainty = label(seed + 1) + np.uint8(1), np.full(label(0).shape, seed / 100, np.float32)
        maps = CasePrediction(label(seed), regions, uncertainty, uncertainty, GRID, None, None)
        write_prediction(found.prediction("scan_2"), maps, Summary(case="scan_2", step=seed))

    return _of_round(do)


def _inputs(path: Path, images: Path) -> None:
    project = Project.open(path)
    record = ImageRecord(project, project.latest_round())
    record.check("scan_0", project.image_paths("scan_0"), project.case("scan_0").label_version)
    record.write()


def _add_case(path: Path, images: Path) -> None:
    Project.open(path).add_cases([Case("new", [str(images / "imagesTr" / "scan_0.nrrd")])])


def _review(path: Path, images: Path) -> None:
    project = Project.open(path)
    review_round(project, next(found.number for found in project.rounds() if found.predicted_cases()))


def _split(path: Path, images: Path) -> None:
    four = sitk.JoinSeries([GRID.apply(sitk.GetImageFromArray(image(seed))) for seed in (7, 8)])
    sitk.WriteImage(four, str(images / "four.nrrd"))
    project = Project.open(path)
    volumes = split_volumes(images / "four.nrrd", project.path / "images", "volumes")
    project.add_cases([Case("volumes", [str(volume) for volume in volumes])])


def _cache(path: Path, images: Path) -> None:
    arrays = PreprocessCache(path / "cache", 1 << 20).get("key", lambda: {"image": image(3)})
    assert np.array_equal(arrays["image"], image(3))


def _checkpoint(seed: int) -> Callable[[Path, Path], object]:
    state = {"weights": torch.full((50,), float(seed)), "step": seed}
    return _of_round(lambda found: save_checkpoint(found.last_checkpoint_path, state))


def _export(path: Path, images: Path) -> None:
    number = len(list(path.parent.glob("export*")))
    export_project(Project.open(path), path.parent / f"export{number}")


ACTS = (
    Act(CREATE, lambda path, images: make_project(path, images)),
    Act("add a case", _add_case),
    Act("add a case of a 4-D file", _split),
    Act("begin an autosave", _autosave(11)),
    Act("write an autosave again", _autosave(12)),
    Act("mark a case in progress", _case("scan_1", state="in_progress")),
    Act("add a first label", _add_label("scan_1", 12)),
    Act(
        "remove an autosave",
        lambda path, images: remove_file(autosavePath(Project.open(path), "scan_1")),
        lasting=False,
    ),
    Act("note the time spent", _case("scan_1", seconds_spent=12.5, dice=0.5)),
    Act("add another version", _add_label("scan_1", 13)),
    Act("go back to a former version", _add_label("scan_1", 12)),
    Act("set a split", _case("scan_1", split="validation")),
    Act("change settings", lambda path, images: Project.open(path).update_settings(strategy="random")),
    Act("take the training lock", lambda path, images: TrainingLock(path).acquire("round 0001")),
    Act("begin a round", lambda path, images: Project.open(path).new_round({"labels": {}, "config": {"seed": 3}})),
    Act("write the job", _of_round(lambda found: JobRecord.of(os.getpid()).write(found.job_path))),
    Act("write an event", _of_round(lambda found: EventWriter(found.events_path).write("started")), lasting=False),
    Act("write the plan", _json("plan")),
    Act("note the inputs", _inputs),
    Act("fill the cache", _cache, lasting=False),
    Act("save a checkpoint", _checkpoint(1)),
    Act("save the next checkpoint", _checkpoint(2)),
    Act("ask to stop", _of_round(LocalLauncher().stop)),
    Act("write error rates", _json("error_rates")),
    Act("note the labelled cases", _json("labelled")),
    Act("predict a case", _predict(21)),
    Act("predict it again", _predict(22), remade="prediction of scan_2"),
    Act("mark it predicted", lambda path, images: Project.open(path).mark_predicted(["scan_2"])),
    Act("rank", lambda path, images: rank(Project.open(path), Project.open(path).latest_round(), "random")),
    Act("rank again", lambda path, images: rank(Project.open(path), Project.open(path).latest_round(), "random")),
    Act("keep an evaluation", _json("evaluation")),
    Act("keep the next evaluation", _json("evaluation", 1)),
    Act("give the lock back", lambda path, images: TrainingLock(path).release(), lasting=False),
    Act("review a round", _review),
    Act("review the newest", lambda path, images: choose_newest(Project.open(path))),
    Act("reject", _case("scan_2", state="rejected")),
    Act("accept", _add_label("scan_2", 22, "accepted")),
    Act("correct", _add_label("scan_2", 23, "corrected")),
    Act("begin the next round", lambda path, images: Project.open(path).new_round({"labels": {}, "parent": 1})),
    Act("export", _export),
)
