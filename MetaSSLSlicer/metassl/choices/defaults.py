"""How a training is set where nobody says otherwise."""

from __future__ import annotations

from typing import Any

from .quality import DEFAULT_QUALITY, QUALITIES

PLANS = ("auto", "2d", "3d")
"""What a network sees at once: slices one by one, volumes, or what suits the images."""

PIECES = ("auto", "all")
"""What is shown of a structure that is one piece in all annotations: one, or all that are found of it."""

DEFAULTS: dict[str, Any] = {
    "framework": "cps",
    "loss": "metassl",
    "plan": "auto",
    "pieces": "auto",
    "device": "auto",
    "seed": 0,
    "quality": DEFAULT_QUALITY,
    "minutes": QUALITIES[DEFAULT_QUALITY].minutes,
}
