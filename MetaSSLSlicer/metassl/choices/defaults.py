"""How a training is set where nobody says otherwise."""

from __future__ import annotations

from typing import Any

MINUTES = 4.0
PLANS = ("auto", "2d", "3d")
"""What a network sees at once: slices one by one, volumes, or what suits the images."""
DEFAULTS: dict[str, Any] = {
    "framework": "cps",
    "loss": "metassl",
    "plan": "auto",
    "device": "auto",
    "seed": 0,
    "minutes": MINUTES,
}
