"""Bidirectional copy-paste: a box of the labelled patch in the unlabelled one, and the other way round.

Bai et al., CVPR 2023. With few labels it carries what the annotation knows into unlabelled surroundings.
"""

from __future__ import annotations

import torch

BOX_SHARE = 2 / 3  # of each side


def random_boxes(count: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Boolean (count, 1, *shape), one random box each, drawn from torch's global generator on the CPU."""
    boxes = torch.zeros(count, 1, *shape, dtype=torch.bool)
    for box in boxes:
        places = []
        for length in shape:
            size = max(1, int(length * BOX_SHARE))
            start = int(torch.randint(length - size + 1, ()))
            places.append(slice(start, start + size))
        box[(0, *places)] = True
    return boxes


def paste(box: torch.Tensor, labelled: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
    """(B, ...) and (B, ...) to (2B, ...): labelled inside the box, then unlabelled inside the box."""
    return torch.cat([torch.where(box, labelled, unlabelled), torch.where(box, unlabelled, labelled)])
