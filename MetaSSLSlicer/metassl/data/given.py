"""What a plan takes over from a model of another program: nnU-Net's network, its grid and its windows.

Everything that nnU-Net does otherwise than we do hangs on `Plan.given`; where that is None, nothing of it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MOST_CONVOLUTIONS = 64
"""Of a level: far beyond the largest preset, whose lowest levels have six residual blocks."""

MOST_OUTPUTS = 1024
ORDERS = (0, 1, 3)


@dataclass(frozen=True)
class Resampling:
    """order: of the spline; slice_order: across slices that are resampled apart; slices_apart: None for where they are
    more than three times as thick as their pixels."""

    order: int
    slice_order: int
    slices_apart: bool | None


@dataclass(frozen=True)
class Given:
    """Axes and levels are in the order of the grid, see `Plan`.

    residual: ResidualEncoderUNet, else PlainConvUNet. convolutions: of each level of the encoder, residual blocks where
    they are residual; decoder_convolutions: of the levels of the decoder, the lowest first. biased: whether they have a
    bias. outputs: the class of each output of the last layer; the probabilities of those of one class are added.

    transpose: the axis of the stored array that each grid axis is; canonical: of the array brought to RAS first.
    slicewise: a 2-D model, which keeps the slices as thick as they are.
    """

    residual: bool
    convolutions: tuple[int, ...]
    decoder_convolutions: tuple[int, ...]
    biased: bool
    outputs: tuple[int, ...]
    transpose: tuple[int, int, int]
    canonical: bool
    slicewise: bool
    mirror_axes: tuple[int, ...]
    image: Resampling
    probabilities: Resampling

    @staticmethod
    def of_json(content: Mapping[str, Any]) -> Given:
        """Of what `dataclasses.asdict` gives, lists or tuples. Raises KeyError or TypeError."""
        values: dict[str, Any] = {}
        for field in fields(Given):
            value = content[field.name]
            if field.name in ("image", "probabilities"):
                value = Resampling(**value)
            values[field.name] = tuple(value) if isinstance(value, list) else value
        return Given(**values)

    def preprocessing(self) -> list[Any]:
        """What changes the grid or the values on it: plain JSON."""
        return ["given", list(self.transpose), self.canonical, self.slicewise, list(vars(self.image).values())]

    def network(self) -> tuple[Any, ...]:
        """What decides which weights fit."""
        return self.residual, self.convolutions, self.decoder_convolutions, self.biased, self.outputs

    def problem(self, levels: int, classes: int) -> str:
        """What is wrong with it, naming the field; "" when nothing is. Raises TypeError or AttributeError."""

        def counts(values: tuple, length: int) -> bool:
            right = all(type(n) is int and 1 <= n <= MOST_CONVOLUTIONS for n in values)
            return isinstance(values, tuple) and len(values) == length and right

        truths = (self.residual, self.biased, self.canonical, self.slicewise)
        resamplings = (self.image, self.probabilities)
        checks = {
            "residual, biased, canonical or slicewise": all(isinstance(value, bool) for value in truths),
            "convolutions": counts(self.convolutions, levels),
            "decoder_convolutions": counts(self.decoder_convolutions, levels - 1),
            "outputs": len(self.outputs) <= MOST_OUTPUTS
            and all(type(n) is int for n in self.outputs)
            and {*self.outputs} == {*range(classes)},
            "transpose": sorted(self.transpose) == [0, 1, 2],
            "mirror_axes": {*self.mirror_axes} <= {0, 1, 2} and len({*self.mirror_axes}) == len(self.mirror_axes),
            "image or probabilities": all(
                each.order in ORDERS and each.slice_order in ORDERS and each.slices_apart in (None, True, False)
                for each in resamplings
            ),
        }
        return next((f"given.{name} is not right" for name, right in checks.items() if not right), "")
