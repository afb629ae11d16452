"""How often the map is right, and the segmentation too: on validation cases and on the corrections made so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from metassl.data.preprocess import Prepare, prepare_image
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
from metassl.inference.one_pass import Pass
from metassl.inference.predictor import CasePrediction, predict_prepared
from metassl.inference.region_map import UC
from metassl.inference.sliding_window import predict_pair
from metassl.inference.smaller_windows import with_smaller_windows
from metassl.project.effort.depth import tolerance_of
from metassl.project.effort.looked import read_looked_at
from metassl.project.project import Project
from metassl.project.records import ErrorRates, Features
from metassl.project.round_files import read_summary
from metassl.project.rounds import PredictionPaths, Round, trained_on

REVIEWED = ("accepted", "corrected")


Report = Callable[[int, int], object]


def measured_error_rates(
    project: Project,
    found: Round,
    model: TrainedModel,
    report: Report = lambda done, total: None,
    prepare: Prepare = prepare_image,
) -> ErrorRates | None:
    """None when there is neither a validation case nor a correction.

    Gives `model` its error model and keeps it there.
    report(done, total) is called between the steps; what it raises ends the work.
    """
    measurement = _Measurement(project, model, prepare)
    validation, reviewed = project.validation_cases(), [c for c in project.labelled_cases() if c.state in REVIEWED]
    steps = count(1)
    total = len(validation) + len(reviewed) + FOLDS

    def done(value: Any = None) -> Any:
        report(next(steps), total)
        return value

    validation = [case for case in validation if done(measurement.add_validation(case.id))]
    corrected = [case for case in reviewed if done(measurement.add_correction(case.id, found.number))]
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


class _Measurement:
    """Adds up cases, the unreadable ones left out."""

    def __init__(self, project: Project, model: TrainedModel, prepare: Prepare) -> None:
        self.project, self.model, self.prepare = project, model, prepare
        self.errors = MapErrors({label.value: label.name for label in project.labels})
        self.cases: list[MeasuredCase] = []
        self.volumes: dict[str, list[MeasuredVolume]] = {}
        self.samples: list[Sample] = []
        self._sampled: list[int] = []  # which of the cases each sample is of
        self.efforts: list[MeasuredEffort] = []
        self._tolerance = tolerance_of(project)
        self._rounds, self._trained_on = project.rounds(), cache(trained_on)
        self._most = min(MOST_VOXELS, 10 * MOST_VOXELS // max(len(project.validation_cases()), 1))

    def add_validation(self, case_id: str) -> bool:
        """Predict the case with the new model."""
        model = self.model
        try:
            paths = self.project.image_paths(case_id)
            prepared = self.prepare(paths, model.plan, case_id)
            label, geometry = read_looked_at(self.project, case_id)
            case = self.project.case(case_id)
            replaced = replaced_image(paths, image_hashes(paths, case_id), case.image_hashes)
        except MetaSSLError:
            return False
        if replaced or prepared.transform.geometry.difference(geometry):
            return False
        networks, image = model.networks, prepared.array
        pair = with_smaller_windows(
            networks, model.plan, model.device, case_id, lambda *sized: predict_pair(networks, image, *sized)
        )
        prediction = predict_prepared(model, prepared, Pass(pair), tolerance_mm=self._tolerance)
        missing = case.missing(self.project.values)
        segmentation = as_annotated(prediction.segmentation, missing)
        self.errors.add(segmentation, prediction.regions, prediction.uncertainty, label)
        self._add_dice(prediction.dice_features.summary(model.known(self.project.labels)), segmentation, label)
        self._add_volumes(prediction, label, missing)
        self._add_effort(segmentation, prediction.deep_errors, label, geometry)
        truth = prepared.transform.labels_to_grid(label)
        seed = len(self.samples)
        sample = take_sample(pair, prepared.array, truth, model.values, model.plan, seed, self._most, missing)
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

    def add_correction(self, case_id: str, before: int) -> bool:
        """The last prediction of a case, then accepted or corrected, by an earlier round that was not trained on it."""
        for earlier in reversed(self._rounds):
            paths = earlier.prediction(case_id)
            if earlier.number >= before or not paths.complete:
                continue
            try:
                if case_id in self._trained_on(earlier):
                    continue
                return self._add_earlier(case_id, paths)
            except (MetaSSLError, ValueError):  # a file that is gone, damaged, or on another grid
                return False
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
