"""The Dice that is to be expected of a prediction, as text; nothing before a training has measured it."""

from __future__ import annotations

from metassl.project.records import Estimate, Summary

from ...Translation import _


def text(summary: Summary) -> str:
    """ "Expected Dice 0.84 (0.79 to 0.89)", or "" when `summary` has none."""
    found = summary.predicted_dice
    if found is None:
        return ""
    low, high = found.interval
    return _("Expected Dice {mean} ({low} to {high})").format(
        mean=f"{found.mean:.2f}", low=f"{low:.2f}", high=f"{high:.2f}"
    )


def short(summary: Summary) -> str:
    """ "expected Dice 0.84", or "" when `summary` has none."""
    found = summary.predicted_dice
    return "" if found is None else _("expected Dice {mean}").format(mean=f"{found.mean:.2f}")


def details(summary: Summary) -> str:
    """The same for each structure, a line each, or ""."""
    if summary.predicted_dice is None:
        return ""
    lines = [_("Predicted from how the networks agree, by what was measured on validation cases and corrections")]
    lines += [_line(name, each) for name, each in summary.predicted_dice.classes.items()]
    return "\n".join(lines)


def _line(name: str, found: Estimate) -> str:
    low, high = found.interval
    return f"{name}: {found.mean:.2f} ({low:.2f} - {high:.2f})"
