"""How far apart two colours are for a reader: CIEDE2000, also as seen without red or green cones.

CIEDE2000 as in Sharma, Wu and Dalal, Color Research and Application 30 (2005). Colour blindness as in Machado,
Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1.0: a matrix on linear RGB.
"""

from __future__ import annotations

from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt

import numpy as np

SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
_XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear_rgb(color: str) -> np.ndarray:
    """ "#RRGGBB" as three linear numbers 0..1."""
    value = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(color: str, sight: str = "normal") -> tuple[float, float, float]:
    """CIE L*, a*, b* (D65) of a colour as a reader of that sight sees it."""
    seen = np.clip(SIGHTS[sight] @ linear_rgb(color), 0.0, 1.0)
    relative = (_XYZ_OF_RGB @ seen) / _XYZ_OF_RGB.sum(axis=1)
    x, y, z = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(first: str, second: str, sight: str = "normal") -> float:
    """CIEDE2000 between two colours."""
    return ciede2000(lab(first, sight), lab(second, sight))


def ciede2000(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """The difference between two colours in CIE L*a*b*; 1 can just be seen."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    chroma = (hypot(a1, b1) + hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * sqrt(chroma**7 / (chroma**7 + 25**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = hypot(a1, b1), hypot(a2, b2)
    h1, h2 = degrees(atan2(b1, a1)) % 360, degrees(atan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = 0.0 if grey else h2 - h1
    if abs(turn) > 180 + 1e-9:  # opposite hues are 180 apart, whatever the last digit of a float says
        turn -= 360 if turn > 0 else -360
    hue = h1 + h2 if grey else (h1 + turn / 2) % 360
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * sqrt(c1 * c2) * sin(radians(turn / 2))
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * cos(radians(hue - 30))
        + 0.24 * cos(radians(2 * hue))
        + 0.32 * cos(radians(3 * hue + 6))
        - 0.20 * cos(radians(4 * hue - 63))
    )
    s_l = 1 + 0.015 * (light - 50) ** 2 / sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t
    turning = -2 * sqrt(c**7 / (c**7 + 25**7)) * sin(radians(60 * exp(-(((hue - 275) / 25) ** 2))))
    return sqrt((d_l / s_l) ** 2 + (d_c / s_c) ** 2 + (d_h / s_h) ** 2 + turning * d_c / s_c * d_h / s_h)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2, 1..21."""
    dark, light = sorted(float(np.dot(_XYZ_OF_RGB[1], linear_rgb(color))) for color in (first, second))
    return (light + 0.05) / (dark + 0.05)
