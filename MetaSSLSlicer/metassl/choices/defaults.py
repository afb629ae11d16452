"""How a training is set where nobody says otherwise."""

from __future__ import annotations

from typing import Any

MINUTES = 4.0
DEFAULTS: dict[str, Any] = {"framework": "cps", "loss": "metassl", "device": "auto", "seed": 0, "minutes": MINUTES}
