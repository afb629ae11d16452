"""The fields of summary.json that come from what was measured in the round: rates, and the Dice to be expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metassl.evaluation.dice_model import Features, predict_dice


def measured_fields(measured: Mapping[str, Any] | None, features: Features) -> dict[str, Any]:
    """`measured`: the content of the round's error_rates.json, None before anything was measured.

    "error_rates" {region: P(error)}, "class_error_rates" {structure shown: {region: P(error)}}, "dice_features" (not
    for showing) and "predicted_dice", which is None until enough cases were measured.
    """
    measured = measured or {}
    model = measured.get("dice_model")
    return {
        "error_rates": measured.get("rates"),
        "class_error_rates": measured.get("class_rates"),
        "dice_features": features,
        "predicted_dice": predict_dice(model, features) if model else None,
    }
