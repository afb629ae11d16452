"""A plan whose network trains in moments."""

from __future__ import annotations

from metassl.data.plan import Plan

FIELDS = {
    "axes": "patient",
    "spacing_zyx": (1.0, 1.0, 1.0),
    "source_spacing_zyx": (1.0, 1.0, 1.0),
    "patch_zyx": (16, 16, 16),
    "batch": (1, 1),
    "intensity": ({"scheme": "robust_zscore"},),
    "filters": (4, 8, 8),
    "kernels": ((3, 3, 3),) * 3,
    "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    "in_channels": 1,
    "classes": 3,
    "precision": "fp32",
}


def tiny_plan(**changes) -> Plan:
    """16³ patches, three classes, a network of a few thousand weights; `changes` replace fields."""
    return Plan(**{**FIELDS, **changes})
