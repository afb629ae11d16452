"""How a grid differs from most others of a set, in words."""

from __future__ import annotations

from collections.abc import Sequence

FEWEST = 5
"""Images from which on there is a usual one."""

SPACING_FACTOR, SIZE_FACTOR = 2.0, 2.5
"""So many times as fine or as large, or more, is unlike the others."""

UNLIKE = "unlike the others: "

Millimetres = Sequence[float]
"""Along three axes, which the compared have in the same order."""


def differences(spacing: Millimetres, size: Millimetres, usual_spacing: Millimetres, usual_size: Millimetres) -> str:
    """What is odd about the spacing and the size of an image, given those of most; "" where nothing is."""
    reasons = []
    for what, own, usual, factor in (
        ("spacing", spacing, usual_spacing, SPACING_FACTOR),
        ("size", size, usual_size, SIZE_FACTOR),
    ):
        if any(max(a / b, b / a) > factor for a, b in zip(own, usual)):
            reasons.append(f"{what} {_numbers(own)} mm (most others {_numbers(usual)})")
    return ", ".join(reasons)


def _numbers(values: Millimetres) -> str:
    return " x ".join(f"{value:.3g}" for value in values)
