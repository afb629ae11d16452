"""Predict cases of a project, or images outside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from metassl.data.intensity import believed_of
from metassl.data.plan import Plan
from metassl.data.preprocess import Prepare, Prepared, prepare_image, to_grid
from metassl.data.unlike import Description, Usual
from metassl.files.atomic import make_folder
from metassl.files.errors import MetaSSLError, ProjectError
from metassl.imaging.hashes import image_hashes
from metassl.imaging.images import IGNORE, read_image
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import Pass
from metassl.inference.predictor import CasePrediction, predict_finite, summarise, write_prediction
from metassl.inference.smaller_windows import Told, with_smaller_windows
from metassl.intake.images import find_images
from metassl.intake.usable import images_of
from metassl.networks.device import choose_device
from metassl.project.effort.depth import DEFAULT_TOLERANCE_MM, tolerance_of
from metassl.project.project import Project
from metassl.project.records import ErrorRates, Summary
from metassl.project.round_choice import model_round
from metassl.project.round_files import read_error_rates, read_notes, read_summary
from metassl.project.rounds import PredictionPaths, Round

Report = Callable[[int, int, str], None]
Failed = Callable[[str, str], None]


def predicted_by(paths: PredictionPaths, step: int) -> bool:
    """Whether the prediction is complete and of the model with so many steps.

    A paused round may hold predictions of a half-trained model.
    """
    if not paths.complete:
        return False
    try:
        return read_summary(paths.summary, paths.folder.name).step == step
    except ProjectError:
        return False


def predict_into(
    model: TrainedModel,
    case_id: str,
    images: list[Path],
    paths: PredictionPaths,
    labels: list,
    round_number: int | None,
    measured: ErrorRates | None,
    told: Told = lambda case, how: None,
    prepare: Prepare = prepare_image,
    known: np.ndarray | None = None,
    made: Pass | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> Summary:
    """Predict one case, write its files, return its summary.

    told(case, how): see `Told`; known: `known_voxels`; made: the model's pass over the image, if there was one.
    tolerance_mm: `tolerance_of` the project.
    """
    hashes = image_hashes(images, case_id)
    prediction = predict_files(model, case_id, images, told, prepare, known, made, tolerance_mm)
    summary = summarise(prediction, case_id, round_number, model.known(labels), measured, model.step)
    summary = replace(summary, image_hashes=hashes)
    write_prediction(paths, prediction, summary)
    return summary


def predict_files(
    model: TrainedModel,
    case_id: str,
    images: list[Path],
    told: Told = lambda case, how: None,
    prepare: Prepare = prepare_image,
    known: np.ndarray | None = None,
    made: Pass | None = None,
    tolerance_mm: float | None = None,
) -> CasePrediction:
    """Predict the image files of one case, in windows that fit into the memory; known, made, tolerance_mm: see
    `predict_into`.

    Raises MetaSSLError.
    """

    def work(plan: Plan, device: torch.device) -> CasePrediction:
        sized = replace(model, plan=plan, device=device)
        return predict_finite(sized, prepare(images, plan, case_id), case_id, known, made, tolerance_mm)

    return with_smaller_windows(model.networks, model.plan, model.device, case_id, work, told)


def known_voxels(project: Project, case_id: str) -> np.ndarray | None:
    """The annotation, uint8 (z, y, x), of a partly annotated case, which its prediction keeps; None of any other.

    Where structures were added since, its background may be one of them: nobody knows it.
    """
    case = project.case(case_id)
    if not case.is_partial:
        return None
    array, _grid = project.read_label(case_id)
    return np.where(array == 0, np.uint8(IGNORE), array) if case.missing(project.values) else array


def predict_project(
    project: Project,
    cases: Iterable[str] | None = None,
    device: str = "auto",
    report: Report | None = None,
    failed: Failed | None = None,
    found: Round | None = None,
) -> list[tuple[str, PredictionPaths]]:
    """Predict cases of the project with the model of `found`, or `model_round`.

    The default are all unlabelled cases that this model has not predicted.

    An image that fails is handed to failed(case, reason) and the rest go on; without `failed` it is raised.
    """
    found = found or model_round(project)
    model = TrainedModel.load(found.model_path, choose_device(device))
    measured = read_error_rates(found)
    if cases is None:
        waiting = (case.id for case in project.unlabelled_cases())
        cases = [each for each in waiting if not predicted_by(found.prediction(each), model.step)]
    chosen, depth = list(cases), tolerance_of(project)

    def one(case_id: str) -> PredictionPaths:
        paths = found.prediction(case_id)
        images = project.image_paths(case_id)
        known, numbered = known_voxels(project, case_id), found.number
        predict_into(model, case_id, images, paths, project.labels, numbered, measured, known=known, tolerance_mm=depth)
        return paths

    done = _each(chosen, one, report, failed)
    pool = {case.id for case in project.unlabelled_cases()}
    project.mark_predicted([case_id for case_id, _ in done if case_id in pool])
    return done


def predict_folder(
    project: Project,
    images: Path,
    out: Path,
    device: str = "auto",
    report: Report | None = None,
    failed: Failed | None = None,
    tell: Callable[[str], object] = lambda note: None,
) -> list[tuple[str, PredictionPaths]]:
    """Predict every image of a folder into out/CASE/ with the project's model, see `model_round`: with all maps and
    the summary, as a round keeps them. `predict_images` writes out/CASE.nii.gz.

    tell(note): a sentence on an image that is unlike what the model was trained on, or has values that are not
    believed.
    """
    found = model_round(project)
    cases = {case.id: case for case in find_images([images], project.channels, besides=out).cases}
    model = TrainedModel.load(found.model_path, choose_device(device))
    measured = read_error_rates(found)
    _notes, usual = read_notes(found)
    make_folder(Path(out))

    def one(case_id: str) -> PredictionPaths:
        paths = PredictionPaths.at(Path(out) / case_id)
        with TemporaryDirectory() as folder:
            files, notes = images_of(Path(folder), cases[case_id], len(project.channels))
            for note in notes:
                tell(note)
            prepare = telling(cases[case_id].images[0], usual, tell)
            depth = tolerance_of(project)
            predict_into(
                model, case_id, files, paths, project.labels, None, measured, prepare=prepare, tolerance_mm=depth
            )
        return paths

    return _each(list(cases), one, report, failed)


def telling(image: Path, usual: Mapping[str, Any] | None, tell: Callable[[str], object]) -> Prepare:
    """A `Prepare` of one case that reads the files and tells what is odd about them, naming `image`.

    usual: what the images that the model was trained on are like, see `Usual`.
    """
    told: set[str] = set()  # an image may be prepared again, where the memory was too small

    def prepared(paths: Sequence[Path], plan: Plan, case_id: str) -> Prepared:
        read = read_image(paths, case_id)
        believed = believed_of(read)
        odd = [each.told for each in believed]
        if usual and (reason := Usual.of_json(usual).differs(Description.of(read, believed))):
            odd.append(f"unlike what the model was trained on: {reason}")
        for note in filter(None, odd if case_id not in told else ()):
            tell(f"case {case_id}: {image}: {note}")
        told.add(case_id)
        return to_grid(read, plan, case_id, believed)

    return prepared


def _each(case_ids: list[str], one: Callable, report: Report | None, failed: Failed | None) -> list:
    done = []
    for index, case_id in enumerate(case_ids):
        try:
            done.append((case_id, one(case_id)))
        except MetaSSLError as error:
            if failed is None:
                raise
            failed(case_id, str(error))
        if report is not None:
            report(index + 1, len(case_ids), case_id)
    return done
