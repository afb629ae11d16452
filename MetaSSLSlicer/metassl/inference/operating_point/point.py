"""The operating point of a model: an offset a class, and the structures that are shown as one piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metassl.files.json_kinds import list_of, number
from metassl.inference.operating_point.offsets import Offsets, moved
from metassl.inference.operating_point.one_piece import in_one_piece
from metassl.project.records import LARGEST_OFFSET


class Point(NamedTuple):
    """one_piece: the classes that are, see `one_piece.py`."""

    offsets: Offsets = None
    one_piece: Sequence[int] = ()

    def suits(self, classes: int) -> bool:
        """Whether one that was read can be that of so many classes."""
        is_offsets = list_of(lambda each: number(each) and abs(each) <= LARGEST_OFFSET, classes)
        is_classes = list_of(lambda each: type(each) is int and 0 < each < classes)
        return (self.offsets is None or is_offsets(self.offsets)) and is_classes(self.one_piece or [])

    def applied(self, softmaxes: np.ndarray) -> np.ndarray:
        """Softmaxes (N, K, z, y, x) at this point, in their place."""
        return in_one_piece(moved(softmaxes, self.offsets), self.one_piece)


AS_IT_IS = Point()
