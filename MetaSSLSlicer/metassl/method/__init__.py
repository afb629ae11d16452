"""The MetaSSL method and nothing else: regions, adaptive thresholds, weights, losses.

Read the files in this order: prediction, regions, thresholds, weights, terms, loss, supervised,
metassl_loss, presets.
"""

from .loss import DirectionLoss, HeterogeneousLoss, region_weight_map, weighted_cross_entropy
from .metassl_loss import MetaSSLLoss, consistency_ramp
from .output import LossOutput
from .prediction import Prediction, predict, predict_from_probabilities
from .presets import PRESETS, Preset, get_preset, official_preset
from .regions import IGNORE_LABEL, REGIONS, Region, is_confident, partition, partition_against_annotation
from .supervised import dice_loss, supervised_loss
from .thresholds import AdaptiveThresholds, Half
from .weights import SCRIPT_WEIGHTS, HalfWeights, RegionWeights, rule_a, rule_b, rule_c

__all__ = [
    "IGNORE_LABEL",
    "PRESETS",
    "REGIONS",
    "SCRIPT_WEIGHTS",
    "AdaptiveThresholds",
    "DirectionLoss",
    "Half",
    "HalfWeights",
    "HeterogeneousLoss",
    "LossOutput",
    "MetaSSLLoss",
    "Prediction",
    "Preset",
    "Region",
    "RegionWeights",
    "consistency_ramp",
    "dice_loss",
    "get_preset",
    "is_confident",
    "official_preset",
    "partition",
    "partition_against_annotation",
    "predict",
    "predict_from_probabilities",
    "region_weight_map",
    "rule_a",
    "rule_b",
    "rule_c",
    "supervised_loss",
    "weighted_cross_entropy",
]
