"""How much a training may cost, and how fine it looks at the images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """name: as `--quality` takes it. minutes: how long it takes unless said otherwise. summary: in one line.

    image_patches: on a CPU, the median image is at most so many patches of the network: with few, each patch shows an
    organ and what lies around it, and few steps see much of every image; with many, the voxels are finer.
    large_network: on a CPU, small images, which any quality sees as fine as they are, have a network with a level at
    full resolution and twice the filters, whose steps take several times as long.
    """

    name: str
    minutes: float
    image_patches: int
    large_network: bool
    summary: str


_OURS = (
    Quality("fast", 4.0, 16, False, "something to review soon; on a CPU large images are seen coarsely"),
    Quality("good", 15.0, 48, False, "on a CPU large images are seen with voxels of a third of that volume"),
    Quality(
        "best", 60.0, 128, True, "as fine as the images; on a CPU voxels of an eighth, small images by a larger network"
    ),
)
MEMORY = (
    "all need about the same memory, as a step has the same patches: on a CPU some 2.5 GB for a CT of 512 x 512 x 300; "
    "of a GPU three fifths of what is free at most"
)
"""Measured in docs/benchmarks.md; see `data.budget`."""
QUALITIES = {each.name: each for each in _OURS}
DEFAULT_QUALITY = "fast"
