"""One case through a trained model: maps on the image's own grid, and the numbers that sum them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch

from metassl.data.given_grid import GivenGrid
from metassl.data.grid import GridTransform
from metassl.data.preprocess import Prepared, to_grid
from metassl.evaluation.dice_model import predict_dice
from metassl.evaluation.volume_range import volume_range
from metassl.files.atomic import make_folder, remove_file
from metassl.files.errors import ErrorCode, LabelError, MetaSSLError
from metassl.files.json_files import write_json
from metassl.imaging.geometry import Geometry
from metassl.imaging.images import CaseImage
from metassl.imaging.unit_maps import write_unit_map
from metassl.imaging.writer import write_array
from metassl.inference.case_statistics import CaseStatistics, DiceFeatures, expected_dice
from metassl.inference.deep_errors import expected_deep_errors
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import Pass
from metassl.inference.region_map import REGION_NAMES, UC, region_map
from metassl.inference.sure import DOUBT, mean_of_sure, restore_doubtful, sure_classes
from metassl.project.effort.expected import Effort, EffortModel, expected_effort
from metassl.project.links import refuse_link_out
from metassl.project.masks import READING_BAND_VOXELS, bounding_box, dilate
from metassl.project.records import ErrorRates, Summary
from metassl.project.rounds import PredictionPaths
from metassl.project.structures import LabelDefinition


@dataclass
class CasePrediction:
    """Maps (z, y, x) on the image's grid: annotation values uint8, regions uint8, uncertainty float32.

    error_probability: float32, where the model has learnt it. deep_errors: float32, of errors deeper than
    `tolerance_mm`, where one was given.
    """

    segmentation: np.ndarray
    regions: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray
    geometry: Geometry
    statistics: CaseStatistics
    dice_features: DiceFeatures
    error_probability: np.ndarray | None = None
    deep_errors: np.ndarray | None = None
    tolerance_mm: float | None = None


def predict_image(model: TrainedModel, image: CaseImage, case: str) -> CasePrediction:
    """Raises MetaSSLError when the weights lead to no numbers."""
    return predict_finite(model, to_grid(image, model.plan, case), case)


def predict_finite(
    model: TrainedModel,
    prepared: Prepared,
    case: str,
    known: np.ndarray | None = None,
    made: Pass | None = None,
    tolerance_mm: float | None = None,
) -> CasePrediction:
    """known, made, tolerance_mm: see `predict_prepared`. MetaSSLError when `known` is on another grid, or a number is
    not finite.
    """
    shape = prepared.transform.geometry.shape_zyx
    if known is not None and known.shape != shape:
        raise LabelError(f"case {case}: its annotation of {known.shape} voxels is not on the image's grid of {shape}")
    prediction = predict_prepared(model, prepared, made, known, tolerance_mm)
    if not np.isfinite(prediction.uncertainty).all():
        message = f"case {case}: the model gives numbers that are not finite; train a new round"
        raise MetaSSLError(message, ErrorCode.NOT_FINITE)
    return prediction


def predict_prepared(
    model: TrainedModel,
    prepared: Prepared,
    made: Pass | None = None,
    known: np.ndarray | None = None,
    tolerance_mm: float | None = None,
) -> CasePrediction:
    """made: the pass over the image, where it has been made already. tolerance_mm: of the deep errors, if wanted.

    known: annotation values uint8 (z, y, x) on the image's grid, IGNORE where nobody knows: the truth, in which the
    networks are sure and agree, whatever they say.
    """
    made = made or Pass.over(model.networks, prepared.array, model.plan, model.device, model.point)
    pair = made.pair
    chances = {}
    if model.error_model is not None:
        chances["error_probability"] = model.error_model.probability(pair, prepared.array)
    if tolerance_mm is not None:
        chances["deep_errors"] = expected_deep_errors(pair, prepared.transform.spacing_zyx, tolerance_mm)
    labelling = model.values, model.thresholds, model.definition
    prediction = to_image_grid(pair, prepared.transform, *labelling, made.features, known, chances)
    return replace(prediction, tolerance_mm=tolerance_mm)


def to_image_grid(
    pair: np.ndarray | Sequence[np.ndarray],
    transform: GridTransform | GivenGrid,
    values: list[int],
    thresholds: torch.Tensor,
    definition: str,
    features: list[float] | None = None,
    known: np.ndarray | None = None,
    chances: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> CasePrediction:
    """Labels and maps on the image's own grid, from volumes on the plan's: the softmaxes (K, z, y, x) of both networks
    and `chances` (z, y, x) of being wrong, by their fields in `CasePrediction`. values, thresholds, definition: as in
    `TrainedModel`; known: as in `predict_prepared`.
    """
    statistics, dice = CaseStatistics(values, features), DiceFeatures(values)
    shape = transform.geometry.shape_zyx
    segmentation, regions = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    uncertainty, mutual = np.zeros(shape, np.float32), np.zeros(shape, np.float16)
    table = np.asarray(values, np.uint8)
    restored = {name: np.zeros(shape, np.float32) for name in chances}
    volumes = [*pair, *(chance[None] for chance in chances.values())]
    sure = sure_classes(volumes, thresholds)
    if known is not None:
        sure.fill(DOUBT)
    usual = [mean_of_sure(chance, sure, len(values)) for chance in chances.values()]
    for rows, classes, places, (part_1, part_2, *others) in restore_doubtful(volumes, transform, sure):
        if known is not None:
            part_1, part_2, *others = _with_truth(known[rows], values, part_1, part_2, *others)
        maps = region_map(part_1, part_2, thresholds, definition)
        statistics.add(part_1, part_2, maps)
        dice.add(part_1, part_2)
        whole, slab = (slice(None),) if places is None else places, segmentation[rows]
        if classes is not None:
            dice.add_sure(np.bincount(classes.ravel(), minlength=DOUBT + 1)[: len(values)].tolist())
            classes[places] = 0
            slab[:], regions[rows] = table[classes], UC
            for chance, means in zip(restored.values(), usual, strict=True):
                chance[rows] = means[classes]
        fitting = slab[whole].shape
        slab[whole] = table[maps.classes.numpy()].reshape(fitting)
        regions[rows][whole] = maps.regions.numpy().reshape(fitting)
        uncertainty[rows][whole] = maps.uncertainty.numpy().reshape(fitting)
        mutual[rows][whole] = maps.mutual_information.numpy().reshape(fitting)
        for chance, part in zip(restored.values(), others, strict=True):
            chance[rows][whole] = part[0].numpy().reshape(fitting)
    prediction = CasePrediction(segmentation, regions, uncertainty, mutual, transform.geometry, statistics, dice)
    return replace(prediction, **restored)  # type: ignore[arg-type]


def _with_truth(known: np.ndarray, values: list[int], *parts: torch.Tensor) -> list[torch.Tensor]:
    """Softmaxes (K, z, y, x), then chances (1, z, y, x) of being wrong, with the truth where it is known."""
    table = np.full(256, len(values), np.int64)  # of values that the model does not know, such as IGNORE
    table[values] = np.arange(len(values))
    classes = torch.from_numpy(table[known])
    is_known = classes < len(values)
    truth = torch.nn.functional.one_hot(classes, len(values) + 1)[..., :-1].movedim(-1, 0)
    return [torch.where(is_known, truth.to(part) if len(part) == len(values) else 0, part) for part in parts]


def summarise_on_grid(
    model: TrainedModel,
    prepared: Prepared,
    made: Pass,
    case: str,
    labels: list[LabelDefinition],
    tolerance_mm: float | None = None,
) -> Summary:
    """What a pass comes to, in voxels of the plan's grid: `summarise` without the way back to the image's own."""
    transform = prepared.transform.of_grid
    labelling = model.values, model.thresholds, model.definition
    chances = {}
    if tolerance_mm is not None:
        chances["deep_errors"] = expected_deep_errors(made.pair, transform.spacing_zyx, tolerance_mm)
    maps = to_image_grid(list(made.pair), transform, *labelling, made.features, chances=chances)
    maps = replace(maps, tolerance_mm=tolerance_mm)
    return summarise(maps, case, None, model.known(labels), None, model.step)


def summarise(
    prediction: CasePrediction,
    case: str,
    round_number: int | None,
    labels: list[LabelDefinition],
    measured: ErrorRates | None,
    step: int,
) -> Summary:
    """measured: of the round; step: of the model that predicted."""
    everywhere, volumes = counts(prediction.regions), counts(prediction.segmentation)
    box = bounding_box(prediction.segmentation, READING_BAND_VOXELS) or (slice(0),) * 3
    foreground = prediction.segmentation[box] > 0
    band = dilate(foreground, READING_BAND_VOXELS)
    inside = np.bincount(prediction.regions[box][band], minlength=5)
    size = max(int(band.sum()), 1)
    learnt = prediction.error_probability
    expected = None if learnt is None else expected_dice(learnt[box], foreground, band)
    voxel_ml = prediction.geometry.voxel_ml

    def mean(values: np.ndarray) -> float:
        return float(values[box][band].mean(dtype=np.float64)) if band.any() else 0.0

    figures = prediction.dice_features.summary(labels, expected)
    measured = measured or ErrorRates()
    ml = {label.name: float(volumes[label.value] * voxel_ml) for label in labels}
    ranges = {
        name: volume_range(measured.volume_model, name, inner * voxel_ml, outer * voxel_ml, ml[name])
        for name, (inner, outer) in prediction.dice_features.volumes(labels).items()
    }
    return Summary(
        case=case,
        round=round_number,
        step=step,
        voxels={name: int(everywhere[code]) for code, name in REGION_NAMES.items()},
        structure_voxels=int(volumes[1:].sum()),
        band_voxels={name: int(inside[code]) for code, name in REGION_NAMES.items()},
        volume_ml=ml,
        volume_range_ml={name: found for name, found in ranges.items() if found is not None},
        volume_level=None if measured.volume_model is None else measured.volume_model["level"],
        mean_uncertainty=mean(prediction.uncertainty),
        mutual_information=mean(prediction.mutual_information),
        uncertainty={name: float(inside[code] / size) for code, name in REGION_NAMES.items() if code > 1},
        error_rates=measured.rates,
        class_error_rates=measured.class_rates,
        dice_features=figures,
        predicted_dice=predict_dice(measured.dice_model, figures) if measured.dice_model else None,
        voxel_ml=voxel_ml,
        classes=prediction.statistics.classes(volumes, labels),
        features=prediction.statistics.features,
        values=[label.value for label in labels],
        effort=_effort(prediction, measured),
    )


def _effort(prediction: CasePrediction, measured: ErrorRates) -> Effort | None:
    if prediction.deep_errors is None or prediction.tolerance_mm is None:
        return None
    model = EffortModel.of(measured.effort_model, prediction.tolerance_mm)
    return expected_effort(prediction.segmentation, prediction.deep_errors, prediction.geometry, model)


def counts(array: np.ndarray) -> np.ndarray:
    """How often each value of a uint8 array (z, y, x) occurs, (256,); slice by slice, for little memory."""
    return sum((np.bincount(part.ravel(), minlength=256) for part in array), start=np.zeros(256, np.int64))


def write_prediction(paths: PredictionPaths, prediction: CasePrediction, summary: Summary) -> None:
    """Maps first, the summary last: where it lies, the prediction is complete."""
    make_folder(paths.folder, parents=False)
    refuse_link_out(paths.folder, paths.folder.parent)
    remove_file(paths.summary)
    write_array(paths.segmentation, prediction.segmentation, prediction.geometry)
    write_array(paths.regions, prediction.regions, prediction.geometry)
    write_unit_map(paths.uncertainty, prediction.uncertainty, prediction.geometry)
    for path, chance in (
        (paths.error_probability, prediction.error_probability),
        (paths.deep_errors, prediction.deep_errors),
    ):
        if chance is not None:
            write_unit_map(path, chance, prediction.geometry)
        else:
            remove_file(path)
    write_json(paths.summary, summary.to_json())
