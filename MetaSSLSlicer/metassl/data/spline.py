"""Interpolation by splines between two grids that cover the same box, as a matrix for each axis.

Voxel i of n has its centre at (i + 0.5) / n of the box; beyond the outermost centres the border voxel goes on. Without
any smoothing where the result is coarser, as scipy's `zoom` in its grid mode, by which nnU-Net resamples.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

MARGIN = 12
"""Border voxels that the cubic spline sees beyond each end: what lies farther off weighs less than 1e-6."""


@lru_cache(maxsize=64)
def axis_matrix(n_in: int, n_out: int, order: int) -> torch.Tensor:
    """float32 (n_out, n_in): the values of a line at its new places. order: 0 the nearest, 1 linear, 3 cubic."""
    centre = (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5
    matrix = np.zeros((n_out, n_in))
    rows = np.arange(n_out)
    if order == 0:
        nearest = np.floor(centre + 0.5).astype(int)
        matrix[rows, np.clip(nearest, 0, n_in - 1)] = 1.0
    elif order == 1:
        centre = np.clip(centre, 0, n_in - 1)
        low = np.floor(centre).astype(int)
        np.add.at(matrix, (rows, low), 1 - (centre - low))
        np.add.at(matrix, (rows, np.minimum(low + 1, n_in - 1)), centre - low)
    elif order == 3:
        matrix = _cubic(centre, n_in)
    else:
        raise ValueError(f"there is no interpolation of order {order} here")
    return torch.from_numpy(matrix.astype(np.float32))


def _cubic(centre: np.ndarray, n_in: int) -> np.ndarray:
    length = n_in + 2 * MARGIN
    values = np.diag(np.full(length, 4.0)) + np.diag(np.ones(length - 1), 1) + np.diag(np.ones(length - 1), -1)
    values[0, 1] = values[-1, -2] = 2.0  # mirrored at the ends
    extended = np.zeros((length, n_in))
    extended[np.arange(length), np.clip(np.arange(length) - MARGIN, 0, n_in - 1)] = 1.0
    coefficients = np.linalg.solve(values / 6, extended)
    at = centre + MARGIN
    low = np.floor(at).astype(int)
    distance = np.abs(np.arange(-1, 3)[None, :] + low[:, None] - at[:, None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    weights = np.where(distance < 1, near, np.clip(2 - distance, 0, None) ** 3 / 6)
    result: np.ndarray = np.einsum("rk,rkn->rn", weights, coefficients[low[:, None] + np.arange(-1, 3)[None, :]])
    return result


def along(volume: torch.Tensor, axis: int, matrix: torch.Tensor) -> torch.Tensor:
    """The volume with the lines of one axis multiplied by the matrix."""
    if matrix.shape[0] == matrix.shape[1] and torch.equal(matrix, torch.eye(len(matrix))):
        return volume
    turned: torch.Tensor = torch.tensordot(matrix.to(volume), volume, dims=([1], [axis]))
    return turned.movedim(0, axis)
