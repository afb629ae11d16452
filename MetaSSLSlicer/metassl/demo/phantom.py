"""One synthetic case: a bent organ of two parts in an MRI-like crop, with its exact annotation.

What makes it a fair task for a network that has seen three cases: the two parts differ little in
brightness, a neighbour of the same brightness clings to one stretch of the surface, a decoy of the
same brightness lies elsewhere, and the bias field can outweigh the contrast between the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

SHAPE_ZYX = (40, 56, 48)
HEAD, BODY = 1, 2
STRUCTURES = {HEAD: "Head", BODY: "Body"}

TISSUE, FAT, FLUID = 100.0, 172.0, 45.0
BRIGHTNESS = {HEAD: 152.0, BODY: 134.0}
NOISE = 6.0

_CURVE = np.array([[3.0, -17.0, 5.0], [-6.0, 2.0, -13.0], [4.0, 16.0, 7.0]])
_POINTS = 48


@dataclass(frozen=True)
class Phantom:
    """A case on a grid of 1 mm voxels, arrays as (z, y, x).

    `image` is int16; `depth` is the distance from the organ's surface in mm, negative inside;
    `along` runs from 0 (tip of the head) to 1 (tip of the tail); the parts meet where it passes
    `border`.
    """

    image: np.ndarray
    depth: np.ndarray
    along: np.ndarray
    border: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """The exact annotation, uint8 (z, y, x)."""
        return parts(self.depth, self.along, self.border)

    def hurried_annotation(self, rng: np.random.Generator) -> np.ndarray:
        """What a hurried annotator draws: a wavy outline, the parts' border misplaced, the tail
        given up early. uint8 (z, y, x)."""
        wobble = smooth_noise(rng, sigma=3.0)
        border = self.border + rng.choice([-1.0, 1.0]) * 0.055
        stop = 12.0 * np.maximum(self.along - rng.uniform(0.9, 0.95), 0.0) / 0.1
        return parts(self.depth + 0.9 * wobble + stop, self.along, border)


def make_phantom(rng: np.random.Generator) -> Phantom:
    """Draw one case. The same state of `rng` gives the same case."""
    grid = _grid()
    depth, along, curve = _organ(rng, grid)
    border = 0.4 + rng.uniform(-0.04, 0.04) + 0.02 * smooth_noise(rng, sigma=4.0)
    image = _paint(rng, grid, depth, along - border, curve)
    scale = np.exp(rng.uniform(np.log(2.0), np.log(12.0)))
    return Phantom(np.rint(image * scale).astype(np.int16), depth, along, border)


def parts(depth: np.ndarray, along: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Label the inside of the organ: HEAD before `border`, BODY after it. uint8 (z, y, x)."""
    labels = np.where(along < border, HEAD, BODY)
    return np.where(depth < 0, labels, 0).astype(np.uint8)


def smooth_noise(rng: np.random.Generator, sigma: float) -> np.ndarray:
    """A smooth random field of mean 0 and variance 1, float32 (z, y, x); `sigma` in voxels."""
    noise = rng.standard_normal(SHAPE_ZYX).astype(np.float32)
    smoothed = sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(noise), sigma)
    field = sitk.GetArrayFromImage(smoothed)
    standard: np.ndarray = (field - field.mean()) / field.std()
    return standard


def _grid() -> np.ndarray:
    """The voxels' centres in mm from the middle of the image, float32 (z, y, x, 3)."""
    axes = [np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in SHAPE_ZYX]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _organ(rng: np.random.Generator, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bent tube with a thick head and a thin tail: depth, along and the curve's points (n, 3)."""
    bend = _CURVE + rng.normal(0.0, 1.4, _CURVE.shape)
    turn = rotation(rng.uniform(-18, 18, 3))
    t = np.linspace(0.0, 1.0, _POINTS)
    bezier = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)
    size = rng.uniform(0.92, 1.12)
    curve = size * (bezier @ bend) @ turn.T + rng.normal(0.0, 1.5, 3)
    head = rng.uniform(6.2, 7.8) * np.exp(-(((t - 0.12) / 0.3) ** 2))
    radius = size * np.maximum(head, rng.uniform(5.5, 6.3) - 1.2 * t)

    nearest = np.full(SHAPE_ZYX, np.inf)
    which = np.zeros(SHAPE_ZYX)
    for position, point, thickness in zip(t, curve, radius, strict=True):
        distance = np.linalg.norm(grid - point, axis=-1) - thickness
        closer = distance < nearest
        nearest[closer] = distance[closer]
        which[closer] = position
    along = which + 0.012 * smooth_noise(rng, sigma=2.0)
    return nearest + 0.7 * smooth_noise(rng, sigma=4.0), along, curve


def _paint(
    rng: np.random.Generator,
    grid: np.ndarray,
    depth: np.ndarray,
    past_border: np.ndarray,
    curve: np.ndarray,
) -> np.ndarray:
    """The brightness of every voxel: tissues, organ, neighbour, decoy, bias field and noise."""
    image = TISSUE + 5.0 * smooth_noise(rng, sigma=2.0)
    fatty = smooth_noise(rng, sigma=6.0) + 0.1 * (np.linalg.norm(grid, axis=-1) - 26.0)
    image = _blend(image, FAT, 4.0 * (fatty - 1.0))
    image = _blend(image, FLUID, 2.5 * (smooth_noise(rng, sigma=3.5) - 1.9) - _near(depth))

    outward = rotation(rng.uniform(-180, 180, 3))[0]
    neighbour = curve[int(rng.uniform(0.3, 0.9) * (_POINTS - 1))] + 8.5 * outward
    image = _blend(image, BRIGHTNESS[BODY] - 2.0, -_ellipsoid(grid, neighbour, rng, (3.0, 5.0)))
    decoy = -1.4 * curve[_POINTS // 2] + rng.normal(0.0, 5.0, 3)
    image = _blend(image, BRIGHTNESS[BODY] - 3.0, -_ellipsoid(grid, decoy, rng, (3.5, 5.5)))

    inner = _blend(np.full(SHAPE_ZYX, BRIGHTNESS[HEAD]), BRIGHTNESS[BODY], 25.0 * past_border)
    inner += 3.5 * smooth_noise(rng, sigma=1.5)
    image = _blend(image, inner, -1.7 * depth)

    bias = np.exp(0.07 * smooth_noise(rng, sigma=14.0) + 0.006 * grid @ rng.normal(0.0, 0.5, 3))
    noise = rng.standard_normal((2, *SHAPE_ZYX)) * NOISE
    bright: np.ndarray = np.hypot(image * bias + noise[0], noise[1])
    return bright


def _blend(below: np.ndarray, above: np.ndarray | float, amount: np.ndarray) -> np.ndarray:
    """Lay `above` over `below` where `amount` is positive, with a soft edge."""
    share = 1.0 / (1.0 + np.exp(-np.clip(amount, -30.0, 30.0)))
    blended: np.ndarray = below + share * (above - below)
    return blended


def _near(depth: np.ndarray) -> np.ndarray:
    """Large close to the organ, so that fluid keeps away from it."""
    near: np.ndarray = 6.0 * np.exp(-np.maximum(depth, 0.0) / 2.0)
    return near


def _ellipsoid(
    grid: np.ndarray, centre: np.ndarray, rng: np.random.Generator, radii: tuple[float, float]
) -> np.ndarray:
    """About the distance in mm from an ellipsoid turned at random, negative inside."""
    axes = rng.uniform(*radii, 3)
    local = (grid - centre) @ rotation(rng.uniform(-180, 180, 3))
    distance: np.ndarray = 1.2 * axes.min() * (np.linalg.norm(local / axes, axis=-1) - 1.0)
    return distance


def rotation(degrees: Sequence[float] | np.ndarray) -> np.ndarray:
    """The matrix (3, 3) that turns by these angles about the three axes in turn."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix
