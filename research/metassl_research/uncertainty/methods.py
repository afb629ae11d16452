"""The methods: each gives a score per voxel, higher where an error is likelier, and a segmentation of its own.

All that average softmaxes score the entropy of their mean, divided by ln K. "One network" is the second of the pair:
the moving average where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from metassl.data.preprocess import Prepared, to_grid
from metassl.data.resample import Volume
from metassl.imaging.images import CaseImage
from metassl.inference.model import TrainedModel
from metassl.inference.one_pass import Pass
from metassl.inference.predictor import CasePrediction, predict_prepared
from metassl.inference.region_map import DC, DS, UC, US, entropy, top_class
from metassl.inference.sliding_window import predict_pair
from torch import nn

from metassl_research.uncertainty.passes import FLIPS, DropoutPass, FlippedPass

DROPOUT_PASSES = 10
RANKS = {UC: 0, US: 1, DC: 2, DS: 2}
"""The region map as an order: the two discrepant regions last, entropy within."""


@dataclass(frozen=True)
class Method:
    """passes: through a network, for each window. is_share: the score can be compared with a share of errors (ECE)."""

    name: str
    passes: int
    is_share: bool = True


ERROR_PROBABILITY = Method("learnt error probability", 2)
UNCERTAINTY = Method("entropy of the pair's mean", 2)
MUTUAL_INFORMATION = Method("mutual information of the pair", 2, is_share=False)
REGION_MAP = Method("region map, entropy within", 2, is_share=False)
ONE_NETWORK = Method("entropy of one network", 1)
DROPOUT = Method(f"MC dropout, {DROPOUT_PASSES} passes", DROPOUT_PASSES)
FLIPPED = Method(f"test-time augmentation, {len(FLIPS)} flips", len(FLIPS))
ENSEMBLE = Method("deep ensemble of 2", 2)


@dataclass
class Score:
    """score float32 0..1 and segmentation uint8 (annotation values), both (z, y, x) on the image's grid."""

    score: np.ndarray
    segmentation: np.ndarray
    seconds: float


def score_case(
    model: TrainedModel, image: CaseImage, case: str, second: TrainedModel | None = None
) -> tuple[CasePrediction, dict[Method, Score]]:
    """What is shown of the case, and every method's score. `second`: a separately trained model, for the ensemble."""
    prepared = to_grid(image, model.plan, case)
    pair, seconds = _timed(
        lambda: predict_pair(model.networks, prepared.array, model.plan, model.device, point=model.point)
    )
    shown = predict_prepared(model, prepared, Pass(pair))
    ranks = np.array([RANKS.get(code, 0) for code in range(5)], np.float32)[shown.regions]
    of_pair = {
        UNCERTAINTY: shown.uncertainty,
        MUTUAL_INFORMATION: np.clip(shown.mutual_information.astype(np.float32), 0, 1),
        REGION_MAP: (ranks + shown.uncertainty) / (max(RANKS.values()) + 1),
    }
    found = {method: Score(score, shown.segmentation, seconds) for method, score in of_pair.items()}
    learning = model.error_model
    if learning is not None and shown.error_probability is not None:
        _, more = _timed(lambda: learning.probability(pair, prepared.array))
        learnt = Score(shown.error_probability, shown.segmentation, seconds + more)
        found = {ERROR_PROBABILITY: learnt, **found}
    one = model.networks[-1]
    found[ONE_NETWORK] = _averaged(model, prepared, [one])
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(0)
        found[DROPOUT] = _averaged(model, prepared, [DropoutPass(one)] * DROPOUT_PASSES)
    found[FLIPPED] = _averaged(model, prepared, [FlippedPass(one, axes) for axes in FLIPS])
    if second is not None:
        found[ENSEMBLE] = _ensemble(model, prepared, second, to_grid(image, second.plan, case))
    return shown, found


def _mean_softmax(model: TrainedModel, prepared: Prepared, networks: Iterable[nn.Module]) -> np.ndarray:
    """(K, z, y, x) on the plan's grid, one network at a time."""
    total, count = np.float32(0), 0
    for network in networks:
        (softmax,) = predict_pair((network,), prepared.array, model.plan, model.device, point=model.point)
        total = total + softmax.astype(np.float32)
        count += 1
    return np.asarray(total / count)


def _averaged(model: TrainedModel, prepared: Prepared, networks: list[nn.Module]) -> Score:
    mean, seconds = _timed(lambda: _mean_softmax(model, prepared, networks))
    return _entropy_score(model, prepared, mean, seconds)


def _ensemble(model: TrainedModel, prepared: Prepared, second: TrainedModel, prepared_2: Prepared) -> Score:
    """The two may have different plans: they are averaged on the image's own grid."""
    one, seconds = _timed(lambda: _mean_softmax(model, prepared, model.networks[-1:]))
    other, seconds_2 = _timed(lambda: _mean_softmax(second, prepared_2, second.networks[-1:]))
    restored = prepared_2.transform.restore(other)
    return _entropy_score(model, prepared, one, seconds + seconds_2, restored)


def _entropy_score(
    model: TrainedModel, prepared: Prepared, mean: np.ndarray, seconds: float, other: Volume | None = None
) -> Score:
    """`other`: a second softmax on the image's own grid, to be averaged with `mean`, which is on the plan's."""
    shape = prepared.transform.geometry.shape_zyx
    score, segmentation = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    values = np.asarray(model.values, np.uint8)
    for rows, (part,) in prepared.transform.restore_slabs(mean):
        if other is not None:
            part = (part + torch.as_tensor(other[:, rows])) / 2
        score[rows] = entropy(part).numpy()
        segmentation[rows] = values[top_class(part)[1].numpy()]
    return Score(score, segmentation, seconds)


def _timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    begin = time.perf_counter()
    found = work()  # an array on the CPU: a GPU has finished by then
    return found, time.perf_counter() - begin
