"""Cuts what is too large for one look, such as the shell of an organ, into pieces that are not."""

from __future__ import annotations

import numpy as np

_CELLS_A_SIDE = 5
_PREFERENCE = 0.01  # among windows that catch as much: for the one with the most in its middle and close to it


def cut(voxels: np.ndarray, worth: np.ndarray, sides: tuple[int, int, int], most: int) -> np.ndarray:
    """The number of the piece of each of the voxels (n, 3), from 0; -1 for what is worth least, beyond `most` pieces.

    No piece is longer than `sides` voxels along any axis. `worth` (n): more than 0 for each voxel.

    A window of the size of a piece is laid where it catches the most of what is still uncovered, again and again; then
    each voxel belongs to the window, among those that it lies in, whose middle is the nearest. So pieces are compact,
    and what is worth most lies in the middle of one. All on a grid of cells, of which a window has about five a side.
    """
    cell = np.maximum(np.array(sides) // _CELLS_A_SIDE, 1)
    window = np.array(sides) // cell
    cells = (voxels - voxels.min(axis=0)) // cell + (window - 1)  # so that each window lies within the grid
    shape = tuple(cells.max(axis=0) + window)
    places = np.ravel_multi_index(tuple(cells.T), shape)
    left = np.bincount(places, worth, minlength=int(np.prod(shape))).reshape(shape)
    caught = _window_sums(left, window)
    around = _window_sums(np.pad(caught, [(side // 2, side - 1 - side // 2) for side in window]), window)
    preference = 1.0 + _PREFERENCE * around / around.max()
    caught *= preference
    from_middle = _distances(window, cell)
    owner, nearest = np.full(shape, -1, np.int32), np.full(shape, np.inf, np.float32)
    best_of_plane = caught.max(axis=(1, 2))
    occupied = int(np.count_nonzero(left))
    for number in range(most):
        plane = int(best_of_plane.argmax())
        first = np.array([plane, *np.unravel_index(int(caught[plane].argmax()), caught.shape[1:])])
        inside = _box(first, first + window)
        closer = from_middle < nearest[inside]
        nearest[inside][closer] = from_middle[closer]
        owner[inside][closer] = number
        occupied -= int(np.count_nonzero(left[inside]))
        if not occupied:
            break
        left[inside] = 0.0
        start = np.maximum(first - window + 1, 0)
        stop = np.minimum(first + window, caught.shape)
        changed = _box(start, stop)
        caught[changed] = _window_sums(left[_box(start, stop + window - 1)], window) * preference[changed]
        best_of_plane[changed[0]] = caught[changed[0]].max(axis=(1, 2))
    pieces: np.ndarray = owner.ravel()[places]
    return pieces


def _box(start: np.ndarray, stop: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(int(first), int(end)) for first, end in zip(start, stop))


def _window_sums(cells: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The sum in each window of so many cells that lies wholly in the grid, at the window's first cell."""
    for axis, side in enumerate(window):
        totals = np.cumsum(np.moveaxis(cells, axis, 0), axis=0)
        sums = totals[side - 1 :].copy()
        sums[1:] -= totals[: -int(side)]
        cells = np.moveaxis(sums, 0, axis)
    return np.ascontiguousarray(cells)


def _distances(window: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """How far each cell of a window lies from its middle, in sides of a window."""
    axes = [(np.arange(side) + 0.5) / side - 0.5 for side in window]
    squares = [part**2 for part in np.meshgrid(*axes, indexing="ij", sparse=True)]
    distances: np.ndarray = np.sqrt(squares[0] + squares[1] + squares[2]).astype(np.float32)
    return distances
