"""How often the map is right, and the segmentation too: on validation cases and on the corrections made so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from metassl.data.plan import Plan
from metassl.data.preprocess import Prepare, Prepared, prepare_image
from metassl.evaluation.dice_model import OF_P_ERROR, OF_THE_PAIR, MeasuredCase, fit_dice_model
from metassl.evaluation.effort_model import MeasuredEffort, fit_effort_model, measured_effort
from metassl.evaluation.metrics import as_annotated, dice
from metassl.evaluation.region_errors import MapErrors
from metassl.evaluation.volume_range import MeasuredVolume, fit_volume_model
from metassl.files.errors import MetaSSLError
from metassl.imaging.geometry import Geometry
from metassl.imaging.hashes import image_hashes, replaced_image
from metassl.imaging.images import IGNORE, read_labels
from metassl.imaging.unit_maps import read_unit_map
from metassl.inference.error_model import FOLDS, MOST_VOXELS, ErrorModel, Sample, checked_error_model, take_sample
from metassl.inference.model import TrainedModel, keep_error_model
from metassl.inference.one_pass import Pass, fitting_pass
from metassl.inference.predictor import CasePrediction, predict_prepared
from metassl.inference.region_map import UC
from metassl.project.effort.depth import tolerance_of
from metassl.project.effort.looked import read_looked_at
from metassl.project.project import Project
from metassl.project.records import ErrorRates, Features
from metassl.project.round_files import read_summary
from metassl.project.rounds import PredictionPaths, Round, trained_on

REVIEWED = ("accepted", "corrected")


Report = Callable[[int, int], object]
Made = Callable[[str], Pass | None]


def measured_error_rates(
    project: Project,
    found: Round,
    model: TrainedModel,
    report: Report = lambda done, total: None,
    prepare: Prepare = prepare_image,
    made: Made = lambda case: None,
) -> ErrorRates | None:
    """None when there is neither a validation case nor a correction.

    Gives `model` its error model and keeps it there. made(case): the model's pass over a validation case, at its
    operating point, where there was one.
    report(done, total) is called between the steps; what it raises ends the work.
    """
    measurement = _Measurement(project, model, prepare, made)
    validation, judged = project.validation_cases(), judged_rounds(project, found.number)
    steps = count(1)
    total = len(validation) + len(judged) + FOLDS

    def done(value: Any = None) -> Any:
        report(next(steps), total)
        return value

    validation = [case for case in validation if done(measurement.add_validation(case.id))]
    corrected = [
        case for case, earlier in judged.items() if done(measurement.add_correction(case, earlier.prediction(case)))
    ]
    if not validation and not corrected:
        return None
    before = model.error_model
    model.error_model, learnt, expected = checked_error_model(measurement.samples, model.plan, done)
    recipe = OF_THE_PAIR
    if before is not None or model.error_model is not None:
        keep_error_model(found.model_path, model.error_model)
    if model.error_model is not None:
        recipe = OF_P_ERROR
        measurement.expect_dice(model.error_model, expected)
    return ErrorRates(
        **measurement.errors.to_json(),
        dice_model=fit_dice_model(measurement.cases, recipe),
        volume_model=fit_volume_model(measurement.volumes),
        effort_model=fit_effort_model(measurement.efforts, tolerance_of(project)),
        error_model=learnt,
        validation_cases=len(validation),
        corrected_cases=len(corrected),
    )


@dataclass(frozen=True)
class AnnotatedCase:
    """Its image on a plan's grid, its annotation on its own one, and the values that this says nothing about."""

    prepared: Prepared
    label: np.ndarray
    missing: Sequence[int]

    @property
    def truth(self) -> np.ndarray:
        """The annotation on the plan's grid."""
        return self.prepared.transform.labels_to_grid(self.label)


def annotated_case(project: Project, case_id: str, plan: Plan, prepare: Prepare) -> AnnotatedCase | None:
    """None where it cannot be read, its image was replaced since, or its annotation is of another grid."""
    try:
        paths = project.image_paths(case_id)
        prepared = prepare(paths, plan, case_id)
        label, geometry = read_looked_at(project, case_id)
        case = project.case(case_id)
        replaced = replaced_image(paths, image_hashes(paths, case_id), case.image_hashes)
    except MetaSSLError:
        return None
    if replaced or prepared.transform.geometry.difference(geometry):
        return None
    return AnnotatedCase(prepared, label, case.missing(project.values))


def judged_rounds(project: Project, before: int) -> dict[str, Round]:
    """Of each accepted or corrected case the last round before that predicted it, if that had not learnt from it."""
    rounds = [found for found in reversed(project.rounds()) if found.number < before]
    seen = cache(trained_on)
    judged = {}
    for case in project.labelled_cases():
        if case.state not in REVIEWED:
            continue
        for found in rounds:
            if not found.prediction(case.id).complete:
                continue
            try:
                if case.id in seen(found):
                    continue
            except MetaSSLError:  # a damaged record
                break
            judged[case.id] = found
            break
    return judged


class _Measurement:
    """Adds up cases, the unreadable ones left out."""

    def __init__(self, project: Project, model: TrainedModel, prepare: Prepare, made: Made) -> None:
        self.project, self.model, self.prepare, self.made = project, model, prepare, made
        self.errors = MapErrors({label.value: label.name for label in project.labels})
        self.cases: list[MeasuredCase] = []
        self.volumes: dict[str, list[MeasuredVolume]] = {}
        self.samples: list[Sample] = []
        self._sampled: list[int] = []  # which of the cases each sample is of
        self.efforts: list[MeasuredEffort] = []
        self._tolerance = tolerance_of(project)
        self._most = min(MOST_VOXELS, 10 * MOST_VOXELS // max(len(project.validation_cases()), 1))

    def add_validation(self, case_id: str) -> bool:
        """Predict the case with the new model."""
        model, known = self.model, annotated_case(self.project, case_id, self.model.plan, self.prepare)
        if known is None:
            return False
        prepared, label, missing = known.prepared, known.label, known.missing
        made = self.made(case_id)
        if made is None:
            sized = model.plan, model.device
            made = fitting_pass(model.networks, prepared.array, case_id, *sized, point=model.point)
        prediction = predict_prepared(model, prepared, made, tolerance_mm=self._tolerance)
        segmentation = as_annotated(prediction.segmentation, missing)
        self.errors.add(segmentation, prediction.regions, prediction.uncertainty, label)
        self._add_dice(prediction.dice_features.summary(model.known(self.project.labels)), segmentation, label)
        self._add_volumes(prediction, label, missing)
        self._add_effort(segmentation, prediction.deep_errors, label, prepared.transform.geometry)
        seed = len(self.samples)
        sample = take_sample(
            made.pair, prepared.array, known.truth, model.values, model.plan, seed, self._most, missing
        )
        if sample is not None:
            self.samples.append(sample)
            self._sampled.append(len(self.cases) - 1)
        return True

    def expect_dice(self, error_model: ErrorModel, left_out: Sequence[float | None]) -> None:
        """Add to the figures of the validation cases what P(error) lets expect of them.

        left_out: the same by models that were not fitted on the case, as on a new one.
        """
        for place, sample, new in zip(self._sampled, self.samples, left_out, strict=True):
            figures = self.cases[place].features
            own = error_model.expected_dice(sample)
            self.cases[place] = replace(
                self.cases[place], features=_expecting(figures, own), features_as_new=_expecting(figures, new)
            )

    def add_correction(self, case_id: str, paths: PredictionPaths) -> bool:
        """A prediction of the case that was accepted or corrected, see `judged_rounds`."""
        try:
            return self._add_earlier(case_id, paths)
        except (MetaSSLError, ValueError):  # a file that is gone, damaged, or on another grid
            return False

    def _add_earlier(self, case_id: str, paths: PredictionPaths) -> bool:
        missing = self.project.case(case_id).missing(self.project.values)
        segmentation = as_annotated(read_labels(paths.segmentation, case_id)[0], missing)
        regions, _ = read_labels(paths.regions, case_id)
        if np.array_equal(self.project.read_label(case_id)[0] != IGNORE, regions == UC):
            return False  # the confident part was kept as it was: nobody has looked for errors there
        label, geometry = read_looked_at(self.project, case_id)
        looked_at = label != IGNORE
        if not looked_at.any():
            return False
        uncertainty, _ = read_unit_map(paths.uncertainty, case_id)
        self.errors.add(segmentation, regions, uncertainty, label)
        summary = read_summary(paths.summary, case_id)
        if summary.dice_features and looked_at.all():
            self._add_dice(summary.dice_features, segmentation, label)
        if (
            summary.effort is not None
            and summary.effort.tolerance_mm == self._tolerance
            and paths.deep_errors.is_file()
        ):
            self._add_effort(segmentation, read_unit_map(paths.deep_errors, case_id)[0], label, geometry)
        return True

    def _add_effort(
        self, segmentation: np.ndarray, expected: np.ndarray | None, label: np.ndarray, geometry: Geometry
    ) -> None:
        if expected is not None:
            values = self.project.values[1:]
            found = measured_effort(segmentation, expected, label, geometry, values, self._tolerance)
            self.efforts += [] if found is None else [found]

    def _add_volumes(self, prediction: CasePrediction, label: np.ndarray, missing: Sequence[int]) -> None:
        if (label == IGNORE).any():
            return  # the true volume is not known
        known = [each for each in self.model.known(self.project.labels) if each.value not in missing]
        counted = prediction.dice_features.volumes(known)
        segmented, true = (np.bincount(each.ravel(), minlength=256) for each in (prediction.segmentation, label))
        for each in known:
            volume = MeasuredVolume(*counted[each.name], int(segmented[each.value]), int(true[each.value]))
            self.volumes.setdefault(each.name, []).append(volume)

    def _add_dice(self, features: Features, segmentation: np.ndarray, label: np.ndarray) -> None:
        known = label != IGNORE
        true = {}
        for each in self.project.labels:
            value = dice((segmentation == each.value) & known, label == each.value)
            true[each.name] = None if math.isnan(value) else value
        self.cases.append(MeasuredCase(features, true))


def _expecting(features: Features, expected: float | None) -> dict[str, Mapping[str, Any]]:
    return {name: {**figures, "expected": expected} for name, figures in features.items()}
