"""The Dice that is to be expected of a prediction, as text; nothing before a training has measured it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...Translation import _


def text(summary: Mapping[str, Any]) -> str:
    """ "Expected Dice 0.84 (0.79 to 0.89)", or "" when `summary` has none."""
    found = _known(summary)
    if found is None:
        return ""
    mean, low, high = found
    return _("Expected Dice {mean} ({low} to {high})").format(mean=f"{mean:.2f}", low=f"{low:.2f}", high=f"{high:.2f}")


def short(summary: Mapping[str, Any]) -> str:
    """ "expected Dice 0.84", or "" when `summary` has none."""
    found = _known(summary)
    return "" if found is None else _("expected Dice {mean}").format(mean=f"{found[0]:.2f}")


def details(summary: Mapping[str, Any]) -> str:
    """The same for each structure, a line each, or ""."""
    if _known(summary) is None:
        return ""
    classes = summary["predicted_dice"].get("classes") or {}
    lines = [_("Predicted from how the networks agree, by what was measured on validation cases and corrections")]
    for name, row in classes.items():
        known = _known({"predicted_dice": row})
        if known is not None:
            lines.append(f"{name}: {known[0]:.2f} ({known[1]:.2f} - {known[2]:.2f})")
    return "\n".join(lines)


def _known(summary: Mapping[str, Any]) -> tuple[float, float, float] | None:
    try:
        predicted = summary["predicted_dice"]
        low, high = predicted["interval"]
        return float(predicted["mean"]), float(low), float(high)
    except (KeyError, TypeError, ValueError):
        return None
