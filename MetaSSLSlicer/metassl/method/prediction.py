"""What one network says about one half of the batch: hard labels and confidences."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Prediction(NamedTuple):
    """Hard labels k_n (int64) and confidences c_n (float32), both (B, ...); no gradient."""

    labels: Tensor
    confidence: Tensor


def predict(logits: Tensor) -> Prediction:
    """Return the prediction of `logits` (B, C, ...). The lowest class wins a tie."""
    with torch.no_grad():
        return predict_from_probabilities(torch.softmax(logits.float(), dim=1))


def predict_from_probabilities(probabilities: Tensor) -> Prediction:
    """Return the prediction of softmax `probabilities` (B, C, ...)."""
    confidence, labels = probabilities.detach().max(dim=1)
    return Prediction(labels, confidence)
