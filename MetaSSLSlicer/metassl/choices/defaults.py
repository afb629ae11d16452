"""How a training is set where nobody says otherwise."""

from __future__ import annotations

from typing import Any

from .quality import DEFAULT_QUALITY, QUALITIES

DEFAULTS: dict[str, Any] = {
    "framework": "cps",
    "loss": "metassl",
    "device": "auto",
    "seed": 0,
    "quality": DEFAULT_QUALITY,
    "minutes": QUALITIES[DEFAULT_QUALITY].minutes,
}
