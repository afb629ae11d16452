"""Random views that a GPU makes: the CPU cuts the block of the case that a view needs, and the GPU does the rest.

A view of 128³ voxels takes a quarter of a second of a CPU core, which a GPU would wait for. What is drawn has the same
distribution as in `random_view`; only the noise comes from the GPU's own generator, by a seed. Nothing waits for the
GPU: it is told what is small as plain numbers, and what is large is copied from pinned memory beside the program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from metassl.data.augment import Augmentation, View, bent, draw_view, sampled, within


@dataclass(frozen=True)
class Cut:
    """pixels (C, z, y, x) as stored, label (z, y, x) or None: the block; bend (3, ...) or None, as in `grid`.

    places (3, 4): rows in x, y, z order take (z, y, x, 1), offsets from the centre of the patch in voxels, to places
    in the block, -1..1.
    """

    view: View
    pixels: torch.Tensor
    label: torch.Tensor | None
    places: list[list[float]]
    bend: torch.Tensor | None

    def made_on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The view, as `random_view` gives it, on the device."""
        pixels = self.pixels.to(device, non_blocking=True).float()
        label = None if self.label is None else self.label.to(device, non_blocking=True).float()
        return sampled(pixels, label, self._grid(device), self.view)

    def _grid(self, device: torch.device) -> torch.Tensor:
        z, y, x = (torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2 for n in self.view.patch)
        z, y = z[:, None, None], y[:, None]
        grid = torch.stack([a * z + b * y + c * x + d for a, b, c, d in self.places], dim=-1)
        if self.bend is None:
            return grid
        return grid + bent(self.bend.to(device, non_blocking=True), self.view.patch)


def random_cut(
    image: np.ndarray,
    label: np.ndarray | None,
    centre: np.ndarray,
    patch: tuple[int, int, int],
    spacing: tuple[float, float, float],
    augmentation: Augmentation,
    rng: np.random.Generator,
    pinned: bool = False,
) -> Cut:
    """What `random_view` takes, cut for a device; `pinned`: in memory from which a CUDA device copies by itself."""

    def seed() -> int:
        return int(rng.integers(2**63))

    return cut(image, label, draw_view(len(image), centre, patch, spacing, augmentation, rng, seed), pinned)


def cut(image: np.ndarray, label: np.ndarray | None, view: View, pinned: bool = False) -> Cut:
    """The block that the view may reach into, and where in it."""
    half = (np.asarray(view.patch) - 1) / 2
    reach = np.abs(view.matrix) @ half
    if view.bend is not None:
        reach = reach + np.abs(view.bend).max((1, 2, 3))
    low, high = np.floor(view.centre - reach).astype(int) - 1, np.ceil(view.centre + reach).astype(int) + 2
    low, high, block = within(low, high, np.asarray(image.shape[1:]))
    scale = 2 / (high - low)
    origin = (view.centre - low + 0.5) * scale - 1
    places = np.concatenate([view.matrix * scale[:, None], origin[:, None]], axis=1)[::-1]
    bend = None if view.bend is None else (view.bend * scale[:, None, None, None])[::-1].astype(np.float32)
    return Cut(
        view,
        _copied(image[(slice(None), *block)], pinned),
        None if label is None else _copied(label[block], pinned),
        places.tolist(),
        None if bend is None else _copied(bend, pinned),
    )


def _copied(array: np.ndarray, pinned: bool) -> torch.Tensor:
    dtype = torch.from_numpy(np.empty(0, array.dtype)).dtype
    made = torch.empty(array.shape, dtype=dtype, pin_memory=pinned)
    np.copyto(made.numpy(), array)
    return made
