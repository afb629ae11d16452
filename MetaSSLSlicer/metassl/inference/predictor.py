"""One case through a trained model: maps on the image's own grid, and the numbers that sum them up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from metassl.data.preprocess import Prepared, to_grid
from metassl.inference.model import TrainedModel
from metassl.inference.region_map import REGION_NAMES, region_map
from metassl.inference.sliding_window import predict_pair
from metassl.project.files import make_folder, write_json, writing
from metassl.project.images import CaseImage, Geometry, write_array
from metassl.project.labels import LabelDefinition
from metassl.project.rounds import PredictionPaths

BAND_VOXELS = 2


@dataclass
class CasePrediction:
    """Maps (z, y, x) on the image's grid: annotation values uint8, regions uint8, uncertainty float32."""

    segmentation: np.ndarray
    regions: np.ndarray
    uncertainty: np.ndarray
    mutual_information: np.ndarray
    geometry: Geometry


def predict_image(model: TrainedModel, image: CaseImage, case: str) -> CasePrediction:
    return predict_prepared(model, to_grid(image, model.plan, case))


def predict_prepared(model: TrainedModel, prepared: Prepared) -> CasePrediction:
    first, second = predict_pair(model.networks, prepared.array, model.plan, model.device)
    geometry = prepared.transform.geometry
    shape = geometry.shape_zyx
    segmentation, regions = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    uncertainty, mutual = np.zeros(shape, np.float32), np.zeros(shape, np.float16)
    values = np.asarray(model.values, np.uint8)
    for rows, (part_1, part_2) in prepared.transform.restore_slabs(first, second):
        maps = region_map(part_1, part_2, model.thresholds)
        segmentation[rows] = values[maps.classes.numpy()]
        regions[rows] = maps.regions.numpy()
        uncertainty[rows] = maps.uncertainty.numpy()
        mutual[rows] = maps.mutual_information.numpy()
    return CasePrediction(segmentation, regions, uncertainty, mutual, geometry)


def dilate(mask: np.ndarray, voxels: int) -> np.ndarray:
    """A mask (z, y, x) grown by a box of `voxels` to each side."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    grown = sitk.BinaryDilate(image, [voxels] * 3, sitk.sitkBox, 0.0, 1.0, False)
    return sitk.GetArrayFromImage(grown).astype(bool)


def summarise(
    prediction: CasePrediction,
    case: str,
    round_number: int | None,
    labels: list[LabelDefinition],
    error_rates: dict | None,
    step: int,
) -> dict:
    """The content of summary.json; step: of the model that predicted."""
    foreground = prediction.segmentation > 0
    band = dilate(foreground, BAND_VOXELS)
    everywhere = np.bincount(prediction.regions.ravel(), minlength=5)
    inside = np.bincount(prediction.regions[band], minlength=5)
    size = max(int(band.sum()), 1)
    volumes = np.bincount(prediction.segmentation.ravel(), minlength=256)
    voxel_ml = prediction.geometry.voxel_ml

    def mean(values: np.ndarray) -> float:
        return float(values[band].mean(dtype=np.float64)) if band.any() else 0.0

    return {
        "case": case,
        "round": round_number,
        "step": step,
        "voxels": {name: int(everywhere[code]) for code, name in REGION_NAMES.items()},
        "structure_voxels": int(foreground.sum()),
        "band_voxels": {name: int(inside[code]) for code, name in REGION_NAMES.items()},
        "volume_ml": {label.name: float(volumes[label.value] * voxel_ml) for label in labels},
        "mean_uncertainty": mean(prediction.uncertainty),
        "mutual_information": mean(prediction.mutual_information),
        "doubt": {name: float(inside[code] / size) for code, name in REGION_NAMES.items() if code > 1},
        "error_rates": error_rates,
    }


def write_prediction(paths: PredictionPaths, prediction: CasePrediction, summary: dict) -> None:
    """Maps first, the summary last: where it lies, the prediction is complete."""
    make_folder(paths.folder)
    with writing(paths.summary):
        paths.summary.unlink(missing_ok=True)
    write_array(paths.segmentation, prediction.segmentation, prediction.geometry)
    write_array(paths.regions, prediction.regions, prediction.geometry)
    write_array(paths.uncertainty, prediction.uncertainty, prediction.geometry)
    write_json(paths.summary, summary)

