"""What part of an image a slice view shows, and from where a 3-D view looks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

_ROOM = 1.35
_LEAST_ROOM = 1.1
_LEAST_SHARE = 0.25
_CAMERA_ROOM = 1.16
_FROM = np.array([-0.35, 1.0, 0.45])
_LETTERS = ("RL", "AP", "SI")
_LOWEST, _HIGHEST = -0.15, 0.75


@dataclass(frozen=True)
class Frame:
    """A square piece of a plane: its centre in RAS and the length of its side, in mm."""

    centerRas: np.ndarray
    side: float


@dataclass(frozen=True)
class Viewpoint:
    """A parallel camera: its focal point, the unit vector towards the eye, up, and half height."""

    focalRas: np.ndarray
    towardsEye: np.ndarray
    up: np.ndarray
    halfHeight: float


def corners(firstXyz, lastXyz, ijkToRas: np.ndarray) -> np.ndarray:
    """The 8 corners in RAS (8, 3) of a box of voxels, outer faces included."""
    ends = list(zip(np.array(firstXyz) - 0.5, np.array(lastXyz) - 0.5))
    indices = np.array([(*point, 1.0) for point in itertools.product(*ends)])
    return (indices @ ijkToRas.T)[:, :3]


def frameFor(axes: np.ndarray, image: np.ndarray, target: np.ndarray, spot: np.ndarray) -> Frame:
    """Frame the target in the plane through `spot`, filling the view with image where possible.

    axes: rows are the unit vectors right, up and normal of the slice, in RAS. image, target:
    corners in RAS (8, 3).
    """
    across, lowest, highest = [], [], []
    for axis in axes[:2]:
        own, whole = target @ axis, image @ axis
        across.append((own.min(), own.max()))
        lowest.append(whole.min())
        highest.append(whole.max())
    wanted = max(high - low for low, high in across)
    extents = np.subtract(highest, lowest)
    side = max(wanted * _ROOM, min(extents) * _LEAST_SHARE)
    if side > min(extents):  # rather little room round the target than black beyond the image
        side = max(wanted * _LEAST_ROOM, min(extents))
    side = min(side, max(extents))
    center = axes[2] * (spot @ axes[2])
    for axis, (low, high), first, last in zip(axes[:2], across, lowest, highest):
        middle = (low + high) / 2
        half = min(side, last - first) / 2
        center = center + axis * np.clip(middle, first + half, last - half)
    return Frame(center, float(side))


def letter(direction: np.ndarray) -> str:
    """The letter of the body's side that a vector in RAS points to most: R L A P S I."""
    axis = int(np.abs(direction).argmax())
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]


def viewpointFor(points: np.ndarray, spot: np.ndarray) -> Viewpoint:
    """Look at surface points (n, 3) from in front, with the spot on the near side and the long
    axis across the view."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(points), 1))
    long = vectors[:, -1]
    stretch = 1.0 - np.sqrt(max(values[1], 1e-9) / max(values[-1], 1e-9))
    towards = (spot - middle) / (np.linalg.norm(points.std(axis=0)) + 1e-6) + 0.6 * _FROM
    towards -= min(1.0, 2.0 * stretch) * 0.9 * (towards @ long) * long
    norm = np.linalg.norm(towards)
    towards = towards / norm if norm > 1e-3 else _FROM / np.linalg.norm(_FROM)
    towards = _levelled(towards)
    right = np.cross([0.0, 0.0, 1.0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    across, along = centred @ right, centred @ up
    offset = right * (across.max() + across.min()) / 2 + up * (along.max() + along.min()) / 2
    half = max(np.ptp(across), np.ptp(along)) / 2 * _CAMERA_ROOM
    depth = (centred @ towards).max() + (centred @ towards).min()
    focal = points.mean(axis=0) + offset + towards * depth / 2
    return Viewpoint(focal, towards, up, float(max(half, 1e-3)))


def _levelled(towards: np.ndarray) -> np.ndarray:
    """Keep a unit vector off the poles, where up has no meaning, and from looking up from below."""
    height = np.clip(towards[2], _LOWEST, _HIGHEST)
    flat = towards[:2] if np.linalg.norm(towards[:2]) > 1e-3 else _FROM[:2]
    flat = flat / np.linalg.norm(flat) * np.sqrt(1.0 - height**2)
    return np.array([*flat, height])
